//! What a node is to its ensemble, and how that changes.
//!
//! # Invariants
//!
//! * Between two roles a node looks: it serves nobody, and [`Node::fast_forward`] makes its tree
//!   exactly what its log holds durably.
//! * No connection outlives a role, and no session that only this server knew.
//! * A role owns what only it needs; nothing of it is left when it ends.

use super::changes::Outstanding;
use super::expiry::Reaper;
use super::leading::Leading;
use super::learning::Learning;
use super::node::{Node, Recovered, orphans};
use super::pipeline::Source;
use super::quarantine::Trust;
use super::shared::Store;
use crate::session::Tracker;
use crate::tree::CONFIG_PATH;
use crate::types::{Now, SessionId, Zxid};

/// The roles.
#[derive(Debug)]
pub(super) enum Role {
    /// A standalone server: what is durable here is committed.
    Alone,
    /// No leader: nobody is served.
    Looking,
    /// No leader: clients that accept it are served reads.
    ReadOnly,
    /// Follower or observer: the leader decides.
    Learning(Box<Learning>),
    /// Decides for the ensemble; a quorum commits.
    Leading(Box<Leading>),
}

impl Role {
    /// Its name in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Role::Alone => "standalone",
            Role::Looking => "looking",
            Role::ReadOnly => "read-only",
            Role::Learning(_) => "learning",
            Role::Leading(_) => "leading",
        }
    }
}

impl Node {
    /// Leads `epoch`, whose quorum has this node's history: serves at once. Zxids count from 1, and
    /// every session gets a full fresh time-out, as the time that others kept is not known here.
    /// Ephemerals whose session nobody knows go by transactions, so that every member agrees.
    pub fn lead(&mut self, epoch: u32, now: Now) {
        self.begin(now);
        let first = Zxid::new(epoch, 0);
        let orphans = {
            let store = self.shared.store();
            assert!(store.tree.last_zxid() < first, "a new leader's epoch is behind its own history");
            let mut tracker = self.shared.sessions.lock();
            for (id, timeout) in &store.sessions {
                tracker.track(SessionId(*id), (*timeout).max(0) as u32, now.mono);
            }
            self.outstanding = Outstanding::new(&store.tree, self.shared.config.tree.digest);
            orphans(&store.tree, &store.sessions)
        };
        (self.last_proposed, self.committed, self.worked_off) = (first, first, first);
        self.reaper = Reaper::new(now.mono, self.shared.config.container_interval);
        self.role = Role::Leading(Box::default());
        self.trust.exact();
        for orphan in orphans {
            self.close_session(SessionId(orphan), 0, Source::Own, None, now);
        }
    }

    /// Learns from a leader: from now on proposals and commits are taken. Clients are served from
    /// [`Node::serve`] on.
    pub fn learn(&mut self, now: Now) {
        self.begin(now);
        self.role = Role::Learning(Box::new(Learning::new(now.mono)));
    }

    /// The leader says that this learner has what a quorum has: clients are served.
    pub fn serve(&mut self) {
        if let Role::Learning(learning) = &mut self.role {
            learning.serve();
            self.trust.exact();
        }
    }

    /// The role is over: nobody is served, every connection ends. What is under way is kept for
    /// [`Node::fast_forward`].
    pub fn look(&mut self, now: Now) {
        self.stop_serving("this server has lost its leader or its followers");
        self.appends.clear();
        self.role = Role::Looking;
        *self.shared.sessions.lock() = Tracker::new(self.shared.config.tick, now.mono);
    }

    /// Serves reads while there is no leader, to clients that accept it (`ReadOnlyZooKeeperServer`).
    pub fn read_only(&mut self, now: Now) {
        self.begin(now);
        self.role = Role::ReadOnly;
    }

    /// Another state takes the place of the present one: read from a snapshot of the leader, or from
    /// the disk after the log was cut. Nobody is served meanwhile; a learner goes on learning.
    pub fn replace(&mut self, recovered: Recovered, now: Now) {
        let learning = matches!(self.role, Role::Learning(_));
        self.begin(now);
        if learning {
            self.role = Role::Learning(Box::new(Learning::new(now.mono)));
        }
        let Recovered { tree, sessions } = recovered;
        self.outstanding = Outstanding::new(&tree, self.shared.config.tree.digest);
        (self.last_proposed, self.committed) = (tree.last_zxid(), tree.last_zxid());
        self.worked_off = self.committed;
        // Dropped behind the lock: freeing a large tree takes its time.
        let _before = std::mem::replace(&mut *self.shared.store_mut(), Store { tree, sessions });
        self.trust.replaced();
    }

    /// A standalone server's database is replaced by a restored one, which the disk has. Nothing is under way;
    /// every connection ends, every restored session gets a full time-out, and ephemerals without a session
    /// go, as at a start.
    pub fn restored(&mut self, recovered: Recovered, now: Now) {
        assert!(matches!(self.role, Role::Alone), "members take their state from their leader");
        self.stop_serving("the database was restored from a snapshot");
        self.appends.clear();
        self.pipeline.clear();
        let Recovered { mut tree, sessions } = recovered;
        for orphan in orphans(&tree, &sessions) {
            tree.kill_session_directly(orphan);
        }
        let mut tracker = Tracker::new(self.shared.config.tick, now.mono);
        for (id, timeout) in &sessions {
            tracker.track(SessionId(*id), (*timeout).max(0) as u32, now.mono);
        }
        self.outstanding = Outstanding::new(&tree, self.shared.config.tree.digest);
        (self.last_proposed, self.committed) = (tree.last_zxid(), tree.last_zxid());
        self.reaper = Reaper::new(now.mono, self.shared.config.container_interval);
        self.trust = Trust::default();
        *self.shared.sessions.lock() = tracker;
        // Dropped behind the lock: freeing a large tree takes its time.
        let _before = std::mem::replace(&mut *self.shared.store_mut(), Store { tree, sessions });
    }

    /// The configuration node says this, unless a transaction said something newer
    /// (`initConfigInZKDatabase`): members do so outside of the log, each for itself.
    pub fn install_config(&mut self, text: &str, version: Zxid) {
        let mut store = self.shared.store_mut();
        let Some(node) = store.tree.get(CONFIG_PATH) else {
            return store.tree.install_config(text.as_bytes(), version, 0);
        };
        let (stat, same) = (node.persisted(), node.data() == Some(text.as_bytes()));
        if !same && stat.mzxid <= version.0 {
            store.tree.install_config(text.as_bytes(), version, stat.mtime);
        }
    }

    /// The start of a role is a clean one, whatever was before.
    fn begin(&mut self, now: Now) {
        debug_assert!(!matches!(self.role, Role::Alone), "a standalone server has no other role");
        self.look(now);
        self.pipeline.clear();
    }

    /// Why this leader must not go on, if so: its owner ends its role.
    pub fn step_down(&self) -> Option<&'static str> {
        match &self.role {
            Role::Leading(_) if self.trust.is_lost() => Some("its tree differs from its own digests"),
            Role::Leading(leading) if leading.is_used_up() => {
                Some("the zxid counter of its epoch is used up; a new epoch begins")
            }
            _ => None,
        }
    }
}
