//! Durable marks: up to where each log segment is known to be on the medium.
//!
//! A record's Adler-32 cannot tell a torn, never promised tail from damage of a promised
//! record. A mark can: below it a bad record is damage, above it a torn write. Two files of one
//! page each, `mark.0` and `mark.1` in the folder `oxkeeper`, are rewritten in place by turns;
//! the valid one with the higher number counts.
//!
//! # Invariants
//!
//! * A mark claims only what a completed sync of its segment covered.
//! * A segment of ours has a durable mark before it gets its first record.
//! * A mark never outlives what it describes: [`SegmentMark::judge`] ignores it where another
//!   server (ZooKeeper itself) has written or truncated.

use super::error::{Result, StorageError};
use super::log::format::HEADER;
use super::names::{Dirs, log_name, log_zxid};
use crate::disk::{Disk, DiskFile};
use crate::limits::{MARK_FILE_BYTES, MARK_SEGMENTS};
use crate::types::Zxid;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is known of one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentMark {
    /// The zxid in its name.
    pub name: Zxid,
    /// Bytes from its start that are durable; ends with a whole record. 0: written without
    /// syncs (`forceSync=no`), the mark only says whose segment it is.
    pub size: u64,
    /// Adler-32 of those bytes.
    pub sum: u32,
    /// Checksum of its first record, 0 before there is one.
    pub first: u32,
    /// Zxid of the last durable record; before there is one, of the last in older segments.
    pub last: Zxid,
}

/// Whether a mark still describes its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// It does, and everything it promises is there.
    Holds,
    /// Another server cut the file behind a whole record, or made a file of this name anew.
    Foreign,
    /// Something that was durable is not there.
    Broken,
}

/// What reading a segment found, for the comparison with its mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Length of the file, preallocation included.
    pub len: u64,
    /// Behind the last whole record.
    pub end: u64,
    /// Was the end regular (zeros or the end of the file)?
    pub regular: bool,
    /// Checksum of the first whole record.
    pub first: Option<u32>,
    /// Adler-32 of the bytes below the mark, if a record ends exactly there.
    pub sum_at_mark: Option<u32>,
}

impl SegmentMark {
    /// Compares the mark with what was read.
    pub fn judge(&self, r: &Reading) -> Judgement {
        if self.size == 0 {
            return Judgement::Holds;
        }
        let renewed = self.first != 0 && r.first.is_some_and(|f| f != self.first);
        if renewed || r.sum_at_mark.is_some_and(|s| s != self.sum) {
            return Judgement::Foreign;
        }
        if r.end >= self.size {
            // Records that do not meet at the mark are not those that were synced.
            return if r.sum_at_mark.is_some() { Judgement::Holds } else { Judgement::Foreign };
        }
        // ZooKeeper's truncation cuts behind a record and leaves no padding; damage does not.
        let cut = r.regular && r.len == r.end && r.end > HEADER as u64;
        if cut { Judgement::Foreign } else { Judgement::Broken }
    }
}

/// Everything that the marks say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MarkSet {
    /// Grows with every rewrite.
    pub number: u64,
    /// History is durable at least up to here, in snapshots and logs together.
    pub floor: Zxid,
    /// A snapshot of this zxid is being installed: once it has its name, it replaces all logs.
    pub installing: Option<Zxid>,
    /// The end that was found may not be all that was promised: whole records stood behind a flaw that
    /// no mark covered, as damage leaves them and a torn group commit may.
    pub doubtful: bool,
    /// Segments, oldest first; the last one is the live one.
    pub segments: Vec<SegmentMark>,
}

impl MarkSet {
    /// The mark of a segment.
    pub fn of(&self, name: Zxid) -> Option<&SegmentMark> {
        self.segments.iter().find(|s| s.name == name)
    }

    /// Replaces or adds a segment's mark and forgets the oldest beyond the bound.
    pub fn put(&mut self, mark: SegmentMark) {
        match self.segments.iter_mut().find(|s| s.name == mark.name) {
            Some(s) => *s = mark,
            None => self.segments.push(mark),
        }
        self.floor = self.floor.max(mark.last);
        let excess = self.segments.len().saturating_sub(MARK_SEGMENTS);
        self.segments.drain(..excess);
    }

