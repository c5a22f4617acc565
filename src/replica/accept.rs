//! Where a connection's frames enter the node.
//!
//! # Invariants
//!
//! * A read is answered here only while no earlier request of its connection is under
//!   way; otherwise it follows that request through the core.
//! * Auth packets are handled at once, as in ZooKeeper: requests behind them already
//!   have the new identity, requests before them keep the old one.
//! * While a SASL token is being looked at nothing is taken from its connection.

use super::arena::Arena;
use super::conn::{Conn, Phase};
use super::login;
use super::node::Input;
use super::observe::Event;
use super::pipeline::Request;
use super::read::{self, Ask, Holder};
use super::shared::Shared;
use crate::auth::AuthOutcome;
use crate::auth::reason::Reason;
use crate::auth::rules::{Rule, rule};
use crate::auth::sasl::Refusal;
use crate::error::Code;
use crate::jute::Reader;
use crate::proto::{ConnectRequest, OpCode, Request as Decoded, RequestHeader, error_reply};
use crate::types::{Instant, Now, Zxid, mutant};
use bytes::Bytes;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What became of a frame.
#[derive(Debug)]
pub enum Accepted {
    /// It is answered; the reply is in the connection's queue.
    Answered,
    /// It must go to the core, behind everything that went there before.
    ToCore(Input),
    /// A SASL token for the exchange of this connection. What it leads to is told by
    /// [`finish_sasl`](super::finish_sasl), or where no login is configured by
    /// [`without_sasl`](super::without_sasl); nothing may be read before.
    Sasl {
        /// Xid of the request, for the reply.
        xid: i32,
        /// The token; a null buffer is none.
        token: Option<Vec<u8>>,
    },
    /// The connection must be closed without a reply, for this reason.
    Close(&'static str),
    /// A reply is queued and nothing may be read any more: flush, then close.
    Finish,
}

/// Takes one frame's body. `received` is when its last byte was read; `throttled` marks a
/// request that waited too long in front of the node and is to be refused in its place.
pub fn accept(
    shared: &Shared,
    conn: &Arc<Conn>,
    body: &[u8],
    received: Instant,
    now: Now,
    throttled: bool,
) -> Accepted {
    conn.stats.received.fetch_add(1, Ordering::Relaxed);
    match conn.phase() {
        Phase::Fresh => connect(conn, body),
        Phase::Connecting => Accepted::Close("a request before the session was established"),
        Phase::Closed => Accepted::Finish,
        Phase::Established => request(shared, conn, body, received, now, throttled),
    }
}

fn connect(conn: &Arc<Conn>, body: &[u8]) -> Accepted {
    match ConnectRequest::decode(body) {
        Ok(request) => Accepted::ToCore(accept_connect(conn, request)),
        Err(_) => Accepted::Close("the first frame is no connect request"),
    }
}

/// Takes a connect request that the edge decoded. Nothing may be read from the connection
/// until its phase has changed again.
pub fn accept_connect(conn: &Arc<Conn>, request: ConnectRequest) -> Input {
    conn.set_phase(Phase::Connecting);
    Input::Connect { conn: conn.clone(), request }
}

fn request(
    shared: &Shared,
    conn: &Arc<Conn>,
    body: &[u8],
    received: Instant,
    now: Now,
    throttled: bool,
) -> Accepted {
    conn.touch(now.mono);
    let mut r = Reader::new(body);
    let Ok(header) = RequestHeader::decode(&mut r) else {
        return Accepted::Close("a frame without a request header");
    };
    let op = OpCode::from_number(header.op);
    match op {
        Some(OpCode::Auth) => return auth(shared, conn, header.xid, r),
        Some(OpCode::Sasl) => return login::begin(conn, header.xid, r),
        _ => {}
    }
    if let Some(finish) = unproven(shared, conn, header.xid, op) {
        return finish;
    }
    let served = op.filter(|op| serves(*op));
    // What keeps a session alive, or ends it, is never refused for being late.
    let throttled = throttled && !matches!(served, Some(OpCode::Ping | OpCode::CloseSession));
    if let Some(op) = served
        && !op.is_ordered()
        && !throttled
        && (conn.in_flight() == 0 || mutant::on("read-overtakes-write"))
    {
        let ask = Ask { conn, xid: header.xid, op, record: r.rest(), holder: Holder::Live, received };
        read::answer(shared, &shared.store(), &ask, now.mono);
        return Accepted::Answered;
    }
    conn.begin_flight();
    shared.outstanding.fetch_add(1, Ordering::Relaxed);
    Accepted::ToCore(Input::Request(Request {
        conn: conn.clone(),
        xid: header.xid,
        op: served,
        record: keep(r.rest()),
        identities: conn.identities(),
        received,
        throttled,
    }))
}

thread_local! {
    /// Requests of this thread's connections on their way to the core.
    static ARENA: RefCell<Arena> = RefCell::new(Arena::new());
}

/// A copy that outlives the connection's buffer.
fn keep(bytes: &[u8]) -> Bytes {
    ARENA.with_borrow_mut(|arena| arena.make(bytes.len(), |out| out.extend_from_slice(bytes)))
}

/// Does a client's request with this op code reach the tree? The server's own operations,
/// and `check` outside a multi, are answered like unknown ones.
fn serves(op: OpCode) -> bool {
    !matches!(op, OpCode::Check | OpCode::CreateSession) && rule(op) != Rule::ServerOnly
}

fn auth(shared: &Shared, conn: &Conn, xid: i32, mut r: Reader<'_>) -> Accepted {
    let Ok(Decoded::Auth { scheme, auth }) = Decoded::decode(OpCode::Auth, &mut r) else {
        return Accepted::Close("an auth packet that cannot be read");
    };
    let held = conn.identities();
    // Java's providers answer null with an exception, which is AUTHFAILED.
    let outcome = match auth {
        Some(auth) => shared.config.providers.authenticate(&scheme, auth.0, conn.peer.ip(), &held),
        None => AuthOutcome::Failed(Refusal::new(Reason::AuthRefused, "nothing but null was presented")),
    };
    match outcome {
        AuthOutcome::Added(ids) => {
            conn.add_identities(ids);
            shared.note(&Event::Authenticated { conn, scheme: &scheme, principal: None, refused: None });
            let zxid =
                if mutant::on("zxid-in-auth-reply") { shared.store().tree.last_zxid() } else { Zxid::ZERO };
            conn.push(|out| error_reply(out, xid, zxid, Code::Ok));
            Accepted::Answered
        }
        AuthOutcome::Failed(why) => {
            login::note_refusal(shared, conn, &scheme, &why);
            conn.push(|out| error_reply(out, xid, Zxid::ZERO, Code::AuthFailed));
            conn.close_after_flush();
            Accepted::Finish
        }
        AuthOutcome::Closed(why) => {
            login::note_refusal(shared, conn, &scheme, &why);
            conn.close_after_flush();
            Accepted::Finish
        }
    }
}

/// Where a scheme is enforced, whoever has not proven one gets nothing else.
fn unproven(shared: &Shared, conn: &Conn, xid: i32, op: Option<OpCode>) -> Option<Accepted> {
    if login::is_proven(shared, conn) {
        return None;
    }
    let code = Code::SessionClosedRequireSaslAuth;
    let asked = op.map_or("an unknown operation", OpCode::name);
    let schemes =
        shared.config.enforcement.schemes.iter().flatten().cloned().collect::<Vec<_>>().join(" or ");
    let refusal = Refusal::new(Reason::AuthRequired, format!("{asked} without a login by {schemes}"));
    login::note_refusal(shared, conn, "", &refusal);
    shared.note(&Event::Denied { conn, op: op.unwrap_or(OpCode::Ping), path: "", code });
    conn.push(|out| error_reply(out, xid, Zxid::ZERO, code));
    conn.close_after_flush();
    Some(Accepted::Finish)
}
