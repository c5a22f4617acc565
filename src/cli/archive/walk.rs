//! Walks the transactions of log segments in order, each once, while a server may be writing them.
//!
//! # Invariants
//!
//! * What is visited behind the base follows it without a gap; a gap, or a bad record that is not the torn
//!   end of the last write, is damage and named. (Within the base there may be gaps: a learner of ZooKeeper's
//!   that is sent a snapshot goes on in the log file that it had.)
//! * A record that stands twice (ZooKeeper's followers log again what they are sent again) is visited once.
//! * The end of the newest segment is where whole records end at that moment. Records that appear behind it
//!   meanwhile are read as well; they never count as hidden by damage.

use crate::disk::Disk;
use crate::limits::{BACKUP_RESCANS, LOG_REPEATS};
use crate::storage::log::follows;
use crate::storage::log::format::{FRAME, HEADER, entry_kind};
use crate::storage::log::read::{End, Entry, HeaderState, SegmentReader};
use crate::storage::log::tail::look_behind;
use crate::storage::names::LogFile;
use crate::storage::{Result, StorageError};
use crate::txn::kind;
use crate::types::Zxid;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;

/// A transaction in its place.
pub struct Step<'a> {
    /// Index of its segment.
    pub segment: usize,
    /// The record.
    pub entry: Entry<'a>,
    /// Behind its closing byte.
    pub end: u64,
}

/// Is told each transaction; may end the walk.
pub type Visit<'v> = dyn FnMut(&Step<'_>) -> Result<ControlFlow<()>> + 'v;

/// Walks `logs`, oldest first, from the state of `base` (a snapshot's zxid; zero where the logs stand alone).
/// What it ends with that is not damage (an interrupted write) is returned as a text.
pub fn walk<D: Disk>(
    disk: &D,
    logs: &[LogFile],
    base: Zxid,
    visit: &mut Visit<'_>,
) -> Result<Option<String>> {
    let mut order = Order { base, ..Order::default() };
    for (segment, log) in logs.iter().enumerate() {
        let mut from = 0;
        for attempt in 0..=BACKUP_RESCANS {
            let mut reader = SegmentReader::open(disk, &log.path)?;
            if reader.header() == HeaderState::Foreign {
                let what = "the file is no transaction log: wrong magic";
                return Err(StorageError::damage(&log.path, 0, None, what));
            }
            order.before = None;
            while let Some(entry) = reader.next_entry()? {
                if entry.offset < from || !order.takes(&entry, &log.path)? {
                    continue;
                }
                let end = entry.offset + (entry.bytes.len() + FRAME) as u64;
                if visit(&Step { segment, entry, end })?.is_break() {
                    return Ok(None);
                }
            }
            let end = reader.end().unwrap_or(End { offset: 0, flaw: None });
            let last = order.last().unwrap_or_default();
            let next = logs.get(segment + 1).map(|l| l.first);
            if next.is_some() && last.next() == next {
                break; // the next one goes on exactly here, however this one ends
            }
            let behind = look_behind(&reader, end.offset.max(HEADER as u64), last)?;
            let grew = attempt == 0 || end.offset > from;
            from = end.offset;
            match behind.first {
                None if next.is_none() && (end.flaw.is_some() || behind.dirty) => {
                    return Ok(Some(torn(&log.path, end.offset)));
                }
                None => break,
                // Written while we were reading: it is whole by now.
                Some(_) if next.is_none() && grew && attempt < BACKUP_RESCANS => {}
                Some(_) if next.is_none() && behind.far.is_none() => {
                    return Ok(Some(torn(&log.path, end.offset)));
                }
                Some(hidden) => {
                    let why = end.flaw.map_or("zeros stand where a record should", |f| f.text());
                    let what = format!("{why}, but {} at offset {} is whole", hidden.zxid, hidden.offset);
                    return Err(StorageError::damage(&log.path, end.offset, last.next(), what));
                }
            }
        }
    }
    Ok(None)
}

fn torn(path: &Path, offset: u64) -> String {
    format!("{}: an interrupted write behind offset {offset} is left out", path.display())
}

/// Judges the place of each record.
#[derive(Default)]
struct Order {
    /// What a snapshot holds need not be there.
    base: Zxid,
    /// Zxids and checksums of the last records, ascending.
    known: VecDeque<(Zxid, u32)>,
    /// The record before, in this file.
    before: Option<Zxid>,
}

impl Order {
    fn last(&self) -> Option<Zxid> {
        self.known.back().map(|(zxid, _)| *zxid)
    }

