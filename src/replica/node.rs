//! The node: inputs in, transactions to the log, committed transactions to the tree, replies out.
//!
//! # Invariants
//!
//! * Zxids are handed out in the order of admission and appended in that order.
//! * `committed` only grows, and only by a [`Durable`]: with one voter, what is durable here
//!   is committed. (With more voters the proposer decides, from the same proofs of a quorum.)
//! * While the store is held for writing, at most [`APPLY_BATCH`] entries are worked off.

use super::admit::{Admission, Admitted};
use super::audit;
use super::changes::Outstanding;
use super::config::ReplicaConfig;
use super::conn::{Conn, Phase};
use super::expiry::Reaper;
use super::observe::{Event, Observe, SessionEvent};
use super::pipeline::{Asked, Entry, Origin, Pending, Pipeline, Request};
use super::read::{self, Ask, Holder};
use super::reply;
use super::shared::{Shared, Store};
use super::watches::Delivery;
use crate::auth::Identities;
use crate::disk::Durable;
use crate::error::Code;
use crate::limits::APPLY_BATCH;
use crate::proto::{ConnectRequest, OpCode, error_reply};
use crate::session::{IdSource, Tracker};
use crate::tree::{Changes, Tree};
use crate::txn::{Record, Txn};
use crate::types::stages::StageTimes;
use crate::types::{Instant, Now, SessionId, Zxid, mutant};
use crate::zab::Proposal;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the edge tells the node.
#[derive(Debug)]
pub enum Input {
    /// A connection's first frame.
    Connect {
        /// The connection.
        conn: Arc<Conn>,
        /// What it asks.
        request: ConnectRequest,
    },
    /// A request that could not be answered where it came in.
    Request(Request),
    /// The connection's socket is closed: nothing more will come from it.
    Gone {
        /// The connection.
        conn: Arc<Conn>,
    },
    /// End a session, as an operator asks.
    CloseSession(SessionId),
}

/// What recovery found on the disk.
#[derive(Debug)]
pub struct Recovered {
    /// The tree after the last durable transaction.
    pub tree: Tree,
    /// Sessions that were open, and their time-outs, ms.
    pub sessions: HashMap<i64, i32>,
}

/// How the storage is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageState {
    /// All is well.
    Good,
    /// Room is short: nothing may grow, deletes and closes go on.
    Full,
    /// A write or a sync failed: nothing can be promised any more.
    Failed,
}

/// One member of the ensemble, as a pure state machine.
pub struct Node {
    pub(super) shared: Arc<Shared>,
    pub(super) ids: IdSource,
    /// Which connection holds a session.
    pub(super) holders: HashMap<SessionId, Arc<Conn>>,
    pub(super) reaper: Reaper,
    outstanding: Outstanding,
    pipeline: Pipeline,
    last_proposed: Zxid,
    committed: Zxid,
    storage: StorageState,
    appends: Vec<Proposal>,
    touched: Vec<Arc<Conn>>,
    delivery: Delivery,
    nobody: Identities,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("last_proposed", &self.last_proposed)
            .field("committed", &self.committed)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A node that continues from what recovery found. Every recovered session gets a full
    /// time-out; ephemerals without a session go, as ZooKeeper does at start.
    pub fn new(config: ReplicaConfig, recovered: Recovered, now: Now, observer: Arc<dyn Observe>) -> Node {
        let Recovered { mut tree, sessions } = recovered;
        for orphan in orphans(&tree, &sessions) {
            tree.kill_session_directly(orphan);
        }
        let mut tracker = Tracker::new(config.tick, now.mono);
        for (id, timeout) in &sessions {
            tracker.track(SessionId(*id), (*timeout).max(0) as u32, now.mono);
        }
        let last = tree.last_zxid();
        let outstanding = Outstanding::new(&tree, config.tree.digest);
        let ids = IdSource::new(config.server_id, now.wall_ms);
        let reaper = Reaper::new(now.mono, config.container_interval);
        Node {
            shared: Arc::new(Shared::new(config, Store { tree, sessions }, tracker, observer)),
            ids,
            holders: HashMap::new(),
            reaper,
            outstanding,
            pipeline: Pipeline::default(),
            last_proposed: last,
            committed: last,
            storage: StorageState::Good,
            appends: Vec::new(),
            touched: Vec::new(),
            delivery: Delivery::default(),
            nobody: Arc::from([]),
        }
    }

