//! What others are told of a member: front, four-letter words, metrics, `oxkeeper transfer`.
//!
//! # Invariants
//!
//! * Clients are served only between a role change that says so and the next one.
//! * The core writes, everybody else reads; nobody waits for the core.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use crate::admin::Mode;
use crate::config::quorum::Ensemble;
use crate::os::clock;
use crate::replica::member::{MemberStatus, Role, RoleChange};
use crate::types::{Instant, ServerId, Zxid};

/// The role as it was reported last.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleNow {
    /// What the member does.
    pub role: Role,
    /// Whom it follows, or itself.
    pub leader: Option<ServerId>,
    /// The leader's epoch.
    pub epoch: u32,
    /// Since when.
    pub since: Instant,
}

/// A learner of this leader that has been told to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerNow {
    /// Who it is.
    pub server: ServerId,
    /// Does it follow without a vote of its own accord?
    pub observer: bool,
    /// The last transaction that it has acknowledged.
    pub acked: Zxid,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Packets that came from it.
    pub received: u64,
    /// Packets that were sent to it.
    pub sent: u64,
}

/// A member's face.
#[derive(Debug)]
pub struct Face {
    /// Who this is.
    pub me: ServerId,
    serving: AtomicBool,
    role: Mutex<RoleNow>,
    status: Mutex<Option<MemberStatus>>,
    ensemble: Mutex<Arc<Ensemble>>,
    /// Learners of this leader.
    learners: Mutex<Vec<LearnerNow>>,
    /// Who waits for the outcome of a hand-over.
    waiting: Mutex<Vec<Sender<Outcome>>>,
}

/// Is the leadership handed over, or why not?
pub type Outcome = Result<(), String>;

impl Face {
    /// A member that looks for a leader.
    pub fn new(me: ServerId, ensemble: &Ensemble) -> Face {
        let role = RoleNow { role: Role::Looking, leader: None, epoch: 0, since: clock::mono() };
        Face {
            me,
            serving: AtomicBool::new(false),
            role: Mutex::new(role),
            status: Mutex::default(),
            ensemble: Mutex::new(Arc::new(ensemble.clone())),
            learners: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// The role changed.
    pub fn role_is(&self, change: &RoleChange) {
        let mut role = self.role.lock();
        // A role that begins to serve is still the same role.
        let since = if role.role == change.role { role.since } else { clock::mono() };
        *role = RoleNow { role: change.role, leader: change.leader, epoch: change.epoch, since };
        self.serving.store(change.serving, Ordering::Release);
    }

    /// Figures of the member, after a batch.
    pub fn status_is(&self, status: MemberStatus) {
        *self.status.lock() = Some(status);
    }

    /// A configuration came into force.
    pub fn ensemble_is(&self, ensemble: &Ensemble) {
        *self.ensemble.lock() = Arc::new(ensemble.clone());
    }

    /// Learners of this leader; none where it does not lead.
    pub fn learners_are(&self, learners: Vec<LearnerNow>) {
        *self.learners.lock() = learners;
    }

    /// Where the outcome of the next hand-over will be told. It is asked for before the hand-over.
    pub fn outcome(&self) -> Receiver<Outcome> {
        let (told, outcome) = channel();
        self.waiting.lock().push(told);
        outcome
    }

    /// A hand-over came to its end.
    pub fn handed_over(&self, outcome: &Outcome) {
        for told in self.waiting.lock().drain(..) {
            // Who asked may have given up.
            let _ = told.send(outcome.clone());
        }
    }

    /// Are clients served?
    #[inline]
    pub fn serves(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }

    /// The role.
    pub fn role(&self) -> RoleNow {
        self.role.lock().clone()
    }

    /// The figures; `None` before the first batch.
    pub fn status(&self) -> Option<MemberStatus> {
        *self.status.lock()
    }

    /// The configuration in force, as `conf` prints it.
    pub fn membership(&self) -> String {
        self.ensemble().to_string()
    }

    /// The configuration in force.
    pub fn ensemble(&self) -> Arc<Ensemble> {
        Arc::clone(&self.ensemble.lock())
    }

    /// Learners of this leader, as of a moment ago.
    pub fn learners(&self) -> Vec<LearnerNow> {
        self.learners.lock().clone()
    }

    /// The word of `srvr` for the role; serving without a leader is read-only.
    pub fn mode(&self) -> Mode {
        match self.role().role {
            Role::Leading => Mode::Leader,
            Role::Following => Mode::Follower,
            Role::Observing => Mode::Observer,
            Role::Looking | Role::Out => Mode::ReadOnly,
        }
    }

    /// `zk_peer_state`: what the member does, and how far it is (`QuorumPeer.getDetailedState`).
    pub fn peer_state(&self) -> String {
        let role = match self.role().role {
            Role::Looking | Role::Out => "looking",
            Role::Leading => "leading",
            Role::Following => "following",
            Role::Observing => "observing",
        };
        format!("{role} - {}", self.status().map_or("election", |status| status.phase))
    }
}
