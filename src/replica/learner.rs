//! A learner's side of its clients' requests: what goes to the leader, what comes back.
//!
//! # Invariants
//!
//! * A write is forwarded once, behind everything that its session sent before; a read behind a
//!   pending write or sync of its session waits for it, every other one is answered at once.
//! * Only what can be decoded is forwarded: a leader has to find an answer to everything.
//! * Proposals come in the order of their zxids and are applied in it, when they are committed.
//! * A session is handed to a connection only by the leader's word.

use super::learning::{ToLeader, Waiting};
use super::node::{Node, StorageState};
use super::observe::{Event, SessionQueue};
use super::pipeline::{Asked, Entry, Origin, Pending, Request, Source};
use super::read;
use super::role::Role;
use super::shared::{Shared, Store};
use crate::error::Code;
use crate::jute::{Reader, Writer};
use crate::peer::{Forwarded, Revalidation, Touch};
use crate::proto::{OpCode, Request as Decoded};
use crate::txn;
use crate::types::stages::StageTimes;
use crate::types::{Now, SessionId, Zxid};
use crate::zab::Proposal;
use bytes::Bytes;

impl Node {
    /// A client's request, on a learner.
    pub(super) fn learner_request(&mut self, request: Request, now: Now) {
        let session = request.conn.session_id();
        let local = request.conn.session().is_some_and(|s| s.is_local());
        let refused = match request.op {
            None => Some(Code::Unimplemented),
            Some(_) if request.throttled => Some(Code::ThrottledOp),
            Some(_) if read::is_closing(&request.conn) => Some(Code::SessionExpired),
            Some(op) if op.is_ordered() && self.storage == StorageState::Failed => Some(Code::SystemError),
            Some(op) if forwards(op) && !decodes(op, &request.record) => Some(Code::MarshallingError),
            Some(op) if forwards(op) && local => self.upgrade_by_leader(op, &request, now).err(),
            Some(_) => None,
        };
        match (refused, request.op) {
            (Some(code), _) => self.wait(session, Waiting::Refused(request, code), now),
            (None, Some(OpCode::CloseSession)) if local => self.wait(session, Waiting::Read(request), now),
            (None, Some(op)) if op.is_ordered() => self.forward(op, session, request),
            (None, _) => self.wait(session, Waiting::Read(request), now),
        }
    }

    /// Something that is answered here: behind what its session has under way, or at once.
    fn wait(&mut self, session: SessionId, entry: Waiting, now: Now) {
        let Role::Learning(learning) = &mut self.role else { return };
        if learning.is_waiting(session) {
            return learning.push(session, entry);
        }
        let shared = self.shared.clone();
        let store = shared.store();
        self.answer_waiting(&shared, &store, entry, now);
    }

    fn forward(&mut self, op: OpCode, session: SessionId, request: Request) {
        let audited = self.shared.audited();
        let Role::Learning(learning) = &mut self.role else { return };
        if op == OpCode::CloseSession
            && let Some(session) = request.conn.session()
        {
            session.set_closing();
        }
        let (xid, received) = (request.xid, request.received);
        let (record, identities) = (request.record.clone(), request.identities.clone());
        if op == OpCode::Sync {
            learning.push_sync(session, request);
        } else {
            let asked = audited.then(|| Asked { record: record.clone(), identities: identities.clone() });
            let origin = Some(Origin { conn: request.conn, xid, op, asked });
            learning.push(session, Waiting::Write { op, xid, origin, received });
        }
        learning.send(Forwarded { session, cxid: xid, op: op.number(), record }, identities);
    }

    /// Asks the leader for a session; its transaction says that it stands. `origin` waits for it.
    pub(super) fn forward_open(&mut self, id: SessionId, timeout: i32, origin: Option<Origin>, now: Now) {
        let nobody = self.nobody.clone();
        let identities = origin.as_ref().map_or(nobody, |origin| origin.conn.identities());
        let Role::Learning(learning) = &mut self.role else { return };
        let (op, received) = (OpCode::CreateSession, now.mono);
        learning.push(id, Waiting::Write { op, xid: 0, origin, received });
        let mut record = Vec::with_capacity(4);
        Writer::new(&mut record).i32(timeout);
        let (cxid, record) = (0, Bytes::from(record));
        learning.send(Forwarded { session: id, cxid, op: op.number(), record }, identities);
    }

    /// An operator ends a session: nobody waits for it.
    pub(super) fn forward_close(&mut self, id: SessionId) {
        let nobody = self.nobody.clone();
        if let Role::Learning(learning) = &mut self.role {
            let (cxid, op) = (0, OpCode::CloseSession.number());
            learning.send(Forwarded { session: id, cxid, op, record: Bytes::new() }, nobody);
        }
    }

