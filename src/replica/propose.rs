//! From request to proposal, on the server that decides: a standalone one or the leader.
//!
//! # Invariants
//!
//! * A transaction is admitted, numbered and handed to the log in one step: nothing comes in between.
//! * A leader never makes the last zxid of its epoch's counter: it steps down before
//!   (`Leader.propose`), and what was asked then is answered by nobody.
//! * Where the session of a request is held is decided before the request is looked at.

use super::admit::{Admission, Admitted};
use super::leading::Owner;
use super::node::{Node, StorageState};
use super::observe::{Event, Work};
use super::pipeline::{Asked, Confirmed, Entry, Origin, Pending, Request, Source};
use super::read;
use super::role::Role;
use crate::auth::Identities;
use crate::error::Code;
use crate::proto::OpCode;
use crate::txn::{Record, Txn, TxnHeader, encode, kind};
use crate::types::stages::StageTimes;
use crate::types::{Instant, Now, SessionId, Zxid, mutant};
use crate::zab::Proposal;
use std::cell::OnceCell;
use std::sync::atomic::Ordering;

impl Node {
    /// A client's request, on a server that decides.
    pub(super) fn request(&mut self, request: Request, now: Now) {
        let refused = match request.op {
            None => Some(Code::Unimplemented),
            Some(_) if request.throttled => Some(Code::ThrottledOp),
            Some(op) if !op.is_ordered() || op == OpCode::Sync => {
                if read::is_closing(&request.conn) {
                    self.queue(Entry::Refused(request, Code::SessionExpired), now);
                } else if op == OpCode::Sync && self.confirms_syncs() {
                    self.confirm(Confirmed::Here(request), now);
                } else {
                    self.queue(Entry::Read(request), now);
                }
                return;
            }
            Some(_) if self.storage == StorageState::Failed => Some(Code::SystemError),
            Some(_) => None,
        };
        match (refused, request.op) {
            (Some(code), _) => self.queue(Entry::Refused(request, code), now),
            (None, Some(OpCode::CloseSession)) if is_local(&request) => self.queue(Entry::Read(request), now),
            (None, Some(OpCode::CloseSession)) => {
                let id = request.conn.session_id();
                let (conn, xid, received) = (request.conn, request.xid, request.received);
                let origin = Origin { conn, xid, op: OpCode::CloseSession, asked: None };
                self.close_session(id, xid, Source::Client(origin), Some(received), now);
            }
            (None, Some(op)) => self.write(op, request, now),
            (None, None) => {}
        }
    }

    /// Something that needs no transaction: at once if nothing is before it.
    fn queue(&mut self, entry: Entry, now: Now) {
        self.pipeline.push(entry);
        self.advance(now);
    }

    fn write(&mut self, op: OpCode, request: Request, now: Now) {
        let session = request.conn.session_id();
        if is_local(&request)
            && let Err(code) = self.upgrade_here(op, &request, now)
        {
            return self.queue(Entry::Refused(request, code), now);
        }
        let moved = match &mut self.role {
            Role::Leading(leading) if !read::is_closing(&request.conn) => {
                !leading.claims(session, Owner::Here)
            }
            _ => false,
        };
        let identities = request.identities.clone();
        let admitted = self.with_admission_as(session, request.xid, moved, &identities, now, |admission| {
            admission.admit(op, &request.record)
        });
        match admitted {
            None => self.finish_flight(&request.conn),
            Some(Admitted::Refused(code)) => self.queue(Entry::Refused(request, code), now),
            Some(Admitted::Txn(record)) => {
                let asked = self.shared.audited().then_some(Asked { record: request.record, identities });
                let origin = Origin { conn: request.conn, xid: request.xid, op, asked };
                self.propose(record, Source::Client(origin), Some(request.received), now);
            }
        }
    }

    /// Makes a transaction of the server's own, or of session life.
    pub(super) fn admit_own(&mut self, session: SessionId, kind: i32, txn: Txn, source: Source, now: Now) {
        if let Source::Client(origin) = &source {
            origin.conn.begin_flight();
            self.shared.outstanding.fetch_add(1, Ordering::Relaxed);
        }
        match self.with_admission(session, 0, now, |admission| admission.admit_own(kind, txn)) {
            Some(record) => self.propose(record, source, None, now),
            None => self.forget(source),
        }
    }

