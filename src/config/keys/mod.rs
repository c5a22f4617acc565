//! The one table of configuration keys.
//!
//! Parser, `check`, `--help`, the manual and the samples read it. Rows live in one file
//! an area; a row says how the key is written, what it may be, what it is when nobody
//! writes it, and whether Oxkeeper serves it.
//!
//! # Invariants
//!
//! * Every key of ZooKeeper 3.9.5 has a row with a status, by name and by property.
//! * A default that is not described in words (those start with `= `) passes the
//!   checks of its own row.

mod access;
mod basic;
mod net;
mod operate;
mod quorum;
mod storage;
mod throttle;
mod tls;
mod vocabulary;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use vocabulary::{Area, Kind, Status, Work};

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Key in zoo.cfg, empty if there is none. `<...>` stands for the free part of a family.
    pub name: &'static str,
    /// Java system property, empty if there is none; `env:X` for an environment variable.
    pub property: &'static str,
    /// What the value may be.
    pub kind: Kind,
    /// What it is when nobody writes it; `= ...` when described in words, empty for unset.
    pub default: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// Where it belongs.
    pub area: Area,
    /// How well it is served.
    pub status: Status,
    /// What it does.
    pub doc: &'static str,
}

impl Key {
    /// The name to show: the zoo.cfg key, else the property.
    pub fn id(&self) -> &'static str {
        if self.name.is_empty() { self.property } else { self.name }
    }

    /// For a family, what its keys start with.
    pub fn family(&self) -> Option<&'static str> {
        let (prefix, _) = self.name.split_once('<')?;
        Some(match prefix {
            // Java looks no further than these words.
            "group." => "group",
            "weight." => "weight",
            other => other,
        })
    }

    /// Whether this is a variable of the environment.
    pub fn is_environment(&self) -> bool {
        self.kind == Kind::Environment
    }
}

/// Parts of the table, in the order of their areas.
pub const PARTS: [&[Key]; 8] = [
    basic::KEYS,
    storage::KEYS,
    net::KEYS,
    throttle::KEYS,
    access::KEYS,
    tls::KEYS,
    quorum::KEYS,
    operate::KEYS,
];

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Key> {
    PARTS.into_iter().flatten()
}

/// Rows by what they are looked up by. A load asks for every row several times.
struct Index {
    ids: HashMap<&'static str, &'static Key>,
    names: HashMap<&'static str, &'static Key>,
    properties: HashMap<&'static str, &'static Key>,
    /// What names of a family start with, in the order of the table; so for properties.
    families: Vec<(&'static str, &'static Key)>,
    property_families: Vec<(&'static str, &'static Key)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        ids: HashMap::new(),
        names: HashMap::new(),
        properties: HashMap::new(),
        families: Vec::new(),
        property_families: Vec::new(),
    };
    for key in all() {
        // Of two rows with one name, the first counts.
        index.ids.entry(key.id()).or_insert(key);
        match key.family() {
            None => drop(index.names.entry(key.name).or_insert(key)),
            Some("") => {}
            Some(prefix) => index.families.push((prefix, key)),
        }
        if key.property.is_empty() || key.is_environment() {
            continue;
        }
        index.properties.entry(key.property).or_insert(key);
        if let Some((prefix, _)) = key.property.split_once('<')
            && prefix.len() > PREFIX.len()
        {
            index.property_families.push((prefix, key));
        }
    }
    index
});

fn of_family(families: &[(&str, &'static Key)], name: &str) -> Option<&'static Key> {
    families.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, key)| *key)
}

/// The row with this id.
pub fn by_id(id: &str) -> Option<&'static Key> {
    INDEX.ids.get(id).copied()
}

/// The row of a zoo.cfg key: an exact one, else its family's.
pub fn by_name(name: &str) -> Option<&'static Key> {
    if name.is_empty() {
        return None;
    }
    INDEX.names.get(name).copied().or_else(|| of_family(&INDEX.families, name))
}

/// The row of a system property: an exact one, else its family's.
pub fn by_property(property: &str) -> Option<&'static Key> {
    INDEX.properties.get(property).copied().or_else(|| of_family(&INDEX.property_families, property))
}

/// What most system properties start with.
pub const PREFIX: &str = "zookeeper.";

/// Names from ZooKeeper's guide that the server never reads, and the key that it does read.
pub const DOCUMENTED_ALIASES: [(&str, &str); 20] = [
    ("advancedFlowControlEnabled", "netty.advancedFlowControl.enabled"),
    ("outstandingHandshake.limit", "netty.server.outstandingHandshake.limit"),
    ("requestThrottleLimit", "request_throttle_max_requests"),
    ("requestThrottleStallTime", "request_throttle_stall_time"),
    ("requestThrottleDropStale", "request_throttle_drop_stale"),
    ("requestStaleLatencyCheck", "request_stale_latency_check"),
    ("requestStaleConnectionCheck", "request_stale_connection_check"),
    ("throttledOpWaitTime", "throttled_op_wait_time"),
    ("connectionMaxTokens", "connection_throttle_tokens"),
    ("connectionTokenFillTime", "connection_throttle_fill_time"),
    ("connectionTokenFillCount", "connection_throttle_fill_count"),
    ("connectionFreezeTime", "connection_throttle_freeze_time"),
    ("connectionDropIncrease", "connection_throttle_drop_increase"),
    ("connectionDropDecrease", "connection_throttle_drop_decrease"),
    ("connectionDecreaseRatio", "connection_throttle_decrease_ratio"),
    ("maxTimeToWaitForEpoch", "leader.maxTimeToWaitForEpoch"),
    ("maxConcurrentSnapSyncs", "leader.maxConcurrentSnapSyncs"),
    ("maxConcurrentDiffSyncs", "leader.maxConcurrentDiffSyncs"),
    ("skipAcl", "skipACL"),
    ("fsyncWarningThresholdMS", "fsync.warningthresholdms"),
];

