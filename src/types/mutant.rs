//! Named defects that tests switch on to prove that they would notice.
//!
//! Without the cargo feature `mutants` (release builds, packages) [`on`] is a constant false
//! and the compiler removes the defect.
//!
//! # Invariants
//!
//! * Every name in [`ALL`] stands in the production code, at its guard, and every defect there
//!   has its name here.

/// Every defect: its name, and what it breaks.
pub const ALL: &[(&str, &str)] = &[
    ("reply-before-sync", "a write is applied and answered before it is durable"),
    ("read-overtakes-write", "a read is answered before an earlier write of its session"),
    ("event-lost", "watch events are not delivered"),
    ("event-unfiltered", "an event is delivered without the right to read"),
    ("one-shot-stays", "a one-shot watch is not used up"),
    ("cversion-skips-delete", "the client's cversion does not count deletes"),
    ("sequence-without-padding", "a sequence number is not padded to ten digits"),
    ("multi-partial", "a failed multi applies its first parts"),
    ("acl-ignored", "WRITE is not checked"),
    ("auth-empty", "an entry of scheme auth without anybody behind it is dropped instead of refused"),
    ("hash-unmasked", "getACL shows digest hashes to those without ADMIN"),
    ("network-wide", "every address lies in every network"),
    ("part-unchecked", "DELETE is not checked in a multi"),
    ("quota-ignored", "hard quotas are not enforced"),
    ("pause-expires", "a pause of the server counts as silence of its clients"),
    ("ephemeral-stays", "closing a session leaves its ephemerals"),
    ("session-forgotten", "recovery forgets the sessions of the log"),
    ("zxid-in-auth-reply", "the reply to an auth packet carries a zxid"),
    ("error-code", "a missing parent is reported as NODEEXISTS"),
    ("digest-stale", "a setData does not enter the digest"),
    ("counter-overflows", "a leader counts its zxids on into the next epoch (ZOOKEEPER-1277)"),
    ("moved-session-writes", "a session writes from where it was before it moved"),
    ("learner-read-overtakes", "a learner answers a read before an earlier write of its session"),
    ("ack-before-sync", "a follower acknowledges a proposal before it is durable (ZOOKEEPER-4646)"),
    ("newleader-acked-early", "NEWLEADER is acknowledged before the history is durable (ZOOKEEPER-3911)"),
    ("epoch-before-history", "currentEpoch is written before the history of its leader (ZOOKEEPER-4643)"),
    ("epoch-acked-twice", "an epoch that was accepted before counts towards the quorum again"),
    ("leads-against-newer", "a leader is established against a voter that knows more"),
    ("leads-without-quorum", "a leader without a quorum leads on"),
    ("commit-without-quorum", "a proposal is committed when anybody has it"),
    ("proposals-to-synced-only", "proposals do not go to learners that are being brought up (Zab.tla)"),
    ("outstanding-not-sent", "a learner that joins is not sent what is under way"),
    ("diff-for-foreign-tail", "a learner with a foreign tail gets a DIFF (ZOOKEEPER-1154)"),
    ("truncation-unchecked", "a cut that ended elsewhere is taken for done (ZOOKEEPER-3701)"),
    ("window-hole", "the window of committed transactions keeps a hole (ZOOKEEPER-4925)"),
    ("hole-logged", "a proposal that does not follow the last one is logged"),
    ("difference-served", "a replica whose digest differs goes on serving"),
    ("vote-by-number", "votes are compared by the candidate's number alone (ZOOKEEPER-1514)"),
    ("settled-unheard", "who looks does not hear members that have a role (ZOOKEEPER-1805)"),
    ("doubtful-leads", "who doubts its log leads again because others follow it still"),
    ("settled-silent", "members that have a role do not answer who looks (ZOOKEEPER-1732)"),
    ("epoch-told-unwritten", "a leader tells its epoch before it is written (ZOOKEEPER-1291)"),
    ("leads-while-establishing", "a leader serves before a quorum has its history (ZOOKEEPER-790)"),
    ("own-ack-early", "a leader counts itself before its log is synced (ZOOKEEPER-4785)"),
    ("diff-starts-late", "a DIFF leaves its first transaction out (ZOOKEEPER-2846)"),
    ("epoch-at-uptodate", "NEWLEADER is acknowledged without writing currentEpoch (ZOOKEEPER-1282)"),
    ("memory-kept", "the tree is not taken to the log's end between two roles (ZOOKEEPER-2845)"),
    ("log-runs-on", "a member looks before its log is settled (ZOOKEEPER-4712)"),
    ("applied-at-proposal", "a follower applies a proposal before its commit (ZOOKEEPER-2247)"),
    ("broken-disk-receives", "a disk that fails while a snapshot comes is asked again by every leader"),
    ("snapshot-in-memory", "a leader's snapshot is not written (ZOOKEEPER-3642)"),
    ("epoch-unsynced", "an epoch file is replaced without a sync (ZOOKEEPER-2307)"),
    ("segment-name-unsynced", "the name of a log segment is not synced (LazyFS 7)"),
    ("torn-tail-refused", "a torn record at the end of the log refuses the start (ZOOKEEPER-2560)"),
    ("emptied-disk-trusted", "an emptied disk votes (ZOOKEEPER-2325)"),
    ("unadopted-trusted", "an emptied disk votes when a leader has filled it, before it adopts an epoch"),
    ("snapshot-without-sessions", "a snapshot has no sessions (ZOOKEEPER-3144)"),
    ("snapshot-lacks-acl", "a snapshot lacks ACLs (ZOOKEEPER-4846)"),
    ("pzxid-forgotten", "a snapshot is read without pzxid (ZOOKEEPER-3125)"),
    ("cversion-forgotten", "a snapshot is read without cversion (ZOOKEEPER-1046)"),
    ("set-watches-silent", "watches set again do not tell what changed meanwhile (ZOOKEEPER-706)"),
    ("touches-unheard", "a leader does not hear of sessions at learners (ZOOKEEPER-1367)"),
    ("accepted-forgotten", "a start takes currentEpoch for acceptedEpoch (ZOOKEEPER-1653)"),
    ("epoch-acked-unwritten", "ACKEPOCH leaves before acceptedEpoch is written (ZOOKEEPER-1291)"),
    ("newleader-first", "NEWLEADER is queued before the history (ZOOKEEPER-3104)"),
    ("unlogged-before-uptodate", "what comes between NEWLEADER and UPTODATE is not logged (ZOOKEEPER-1319)"),
    ("sync-failure-ignored", "a failed sync of the log is taken for done (fsyncgate)"),
    ("sync-unconfirmed", "a sync is answered without a quorum (ZOOKEEPER-2136)"),
    ("cut-keeps-snapshots", "a truncation leaves later snapshots (ZOOKEEPER-4837)"),
    ("lagging-server-taken", "a client is taken that has seen more"),
    ("upgrade-untold", "the ensemble is not told that a local session is its own now (ZOOKEEPER-1208)"),
    ("ended-session-writes", "a session that the ensemble has ended writes as if it were a local one"),
    ("damage-cut", "damage in the middle of the log is cut off like a torn end"),
    ("cut-at-damage", "a truncation takes a damaged record for the log's end (ZOOKEEPER-3701)"),
    ("neighbours-behind-damage", "what a damaged log hides is said not to exist"),
    ("record-sum-ignored", "the checksum of a log record is not compared"),
    ("failed-sync-forgotten", "what a failed sync left in the page cache is called durable after a restart"),
    ("damaged-snapshot-skipped", "an older snapshot is gone on from though the logs lack what followed it"),
    ("snapshot-sum-ignored", "the checksum of a snapshot is not compared"),
    ("observer-unlogged", "an observer applies without logging"),
    ("serves-before-synced", "a learner serves before it has its leader's history"),
    ("informed-otherwise", "observers are sent other bytes than followers"),
    ("ping-ahead", "the answer to a ping carries a zxid that is not there yet"),
    ("answer-of-another", "a write is answered with the zxid of the transaction before its own"),
    ("digest-misloaded", "a snapshot is read with a wrong digest"),
];

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;
    use std::sync::OnceLock;

    static EVERYWHERE: OnceLock<String> = OnceLock::new();

    thread_local! {
        static HERE: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Is the defect switched on for this thread, or for the process?
    pub fn on(name: &str) -> bool {
        HERE.get() == Some(name) || EVERYWHERE.get().is_some_and(|n| n == name)
    }

    /// Switches a defect on (or all off) for the calling thread.
    pub fn here(name: Option<&'static str>) {
        HERE.set(name);
    }

    /// Switches a defect on for the whole process, once.
    pub fn everywhere(name: String) {
        let _ = EVERYWHERE.set(name);
    }
}

#[cfg(feature = "mutants")]
pub use switch::{everywhere, here, on};

/// Is the defect switched on? Never in a build without the feature.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn on(_: &str) -> bool {
    false
}
