//! Quotas: the texts of limits and usage (`StatsTrack`), and which paths have limits (`PathTrie`).
//!
//! Limits of `/a` stand in the data of `/zookeeper/quota/a/zookeeper_limits`, usage in
//! `zookeeper_stats` beside it. Usage is kept by every server for itself, as data
//! without version, zxid or event.
//!
//! # Invariants
//!
//! * One quota counts a change: the nearest at or above it.
//! * A text that nobody can read counts as "no limit", never as an error.

use super::Tree;
use super::node::ROOT;
use crate::types::path;
use std::collections::{BTreeMap, BTreeSet};

/// Where limits and usage stand.
pub const QUOTA_PATH: &str = "/zookeeper/quota";
/// Name of the node with the limits.
pub const LIMITS_NAME: &str = "zookeeper_limits";
/// Name of the node with the usage.
pub const STATS_NAME: &str = "zookeeper_stats";

/// A text of limits or usage: numbers by key, -1 or absent for none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct StatsTrack(BTreeMap<String, i64>);

impl StatsTrack {
    /// Reads `count=1,bytes=2=;countHardLimit=3`. Unreadable pairs are skipped.
    pub(super) fn parse(data: &[u8]) -> StatsTrack {
        let text = String::from_utf8_lossy(data);
        let mut numbers = BTreeMap::new();
        for pair in text.split([',', ';']) {
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let number = if value.is_empty() { Ok(-1) } else { value.parse() };
            if let Ok(number) = number {
                numbers.insert(key.to_owned(), number);
            }
        }
        StatsTrack(numbers)
    }

    pub(super) fn usage(count: i64, bytes: i64) -> StatsTrack {
        StatsTrack(BTreeMap::from([("count".to_owned(), count), ("bytes".to_owned(), bytes)]))
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn count(&self) -> i64 {
        self.get("count")
    }

    fn bytes(&self) -> i64 {
        self.get("bytes")
    }

    fn add(&mut self, count: i64, bytes: i64) {
        let (c, b) = (self.count().wrapping_add(count), self.bytes().wrapping_add(bytes));
        self.0.insert("count".to_owned(), c);
        self.0.insert("bytes".to_owned(), b);
    }

    /// The text; the `=` before further keys is what readers of 3.4 stumble over otherwise.
    pub(super) fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.count(), self.bytes());
        let mut first = true;
        for (key, value) in self.0.iter().filter(|(k, _)| *k != "count" && *k != "bytes") {
            if first {
                text.push('=');
            }
            first = false;
            text.push_str(&format!(";{key}={value}"));
        }
        text
    }

    /// Limit of nodes: is it hard, and how many. Hard replaces soft when it is set.
    fn count_limit(&self) -> (bool, i64) {
        hard_or_soft(self.get("countHardLimit"), self.count())
    }

    /// Limit of bytes: is it hard, and how many.
    fn byte_limit(&self) -> (bool, i64) {
        hard_or_soft(self.get("byteHardLimit"), self.bytes())
    }
}

fn hard_or_soft(hard: i64, soft: i64) -> (bool, i64) {
    if hard > -1 { (true, hard) } else { (false, soft) }
}

/// The paths that have limits.
#[derive(Debug, Default)]
pub(super) struct QuotaPaths(BTreeSet<String>);

impl QuotaPaths {
    pub(super) fn insert(&mut self, path: &str) {
        if !path.is_empty() {
            self.0.insert(path.to_owned());
        }
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// The nearest path with limits at or above `path`; the root has none.
    pub(super) fn nearest<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.0.is_empty() {
            return None;
        }
        let mut at = path;
        while at.len() > 1 {
            if self.0.contains(at) {
                return Some(at);
            }
            at = &at[..at.rfind('/')?];
        }
        None
    }
}

/// What is exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaKind {
    /// Number of nodes.
    Count,
    /// Bytes of data.
    Bytes,
}

/// A change that would go beyond a quota.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaExceeded {
    /// The path that has the limits.
    pub quota_path: String,
    /// First component of the changed path, for the per-namespace metric.
    pub namespace: String,
    /// Nodes or bytes.
    pub kind: QuotaKind,
    /// Hard limits refuse, soft ones are only logged.
    pub hard: bool,
    /// Usage after the change.
    pub usage: i64,
    /// The limit.
    pub limit: i64,
}

