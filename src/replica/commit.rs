//! Committed transactions to the tree, and everything that may leave after them.
//!
//! # Invariants
//!
//! * While the store is held for writing, at most [`APPLY_BATCH`] entries are worked off.
//! * The events of a transaction are queued before its reply, and its reply before any answer that
//!   is computed after it.
//! * A transaction after which the tree differs from its digest is answered by nobody, nor is
//!   anything after it.

use super::audit;
use super::changes::Outstanding;
use super::conn::{Conn, Phase};
use super::node::Node;
use super::observe::{Applied, Event, Round, Seat, SessionEvent, Work};
use super::pipeline::{Confirmed, Entry, Pending, Request, Source};
use super::read::{self, Ask, Holder};
use super::reply;
use super::role::Role;
use super::shared::{Shared, Store};
use crate::disk::Durable;
use crate::error::Code;
use crate::limits::APPLY_BATCH;
use crate::proto::{OpCode, error_reply};
use crate::tree::Changes;
use crate::txn::{Record, Txn, kind};
use crate::types::stages::StageTimes;
use crate::types::{Now, SessionId, Zxid};
use std::sync::Arc;

impl Node {
    /// Works off everything that may leave.
    pub(super) fn advance(&mut self, now: Now) {
        let shared = self.shared.clone();
        let commits = self.committed > self.worked_off;
        if commits {
            self.round_begins(&shared);
        }
        while self.work_off(&shared, now) {}
        if commits {
            self.worked_off = self.committed;
            shared.note(&Event::Ends(Work::Round));
            shared.note(&Event::Round(std::mem::take(&mut self.round)));
        }
        if self.trust.is_lost() {
            self.stop_serving("this server's tree differs from the ensemble's");
        }
    }

    fn round_begins(&mut self, shared: &Shared) {
        let waiting_writes = self.pipeline.transactions();
        let held = if let Role::Learning(learning) = &self.role { learning.waiting() } else { 0 };
        let waiting_reads = held.max(self.pipeline.len() - waiting_writes);
        self.round = Round { seat: self.seat(), waiting_writes, waiting_reads, ..Round::default() };
        shared.note(&Event::Begins(Work::Round));
    }

    fn seat(&self) -> Seat {
        match self.role {
            Role::Leading(_) => Seat::Leads,
            Role::Learning(_) => Seat::Learns,
            Role::Alone | Role::Looking | Role::ReadOnly => Seat::Alone,
        }
    }

    /// One hold of the store; false when nothing more may leave.
    fn work_off(&mut self, shared: &Shared, now: Now) -> bool {
        let mut store = shared.store.write();
        for _ in 0..APPLY_BATCH {
            if self.trust.is_lost() {
                return false;
            }
            match self.pipeline.pop_ready(self.committed) {
                None => return false,
                Some(Entry::Txn(pending)) => self.apply(shared, &mut store, *pending, now),
                Some(Entry::Read(request)) => self.read(shared, &store, &request, now),
                Some(Entry::Refused(request, code)) => self.refuse(&store, &request, code, now),
            }
        }
        true
    }

