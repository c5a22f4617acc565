//! What a member says of itself: for status, metrics and four-letter words.
//!
//! # Invariants
//!
//! * Cheap enough to be read once a batch.

use super::{Member, Phase, Role};
use crate::types::ServerId;

/// How a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberStatus {
    /// What it does.
    pub role: Role,
    /// Whom it follows, or itself.
    pub leader: Option<ServerId>,
    /// The epoch that it takes part in; while looking the current one.
    pub epoch: u32,
    /// `election`, `discovery`, `synchronization` or `broadcast`, as ZooKeeper names them.
    pub phase: &'static str,
    /// Connections of learners (leader).
    pub learners: usize,
    /// Followers with a vote that have been told to serve (leader).
    pub synced_followers: usize,
    /// Followers without a vote that have been told to serve (leader).
    pub synced_non_voting: usize,
    /// Observers that have been told to serve (leader).
    pub synced_observers: usize,
    /// Syncs of learners that wait for a commit (leader).
    pub pending_syncs: usize,
    /// Members with a vote.
    pub quorum_size: usize,
}

impl Member {
    /// How it stands.
    pub fn status(&self) -> MemberStatus {
        let mut status = MemberStatus {
            role: self.role(),
            leader: None,
            epoch: *self.promises.current.get(),
            phase: "election",
            learners: 0,
            synced_followers: 0,
            synced_non_voting: 0,
            synced_observers: 0,
            pending_syncs: 0,
            quorum_size: self.membership.active().voters().len(),
        };
        match &self.phase {
            Phase::Leading(leader) => {
                (status.leader, status.epoch) = (Some(self.config.me), leader.epoch());
                status.phase = leader.phase_name();
                status.learners = leader.links().len();
                status.pending_syncs = leader.pending_syncs();
                for (_, server, observer, _) in leader.learners() {
                    let count = match (observer, self.membership.active().votes(server)) {
                        (true, _) => &mut status.synced_observers,
                        (false, true) => &mut status.synced_followers,
                        (false, false) => &mut status.synced_non_voting,
                    };
                    *count += 1;
                }
            }
            Phase::Learning(l) => {
                status.leader = Some(l.leader);
                status.epoch = status.epoch.max(l.learner.epoch());
                status.phase = l.learner.phase_name();
            }
            _ => {}
        }
        status
    }
}
