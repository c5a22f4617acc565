//! A disk in memory: what the simulator and the crash ring run storage on.
//!
//! # Invariants
//!
//! * A running process sees its own writes at once (the page cache); a crash leaves one of
//!   the images of [`super::media`].
//! * Every operation is counted; the n-th can be made to fail, once or from then on.
//! * A write that fails for want of room may have written a part.

use super::media::{Fate, Ino, Lies, Media, Op, State};
use super::{DirEntry, Disk, DiskFile, Space, Synced};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("injected input/output error"),
            Fault::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "injected: no space left on device"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    at: u64,
    fault: Fault,
    sticky: bool,
}

#[derive(Default)]
struct World {
    now: State,
    media: Media,
    history: Vec<Op>,
    recording: bool,
    next_ino: Ino,
    ops: u64,
    plan: Option<Plan>,
    capacity: Option<u64>,
    unreadable: Vec<PathBuf>,
}

impl World {
    /// Counts an operation and fails it if its turn has come.
    fn turn(&mut self) -> io::Result<()> {
        self.ops += 1;
        match self.plan {
            Some(p) if self.ops == p.at || (p.sticky && self.ops > p.at) => Err(p.fault.error()),
            _ => Ok(()),
        }
    }

    fn perform(&mut self, op: Op) {
        self.now.apply(&op);
        self.media.note(&op);
        if self.recording {
            self.history.push(op);
        }
    }

    fn used(&self) -> u64 {
        self.now.names.values().filter_map(|i| self.now.files.get(i)).map(|f| f.len() as u64).sum()
    }

    /// Room for a file to become `len` long.
    fn room(&self, ino: Ino, len: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let have = self.now.files.get(&ino).map_or(0, |f| f.len() as u64);
        let grow = len.saturating_sub(have);
        if grow > 0 && self.used() + grow > capacity { Err(Fault::NoSpace.error()) } else { Ok(()) }
    }
}

/// A shared handle; clones see the same disk.
#[derive(Clone, Default)]
pub struct MemDisk(Arc<Mutex<World>>);

impl MemDisk {
    /// An empty disk.
    pub fn new() -> MemDisk {
        MemDisk::default()
    }

