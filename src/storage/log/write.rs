//! Appends to the live segment: one write and one sync for everything handed over together.
//!
//! # Invariants
//!
//! * A [`Durable`] zxid leaves here only after the sync that covered its record returned.
//! * Header, name and mark of a segment are durable before its first record is written.
//! * After a failed write or sync nothing is appended any more; only "no room", met before a
//!   sync, leaves everything as it was, so that the same records may be tried again.
//! * A live segment is never one that was there before: a start opens a new one, as ZooKeeper.

use super::follows;
use super::format::{self, FRAME, HEADER};
use crate::disk::{Disk, DiskFile, Durable, Synced};
use crate::limits::{
    DISK_SMALL_STEP, LOG_BATCH_BYTES, LOG_ENTRY_MIN_BYTES, MARK_LAZY_BYTES, MARK_SYNC_BYTES,
};
use crate::storage::error::{Result, StorageError};
use crate::storage::mark::{MarkSet, Marks, SegmentMark};
use crate::storage::names::{Dirs, log_name};
use crate::storage::space::Space;
use crate::types::{Zxid, mutant};
use simd_adler32::Adler32;
use std::path::PathBuf;

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogRules {
    /// `preAllocSize`, bytes; 0 is off.
    pub pre_alloc_size: u64,
    /// `txnLogSizeLimitInKb`, in bytes; a longer segment is followed by a new one.
    pub size_limit: Option<u64>,
    /// `forceSync`.
    pub force_sync: bool,
}

/// An encoded transaction on its way into the log.
pub trait LogEntry {
    /// Its zxid, which its bytes carry as well.
    fn zxid(&self) -> Zxid;
    /// Header, body and digest (`Record::to_bytes`).
    fn bytes(&self) -> &[u8];
}

impl<B: AsRef<[u8]>> LogEntry for (Zxid, B) {
    fn zxid(&self) -> Zxid {
        self.0
    }
    fn bytes(&self) -> &[u8] {
        self.1.as_ref()
    }
}

/// What an append achieved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Everything up to here is durable.
    pub upto: Durable<Zxid>,
    /// So many entries from the front of the batch were taken.
    pub count: usize,
    /// Bytes that were written.
    pub bytes: u64,
}

struct Live<F> {
    file: F,
    path: PathBuf,
    mark: SegmentMark,
    sum: Adler32,
    /// Length of the file, preallocation included.
    size: u64,
}

/// The writer of the transaction log.
pub struct LogWriter<D: Disk> {
    disk: D,
    dirs: Dirs,
    rules: LogRules,
    marks: Marks<D>,
    live: Option<Live<D::File>>,
    last: Zxid,
    scratch: Vec<u8>,
    since_mark: u64,
    since_mark_sync: u64,
}

impl<D: Disk> LogWriter<D> {
    /// Goes on behind `last`.
    pub fn new(disk: D, dirs: Dirs, rules: LogRules, marks: MarkSet, last: Zxid) -> LogWriter<D> {
        let marks = Marks::new(disk.clone(), dirs.clone(), marks);
        LogWriter {
            disk,
            dirs,
            rules,
            marks,
            live: None,
            // An empty database that is not trusted yet (-1) has no transaction either.
            last: last.max(Zxid::ZERO),
            scratch: Vec::new(),
            since_mark: 0,
            since_mark_sync: 0,
        }
    }

    /// Zxid of the last durable record.
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// Bytes of the live segment that hold records; 0 between two segments.
    pub fn live_bytes(&self) -> u64 {
        self.live.as_ref().map_or(0, |l| l.mark.size)
    }

    /// Length of the live segment's file, 0 between two segments.
    pub fn live_file_size(&self) -> u64 {
        self.live.as_ref().map_or(0, |l| l.size)
    }

    /// The marks.
    pub fn marks(&mut self) -> &mut Marks<D> {
        &mut self.marks
    }

