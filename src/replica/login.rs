//! Logins by SASL as the node sees them: a token goes out, a step comes back.
//!
//! The exchange itself runs at the edge, on threads that may block; see [`crate::auth::sasl`].
//!
//! # Invariants
//!
//! * Replies and failure replies are those of `ZooKeeperServer.processSasl`: zxid 0, and a token also where
//!   there is an error, because the client reads one.
//! * A connection logs in once. Its identities only ever come from a [`Login`], which somebody proved.
//! * Where a login is required, a session that was made for whoever is refused ends with the refusal; one that was
//!   renewed was somebody's before, and lives on for its time-out.
//! * Whoever is refused after our first token hears it at once, but is closed a little later: a client that
//!   believes itself logged in would come back without a pause.

use super::accept::Accepted;
use super::conn::{Conn, Phase};
use super::observe::Event;
use super::shared::Shared;
use crate::auth::reason::Reason;
use crate::auth::sasl::{Login, Refusal, SaslStep};
use crate::error::Code;
use crate::jute::{Reader, Writer};
use crate::limits::SASL_TOKEN;
use crate::proto::{FrameBuilder, OpCode, ReplyHeader, Request as Decoded};
use crate::types::Zxid;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a connection's login has come.
#[derive(Default)]
pub(super) struct LoginState {
    under_way: AtomicBool,
    challenged: AtomicBool,
    proven: AtomicBool,
    /// Its session was made for it, and not renewed by it.
    new_session: AtomicBool,
    turned_away: AtomicBool,
    login: RwLock<Option<Arc<Login>>>,
}

impl LoginState {
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire)
    }

    pub(super) fn login(&self) -> Option<Arc<Login>> {
        self.login.read().clone()
    }

    pub(super) fn has_new_session(&self) {
        self.new_session.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::Acquire)
    }
}

/// What became of an exchange by a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaslEnd {
    /// The client's next token is awaited.
    GoesOn,
    /// Logged in.
    LoggedIn,
    /// Refused, and the connection stays open without an identity.
    Kept(Reason),
    /// Refused; the connection closes once the reply is sent.
    Closes(Reason),
    /// Refused, the reply is on its way; after a pause the caller closes it with
    /// [`Conn::close_after_flush`] and wakes it.
    ClosesLater(Reason),
    /// Our own or a passing fault: the connection closes without a reply.
    Broken(Reason),
}

/// Takes a SASL request: from here on the connection is held until the step is finished.
pub(super) fn begin(conn: &Conn, xid: i32, mut r: Reader<'_>) -> Accepted {
    let Ok(Decoded::Sasl { token }) = Decoded::decode(OpCode::Sasl, &mut r) else {
        return Accepted::Close("a SASL request that cannot be read");
    };
    conn.login.under_way.store(true, Ordering::Release);
    Accepted::Sasl { xid, token: token.map(|token| token.0.to_vec()) }
}

/// Why a token is refused before any exchange looks at it: it is too long, or its client is logged in.
pub fn sasl_token_refusal(conn: &Conn, token: Option<&[u8]>) -> Option<Refusal> {
    let length = token.map_or(0, <[u8]>::len);
    if length > SASL_TOKEN {
        let detail = format!("{length} bytes, at most {SASL_TOKEN}");
        return Some(Refusal::new(Reason::SaslTooLong, detail));
    }
    let login = conn.login()?;
    Some(Refusal::new(Reason::SaslSequence, "this connection is logged in").of(login.principal.as_str()))
}

/// Answers a token where no login is configured: a null token and no error, as in ZooKeeper. The session goes
/// on without an identity.
pub fn without_sasl(conn: &Conn, xid: i32) {
    reply(conn, xid, Code::Ok, None);
    end(conn);
}

/// Takes what a token led to: replies, adds identities, closes. May be called on any thread.
pub fn finish_sasl(shared: &Shared, conn: &Conn, xid: i32, step: SaslStep) -> SaslEnd {
    let ended = match step {
        SaslStep::Challenge(token) => {
            conn.login.challenged.store(true, Ordering::Relaxed);
            reply(conn, xid, Code::Ok, Some(&token));
            SaslEnd::GoesOn
        }
        SaslStep::Done { last, login } => {
            log_in(shared, conn, login);
            reply(conn, xid, Code::Ok, last.as_deref());
            SaslEnd::LoggedIn
        }
        SaslStep::Refused(refusal) => refuse(shared, conn, xid, &refusal),
        SaslStep::Broken(refusal) => {
            note_refusal(shared, conn, "sasl", &refusal);
            conn.close_after_flush();
            SaslEnd::Broken(refusal.reason)
        }
    };
    end(conn);
    ended
}

fn log_in(shared: &Shared, conn: &Conn, login: Login) {
    conn.add_identities(shared.config.providers.login_identities(&login));
    let login = Arc::new(login);
    *conn.login.login.write() = Some(Arc::clone(&login));
    let principal = Some(login.principal.as_str());
    shared.note(&Event::Authenticated { conn, scheme: "sasl", principal, refused: None });
}

fn refuse(shared: &Shared, conn: &Conn, xid: i32, refusal: &Refusal) -> SaslEnd {
    note_refusal(shared, conn, "sasl", refusal);
    let enforcement = &shared.config.enforcement;
    let secure = enforcement.is_secure();
    if enforcement.keep_failed && !secure {
        reply(conn, xid, Code::Ok, None);
        return SaslEnd::Kept(refusal.reason);
    }
    let code = if secure { Code::SessionClosedRequireSaslAuth } else { Code::AuthFailed };
    reply(conn, xid, code, None);
    // Whoever has proven itself by another scheme keeps its session for whoever resumes it.
    let stranger = secure && !is_proven(shared, conn) && conn.login.new_session.load(Ordering::Relaxed);
    conn.login.turned_away.store(stranger, Ordering::Release);
    if conn.login.challenged.load(Ordering::Relaxed) {
        // Nothing of it is read any more; what is queued still leaves.
        conn.set_phase(Phase::Closed);
        return SaslEnd::ClosesLater(refusal.reason);
    }
    conn.close_after_flush();
    SaslEnd::Closes(refusal.reason)
}

fn reply(conn: &Conn, xid: i32, code: Code, token: Option<&[u8]>) {
    conn.push(|out| {
        let header = ReplyHeader { xid, zxid: Zxid::ZERO, err: code.number() };
        let frame = FrameBuilder::reply(out, header);
        Writer::new(out).buffer(token);
        frame.finish(out);
    });
}

fn end(conn: &Conn) {
    conn.login.under_way.store(false, Ordering::Release);
    conn.wake();
}

/// Tells the observer of a refusal that needs no reply, or has one already.
pub fn note_refusal(shared: &Shared, conn: &Conn, scheme: &str, refusal: &Refusal) {
    let principal = refusal.who.as_deref();
    shared.note(&Event::Authenticated { conn, scheme, principal, refused: Some(refusal) });
}

/// Has the connection proven what every session has to prove here? True where nothing is demanded.
pub fn is_proven(shared: &Shared, conn: &Conn) -> bool {
    let Some(schemes) = &shared.config.enforcement.schemes else { return true };
    if conn.login.proven.load(Ordering::Relaxed) {
        return true;
    }
    let proven = conn.identities().iter().any(|id| schemes.contains(&id.scheme));
    conn.login.proven.store(proven, Ordering::Relaxed);
    proven
}
