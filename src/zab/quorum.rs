//! Who has to agree: majorities, and majorities of groups by weight.
//!
//! # Invariants
//!
//! * Only members with a vote count; an observer's or a stranger's word changes nothing.
//! * Any two sets that [`Quorum::holds`] accepts have a member in common.
//! * While a reconfiguration is pending [`Quorums::holds`] needs both configurations.

use crate::config::quorum::{Ensemble, Role};
use crate::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One configuration, as a rule for counting (`QuorumMaj`, `QuorumHierarchical`).
#[derive(Clone, PartialEq, Debug)]
pub struct Quorum {
    ensemble: Ensemble,
    text: Arc<str>,
    voters: BTreeSet<ServerId>,
    rule: Rule,
}

#[derive(Clone, PartialEq, Debug)]
enum Rule {
    Majority,
    Groups {
        /// Group and weight of each member that is in one.
        members: BTreeMap<ServerId, (u64, u64)>,
        /// Weight of each group that weighs anything.
        groups: BTreeMap<u64, u64>,
    },
}

/// The number of a server as members use it among themselves.
pub fn server_id(number: u64) -> ServerId {
    // Configurations with larger numbers are refused when they are read.
    ServerId(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Quorum {
    /// The rule of a configuration.
    pub fn new(ensemble: &Ensemble) -> Quorum {
        Quorum {
            text: ensemble.to_string().into(),
            voters: ensemble.participants().map(server_id).collect(),
            rule: Rule::of(ensemble),
            ensemble: ensemble.clone(),
        }
    }

    /// Do these agree for all? Empty configurations never do.
    pub fn holds(&self, acks: &BTreeSet<ServerId>) -> bool {
        let mine = acks.iter().filter(|id| self.voters.contains(id));
        match &self.rule {
            Rule::Majority => mine.count() > self.voters.len() / 2,
            Rule::Groups { members, groups } => {
                let mut reached: BTreeMap<u64, u64> = BTreeMap::new();
                for (group, weight) in mine.filter_map(|id| members.get(id)) {
                    let sum = reached.entry(*group).or_default();
                    *sum = sum.saturating_add(*weight);
                }
                // A group without weight never counts: nothing is more than half of it that way.
                let won = |(group, sum): (&u64, &u64)| groups.get(group).is_some_and(|all| *sum > all / 2);
                reached.iter().filter(|&(group, sum)| won((group, sum))).count() > groups.len() / 2
            }
        }
    }

    /// Has this member a vote?
    pub fn votes(&self, id: ServerId) -> bool {
        self.voters.contains(&id)
    }

    /// Is it listed as a member without a vote?
    pub fn observes(&self, id: ServerId) -> bool {
        let number = u64::try_from(id.0).ok();
        number.and_then(|n| self.ensemble.members.get(&n)).is_some_and(|m| m.role == Role::Observer)
    }

    /// Weight of a candidate; 0 never leads. Without groups everybody weighs 1.
    pub fn weight(&self, id: ServerId) -> u64 {
        match &self.rule {
            Rule::Majority => 1,
            Rule::Groups { members, .. } => members.get(&id).map_or(0, |&(_, weight)| weight),
        }
    }

    /// Version of the configuration, the zxid of the transaction that made it; 0 for a static one.
    pub fn version(&self) -> i64 {
        i64::try_from(self.ensemble.version).unwrap_or(i64::MAX)
    }

    /// Members with a vote.
    pub fn voters(&self) -> &BTreeSet<ServerId> {
        &self.voters
    }

    /// The configuration behind the rule.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Its text, as members send it to each other.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl Rule {
    fn of(ensemble: &Ensemble) -> Rule {
        if !ensemble.is_hierarchical() {
            return Rule::Majority;
        }
        // Voters weigh 1 unless told otherwise; an observer in a group weighs what it is given.
        let weight = |id: &u64| {
            let votes = ensemble.members.get(id).is_some_and(|m| m.role == Role::Participant);
            ensemble.weights.get(id).copied().unwrap_or(u64::from(votes))
        };
        let mut members = BTreeMap::new();
        let mut groups: BTreeMap<u64, u64> = BTreeMap::new();
        for (&group, servers) in &ensemble.groups {
            for id in servers {
                members.insert(server_id(*id), (group, weight(id)));
                let sum = groups.entry(group).or_default();
                *sum = sum.saturating_add(weight(id));
            }
        }
        groups.retain(|_, sum| *sum > 0);
        Rule::Groups { members, groups }
    }
}

/// The configurations in force: the active one, and a proposed one that is not yet committed
/// (`SyncedLearnerTracker` with one or two verifiers).
#[derive(Clone, PartialEq, Debug)]
pub struct Quorums {
    active: Arc<Quorum>,
    next: Option<Arc<Quorum>>,
}

impl From<Arc<Quorum>> for Quorums {
    fn from(active: Arc<Quorum>) -> Quorums {
        Quorums { active, next: None }
    }
}

impl Quorums {
    /// The active configuration and the last one seen, which counts only while its version is
    /// higher.
    pub fn new(active: Arc<Quorum>, last_seen: Option<Arc<Quorum>>) -> Quorums {
        let next = last_seen.filter(|q| q.version() > active.version());
        Quorums { active, next }
    }

    /// Do these agree for all, by every configuration in force?
    pub fn holds(&self, acks: &BTreeSet<ServerId>) -> bool {
        self.all().all(|q| q.holds(acks))
    }

    /// Has this member a vote in any configuration in force?
    pub fn votes(&self, id: ServerId) -> bool {
        self.all().any(|q| q.votes(id))
    }

    /// Everybody with a vote in any configuration in force.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        self.all().flat_map(|q| q.voters().iter().copied()).collect()
    }

    /// The committed configuration.
    pub fn active(&self) -> &Arc<Quorum> {
        &self.active
    }

    /// The proposed configuration, while it is not committed.
    pub fn next(&self) -> Option<&Arc<Quorum>> {
        self.next.as_ref()
    }

    /// The configuration with the highest version.
    pub fn newest(&self) -> &Arc<Quorum> {
        self.next.as_ref().unwrap_or(&self.active)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Quorum>> {
        std::iter::once(&self.active).chain(&self.next)
    }
}

#[cfg(test)]
mod tests;