    /// A disk that holds `state`, all of it durable.
    pub fn with(state: State) -> MemDisk {
        let next_ino = state.files.keys().next_back().map_or(1, |i| i + 1);
        let world = World {
            now: state.clone(),
            media: Media::new(state, Lies::default()),
            next_ino,
            ..World::default()
        };
        MemDisk(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which assumptions about the medium shall not hold from now on.
    pub fn lie(&self, lies: Lies) {
        self.world().media.lies = lies;
    }

    /// Starts to remember every operation; returns what is there now.
    pub fn record(&self) -> State {
        let mut w = self.world();
        w.recording = true;
        w.history.clear();
        w.now.clone()
    }

    /// Bytes that the files take.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// The operations since [`MemDisk::record`].
    pub fn history(&self) -> Vec<Op> {
        self.world().history.clone()
    }

    /// Operations so far (those that change something, and syncs).
    pub fn ops(&self) -> u64 {
        self.world().ops
    }

    /// Makes the `at`-th operation from the start of the disk fail, and all later ones if `sticky`.
    pub fn fail_at(&self, at: u64, fault: Fault, sticky: bool) {
        self.world().plan = Some(Plan { at, fault, sticky });
    }

    /// No injected fault any more.
    pub fn heal(&self) {
        let mut w = self.world();
        w.plan = None;
        w.unreadable.clear();
    }

    /// Bounds the disk to `bytes` of file contents; `None` is unbounded.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// Reads of this file fail with EIO.
    pub fn make_unreadable(&self, path: &Path) {
        self.world().unreadable.push(path.to_owned());
    }

    /// Edits contents behind a name as damage of the medium would: durable and unnoticed.
    pub fn damage(&self, path: &Path, edit: impl Fn(&mut Vec<u8>)) -> bool {
        let mut w = self.world();
        if let Some(file) = w.media.edit(path) {
            edit(file);
        }
        w.now.edit(path).map(edit).is_some()
    }

    /// Everything as the running process sees it.
    pub fn state(&self) -> State {
        self.world().now.clone()
    }

    /// The disk after a crash now: `choose(n)` picks below `n` for each pending operation.
    /// Of 4 it keeps on 0 and 1, loses on 2 and tears on 3.
    pub fn crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> MemDisk {
        let w = self.world();
        let fates: Vec<Fate> = w.media.pending().map(|op| draw(op, choose)).collect();
        MemDisk::with(w.media.image(&fates))
    }

    /// The disk after a crash that lost everything that may be lost.
    pub fn crash_losing_all(&self) -> MemDisk {
        MemDisk::with(self.world().media.image(&[]))
    }
}

fn draw(op: &Op, choose: &mut dyn FnMut(usize) -> usize) -> Fate {
    use super::media::Tear;
    match (choose(4), op) {
        (0 | 1, _) => Fate::Kept,
        (3, Op::Write(_, _, bytes)) => {
            let cut = choose(bytes.len() + 1);
            Fate::Torn(match choose(4) {
                0 => Tear::Prefix(cut),
                1 => Tear::Suffix(cut),
                2 => Tear::Hole(cut, cut + choose(bytes.len() + 1)),
                _ => Tear::LengthOnly,
            })
        }
        _ => Fate::Lost,
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{}: no such file or directory", path.display()))
}

impl Disk for MemDisk {
    type File = MemFile;

    fn open_read(&self, path: &Path) -> io::Result<MemFile> {
        let ino = *self.world().now.names.get(path).ok_or_else(|| missing(path))?;
        Ok(MemFile { disk: self.clone(), ino, path: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> io::Result<MemFile> {
        self.open_read(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<MemFile> {
        let mut w = self.world();
        w.turn()?;
        if w.now.names.contains_key(path) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{}: exists", path.display())));
        }
        if !path.parent().is_some_and(|p| w.now.dirs.contains(p)) {
            return Err(missing(path));
        }
        let ino = w.next_ino;
        w.next_ino += 1;
        w.perform(Op::Create(path.to_owned(), ino));
        drop(w);
        Ok(MemFile { disk: self.clone(), ino, path: path.to_owned() })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut w = self.world();
        w.turn()?;
        let ino = *w.now.names.get(from).ok_or_else(|| missing(from))?;
        w.perform(Op::Rename(from.to_owned(), to.to_owned(), ino));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut w = self.world();
        w.turn()?;
        if !w.now.names.contains_key(path) {
            return Err(missing(path));
        }
        w.perform(Op::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut w = self.world();
        let mut todo: Vec<PathBuf> =
            path.ancestors().filter(|p| !w.now.dirs.contains(*p)).map(Path::to_owned).collect();
        while let Some(dir) = todo.pop() {
            w.turn()?;
            w.perform(Op::Mkdir(dir));
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let w = self.world();
        if !w.now.dirs.contains(path) {
            return Err(missing(path));
        }
        let here = |p: &Path| p.parent() == Some(path);
        let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
        let files = w.now.names.keys().filter(|p| here(p)).filter_map(|p| name(p));
        let dirs = w.now.dirs.iter().filter(|p| here(p)).filter_map(|p| name(p));
        Ok(files
            .map(|name| DirEntry { name, is_dir: false })
            .chain(dirs.map(|name| DirEntry { name, is_dir: true }))
            .collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let w = self.world();
        Ok(w.now.names.contains_key(path) || w.now.dirs.contains(path))
    }

    fn writable(&self, path: &Path) -> io::Result<bool> {
        Ok(self.world().now.dirs.contains(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<Synced> {
        let mut w = self.world();
        w.turn()?;
        w.perform(Op::SyncDir(path.to_owned()));
        Ok(Synced::by_disk())
    }

    fn lock(&self, _folder: &Path) -> io::Result<()> {
        // One process, no rivals.
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let w = self.world();
        let total = w.capacity.unwrap_or(1 << 40);
        Ok(Space { free: total.saturating_sub(w.used()), total })
    }
}

/// An open file of a [`MemDisk`]; follows the file, not the name.
pub struct MemFile {
    disk: MemDisk,
    ino: Ino,
    path: PathBuf,
}

impl DiskFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.world().now.files.get(&self.ino).map_or(0, |f| f.len() as u64))
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let w = self.disk.world();
        if w.unreadable.contains(&self.path) {
            return Err(Fault::Io.error());
        }
        let file = w.now.files.get(&self.ino).map_or(&[][..], |f| f.as_slice());
        let rest = usize::try_from(at).ok().and_then(|at| file.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn write_all_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut w = self.disk.world();
        let fits = w.turn().and_then(|()| w.room(self.ino, at + bytes.len() as u64));
        if let Err(e) = fits {
            if super::is_full(&e) && bytes.len() > 1 && w.capacity.is_none() {
                let part = bytes.get(..bytes.len() / 2).unwrap_or(&[]);
                w.perform(Op::Write(self.ino, at, Arc::from(part)));
            }
            return Err(e);
        }
        w.perform(Op::Write(self.ino, at, Arc::from(bytes)));
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let mut w = self.disk.world();
        w.turn()?;
        w.perform(Op::SetLen(self.ino, len));
        Ok(())
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        let mut w = self.disk.world();
        w.turn()?;
        w.room(self.ino, len)?;
        w.perform(Op::Extend(self.ino, len));
        Ok(())
    }

    fn release(&mut self, _from: u64) {
        // Room is counted by length here.
    }

    fn sync(&mut self) -> io::Result<Synced> {
        let mut w = self.disk.world();
        if let Err(e) = w.turn() {
            w.perform(Op::SyncFailed(self.ino));
            return Err(e);
        }
        w.perform(Op::SyncFile(self.ino));
        Ok(Synced::by_disk())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> MemDisk {
        let d = MemDisk::new();
        d.create_dir_all(Path::new("/d")).unwrap();
        d
    }

    #[test]
    fn replace_survives_every_loss_with_the_old_or_the_new_text() {
        let d = disk();
        let p = Path::new("/d/f");
        let _ = d.sync_dir(Path::new("/")).unwrap();
        let _ = d.replace(p, b"old").unwrap();
        let _ = d.replace(p, b"new").unwrap();
        assert_eq!(d.crash_losing_all().read_small(p, 10).unwrap(), b"new");
    }

    #[test]
    fn the_chosen_operation_fails_and_only_that_one() {
        let d = disk();
        let mut f = d.create_new(Path::new("/d/f")).unwrap();
        d.fail_at(d.ops() + 2, Fault::Io, false);
        f.write_all_at(b"x", 0).unwrap();
        assert!(f.sync().is_err());
        assert!(f.sync().is_ok());
        assert!(!d.crash_losing_all().exists(Path::new("/d/f")).unwrap());
    }

    #[test]
    fn a_bounded_disk_runs_full_and_takes_again_after_a_removal() {
        let d = disk();
        d.set_capacity(Some(10));
        let mut f = d.create_new(Path::new("/d/f")).unwrap();
        f.write_all_at(&[1; 8], 0).unwrap();
        let mut g = d.create_new(Path::new("/d/g")).unwrap();
        assert!(super::super::is_full(&g.write_all_at(&[1; 8], 0).unwrap_err()));
        d.remove(Path::new("/d/f")).unwrap();
        g.write_all_at(&[1; 8], 0).unwrap();
    }
}
