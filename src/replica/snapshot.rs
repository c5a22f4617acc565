//! A point-in-time view of the replicated state, taken beside traffic.
//!
//! # Invariants
//!
//! * What comes out is the state at [`SnapshotTask::zxid`], whatever is applied meanwhile.
//! * Every task that begins is ended, else the tree keeps old versions for ever.

use super::shared::Shared;
use crate::tree::SnapshotCursor;
use crate::types::{Zxid, mutant};

/// A snapshot under way.
#[derive(Debug)]
#[must_use = "a snapshot that begins must be ended"]
pub struct SnapshotTask {
    cursor: SnapshotCursor,
    sessions: Vec<(i64, i32)>,
}

impl SnapshotTask {
    /// The last transaction that it contains.
    pub fn zxid(&self) -> Zxid {
        self.cursor.zxid()
    }

    /// The tree's digest at that point, where digests are kept.
    pub fn digest(&self) -> Option<(Zxid, i64)> {
        self.cursor.digest()
    }

    /// Appends sessions and ACLs: what stands before the znodes.
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        self.cursor.encode_head(&self.sessions, out);
    }

    /// Was the last znode written? False as well when the state was replaced meanwhile.
    pub fn is_complete(&self) -> bool {
        self.cursor.is_complete()
    }

    /// Znodes written so far.
    pub fn nodes(&self) -> u64 {
        self.cursor.nodes()
    }
}

impl Shared {
    /// Fixes the point in time. Costs a copy of the session table, not of the tree.
    pub fn begin_snapshot(&self) -> SnapshotTask {
        let mut store = self.store_mut();
        let mut sessions: Vec<(i64, i32)> = store.sessions.iter().map(|(id, t)| (*id, *t)).collect();
        sessions.sort_unstable();
        if mutant::on("snapshot-without-sessions") {
            sessions.clear();
        }
        SnapshotTask { cursor: store.tree.begin_snapshot(), sessions }
    }

    /// Appends about `budget` bytes of encoded znodes, parents first; false when that was all.
    /// The store is held for reading meanwhile: the budget bounds how long an apply waits.
    pub fn snapshot_chunk(&self, task: &mut SnapshotTask, budget: usize, out: &mut Vec<u8>) -> bool {
        self.store().tree.snapshot_chunk(&mut task.cursor, budget, out)
    }

    /// Lets go of the point in time.
    pub fn end_snapshot(&self, task: SnapshotTask) {
        // Dropped at the end of the function: the lock is gone by then.
        let _leftovers = self.store_mut().tree.end_snapshot(task.cursor);
    }
}
