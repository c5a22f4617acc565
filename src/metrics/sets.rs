//! Metrics with one value per key: per top-level path, per server id.
//!
//! # Invariants
//!
//! * A look-up takes no lock: the table only gains entries, each written once.
//! * The number of keys is bounded ([`METRIC_SET_KEYS`]); values of further
//!   keys are kept together under [`OTHER_KEYS`].

use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::kinds::{Counter, Detail, Summary};
use crate::limits::METRIC_SET_KEYS;

/// The key of all values whose own key found no room.
pub const OTHER_KEYS: &str = "*";

/// Places of the table: twice the keys, so that probes stay short.
const PLACES: usize = METRIC_SET_KEYS * 2;
/// Places looked at for one key.
const PROBES: usize = 32;

struct Entry<T> {
    key: Box<str>,
    value: T,
}

/// An insert-only table from key to metric.
struct Keyed<T> {
    hasher: foldhash::fast::RandomState,
    places: Box<[OnceLock<Box<Entry<T>>>]>,
    keys: AtomicUsize,
    other: OnceLock<T>,
}

impl<T> Keyed<T> {
    fn new() -> Self {
        Self {
            hasher: foldhash::fast::RandomState::default(),
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            keys: AtomicUsize::new(0),
            other: OnceLock::new(),
        }
    }

    #[inline]
    fn entry(&self, key: &str, make: impl Fn() -> T) -> &T {
        let start = self.hasher.hash_one(key) as usize;
        for probe in 0..PROBES {
            let Some(place) = self.places.get(start.wrapping_add(probe) % PLACES) else {
                break;
            };
            let entry = match place.get() {
                Some(entry) => entry,
                None if self.keys.load(Relaxed) >= METRIC_SET_KEYS => break,
                None => place.get_or_init(|| {
                    self.keys.fetch_add(1, Relaxed);
                    let key = key.into();
                    Box::new(Entry { key, value: make() })
                }),
            };
            if &*entry.key == key {
                return &entry.value;
            }
        }
        self.other.get_or_init(make)
    }

    /// All keys and metrics, sorted by key.
    fn all(&self) -> Vec<(&str, &T)> {
        let entries = self.places.iter().filter_map(OnceLock::get);
        let mut all: Vec<_> = entries.map(|e| (&*e.key, &e.value)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.extend(self.other.get().map(|value| (OTHER_KEYS, value)));
        all
    }
}

/// A counter per key (`SimpleCounterSet`).
pub struct CounterSet {
    table: Keyed<Counter>,
}

impl Default for CounterSet {
    fn default() -> Self {
        Self { table: Keyed::new() }
    }
}

impl CounterSet {
    /// Counts `n` more under `key`.
    pub fn add(&self, key: &str, n: u64) {
        self.table.entry(key, Counter::alone).add(n);
    }

    /// All keys with their counters, sorted by key.
    pub fn all(&self) -> Vec<(&str, &Counter)> {
        self.table.all()
    }

    pub(super) fn reset(&self) {
        self.all().iter().for_each(|(_, c)| c.reset_alone());
    }
}

/// A summary per key (`AvgMinMaxCounterSet`, `AvgMinMaxPercentileCounterSet`).
pub struct SummarySet {
    table: Keyed<Summary>,
    detail: Detail,
    quantiles: bool,
}

impl SummarySet {
    pub(super) fn new(detail: Detail, quantiles: bool) -> Self {
        Self { table: Keyed::new(), detail, quantiles }
    }

    /// The summary of `key`; a caller that records often keeps it.
    #[inline]
    pub fn entry(&self, key: &str) -> &Summary {
        self.table.entry(key, || Summary::alone(self.detail, self.quantiles))
    }

    /// Records `value` under `key`.
    #[inline]
    pub fn record(&self, key: &str, value: i64) {
        self.entry(key).record(value);
    }

    /// All keys with their summaries, sorted by key.
    pub fn all(&self) -> Vec<(&str, &Summary)> {
        self.table.all()
    }

    pub(super) fn reset(&self) {
        self.all().iter().for_each(|(_, s)| s.reset_alone());
    }
}

/// The key of the `_per_namespace` metrics: the first component of `path`
/// (`PathUtils.getTopNamespace`); none for the root.
#[inline]
pub fn top_namespace(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
    rest.get(..end).filter(|first| !first.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_value() {
        let set = SummarySet::new(Detail::Basic, false);
        set.record("b", 1);
        set.record("a", 2);
        set.record("b", 5);
        let all: Vec<_> = set.all().iter().map(|(k, s)| (*k, s.read().count, s.read().sum)).collect();
        assert_eq!(all, [("a", 1, 2), ("b", 2, 6)]);
        set.reset();
        assert_eq!(set.entry("b").read().count, 0);
    }

    #[test]
    fn keys_past_the_bound_are_kept_together() {
        let set = CounterSet::default();
        let keys = METRIC_SET_KEYS + 300;
        for _ in 0..2 {
            for i in 0..keys {
                set.add(&format!("key{i}"), 1);
            }
        }
        let all = set.all();
        assert!(all.len() <= METRIC_SET_KEYS + 1, "{}", all.len());
        assert_eq!(all.last().map(|(k, _)| *k), Some(OTHER_KEYS));
        let total: u64 = all.iter().map(|(_, c)| c.get()).sum();
        assert_eq!(total, 2 * keys as u64);
    }

    #[test]
    fn the_namespace_is_the_first_path_component() {
        assert_eq!(top_namespace("/"), None);
        assert_eq!(top_namespace(""), None);
        assert_eq!(top_namespace("/a"), Some("a"));
        assert_eq!(top_namespace("/a/b/c"), Some("a"));
    }
}