/// Writes a part of the table: rows of
/// `name property kind, default unit status, doc;` under `area =>` headings.
macro_rules! table {
    ($($area:expr => { $($name:literal $property:literal $kind:expr, $default:literal $unit:literal $status:expr, $doc:literal;)* })*) => {
        pub(super) const KEYS: &[Key] = &[$($(Key {
            name: $name,
            property: $property,
            kind: $kind,
            default: $default,
            unit: $unit,
            area: $area,
            status: $status,
            doc: $doc,
        },)*)*];
    };
}
use table;

/// What the rows of every part need.
mod row {
    pub(super) use super::{Area, Key, Kind, Status, Work, table};

    pub(super) const BOOL: Kind = Kind::Bool;
    pub(super) const TEXT: Kind = Kind::Text;
    pub(super) const PATH: Kind = Kind::Path;
    pub(super) const HOST: Kind = Kind::Host;
    pub(super) const LIST: Kind = Kind::List;
    pub(super) const SECRET: Kind = Kind::Secret;
    pub(super) const ENV: Kind = Kind::Environment;
    pub(super) const PORT: Kind = int(0, 65_535);
    pub(super) const ANY_INT: Kind = int(i32::MIN as i64, INT_MAX);
    pub(super) const INT_MAX: i64 = i32::MAX as i64;
    pub(super) const YES_NO: Kind = Kind::Word { of: &["yes", "no"], exact: true };

    pub(super) const WORKS: Status = Status::Works;
    pub(super) const ENSEMBLE: Status = Status::Later { work: Work::Ensemble, stops: false };
    pub(super) const SECURITY: Status = Status::Later { work: Work::Security, stops: false };
    pub(super) const OPERATIONS: Status = Status::Later { work: Work::Operations, stops: false };

    pub(super) const fn int(min: i64, max: i64) -> Kind {
        Kind::Int { min, max, raise: None }
    }

    /// An int from `min` on.
    pub(super) const fn from(min: i64) -> Kind {
        int(min, INT_MAX)
    }

    /// A long from `min` on.
    pub(super) const fn long(min: i64) -> Kind {
        int(min, i64::MAX)
    }

    /// An int that is raised to at least this.
    pub(super) const fn raised(to: i64) -> Kind {
        Kind::Int { min: i32::MIN as i64, max: INT_MAX, raise: Some(to) }
    }

    pub(super) const fn none(why: &'static str) -> Status {
        Status::NoMeaning(why)
    }

    pub(super) const fn word(of: &'static [&'static str]) -> Kind {
        Kind::Word { of, exact: false }
    }

    pub(super) const fn class(known: &'static [&'static str]) -> Kind {
        Kind::Class { known, strict: true }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names and properties of every key of ZooKeeper 3.9.5 and its master branch.
    const REFERENCE: &str = include_str!("../../../tests/data/config-keys.txt");

    #[test]
    fn every_key_of_zookeeper_has_a_row() {
        let have: BTreeSet<(&str, &str)> = all().map(|k| (k.name, k.property)).collect();
        let missing: Vec<&str> = REFERENCE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter(|line| !have.contains(&line.split_once('\t').unwrap_or_default()))
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert!(have.len() >= 289);
    }

    #[test]
    fn no_row_is_there_twice_and_all_are_described() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(seen.insert((key.name, key.property)), "{} twice", key.id());
            assert!(key.doc.ends_with('.') && key.doc.len() > 10, "{}", key.id());
            assert!(!key.id().is_empty());
            if let Status::NoMeaning(why) | Status::Refused(why) = key.status {
                assert!(why.len() > 10, "{}", key.id());
            }
        }
    }

    #[test]
    fn keys_are_found_by_name_property_and_family() {
        assert_eq!(by_name("tickTime").map(Key::id), Some("tickTime"));
        assert_eq!(by_name("server.3").map(Key::id), Some("server.<id>"));
        assert_eq!(by_name("server.realm").map(Key::id), Some("server.realm"));
        assert_eq!(by_name("groupies").map(Key::id), Some("group.<gid>"));
        assert_eq!(by_name("superUser.a").map(Key::id), Some("superUser.<suffix>"));
        assert_eq!(by_name("tickTimes"), None);
        assert_eq!(by_name(""), None);
        let by = |p| by_property(p).map(Key::id);
        assert_eq!(by("zookeeper.snapCount"), Some("snapCount"));
        assert_eq!(by("zookeeper.authProvider.sasl"), Some("authProvider.<n>"));
        assert_eq!(by("jute.maxbuffer"), Some("jute.maxbuffer"));
        assert_eq!(by("zookeeper.nonsense"), None);
        assert_eq!(by("env:JVMFLAGS"), None);
    }

    #[test]
    fn documented_aliases_are_no_keys_but_point_to_some() {
        for (alias, key) in DOCUMENTED_ALIASES {
            assert!(by_name(alias).is_none(), "{alias}");
            assert!(by_name(key).is_some(), "{key}");
        }
    }
}
