//! One snapshot from begin to name, in steps that its caller paces.
//!
//! # Invariants
//!
//! * The tree's point in time is let go whatever happens, also when the job is dropped.
//! * A state whose last transaction is Z becomes the file of Z, digest and trailer included.
//! * A state that a leader has replaced meanwhile becomes no file.

use super::branch::Branch;
use crate::disk::{Disk, Durable};
use crate::replica::{Shared, SnapshotTask};
use crate::storage::{Result, Rules, SnapshotFile, SnapshotWriter, StorageError, ZxidDigest};
use crate::txn::DIGEST_VERSION;
use crate::types::Zxid;
use std::path::Path;
use std::sync::Arc;

/// A snapshot under way.
pub struct SnapshotJob<D: Disk> {
    shared: Arc<Shared>,
    branch: Branch,
    number: u64,
    task: Option<SnapshotTask>,
    writer: Option<SnapshotWriter<D>>,
    zxid: Zxid,
    digest: Option<ZxidDigest>,
    last_zxid: Option<Zxid>,
    buffer: Vec<u8>,
}

impl<D: Disk> SnapshotJob<D> {
    /// Fixes the point in time and begins the file in `dir`, the `version-2` folder.
    pub fn begin(
        shared: &Arc<Shared>,
        disk: &D,
        dir: &Path,
        rules: &Rules,
        branch: &Branch,
    ) -> Result<SnapshotJob<D>> {
        let Some(number) = branch.number() else { return Err(replaced()) };
        let task = shared.begin_snapshot();
        let mut head = Vec::new();
        task.encode_head(&mut head);
        let zxid = task.zxid();
        let digest = shared.config().tree.digest.then(|| {
            let (zxid, digest) = task.digest().unwrap_or((Zxid::ZERO, 0));
            ZxidDigest { zxid, version: DIGEST_VERSION, digest }
        });
        let last_zxid = rules.serialize_last_zxid.then_some(zxid);
        match SnapshotWriter::begin(disk, dir, zxid, &head, rules.compression) {
            Ok(writer) => {
                let (shared, branch, buffer) = (shared.clone(), branch.clone(), Vec::new());
                let (task, writer) = (Some(task), Some(writer));
                Ok(SnapshotJob { shared, branch, number, task, writer, zxid, digest, last_zxid, buffer })
            }
            Err(e) => {
                shared.end_snapshot(task);
                Err(e)
            }
        }
    }

    /// The transaction up to which it reaches.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Bytes of the file so far.
    pub fn written(&self) -> u64 {
        self.writer.as_ref().map_or(0, SnapshotWriter::written)
    }

    /// Writes about `budget` bytes of znodes; false when those were the last.
    pub fn step(&mut self, budget: usize) -> Result<bool> {
        let (Some(task), Some(writer)) = (&mut self.task, &mut self.writer) else { return Ok(false) };
        self.buffer.clear();
        let more = self.shared.snapshot_chunk(task, budget, &mut self.buffer);
        writer.chunk(&self.buffer)?;
        Ok(more)
    }

    /// Seals the file and gives it its name.
    pub fn finish(mut self) -> Result<Durable<SnapshotFile>> {
        let complete = self.task.as_ref().is_some_and(SnapshotTask::is_complete);
        self.let_go();
        let branch = self.branch.clone();
        let Some(_same) = branch.hold_if(self.number) else { return Err(replaced()) };
        match self.writer.take().filter(|_| complete) {
            Some(writer) => writer.finish(self.digest, self.last_zxid),
            None => Err(StorageError::bug("a snapshot is to be sealed before its last znode")),
        }
    }

    fn let_go(&mut self) {
        if let Some(task) = self.task.take() {
            self.shared.end_snapshot(task);
        }
    }
}

fn replaced() -> StorageError {
    StorageError::unavailable("the history of which a snapshot was begun is replaced by the leader's")
}

impl<D: Disk> Drop for SnapshotJob<D> {
    fn drop(&mut self) {
        self.let_go();
    }
}