    /// What connection tasks share with the node.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Takes one input. Afterwards the edge drains [`Node::take_appends`] and [`Node::take_touched`].
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Connect { conn, request } => self.connect(conn, &request, now),
            Input::Request(request) => self.request(request, now),
            Input::Gone { conn } => self.gone(&conn, now),
            Input::CloseSession(id) => self.close_session(id, None, now),
        }
    }

    fn request(&mut self, request: Request, now: Now) {
        let refused = match request.op {
            None => Some(Code::Unimplemented),
            Some(_) if request.throttled => Some(Code::ThrottledOp),
            Some(op) if !op.is_ordered() || op == OpCode::Sync => {
                let entry = match read::is_closing(&request.conn) {
                    true => Entry::Refused(request, Code::SessionExpired),
                    false => Entry::Read(request),
                };
                self.queue(entry, now);
                return;
            }
            Some(_) if self.storage == StorageState::Failed => Some(Code::SystemError),
            Some(_) => None,
        };
        match (refused, request.op) {
            (Some(code), _) => self.queue(Entry::Refused(request, code), now),
            (None, Some(OpCode::CloseSession)) => {
                let id = request.conn.session_id();
                let (conn, xid) = (request.conn.clone(), request.xid);
                let origin = Origin { conn, xid, op: OpCode::CloseSession, asked: None };
                self.close_session(id, Some((origin, request.received)), now);
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
        let identities = request.identities.clone();
        let admitted = self.with_admission_as(session, request.xid, &identities, now, |admission| {
            admission.admit(op, &request.record)
        });
        match admitted {
            Admitted::Refused(code) => self.queue(Entry::Refused(request, code), now),
            Admitted::Txn(record) => {
                let asked = self.shared.audited().then_some(Asked { record: request.record, identities });
                let origin = Origin { conn: request.conn, xid: request.xid, op, asked };
                self.propose(record, Some((origin, request.received)), now);
            }
        }
    }

    /// Makes a transaction of the server's own, or of session life.
    pub(super) fn admit_own(
        &mut self,
        session: SessionId,
        kind: i32,
        txn: Txn,
        origin: Option<Origin>,
        now: Now,
    ) {
        if let Some(o) = &origin {
            o.conn.begin_flight();
            self.shared.outstanding.fetch_add(1, Ordering::Relaxed);
        }
        let record = self.with_admission(session, 0, now, |admission| admission.admit_own(kind, txn));
        self.propose(record, origin.map(|o| (o, now.mono)), now);
    }

    pub(super) fn close_session(&mut self, id: SessionId, origin: Option<(Origin, Instant)>, now: Now) {
        let xid = origin.as_ref().map_or(0, |(o, _)| o.xid);
        let record = self.with_admission(id, xid, now, |admission| {
            let part = admission.close_session();
            admission.admit_own(part.kind, part.txn)
        });
        self.propose(record, origin, now);
    }

    pub(super) fn with_admission<R>(
        &mut self,
        session: SessionId,
        xid: i32,
        now: Now,
        make: impl FnOnce(&mut Admission<'_>) -> R,
    ) -> R {
        let nobody = self.nobody.clone();
        self.with_admission_as(session, xid, &nobody, now, make)
    }

    fn with_admission_as<R>(
        &mut self,
        session: SessionId,
        xid: i32,
        identities: &Identities,
        now: Now,
        make: impl FnOnce(&mut Admission<'_>) -> R,
    ) -> R {
        let shared = self.shared.clone();
        let store = shared.store();
        let mut sessions = shared.sessions.lock();
        make(&mut Admission {
            config: &shared.config,
            store: &store,
            sessions: &mut sessions,
            outstanding: &mut self.outstanding,
            session,
            identities,
            xid,
            zxid: Zxid(self.last_proposed.0 + 1),
            wall_ms: now.wall_ms,
            growth: self.storage == StorageState::Good,
        })
    }

    /// Puts a transaction under way: to the log, and into the order of replies.
    pub(super) fn propose(&mut self, record: Record, origin: Option<(Origin, Instant)>, now: Now) {
        let zxid = record.header.zxid;
        self.last_proposed = zxid;
        self.appends.push(Proposal { zxid, bytes: record.to_bytes().into() });
        let (origin, received) = match origin {
            Some((o, received)) => (Some(o), received),
            None => (None, now.mono),
        };
        let stages = StageTimes { received, admitted: now.mono, ..Default::default() };
        self.pipeline.push(Entry::Txn(Box::new(Pending { record, origin, stages })));
        self.shared.note(&Event::Admitted { zxid, under_way: self.pipeline.transactions() });
        if mutant::on("reply-before-sync") {
            self.committed = zxid;
            self.advance(now);
        }
    }

    /// Moves the log entries made since the last call behind `into`.
    pub fn take_appends(&mut self, into: &mut Vec<Proposal>) {
        into.append(&mut self.appends);
    }

    /// Everything up to here is durable: with one voter, committed.
    pub fn handle_durable(&mut self, upto: &Durable<Zxid>, now: Now) {
        self.committed = self.committed.max(*upto.get());
        self.advance(now);
    }

    /// The storage's state changed.
    pub fn handle_storage(&mut self, state: StorageState) {
        self.storage = state;
    }

    /// Works off everything that may leave.
    fn advance(&mut self, now: Now) {
        let shared = self.shared.clone();
        loop {
            let mut store = shared.store.write();
            for _ in 0..APPLY_BATCH {
                match self.pipeline.pop_ready(self.committed) {
                    None => return,
                    Some(Entry::Txn(pending)) => self.apply(&shared, &mut store, *pending, now),
                    Some(Entry::Read(request)) => self.read(&shared, &store, &request, now),
                    Some(Entry::Refused(request, code)) => self.refuse(&store, &request, code, now),
                }
            }
        }
    }

    fn apply(&mut self, shared: &Shared, store: &mut Store, mut pending: Pending, now: Now) {
        let header = pending.record.header;
        let mut changes = Changes::default();
        let acl_before =
            if shared.audited() { audit::acl_of(&store.tree, &pending.record.txn) } else { None };
        let applied = store.tree.apply(&header, &pending.record.txn, &mut changes);
        self.outstanding.applied(header.zxid);
        self.verify_digest(store, &pending.record);
        pending.stages.logged = now.mono;
        pending.stages.committed = now.mono;
        pending.stages.applied = now.mono;
        self.delivery.deliver(shared, &changes.0, &mut self.touched);
        if shared.audited() {
            audit::applied(shared, &pending, &applied, &changes.0, acl_before.as_deref());
        }
        self.session_effects(store, &pending);
        reply::reply(shared, store, &pending, &applied, now);
        if let Some(origin) = pending.origin {
            self.finish_flight(&origin.conn);
        }
    }

    /// A transaction's digest says what the tree must be now.
    fn verify_digest(&self, store: &Store, record: &Record) {
        let Some(d) = record.digest.filter(|d| d.version == crate::txn::DIGEST_VERSION) else { return };
        let found = store.tree.digest();
        if self.shared.config.tree.digest && found != d.digest {
            let zxid = record.header.zxid;
            self.shared.note(&Event::DigestMismatch { zxid, expected: d.digest, found });
        }
    }

    fn session_effects(&mut self, store: &mut Store, pending: &Pending) {
        let id = pending.record.header.client_id;
        match pending.record.txn {
            Txn::CreateSession { timeout } => {
                store.sessions.insert(id, timeout);
                let (id, what) = (SessionId(id), SessionEvent::Opened);
                let conn = pending.origin.as_ref().map(|origin| &*origin.conn);
                self.shared.note(&Event::Session { id, what, conn });
            }
            Txn::CloseSession { .. } => {
                store.sessions.remove(&id);
                self.shared.sessions.lock().remove(SessionId(id));
                let holder = self.holders.remove(&SessionId(id));
                if let Some(conn) = holder.filter(|_| pending.origin.is_none()) {
                    self.drop_conn(&conn, "its session ended");
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, shared: &Shared, store: &Store, request: &Request, now: Now) {
        if let Some(op) = request.op
            && request.conn.phase() == Phase::Established
        {
            let holder = Holder::Held(&request.identities);
            let (xid, received) = (request.xid, request.received);
            let ask = Ask { conn: &request.conn, xid, op, record: &request.record, holder, received };
            read::answer(shared, store, &ask, now.mono);
        }
        self.finish_flight(&request.conn);
    }

    fn refuse(&mut self, store: &Store, request: &Request, code: Code, now: Now) {
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

    fn finish_flight(&mut self, conn: &Arc<Conn>) {
        conn.end_flight();
        self.shared.outstanding.fetch_sub(1, Ordering::Relaxed);
        self.touch(conn);
    }

    fn gone(&mut self, conn: &Arc<Conn>, now: Now) {
        conn.set_phase(Phase::Closed);
        self.shared.conns.lock().remove(&conn.id);
        self.shared.watches.lock().remove_connection(conn.id);
        let id = conn.session_id();
        if self.holders.get(&id).is_some_and(|c| c.id == conn.id) {
            self.holders.remove(&id);
            if conn.is_turned_away() {
                self.close_session(id, None, now);
            }
        }
    }

    pub(super) fn drop_conn(&mut self, conn: &Arc<Conn>, why: &'static str) {
        self.shared.note(&Event::Dropped { conn, why });
        conn.close_after_flush();
        self.touch(conn);
    }

    /// Remembers to wake the connection's task once, at the end of the batch.
    pub(super) fn touch(&mut self, conn: &Arc<Conn>) {
        if conn.mark_touched() {
            self.touched.push(conn.clone());
        }
    }

    /// The connections to wake since the last call, each once.
    pub fn take_touched(&mut self, into: &mut Vec<Arc<Conn>>) {
        into.append(&mut self.touched);
    }

    /// Session expiry, containers, TTLs.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.storage == StorageState::Failed {
            return;
        }
        self.expire_sessions(now);
        self.reap(now);
    }

    /// When to call [`Node::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Instant {
        self.shared.sessions.lock().next_look().min(self.reaper.next())
    }

    /// Transactions that are admitted and not yet applied.
    pub fn under_way(&self) -> usize {
        self.pipeline.transactions()
    }

    /// Requests and transactions of its own that it has and has not worked off.
    pub fn in_process(&self) -> usize {
        self.pipeline.len()
    }

    /// A request is dropped in front of the node, and with it its connection: whoever
    /// pipelines must not see later replies without this one's.
    pub fn abandon(&mut self, request: Request) {
        self.drop_conn(&request.conn, "its request waited too long and was dropped");
        self.finish_flight(&request.conn);
    }

    /// Zxid of the last admitted transaction.
    pub fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }
}

/// Owners of ephemerals that no session table knows.
fn orphans(tree: &Tree, sessions: &HashMap<i64, i32>) -> Vec<i64> {
    tree.ephemeral_sessions().filter(|id| !sessions.contains_key(id)).collect()
}
