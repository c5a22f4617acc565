//! A quorum configuration as one text: what stands in the configuration node, in NEWLEADER and
//! in every notification (`QuorumVerifier.toString`).
//!
//! # Invariants
//!
//! * What [`Ensemble`]'s `Display` writes, [`Ensemble::parse`] reads as the same members, groups,
//!   weights and version.
//! * The last line is the version; there is no line feed behind it.

use std::collections::BTreeSet;
use std::fmt;

use super::super::finding::{Findings, Place};
use super::super::properties::parse_properties;
use super::{Ensemble, Fault, Role, kind_of};

impl Ensemble {
    /// Do quorums count by groups and weights?
    pub fn is_hierarchical(&self) -> bool {
        !self.groups.is_empty() || !self.weights.is_empty()
    }

    /// Members with a vote, in order.
    pub fn participants(&self) -> impl Iterator<Item = u64> + '_ {
        self.members.iter().filter(|(_, m)| m.role == Role::Participant).map(|(&id, _)| id)
    }

    /// Members without a vote, in order.
    pub fn observers(&self) -> impl Iterator<Item = u64> + '_ {
        self.members.iter().filter(|(_, m)| m.role == Role::Observer).map(|(&id, _)| id)
    }

    /// Reads the text of a configuration node, of NEWLEADER, of a notification or of a dynamic
    /// configuration file. `multi_address` allows several addresses a member.
    ///
    /// # Errors
    ///
    /// A [`Fault`] where ZooKeeper's `parseDynamicConfig` throws: a text that is no properties
    /// file, a key that has no place here, a bad line, a voter outside of all groups. Also a
    /// version above Java's largest number, and a text without any voter: no ensemble has one.
    pub fn parse(text: &str, multi_address: bool) -> Result<Ensemble, Fault> {
        let broken = |_| Fault::new("not a properties text", "write one server.N=... a line");
        let entries = parse_properties(text.as_bytes()).map_err(broken)?;
        let mut ensemble = Ensemble::default();
        for entry in &entries {
            if kind_of(&entry.key).is_none() {
                let what = format!("unrecognised parameter: {}", super::clip(&entry.key));
                return Err(Fault::new(what, "keep only server, group, weight and version"));
            }
            ensemble.add(&entry.key, &entry.value, multi_address)?;
        }
        if i64::try_from(ensemble.version).is_err() {
            return Err(Fault::number("a version that is no zxid", "write it as 100000000"));
        }
        let mut findings = Findings::default();
        ensemble.check_groups(&Place::default(), &mut findings);
        if let Some(error) = findings.errors().next() {
            return Err(Fault::new(error.message.clone(), error.cure.clone()));
        }
        if ensemble.voters() == 0 {
            return Err(Fault::number("no participant", "name at least one voting server"));
        }
        Ok(ensemble)
    }
}

/// As `QuorumMaj` and `QuorumHierarchical` write themselves.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in java_order(self.members.keys().copied()) {
            if let Some(member) = self.members.get(&id) {
                writeln!(f, "server.{id}={member}")?;
            }
        }
        if self.is_hierarchical() {
            for group in java_order(self.groups.keys().copied()) {
                let servers = self.groups.get(&group).into_iter().flatten().copied();
                let servers: Vec<String> = java_order(servers).iter().map(u64::to_string).collect();
                writeln!(f, "group.{group}={}", servers.join(":"))?;
            }
            for id in java_order(self.participants().chain(self.weights.keys().copied())) {
                writeln!(f, "weight.{id}={}", self.weights.get(&id).copied().unwrap_or(1))?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// The order in which a `HashMap` of Java hands out its keys: by bucket, which for small numbers
/// is their own order.
fn java_order(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.collect::<BTreeSet<u64>>().into_iter().collect();
    let mut buckets = 16;
    while ids.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    let bucket = |id: u64| {
        let hash = (id ^ (id >> 32)) & 0xffff_ffff;
        (hash ^ (hash >> 16)) & (buckets as u64 - 1)
    };
    ids.sort_by_key(|&id| (bucket(id), id));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAJORITY: &str = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:observer\nversion=100000003";
    const GROUPS: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
                          group.1=1:2\nweight.1=1\nweight.2=0\nversion=0";

    #[test]
    fn texts_of_java_are_read_and_written_back() {
        for text in [MAJORITY, GROUPS] {
            assert_eq!(Ensemble::parse(text, false).map(|e| e.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn weights_that_are_not_given_are_written_as_one() {
        let given = "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=2:1\nweight.2=0\n";
        assert_eq!(Ensemble::parse(given, false).map(|e| e.to_string()), Ok(GROUPS.to_owned()));
    }

    #[test]
    fn texts_that_java_refuses_are_refused() {
        let refused = |text: &str| Ensemble::parse(text, false).unwrap_err().what;
        assert_eq!(refused("tickTime=1"), "unrecognised parameter: tickTime");
        assert_eq!(refused("server.1=a:1:2:observer"), "no participant");
        assert_eq!(refused(""), "no participant");
        assert_eq!(refused("server.1=a:1:2\nversion=ffffffffffffffff"), "a version that is no zxid");
        assert_eq!(refused("server.1=a:1:2\nversion=x"), "not a hexadecimal zxid");
        assert!(refused("server.1=a:1:2|b:1:2").contains("several addresses"));
        assert!(refused("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1").contains("in no group"));
        assert!(Ensemble::parse("server.1=a:1:2|b:1:2", true).is_ok());
    }

    #[test]
    fn members_stand_in_the_order_of_a_java_map() {
        assert_eq!(java_order([17, 1, 16, 3, 2].into_iter()), [16, 1, 17, 2, 3]);
        assert_eq!(java_order((1..=12).chain([30])), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 30]);
        assert_eq!(java_order([0x1_0000, 2, 1].into_iter()), [1, 0x1_0000, 2]);
    }
}
