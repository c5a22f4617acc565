//! Historic bugs of ZooKeeper and of others, each as a defect put back into production code: the
//! simulator must find every one of them.
//!
//! # Invariants
//!
//! * A scenario is found by its seed, or else by one below [`SEEDS`], by one of the invariants it names.
//! * Every defect stands in `types::mutant::ALL`.

use crate::heap::{MS, SECOND};
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
    /// The seed that found it last, tried first.
    pub seed: u64,
    /// What the world must be like for it.
    pub shape: fn(&mut Plan),
}

const fn row(
    bug: &'static str,
    mutant: &'static str,
    found_by: &'static [&'static str],
    seed: u64,
) -> Scenario {
    Scenario { bug, mutant, found_by, seed, shape: |_| {} }
}

impl Scenario {
    const fn shaped(self, shape: fn(&mut Plan)) -> Scenario {
        Scenario { shape, ..self }
    }
}

/// Learners fall behind what is in memory, and snapshots are frequent.
pub fn snapshots(plan: &mut Plan) {
    (plan.shape.window, plan.shape.snap_count) = (5, 20);
}

/// Syncs take long: what is promised early is seen to be early.
pub fn slow_disks(plan: &mut Plan) {
    (plan.shape.sync, plan.image_every) = (20 * MS, 4);
}

/// Members have local sessions, which become the ensemble's.
pub fn local_sessions(plan: &mut Plan) {
    plan.shape.local = true;
}

/// A disk with bits that flip in files that are read again: the process dies with them.
pub fn flips(plan: &mut Plan) {
    use crate::faults::{Fault, What};
    let who = plan.seed as usize % plan.shape.voters;
    let at = 20 * SECOND + plan.seed * SECOND % (60 * SECOND);
    let what = What::Flip { who, log: !plan.seed.is_multiple_of(3), dies: true };
    plan.faults = Some(vec![Fault { at, lasts: SECOND, what }]);
    snapshots(plan);
}

/// As above, and the log reaches back to the beginning.
pub fn flips_in_long_logs(plan: &mut Plan) {
    flips(plan);
    (plan.shape.snap_count, plan.shape.window) = (100_000, 500);
}

/// A member comes back so late that it is sent a snapshot, which ends an epoch and is damaged later.
pub fn flips_in_what_was_sent(plan: &mut Plan) {
    use crate::faults::{Fault, What};
    let who = plan.seed as usize % plan.shape.voters;
    (plan.shape.window, plan.shape.snap_count, plan.shape.left) = (5, 100_000, None);
    plan.faults = Some(vec![
        Fault { at: 20 * SECOND, lasts: 15 * SECOND, what: What::Crash { who, op: None } },
        Fault { at: 34 * SECOND, lasts: SECOND, what: What::PowerCut },
        Fault { at: 65 * SECOND, lasts: SECOND, what: What::Flip { who, log: false, dies: true } },
    ]);
}

/// A member comes back so late that it is sent a snapshot, and its disk fails about then.
pub fn fails_while_a_snapshot_comes(plan: &mut Plan) {
    use crate::faults::{Fault, What};
    let who = plan.seed as usize % plan.shape.voters;
    (plan.shape.window, plan.shape.snap_count) = (5, 100_000);
    let fails = What::DiskFails { who, op: 10 + plan.seed % 60 };
    plan.faults = Some(vec![
        Fault { at: 20 * SECOND, lasts: 15 * SECOND, what: What::Crash { who, op: None } },
        Fault { at: 34 * SECOND, lasts: 40 * SECOND, what: fails },
    ]);
}

/// Several members, observers among them, and nothing goes wrong.
pub fn calm(plan: &mut Plan) {
    plan.faults = Some(Vec::new());
    plan.shape.observers = plan.shape.observers.max(1);
}

/// Whatever a history that is not everybody's breaks first.
const HISTORY: &[&str] = &["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I15"];