/// Sums of one namespace, for the `quota_*_per_namespace` gauges; absent when no node carries them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuotaSums {
    /// (nodes, bytes) of the limits, hard before soft, -1 for none.
    pub limits: Option<(i64, i64)>,
    /// (nodes, bytes) in use.
    pub usage: Option<(i64, i64)>,
}

/// The path that the node's parent keeps a quota for, when it lies in the quota subtree.
pub(super) fn quota_of(parent: &str) -> Option<&str> {
    let rest = parent.strip_prefix(QUOTA_PATH)?;
    if rest.is_empty() || rest.starts_with('/') { Some(rest) } else { None }
}

impl Tree {
    /// Would a change go beyond a hard limit? `bytes_diff` is the change of data length,
    /// `count_diff` 1 for a create and 0 for a set. Only what is applied counts, as in
    /// ZooKeeper. The caller asks only with `enforceQuota`.
    pub fn quota_check(&self, path: &str, bytes_diff: i64, count_diff: i64) -> Result<(), QuotaExceeded> {
        match self.quota_excess(path, bytes_diff, count_diff).into_iter().find(|e| e.hard) {
            Some(excess) => Err(excess),
            None => Ok(()),
        }
    }

    /// Every limit, soft and hard, that a change would go beyond: nodes, then bytes.
    pub fn quota_excess(&self, path: &str, bytes_diff: i64, count_diff: i64) -> Vec<QuotaExceeded> {
        let mut found = Vec::new();
        let Some(quota_path) = self.quotas.nearest(path) else { return found };
        let track = |name| {
            let data = self.store.data(self.find_raw(&format!("{QUOTA_PATH}{quota_path}/{name}"))?);
            Some(StatsTrack::parse(data.unwrap_or_default()))
        };
        let (Some(limits), Some(stats)) = (track(LIMITS_NAME), track(STATS_NAME)) else { return found };
        let mut check = |kind, diff: i64, now: i64, (hard, limit): (bool, i64)| {
            let usage = now.saturating_add(diff);
            if diff != 0 && limit > -1 && usage > limit {
                let namespace = path::top(path).unwrap_or_default().to_owned();
                found.push(QuotaExceeded {
                    quota_path: quota_path.into(),
                    namespace,
                    kind,
                    hard,
                    usage,
                    limit,
                });
            }
        };
        check(QuotaKind::Count, count_diff, stats.count(), limits.count_limit());
        check(QuotaKind::Bytes, bytes_diff, stats.bytes(), limits.byte_limit());
        found
    }

    /// Limits and usage summed by namespace, in order of namespaces.
    pub fn quota_sums(&self) -> BTreeMap<String, QuotaSums> {
        let mut sums: BTreeMap<String, QuotaSums> = BTreeMap::new();
        for (id, quota_path) in self.quota_leaves() {
            let Some(namespace) = path::top(&quota_path) else { continue };
            let Some(data) = self.store.data(id) else { continue };
            let track = StatsTrack::parse(data);
            let sum = sums.entry(namespace.to_owned()).or_default();
            let add = |to: &mut Option<(i64, i64)>, count: i64, bytes: i64| {
                let (c, b) = to.unwrap_or_default();
                *to = Some((c.wrapping_add(count), b.wrapping_add(bytes)));
            };
            if self.store.name(id) == LIMITS_NAME.as_bytes() {
                add(&mut sum.limits, track.count_limit().1, track.byte_limit().1);
            } else {
                add(&mut sum.usage, track.count(), track.bytes());
            }
        }
        sums
    }

