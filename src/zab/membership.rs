//! Which configurations a member knows, and what a new one means for it (`QuorumPeer`'s
//! `setLastSeenQuorumVerifier`, `processReconfig`; `Leader.getDesignatedLeader`).
//!
//! # Invariants
//!
//! * The active configuration only gets newer. A proposed one counts from the moment it is seen
//!   until it is active or a leader proposes another.
//! * Without `reconfigEnabled` nothing ever changes.
//! * The leader that a reconfiguration designates votes in the new configuration and has
//!   acknowledged the reconfiguration.

use super::quorum::{Quorum, Quorums};
use super::types::Vote;
use crate::config::quorum::{Ensemble, Role};
use crate::peer::PeerState;
use crate::types::{ServerId, Zxid};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The configurations that a member knows.
#[derive(Clone, Debug)]
pub struct Membership {
    me: ServerId,
    reconfig: bool,
    /// Observes, until a configuration that lists the member says otherwise.
    observer: bool,
    active: Arc<Quorum>,
    last_seen: Arc<Quorum>,
}

/// What an activated configuration means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Activated {
    /// The configuration is new here: it has to be written, and connections follow it.
    pub changed: bool,
    /// The member's role or its leader is another now: a learner leaves its leader.
    pub leave: bool,
    /// The role to take after that, without an election.
    pub next: Option<(PeerState, Vote)>,
}

impl Membership {
    /// What the configuration files of `me` say: the active configuration, and a proposed one
    /// that was not active when the member stopped. `observer` is `peerType`.
    pub fn new(
        me: ServerId,
        active: &Ensemble,
        last_seen: Option<&Ensemble>,
        reconfig: bool,
        observer: bool,
    ) -> Membership {
        let active = Arc::new(Quorum::new(active));
        let last_seen = last_seen.filter(|_| reconfig).map(|e| Arc::new(Quorum::new(e)));
        let last_seen = last_seen.unwrap_or_else(|| active.clone());
        let observer = active.observes(me) || (observer && !active.votes(me));
        Membership { me, reconfig, observer, active, last_seen }
    }

    /// What has to agree.
    pub fn quorums(&self) -> Quorums {
        Quorums::new(self.active.clone(), Some(self.last_seen.clone()))
    }

    /// The committed configuration.
    pub fn active(&self) -> &Arc<Quorum> {
        &self.active
    }

    /// The last proposed configuration, which may be the active one.
    pub fn last_seen(&self) -> &Arc<Quorum> {
        &self.last_seen
    }

    /// Does the member follow without a vote?
    pub fn observes(&self) -> bool {
        self.observer
    }

    /// Is a reconfiguration under way?
    pub fn is_pending(&self) -> bool {
        self.last_seen.version() != self.active.version()
    }

    /// A leader proposes this configuration, in a transaction or with NEWLEADER; true if it is
    /// another one than before, which has to be kept (`.dynamic.next`). An older one takes the
    /// place of a newer one, too: the leader does not know the newer one.
    pub fn seen(&mut self, ensemble: &Ensemble) -> bool {
        let quorum = Quorum::new(ensemble);
        if !self.reconfig || quorum.version() == self.last_seen.version() {
            return false;
        }
        self.last_seen = Arc::new(quorum);
        true
    }

    /// This configuration is committed. `led_by` is whom the member follows (or itself),
    /// `designated` whom the leader of the moment wants to lead from now on; `None` where nobody
    /// was asked (NEWLEADER with UPTODATE, notifications). `zxid` is the reconfiguration's.
    pub fn activate(
        &mut self,
        ensemble: &Ensemble,
        led_by: Option<ServerId>,
        designated: Option<ServerId>,
        zxid: Zxid,
    ) -> Activated {
        let quorum = Arc::new(Quorum::new(ensemble));
        if !self.reconfig || quorum.version() <= self.active.version() {
            return Activated::default();
        }
        let before = std::mem::replace(&mut self.active, quorum.clone());
        if quorum.version() > self.last_seen.version() {
            self.last_seen = quorum.clone();
        }
        let observer = quorum.observes(self.me);
        let part_changes = self.observer != observer;
        self.observer = observer;
        if same_members(&before, &quorum) {
            return Activated { changed: true, ..Activated::default() };
        }
        let Some(designated) = designated else {
            let moved = led_by.is_none_or(|leader| !same_place(&before, &quorum, leader));
            return Activated { changed: true, leave: part_changes || moved, next: None };
        };
        let leader_changes = led_by != Some(designated);
        let leave = part_changes || leader_changes;
        // Whom all of them now follow without having voted in a round.
        let vote = Vote { leader: designated, zxid, peer_epoch: -1, election_epoch: -1 };
        let next = leave.then(|| (self.state_under(designated), vote));
        Activated { changed: true, leave, next }
    }

    fn state_under(&self, leader: ServerId) -> PeerState {
        match self.observer {
            _ if leader == self.me => PeerState::Leading,
            true => PeerState::Observing,
            false => PeerState::Following,
        }
    }
}

/// Do both list the same, whatever their versions?
fn same_members(a: &Quorum, b: &Quorum) -> bool {
    let (a, b) = (a.ensemble(), b.ensemble());
    a.members == b.members && a.groups == b.groups && a.weights == b.weights
}

/// Does the member vote in both, at the same quorum addresses?
fn same_place(before: &Quorum, after: &Quorum, id: ServerId) -> bool {
    let places = addresses(before, id);
    !places.is_empty() && places == addresses(after, id)
}

/// Quorum addresses of a voter, sorted; none of others.
fn addresses(quorum: &Quorum, id: ServerId) -> Vec<(&str, u16)> {
    let member = u64::try_from(id.0).ok().and_then(|n| quorum.ensemble().members.get(&n));
    let voter = member.filter(|m| m.role == Role::Participant);
    let listed = voter.into_iter().flat_map(|m| &m.addresses);
    let mut all: Vec<(&str, u16)> = listed.map(|a| (a.host.as_str(), a.quorum_port)).collect();
    all.sort_unstable();
    all
}

/// Who leads the configuration `new` from the commit of its reconfiguration on: the leader `me`
/// if it votes in it at the address it had, else a voter of it that acknowledged the
/// reconfiguration and as many of the later proposals as possible. `None` only when nobody has.
///
/// `acked` is who acknowledged the reconfiguration; `later` the same of each later proposal, in
/// order.
pub fn designated<'a>(
    me: ServerId,
    quorums: &Quorums,
    acked: &BTreeSet<ServerId>,
    later: impl Iterator<Item = &'a BTreeSet<ServerId>>,
) -> Option<ServerId> {
    let new = quorums.newest();
    if same_place(quorums.active(), new, me) {
        return Some(me);
    }
    let mut candidates: BTreeSet<ServerId> = acked.iter().copied().filter(|&id| new.votes(id)).collect();
    candidates.remove(&me);
    let mut best = *candidates.first()?;
    for acks in later {
        candidates.retain(|id| acks.contains(id) && quorums.active().votes(*id));
        match candidates.first() {
            None => return Some(best),
            Some(&first) => best = first,
        }
        if candidates.len() == 1 {
            return Some(best);
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests;
