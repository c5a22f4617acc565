//! Historic bugs of ZooKeeper, each as a defect put back into production code: the simulator must
//! find every one of them.
//!
//! # Invariants
//!
//! * A scenario is found by a seed below [`SEEDS`], by one of the invariants it names.
//! * Every defect stands in `types::mutant::ALL`.

use crate::plan::Plan;

/// Seeds that a scenario may take at most.
pub const SEEDS: u64 = 400;

/// A bug that was, and what must notice it.
pub struct Scenario {
    /// Its number in ZooKeeper's tracker, and what it was.
    pub bug: &'static str,
    /// The defect that brings it back.
    pub mutant: &'static str,
    /// The invariants that may notice it first.
    pub found_by: &'static [&'static str],
    /// What the world must be like for it.
    pub shape: fn(&mut Plan),
}

const fn row(bug: &'static str, mutant: &'static str, found_by: &'static [&'static str]) -> Scenario {
    Scenario { bug, mutant, found_by, shape: |_| {} }
}

const fn shaped(
    bug: &'static str,
    mutant: &'static str,
    found_by: &'static [&'static str],
    shape: fn(&mut Plan),
) -> Scenario {
    Scenario { bug, mutant, found_by, shape }
}

/// Learners fall behind what is in memory, and snapshots are frequent.
fn snapshots(plan: &mut Plan) {
    (plan.shape.window, plan.shape.snap_count) = (5, 20);
}

/// Syncs take long: what is promised early is seen to be early.
fn slow_disks(plan: &mut Plan) {
    (plan.shape.sync, plan.image_every) = (20 * crate::heap::MS, 4);
}

