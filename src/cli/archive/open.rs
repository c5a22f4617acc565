//! Opens an archive, whichever form it has: its members become files of a read-only disk.
//!
//! # Invariants
//!
//! * What is open has every member that its manifest names, in full length, and no other one.

use super::disk::{ArchiveDisk, Slot};
use super::manifest::Manifest;
use super::{folder, tape};
use crate::cli::fault::Fault;
use crate::disk::{Disk, DiskFile};
use crate::storage::Dirs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An open archive.
pub struct Archive<D: Disk> {
    /// Its members.
    pub disk: ArchiveDisk<D>,
    /// Where they lie on that disk.
    pub dirs: Dirs,
    /// What they are.
    pub manifest: Manifest,
    /// Where the archive is.
    pub path: PathBuf,
}

/// Is it the directory of a backup?
pub fn is_folder<D: Disk>(disk: &D, path: &Path) -> Result<bool, Fault> {
    let manifest = path.join(super::manifest::MANIFEST);
    disk.exists(&manifest).map_err(|e| Fault::io("cannot look for", &manifest, &e))
}

/// Opens the backup directory or tar file `path`.
pub fn open<D: Disk>(disk: &D, path: &Path) -> Result<Archive<D>, Fault> {
    let (manifest, members) = match folder::manifest(disk, path) {
        Ok(Some(manifest)) => {
            let members = in_folder(disk, path, &manifest)?;
            (manifest, members)
        }
        // A path below a file is neither there nor an error.
        Ok(None) => in_tape(disk, path)?,
        Err(Fault::Storage(_)) if disk.open_read(path).is_ok() => in_tape(disk, path)?,
        Err(e) => return Err(e),
    };
    let dirs = Dirs::new(Path::new(""), Path::new(""));
    Ok(Archive { disk: ArchiveDisk::new(disk.clone(), members), dirs, manifest, path: path.to_owned() })
}

fn in_folder<D: Disk>(disk: &D, root: &Path, manifest: &Manifest) -> Result<BTreeMap<PathBuf, Slot>, Fault> {
    let mut members = BTreeMap::new();
    for f in manifest.files() {
        let file = root.join(&f.name);
        if !disk.exists(&file).map_err(|e| Fault::io("cannot look for", &file, &e))? {
            return Err(Fault::archive(&f.name, 0, "the file is missing"));
        }
        let len =
            disk.open_read(&file).and_then(|f| f.len()).map_err(|e| Fault::io("cannot read", &file, &e))?;
        check_len(&f.name, f.size, len)?;
        members.insert(PathBuf::from(&f.name), Slot { file, at: 0, len });
    }
    Ok(members)
}

fn in_tape<D: Disk>(disk: &D, path: &Path) -> Result<(Manifest, BTreeMap<PathBuf, Slot>), Fault> {
    let index = tape::index(disk, path)?;
    let manifest = Manifest::parse(&index.manifest)?;
    for f in manifest.files() {
        match index.members.get(Path::new(&f.name)) {
            Some(slot) => check_len(&f.name, f.size, slot.len)?,
            None => return Err(Fault::archive(&f.name, 0, "the archive does not have it")),
        }
    }
    let known = |m: &PathBuf| manifest.files().any(|f| Path::new(&f.name) == m);
    if let Some(other) = index.members.keys().find(|m| !known(m)) {
        return Err(Fault::archive(&other.to_string_lossy(), 0, "the manifest does not name it"));
    }
    Ok((manifest, index.members))
}

fn check_len(name: &str, stated: u64, found: u64) -> Result<(), Fault> {
    if found == stated {
        return Ok(());
    }
    let what = format!("it has {found} bytes, {stated} were written: it is truncated or altered");
    Err(Fault::archive(name, found.min(stated), what))
}
