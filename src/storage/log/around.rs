//! What the logs hold around a zxid: where a learner that ends with it stands in this history.
//!
//! # Invariants
//!
//! * What is said to be held is held without a gap from there to the end of the log. Where damage hides
//!   what stood there nothing is said: a learner must not cut what this log alone has lost.
//! * Only durable transactions count.

use super::follows;
use super::read::SegmentReader;
use crate::disk::{Disk, DiskFile};
use crate::storage::error::{Result, StorageError};
use crate::storage::mark::SegmentMark;
use crate::storage::names::{self, Dirs, LogFile};
use crate::types::{Zxid, mutant};

/// The neighbourhood of a zxid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Around {
    /// The last transaction at or before it; `None` if the logs begin later.
    pub floor: Option<Zxid>,
    /// The first one behind it.
    pub next: Option<Zxid>,
    /// Bytes of log behind it, about.
    pub bytes: u64,
}

/// Looks up `zxid` in the logs, which end with `until`.
pub(in crate::storage) fn around<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    marks: &[SegmentMark],
    zxid: Zxid,
    until: Zxid,
) -> Result<Around> {
    let mut logs = names::logs(disk, &dirs.log())?;
    logs.retain(|l| l.first <= until);
    let later = logs.partition_point(|l| l.first <= zxid);
    let (before, behind) = logs.split_at(later);
    let mut found = Around { next: behind.first().map(|l| l.first), ..Around::default() };
    for log in behind {
        found.bytes += len(disk, marks, log)?;
    }
    match before.last() {
        Some(log) => within(disk, marks, log, zxid, until, &mut found)?,
        None => found.floor = base(disk, dirs, zxid, found.next, until)?,
    }
    Ok(found)
}

/// Looks through the segment that holds the place.
fn within<D: Disk>(
    disk: &D,
    marks: &[SegmentMark],
    log: &LogFile,
    zxid: Zxid,
    until: Zxid,
    found: &mut Around,
) -> Result<()> {
    let mut reader = SegmentReader::open(disk, &log.path)?;
    let mut passed = 0;
    let follower = found.next;
    let mut passed_by = false;
    while let Some(entry) = reader.next_entry()? {
        passed_by = entry.zxid > until || entry.zxid > zxid;
        if entry.zxid > zxid && entry.zxid <= until {
            found.next = Some(entry.zxid);
        }
        if passed_by {
            break;
        }
        found.floor = Some(entry.zxid);
        passed = reader.position();
    }
    // It ended before the place was passed: as it should, or by damage? (However an older segment ends,
    // nothing is missing if the next one goes on exactly there.)
    let flaw = reader.end().is_some_and(|end| end.flaw.is_some());
    let hidden = match follower {
        Some(next) => found.floor.is_some_and(|floor| !follows(floor, next)),
        None => flaw,
    };
    if !passed_by && hidden && !mutant::on("neighbours-behind-damage") {
        found.floor = None;
    }
    if found.floor < Some(until) {
        found.bytes += len(disk, marks, log)?.saturating_sub(passed);
    }
    Ok(())
}

/// No log begins at or before `zxid`. It is held all the same where the logs begin: as the one just
/// before their first, or as the snapshot from which they go on.
fn base<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    zxid: Zxid,
    first: Option<Zxid>,
    until: Zxid,
) -> Result<Option<Zxid>> {
    let just_before = first.is_some() && zxid.next() == first;
    let snapshots = names::snapshots(disk, &dirs.snap())?;
    let newest_before = snapshots.iter().map(|s| s.zxid).find(|z| first.is_none_or(|f| *z < f));
    let at_base = newest_before == Some(zxid) && (first.is_some() || zxid == until);
    Ok((just_before || at_base).then_some(zxid))
}

/// Bytes of a segment that hold records, as its mark says; without one, those of the file.
fn len<D: Disk>(disk: &D, marks: &[SegmentMark], log: &LogFile) -> Result<u64> {
    if let Some(mark) = marks.iter().find(|m| m.name == log.first).filter(|m| m.size > 0) {
        return Ok(mark.size);
    }
    let file = disk.open_read(&log.path).and_then(|f| f.len());
    file.map_err(|e| StorageError::io("cannot read", &log.path, &e))
}
