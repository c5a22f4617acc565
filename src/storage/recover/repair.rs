//! What recovery changes on the medium, after everything was judged.
//!
//! # Invariants
//!
//! * Only bytes that no promise can rest on are removed: the rest of a torn write, a newest
//!   segment without a record, files under construction.
//! * Everything that the state was made of is synced, names included. What no mark says to be durable is
//!   written again before: where a sync failed, the system may show what never reached the medium, and call
//!   it clean from then on; only new writes make the next sync cover it.

use super::replay::{Replay, Segment};
use crate::disk::{Disk, DiskFile, Synced};
use crate::limits::REWRITE_STEP;
use crate::storage::error::{Notice, Result, StorageError};
use crate::storage::log::format::HEADER;
use crate::storage::mark::{MarkSet, SegmentMark};
use crate::storage::names::{self, Dirs, SnapshotFile, UNDER_CONSTRUCTION};
use crate::types::mutant;
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
    let newest = replay.segments.iter().rev().find(|s| s.last.is_some()).map(|s| s.name);
    for s in &replay.segments {
        let Some(last) = s.last else {
            set.segments.retain(|m| m.name != s.name);
            continue;
        };
        keep(disk, s, newest == Some(s.name))?;
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
/// that its preallocation holds: no record will be added to it. (Older segments without a mark are
/// another server's, which had synced them before it began the next one.)
fn keep<D: Disk>(disk: &D, s: &Segment, newest: bool) -> Result<()> {
    let unsure = s.marked < s.end && (s.marked > 0 || newest);
    if s.torn || unsure {
        let mut file = disk.open_write(&s.path).map_err(|e| StorageError::io("cannot open", &s.path, &e))?;
        if unsure && !mutant::on("failed-sync-forgotten") {
            write_again(&mut file, s)?;
        }
        match s.torn {
            true => file.set_len(s.end).map_err(|e| StorageError::io("cannot cut", &s.path, &e))?,
            false => file.release(s.end),
        }
        let _contents = file.sync().map_err(|e| StorageError::io("cannot sync", &s.path, &e))?;
        return Ok(());
    }
    if let Ok(mut file) = disk.open_write(&s.path) {
        file.release(s.end);
    }
    sync(disk, &s.path)
}

/// Writes the records behind the mark once more, the same bytes in their place.
fn write_again<F: DiskFile>(file: &mut F, s: &Segment) -> Result<()> {
    let io = |e: std::io::Error| StorageError::io("cannot write again", &s.path, &e);
    // Without a mark the header is no surer than the records.
    let mut at = if s.marked >= HEADER as u64 { s.marked } else { 0 };
    let mut piece = Vec::new();
    while at < s.end {
        piece.resize(usize::try_from(s.end - at).map_or(REWRITE_STEP, |rest| rest.min(REWRITE_STEP)), 0);
        let read = file.read_at(&mut piece, at).map_err(io)?;
        let bytes = piece.get(..read).filter(|b| !b.is_empty());
        let bytes = bytes.ok_or_else(|| io(std::io::ErrorKind::UnexpectedEof.into()))?;
        file.write_all_at(bytes, at).map_err(io)?;
        at += read as u64;
    }
    Ok(())
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
