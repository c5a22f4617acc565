//! What recovery changes on the medium, after everything was judged.
//!
//! # Invariants
//!
//! * Only bytes that no promise can rest on are removed: the rest of a torn write, a newest
//!   segment without a record, files under construction.
//! * Everything that the state was made of is synced, names included.

use super::replay::{Replay, Segment};
use crate::disk::{Disk, DiskFile, Synced};
use crate::storage::error::{Notice, Result, StorageError};
use crate::storage::mark::{MarkSet, SegmentMark};
use crate::storage::names::{self, Dirs, SnapshotFile, UNDER_CONSTRUCTION};
use std::path::Path;

/// Cuts, removes, syncs; returns the marks to go on from, and the evidence of the last sync.
pub(super) fn settle<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    replay: &Replay,
    snapshot: Option<&SnapshotFile>,
    marks: Option<MarkSet>,
    notices: &mut Vec<Notice>,
) -> Result<(MarkSet, Synced)> {
    let mut set = marks.unwrap_or_default();
    let present = names::logs(disk, &dirs.log())?;
    set.segments.retain(|m| present.iter().any(|l| l.first == m.name));
    for s in &replay.segments {
        let Some(last) = s.last else {
            set.segments.retain(|m| m.name != s.name);
            continue;
        };
        keep(disk, s)?;
        let mark = SegmentMark { name: s.name, size: s.end, sum: s.sum, first: s.first.unwrap_or(0), last };
        set.segments.retain(|m| m.name != s.name);
        set.put(mark);
    }
    set.segments.sort_by_key(|m| m.name);
    for s in replay.segments.iter().rev().take_while(|s| s.last.is_none()) {
        disk.remove(&s.path).map_err(|e| StorageError::io("cannot remove", &s.path, &e))?;
        notices.push(Notice(format!("{} held no transaction and was removed", s.path.display())));
    }
    sweep(disk, &dirs.snap())?;
    if let Some(snapshot) = snapshot {
        sync(disk, &snapshot.path)?;
    }
    let names = |dir: &Path| disk.sync_dir(dir).map_err(|e| StorageError::io("cannot sync", dir, &e));
    let _snapshots = names(&dirs.snap())?;
    let synced = names(&dirs.log())?;
    set.installing = None;
    set.floor = replay.last;
    Ok((set, synced))
}

/// Makes a segment durable up to its last record, without a torn rest, and gives back the room
/// that its preallocation holds: no record will be added to it.
fn keep<D: Disk>(disk: &D, s: &Segment) -> Result<()> {
    if s.torn {
        let mut file = disk.open_write(&s.path).map_err(|e| StorageError::io("cannot open", &s.path, &e))?;
        file.set_len(s.end).map_err(|e| StorageError::io("cannot cut", &s.path, &e))?;
        let _cut = file.sync().map_err(|e| StorageError::io("cannot sync", &s.path, &e))?;
        return Ok(());
    }
    if let Ok(mut file) = disk.open_write(&s.path) {
        file.release(s.end);
    }
    sync(disk, &s.path)
}

fn sync<D: Disk>(disk: &D, path: &Path) -> Result<()> {
    let mut file = disk.open_read(path).map_err(|e| StorageError::io("cannot open", path, &e))?;
    let _contents = file.sync().map_err(|e| StorageError::io("cannot sync", path, &e))?;
    Ok(())
}

/// Removes what an interrupted run had under construction.
fn sweep<D: Disk>(disk: &D, dir: &Path) -> Result<()> {
    for name in names::names(disk, dir)?.iter().filter(|n| n.starts_with(UNDER_CONSTRUCTION)) {
        let path = dir.join(name);
        disk.remove(&path).map_err(|e| StorageError::io("cannot remove", &path, &e))?;
    }
    Ok(())
}

/// The file that asks for trust in an empty database counts once.
pub(super) fn remove_initialize<D: Disk>(disk: &D, dirs: &Dirs) -> Result<()> {
    let path = dirs.initialize();
    let io = |e: std::io::Error| StorageError::io("cannot remove", &path, &e);
    if disk.exists(&path).map_err(io)? {
        disk.remove(&path).map_err(io)?;
        let _name = disk.sync_dir(dirs.data_log()).map_err(io)?;
    }
    Ok(())
}
