//! Are these the directories of a server, and may it use them?
//!
//! # Invariants
//!
//! * Only a missing `version-2` folder is made, and only with `datadir.autocreate`.

use super::Rules;
use crate::disk::Disk;
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{self, Dirs};
use std::path::Path;

/// Checks, and makes what may be made (`FileTxnSnapLog`'s constructor).
pub fn check_dirs<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules) -> Result<()> {
    prepare(disk, &dirs.log(), "dataLogDir", rules.datadir_autocreate)?;
    prepare(disk, &dirs.snap(), "dataDir", rules.datadir_autocreate)?;
    if dirs.are_separate() {
        refuse(disk, &dirs.log(), "snapshot.", "snapshots", "dataLogDir")?;
        refuse(disk, &dirs.snap(), "log.", "transaction logs", "dataDir")?;
    }
    Ok(())
}

/// Keeps the directories for this process; a second server on them is refused.
pub fn lock_dirs<D: Disk>(disk: &D, dirs: &Dirs) -> Result<()> {
    let own = dirs.own();
    let io = |e: std::io::Error| StorageError::io("cannot lock", &own, &e);
    if !disk.exists(&own).map_err(io)? {
        disk.create_dir_all(&own).map_err(io)?;
    }
    match disk.lock(&own) {
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Err(StorageError::directory(
            format!("another process of oxkeeper uses {}", dirs.data_log().display()),
            "stop it first, or give each server directories of its own",
        )),
        other => other.map_err(io),
    }
}

fn prepare<D: Disk>(disk: &D, dir: &Path, key: &str, create: bool) -> Result<()> {
    let unusable = |doing: &str, e: std::io::Error| {
        let e = StorageError::io(doing, dir, &e);
        StorageError { trouble: crate::storage::error::Trouble::Directory, ..e }
    };
    if !disk.exists(dir).map_err(|e| unusable("cannot look for", e))? {
        if !create {
            let what = format!("{} does not exist and datadir.autocreate is false", dir.display());
            return Err(StorageError::directory(what, format!("make it, or correct {key}")));
        }
        make(disk, dir).map_err(|e| unusable("cannot make", e))?;
    }
    if !disk.writable(dir).map_err(|e| unusable("cannot look at", e))? {
        let what = format!("{} is not writable", dir.display());
        return Err(StorageError::directory(
            what,
            "give it to the user of the server (chown), or mount it writable",
        ));
    }
    disk.list(dir).map(drop).map_err(|e| unusable("cannot list", e))
}

/// Makes the folder and its parents; all of their names are durable on return.
fn make<D: Disk>(disk: &D, dir: &Path) -> std::io::Result<()> {
    let mut missing = Vec::new();
    for d in dir.ancestors() {
        if disk.exists(d)? {
            break;
        }
        missing.push(d);
    }
    disk.create_dir_all(dir)?;
    for parent in missing.iter().rev().filter_map(|d| d.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let _named = disk.sync_dir(parent)?;
    }
    Ok(())
}

fn refuse<D: Disk>(disk: &D, dir: &Path, prefix: &str, what: &str, key: &str) -> Result<()> {
    match names::names(disk, dir)?.into_iter().find(|n| n.starts_with(prefix)) {
        None => Ok(()),
        Some(name) => Err(StorageError::directory(
            format!("{} holds {what} ({name}) and should not", dir.display()),
            format!("check {key} and its counterpart: were they swapped or changed? Nothing was changed"),
        )),
    }
}
