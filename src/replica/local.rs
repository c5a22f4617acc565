//! Sessions that only their server knows (`localSessionsEnabled`), and servers that only read.
//!
//! # Invariants
//!
//! * A local session has no transaction: it is in no log and no snapshot, and ends with its
//!   server's role.
//! * It becomes a session of the ensemble before its first ephemeral, by a transaction in front
//!   of the create's; where that is not allowed, the create is refused.
//! * A read-only server promises nothing: whatever would need the ensemble is refused.

use super::conn::Conn;
use super::node::Node;
use super::observe::{Event, SessionEvent};
use super::pipeline::{Request, Source};
use super::role::Role;
use super::shared::Store;
use crate::error::Code;
use crate::jute::Reader;
use crate::proto::{CreateKind, OpCode, Request as Decoded, error_reply};
use crate::txn::{Txn, kind};
use crate::types::stages::StageTimes;
use crate::types::{CreateMode, Now, SessionId, mutant};
use std::sync::Arc;

impl Node {
    /// The local session makes its first ephemeral: the ensemble has to know it. Here this server
    /// decides, and its transaction comes first.
    pub(super) fn upgrade_here(&mut self, op: OpCode, request: &Request, now: Now) -> Result<(), Code> {
        let Some((id, timeout)) = self.to_upgrade(op, request)? else { return Ok(()) };
        self.admit_own(id, kind::CREATE_SESSION, Txn::CreateSession { timeout }, Source::Own, now);
        Ok(())
    }

    /// The same on a learner: the leader decides. From here on the leader keeps the session's time.
    pub(super) fn upgrade_by_leader(&mut self, op: OpCode, request: &Request, now: Now) -> Result<(), Code> {
        let Some((id, timeout)) = self.to_upgrade(op, request)? else { return Ok(()) };
        self.shared.sessions.lock().remove(id);
        if !mutant::on("upgrade-untold") {
            self.forward_open(id, timeout, None, now);
        }
        Ok(())
    }

    /// The session that has to be upgraded for this request, global from now on, and its time-out.
    fn to_upgrade(&self, op: OpCode, request: &Request) -> Result<Option<(SessionId, i32)>, Code> {
        let Some(session) = request.conn.session() else { return Ok(None) };
        if !makes_ephemeral(op, &request.record) {
            return Ok(None);
        }
        if !self.shared.config.local_sessions_upgrade {
            return Err(Code::EphemeralOnLocalSession);
        }
        session.set_global();
        Ok(Some((session.id, i32::try_from(session.timeout_ms()).unwrap_or(i32::MAX))))
    }

    /// The session's transaction is applied: nobody here keeps it as a local one any more.
    pub(super) fn note_global(&mut self, id: SessionId) {
        if !self.shared.config.local_sessions {
            return;
        }
        let mut sessions = self.shared.sessions.lock();
        let known = match &self.role {
            Role::Learning(_) => sessions.remove(id),
            _ => sessions.get(id).cloned(),
        };
        if let Some(session) = known {
            session.set_global();
        }
    }

    /// Ends a local session: its client asked for it, in its place among its other requests.
    pub(super) fn close_local(&mut self, store: &Store, request: &Request, now: Now) {
        let (conn, id, op) = (&request.conn, request.conn.session_id(), OpCode::CloseSession);
        let zxid = store.tree.last_zxid();
        self.forget_local(id);
        self.shared.note(&Event::Session { id, what: SessionEvent::Closed, conn: Some(conn) });
        let bytes = conn.push(|out| {
            let before = out.len();
            error_reply(out, request.xid, zxid, Code::Ok);
            out.len() - before
        });
        conn.close_after_flush();
        if let Some(bytes) = bytes {
            conn.book_reply(op, request.xid, zxid, request.received, now.mono);
            let stages = StageTimes { received: request.received, replied: now.mono, ..Default::default() };
            self.shared.note(&Event::Answered { conn, op, path: "", code: Code::Ok, stages, bytes });
        }
    }

    /// Ends a session that only this server knows, and its connection; false for any other.
    pub(super) fn end_local(&mut self, id: SessionId) -> bool {
        let local = self.shared.sessions.lock().get(id).is_some_and(|s| s.is_local());
        if local && let Some(conn) = self.forget_local(id) {
            self.drop_conn(&conn, "its session ended");
        }
        local
    }

    fn forget_local(&mut self, id: SessionId) -> Option<Arc<Conn>> {
        if let Some(session) = self.shared.sessions.lock().remove(id) {
            session.set_closing();
        }
        self.holders.remove(&id)
    }

    /// A client's request, on a server without a leader (`ReadOnlyRequestProcessor`).
    pub(super) fn read_only_request(&mut self, request: Request, now: Now) {
        let shared = self.shared.clone();
        let store = shared.store();
        let local = request.conn.session().is_some_and(|s| s.is_local());
        let refused = match request.op {
            None => Some(Code::Unimplemented),
            Some(_) if request.throttled => Some(Code::ThrottledOp),
            Some(OpCode::CloseSession) if local => None,
            Some(op) if op.is_ordered() => Some(Code::NotReadOnly),
            Some(_) => None,
        };
        match refused {
            Some(code) => self.refuse(&store, &request, code, now),
            None => self.read(&shared, &store, &request, now),
        }
    }
}

/// A read-only server has no sessions to give but local ones: the client hears that by a plain
/// reply, as from ZooKeeper.
pub(super) fn refuse_new_session(conn: &Conn, store: &Store) {
    conn.push(|out| error_reply(out, 0, store.tree.last_zxid(), Code::NotReadOnly));
    conn.close_after_flush();
}

/// Would it make an ephemeral (`QuorumZooKeeperServer.checkUpgradeSession`)? TTL nodes and
/// containers are none.
fn makes_ephemeral(op: OpCode, record: &[u8]) -> bool {
    if !matches!(op, OpCode::Create | OpCode::Create2 | OpCode::Multi) {
        return false;
    }
    match Decoded::decode(op, &mut Reader::new(record)) {
        Ok(Decoded::Multi(ops)) => ops.iter().any(|part| is_ephemeral(&part.request)),
        Ok(request) => is_ephemeral(&request),
        Err(_) => false,
    }
}

fn is_ephemeral(request: &Decoded<'_>) -> bool {
    match request {
        Decoded::Create { kind: CreateKind::Create | CreateKind::Create2, flags, .. } => {
            CreateMode::from_flags(*flags).is_some_and(|mode| mode.is_ephemeral())
        }
        _ => false,
    }
}
