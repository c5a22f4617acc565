//! The real disk: positional reads and writes, fdatasync, fallocate, folder syncs.
//!
//! # Invariants
//!
//! * A [`Synced`] is made only after `fdatasync` or `fsync` of the kernel said yes.
//! * A file is never synced again after a sync of it failed: the handle keeps the first error.

use crate::disk::{DirEntry, Disk, DiskFile, Space, Synced};
use rustix::fs::{Access, Advice, FallocateFlags, FlockOperation};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Is told how long each sync of a file took (metrics, warnings of slow disks).
pub trait SyncObserver: Send + Sync {
    /// One sync of a file's contents took so long.
    fn synced(&self, took: Duration);
}

/// The file system of this machine.
#[derive(Clone, Default)]
pub struct RealDisk {
    observer: Option<Arc<dyn SyncObserver>>,
    locks: Arc<Mutex<Vec<File>>>,
}

impl RealDisk {
    /// Without an observer.
    pub fn new() -> RealDisk {
        RealDisk::default()
    }

    /// Syncs of files opened through this handle are reported.
    pub fn with_observer(observer: Arc<dyn SyncObserver>) -> RealDisk {
        RealDisk { observer: Some(observer), ..RealDisk::default() }
    }

    fn file(&self, file: File) -> RealFile {
        RealFile { file, observer: self.observer.clone(), failed: false }
    }
}

/// Puts the path into the text of an error: the kernel does not.
fn named<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

impl Disk for RealDisk {
    type File = RealFile;

    fn open_read(&self, path: &Path) -> io::Result<RealFile> {
        named(path, File::open(path)).map(|f| self.file(f))
    }

    fn open_write(&self, path: &Path) -> io::Result<RealFile> {
        named(path, OpenOptions::new().read(true).write(true).open(path)).map(|f| self.file(f))
    }

    fn create_new(&self, path: &Path) -> io::Result<RealFile> {
        named(path, OpenOptions::new().read(true).write(true).create_new(true).open(path))
            .map(|f| self.file(f))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        named(from, std::fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        named(path, std::fs::remove_file(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        named(path, std::fs::create_dir_all(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in named(path, std::fs::read_dir(path))? {
            let entry = named(path, entry)?;
            let is_dir = entry.path().is_dir();
            // A name that is no text cannot be one of ours.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry { name, is_dir });
            }
        }
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        named(path, path.try_exists())
    }

    fn writable(&self, path: &Path) -> io::Result<bool> {
        match rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::ROFS | rustix::io::Errno::PERM) => Ok(false),
            Err(e) => named(path, Err(e.into())),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<Synced> {
        let dir = named(path, File::open(path))?;
        named(path, rustix::fs::fsync(&dir).map_err(io::Error::from))?;
        Ok(Synced::by_disk())
    }

    fn lock(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = named(&path, file)?;
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        named(&path, locked.map_err(io::Error::from))?;
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let v = named(path, rustix::fs::statvfs(path).map_err(io::Error::from))?;
        Ok(Space {
            free: v.f_bavail.saturating_mul(v.f_frsize),
            total: v.f_blocks.saturating_mul(v.f_frsize),
        })
    }
}

/// An open file of this machine.
pub struct RealFile {
    file: File,
    observer: Option<Arc<dyn SyncObserver>>,
    failed: bool,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|r| !r.is_empty()) {
            match self.file.read_at(rest, at + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_all_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        use rustix::io::Errno;
        let have = self.len()?;
        if have >= len {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), have, len - have) {
            Ok(()) => Ok(()),
            // A file system without reservations: a hole with a last byte, as ZooKeeper makes it.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.file.write_all_at(&[0], len - 1),
            Err(e) => Err(e.into()),
        }
    }

    fn release(&mut self, from: u64) {
        let Ok(len) = self.len() else { return };
        if from < len {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // A file system without holes keeps the room: nothing is lost but room.
            let _ = rustix::fs::fallocate(&self.file, flags, from, len - from);
        }
    }

    fn forget(&self, at: u64, len: u64) {
        // What the kernel keeps all the same costs memory and nothing else.
        let _ = rustix::fs::fadvise(&self.file, at, std::num::NonZeroU64::new(len), Advice::DontNeed);
    }

    fn sync(&mut self) -> io::Result<Synced> {
        if self.failed {
            return Err(io::Error::other("an earlier sync of this file failed"));
        }
        let start = Instant::now();
        let result = rustix::fs::fdatasync(&self.file);
        if let Some(o) = &self.observer {
            o.synced(start.elapsed());
        }
        match result {
            Ok(()) => Ok(Synced::by_disk()),
            Err(e) => {
                self.failed = true;
                Err(e.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preallocated_file_reads_as_zeros_behind_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new();
        let path = dir.path().join("f");
        let mut f = disk.create_new(&path).unwrap();
        f.preallocate(10_000).unwrap();
        f.write_all_at(b"abc", 0).unwrap();
        let _ = f.sync().unwrap();
        let _ = disk.sync_dir(dir.path()).unwrap();
        let mut buf = [1u8; 5];
        assert_eq!(f.read_at(&mut buf, 0).unwrap(), 5);
        assert_eq!(&buf, b"abc\0\0");
        assert_eq!(f.len().unwrap(), 10_000);
        assert_eq!(f.read_at(&mut buf, 9_998).unwrap(), 2);
        f.release(3);
        assert_eq!((f.read_at(&mut buf, 0).unwrap(), &buf, f.len().unwrap()), (5, b"abc\0\0", 10_000));
    }

    #[test]
    fn a_folder_belongs_to_one_disk_until_its_last_clone_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = RealDisk::new();
        first.lock(dir.path()).unwrap();
        let clone = first.clone();
        drop(first);
        let second = RealDisk::new();
        assert_eq!(second.lock(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(clone);
        second.lock(dir.path()).unwrap();
    }

    #[test]
    fn errors_name_the_file() {
        let text = RealDisk::new().open_read(Path::new("/nonexistent/x")).err().unwrap().to_string();
        assert!(text.starts_with("/nonexistent/x: "), "{text}");
    }

    #[test]
    fn room_and_permission_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new();
        assert!(disk.space(dir.path()).unwrap().total > 0);
        assert!(disk.writable(dir.path()).unwrap());
    }
}