    /// Appends entries in order: as many from the front as fit one write, at least one.
    pub fn append<E: LogEntry>(&mut self, entries: &[E], space: &mut Space<D>) -> Result<Appended> {
        let first = entries.first().ok_or_else(|| StorageError::bug("an empty batch"))?.zxid();
        let count = self.frame(entries)?;
        if self.live.is_none() {
            let live = self.create(first, space)?;
            self.live = Some(live);
        }
        let bytes = self.scratch.len() as u64;
        let (synced, last) = self.write(entries, count, space)?;
        self.last = last;
        self.note_progress(bytes)?;
        self.roll_if_long();
        Ok(Appended { upto: Durable::new(last, &synced), count, bytes })
    }

    /// Frames entries into the scratch buffer and checks that they follow each other.
    fn frame<E: LogEntry>(&mut self, entries: &[E]) -> Result<usize> {
        self.scratch.clear();
        let mut last = self.last;
        let mut count = 0;
        for e in entries {
            let (zxid, entry) = (e.zxid(), e.bytes());
            if count > 0 && self.scratch.len() + entry.len() + FRAME > LOG_BATCH_BYTES {
                break;
            }
            if !follows(last, zxid) {
                return Err(StorageError::bug(format!("transaction {zxid} cannot follow {last} in the log")));
            }
            if entry.len() < LOG_ENTRY_MIN_BYTES || format::entry_zxid(entry) != Some(zxid) {
                return Err(StorageError::bug(format!("the entry of {zxid} does not carry its zxid")));
            }
            format::frame(entry, &mut self.scratch);
            last = zxid;
            count += 1;
        }
        Ok(count)
    }

    fn write<E: LogEntry>(
        &mut self,
        entries: &[E],
        count: usize,
        space: &mut Space<D>,
    ) -> Result<(Synced, Zxid)> {
        let Some(live) = self.live.as_mut() else { return Err(StorageError::bug("no live segment")) };
        let at = live.mark.size;
        let need = self.scratch.len() as u64;
        grow(live, at, need, self.rules.pre_alloc_size, space)?;
        if let Err(e) = live.file.write_all_at(&self.scratch, at) {
            let e = StorageError::io("cannot write", &live.path, &e);
            if e.is_full() {
                space.give_up_reserve();
            }
            return Err(e);
        }
        let synced = if self.rules.force_sync {
            // Even "no room" is final here: what a failed sync covered may be gone.
            match live.file.sync() {
                Err(_) if mutant::on("sync-failure-ignored") => live.file.sync_waived(),
                done => {
                    done.map_err(|e| StorageError::io("cannot sync", &live.path, &e).final_even_if_full())?
                }
            }
        } else {
            live.file.sync_waived()
        };
        live.sum.write(&self.scratch);
        live.size = live.size.max(at + need);
        if live.mark.first == 0 {
            live.mark.first = first_checksum(&self.scratch);
        }
        live.mark.size = at + need;
        live.mark.sum = live.sum.finish();
        live.mark.last =
            count.checked_sub(1).and_then(|i| entries.get(i)).map_or(live.mark.last, |e| e.zxid());
        Ok((synced, live.mark.last))
    }

    /// Rewrites the marks now and then; they may lag, never lead.
    fn note_progress(&mut self, bytes: u64) -> Result<()> {
        let Some(mark) = self.live.as_ref().map(|l| l.mark) else { return Ok(()) };
        // Without syncs nothing is known to be durable.
        if !self.rules.force_sync {
            return Ok(());
        }
        self.marks.change(|s| s.put(mark));
        self.since_mark += bytes;
        self.since_mark_sync += bytes;
        let sync = self.since_mark_sync >= MARK_SYNC_BYTES;
        if sync || self.since_mark >= MARK_LAZY_BYTES {
            match self.marks.write(sync) {
                // The records are durable; marks may lag.
                Err(e) if e.is_full() => {}
                other => other?,
            }
            self.since_mark = 0;
            if sync {
                self.since_mark_sync = 0;
            }
        }
        Ok(())
    }

    fn roll_if_long(&mut self) {
        if self.rules.size_limit.is_some_and(|limit| self.live_bytes() > limit) {
            self.roll();
        }
    }

