//! Removes snapshots and logs that are no longer needed (`PurgeTxnLog`).
//!
//! # Invariants
//!
//! * At least [`MIN_KEPT`] valid snapshots stay, and every log that may hold a transaction behind
//!   the oldest of them.
//! * A crash at any point leaves a directory that recovers to the same state.

use super::error::{Notice, Result, StorageError};
use super::names::{self, Dirs};
use super::snapshot::find_valid;
use crate::disk::Disk;
use std::path::PathBuf;

/// ZooKeeper keeps no fewer.
pub const MIN_KEPT: usize = 3;

/// Files that are no longer needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Snapshots.
    pub snapshots: Vec<PathBuf>,
    /// Logs.
    pub logs: Vec<PathBuf>,
}

/// What may go when `keep` snapshots stay. Nothing is changed.
pub fn outdated<D: Disk>(disk: &D, dirs: &Dirs, keep: usize) -> Result<Outdated> {
    let kept = find_valid(disk, &dirs.snap(), keep.max(MIN_KEPT))?;
    let Some(oldest) = kept.last() else { return Ok(Outdated::default()) };
    let logs = names::logs(disk, &dirs.log())?;
    let needed = names::logs_after(&logs, oldest.zxid).first().map(|l| l.first);
    let old_logs = logs.iter().filter(|l| l.first < oldest.zxid && needed.is_some_and(|n| l.first < n));
    let snapshots = names::snapshots(disk, &dirs.snap())?;
    let old_snapshots = snapshots.iter().filter(|s| s.zxid < oldest.zxid);
    Ok(Outdated {
        snapshots: old_snapshots.map(|s| s.path.clone()).collect(),
        logs: old_logs.map(|l| l.path.clone()).collect(),
    })
}

/// Removes; returns a line for each file.
pub fn purge<D: Disk>(disk: &D, dirs: &Dirs, keep: usize) -> Result<Vec<Notice>> {
    remove_all(disk, dirs, outdated(disk, dirs, keep)?)
}

/// Removes what [`outdated`] found; returns a line for each file.
pub fn remove_all<D: Disk>(disk: &D, dirs: &Dirs, old: Outdated) -> Result<Vec<Notice>> {
    // Snapshots go first: a snapshot without the logs behind it would promise too much.
    let mut removed = remove(disk, &dirs.snap(), old.snapshots)?;
    removed.extend(remove(disk, &dirs.log(), old.logs)?);
    Ok(removed)
}

fn remove<D: Disk>(disk: &D, dir: &std::path::Path, files: Vec<PathBuf>) -> Result<Vec<Notice>> {
    for path in &files {
        disk.remove(path).map_err(|e| StorageError::io("cannot remove", path, &e))?;
    }
    if !files.is_empty() {
        let _names = disk.sync_dir(dir).map_err(|e| StorageError::io("cannot sync", dir, &e))?;
    }
    Ok(files.iter().map(|p| Notice(format!("removed {}", p.display()))).collect())
}
