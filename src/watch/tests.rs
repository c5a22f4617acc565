//! Watches against a naive list of registrations that follows the table of events.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The modes of one table by path and connection.
type Plain = BTreeMap<(String, u64), BTreeSet<Mode>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Mode {
    Standard,
    Persistent,
    Recursive,
}

#[derive(Default)]
struct Naive {
    data: Plain,
    child: Plain,
    /// Connections of the data table, those that only had watches included.
    listed: BTreeSet<u64>,
}

fn at_or_above(watched: &str, path: &str) -> bool {
    watched == path || (watched == "/" && path.starts_with('/')) || path.starts_with(&format!("{watched}/"))
}

fn tell(table: &mut Plain, path: &str) -> BTreeSet<u64> {
    let mut told = BTreeSet::new();
    for ((watched, conn), modes) in table.iter_mut() {
        if watched == path || (modes.contains(&Mode::Recursive) && at_or_above(watched, path)) {
            told.insert(*conn);
        }
        if watched == path {
            modes.remove(&Mode::Standard);
        }
    }
    table.retain(|_, modes| !modes.is_empty());
    told
}

fn take(table: &mut Plain, path: &str, conn: u64, modes: &[Mode]) -> bool {
    let Some(set) = table.get_mut(&(path.to_owned(), conn)) else { return false };
    let before = set.len();
    set.retain(|m| !modes.contains(m));
    let removed = set.len() != before;
    table.retain(|_, modes| !modes.is_empty());
    removed
}

/// (modes in the data table, modes in the child table) of a watcher type.
fn meant(kind: WatcherType) -> (&'static [Mode], &'static [Mode]) {
    use Mode::*;
    match kind {
        WatcherType::Data => (&[Standard], &[]),
        WatcherType::Children => (&[], &[Standard]),
        WatcherType::Persistent => (&[Persistent], &[Persistent]),
        WatcherType::PersistentRecursive => (&[Recursive], &[]),
        WatcherType::Any => (&[Standard, Persistent, Recursive], &[Standard, Persistent, Recursive]),
    }
}

impl Naive {
    fn add(&mut self, conn: u64, path: &str, kind: WatchKind) {
        let (data, child) = match kind {
            WatchKind::Data => (Some(Mode::Standard), None),
            WatchKind::Child => (None, Some(Mode::Standard)),
            WatchKind::Persistent => (Some(Mode::Persistent), Some(Mode::Persistent)),
            WatchKind::Recursive => (Some(Mode::Recursive), None),
        };
        for (table, mode) in [(&mut self.data, data), (&mut self.child, child)] {
            if let Some(mode) = mode {
                table.entry((path.to_owned(), conn)).or_default().insert(mode);
            }
        }
        if data.is_some() {
            self.listed.insert(conn);
        }
    }

    fn trigger(&mut self, kind: EventKind, path: &str) -> BTreeSet<u64> {
        match kind {
            EventKind::Created | EventKind::DataChanged => tell(&mut self.data, path),
            EventKind::ChildrenChanged => tell(&mut self.child, path),
            EventKind::Deleted => {
                let mut told = tell(&mut self.data, path);
                told.extend(tell(&mut self.child, path));
                told
            }
        }
    }

    fn remove(&mut self, conn: u64, path: &str, kind: WatcherType) -> bool {
        let (data, child) = meant(kind);
        let from_data = take(&mut self.data, path, conn, data);
        let from_child = take(&mut self.child, path, conn, child);
        if from_data && !self.data.keys().any(|(_, c)| *c == conn) {
            self.listed.remove(&conn);
        }
        from_data || from_child
    }

    fn check(&self, conn: u64, path: &str, kind: WatcherType) -> bool {
        let key = (path.to_owned(), conn);
        let has = |table: &Plain, modes: &[Mode]| {
            table.get(&key).is_some_and(|set| modes.iter().any(|m| set.contains(m)))
        };
        let (data, child) = meant(kind);
        has(&self.data, data) || has(&self.child, child)
    }

    fn remove_connection(&mut self, conn: u64) {
        self.data.retain(|(_, c), _| *c != conn);
        self.child.retain(|(_, c), _| *c != conn);
        self.listed.remove(&conn);
    }

