//! What a link sends that no packet holds: a whole snapshot, and a stretch of the log.
//!
//! # Invariants
//!
//! * A snapshot is of one moment, whatever is applied meanwhile, and ends with its signature; one
//!   whose tree was replaced under way ends with an error, and so does its link.
//! * A chunk is bounded: applying waits for no more than one.

use crate::disk::Disk;
use crate::peer::PacketKind;
use crate::peer::codec::write_packet;
use crate::replica::member::OpenSnapshot;
use crate::replica::{Shared, SnapshotTask};
use crate::storage::log::iter::LogIter;
use crate::storage::{Dirs, StorageError};
use crate::txn::snapshot::encode_signature;
use crate::types::Zxid;
use std::fmt;
use std::sync::Arc;

/// Why something was not sent to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotSent {
    /// The tree was replaced while its snapshot was sent.
    Replaced,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotSent::Replaced => f.write_str("the state was replaced while its snapshot was being sent"),
        }
    }
}

impl std::error::Error for NotSent {}

/// Sends a snapshot, chunk by chunk.
#[derive(Debug)]
pub struct SnapshotSender {
    shared: Arc<Shared>,
    task: Option<SnapshotTask>,
    begun: bool,
}

impl SnapshotSender {
    /// Sends `task`, a moment of `shared`.
    pub fn new(shared: Arc<Shared>, task: SnapshotTask) -> SnapshotSender {
        SnapshotSender { shared, task: Some(task), begun: false }
    }

    /// Sends what a member has opened; `None` if it has ended.
    pub fn of(open: OpenSnapshot) -> Option<SnapshotSender> {
        open.into_parts().map(|(shared, task)| SnapshotSender::new(shared, task))
    }

    /// The last transaction of the snapshot; -1 when it is sent.
    pub fn zxid(&self) -> Zxid {
        self.task.as_ref().map_or(Zxid(-1), SnapshotTask::zxid)
    }

    /// Appends about `budget` bytes to `out`; false when those were the last.
    ///
    /// # Errors
    ///
    /// The state was replaced meanwhile: what was sent is worth nothing.
    pub fn chunk(&mut self, budget: usize, out: &mut Vec<u8>) -> Result<bool, NotSent> {
        let Some(task) = &mut self.task else { return Ok(false) };
        if !self.begun {
            self.begun = true;
            task.encode_head(out);
        }
        if self.shared.snapshot_chunk(task, budget, out) {
            return Ok(true);
        }
        let complete = task.is_complete();
        self.let_go();
        if !complete {
            return Err(NotSent::Replaced);
        }
        encode_signature(out);
        Ok(false)
    }

    fn let_go(&mut self) {
        if let Some(task) = self.task.take() {
            self.shared.end_snapshot(task);
        }
    }
}

impl Drop for SnapshotSender {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Sends a stretch of the log, chunk by chunk: a PROPOSAL and a COMMIT for every transaction, as
/// learners that synchronise are sent what is committed.
pub struct LogSender<D: Disk> {
    log: LogIter<D>,
}

impl<D: Disk> LogSender<D> {
    /// Everything behind `after`, which the log holds, up to `upto`, which is durable.
    ///
    /// # Errors
    ///
    /// The log cannot be listed.
    pub fn open(disk: &D, dirs: &Dirs, after: Zxid, upto: Zxid) -> Result<LogSender<D>, StorageError> {
        LogIter::after(disk, dirs, after, upto).map(|log| LogSender { log })
    }

    /// Appends packets until `budget` bytes are reached; false when those were the last.
    ///
    /// # Errors
    ///
    /// The log does not hold all of it (any more), or cannot be read.
    pub fn chunk(&mut self, budget: usize, out: &mut Vec<u8>) -> Result<bool, StorageError> {
        let start = out.len();
        while out.len() - start < budget {
            let Some((zxid, entry)) = self.log.next_entry()? else { return Ok(false) };
            write_packet(PacketKind::Proposal, zxid, Some(&entry), out);
            write_packet(PacketKind::Commit, zxid, None, out);
        }
        Ok(true)
    }
}