    pub(super) fn close_session(
        &mut self,
        id: SessionId,
        xid: i32,
        source: Source,
        received: Option<Instant>,
        now: Now,
    ) {
        self.shared.note(&Event::Begins(Work::CloseSession));
        let record = self.with_admission(id, xid, now, |admission| {
            let part = admission.close_session();
            admission.admit_own(part.kind, part.txn)
        });
        self.shared.note(&Event::Ends(Work::CloseSession));
        match record {
            Some(record) => self.propose(record, source, received, now),
            None => self.forget(source),
        }
    }

    /// Whoever asked for what cannot be proposed any more.
    fn forget(&mut self, source: Source) {
        if let Source::Client(origin) = source {
            self.finish_flight(&origin.conn);
        }
    }

    /// A transaction that changes nothing: its commit is the quorum's word that this server leads.
    /// It is nobody's, so that no learner takes it for the answer to a request.
    pub(super) fn confirm(&mut self, whose: Confirmed, now: Now) {
        let Some(zxid) = self.next_zxid() else {
            if let Confirmed::Here(request) = whose {
                self.finish_flight(&request.conn);
            }
            return;
        };
        let header = TxnHeader { client_id: 0, cxid: 0, zxid, time: now.wall_ms, kind: kind::ERROR };
        let record = Record { header, txn: Txn::Error { err: Code::Ok.number() }, digest: None };
        self.propose(record, Source::Confirms(whose), None, now);
    }

    pub(super) fn with_admission<R>(
        &mut self,
        session: SessionId,
        xid: i32,
        now: Now,
        make: impl FnOnce(&mut Admission<'_>) -> R,
    ) -> Option<R> {
        let nobody = self.nobody.clone();
        self.with_admission_as(session, xid, false, &nobody, now, make)
    }

    /// Runs an admission under the next zxid; `None` where the epoch has none left.
    pub(super) fn with_admission_as<R>(
        &mut self,
        session: SessionId,
        xid: i32,
        moved: bool,
        identities: &Identities,
        now: Now,
        make: impl FnOnce(&mut Admission<'_>) -> R,
    ) -> Option<R> {
        let zxid = self.next_zxid()?;
        let leads = matches!(self.role, Role::Leading(_));
        let shared = self.shared.clone();
        let store = shared.store();
        let mut sessions = shared.sessions.lock();
        let standing = if let Role::Leading(leading) = &mut self.role { leading.standing() } else { None };
        Some(make(&mut Admission {
            config: &shared.config,
            store: &store,
            sessions: &mut sessions,
            outstanding: &mut self.outstanding,
            spare: &mut self.spare,
            session,
            checked: OnceCell::new(),
            identities,
            moved,
            leads,
            xid,
            zxid,
            wall_ms: now.wall_ms,
            growth: self.storage == StorageState::Good,
            standing,
        }))
    }

    /// The zxid of the next transaction. A standalone server counts on into the epoch, as ZooKeeper's
    /// does; a leader that has used up its counter has none, and must step down.
    fn next_zxid(&mut self) -> Option<Zxid> {
        let next = Zxid(self.last_proposed.0 + 1);
        if let Role::Leading(leading) = &mut self.role
            && next.counter() == u32::MAX
            && !mutant::on("counter-overflows")
        {
            leading.use_up();
            return None;
        }
        Some(next)
    }

    /// Puts a transaction under way: to the log, and into the order of replies.
    pub(super) fn propose(&mut self, record: Record, source: Source, received: Option<Instant>, now: Now) {
        let zxid = record.header.zxid;
        self.last_proposed = zxid;
        let bytes = self.arena.make(record.expected_len(), |out| encode(&record, out));
        self.appends.push(Proposal { zxid, bytes });
        let received = received.unwrap_or(now.mono);
        let stages = StageTimes { received, admitted: now.mono, ..Default::default() };
        self.pipeline.push(Entry::Txn(Box::new(Pending { record, source, stages })));
        let (under_way, changes) = (self.pipeline.transactions(), self.outstanding.take_recorded());
        self.shared.note(&Event::Admitted { zxid, under_way, changes });
        if mutant::on("reply-before-sync") {
            self.committed = zxid;
            self.advance(now);
        }
    }
}

/// Does only this server know the session?
fn is_local(request: &Request) -> bool {
    request.conn.session().is_some_and(|s| s.is_local())
}
