//! What POSIX promises about a crash, as a model: the durable state, the operations that
//! no sync covers yet, and every image that a crash may leave of them.
//!
//! The model has no files and no faults of its own; [`super::mem`] drives it, the simulator
//! draws images from it by chance and the crash ring enumerates them.
//!
//! # Invariants
//!
//! * Nothing unsynced is ordered: any subset of the pending operations may have reached the
//!   medium, and a write in part ([`Fate::Torn`], at any sector or byte).
//! * A sync of a file makes its contents and length durable, not its name; a sync of a folder
//!   makes its names durable, not their contents.
//! * A rename is atomic: a crash leaves the old name or the new one.
//! * [`Lies`] switch these assumptions off one by one, to prove that a test would notice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Number of a file, independent of its names.
pub type Ino = u64;

/// One operation that changes the medium or asks it for durability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A new, empty file.
    Create(PathBuf, Ino),
    /// Bytes at a position.
    Write(Ino, u64, Arc<[u8]>),
    /// Cut or extend with zeros.
    SetLen(Ino, u64),
    /// Extend with zeros, never cut.
    Extend(Ino, u64),
    /// From, to, and the file that moves.
    Rename(PathBuf, PathBuf, Ino),
    /// A name goes away.
    Remove(PathBuf),
    /// A folder.
    Mkdir(PathBuf),
    /// Contents and length of a file become durable.
    SyncFile(Ino),
    /// A sync that failed: what it should have covered is never covered again.
    SyncFailed(Ino),
    /// Names in a folder become durable.
    SyncDir(PathBuf),
}

impl Op {
    fn file(&self) -> Option<Ino> {
        match self {
            Op::Write(i, ..) | Op::SetLen(i, _) | Op::Extend(i, _) => Some(*i),
            _ => None,
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Op::Create(p, _) | Op::Rename(_, p, _) | Op::Remove(p) | Op::Mkdir(p) => p.parent(),
            _ => None,
        }
    }
}

/// Files and names at one moment.
#[derive(Clone, Default, Debug)]
pub struct State {
    /// Contents by number.
    pub files: BTreeMap<Ino, Arc<Vec<u8>>>,
    /// Names of files.
    pub names: BTreeMap<PathBuf, Ino>,
    /// Folders.
    pub dirs: BTreeSet<PathBuf>,
}

impl State {
    /// The contents behind a name.
    pub fn read(&self, path: &Path) -> Option<&[u8]> {
        self.names.get(path).and_then(|i| self.files.get(i)).map(|v| v.as_slice())
    }

    /// The contents behind a name, to be changed in place.
    pub fn edit(&mut self, path: &Path) -> Option<&mut Vec<u8>> {
        let ino = self.names.get(path)?;
        self.files.get_mut(ino).map(Arc::make_mut)
    }

    fn contents(&mut self, ino: Ino) -> &mut Vec<u8> {
        Arc::make_mut(self.files.entry(ino).or_default())
    }

    /// Applies one operation in full.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(path, ino) => {
                self.files.entry(*ino).or_default();
                self.names.insert(path.clone(), *ino);
            }
            Op::Write(ino, at, bytes) => write_at(self.contents(*ino), *at, bytes),
            Op::SetLen(ino, len) => self.contents(*ino).resize(index(*len), 0),
            Op::Extend(ino, len) => {
                let file = self.contents(*ino);
                if file.len() < index(*len) {
                    file.resize(index(*len), 0);
                }
            }
            Op::Rename(from, to, ino) => {
                if self.names.get(from) == Some(ino) {
                    self.names.remove(from);
                }
                self.names.insert(to.clone(), *ino);
            }
            Op::Remove(path) => {
                self.names.remove(path);
            }
            Op::Mkdir(path) => {
                self.dirs.insert(path.clone());
            }
            Op::SyncFile(_) | Op::SyncFailed(_) | Op::SyncDir(_) => {}
        }
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn write_at(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (start, end) = (index(at), index(at).saturating_add(bytes.len()));
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(window) = file.get_mut(start..end) {
        window.copy_from_slice(bytes);
    }
}

