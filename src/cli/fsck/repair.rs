//! Makes a damaged directory startable by giving up what lies behind the damage.
//!
//! # Invariants
//!
//! * Nothing is changed before a durable copy of all of it exists.
//! * Every change is said before it is made. The loop ends: each turn shortens or removes a file.

use super::loader::Load;
use super::{Trouble, name};
use crate::disk::{Disk, DiskFile};
use crate::storage::error::Place;
use crate::storage::log::format::HEADER;
use crate::storage::names::{self, Dirs, log_zxid, snapshot_zxid};
use crate::storage::recover::{Rules, examine};
use crate::storage::{Result, StorageError};
use std::io::Write;
use std::path::Path;

type Done<T> = std::result::Result<T, Trouble>;

/// Bytes of one step of a copy.
const COPY_STEP: usize = 1 << 20;

/// Copies, then cuts until a server would start. False if it cannot be brought to that.
pub(super) fn repair<D: Disk>(disk: &D, dirs: &Dirs, backup: &Path, out: &mut dyn Write) -> Done<bool> {
    copy_all(disk, dirs, backup, out)?;
    let most = names::logs(disk, &dirs.log())?.len() + names::snapshots(disk, &dirs.snap())?.len() + 2;
    let mut last_place = None;
    for _ in 0..=most {
        let e = match examine(disk, dirs, &Rules::default(), &mut Load::new()) {
            Ok(_) => return Ok(true),
            Err(e) => e,
        };
        let Some(place) = e.place.clone().filter(|p| Some(p) != last_place.as_ref()) else {
            writeln!(out, "This cannot be repaired here: {e}")?;
            return Ok(false);
        };
        writeln!(out, "repairing: {e}")?;
        give_up(disk, dirs, &place, out)?;
        last_place = Some(place);
    }
    Ok(false)
}

/// Removes what stands in the way of a start.
fn give_up<D: Disk>(disk: &D, dirs: &Dirs, place: &Place, out: &mut dyn Write) -> Done<()> {
    // What the marks promise is no longer there.
    for mark in ["mark.0", "mark.1"].map(|m| dirs.own().join(m)) {
        if disk.exists(&mark).map_err(|e| StorageError::io("cannot look for", &mark, &e))? {
            remove(disk, &mark, out)?;
        }
    }
    let file = name(&place.file);
    if snapshot_zxid(&file).is_some() {
        remove(disk, &place.file, out)?;
    } else if let Some(first) = log_zxid(&file) {
        for later in names::logs(disk, &dirs.log())?.iter().rev().filter(|l| l.first > first) {
            remove(disk, &later.path, out)?;
        }
        if place.offset <= HEADER as u64 {
            remove(disk, &place.file, out)?;
        } else {
            cut(disk, &place.file, place.offset, out)?;
        }
    }
    for dir in [dirs.log(), dirs.snap()] {
        let _names = disk.sync_dir(&dir).map_err(|e| StorageError::io("cannot sync", &dir, &e))?;
    }
    Ok(())
}

fn remove<D: Disk>(disk: &D, path: &Path, out: &mut dyn Write) -> Done<()> {
    writeln!(out, "removing {}", path.display())?;
    disk.remove(path).map_err(|e| StorageError::io("cannot remove", path, &e))?;
    Ok(())
}

fn cut<D: Disk>(disk: &D, path: &Path, at: u64, out: &mut dyn Write) -> Done<()> {
    writeln!(out, "cutting {} at offset {at}", path.display())?;
    let io = |e: std::io::Error| StorageError::io("cannot cut", path, &e);
    let mut file = disk.open_write(path).map_err(io)?;
    file.set_len(at).map_err(io)?;
    let _durable = file.sync().map_err(io)?;
    Ok(())
}

/// Copies both `version-2` folders and our own one.
fn copy_all<D: Disk>(disk: &D, dirs: &Dirs, backup: &Path, out: &mut dyn Write) -> Done<()> {
    if disk.exists(backup).map_err(|e| StorageError::io("cannot look for", backup, &e))? {
        let what = format!("{} exists already", backup.display());
        return Err(
            StorageError::directory(what, "name a new folder for the backup; nothing was changed").into()
        );
    }
    let mut pairs = vec![(dirs.snap(), backup.join("version-2")), (dirs.own(), backup.join("oxkeeper"))];
    if dirs.are_separate() {
        pairs.push((dirs.log(), backup.join("log").join("version-2")));
    }
    for (from, to) in pairs {
        if disk.exists(&from).map_err(|e| StorageError::io("cannot look for", &from, &e))? {
            copy_folder(disk, &from, &to)?;
        }
    }
    for dir in [backup.parent().unwrap_or(Path::new(".")), backup] {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let _names = disk.sync_dir(dir).map_err(|e| StorageError::io("cannot sync", dir, &e))?;
    }
    writeln!(out, "copied everything to {}", backup.display())?;
    Ok(())
}

fn copy_folder<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<()> {
    disk.create_dir_all(to).map_err(|e| StorageError::io("cannot make", to, &e))?;
    for file in names::names(disk, from)? {
        if file != "lock" && file != "reserve" {
            copy(disk, &from.join(&file), &to.join(&file))?;
        }
    }
    let _names = disk.sync_dir(to).map_err(|e| StorageError::io("cannot sync", to, &e))?;
    Ok(())
}

fn copy<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<()> {
    let read = |e: std::io::Error| StorageError::io("cannot read", from, &e);
    let written = |e: std::io::Error| StorageError::io("cannot write", to, &e);
    let source = disk.open_read(from).map_err(read)?;
    let mut target = disk.create_new(to).map_err(written)?;
    let (mut at, mut step) = (0, vec![0; COPY_STEP]);
    loop {
        let n = source.read_at(&mut step, at).map_err(read)?;
        let Some(bytes) = step.get(..n).filter(|b| !b.is_empty()) else { break };
        target.write_all_at(bytes, at).map_err(written)?;
        at += n as u64;
    }
    let _durable = target.sync().map_err(written)?;
    Ok(())
}