/// The table.
pub const ALL: &[Scenario] = &[
    // Persist before promise, epoch after history.
    shaped(
        "ZOOKEEPER-4646: a follower acknowledges before its log is synced",
        "ack-before-sync",
        &["I4"],
        slow_disks,
    ),
    shaped(
        "ZOOKEEPER-3911: NEWLEADER is acknowledged before the DIFF is on disk",
        "newleader-acked-early",
        &["I4"],
        slow_disks,
    ),
    row("ZOOKEEPER-4643: currentEpoch is written before the history", "epoch-before-history", &["I5"]),
    row(
        "ZOOKEEPER-1282: currentEpoch is not written when NEWLEADER is acknowledged",
        "epoch-at-uptodate",
        &["I4"],
    ),
    row("ZOOKEEPER-1291: a leader proposes an epoch that it has not stored", "epoch-told-unwritten", &["I4"]),
    row("ZOOKEEPER-4785: the leader counts itself before its log is synced", "own-ack-early", &["I4"]),
    row(
        "ZOOKEEPER-790: a leader serves while it is still being established",
        "leads-while-establishing",
        &["I4", "I2", "I3"],
    ),
    row("ZOOKEEPER-2307: an epoch file is replaced without a sync", "epoch-unsynced", &["I3", "I4", "I14"]),
    // Joining.
    row(
        "ZOOKEEPER-4925: what is committed while joining is missing in memory",
        "window-hole",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    row(
        "ZOOKEEPER-2846: a DIFF begins too late",
        "diff-starts-late",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    // Memory and disk.
    row(
        "ZOOKEEPER-4712: the log runs on while its member has no role",
        "log-runs-on",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    row(
        "ZOOKEEPER-2845: the database stays as it was in memory across an election",
        "memory-kept",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    shaped(
        "ZOOKEEPER-3642: a snapshot of the leader is in memory alone",
        "snapshot-in-memory",
        &["I4", "I6", "I8", "I14"],
        snapshots,
    ),
    row(
        "ZOOKEEPER-2247: a proposal is applied before a quorum has it",
        "applied-at-proposal",
        &["I1", "I4", "I9"],
    ),
    // Divergent tails.
    row(
        "ZOOKEEPER-1154: a foreign tail gets a DIFF",
        "diff-for-foreign-tail",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    // Snapshots and recovery.
    shaped("ZOOKEEPER-3144: a snapshot lacks sessions", "snapshot-without-sessions", &["I8"], snapshots),
    shaped("ZOOKEEPER-4846: a snapshot lacks ACLs", "snapshot-lacks-acl", &["I8", "I14"], snapshots),
    shaped("ZOOKEEPER-3125: pzxid is not what it was after a restart", "pzxid-forgotten", &["I8"], snapshots),
    shaped(
        "ZOOKEEPER-1046: cversion is not what it was after a restart",
        "cversion-forgotten",
        &["I8"],
        snapshots,
    ),
    row("ZOOKEEPER-2355: a session's end leaves its ephemerals", "ephemeral-stays", &["I9", "I10"]),
    row(
        "ZOOKEEPER-2560: a torn record at the end keeps a server from starting",
        "torn-tail-refused",
        &["I14"],
    ),
    row("ZOOKEEPER-2325: an emptied disk is trusted", "emptied-disk-trusted", &["I14"]),
    shaped(
        "LazyFS 7: a log segment's name is not synced",
        "segment-name-unsynced",
        &["I4", "I14"],
        snapshots,
    ),
    // Quorums, elections, liveness.
    row("ZOOKEEPER-1732: who looks is not heard by those who have a leader", "settled-silent", &["I15"]),
    row("ZOOKEEPER-1805: who looks does not hear those who have a leader", "settled-unheard", &["I15"]),
    row(
        "ZOOKEEPER-1514: the vote is for the greatest number",
        "vote-by-number",
        &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"],
    ),
    row("a proposal is committed without a quorum", "commit-without-quorum", &["I4"]),
    // Sessions, clients, watches.
    row("ZOOKEEPER-1367: sessions that are heard of elsewhere expire", "touches-unheard", &["I10"]),
    row(
        "ZOOKEEPER-1863: a read overtakes a write of its session on a follower",
        "learner-read-overtakes",
        &["I11"],
    ),
    row("ZOOKEEPER-706: watches that are set again miss what changed", "set-watches-silent", &["I13"]),
    row("ZOOKEEPER-3145: watchers are not told", "event-lost", &["I13"]),
    row("a one-shot watch fires twice", "one-shot-stays", &["I13"]),
    row("ZOOKEEPER-1124: a failed multi applies its first parts", "multi-partial", &["I9", "I12"]),
];

#[cfg(feature = "mutants")]
mod hunt {
    use super::{ALL, SEEDS, Scenario};
    use crate::outcome::invariant;
    use crate::plan::Plan;
    use crate::runs::run;
    use oxkeeper::types::mutant;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The first seed that finds a defect, and what it says.
    fn hunt(s: &Scenario) -> Option<(u64, String)> {
        mutant::here(Some(s.mutant));
        let seeds = crate::outcome::number("OXKEEPER_SIM_SEEDS").map_or(SEEDS, |n| n as u64);
        let found = (0..seeds).find_map(|seed| {
            let mut plan = Plan::of(seed);
            (s.shape)(&mut plan);
            run(&plan).err().map(|what| (seed, what))
        });
        mutant::here(None);
        found
    }

    /// What came of a scenario, as a row of the table; or why it counts as missed.
    fn judge(s: &Scenario) -> Result<String, String> {
        let Some((seed, what)) = hunt(s) else {
            return Err(format!("{} ({}): not found by {SEEDS} seeds", s.bug, s.mutant));
        };
        let line = what.lines().next().unwrap_or_default();
        match invariant(&what).filter(|i| s.found_by.contains(i)) {
            Some(by) => Ok(format!("| {} | `{}` | {seed} | {by} |", s.bug, s.mutant)),
            None => Err(format!("{} ({}), seed {seed}, by something else: {line}", s.bug, s.mutant)),
        }
    }

    #[test]
    fn every_mutant_of_history_is_found() {
        let only = std::env::var("OXKEEPER_SIM_MUTANT").ok();
        let asked = |s: &&Scenario| only.as_ref().is_none_or(|name| name == s.mutant);
        let list: Vec<&Scenario> = ALL.iter().filter(asked).collect();
        let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some(s) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let named = mutant::ALL.iter().any(|(name, _)| *name == s.mutant);
                let row = if named { judge(s) } else { Err(format!("{} is not in the table", s.mutant)) };
                match &row {
                    Ok(found) => println!("{found}"),
                    Err(missed) => println!("missed: {missed}"),
                }
                rows.lock().expect("no panic holds it").push((s.bug, row));
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|s| (0..cores).for_each(|_| drop(s.spawn(work))));
        let mut rows = rows.into_inner().expect("no panic holds it");
        rows.sort_by_key(|(bug, _)| ALL.iter().position(|s| s.bug == *bug));
        let missed: Vec<&String> = rows.iter().filter_map(|(_, row)| row.as_ref().err()).collect();
        assert!(missed.is_empty(), "{} of {} missed:\n{missed:#?}", missed.len(), rows.len());
    }
}