    /// The childless limits and usage nodes, each with the path it is about.
    fn quota_leaves(&self) -> Vec<(u32, String)> {
        let mut leaves = Vec::new();
        let Some(top) = self.find_raw(QUOTA_PATH) else { return leaves };
        let mut open = vec![top];
        while let Some(id) = open.pop() {
            let children = self.store.children(id);
            open.extend_from_slice(children);
            let name = self.store.name(id);
            if children.is_empty() && (name == LIMITS_NAME.as_bytes() || name == STATS_NAME.as_bytes()) {
                let parent = self.store.path(self.store.node(id).parent);
                leaves.push((id, parent[QUOTA_PATH.len().min(parent.len())..].to_owned()));
            }
        }
        leaves
    }

    /// After a node came into being: new limits take effect, new usage is counted.
    pub(super) fn quota_created(&mut self, parent: &str, name: &str) {
        let Some(about) = quota_of(parent) else { return };
        if name == LIMITS_NAME {
            self.quotas.insert(about);
        } else if name == STATS_NAME {
            self.count_usage(about);
        }
    }

    /// After a node went: its limits end.
    pub(super) fn quota_deleted(&mut self, parent: &str, name: &str) {
        if name == LIMITS_NAME
            && let Some(about) = quota_of(parent)
        {
            self.quotas.remove(about);
        }
    }

    /// Counts a change of `path` in the usage of its quota, if it has one.
    pub(super) fn quota_changed(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(quota_path) = self.quotas.nearest(path) else { return };
        let Some(id) = self.find_raw(&format!("{QUOTA_PATH}{quota_path}/{STATS_NAME}")) else { return };
        let mut track = StatsTrack::parse(self.store.data(id).unwrap_or_default());
        track.add(count, bytes);
        self.set_usage(id, &track);
    }

    /// Counts the nodes and bytes at and below `path` anew and writes them into its usage node.
    fn count_usage(&mut self, path: &str) {
        let (mut count, mut bytes) = (0i64, 0i64);
        let mut open: Vec<u32> =
            if path.is_empty() { vec![ROOT] } else { self.find_raw(path).into_iter().collect() };
        while let Some(id) = open.pop() {
            count += 1;
            bytes += self.store.data(id).map_or(0, |d| d.len() as i64);
            open.extend_from_slice(self.store.children(id));
        }
        if let Some(id) = self.find_raw(&format!("{QUOTA_PATH}{path}/{STATS_NAME}")) {
            self.set_usage(id, &StatsTrack::usage(count, bytes));
        }
    }

    fn set_usage(&mut self, id: u32, track: &StatsTrack) {
        self.keep_image(id);
        self.store.set_data(id, Some(track.text().as_bytes()));
    }

    /// After a load: all limits take effect, all their usage is counted anew.
    pub(super) fn setup_quotas(&mut self) {
        for (id, about) in self.quota_leaves() {
            if self.store.name(id) == LIMITS_NAME.as_bytes() {
                self.count_usage(&about);
                self.quotas.insert(&about);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_written_as_java_does() {
        for (text, want) in [
            ("count=1,bytes=2", "count=1,bytes=2"),
            ("", "count=-1,bytes=-1"),
            ("bytes=5", "count=-1,bytes=5"),
            ("count=-1,bytes=-1=;countHardLimit=3", "count=-1,bytes=-1=;countHardLimit=3"),
            (
                "count=1;;,bytes=2=;countHardLimit=;byteHardLimit=7",
                "count=1,bytes=2=;byteHardLimit=7;countHardLimit=-1",
            ),
            ("count=x,bytes", "count=-1,bytes=-1"),
            ("count=1,count=+9", "count=9,bytes=-1"),
        ] {
            assert_eq!(StatsTrack::parse(text.as_bytes()).text(), want, "{text}");
        }
    }

    #[test]
    fn the_nearest_path_counts() {
        let mut q = QuotaPaths::default();
        assert_eq!(q.nearest("/a"), None);
        q.insert("/a");
        q.insert("/a/b/c");
        q.insert("");
        assert_eq!(q.nearest("/a"), Some("/a"));
        assert_eq!(q.nearest("/a/b"), Some("/a"));
        assert_eq!(q.nearest("/a/b/c/d/e"), Some("/a/b/c"));
        assert_eq!(q.nearest("/ab"), None);
        assert_eq!(q.nearest("/"), None);
        q.remove("/a");
        assert_eq!(q.nearest("/a/b"), None);
    }
}
