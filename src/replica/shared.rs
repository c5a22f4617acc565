//! What connection tasks and the core look at together.
//!
//! # Invariants
//!
//! * Lock order: store, connections, a connection's queue, watches; sessions stand alone.
//! * The store is written by the core alone.

use super::config::ReplicaConfig;
use super::conn::Conn;
use super::observe::{Event, Observe};
use crate::session::Tracker;
use crate::tree::Tree;
use crate::types::ConnId;
use crate::types::decision::Decision;
use crate::watch::Watches;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The replicated state: what a snapshot holds.
#[derive(Debug)]
pub struct Store {
    /// Znodes.
    pub tree: Tree,
    /// Committed sessions and their time-outs, ms.
    pub sessions: HashMap<i64, i32>,
}

/// The part of a node that many threads use at once.
pub struct Shared {
    pub(super) config: ReplicaConfig,
    pub(super) store: RwLock<Store>,
    pub(super) conns: Mutex<HashMap<ConnId, Arc<Conn>>>,
    pub(super) watches: Mutex<Watches>,
    pub(super) sessions: Mutex<Tracker>,
    /// Requests that the core has and has not answered (`outstanding_requests`).
    pub(super) outstanding: AtomicUsize,
    observer: Arc<dyn Observe>,
    /// Somebody wants decisions.
    audited: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        config: ReplicaConfig,
        store: Store,
        sessions: Tracker,
        observer: Arc<dyn Observe>,
    ) -> Shared {
        let watches = Watches::with_seed(config.tree.hash_seed);
        let audited = observer.audits();
        Shared {
            config,
            store: RwLock::new(store),
            conns: Mutex::default(),
            watches: Mutex::new(watches),
            sessions: Mutex::new(sessions),
            outstanding: AtomicUsize::new(0),
            observer,
            audited,
        }
    }

    /// The node's settings.
    pub fn config(&self) -> &ReplicaConfig {
        &self.config
    }

    /// The state, for as long as the guard lives: keep it short, applying waits for it.
    pub fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read()
    }

    /// The state for a change that is no transaction (beginning and ending a snapshot).
    pub fn store_mut(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write()
    }

    /// Runs `look` on the watch tables.
    pub fn with_watches<R>(&self, look: impl FnOnce(&Watches) -> R) -> R {
        look(&self.watches.lock())
    }

    /// Runs `look` on the session tracker.
    pub fn with_sessions<R>(&self, look: impl FnOnce(&Tracker) -> R) -> R {
        look(&self.sessions.lock())
    }

    /// Connections with a connect request behind them.
    pub fn connections(&self) -> Vec<Arc<Conn>> {
        self.conns.lock().values().cloned().collect()
    }

    /// Requests under way in the core.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, event: &Event<'_>) {
        self.observer.note(event);
    }

    /// Does anybody want [`Shared::decided`]?
    pub(super) fn audited(&self) -> bool {
        self.audited
    }

    pub(super) fn decided(&self, conn: Option<&Conn>, decision: &Decision<'_>) {
        self.observer.decided(conn, decision);
    }
}