    /// Is it the next one (true), or one that is known already?
    fn takes(&mut self, entry: &Entry<'_>, path: &Path) -> Result<bool> {
        let zxid = entry.zxid;
        let before = self.before.replace(zxid);
        let Some(last) = self.last() else {
            self.known.push_back((zxid, entry.checksum));
            return Ok(true);
        };
        if zxid > last && (follows(last.max(self.base), zxid) || follows(last, zxid) || zxid <= self.base) {
            if self.known.len() == LOG_REPEATS {
                self.known.pop_front();
            }
            self.known.push_back((zxid, entry.checksum));
            return Ok(true);
        }
        // ZooKeeper may log a failed request under the zxid of the request before it.
        let failed = entry_kind(entry.bytes) == Some(kind::ERROR) && before == Some(zxid);
        let place = self.known.binary_search_by_key(&zxid, |(z, _)| *z).ok();
        let same = place.and_then(|i| self.known.get(i)).is_some_and(|(_, sum)| *sum == entry.checksum);
        if zxid <= last && (failed || same) {
            return Ok(false);
        }
        let what = format!("transactions are missing or out of order: {zxid} stands behind {last}");
        Err(StorageError::damage(path, entry.offset, Some(zxid), what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskFile;
    use crate::disk::mem::MemDisk;
    use crate::storage::log::format;
    use std::path::PathBuf;

    fn entry(zxid: i64, body: u8) -> Vec<u8> {
        let mut e = vec![body; 40];
        e[12..20].copy_from_slice(&zxid.to_be_bytes());
        e[28..32].copy_from_slice(&5i32.to_be_bytes());
        e
    }

    fn segment(disk: &MemDisk, first: i64, zxids: &[(i64, u8)], pad: usize) -> LogFile {
        let path = PathBuf::from(format!("/d/log.{first:x}"));
        let mut bytes = format::header().to_vec();
        for (zxid, body) in zxids {
            format::frame(&entry(*zxid, *body), &mut bytes);
        }
        bytes.resize(bytes.len() + pad, 0);
        disk.create_new(&path).unwrap().write_all_at(&bytes, 0).unwrap();
        LogFile { first: Zxid(first), path }
    }

    fn all(disk: &MemDisk, logs: &[LogFile]) -> Result<(Vec<i64>, Option<String>)> {
        let mut seen = Vec::new();
        let end = walk(disk, logs, Zxid::ZERO, &mut |step| {
            seen.push(step.entry.zxid.0);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((seen, end))
    }

    fn disk() -> MemDisk {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk
    }

    #[test]
    fn repeats_are_visited_once_and_gaps_are_named() {
        let d = disk();
        let a = segment(&d, 1, &[(1, 1), (2, 2), (2, 2), (3, 3), (2, 2), (3, 3)], 100);
        let b = segment(&d, 4, &[(4, 4), (Zxid::new(1, 1).0, 5)], 100);
        assert_eq!(all(&d, &[a.clone(), b]).unwrap(), (vec![1, 2, 3, 4, Zxid::new(1, 1).0], None));
        let c = segment(&d, 6, &[(6, 6)], 0);
        let e = all(&d, &[a.clone(), c]).unwrap_err();
        assert!(e.what.contains("0x6 stands behind 0x3"), "{e}");
        let gap = segment(&d, 8, &[(8, 8), (12, 12), (13, 13), (16, 16)], 0);
        for (base, whole) in
            [(0, false), (10, false), (11, false), (12, false), (15, true), (16, true), (40, true)]
        {
            let walked =
                walk(&d, std::slice::from_ref(&gap), Zxid(base), &mut |_| Ok(ControlFlow::Continue(())));
            assert_eq!(walked.is_ok(), whole, "from a snapshot of {base}");
        }
        let other = segment(&d, 3, &[(3, 9), (4, 4)], 0);
        assert!(all(&d, &[a, other]).is_err(), "another transaction of the same number");
    }

    #[test]
    fn a_torn_end_is_said_and_a_hidden_record_is_damage() {
        let d = disk();
        let log = segment(&d, 1, &[(1, 1), (2, 2), (3, 3)], 0);
        d.damage(&log.path, |f| f.truncate(130));
        let (seen, end) = all(&d, std::slice::from_ref(&log)).unwrap();
        assert_eq!(seen, [1, 2]);
        assert!(end.unwrap().contains("offset 122"));
        let big = segment(&d, 9, &(9..60_000).map(|z| (z, 1)).collect::<Vec<_>>(), 0);
        d.damage(&big.path, |f| f[16 + 53 * 10 + 20] ^= 1);
        let e = all(&d, &[big]).unwrap_err();
        assert_eq!(e.place.map(|p| p.offset), Some(16 + 53 * 10));
    }
}
