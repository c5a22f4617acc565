//! Metrics of a member's part in its ensemble: elections, syncs, proposals, commits.
//!
//! # Invariants
//!
//! * What is counted here happened at this member; what a leader counts of its learners is what it
//!   sent them.
//! * Times are those of the monotonic clock, in milliseconds.

use std::sync::Arc;

use crate::metrics::Metrics;
use crate::peer::PacketKind;
use crate::replica::member::{Role, RoleChange};
use crate::types::{Instant, Zxid};

/// Counts what passes between a member and the world.
pub struct Figures {
    metrics: Arc<Metrics>,
    role: Role,
    /// Since when nobody is served.
    away: Option<Instant>,
    /// Since when a leader is looked for.
    looking: Option<Instant>,
    /// Since when the present leader's history is learned, or its followers are waited for.
    syncing: Option<Instant>,
    /// The last commit that was counted.
    committed: Zxid,
}

impl Figures {
    /// A member that begins to look for a leader.
    pub fn new(metrics: Arc<Metrics>, now: Instant) -> Figures {
        metrics.looking_count.inc();
        let (away, looking) = (Some(now), Some(now));
        Figures { metrics, role: Role::Looking, away, looking, syncing: None, committed: Zxid::ZERO }
    }

    /// The role changed, or its service began.
    pub fn role(&mut self, change: &RoleChange, now: Instant) {
        let took = |since: Option<Instant>| since.map(|since| (now - since).as_millis() as u64);
        let metrics = &self.metrics;
        self.role = change.role;
        match change.role {
            Role::Out => (self.away, self.looking, self.syncing) = (None, None, None),
            Role::Looking => {
                // A read-only server's begin is no new election.
                if self.looking.is_none() {
                    metrics.looking_count.inc();
                    (self.looking, self.syncing) = (Some(now), None);
                    self.away = self.away.or(Some(now));
                }
            }
            _ if !change.serving => {
                if let Some(ms) = took(self.looking.take()) {
                    metrics.election_time.record_ms(ms);
                    self.syncing = Some(now);
                }
            }
            role => {
                if let Some(ms) = took(self.syncing.take()) {
                    match role {
                        Role::Following => metrics.follower_sync_time.record_ms(ms),
                        Role::Observing => metrics.observer_sync_time.record_ms(ms),
                        _ => {}
                    }
                }
                if let Some(ms) = took(self.away.take()) {
                    metrics.unavailable_time.record_ms(ms);
                    if role == Role::Leading {
                        metrics.leader_unavailable_time.record_ms(ms);
                    }
                }
            }
        }
    }

    /// A packet of the leader, or of a learner, is handled.
    #[inline]
    pub fn received(&self, kind: PacketKind) {
        match (self.role, kind) {
            (Role::Following, PacketKind::Proposal) => self.metrics.learner_proposal_received_count.inc(),
            (Role::Following, PacketKind::Commit) | (Role::Observing, PacketKind::Inform) => {
                self.metrics.learner_commit_received_count.inc();
            }
            (Role::Leading, PacketKind::Revalidate) => self.metrics.revalidate_count.inc(),
            _ => {}
        }
    }

    /// A transaction of so many bytes goes to the log: a proposal, where this member leads.
    #[inline]
    pub fn logged(&self, bytes: usize) {
        if self.role == Role::Leading {
            self.metrics.proposal_count.inc();
            self.metrics.stats.proposals.record(bytes);
        }
    }

    /// Everything up to here is committed.
    #[inline]
    pub fn committed(&mut self, upto: Zxid) {
        if self.role == Role::Leading && upto.epoch() == self.committed.epoch() {
            let more = upto.counter().saturating_sub(self.committed.counter());
            if more > 0 {
                self.metrics.commit_count.add(u64::from(more));
            }
        }
        self.committed = upto;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ServerId;

    fn change(role: Role, serving: bool) -> RoleChange {
        RoleChange { role, leader: Some(ServerId(1)), epoch: 1, serving, why: String::new() }
    }

    #[test]
    fn an_election_and_a_sync_are_timed_once() {
        let metrics = Arc::new(Metrics::default());
        let at = Instant::from_millis;
        let mut figures = Figures::new(metrics.clone(), at(0));
        figures.role(&change(Role::Looking, true), at(100));
        figures.role(&change(Role::Following, false), at(300));
        figures.role(&change(Role::Following, true), at(350));
        figures.received(PacketKind::Proposal);
        figures.received(PacketKind::Commit);
        figures.received(PacketKind::Inform);
        figures.logged(10);
        assert_eq!(metrics.looking_count.get(), 1);
        assert_eq!(metrics.learner_proposal_received_count.get(), 1);
        assert_eq!(metrics.learner_commit_received_count.get(), 1);
        assert_eq!(metrics.proposal_count.get(), 0, "it follows");
        figures.role(&change(Role::Looking, false), at(400));
        assert_eq!(metrics.looking_count.get(), 2);
    }

    #[test]
    fn a_leader_counts_its_proposals_and_commits() {
        let metrics = Arc::new(Metrics::default());
        let mut figures = Figures::new(metrics.clone(), Instant::from_millis(0));
        figures.role(&change(Role::Leading, false), Instant::from_millis(5));
        figures.role(&change(Role::Leading, true), Instant::from_millis(6));
        figures.logged(40);
        figures.committed(Zxid::new(2, 0));
        figures.committed(Zxid::new(2, 3));
        figures.committed(Zxid::new(2, 3));
        assert_eq!((metrics.proposal_count.get(), metrics.commit_count.get()), (1, 3));
        assert_eq!(metrics.stats.proposals.read().last, 40);
    }
}
