//! Reads committed transactions back, across segments: for a learner that is behind, and for tools.
//!
//! # Invariants
//!
//! * What it yields follows without a gap behind the zxid that was asked for, and ends with the
//!   last durable one: a caller never sees a history that ended early without an error.

use super::follows;
use super::read::SegmentReader;
use crate::disk::Disk;
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{self, Dirs, LogFile};
use crate::types::Zxid;

/// An iterator over encoded transactions.
pub struct LogIter<D: Disk> {
    disk: D,
    /// Segments still to be read, newest first.
    todo: Vec<LogFile>,
    reader: Option<SegmentReader<D::File>>,
    /// The last one yielded, or the one asked for.
    at: Zxid,
    /// The last one passed over on the way to `at`.
    passed: Option<Zxid>,
    /// Something was yielded.
    begun: bool,
    until: Zxid,
}

impl<D: Disk> LogIter<D> {
    /// Yields what lies behind `after`, up to `until`.
    pub fn after(disk: &D, dirs: &Dirs, after: Zxid, until: Zxid) -> Result<LogIter<D>> {
        let logs = names::logs(disk, &dirs.log())?;
        let mut todo = names::logs_after(&logs, after).to_vec();
        todo.reverse();
        Ok(LogIter { disk: disk.clone(), todo, reader: None, at: after, passed: None, begun: false, until })
    }

    /// The next transaction: its zxid and its entry.
    pub fn next_entry(&mut self) -> Result<Option<(Zxid, Vec<u8>)>> {
        while self.at < self.until {
            let Some(reader) = self.reader.as_mut() else {
                let Some(log) = self.todo.pop() else { break };
                self.reader = Some(SegmentReader::open(&self.disk, &log.path)?);
                continue;
            };
            let Some(entry) = reader.next_entry()? else {
                self.reader = None;
                continue;
            };
            let zxid = entry.zxid;
            if zxid <= self.at {
                // Records that ZooKeeper wrote again do not count once the first one was found.
                if !self.begun {
                    self.passed = Some(zxid);
                }
                continue;
            }
            // Behind records that were passed over, the one asked for must have been among them.
            let in_place = follows(self.at, zxid) && self.passed.is_none_or(|p| p == self.at);
            if !in_place {
                return Err(self.not_here());
            }
            let bytes = entry.bytes.to_vec();
            self.at = zxid;
            (self.passed, self.begun) = (None, true);
            return Ok(Some((zxid, bytes)));
        }
        if self.at < self.until { Err(self.not_here()) } else { Ok(None) }
    }

    fn not_here(&self) -> StorageError {
        StorageError::unavailable(format!("the logs do not hold every transaction behind {}", self.at))
    }
}