    /// The next append opens a new segment.
    pub fn roll(&mut self) {
        if let Some(mut live) = self.live.take() {
            live.file.release(live.mark.size);
        }
    }

    /// History goes on behind `last` in a new segment (after a truncation or an installed snapshot).
    pub fn restart(&mut self, last: Zxid) {
        self.roll();
        self.last = last;
    }

    /// Makes a segment whose first record will be `first`.
    fn create(&mut self, first: Zxid, space: &mut Space<D>) -> Result<Live<D::File>> {
        let path = self.dirs.log().join(log_name(first));
        let io = |doing: &str, e: std::io::Error| StorageError::io(doing, &path, &e);
        let made = self.disk.create_new(&path);
        let file = match made {
            Ok(file) => file,
            // Left by an attempt of this run that met a full medium, without a record in it.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => self.reuse(&path)?,
            Err(e) => return Err(io("cannot make the log segment", e)),
        };
        let header = format::header();
        let mut sum = Adler32::new();
        sum.write(&header);
        let size = HEADER as u64;
        let mark = SegmentMark { name: first, size, sum: sum.finish(), first: 0, last: self.last };
        let mut live = Live { file, path: path.clone(), mark, sum, size };
        live.file.write_all_at(&header, 0).map_err(|e| io("cannot write", e))?;
        grow(&mut live, size, 0, self.rules.pre_alloc_size, space)?;
        if self.rules.force_sync {
            let _contents = live.file.sync().map_err(|e| io("cannot sync", e).final_even_if_full())?;
            let dir = self.dirs.log();
            if !mutant::on("segment-name-unsynced") {
                let _name =
                    self.disk.sync_dir(&dir).map_err(|e| StorageError::io("cannot sync", &dir, &e))?;
            }
            self.marks.change(|s| s.put(mark));
        } else {
            self.marks.change(|s| s.put(SegmentMark { size: 0, ..mark }));
        }
        self.marks.write(self.rules.force_sync)?;
        self.since_mark = 0;
        self.since_mark_sync = 0;
        Ok(live)
    }

    fn reuse(&self, path: &std::path::Path) -> Result<D::File> {
        let mut reader = super::read::SegmentReader::open(&self.disk, path)?;
        if reader.next_entry()?.is_some() {
            return Err(StorageError::damage(
                path,
                0,
                None,
                "a log segment of this name holds records already",
            ));
        }
        let mut file = self.disk.open_write(path).map_err(|e| StorageError::io("cannot open", path, &e))?;
        file.set_len(0).map_err(|e| StorageError::io("cannot cut", path, &e))?;
        Ok(file)
    }
}

fn first_checksum(framed: &[u8]) -> u32 {
    framed.get(4..8).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Lets the file reach beyond `at + need` by the rule of the preallocation; without room for a
/// whole step by a small one, at last with the reserve.
fn grow<D: Disk>(
    live: &mut Live<D::File>,
    at: u64,
    need: u64,
    step: u64,
    space: &mut Space<D>,
) -> Result<()>
where
{
    let end = at + need;
    let mut target = format::padded_size(at, live.size, step);
    if step > 0 && end > target {
        target = (end + step) - (end + step) % step;
    }
    if target <= live.size {
        return Ok(());
    }
    let small = end.max(live.size) + DISK_SMALL_STEP.min(step);
    // A whole step must not be what makes the disk full.
    if step > 0 && !space.has_room_for(target - live.size) {
        target = target.min(small);
    }
    let mut attempt = |len: u64| live.file.preallocate(len).map(|()| len);
    let mut grown = attempt(target);
    if is_full(&grown) && small < target {
        grown = attempt(small);
    }
    if is_full(&grown) && space.give_up_reserve() {
        grown = attempt(small);
    }
    if is_full(&grown) && end <= live.size {
        // What is reserved already is enough for now.
        return Ok(());
    }
    live.size = grown.map_err(|e| StorageError::io("cannot extend", &live.path, &e))?;
    Ok(())
}

fn is_full(r: &std::io::Result<u64>) -> bool {
    r.as_ref().err().is_some_and(crate::disk::is_full)
}