/// What a crash made of one pending operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It reached the medium.
    Kept,
    /// It did not.
    Lost,
    /// A write of which only some bytes arrived. Other operations: [`Fate::Kept`].
    Torn(Tear),
}

/// Which bytes of a write arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tear {
    /// The first `n` bytes; the file is no longer than them.
    Prefix(usize),
    /// All but the first `n` bytes, which read as before.
    Suffix(usize),
    /// All but `from..to`.
    Hole(usize, usize),
    /// None, but the length.
    LengthOnly,
}

/// Assumptions about the medium that are false on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lies {
    /// A sync of a file says yes and does nothing.
    pub sync_file: bool,
    /// A sync of a folder says yes and does nothing.
    pub sync_dir: bool,
    /// A rename removes both names, then makes the new one: a crash may leave neither.
    pub rename_in_two_steps: bool,
    /// A write that a crash tears takes the rest of its 512-byte sectors with it, synced or not.
    pub tear_neighbours: bool,
}

/// The durable state and what may still be lost.
#[derive(Clone, Default, Debug)]
pub struct Media {
    base: State,
    pending: Vec<Pending>,
    /// Which assumptions do not hold.
    pub lies: Lies,
}

#[derive(Clone, Debug)]
struct Pending {
    op: Op,
    /// A sync of it failed: no later sync makes it durable.
    doomed: bool,
}

impl Media {
    /// A medium on which `base` is durable.
    pub fn new(base: State, lies: Lies) -> Media {
        Media { base, pending: Vec::new(), lies }
    }

    /// Takes note of an operation.
    pub fn note(&mut self, op: &Op) {
        match op {
            Op::SyncFile(ino) if !self.lies.sync_file => self.settle(|p| p.file() == Some(*ino)),
            Op::SyncDir(dir) if !self.lies.sync_dir => {
                self.settle(|p| p.folder() == Some(dir.as_path()));
            }
            Op::SyncFailed(ino) => {
                for p in self.pending.iter_mut().filter(|p| p.op.file() == Some(*ino)) {
                    p.doomed = true;
                }
            }
            Op::SyncFile(_) | Op::SyncDir(_) => {}
            Op::Mkdir(root) if root.parent().is_none() => self.base.apply(op),
            Op::Rename(from, to, ino) if self.lies.rename_in_two_steps => {
                for op in [Op::Remove(to.clone()), Op::Remove(from.clone()), Op::Create(to.clone(), *ino)] {
                    self.push(op);
                }
            }
            _ => self.push(op.clone()),
        }
    }

    fn push(&mut self, op: Op) {
        self.pending.push(Pending { op, doomed: false });
    }

    fn settle(&mut self, covered: impl Fn(&Op) -> bool) {
        let base = &mut self.base;
        self.pending.retain(|p| {
            let done = !p.doomed && covered(&p.op);
            if done {
                base.apply(&p.op);
            }
            !done
        });
    }

    /// What a crash may lose, oldest first.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = &Op> {
        self.pending.iter().map(|p| &p.op)
    }

    /// The state that a crash leaves; operations beyond the end of `fates` are lost.
    pub fn image(&self, fates: &[Fate]) -> State {
        let mut state = self.base.clone();
        for (p, fate) in self.pending.iter().zip(fates) {
            match (fate, &p.op) {
                (Fate::Lost, _) => {}
                (Fate::Torn(tear), Op::Write(ino, at, bytes)) => {
                    tear_write(&mut state, *ino, *at, bytes, *tear);
                    if self.lies.tear_neighbours {
                        lose_neighbours(state.contents(*ino), *at, bytes.len());
                    }
                }
                (_, op) => state.apply(op),
            }
        }
        let dirs = &state.dirs;
        state.names.retain(|path, _| path.parent().is_some_and(|p| dirs.contains(p)));
        state
    }

    /// Edits the durable state behind a name (damage of the medium).
    pub fn edit(&mut self, path: &Path) -> Option<&mut Vec<u8>> {
        self.base.edit(path)
    }
}

