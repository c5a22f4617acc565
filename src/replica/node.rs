//! The node: inputs in, transactions to the log, committed transactions to the tree, replies out.
//!
//! # Invariants
//!
//! * Zxids are handed out in the order of admission and appended in that order.
//! * `committed` only grows within a role: on a standalone server by a [`Durable`] of its own, in
//!   an ensemble by the word of whoever counts the proofs of a quorum.
//! * What a request may do depends on the node's [`Role`] alone, never on what it was before.

use super::arena::Arena;
use super::changes::Outstanding;
use super::config::ReplicaConfig;
use super::conn::{Conn, Phase};
use super::expiry::Reaper;
use super::observe::{Event, Observe, Round};
use super::pipeline::{Pipeline, Request, Source};
use super::quarantine::Trust;
use super::role::Role;
use super::shared::{Shared, Store};
use super::spare::Spare;
use super::watches::Delivery;
use crate::auth::Identities;
use crate::disk::Durable;
use crate::proto::ConnectRequest;
use crate::session::{IdSource, Tracker};
use crate::tree::Tree;
use crate::types::{Instant, Now, ServerId, SessionId, Zxid};
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
    pub(super) role: Role,
    pub(super) ids: IdSource,
    /// Which connection holds a session.
    pub(super) holders: HashMap<SessionId, Arc<Conn>>,
    pub(super) reaper: Reaper,
    pub(super) outstanding: Outstanding,
    pub(super) pipeline: Pipeline,
    pub(super) last_proposed: Zxid,
    pub(super) committed: Zxid,
    pub(super) storage: StorageState,
    pub(super) appends: Vec<Proposal>,
    /// Entries of the log on their way.
    pub(super) arena: Arena,
    /// Memory of transactions that are over.
    pub(super) spare: Spare,
    pub(super) touched: Vec<Arc<Conn>>,
    pub(super) delivery: Delivery,
    pub(super) trust: Trust,
    pub(super) nobody: Identities,
    /// Everything committed up to here is worked off.
    pub(super) worked_off: Zxid,
    /// What the round under way has done.
    pub(super) round: Round,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("role", &self.role.name())
            .field("last_proposed", &self.last_proposed)
            .field("committed", &self.committed)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A standalone node that continues from what recovery found. Every recovered session gets a
    /// full time-out; ephemerals without a session go, as ZooKeeper does at start.
    pub fn new(config: ReplicaConfig, recovered: Recovered, now: Now, observer: Arc<dyn Observe>) -> Node {
        let Recovered { mut tree, sessions } = recovered;
        for orphan in orphans(&tree, &sessions) {
            tree.kill_session_directly(orphan);
        }
        let mut tracker = Tracker::new(config.tick, now.mono);
        for (id, timeout) in &sessions {
            tracker.track(SessionId(*id), (*timeout).max(0) as u32, now.mono);
        }
        Node::with(config, Recovered { tree, sessions }, tracker, Role::Alone, now, observer)
    }

    /// A member of an ensemble, which looks for a leader and serves nobody yet. Its state is what
    /// recovery found, unchanged: only transactions change it.
    pub fn member(config: ReplicaConfig, recovered: Recovered, now: Now, observer: Arc<dyn Observe>) -> Node {
        let tracker = Tracker::new(config.tick, now.mono);
        Node::with(config, recovered, tracker, Role::Looking, now, observer)
    }

    fn with(
        config: ReplicaConfig,
        recovered: Recovered,
        tracker: Tracker,
        role: Role,
        now: Now,
        observer: Arc<dyn Observe>,
    ) -> Node {
        let Recovered { tree, sessions } = recovered;
        let last = tree.last_zxid();
        let outstanding = Outstanding::new(&tree, config.tree.digest);
        let ids = IdSource::new(config.server_id, now.wall_ms);
        let reaper = Reaper::new(now.mono, config.container_interval);
        Node {
            shared: Arc::new(Shared::new(config, Store { tree, sessions }, tracker, observer)),
            role,
            ids,
            holders: HashMap::new(),
            reaper,
            outstanding,
            pipeline: Pipeline::default(),
            last_proposed: last,
            committed: last,
            storage: StorageState::Good,
            appends: Vec::new(),
            arena: Arena::new(),
            spare: Spare::default(),
            touched: Vec::new(),
            delivery: Delivery::default(),
            trust: Trust::default(),
            nobody: Arc::from([]),
            worked_off: last,
            round: Round::default(),
        }
    }

    /// What connection tasks share with the node.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Tells the observer.
    pub(super) fn note(&self, event: &Event<'_>) {
        self.shared.note(event);
    }

    /// Takes one input. Afterwards the edge drains [`Node::take_appends`] and [`Node::take_touched`],
    /// and on a learner [`Node::take_to_leader`].
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Connect { conn, request } => self.connect(conn, &request, now),
            Input::Request(request) => match &self.role {
                Role::Alone => self.request(request, now),
                // Let go with an earlier role, or since its session moved: its client asks again
                // where it is now, and what it asked here must not come behind that.
                _ if request.conn.phase() == Phase::Closed => self.finish_flight(&request.conn),
                Role::Leading(_) => self.request(request, now),
                Role::Learning(_) => self.learner_request(request, now),
                Role::ReadOnly => self.read_only_request(request, now),
                Role::Looking => self.finish_flight(&request.conn),
            },
            Input::Gone { conn } => self.gone(&conn, now),
            Input::CloseSession(id) => self.end_session(id, now),
        }
    }

    /// Ends a session that its client does not end itself.
    fn end_session(&mut self, id: SessionId, now: Now) {
        if self.end_local(id) {
            return;
        }
        match &self.role {
            Role::Alone | Role::Leading(_) => self.close_session(id, 0, Source::Own, None, now),
            Role::Learning(_) => self.forward_close(id),
            Role::Looking | Role::ReadOnly => {}
        }
    }

    /// Moves the log entries made since the last call behind `into`.
    pub fn take_appends(&mut self, into: &mut Vec<Proposal>) {
        into.append(&mut self.appends);
    }

    /// Everything up to here is durable on this server. A standalone one commits by it; a member
    /// commits by [`Node::handle_committed`] alone.
    pub fn handle_durable(&mut self, upto: &Durable<Zxid>, now: Now) {
        if matches!(self.role, Role::Alone) {
            self.committed = self.committed.max(*upto.get());
            self.advance(now);
        }
    }

    /// Everything up to here is durable on this member, and can be acknowledged. What that is worth the
    /// protocol decides; here it is measured.
    pub fn handle_logged(&mut self, upto: &Durable<Zxid>, now: Now) {
        let shared = &self.shared;
        self.pipeline.logged(*upto.get(), now.mono, |header| {
            shared.note(&Event::Logged { age_ms: now.wall_ms - header.time });
        });
    }

    /// A member holds everything up to `upto` durably, and held everything up to `before`. One proposal
    /// of many is measured (`leader.ackLoggingFrequency`), if it is not committed.
    pub fn handle_acknowledged(&self, server: ServerId, before: Zxid, upto: Zxid, now: Now) {
        let Some(every) = self.shared.config.ack_every.map(i64::from).filter(|n| *n > 0) else { return };
        let sample = Zxid(upto.0 - upto.0.rem_euclid(every));
        if sample > before
            && let Some(header) = self.pipeline.header(sample)
        {
            self.shared.note(&Event::Acknowledged { server, age_ms: now.wall_ms - header.time });
        }
    }

    /// Everything up to here is committed by a quorum: it is applied, and whoever waits is answered.
    /// Ignored outside of a role that commits.
    pub fn handle_committed(&mut self, upto: Zxid, now: Now) {
        if matches!(self.role, Role::Leading(_) | Role::Learning(_)) {
            self.committed = self.committed.max(upto);
            self.advance(now);
        }
    }

    /// The storage's state changed.
    pub fn handle_storage(&mut self, state: StorageState) {
        self.storage = state;
    }

    pub(super) fn finish_flight(&mut self, conn: &Arc<Conn>) {
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
            if let Role::Learning(learning) = &mut self.role {
                learning.parts(conn);
            }
            if conn.is_turned_away() {
                self.end_session(id, now);
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

    /// Session expiry, containers, TTLs: whatever the node's role makes it responsible for.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.storage == StorageState::Failed || matches!(self.role, Role::Looking) {
            return;
        }
        self.expire_sessions(now);
        if matches!(self.role, Role::Alone | Role::Leading(_)) {
            self.reap(now);
        }
    }

    /// When to call [`Node::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Instant {
        let sessions = || self.shared.sessions.lock().next_look();
        match &self.role {
            Role::Alone | Role::Leading(_) => sessions().min(self.reaper.next()),
            Role::Learning(_) | Role::ReadOnly => sessions(),
            Role::Looking => Instant(u64::MAX),
        }
    }

    /// Transactions that are admitted and not yet applied.
    pub fn under_way(&self) -> usize {
        self.pipeline.transactions()
    }

    /// Requests and transactions of its own that it has and has not worked off.
    pub fn in_process(&self) -> usize {
        let waiting = if let Role::Learning(learning) = &self.role { learning.waiting() } else { 0 };
        self.pipeline.len() + waiting
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

/// Owners of ephemerals that no session table knows, in order.
pub(super) fn orphans(tree: &Tree, sessions: &HashMap<i64, i32>) -> Vec<i64> {
    let mut orphans: Vec<i64> = tree.ephemeral_sessions().filter(|id| !sessions.contains_key(id)).collect();
    orphans.sort_unstable();
    orphans
}