/// The table.
pub const ALL: &[Scenario] = &[
    // Persist before promise, epoch after history.
    row("ZOOKEEPER-4646: a follower acknowledges before its log is synced", "ack-before-sync", &["I4"], 0)
        .shaped(slow_disks),
    row(
        "ZOOKEEPER-3911: NEWLEADER is acknowledged before the DIFF is on disk",
        "newleader-acked-early",
        &["I4"],
        0,
    )
    .shaped(slow_disks),
    row("ZOOKEEPER-4643: currentEpoch is written before the history", "epoch-before-history", &["I5"], 1),
    row(
        "ZOOKEEPER-1282: currentEpoch is not written when NEWLEADER is acknowledged",
        "epoch-at-uptodate",
        &["I4"],
        0,
    ),
    row(
        "ZOOKEEPER-1291: a leader proposes an epoch that it has not stored",
        "epoch-told-unwritten",
        &["I4"],
        0,
    ),
    row(
        "ZOOKEEPER-1291: a follower acknowledges an epoch that it has not stored",
        "epoch-acked-unwritten",
        &["I4"],
        0,
    ),
    row("ZOOKEEPER-4785: the leader counts itself before its log is synced", "own-ack-early", &["I4"], 0),
    row(
        "ZOOKEEPER-790: a leader serves while it is still being established",
        "leads-while-establishing",
        &["I4", "I2", "I3"],
        6,
    ),
    row(
        "ZOOKEEPER-2307: an epoch file is replaced without a sync",
        "epoch-unsynced",
        &["I3", "I4", "I14"],
        0,
    ),
    row("ZOOKEEPER-1653: the accepted epoch is lost with a restart", "accepted-forgotten", &["I3"], 3),
    row("fsyncgate: a failed sync of the log is taken for done", "sync-failure-ignored", &["I4", "I14"], 21),
    // Joining.
    row("ZOOKEEPER-3104: NEWLEADER is queued before the history", "newleader-first", &["I4", "I5", "I7"], 1),
    row(
        "ZOOKEEPER-1319: what comes between NEWLEADER and UPTODATE is not logged",
        "unlogged-before-uptodate",
        &["I6"],
        0,
    ),
    row("ZOOKEEPER-4925: what is committed while joining is missing in memory", "window-hole", HISTORY, 63),
    row("ZOOKEEPER-2846: a DIFF begins too late", "diff-starts-late", HISTORY, 2),
    // Memory and disk.
    row("ZOOKEEPER-4712: the log runs on while its member has no role", "log-runs-on", HISTORY, 1),
    row(
        "ZOOKEEPER-2845: the database stays as it was in memory across an election",
        "memory-kept",
        HISTORY,
        1,
    ),
    row(
        "ZOOKEEPER-3642: a snapshot of the leader is in memory alone",
        "snapshot-in-memory",
        &["I4", "I6", "I8", "I14"],
        1,
    )
    .shaped(snapshots),
    row(
        "ZOOKEEPER-2247: a proposal is applied before a quorum has it",
        "applied-at-proposal",
        &["I1", "I4", "I9"],
        0,
    ),
    // Divergent tails.
    row("ZOOKEEPER-1154: a foreign tail gets a DIFF", "diff-for-foreign-tail", HISTORY, 2),
    // Snapshots and recovery.
    row("ZOOKEEPER-3144: a snapshot lacks sessions", "snapshot-without-sessions", &["I8"], 0)
        .shaped(snapshots),
    row("ZOOKEEPER-2926: sessions of the log are forgotten", "session-forgotten", &["I8", "I10"], 1),
    row("ZOOKEEPER-4846: a snapshot lacks ACLs", "snapshot-lacks-acl", &["I8", "I14"], 0).shaped(snapshots),
    row("ZOOKEEPER-3125: pzxid is not what it was after a restart", "pzxid-forgotten", &["I8"], 0)
        .shaped(snapshots),
    row("ZOOKEEPER-1046: cversion is not what it was after a restart", "cversion-forgotten", &["I8"], 0)
        .shaped(snapshots),
    row("ZOOKEEPER-2355: a session's end leaves its ephemerals", "ephemeral-stays", &["I9", "I10"], 0),
    // Disks.
    row(
        "ZOOKEEPER-2560: a torn record at the end keeps a server from starting",
        "torn-tail-refused",
        &["I14"],
        27,
    ),
    row("ZOOKEEPER-2325: an emptied disk is trusted", "emptied-disk-trusted", &["I14"], 10),
    row(
        "an emptied disk is trusted when it is filled, before it adopts an epoch",
        "unadopted-trusted",
        &["I14"],
        2152,
    ),
    row("LazyFS 7: a log segment's name is not synced", "segment-name-unsynced", &["I4", "I14"], 0)
        .shaped(snapshots),
    row(
        "PAR (FAST '18): damage in the middle of a log is taken for a torn end",
        "damage-cut",
        &["I8", "I14"],
        2,
    )
    .shaped(flips_in_long_logs),
    row("a log record's checksum is not compared", "record-sum-ignored", &["I8", "I9", "I14"], 7)
        .shaped(flips_in_long_logs),
    row("a snapshot's checksum is not compared", "snapshot-sum-ignored", &["I8", "I9", "I14"], 12)
        .shaped(flips),
    row(
        "a failed sync is forgotten by a restart, and a power cut takes what was promised",
        "failed-sync-forgotten",
        &["I4"],
        7064,
    ),
    row(
        "a damaged snapshot is passed over although the logs lack what it held",
        "damaged-snapshot-skipped",
        &["I8", "I9"],
        0,
    )
    .shaped(flips_in_what_was_sent),
    row("a disk that fails while a snapshot comes is asked for ever", "broken-disk-receives", &["I14"], 4)
        .shaped(fails_while_a_snapshot_comes),
    // Quorums, elections, liveness.
    row("ZOOKEEPER-1732: who looks is not heard by those who have a leader", "settled-silent", &["I15"], 2),
    row("ZOOKEEPER-1805: who looks does not hear those who have a leader", "settled-unheard", &["I15"], 0),
    row("ZOOKEEPER-1514: the vote is for the greatest number", "vote-by-number", HISTORY, 15),
    row("a proposal is committed without a quorum", "commit-without-quorum", &["I4"], 0),
    row("who doubts its log leads, as others follow it still", "doubtful-leads", &["I14"], 2440),
    row("CORDS (FAST '17): a leader without a quorum leads on", "leads-without-quorum", &["I15"], 1),
    // Sessions, clients, watches.
    row("ZOOKEEPER-1367: sessions that are heard of elsewhere expire", "touches-unheard", &["I10"], 0),
    row("ZOOKEEPER-1208: a local session's ephemerals outlive it", "upgrade-untold", &["I10"], 0)
        .shaped(local_sessions),
    row("a session that has ended writes as if it were a local one", "ended-session-writes", &["I10"], 162)
        .shaped(local_sessions),
    row("ZOOKEEPER-417: a session writes from where it was before", "moved-session-writes", &["I11"], 36),
    row(
        "ZOOKEEPER-1863: a read overtakes a write of its session on a follower",
        "learner-read-overtakes",
        &["I11"],
        0,
    ),
    row("a client is taken by a server that has seen less", "lagging-server-taken", &["I11"], 39),
    row("ZOOKEEPER-706: watches that are set again miss what changed", "set-watches-silent", &["I13"], 0),
    row("ZOOKEEPER-3145: watchers are not told", "event-lost", &["I13"], 0),
    row("a one-shot watch fires twice", "one-shot-stays", &["I13"], 0),
    row("ZOOKEEPER-1124: a failed multi applies its first parts", "multi-partial", &["I9", "I12"], 0),
];
