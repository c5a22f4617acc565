//! Takes back transactions that the leader does not know.
//!
//! # Invariants
//!
//! * Every state that a crash may leave on the way is a beginning of the old history and contains
//!   all of the new one.
//! * Nothing at or below the point asked for is lost: where the logs do not reach from the snapshot
//!   that is left to that point, nothing is changed.
//! * A truncation that did not complete never reports success; one over damage is none.

use super::error::{Result, StorageError};
use super::log::follows;
use super::log::format::HEADER;
use super::log::read::SegmentReader;
use super::mark::{Marks, SegmentMark};
use super::names::{self, Dirs, LogFile};
use super::snapshot::find_valid;
use crate::disk::{Disk, DiskFile, Durable, Synced};
use crate::limits::SNAPSHOT_CANDIDATES;
use crate::types::{Zxid, mutant};

/// Where history is to end.
struct Cut {
    log: LogFile,
    mark: SegmentMark,
}

/// Removes everything behind `to`.
pub(super) fn truncate<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    marks: &mut Marks<D>,
    to: Zxid,
) -> Result<Durable<Zxid>> {
    let base = find_valid(disk, &dirs.snap(), SNAPSHOT_CANDIDATES)?.into_iter().find(|s| s.zxid <= to);
    let Some(base) = base else {
        return Err(StorageError::unavailable(format!("no snapshot at or below {to} is left to start from")));
    };
    let logs = names::logs(disk, &dirs.log())?;
    let cut = find_cut(disk, &logs, to)?;
    check_reach(disk, dirs, &logs, base.zxid, cut.as_ref(), to)?;
    let last = cut.as_ref().map_or(base.zxid, |c| c.mark.last.max(base.zxid));
    lower_marks(marks, cut.as_ref(), last)?;
    // Newest first, each name durable before the next: no crash leaves a hole.
    let later = |s: &&names::SnapshotFile| s.zxid > to && !mutant::on("cut-keeps-snapshots");
    for s in names::snapshots(disk, &dirs.snap())?.iter().filter(later) {
        let _name = remove(disk, &s.path, &dirs.snap())?;
    }
    let mut synced = None;
    for log in logs.iter().rev().filter(|l| cut.as_ref().is_none_or(|c| l.first > c.log.first)) {
        synced = Some(remove(disk, &log.path, &dirs.log())?);
    }
    if let Some(c) = cut {
        synced = Some(shorten(disk, &c)?);
    }
    let synced = match synced {
        Some(s) => s,
        None => disk.sync_dir(&dirs.log()).map_err(|e| StorageError::io("cannot sync", &dirs.log(), &e))?,
    };
    Ok(Durable::new(last, &synced))
}

/// Snapshots behind `to` are removed: the logs must lead from the one that is left to beyond `to`,
/// else transactions that only those snapshots hold would go with them.
fn check_reach<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    logs: &[LogFile],
    base: Zxid,
    cut: Option<&Cut>,
    to: Zxid,
) -> Result<()> {
    if names::snapshots(disk, &dirs.snap())?.iter().all(|s| s.zxid <= to) {
        return Ok(());
    }
    let mut at = base;
    for log in names::logs_after(logs, base) {
        let mut reader = SegmentReader::open(disk, &log.path)?;
        while let Some(entry) = reader.next_entry()? {
            if entry.zxid <= at {
                continue;
            }
            if !follows(at, entry.zxid) {
                break;
            }
            if entry.zxid > to {
                return Ok(());
            }
            at = entry.zxid;
        }
    }
    let known = cut.map_or(base, |c| c.mark.last);
    Err(StorageError::unavailable(format!(
        "the logs behind the snapshot of {base} end with {known}: history up to {to} is only in a later snapshot"
    )))
}

/// The segment that holds the last record at or below `to`, and where that record ends.
fn find_cut<D: Disk>(disk: &D, logs: &[LogFile], to: Zxid) -> Result<Option<Cut>> {
    for log in logs.iter().rev().filter(|l| l.first <= to) {
        let mut reader = SegmentReader::open(disk, &log.path)?;
        let mut mark =
            SegmentMark { name: log.first, size: HEADER as u64, sum: 0, first: 0, last: Zxid::ZERO };
        let mut passed = false;
        while let Some(entry) = reader.next_entry()? {
            if entry.zxid > to {
                passed = true;
                break;
            }
            mark.last = mark.last.max(entry.zxid);
            mark.size = reader.position();
            mark.sum = reader.sum();
            mark.first = reader.first_checksum().unwrap_or(0);
        }
        // What is hidden behind a flaw may have been promised: a cut there would take it along.
        let goes_on = logs.iter().find(|l| l.first > log.first).is_some_and(|l| follows(mark.last, l.first));
        let flaw = reader.end().and_then(|end| end.flaw).filter(|_| !passed && !goes_on);
        if let Some(flaw) = flaw.filter(|_| !mutant::on("cut-at-damage")) {
            let what = format!("history is to be cut behind {to}, but {}", flaw.text());
            return Err(StorageError::damage(&log.path, reader.position(), Some(to), what));
        }
        if mark.first != 0 {
            return Ok(Some(Cut { log: log.clone(), mark }));
        }
    }
    Ok(None)
}

fn lower_marks<D: Disk>(marks: &mut Marks<D>, cut: Option<&Cut>, last: Zxid) -> Result<()> {
    marks.change(|m| {
        m.segments.retain(|s| cut.is_some_and(|c| s.name < c.log.first));
        if let Some(c) = cut {
            m.put(c.mark);
        }
        (m.floor, m.doubtful) = (last, false);
    });
    // Both copies: the older one must not come back.
    marks.write(true)?;
    marks.write(true)
}

fn remove<D: Disk>(disk: &D, path: &std::path::Path, dir: &std::path::Path) -> Result<Synced> {
    disk.remove(path).map_err(|e| StorageError::io("cannot remove", path, &e))?;
    disk.sync_dir(dir).map_err(|e| StorageError::io("cannot sync", dir, &e))
}

fn shorten<D: Disk>(disk: &D, cut: &Cut) -> Result<Synced> {
    let path = &cut.log.path;
    let mut file = disk.open_write(path).map_err(|e| StorageError::io("cannot open", path, &e))?;
    file.set_len(cut.mark.size).map_err(|e| StorageError::io("cannot cut", path, &e))?;
    file.sync().map_err(|e| StorageError::io("cannot sync", path, &e))
}