    /// What the leader is to be told since the last call, behind `into`, in the order of sending.
    pub fn take_to_leader(&mut self, into: &mut Vec<ToLeader>) {
        if let Role::Learning(learning) = &mut self.role {
            learning.take_out(into);
        }
    }

    /// A transaction on its way, in the order of zxids. An error means that the leader speaks
    /// another language or is out of order: the learner must leave it.
    pub fn proposed(&mut self, proposal: &Proposal, now: Now) -> Result<(), String> {
        let Role::Learning(learning) = &mut self.role else { return Ok(()) };
        let zxid = proposal.zxid;
        let record = txn::decode(&proposal.bytes)
            .map_err(|e| format!("peer: the leader's transaction {zxid} cannot be read: {e}"))?;
        if record.header.zxid != zxid || zxid <= self.last_proposed {
            let (says, last) = (record.header.zxid, self.last_proposed);
            return Err(format!(
                "peer: the leader proposes {zxid} (its transaction says {says}) behind {last}"
            ));
        }
        let source = if learning.find(&record.header) { Source::Queued } else { Source::Elsewhere };
        self.last_proposed = zxid;
        self.shared.note(&Event::Proposed { age_ms: now.wall_ms - record.header.time });
        let stages = StageTimes { received: now.mono, admitted: now.mono, ..Default::default() };
        self.pipeline.push(Entry::Txn(Box::new(Pending { record, source, stages })));
        Ok(())
    }

    /// A transaction of a client of this learner is about to be applied: whose is it? What stands
    /// before it in the queue of its session is answered first.
    pub(super) fn dequeue(
        &mut self,
        shared: &Shared,
        store: &Store,
        session: SessionId,
        pending: &mut Pending,
        now: Now,
    ) -> Option<SessionQueue> {
        pending.source = Source::Elsewhere;
        while let Role::Learning(learning) = &mut self.role {
            let (requests, sessions) = learning.queued(session);
            match learning.pop(session)? {
                Waiting::Write { origin, received, .. } => {
                    pending.stages.received = received;
                    if let Some(origin) = origin {
                        pending.source = Source::Client(origin);
                    }
                    return Some(SessionQueue { requests, sessions, reads_after: 0 });
                }
                // The leader had this sync before the write: the commit is its answer, too.
                other => self.answer_waiting(shared, store, other, now),
            }
        }
        None
    }

    /// Answers what the session waits for no longer.
    pub(super) fn answer_ready(&mut self, shared: &Shared, store: &Store, session: SessionId, now: Now) {
        while let Role::Learning(learning) = &mut self.role
            && let Some(entry) = learning.pop_ready(session)
        {
            self.answer_waiting(shared, store, entry, now);
        }
    }

    fn answer_waiting(&mut self, shared: &Shared, store: &Store, entry: Waiting, now: Now) {
        match entry {
            Waiting::Read(request) | Waiting::Sync { request, .. } => self.read(shared, store, &request, now),
            Waiting::Refused(request, code) => self.refuse(store, &request, code, now),
            Waiting::Write { origin, .. } => {
                if let Some(origin) = origin {
                    self.finish_flight(&origin.conn);
                }
            }
        }
    }

    /// The leader answers the oldest sync: everything that it had committed before is applied here.
    pub fn synced(&mut self, now: Now) {
        let Role::Learning(learning) = &mut self.role else { return };
        if let Some(session) = learning.sync_answered() {
            let shared = self.shared.clone();
            let store = shared.store();
            self.answer_ready(&shared, &store, session, now);
        }
    }

    /// The sessions that were heard since the last call: the answer to a ping of the leader.
    pub fn touches(&mut self, now: Now) -> Vec<Touch> {
        match &mut self.role {
            Role::Learning(learning) => learning.touches(self.holders.values(), now.mono),
            _ => Vec::new(),
        }
    }

    /// The leader's word on a session that a connection here wants.
    pub fn revalidated(&mut self, said: Revalidation, now: Now) {
        let Role::Learning(learning) = &mut self.role else { return };
        let Some((conn, timeout)) = learning.asked_about(said.session) else { return };
        if said.valid {
            let session = crate::session::Session::held(said.session, timeout, now.mono);
            self.take_over(conn, session);
        } else {
            self.refuse_session(&conn, said.session);
        }
    }

    /// Zxid up to which transactions are committed.
    pub fn committed(&self) -> Zxid {
        self.committed
    }
}

/// Is it decided by the leader, by its record?
fn forwards(op: OpCode) -> bool {
    op.is_ordered() && !matches!(op, OpCode::CloseSession | OpCode::Sync)
}

fn decodes(op: OpCode, record: &[u8]) -> bool {
    Decoded::decode(op, &mut Reader::new(record)).is_ok()
}