    fn apply(&mut self, shared: &Shared, store: &mut Store, mut pending: Pending, now: Now) {
        let header = pending.record.header;
        let queued = matches!(pending.source, Source::Queued).then_some(SessionId(header.client_id));
        let mut queue = queued.and_then(|session| self.dequeue(shared, store, session, &mut pending, now));
        // Whoever begins to watch holds the store for reading: nobody does meanwhile.
        let heard = shared.audited() || !shared.watches.lock().is_empty();
        let mut changes = if heard { Changes::default() } else { Changes::unheard() };
        let acl_before =
            if shared.audited() { audit::acl_of(&store.tree, &pending.record.txn) } else { None };
        let applied = store.tree.apply(&header, &pending.record.txn, &mut changes);
        let remembered = self.outstanding.applied(header.zxid);
        if !self.verify_digest(store, &pending.record) {
            drop(changes);
            return self.forget_pending(pending);
        }
        let (seat, own) = (self.seat(), pending.origin().is_some());
        if seat == Seat::Alone {
            pending.stages.logged = now.mono; // its durability is the commit
        }
        pending.stages.committed = now.mono;
        pending.stages.applied = now.mono;
        let stages = StageTimes { replied: now.mono, ..pending.stages };
        self.delivery.deliver(shared, &changes.all, &mut self.touched);
        if shared.audited() {
            audit::applied(shared, &pending, &applied, &changes.all, acl_before.as_deref());
        }
        drop(changes);
        self.session_effects(store, &pending);
        reply::reply(shared, store, &pending, &applied, now);
        match pending.source {
            Source::Client(origin) => self.finish_flight(&origin.conn),
            Source::Confirms(Confirmed::Here(request)) => self.read(shared, store, &request, now),
            Source::Confirms(Confirmed::Link(link)) => {
                if let Role::Leading(leading) = &mut self.role {
                    leading.ask_sync(link);
                }
            }
            Source::Own | Source::Elsewhere | Source::Queued => {}
        }
        let reads = self.round.reads;
        if let Some(session) = queued {
            self.answer_ready(shared, store, session, now);
        }
        if let Some(queue) = &mut queue {
            queue.reads_after = self.round.reads - reads;
            self.round.drained += 1;
        }
        self.round.writes += 1;
        if applied.code == Code::Ok {
            written(shared, &pending.record.txn);
        }
        let (reconfigures, age_ms) = (header.kind == kind::RECONFIG, now.wall_ms - header.time);
        store.tree.take_back(applied);
        self.spare.take_back(pending.record.txn);
        shared.note(&Event::Applied(&Applied {
            seat,
            own,
            reconfigures,
            age_ms,
            stages,
            changes: remembered,
            queue,
        }));
    }

    fn forget_pending(&mut self, pending: Pending) {
        match pending.source {
            Source::Client(origin) => self.finish_flight(&origin.conn),
            Source::Confirms(Confirmed::Here(request)) => self.finish_flight(&request.conn),
            _ => {}
        }
    }

    fn session_effects(&mut self, store: &mut Store, pending: &Pending) {
        let id = pending.record.header.client_id;
        match pending.record.txn {
            Txn::CreateSession { timeout } => {
                store.sessions.insert(id, timeout);
                self.note_global(SessionId(id));
                if let Some(origin) = pending.origin() {
                    let (id, what) = (SessionId(id), SessionEvent::Opened);
                    self.shared.note(&Event::Session { id, what, conn: Some(&*origin.conn) });
                }
            }
            Txn::CloseSession { .. } => {
                store.sessions.remove(&id);
                self.shared.sessions.lock().remove(SessionId(id));
                if let Role::Leading(leading) = &mut self.role {
                    leading.disown(SessionId(id));
                }
                let asker = pending.origin().map(|origin| origin.conn.id);
                let holder = self.holders.remove(&SessionId(id));
                if let Some(conn) = holder.filter(|conn| Some(conn.id) != asker) {
                    self.drop_conn(&conn, "its session ended");
                }
            }
            _ => {}
        }
    }

    /// Answers what needs no transaction; the store shows what was committed before it.
    pub(super) fn read(&mut self, shared: &Shared, store: &Store, request: &Request, now: Now) {
        self.round.reads += 1;
        if let Some(op) = request.op
            && request.conn.phase() == Phase::Established
        {
            if op == OpCode::CloseSession {
                self.close_local(store, request, now);
            } else {
                let holder = Holder::Held(&request.identities);
                let (xid, received) = (request.xid, request.received);
                let ask = Ask { conn: &request.conn, xid, op, record: &request.record, holder, received };
                read::answer(shared, store, &ask, now.mono);
            }
        }
        self.finish_flight(&request.conn);
    }