    fn compare(&self, watches: &Watches) {
        assert_eq!(watches.count(), self.data.len() + self.child.len());
        assert_eq!(watches.is_empty(), watches.count() == 0);
        let paths: BTreeSet<&String> = self.data.keys().map(|(p, _)| p).collect();
        let summary =
            WatchSummary { connections: self.listed.len(), paths: paths.len(), total: self.data.len() };
        assert_eq!(watches.summary(), summary);
        let pairs: BTreeSet<(String, u64)> = self.data.keys().cloned().collect();
        let by_path = watches.by_path().flat_map(|(p, cs)| cs.into_iter().map(move |c| (p.to_owned(), c.0)));
        assert_eq!(by_path.collect::<BTreeSet<_>>(), pairs);
        let by_conn =
            watches.by_connection().flat_map(|(c, ps)| ps.into_iter().map(move |p| (p.to_owned(), c.0)));
        assert_eq!(by_conn.collect::<BTreeSet<_>>(), pairs);
        let listed: Vec<u64> = watches.by_connection().map(|(c, _)| c.0).collect();
        assert_eq!(listed.len(), self.listed.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), self.listed);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64, String, WatchKind),
    Trigger(EventKind, String),
    Check(u64, String, WatcherType),
    Remove(u64, String, WatcherType),
    Close(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let path = || {
        let deep = prop::collection::vec("[ab]", 1..4).prop_map(|names| format!("/{}", names.join("/")));
        prop_oneof![1 => Just("/".to_owned()), 8 => deep, 1 => Just("odd".to_owned())]
    };
    let kind = prop_oneof![
        3 => Just(WatchKind::Data),
        2 => Just(WatchKind::Child),
        1 => Just(WatchKind::Persistent),
        1 => Just(WatchKind::Recursive),
    ];
    let event = prop::sample::select(vec![
        EventKind::Created,
        EventKind::Deleted,
        EventKind::DataChanged,
        EventKind::ChildrenChanged,
    ]);
    let types = || prop::sample::select((1..=5).filter_map(WatcherType::from_number).collect::<Vec<_>>());
    prop_oneof![
        10 => (0u64..4, path(), kind).prop_map(|(c, p, k)| Step::Add(c, p, k)),
        6 => (event, path()).prop_map(|(k, p)| Step::Trigger(k, p)),
        2 => (0u64..4, path(), types()).prop_map(|(c, p, t)| Step::Check(c, p, t)),
        3 => (0u64..4, path(), types()).prop_map(|(c, p, t)| Step::Remove(c, p, t)),
        1 => (0u64..4).prop_map(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_tells_whom_the_table_of_events_says(steps in prop::collection::vec(any_step(), 1..80)) {
        let (mut watches, mut naive) = (Watches::new(), Naive::default());
        for step in steps {
            match step {
                Step::Add(c, p, k) => {
                    watches.add(ConnId(c), &p, k);
                    naive.add(c, &p, k);
                }
                Step::Trigger(k, p) => {
                    let mut told = Vec::new();
                    watches.trigger(k, &p, &mut |c| told.push(c.0));
                    let once: BTreeSet<u64> = told.iter().copied().collect();
                    prop_assert_eq!(told.len(), once.len(), "told twice: {:?}", told);
                    prop_assert_eq!(once, naive.trigger(k, &p));
                }
                Step::Check(c, p, t) => prop_assert_eq!(watches.check(ConnId(c), &p, t), naive.check(c, &p, t)),
                Step::Remove(c, p, t) => {
                    prop_assert_eq!(watches.remove(ConnId(c), &p, t), naive.remove(c, &p, t));
                }
                Step::Close(c) => {
                    watches.remove_connection(ConnId(c));
                    naive.remove_connection(c);
                }
            }
            naive.compare(&watches);
        }
        for conn in 0..4 {
            watches.remove_connection(ConnId(conn));
        }
        prop_assert_eq!(watches.summary(), WatchSummary::default());
        prop_assert!(watches.is_empty() && watches.by_id.is_empty());
    }
}

#[test]
fn a_deletion_tells_data_and_child_watch_of_one_connection_once() {
    let mut w = Watches::new();
    w.add(ConnId(1), "/a", WatchKind::Data);
    w.add(ConnId(1), "/a", WatchKind::Child);
    w.add(ConnId(2), "/a", WatchKind::Child);
    w.add(ConnId(3), "/", WatchKind::Recursive);
    let mut told = Vec::new();
    w.trigger(EventKind::Deleted, "/a", &mut |c| told.push(c.0));
    assert_eq!(told, [1, 3, 2]);
    assert_eq!(w.count(), 1);
}

#[test]
fn a_fired_connection_stays_in_the_summary_as_in_zookeeper() {
    let mut w = Watches::new();
    w.add(ConnId(1), "/a", WatchKind::Data);
    w.trigger(EventKind::Created, "/a", &mut |_| {});
    assert_eq!(w.summary(), WatchSummary { connections: 1, paths: 0, total: 0 });
    w.remove_connection(ConnId(1));
    assert_eq!(w.summary(), WatchSummary::default());
}

#[test]
fn a_hundred_thousand_watchers_of_one_path_close_one_by_one() {
    let mut w = Watches::new();
    for conn in 0..100_000 {
        w.add(ConnId(conn), "/hot", WatchKind::Persistent);
        w.add(ConnId(conn), &format!("/own/{conn}"), WatchKind::Data);
    }
    assert_eq!(w.count(), 300_000);
    for conn in 0..100_000 {
        w.remove_connection(ConnId(conn));
    }
    assert_eq!((w.count(), w.summary().connections), (0, 0));
}
