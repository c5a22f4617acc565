//! Reads the segments behind a snapshot in order and judges how each of them ends.
//!
//! # Invariants
//!
//! * Records handed on follow the snapshot and each other without a gap; a gap, or a bad record that
//!   is not the torn end of the last write, is damage and named.
//! * A gap that the snapshot covers is none: a learner of ZooKeeper's that is sent a snapshot goes on
//!   in the log file that it had.
//! * An older segment may end in any way if the next one goes on exactly behind its last record:
//!   nothing is missing then.

use super::marked_cure;
use crate::disk::Disk;
use crate::limits::LOG_REPEATS;
use crate::storage::error::{Notice, Result, StorageError};
use crate::storage::log::follows;
use crate::storage::log::format::{HEADER, entry_kind};
use crate::storage::log::read::{End, Entry, HeaderState, SegmentReader};
use crate::storage::log::tail::look_behind;
use crate::storage::mark::{Judgement, MarkSet, Reading, SegmentMark};
use crate::storage::names::{Dirs, LogFile, logs_after};
use crate::txn;
use crate::types::{Zxid, mutant};
use std::collections::VecDeque;
use std::path::PathBuf;

/// One segment as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) name: Zxid,
    pub(super) path: PathBuf,
    /// Length of the file.
    pub(super) len: u64,
    /// Behind the last whole record; 0 without a good header.
    pub(super) end: u64,
    pub(super) sum: u32,
    pub(super) first: Option<u32>,
    pub(super) last: Option<Zxid>,
    /// Bytes behind the end are the rest of a torn write.
    pub(super) torn: bool,
    /// Up to here a mark says that it is durable.
    pub(super) marked: u64,
    /// Another server wrote it anew or cut it: its mark no longer counts.
    pub(super) foreign: bool,
}

/// The outcome.
pub(super) struct Replay {
    pub(super) last: Zxid,
    pub(super) delivered: u64,
    pub(super) segments: Vec<Segment>,
    /// Nobody else wrote or cut here: the marks' floor counts.
    pub(super) marks_count: bool,
    /// Whole records stand behind the end, and no mark says whether they were ever promised.
    pub(super) doubtful: bool,
}

struct Pass<'a, L> {
    dirs: &'a Dirs,
    base: Zxid,
    has_snapshot: bool,
    marks: Option<&'a MarkSet>,
    loader: &'a mut L,
    notices: &'a mut Vec<Notice>,
    last: Zxid,
    /// Zxids and checksums of the last records, ascending, to know those that were written again.
    known: VecDeque<(Zxid, u32)>,
    delivered: u64,
    doubtful: bool,
}

/// Hands every transaction behind the snapshot to the loader.
pub(super) fn replay<D: Disk, L: super::Loader>(
    disk: &D,
    dirs: &Dirs,
    snapshot: Option<Zxid>,
    logs: &[LogFile],
    marks: Option<&MarkSet>,
    loader: &mut L,
    notices: &mut Vec<Notice>,
) -> Result<Replay> {
    let base = snapshot.unwrap_or(Zxid::ZERO);
    let plan = logs_after(logs, base);
    let newest = newest_with_records(disk, plan)?;
    let mut pass = Pass {
        dirs,
        base,
        has_snapshot: snapshot.is_some(),
        marks,
        loader,
        notices,
        last: base,
        known: VecDeque::new(),
        delivered: 0,
        doubtful: false,
    };
    let mut segments = Vec::new();
    for (i, log) in plan.iter().enumerate() {
        let next = plan.get(i + 1).filter(|_| newest.is_some_and(|n| i < n)).map(|l| l.first);
        segments.push(pass.segment(disk, log, next)?);
    }
    let marks_count = marks.is_some_and(|m| pass.nobody_else_wrote(m, logs, &segments));
    let (last, delivered, doubtful) = (pass.last, pass.delivered, pass.doubtful);
    Ok(Replay { last, delivered, segments, marks_count, doubtful })
}

