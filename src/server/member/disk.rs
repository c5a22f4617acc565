//! The disk of a member: its worker, and the thread that carries out what has piled up.
//!
//! Few transactions that find the disk idle are written by the core itself, once what links have
//! to send has left: the members' logs sync side by side, and two thread switches are saved.
//! Everything else goes through the thread, so that the core goes on while the disk syncs.
//!
//! # Invariants
//!
//! * Wishes reach the worker in the order in which the core made them: it works by itself only
//!   while nothing that it handed over is undone.
//! * What is staged reaches the worker before the wish to install it.

use std::sync::Arc;
use std::time::Duration;

use crate::config::settings;
use crate::disk::Disk;
use crate::driver::{MemberWorker, Staged};
use crate::limits::LOG_IDLE_MS;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::replica::{DiskDone, DiskOp};
use crate::server::core::CoreMessage;
use crate::server::desk::Desk;
use crate::server::queue::{Queue, Taken};
use crate::server::snapshots::LogDesk;
use crate::storage::StorageError;
use crate::types::{Instant, LinkId};
use parking_lot::Mutex;

/// What the disk thread is told.
pub enum DiskWork<D: Disk> {
    /// Carry this out, which was handed over then.
    Op(DiskOp, Instant),
    /// Keep a snapshot that a link brought until it is to be installed.
    Stage(LinkId, Box<Staged<D>>),
    /// A snapshot that was coming could not be written.
    NotReceived(StorageError),
    /// Remove old snapshots and logs.
    Purge,
    /// Settle and end.
    Finish,
}

/// The disk of a running member.
pub struct MemberDisk<D: Disk> {
    /// What waits for the thread.
    pub inbox: Queue<DiskWork<D>>,
    worker: Mutex<MemberWorker<D>>,
    desk: Desk,
}

impl<D: Disk> MemberDisk<D> {
    /// Goes on with what a start found.
    pub fn new(worker: MemberWorker<D>, metrics: Arc<Metrics>, settings: settings::Storage) -> MemberDisk<D> {
        MemberDisk { inbox: Queue::default(), worker: Mutex::new(worker), desk: Desk::new(metrics, settings) }
    }

    /// Carries `ops` out on the calling thread, if the worker is at rest; `ops` is empty then.
    pub fn work_now(&self, ops: &mut Vec<DiskOp>) -> Option<Vec<DiskDone>> {
        if self.desk.settings.flush_delay > 0 {
            return None;
        }
        let mut worker = self.worker.try_lock()?;
        Some(self.carry_out(&mut worker, ops, &[]))
    }

    /// `since`: when the appends among `ops` were handed over, if they waited for a thread.
    fn carry_out(
        &self,
        worker: &mut MemberWorker<D>,
        ops: &mut Vec<DiskOp>,
        since: &[Instant],
    ) -> Vec<DiskDone> {
        let appends = ops.iter().filter(|op| matches!(op, DiskOp::Append(_))).count();
        self.desk.work(appends, since, || worker.handle(ops))
    }
}

impl<D: Disk> LogDesk for MemberDisk<D> {
    fn is_busy(&self) -> bool {
        self.desk.is_busy()
    }

    fn purge(&self) {
        self.inbox.push(DiskWork::Purge);
    }

    fn finish(&self) {
        self.inbox.push(DiskWork::Finish);
    }
}

/// What the disk thread works with.
pub struct DiskThread<D: Disk> {
    /// The disk.
    pub disk: Arc<MemberDisk<D>>,
    /// The way back to the core.
    pub core: Arc<Queue<CoreMessage>>,
}

impl<D: Disk> DiskThread<D> {
    /// Works until it is told to finish.
    pub fn run(self) {
        let idle = Duration::from_millis(LOG_IDLE_MS);
        let (mut work, mut ops, mut since) = (Vec::new(), Vec::new(), Vec::new());
        let mut checked = clock::mono();
        loop {
            let taken = self.disk.inbox.take(&mut work, Some(idle));
            let ends = self.take(&mut work, &mut ops, &mut since) || taken == Taken::Closed;
            let (count, mut answers) = (ops.len(), Vec::new());
            if count > 0 {
                answers = self.disk.carry_out(&mut self.disk.worker.lock(), &mut ops, &since);
                since.clear();
            }
            // About once a second: how much room is left, and whether what waits for it fits now.
            if clock::mono().since(checked) >= idle {
                checked = clock::mono();
                answers.extend(self.disk.worker.lock().check());
            }
            if count > 0 || !answers.is_empty() {
                self.core.push(CoreMessage::Disk { count, answers });
            }
            if ends || taken == Taken::Nothing {
                self.settle();
            }
            if ends {
                return;
            }
        }
    }

    /// Sorts what came; true when it is the end.
    fn take(&self, work: &mut Vec<DiskWork<D>>, ops: &mut Vec<DiskOp>, since: &mut Vec<Instant>) -> bool {
        let mut ends = false;
        for item in work.drain(..) {
            match item {
                DiskWork::Op(op, at) => {
                    since.extend(matches!(op, DiskOp::Append(_)).then_some(at));
                    ops.push(op);
                }
                DiskWork::Stage(link, staged) => self.disk.worker.lock().stage(link, *staged),
                // The next look at the disk, within a second, tells the core.
                DiskWork::NotReceived(e) => self.disk.worker.lock().not_received(e),
                DiskWork::Purge => self.purge(),
                DiskWork::Finish => ends = true,
            }
        }
        ends
    }

    /// The log is at rest: its durable marks become exact.
    fn settle(&self) {
        if self.disk.desk.settles() {
            self.disk.worker.lock().settle();
        }
    }

    fn purge(&self) {
        let keep = self.disk.desk.settings.snap_retain_count as usize;
        Desk::purged(self.disk.worker.lock().purge(keep));
    }
}