fn tear_write(state: &mut State, ino: Ino, at: u64, bytes: &[u8], tear: Tear) {
    let file = state.contents(ino);
    let n = bytes.len();
    match tear {
        Tear::Prefix(k) => write_at(file, at, bytes.get(..k).unwrap_or(bytes)),
        Tear::Suffix(k) => {
            let k = k.min(n);
            write_at(file, at + k as u64, bytes.get(k..).unwrap_or(&[]));
        }
        Tear::Hole(from, to) => {
            let (from, to) = (from.min(n), to.clamp(from.min(n), n));
            write_at(file, at, bytes.get(..from).unwrap_or(&[]));
            write_at(file, at + to as u64, bytes.get(to..).unwrap_or(&[]));
        }
        Tear::LengthOnly => {
            let end = index(at).saturating_add(n);
            if file.len() < end {
                file.resize(end, 0);
            }
        }
    }
}

/// Zeroes what shares a sector with the write but is not part of it.
fn lose_neighbours(file: &mut [u8], at: u64, len: usize) {
    let (start, end) = (index(at), index(at).saturating_add(len));
    let first = start - start % SECTOR;
    let last = end.next_multiple_of(SECTOR).min(file.len());
    if let Some(before) = file.get_mut(first..start.min(last)) {
        before.fill(0);
    }
    if let Some(after) = file.get_mut(end.min(last)..last) {
        after.fill(0);
    }
}

/// Smallest unit that a medium writes in one piece, bytes.
pub const SECTOR: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(ino: Ino, at: u64, bytes: &[u8]) -> Op {
        Op::Write(ino, at, Arc::from(bytes))
    }

    fn dir() -> PathBuf {
        PathBuf::from("/d")
    }

    fn two_ops() -> Media {
        let mut base = State::default();
        base.dirs.insert(dir());
        let mut m = Media::new(base, Lies::default());
        m.note(&Op::Create(dir().join("a"), 1));
        m.note(&write(1, 0, b"hello"));
        m
    }

    #[test]
    fn an_unsynced_name_may_be_lost_although_its_contents_are_durable() {
        let mut m = two_ops();
        m.note(&Op::SyncFile(1));
        assert_eq!(m.pending().len(), 1);
        assert_eq!(m.image(&[Fate::Lost]).read(&dir().join("a")), None);
        assert_eq!(m.image(&[Fate::Kept]).read(&dir().join("a")), Some(&b"hello"[..]));
    }

    #[test]
    fn a_synced_name_without_synced_contents_is_an_empty_file() {
        let mut m = two_ops();
        m.note(&Op::SyncDir(dir()));
        assert_eq!(m.image(&[Fate::Lost]).read(&dir().join("a")), Some(&b""[..]));
        let torn = m.image(&[Fate::Torn(Tear::Hole(1, 3))]);
        assert_eq!(torn.read(&dir().join("a")), Some(&b"h\0\0lo"[..]));
    }

    #[test]
    fn what_a_failed_sync_covered_stays_lost_for_ever() {
        let mut m = two_ops();
        m.note(&Op::SyncDir(dir()));
        m.note(&Op::SyncFailed(1));
        m.note(&Op::SyncFile(1));
        assert_eq!(m.image(&[Fate::Lost]).read(&dir().join("a")), Some(&b""[..]));
    }

    #[test]
    fn a_rename_keeps_one_of_the_two_names() {
        let mut m = two_ops();
        m.note(&Op::SyncFile(1));
        m.note(&Op::SyncDir(dir()));
        m.note(&Op::Rename(dir().join("a"), dir().join("b"), 1));
        let names = |s: State| s.names.into_keys().collect::<Vec<_>>();
        assert_eq!(names(m.image(&[Fate::Lost])), vec![dir().join("a")]);
        assert_eq!(names(m.image(&[Fate::Kept])), vec![dir().join("b")]);
    }
}
