//! Looks at single files of a data directory, whole and without changing them (`oxkeeper fsck`).
//!
//! # Invariants
//!
//! * Every record is read, verified by its checksum and decoded; the first flaw is named.
//! * Cost is one pass over the file.

use super::error::{Result, StorageError};
use super::log::follows;
use super::log::format::HEADER;
use super::log::read::{End, HeaderState, SegmentReader};
use super::log::tail::look_behind;
use super::names::SnapshotFile;
use super::snapshot::{SnapshotInfo, SnapshotVisitor, looks_valid, read_snapshot};
use crate::disk::Disk;
use crate::txn;
use crate::types::Zxid;
use std::path::Path;

/// What is wrong with a file, if anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Nothing.
    Whole,
    /// An interrupted write; a start passes over it. Says what.
    Interrupted(String),
    /// Bytes are not what was written.
    Damaged(StorageError),
}

/// A log file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogReport {
    /// Whole transactions from the start of the file.
    pub transactions: u64,
    /// Zxid of the first of them.
    pub first: Option<Zxid>,
    /// Zxid of the last of them.
    pub last: Option<Zxid>,
    /// Bytes up to behind the last of them.
    pub used: u64,
    /// Length of the file.
    pub len: u64,
    /// A later transaction that is whole but hidden behind a flaw.
    pub hidden: Option<Zxid>,
    /// Between these two none is in the file, but a snapshot holds what they did; the last such gap.
    pub bridged: Option<(Zxid, Zxid)>,
    /// What is wrong.
    pub finding: Finding,
}

/// A snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotReport {
    /// What stands in it, if it is whole.
    pub info: Option<SnapshotInfo>,
    /// What is wrong.
    pub finding: Finding,
}

/// Reads a log file. `progress` is told the position now and then. `snapshots` are the zxids of whole
/// ones: a learner of ZooKeeper's that is sent a snapshot goes on behind it in the log file that it had.
pub fn verify_log<D: Disk>(
    disk: &D,
    path: &Path,
    snapshots: &[Zxid],
    progress: &mut dyn FnMut(u64),
) -> Result<LogReport> {
    let mut reader = SegmentReader::open(disk, path)?;
    let mut report = LogReport {
        transactions: 0,
        first: None,
        last: None,
        used: 0,
        len: reader.len(),
        hidden: None,
        bridged: None,
        finding: Finding::Whole,
    };
    let bridges = |last: Zxid, next: Zxid| {
        next > last && snapshots.iter().any(|s| *s >= last && (*s >= next || follows(*s, next)))
    };
    while let Some(entry) = reader.next_entry()? {
        // ZooKeeper's followers may log again what they had logged: none of that is missing.
        let again = report.first <= Some(entry.zxid) && Some(entry.zxid) <= report.last;
        if let Some(last) = report.last.filter(|l| !follows(*l, entry.zxid) && !again) {
            if !bridges(last, entry.zxid) {
                let what = format!("transactions are missing behind {last}");
                report.finding =
                    Finding::Damaged(StorageError::damage(path, entry.offset, Some(entry.zxid), what));
                return Ok(report);
            }
            report.bridged = Some((last, entry.zxid));
        }
        if let Err(e) = txn::decode(entry.bytes) {
            let e = StorageError::damage(path, entry.offset, Some(entry.zxid), e.to_string());
            report.finding = Finding::Damaged(e);
            return Ok(report);
        }
        report.first.get_or_insert(entry.zxid);
        report.last = report.last.max(Some(entry.zxid));
        report.transactions += 1;
        report.used = entry.offset + (entry.bytes.len() + super::log::format::FRAME) as u64;
        if report.transactions.is_multiple_of(1024) {
            progress(report.used);
        }
    }
    judge_end(&reader, path, &mut report)?;
    progress(report.len);
    Ok(report)
}

fn judge_end<F: crate::disk::DiskFile>(
    reader: &SegmentReader<F>,
    path: &Path,
    report: &mut LogReport,
) -> Result<()> {
    let end = reader.end().unwrap_or(End { offset: 0, flaw: None });
    let last = report.last.unwrap_or(Zxid::ZERO);
    let behind = look_behind(reader, end.offset.max(HEADER as u64), last)?;
    let next = report.last.and_then(Zxid::next);
    let damaged = |what: String| Finding::Damaged(StorageError::damage(path, end.offset, next, what));
    report.hidden = behind.first.map(|h| h.zxid);
    report.finding = match (reader.header(), end.flaw, behind.first) {
        (HeaderState::Foreign, ..) => damaged("the file is no transaction log: wrong magic".into()),
        (_, flaw, Some(h)) => {
            let why = flaw.map_or("zeros stand where a record should", |f| f.text());
            damaged(format!("{why}, but {} at offset {} is whole", h.zxid, h.offset))
        }
        (HeaderState::Empty, ..) => Finding::Interrupted("it is empty".into()),
        (HeaderState::Torn, ..) => Finding::Interrupted("its header is not complete".into()),
        (HeaderState::Good, None, None) if !behind.dirty => Finding::Whole,
        (HeaderState::Good, ..) => {
            Finding::Interrupted(format!("an interrupted write lies behind offset {}", end.offset))
        }
    };
    Ok(())
}

/// Reads a snapshot. `visitor` may build a tree of it, to see that it is one.
pub fn verify_snapshot<D: Disk, V: SnapshotVisitor>(
    disk: &D,
    snapshot: &SnapshotFile,
    visitor: &mut V,
) -> Result<SnapshotReport> {
    if !looks_valid(disk, &snapshot.path, snapshot.compression)? {
        let finding = Finding::Interrupted("it is not complete".into());
        return Ok(SnapshotReport { info: None, finding });
    }
    Ok(match read_snapshot(disk, snapshot, visitor) {
        Ok(info) => SnapshotReport { info: Some(info), finding: Finding::Whole },
        Err(e) => SnapshotReport { info: None, finding: Finding::Damaged(e) },
    })
}
