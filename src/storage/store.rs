//! One server's storage: append, roll, truncate, read back, snapshots, purge, and the latch.
//!
//! # Invariants
//!
//! * After the first failed write or sync every further promise is refused with that error.
//! * "No room" before a sync changes nothing and does not latch: the same call may be repeated.
//! * Marks are lowered, durably, before anything that they describe is removed.

use super::error::{Notice, Result, StorageError, Trouble};
use super::log::around::{Around, around};
use super::log::iter::LogIter;
use super::log::write::{Appended, LogEntry, LogWriter};
use super::mark::MarkSet;
use super::names::{self, Dirs};
use super::recover::{Examined, Loader, Rules, examine};
use super::snapshot::{SnapshotWriter, find_valid};
use super::space::{Health, Space};
use super::{install, purge, truncate};
use crate::disk::{Disk, DiskFile, Durable};
use crate::types::Zxid;
use std::path::PathBuf;

/// The storage of a server, behind [`super::recover::recover`].
pub struct Storage<D: Disk> {
    disk: D,
    dirs: Dirs,
    rules: Rules,
    log: LogWriter<D>,
    space: Space<D>,
    latched: Option<StorageError>,
    since_check: u64,
}

impl<D: Disk> Storage<D> {
    /// Goes on behind `last`. For [`super::recover::recover`].
    pub(super) fn new(disk: D, dirs: Dirs, rules: Rules, marks: MarkSet, last: Zxid) -> Storage<D> {
        let log = LogWriter::new(disk.clone(), dirs.clone(), rules.log, marks, last);
        let space = Space::new(disk.clone(), dirs.clone(), rules.room);
        Storage { disk, dirs, rules, log, space, latched: None, since_check: 0 }
    }

    /// Zxid of the last durable transaction.
    pub fn last(&self) -> Zxid {
        self.log.last()
    }

    /// Length of the live segment's file, 0 between two segments (`log_dir` sizes, `srvr`).
    pub fn live_file_size(&self) -> u64 {
        self.log.live_file_size()
    }

    /// The directories.
    pub fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How the medium is.
    pub fn health(&self) -> Health {
        match (&self.latched, self.space.is_full()) {
            (Some(_), _) => Health::Failed,
            (None, true) => Health::Full,
            (None, false) => Health::Good,
        }
    }

    /// Keeps a text of ours beside the data, whole or not at all. Its failure does not latch: nothing
    /// was promised by it.
    pub fn keep(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dirs.own().join(name);
        let kept = self.disk.replace(&path, text.as_bytes());
        kept.map(|_| path.clone()).map_err(|e| StorageError::io("cannot write", &path, &e))
    }

    /// The error that latched, if one did.
    pub fn failure(&self) -> Option<&StorageError> {
        self.latched.as_ref()
    }

    /// Looks at the room left. The caller does so now and then, and while it is full.
    pub fn check_space(&mut self) -> Health {
        self.space.check();
        self.since_check = 0;
        self.health()
    }

    /// Runs an operation unless latched; latches on its error if that is final.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(e) = &self.latched {
            return Err(e.clone());
        }
        let result = work(self);
        if let Err(e) = &result
            && !matches!(e.trouble, Trouble::Full | Trouble::Unavailable)
        {
            self.latched = Some(e.clone());
        }
        result
    }

    /// Appends encoded transactions (`Record::to_bytes`), in order: one write, one sync. Takes as
    /// many from the front as [`crate::limits::LOG_BATCH_BYTES`] allow, at least one.
    pub fn append<E: LogEntry>(&mut self, batch: &[E]) -> Result<Appended> {
        self.guarded(|s| {
            let appended = s.log.append(batch, &mut s.space)?;
            s.since_check += appended.bytes;
            if s.since_check >= crate::limits::DISK_CHECK_BYTES {
                s.check_space();
            }
            Ok(appended)
        })
    }

    /// The next append opens a new segment.
    pub fn roll(&mut self) {
        self.log.roll();
    }

    /// Makes the durable marks exact. At a clean end, and when the log has been idle.
    pub fn settle(&mut self) -> Result<()> {
        if !self.rules.log.force_sync {
            return Ok(());
        }
        self.guarded(|s| s.log.marks().settle())
    }

    /// Begins the snapshot of a state whose last transaction is `zxid`; `head` is the encoded
    /// sessions and ACL table. The writer is independent of this storage and may run elsewhere.
    pub fn begin_snapshot(&self, zxid: Zxid, head: &[u8]) -> Result<SnapshotWriter<D>> {
        SnapshotWriter::begin(&self.disk, &self.dirs.snap(), zxid, head, self.rules.compression)
    }

    /// Transactions behind `zxid`, in order. `zxid` itself must be in the logs, or just before
    /// their first; otherwise [`Trouble::Unavailable`].
    pub fn read_after(&self, zxid: Zxid) -> Result<LogIter<D>> {
        LogIter::after(&self.disk, &self.dirs, zxid, self.last())
    }

    /// What the logs hold around `zxid`, for a learner that ends with it.
    pub fn around(&mut self, zxid: Zxid) -> Result<Around> {
        let until = self.last();
        around(&self.disk, &self.dirs, &self.log.marks().set().segments, zxid, until)
    }

    /// Length of the newest snapshot's file, bytes; `None` without one.
    pub fn newest_snapshot_len(&self) -> Result<Option<u64>> {
        let Some(s) = find_valid(&self.disk, &self.dirs.snap(), 1)?.into_iter().next() else {
            return Ok(None);
        };
        let io = |e: std::io::Error| StorageError::io("cannot read", &s.path, &e);
        self.disk.open_read(&s.path).and_then(|f| f.len()).map(Some).map_err(io)
    }

    /// Reads the database anew, behind a truncation: as a start would, but nothing is changed.
    pub fn reload<L: Loader>(&mut self, loader: &mut L) -> Result<Examined> {
        self.guarded(|s| examine(&s.disk, &s.dirs, &s.rules, loader))
    }

    /// Removes everything behind `to` from logs and snapshots; returns the zxid that history
    /// ends with then (`to`, or the last one before it). The database must be recovered anew.
    /// Refused as unavailable, with nothing changed, if what is left would not reach that point.
    pub fn truncate(&mut self, to: Zxid) -> Result<Durable<Zxid>> {
        self.guarded(|s| {
            s.log.roll();
            let durable = truncate::truncate(&s.disk, &s.dirs, s.log.marks(), to)?;
            s.log.restart(*durable.get());
            Ok(durable)
        })
    }

    /// Puts a complete snapshot, received from a leader, in place of everything there is.
    pub fn install(&mut self, writer: SnapshotWriter<D>, tail: install::Tail) -> Result<Durable<Zxid>> {
        self.guarded(|s| {
            s.log.roll();
            let durable = install::install(&s.disk, &s.dirs, s.log.marks(), writer, tail)?;
            s.log.restart(*durable.get());
            Ok(durable)
        })
    }

    /// Keeps the newest `keep` valid snapshots and the logs that they need; returns what it removed.
    pub fn purge(&mut self, keep: usize) -> Result<Vec<Notice>> {
        self.guarded(|s| {
            let removed = purge::purge(&s.disk, &s.dirs, keep)?;
            let left = names::logs(&s.disk, &s.dirs.log())?;
            s.log.marks().change(|m| m.segments.retain(|g| left.iter().any(|l| l.first == g.name)));
            Ok(removed)
        })
    }
}
