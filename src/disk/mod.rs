//! The storage medium as a trait, and the proof that a sync completed.
//!
//! # Invariants
//!
//! * What is written is durable only after [`DiskFile::sync`] of its file, and a name
//!   (created, renamed, removed) only after [`Disk::sync_dir`] of its folder. Nothing
//!   unsynced is ordered: that is all that POSIX promises and all that we rely on.
//! * A [`Durable`] can only be made from a [`Synced`], and only a disk's completed
//!   sync hands those out. A failed sync hands out nothing, ever again: the caller latches.
//! * After a failed write or sync the same handle is never used to claim durability.

pub mod media;
pub mod mem;

use std::io;
use std::path::{Path, PathBuf};

/// Evidence that a sync of one file or folder completed. Only implementations of
/// [`Disk`] make it (`tests/architecture.rs` checks who calls [`Synced::by_disk`]).
#[derive(Debug)]
#[must_use = "a sync is asked for because something depends on it"]
pub struct Synced(());

impl Synced {
    /// For implementations of [`Disk`] and [`DiskFile`] alone, after the medium said yes.
    pub fn by_disk() -> Synced {
        Synced(())
    }
}

/// `T` is on the medium: the licence for every promise that depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// Mints the proof from the evidence of the sync that covered `value`.
    pub fn new(value: T, _evidence: &Synced) -> Durable<T> {
        Durable(value)
    }

    /// What is durable.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// A weaker statement that follows from this one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Durable<U> {
        Durable(f(self.0))
    }
}

/// What a folder entry is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// File name without its folder.
    pub name: String,
    /// Is it a folder?
    pub is_dir: bool,
}

/// Free and total room of a medium, bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// What an unprivileged writer may still use.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// A file system, as far as a data directory needs one.
pub trait Disk: Clone + Send + 'static {
    /// An open file.
    type File: DiskFile;

    /// Opens an existing file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Self::File>;
    /// Creates a file that must not exist, for reading and writing.
    fn create_new(&self, path: &Path) -> io::Result<Self::File>;
    /// Renames over an existing file or to a new name, within one folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder and its parents.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Lists a folder, in no order.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Does the path exist?
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// May this process create and remove names in the folder?
    fn writable(&self, path: &Path) -> io::Result<bool>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<Synced>;
    /// Keeps the folder for this process until the last clone of this disk is gone, by a lock on
    /// the file `lock` in it. `WouldBlock`: another process has it.
    fn lock(&self, folder: &Path) -> io::Result<()>;
    /// Room on the medium that holds `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Reads a small file whole, at most `limit` bytes.
    fn read_small(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if len > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {len} bytes, at most {limit} expected", path.display()),
            ));
        }
        let mut bytes = vec![0; len];
        let n = file.read_at(&mut bytes, 0)?;
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Replaces a small file atomically: temporary file, sync, rename, sync of the folder.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<Synced> {
        let mut tmp = PathBuf::from(path).into_os_string();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        if self.exists(&tmp)? {
            self.remove(&tmp)?;
        }
        let mut file = self.create_new(&tmp)?;
        file.write_all_at(bytes, 0)?;
        let _contents = file.sync()?;
        drop(file);
        self.rename(&tmp, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

/// An open file. Positions are explicit: there is no cursor to disagree about.
pub trait DiskFile: Send + 'static {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Is it empty?
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads up to `buf.len()` bytes from `at`; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `at`, extending the file if needed.
    fn write_all_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros, without allocating) to `len`.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Reserves room up to `len` and makes the file that long, reading as zeros.
    fn preallocate(&mut self, len: u64) -> io::Result<()>;
    /// Gives reserved room behind `from` back; length and contents (zeros) stay. Only a wish.
    fn release(&mut self, from: u64);
    /// Its bytes will not be read again soon: they need not be cached. Only a wish.
    fn forget(&self, _at: u64, _len: u64) {}
    /// Makes contents and length durable.
    fn sync(&mut self) -> io::Result<Synced>;
    /// Evidence without a sync, for operators who chose so (`forceSync=no`): the proof
    /// then states what they accepted, not what the medium promised.
    fn sync_waived(&mut self) -> Synced {
        Synced::by_disk()
    }
}

/// Is this "no room left": the medium's or the owner's quota?
pub fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