    pub(super) fn refuse(&mut self, store: &Store, request: &Request, code: Code, now: Now) {
        let conn = &request.conn;
        let op = request.op.unwrap_or(OpCode::Ping);
        let unknown = request.op.is_none();
        let zxid = if unknown { Zxid(-1) } else { store.tree.last_zxid() };
        if self.shared.audited() {
            audit::refused(&self.shared, request, code);
        }
        let bytes = conn.push(|out| {
            let before = out.len();
            error_reply(out, request.xid, zxid, code);
            out.len() - before
        });
        if unknown {
            conn.close_after_flush();
        }
        if let Some(bytes) = bytes {
            conn.book_reply(op, request.xid, zxid, request.received, now.mono);
            let stages = StageTimes { received: request.received, replied: now.mono, ..Default::default() };
            self.shared.note(&Event::Answered { conn, op, path: "", code, stages, bytes });
        }
        self.finish_flight(&request.conn);
    }

    /// Between two roles, when everything that was handed to the log has completed: applies what is
    /// durable, without replies, and forgets the rest. The tree is then what a restart would find.
    pub fn fast_forward(&mut self, last: &Durable<Zxid>) {
        debug_assert!(matches!(self.role, Role::Looking), "only who has no role is taken to its log's end");
        let shared = self.shared.clone();
        let mut store = shared.store.write();
        while let Some(Entry::Txn(pending)) = self.pipeline.pop_ready(*last.get()) {
            let record = &pending.record;
            store.tree.apply(&record.header, &record.txn, &mut Changes::default());
            note_session(&mut store, record);
            let _ = self.verify_digest(&store, record);
        }
        self.pipeline.clear();
        self.appends.clear();
        self.outstanding = Outstanding::new(&store.tree, shared.config.tree.digest);
        self.last_proposed = store.tree.last_zxid();
        self.committed = self.last_proposed;
        self.worked_off = self.committed;
    }

    /// Ends every connection, and with them everything that clients wait for. Transactions under
    /// way stay. In order of the connections, so that equal runs stay equal.
    pub(super) fn stop_serving(&mut self, why: &'static str) {
        let mut waiting = self.pipeline.disown();
        if let Role::Learning(learning) = &mut self.role {
            waiting.extend(learning.stop());
        }
        for conn in &waiting {
            self.finish_flight(conn);
        }
        let mut conns: Vec<Arc<Conn>> = self.shared.connections();
        conns.sort_unstable_by_key(|conn| conn.id);
        for conn in &conns {
            self.shared.watches.lock().remove_connection(conn.id);
            if conn.phase() != Phase::Closed {
                self.drop_conn(conn, why);
            }
        }
        self.holders.clear();
    }
}

/// Tells which znodes a transaction has written.
fn written(shared: &Shared, txn: &Txn) {
    let tell = |path: &str, data: Option<&[u8]>| {
        shared.note(&Event::Written { path, bytes: data.map_or(0, <[u8]>::len) });
    };
    match txn {
        Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c) => tell(&c.path, c.data.as_deref()),
        Txn::SetData { path, data, .. } => tell(path, data.as_deref()),
        Txn::Delete { path } => tell(path, None),
        Txn::CloseSession { paths } => paths.iter().flatten().for_each(|path| tell(path, None)),
        Txn::Multi(parts) if !parts.iter().any(|part| matches!(part.txn, Txn::Error { .. })) => {
            parts.iter().for_each(|part| written(shared, &part.txn));
        }
        Txn::Multi(_)
        | Txn::CreateSession { .. }
        | Txn::SetAcl { .. }
        | Txn::Check { .. }
        | Txn::Error { .. } => {}
    }
}

/// Enters a session's begin or end into the table of committed sessions.
fn note_session(store: &mut Store, record: &Record) {
    let id = record.header.client_id;
    match record.txn {
        Txn::CreateSession { timeout } => {
            store.sessions.insert(id, timeout);
        }
        Txn::CloseSession { .. } => {
            store.sessions.remove(&id);
        }
        _ => {}
    }
}