    fn encode(&self) -> Vec<u8> {
        let mut t = format!("oxkeeper-mark 1\nnumber {}\nfloor {:x}\n", self.number, self.floor.0);
        if let Some(z) = self.installing {
            let _ = writeln!(t, "installing {:x}", z.0);
        }
        if self.doubtful {
            t.push_str("doubtful\n");
        }
        for s in &self.segments {
            let name = log_name(s.name);
            let _ = writeln!(t, "{name} {} {:08x} {:08x} {:x}", s.size, s.sum, s.first, s.last.0);
        }
        let _ = writeln!(t, "sum {:08x}", crc32fast::hash(t.as_bytes()));
        let mut bytes = t.into_bytes();
        bytes.resize(MARK_FILE_BYTES, b'\n');
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<MarkSet> {
        let text = std::str::from_utf8(bytes).ok()?;
        let body_len = text.find("\nsum ")? + 1;
        let (body, rest) = text.split_at_checked(body_len)?;
        let sum = rest.trim_end_matches('\n').strip_prefix("sum ")?;
        if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != "oxkeeper-mark 1" {
            return None;
        }
        // A number that could not grow any more would hide every later copy.
        let number = lines.next()?.strip_prefix("number ")?.parse().ok().filter(|n| *n < u64::MAX / 2)?;
        let floor = zxid(lines.next()?.strip_prefix("floor ")?)?;
        let mut lines = lines.peekable();
        let installing = lines.peek().and_then(|l| l.strip_prefix("installing ")).and_then(zxid);
        if installing.is_some() {
            lines.next();
        }
        let doubtful = lines.next_if_eq(&"doubtful").is_some();
        let segments = lines.map(segment).collect::<Option<Vec<_>>>()?;
        if segments.len() > MARK_SEGMENTS {
            return None;
        }
        Some(MarkSet { number, floor, installing, doubtful, segments })
    }
}

/// A zxid of a promise: never negative.
fn zxid(hex: &str) -> Option<Zxid> {
    i64::from_str_radix(hex, 16).ok().filter(|z| *z >= 0).map(Zxid)
}

fn segment(line: &str) -> Option<SegmentMark> {
    let mut w = line.split(' ');
    Some(SegmentMark {
        name: log_zxid(w.next()?)?,
        size: w.next()?.parse().ok()?,
        sum: u32::from_str_radix(w.next()?, 16).ok()?,
        first: u32::from_str_radix(w.next()?, 16).ok()?,
        last: zxid(w.next()?)?,
    })
}

/// The two files and what they say.
pub struct Marks<D: Disk> {
    disk: D,
    dirs: Dirs,
    set: MarkSet,
    files: Option<[D::File; 2]>,
    /// Something was written that no sync covers yet.
    unsynced: bool,
    /// The set changed since it was written.
    stale: bool,
}

impl<D: Disk> Marks<D> {
    /// Reads both files; touches nothing. Unreadable or damaged copies count as absent.
    pub fn load(disk: &D, dirs: &Dirs) -> Option<MarkSet> {
        paths(dirs)
            .iter()
            .filter_map(|p| MarkSet::decode(&disk.read_small(p, MARK_FILE_BYTES).ok()?))
            .max_by_key(|s| s.number)
    }

    /// Goes on from `set`.
    pub fn new(disk: D, dirs: Dirs, set: MarkSet) -> Marks<D> {
        Marks { disk, dirs, set, files: None, unsynced: false, stale: true }
    }

    /// What the marks say now, written or not.
    pub fn set(&self) -> &MarkSet {
        &self.set
    }

    /// Changes what the marks say; [`Marks::write`] puts it onto the medium.
    pub fn change(&mut self, edit: impl FnOnce(&mut MarkSet)) {
        edit(&mut self.set);
        self.stale = true;
    }

    /// Writes the next copy; with `sync` it is durable on return.
    pub fn write(&mut self, sync: bool) -> Result<()> {
        self.set.number += 1;
        let turn = usize::from(self.set.number % 2 == 1);
        let path = self.path(turn);
        let bytes = self.set.encode();
        let io = |e: &std::io::Error| StorageError::io("cannot write the durable mark", &path, e);
        let Some(file) = self.files()?.get_mut(turn) else {
            return Err(StorageError::bug("there are two mark files"));
        };
        file.write_all_at(&bytes, 0).map_err(|e| io(&e))?;
        if sync {
            let _synced = file.sync().map_err(|e| io(&e))?;
        }
        self.unsynced = !sync;
        self.stale = false;
        Ok(())
    }

    /// Makes both copies say the same, durably. Nothing to do when they do already.
    pub fn settle(&mut self) -> Result<()> {
        if self.stale || self.unsynced {
            self.write(true)?;
            self.write(true)?;
        }
        Ok(())
    }

    fn path(&self, turn: usize) -> PathBuf {
        paths(&self.dirs).into_iter().nth(turn).unwrap_or_default()
    }

    fn files(&mut self) -> Result<&mut [D::File; 2]> {
        let files = match self.files.take() {
            Some(files) => files,
            None => self.open()?,
        };
        Ok(self.files.insert(files))
    }

