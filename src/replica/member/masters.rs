//! Whom an observer connects to: followers that serve observers, one after the other, or the leader.
//!
//! # Invariants
//!
//! * Every follower with a vote is tried once, in an order of chance, before one is tried again; then the leader is, as
//!   nobody may serve observers but it.
//! * Who is no member with a vote any more is not tried.

use super::Member;
use crate::types::ServerId;
use std::collections::VecDeque;
use std::time::Duration;

/// Members that are still to be tried.
#[derive(Debug, Default)]
pub(super) struct Masters {
    left: VecDeque<ServerId>,
}

impl Member {
    /// Whom to connect to, and how long to wait before: everybody was tried, so that it is the same ones again.
    pub(super) fn next_master(&mut self, leader: ServerId) -> (ServerId, Duration) {
        let millis = u64::try_from(self.config.reconnect_delay.as_millis()).unwrap_or(u64::MAX);
        if !self.config.relays {
            return (leader, Duration::from_millis(self.draw(millis)));
        }
        let quorum = self.membership.active().clone();
        self.masters.left.retain(|id| quorum.votes(*id));
        let mut pause = 0;
        if self.masters.left.is_empty() {
            pause = self.draw(millis);
            let mut followers: Vec<ServerId> =
                quorum.voters().iter().copied().filter(|id| *id != leader).collect();
            for end in (1..followers.len()).rev() {
                let at = self.draw(end as u64 + 1);
                followers.swap(end, usize::try_from(at).unwrap_or_default());
            }
            self.masters.left = followers.into_iter().chain([leader]).collect();
        }
        let next = self.masters.left.pop_front().unwrap_or(leader);
        (next, Duration::from_millis(pause))
    }
}
