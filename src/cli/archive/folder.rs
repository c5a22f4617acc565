//! A backup directory: members are added, the manifest is exchanged at the end.
//!
//! # Invariants
//!
//! * At every moment the manifest describes members that are there, durable and whole.
//! * Members are never changed; those of an interrupted run are removed before they are written anew.

use super::manifest::{FOLDER, FileSums, LogMember, MANIFEST, Manifest, SnapshotMember, Source};
use super::plan::{Piece, Plan};
use super::sums::{NewFile, Pace};
use crate::cli::fault::Fault;
use crate::cli::progress::Progress;
use crate::disk::Disk;
use crate::limits::ARCHIVE_MANIFEST_BYTES;
use std::path::Path;

/// The manifest of a backup directory; `None` where there is none yet.
pub fn manifest<D: Disk>(disk: &D, root: &Path) -> Result<Option<Manifest>, Fault> {
    let path = root.join(MANIFEST);
    if !disk.exists(&path).map_err(|e| Fault::io("cannot look for", &path, &e))? {
        return Ok(None);
    }
    let bytes =
        disk.read_small(&path, ARCHIVE_MANIFEST_BYTES).map_err(|e| Fault::io("cannot read", &path, &e))?;
    Manifest::parse(&bytes).map(Some)
}

/// Copies what is planned into the directory `root` and adds it to `manifest`.
pub fn add<D: Disk>(
    disk: &D,
    root: &Path,
    manifest: &mut Manifest,
    (made, source): (String, Source),
    plan: Plan<D>,
    pace: &mut Pace,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let inside = root.join(FOLDER.trim_end_matches('/'));
    disk.create_dir_all(&inside).map_err(|e| Fault::io("cannot make", &inside, &e))?;
    for (member, piece) in plan.snapshots {
        let file = put(disk, root, manifest, &piece, pace, progress)?;
        manifest.snapshots.push(SnapshotMember { file, ..member });
    }
    for (member, piece) in plan.logs {
        let file = put(disk, root, manifest, &piece, pace, progress)?;
        manifest.logs.push(LogMember { file, ..member });
    }
    (manifest.made, manifest.source) = (made, source);
    manifest.digest = plan.digest.or(manifest.digest.take());
    for dir in [&inside, root] {
        let _names = disk.sync_dir(dir).map_err(|e| Fault::io("cannot sync", dir, &e))?;
    }
    let path = root.join(MANIFEST);
    let _durable =
        disk.replace(&path, &manifest.to_bytes()).map_err(|e| Fault::io("cannot write", &path, &e))?;
    Ok(())
}

fn put<D: Disk>(
    disk: &D,
    root: &Path,
    manifest: &Manifest,
    piece: &Piece<D>,
    pace: &mut Pace,
    progress: &mut Progress,
) -> Result<FileSums, Fault> {
    let path = root.join(&piece.name);
    let left = disk.exists(&path).map_err(|e| Fault::io("cannot look for", &path, &e))?;
    if left && manifest.files().all(|f| f.name != piece.name) {
        disk.remove(&path).map_err(|e| Fault::io("cannot remove", &path, &e))?;
    }
    let mut file = NewFile::begin(disk, &path)?;
    let mut at = 0;
    progress.begin(&path, 0);
    let sums = piece.copy(pace, &mut |bytes| {
        file.append(bytes)?;
        at += bytes.len() as u64;
        progress.at(at);
        Ok(())
    })?;
    file.finish()?;
    Ok(sums)
}
