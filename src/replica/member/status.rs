//! What a member says of itself: for status, metrics and four-letter words.
//!
//! # Invariants
//!
//! * Cheap enough to be read once a batch.

use super::{Member, Phase, Role};
use crate::types::{LinkId, ServerId, Zxid};

/// How a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberStatus {
    /// What it does.
    pub role: Role,
    /// Whom it follows, or itself.
    pub leader: Option<ServerId>,
    /// Whom a learner is connected to: its leader, or for an observer perhaps a follower.
    pub master: Option<ServerId>,
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
    /// Observers that have been told to serve (leader, and followers with `observerMasterPort`).
    pub synced_observers: usize,
    /// Does it serve observers in the leader's place (follower)?
    pub serves_observers: bool,
    /// Syncs of learners that wait for a commit (leader).
    pub pending_syncs: usize,
    /// Members with a vote.
    pub quorum_size: usize,
}

impl Member {
    /// Learners that have been told to serve, while it leads: link, server, whether it observes, what it has
    /// acknowledged.
    pub fn learners(&self) -> Vec<(LinkId, ServerId, bool, Zxid)> {
        match &self.phase {
            Phase::Leading(leader) => leader.learners().collect(),
            _ => Vec::new(),
        }
    }

    /// How it stands.
    pub fn status(&self) -> MemberStatus {
        let mut status = MemberStatus {
            role: self.role(),
            leader: None,
            master: None,
            epoch: *self.promises.current.get(),
            phase: "election",
            learners: 0,
            synced_followers: 0,
            synced_non_voting: 0,
            synced_observers: 0,
            serves_observers: false,
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
                (status.leader, status.master) = (Some(l.leader), Some(l.master));
                status.serves_observers = l.learner.serves_observers();
                status.synced_observers = l.learner.synced_observers();
                status.epoch = status.epoch.max(l.learner.epoch());
                status.phase = l.learner.phase_name();
            }
            _ => {}
        }
        status
    }
}
