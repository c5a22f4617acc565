//! Reads an archive whole and compares everything with its manifest.
//!
//! # Invariants
//!
//! * What passed holds exactly the transactions and znodes that its manifest states, bit for bit as written.
//! * Cost is two passes over each member; memory one block and one record.

use super::manifest::{FileSums, LogMember, SnapshotMember, hex};
use super::open::Archive;
use super::sums::Pace;
use super::walk::walk;
use crate::cli::fault::Fault;
use crate::cli::progress::Progress;
use crate::disk::{Disk, DiskFile};
use crate::limits::ARCHIVE_BLOCK;
use crate::storage::names::{LogFile, snapshot_zxid};
use crate::storage::snapshot::{SnapshotVisitor, read_snapshot};
use crate::storage::{SnapshotFile, StorageError};
use crate::txn;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::types::Zxid;
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Verifies every member.
pub fn verify<D: Disk>(archive: &Archive<D>, pace: &mut Pace, progress: &mut Progress) -> Result<(), Fault> {
    for s in &archive.manifest.snapshots {
        bytes(archive, &s.file, pace, progress)?;
        snapshot(archive, s)?;
    }
    for l in &archive.manifest.logs {
        bytes(archive, &l.file, pace, progress)?;
        log(archive, l)?;
    }
    Ok(())
}

/// Block by block, so that damage has a place.
fn bytes<D: Disk>(
    archive: &Archive<D>,
    f: &FileSums,
    pace: &mut Pace,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let path = Path::new(&f.name);
    let file = archive.disk.open_read(path).map_err(|e| Fault::io("cannot read", path, &e))?;
    let step = usize::try_from(f.size).unwrap_or(usize::MAX).min(ARCHIVE_BLOCK);
    let (mut at, mut buf, mut sha) = (0, vec![0; step], Sha256::new());
    progress.begin(path, 0);
    for sum in &f.blocks {
        let n = file.read_at(&mut buf, at).map_err(|e| Fault::io("cannot read", path, &e))?;
        let block = buf.get(..n).unwrap_or(&[]);
        if crc32fast::hash(block) != *sum {
            let what = format!("the checksum of its {n} bytes from there does not match: it is altered");
            return Err(Fault::archive(&f.name, at, what));
        }
        sha.update(block);
        file.forget(at, n as u64);
        at += n as u64;
        pace.by(n);
        progress.at(at);
    }
    if at != f.size || hex(&sha.finalize()) != f.sha256.to_ascii_lowercase() {
        return Err(Fault::archive(&f.name, 0, "its SHA-256 does not match: it is altered"));
    }
    Ok(())
}

/// A flaw inside of a member, by its place there.
fn inside(name: &str, e: StorageError) -> Fault {
    match &e.place {
        Some(place) => Fault::archive(name, place.offset, e.what.clone()),
        None => Fault::Storage(e),
    }
}

struct Count;

impl SnapshotVisitor for Count {
    fn head(&mut self, _: SnapshotHead) -> Result<(), String> {
        Ok(())
    }

    fn node(&mut self, _: &SnapshotNode<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// The snapshot of a member, as a file of the archive's disk.
pub fn snapshot_file(s: &SnapshotMember) -> SnapshotFile {
    let path = PathBuf::from(&s.file.name);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let compression = snapshot_zxid(&name).map(|(_, c)| c).unwrap_or_default();
    SnapshotFile { zxid: s.zxid.0, compression, path }
}

/// The piece of a member, as a file of the archive's disk.
pub fn log_file(l: &LogMember) -> LogFile {
    LogFile { first: l.first.0, path: PathBuf::from(&l.file.name) }
}

fn snapshot<D: Disk>(archive: &Archive<D>, s: &SnapshotMember) -> Result<(), Fault> {
    let name = &s.file.name;
    let info = read_snapshot(&archive.disk, &snapshot_file(s), &mut Count).map_err(|e| inside(name, e))?;
    if info.nodes != s.znodes {
        let what = format!("it has {} znodes, the manifest says {}", info.nodes, s.znodes);
        return Err(Fault::archive(name, 0, what));
    }
    Ok(())
}

fn log<D: Disk>(archive: &Archive<D>, l: &LogMember) -> Result<(), Fault> {
    let name = &l.file.name;
    let (mut first, mut last, mut count, mut end) = (None, (Zxid::ZERO, 0), 0, 0);
    let torn = walk(&archive.disk, &[log_file(l)], Zxid::ZERO, &mut |step| {
        let e = &step.entry;
        txn::decode(e.bytes)
            .map_err(|why| StorageError::damage(Path::new(name), e.offset, Some(e.zxid), why.to_string()))?;
        first.get_or_insert(e.zxid);
        (last, end) = ((e.zxid, e.checksum), step.end);
        count += 1;
        Ok(ControlFlow::Continue(()))
    })
    .map_err(|e| inside(name, e))?;
    let stated = (Some(l.first.0), (l.last.0, l.last_checksum), l.transactions);
    if torn.is_some() || (first, last, count) != stated || end != l.file.size {
        let what = format!("it holds {count} transactions up to {}, the manifest says otherwise", last.0);
        return Err(Fault::archive(name, end, what));
    }
    Ok(())
}