    /// Opens or makes the folder and both files; their names are durable on return.
    fn open(&self) -> Result<[D::File; 2]> {
        let own = self.dirs.own();
        let folder = |e: std::io::Error| StorageError::io("cannot make", &own, &e);
        if !self.disk.exists(&own).map_err(folder)? {
            self.disk.create_dir_all(&own).map_err(folder)?;
        }
        // Whoever made it (the lock and the reserve need it, too) may not have synced its name.
        let _named = self.disk.sync_dir(self.dirs.data_log()).map_err(folder)?;
        let [a, b] = paths(&self.dirs);
        let files = [self.open_one(&a)?, self.open_one(&b)?];
        let _named = self.disk.sync_dir(&own).map_err(folder)?;
        Ok(files)
    }

    fn open_one(&self, path: &Path) -> Result<D::File> {
        let io = |e: std::io::Error| StorageError::io("cannot open the durable mark", path, &e);
        if self.disk.exists(path).map_err(io)? {
            self.disk.open_write(path).map_err(io)
        } else {
            self.disk.create_new(path).map_err(io)
        }
    }
}

fn paths(dirs: &Dirs) -> [PathBuf; 2] {
    [dirs.own().join("mark.0"), dirs.own().join("mark.1")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::mem::MemDisk;

    fn mark(name: i64, size: u64) -> SegmentMark {
        SegmentMark { name: Zxid(name), size, sum: 7, first: 9, last: Zxid(name + 5) }
    }

    fn reading(len: u64, end: u64) -> Reading {
        let sum_at_mark = (end >= 500).then_some(7);
        Reading { len, end, regular: true, first: Some(9), sum_at_mark }
    }

    #[test]
    fn a_set_comes_back_and_no_flip_goes_unseen() {
        let installing = Some(Zxid(0xabc));
        let mut set = MarkSet { number: 3, installing, doubtful: true, ..MarkSet::default() };
        (1..40).for_each(|i| set.put(mark(i * 10, 100)));
        assert_eq!(set.segments.len(), MARK_SEGMENTS);
        assert_eq!(set.floor, Zxid(395));
        let bytes = set.encode();
        assert_eq!(bytes.len(), MARK_FILE_BYTES);
        assert_eq!(MarkSet::decode(&bytes).as_ref(), Some(&set));
        let text_end = bytes.iter().rposition(|b| *b != b'\n').unwrap();
        for i in 0..=text_end {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            assert!(MarkSet::decode(&bad).is_none_or(|s| s == set), "byte {i}");
        }
    }

    #[test]
    fn what_we_would_not_write_is_no_mark() {
        let text = |number: u64, floor: &str| {
            let body = format!("oxkeeper-mark 1\nnumber {number}\nfloor {floor}\n");
            format!("{body}sum {:08x}\n", crc32fast::hash(body.as_bytes()))
        };
        assert!(MarkSet::decode(text(5, "3").as_bytes()).is_some());
        assert_eq!(MarkSet::decode(text(u64::MAX, "3").as_bytes()), None);
        assert_eq!(MarkSet::decode(text(5, "-3").as_bytes()), None);
    }

    #[test]
    fn the_newer_copy_counts_and_a_damaged_one_falls_back_to_the_other() {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/z")).unwrap();
        let dirs = Dirs::new(Path::new("/z"), Path::new("/z"));
        assert_eq!(Marks::load(&disk, &dirs), None);
        let mut marks = Marks::new(disk.clone(), dirs.clone(), MarkSet::default());
        for size in [100, 200] {
            marks.change(|s| s.put(mark(1, size)));
            marks.write(true).unwrap();
        }
        let size = |d: &MemDisk| Marks::load(d, &dirs).unwrap().segments[0].size;
        assert_eq!(size(&disk), 200);
        disk.damage(Path::new("/z/oxkeeper/mark.0"), |f| f[20] ^= 0xff);
        assert_eq!(size(&disk), 100);
    }

    #[test]
    fn only_a_cut_behind_a_record_is_taken_for_zookeepers() {
        let m = mark(1, 500);
        assert_eq!(m.judge(&reading(1000, 500)), Judgement::Holds);
        assert_eq!(m.judge(&reading(1000, 700)), Judgement::Holds);
        assert_eq!(m.judge(&reading(300, 300)), Judgement::Foreign, "cut");
        assert_eq!(m.judge(&reading(1000, 300)), Judgement::Broken, "zeros where records were");
        assert_eq!(m.judge(&Reading { regular: false, ..reading(300, 300) }), Judgement::Broken);
        assert_eq!(m.judge(&Reading { first: Some(1), ..reading(300, 200) }), Judgement::Foreign);
        assert_eq!(m.judge(&Reading { sum_at_mark: Some(1), ..reading(1000, 600) }), Judgement::Foreign);
        assert_eq!(m.judge(&Reading { sum_at_mark: None, ..reading(1000, 600) }), Judgement::Foreign);
        assert_eq!(m.judge(&Reading { first: None, ..reading(16, 16) }), Judgement::Broken);
    }
}