/// Index of the last segment with at least one whole record.
fn newest_with_records<D: Disk>(disk: &D, plan: &[LogFile]) -> Result<Option<usize>> {
    for (i, log) in plan.iter().enumerate().rev() {
        if SegmentReader::open(disk, &log.path)?.next_entry()?.is_some() {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

impl<L: super::Loader> Pass<'_, L> {
    /// Reads one segment; `next` is the name of the following one, `None` for the newest.
    fn segment<D: Disk>(&mut self, disk: &D, log: &LogFile, next: Option<Zxid>) -> Result<Segment> {
        let mut reader = SegmentReader::open(disk, &log.path)?;
        let mark = self.marks.and_then(|m| m.of(log.first)).copied();
        let mut sum_at_mark = mark.filter(|m| m.size == HEADER as u64).map(|_| reader.sum());
        let (mut before, mut last) = (None, None);
        while let Some(entry) = reader.next_entry()? {
            let zxid = entry.zxid;
            self.record(&log.path, &entry, before)?;
            before = Some(zxid);
            last = last.max(before);
            if mark.is_some_and(|m| m.size == reader.position()) {
                sum_at_mark = Some(reader.sum());
            }
        }
        let good = reader.header() == HeaderState::Good;
        let end = reader.end().unwrap_or(End { offset: 0, flaw: None });
        let reading = Reading {
            len: reader.len(),
            end: end.offset,
            regular: good && end.flaw.is_none(),
            first: reader.first_checksum(),
            sum_at_mark,
        };
        let foreign = self.judge_mark(log, mark, &reading)?;
        let mut segment = Segment {
            name: log.first,
            path: log.path.clone(),
            len: reader.len(),
            end: end.offset,
            sum: reader.sum(),
            first: reader.first_checksum(),
            last,
            torn: false,
            marked: mark.filter(|_| !foreign).map_or(0, |m| m.size),
            foreign,
        };
        match next {
            None => {
                let ours = mark.is_some() && !foreign;
                segment.torn = self.judge_tail(&reader, end, last, ours)?;
            }
            // The next one goes on exactly here: nothing is missing, however this one ends.
            Some(next) if last.is_some_and(|l| l.next() == Some(next)) => {}
            Some(_) => self.older_tail(&reader, end, last)?,
        }
        Ok(segment)
    }

    /// Checks the place of a record and hands it on if it lies behind the snapshot.
    fn record(&mut self, path: &std::path::Path, entry: &Entry<'_>, before: Option<Zxid>) -> Result<()> {
        let zxid = entry.zxid;
        let newest = self.known.back().map(|(newest, _)| *newest);
        // Behind what was handed on, or within the snapshot; or where records are written again.
        let in_place = zxid <= self.base
            || follows(self.last, zxid)
            || before.is_some_and(|b| follows(b, zxid) || newest.is_some_and(|n| follows(n, zxid)));
        if newest.is_some_and(|n| zxid <= n) && self.written_again(entry, before) {
            if !in_place {
                self.notices.push(Notice(format!("{}: transaction {zxid} stands twice", path.display())));
            }
            return Ok(());
        }
        if !in_place || newest.is_some_and(|n| zxid <= n) {
            let (known, what) = (before.unwrap_or(self.last), "transactions are missing or out of order");
            let what = format!("{what}: {zxid} stands behind {known}");
            return Err(StorageError::damage(path, entry.offset, Some(zxid), what));
        }
        if self.known.len() == LOG_REPEATS {
            self.known.pop_front();
        }
        self.known.push_back((zxid, entry.checksum));
        if zxid <= self.base {
            return Ok(());
        }
        let record = txn::decode(entry.bytes).map_err(|e| e.to_string());
        let told = record.and_then(|r| self.loader.txn(r));
        told.map_err(|e| StorageError::damage(path, entry.offset, Some(zxid), e))?;
        self.last = zxid;
        self.delivered += 1;
        Ok(())
    }

    /// A follower of ZooKeeper's logs again what it is sent again when it joins a leader for the second
    /// time: the same bytes. And ZooKeeper may log a failed request under the zxid of the request before it.
    fn written_again(&self, entry: &Entry<'_>, before: Option<Zxid>) -> bool {
        let failed = entry_kind(entry.bytes) == Some(txn::kind::ERROR) && before == Some(entry.zxid);
        let place = self.known.binary_search_by_key(&entry.zxid, |(zxid, _)| *zxid);
        let first = place.ok().and_then(|i| self.known.get(i));
        failed || first.is_some_and(|(_, checksum)| *checksum == entry.checksum)
    }

    fn judge_mark(&mut self, log: &LogFile, mark: Option<SegmentMark>, reading: &Reading) -> Result<bool> {
        let Some(mark) = mark else { return Ok(false) };
        match mark.judge(reading) {
            Judgement::Holds => Ok(false),
            Judgement::Foreign => {
                let text = format!("{} was written or cut by another server", log.path.display());
                self.notices.push(Notice(text));
                Ok(true)
            }
            Judgement::Broken if mutant::on("damage-cut") => Ok(true),
            Judgement::Broken => {
                let what =
                    format!("the log was durable up to offset {}, up to zxid {}", mark.size, mark.last);
                Err(StorageError::damage(&log.path, reading.end, self.last.next(), what)
                    .cured_by(marked_cure(self.dirs)))
            }
        }
    }

    /// The end of the newest segment: regular, torn (true), or damage.
    fn judge_tail<F: crate::disk::DiskFile>(
        &mut self,
        reader: &SegmentReader<F>,
        end: End,
        last: Option<Zxid>,
        ours: bool,
    ) -> Result<bool> {
        let from = end.offset.max(HEADER as u64);
        let behind = look_behind(reader, from, last.unwrap_or(Zxid::ZERO))?;
        let foreign = reader.header() == HeaderState::Foreign;
        let hidden = behind.far.or(behind.first.filter(|_| !ours || foreign));
        if let Some(hidden) = hidden.filter(|_| !mutant::on("damage-cut")) {
            let why = end.flaw.map_or("zeros stand where a record should", |f| f.text());
            let what = format!("{why}, but {} at offset {} is whole", hidden.zxid, hidden.offset);
            return Err(StorageError::damage(reader.path(), end.offset, self.last.next(), what));
        }
        if foreign && last.is_none() && !reader.is_empty() {
            return Err(StorageError::damage(
                reader.path(),
                0,
                None,
                "the file is no transaction log: wrong magic",
            ));
        }
        let torn = end.flaw.is_some() || behind.dirty;
        if torn && mutant::on("torn-tail-refused") {
            return Err(StorageError::damage(reader.path(), from, self.last.next(), "a bad record"));
        }
        if let Some(hidden) = behind.first.filter(|_| !mutant::on("damage-cut")) {
            self.doubtful = true;
            let text = format!(
                "{}: {} at offset {} is whole behind a flaw, and no mark tells whether it was promised: a \
                 member of an ensemble learns from its leader before it votes",
                reader.path().display(),
                hidden.zxid,
                hidden.offset
            );
            self.notices.push(Notice(text));
        }
        if torn {
            let text =
                format!("{}: an interrupted write behind offset {from} was cut off", reader.path().display());
            self.notices.push(Notice(text));
        }
        Ok(torn)
    }

    /// Behind the end of an older segment no later record may be hidden. (Whether the next one
    /// goes on behind this one is checked when it is read.)
    fn older_tail<F: crate::disk::DiskFile>(
        &mut self,
        reader: &SegmentReader<F>,
        end: End,
        last: Option<Zxid>,
    ) -> Result<()> {
        let known = last.unwrap_or(Zxid::ZERO).max(self.base);
        let behind = look_behind(reader, end.offset.max(HEADER as u64), known)?;
        if let Some(hidden) = behind.first {
            let why = end.flaw.map_or("zeros stand where a record should", |f| f.text());
            let what = format!("{why}, but {} at offset {} is whole", hidden.zxid, hidden.offset);
            return Err(StorageError::damage(reader.path(), end.offset, known.next(), what));
        }
        Ok(())
    }

    /// Is every trace of the marks still there, and nothing else?
    fn nobody_else_wrote(&mut self, marks: &MarkSet, logs: &[LogFile], segments: &[Segment]) -> bool {
        let foreign = segments.iter().any(|s| s.foreign || (s.last.is_some() && marks.of(s.name).is_none()));
        let live = marks.segments.iter().rev().find(|m| m.size > HEADER as u64);
        let Some(live) = live.filter(|m| !logs.iter().any(|l| l.first == m.name)) else { return !foreign };
        // The live segment is gone. ZooKeeper's truncation removes it and cuts the padding of
        // the one before; whoever empties the folder removes everything.
        let cut = segments.iter().rev().find(|s| s.name < live.name).is_some_and(|s| s.len == s.end);
        !(foreign || cut || logs.is_empty() && !self.has_snapshot)
    }
}
