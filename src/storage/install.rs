//! Puts a leader's snapshot in place of everything that was there.
//!
//! # Invariants
//!
//! * Until the snapshot has its name, durably, the old state is whole; from then on the new one
//!   counts, whatever of the old one is still there: a mark says so.
//! * No log record of the old history is ever replayed on top of the new one.

use super::error::{Result, StorageError};
use super::mark::Marks;
use super::names::{self, Dirs};
use super::snapshot::{SnapshotWriter, ZxidDigest};
use crate::disk::{Disk, Durable};
use crate::types::Zxid;

/// The trailers of the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tail {
    /// With digests enabled.
    pub digest: Option<ZxidDigest>,
    /// With `serializeLastProcessedZxid.enabled`.
    pub last_zxid: Option<Zxid>,
}

/// Completes the snapshot and removes what it replaces.
pub(super) fn install<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    marks: &mut Marks<D>,
    writer: SnapshotWriter<D>,
    tail: Tail,
) -> Result<Durable<Zxid>> {
    let zxid = writer.zxid();
    // The switch: with this mark and the snapshot's name both durable, the old history is void.
    marks.change(|m| m.installing = Some(zxid));
    marks.write(true)?;
    marks.write(true)?;
    let durable = writer.finish(tail.digest, tail.last_zxid)?;
    discard(disk, dirs, zxid)?;
    marks.change(|m| {
        (m.installing, m.doubtful) = (None, false);
        m.segments.clear();
        m.floor = zxid;
    });
    marks.write(true)?;
    marks.write(true)?;
    Ok(durable.map(|_| zxid))
}

/// Removes the history that an installed snapshot replaces: every log, and the snapshots of
/// later states. Recovery completes it where an install was interrupted.
pub(super) fn discard<D: Disk>(disk: &D, dirs: &Dirs, zxid: Zxid) -> Result<()> {
    let (snap, log) = (dirs.snap(), dirs.log());
    for s in names::snapshots(disk, &snap)?.iter().filter(|s| s.zxid > zxid) {
        remove(disk, &s.path)?;
    }
    for l in names::logs(disk, &log)? {
        remove(disk, &l.path)?;
    }
    for dir in [snap, log] {
        let _names = disk.sync_dir(&dir).map_err(|e| StorageError::io("cannot sync", &dir, &e))?;
    }
    Ok(())
}

fn remove<D: Disk>(disk: &D, path: &std::path::Path) -> Result<()> {
    disk.remove(path).map_err(|e| StorageError::io("cannot remove", path, &e))
}
