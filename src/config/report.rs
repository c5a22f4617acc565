//! What became of every setting: the lines of `oxkeeper check`.
//!
//! # Invariants
//!
//! * The value of a secret or of an unknown key is never shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::finding::{Place, clip};
use super::keys::{Key, Kind, Status};

/// What became of one setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Does here what it does in ZooKeeper.
    Works,
    /// Nothing here could act on it.
    NoMeaning {
        /// Why.
        why: String,
    },
    /// Stops the start.
    Refused {
        /// Why.
        why: String,
    },
    /// Read and checked, not acted upon yet.
    Later {
        /// Which work serves it.
        why: String,
    },
    /// Not a key.
    Unknown {
        /// The nearest right one.
        nearest: Option<String>,
    },
    /// A known key with a wrong value.
    Wrong {
        /// What is wrong.
        why: String,
    },
    /// Another setting of the same key wins.
    Overridden {
        /// Where that one stands.
        by: String,
    },
}

/// One setting and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Key or property as written.
    pub key: String,
    /// Its value, `***` if it may be a secret.
    pub value: String,
    /// File, `command line` or environment variable.
    pub source: String,
    /// Line in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl KeyReport {
    /// A line about `name` with `text`; `key` is its row, if it has one.
    pub fn new(name: &str, text: &str, place: &Place, key: Option<&Key>, verdict: Verdict) -> Self {
        let shown = key.is_some_and(|k| k.kind != Kind::Secret);
        KeyReport {
            key: clip(name),
            value: if shown { clip(text) } else { "***".to_owned() },
            source: place.source.clone(),
            line: place.line,
            verdict,
        }
    }
}

/// Keys that stand with other values in `now` than in `before`, or in one of them alone, each once. Secrets are not
/// compared: their values are not kept.
pub fn differences(before: &[KeyReport], now: &[KeyReport]) -> Vec<String> {
    let settled = |reports: &[KeyReport]| -> BTreeMap<String, String> {
        let counts = |r: &&KeyReport| !matches!(r.verdict, Verdict::Overridden { .. });
        reports.iter().filter(counts).map(|r| (r.key.clone(), r.value.clone())).collect()
    };
    let (before, now) = (settled(before), settled(now));
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != now.get(*key)).cloned().collect()
}

impl Verdict {
    /// What a row's status means for a setting whose value is fine.
    pub fn of(status: Status, is_default: bool) -> Self {
        match status {
            Status::Works => Verdict::Works,
            Status::NoMeaning(why) => Verdict::NoMeaning { why: why.to_owned() },
            Status::Refused(why) if !is_default => Verdict::Refused { why: why.to_owned() },
            Status::Refused(why) => Verdict::NoMeaning { why: why.to_owned() },
            Status::Later { work, stops } if stops && !is_default => {
                Verdict::Refused { why: format!("not yet: {work}") }
            }
            Status::Later { work, .. } => Verdict::Later { why: work.to_string() },
        }
    }
}
