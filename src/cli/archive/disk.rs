//! An archive as a disk that can only be read: its members are files of a data directory, wherever
//! their bytes lie, in a folder or inside of one tar file.
//!
//! # Invariants
//!
//! * Only members exist, each with exactly the length that the archive states.

use crate::disk::{DirEntry, Disk, DiskFile, Space, Synced};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the bytes of a member lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// In which file.
    pub file: PathBuf,
    /// From where.
    pub at: u64,
    /// So many.
    pub len: u64,
}

/// The members as files.
#[derive(Clone)]
pub struct ArchiveDisk<D: Disk> {
    under: D,
    members: Arc<BTreeMap<PathBuf, Slot>>,
}

impl<D: Disk> ArchiveDisk<D> {
    /// These members, whose bytes lie on `under`.
    pub fn new(under: D, members: BTreeMap<PathBuf, Slot>) -> ArchiveDisk<D> {
        ArchiveDisk { under, members: Arc::new(members) }
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an archive is only read"))
}

impl<D: Disk> Disk for ArchiveDisk<D> {
    type File = Member<D::File>;

    fn open_read(&self, path: &Path) -> io::Result<Member<D::File>> {
        let Some(slot) = self.members.get(path) else {
            let what = format!("{}: no such member", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        Ok(Member { file: self.under.open_read(&slot.file)?, at: slot.at, len: slot.len })
    }

    fn open_write(&self, _: &Path) -> io::Result<Member<D::File>> {
        read_only()
    }

    fn create_new(&self, _: &Path) -> io::Result<Member<D::File>> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let inside = self.members.keys().filter(|m| m.parent() == Some(path));
        let name = |m: &PathBuf| m.file_name().map(|n| n.to_string_lossy().into_owned());
        Ok(inside.filter_map(|m| Some(DirEntry { name: name(m)?, is_dir: false })).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.members.keys().any(|m| m.starts_with(path)))
    }

    fn writable(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<Synced> {
        read_only()
    }

    fn lock(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { free: 0, total: 0 })
    }
}

/// An open member.
pub struct Member<F: DiskFile> {
    file: F,
    at: u64,
    len: u64,
}

impl<F: DiskFile> DiskFile for Member<F> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let want = buf.len().min(left);
        match buf.get_mut(..want) {
            Some(part) if want > 0 => self.file.read_at(part, self.at + at),
            _ => Ok(0),
        }
    }

    fn write_all_at(&mut self, _: &[u8], _: u64) -> io::Result<()> {
        read_only()
    }

    fn set_len(&mut self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn preallocate(&mut self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn release(&mut self, _: u64) {}

    fn forget(&self, at: u64, len: u64) {
        self.file.forget(self.at + at, len);
    }

    fn sync(&mut self) -> io::Result<Synced> {
        read_only()
    }
}
