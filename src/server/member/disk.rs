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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{error, info, warn};

use crate::config::settings;
use crate::disk::Disk;
use crate::driver::{MemberWorker, Staged};
use crate::limits::LOG_IDLE_MS;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::replica::{DiskDone, DiskOp};
use crate::server::core::CoreMessage;
use crate::server::queue::{Queue, Taken};
use crate::server::snapshots::LogDesk;
use crate::types::{Instant, LinkId};

/// What the disk thread is told.
pub enum DiskWork<D: Disk> {
    /// Carry this out.
    Op(DiskOp),
    /// Keep a snapshot that a link brought until it is to be installed.
    Stage(LinkId, Box<Staged<D>>),
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
    metrics: Arc<Metrics>,
    settings: settings::Storage,
    busy: AtomicBool,
    unsettled: AtomicBool,
}

impl<D: Disk> MemberDisk<D> {
    /// Goes on with what a start found.
    pub fn new(worker: MemberWorker<D>, metrics: Arc<Metrics>, settings: settings::Storage) -> MemberDisk<D> {
        MemberDisk {
            inbox: Queue::default(),
            worker: Mutex::new(worker),
            metrics,
            settings,
            busy: AtomicBool::new(false),
            unsettled: AtomicBool::new(false),
        }
    }

    /// Carries `ops` out on the calling thread, if the worker is at rest; `ops` is empty then.
    pub fn work_now(&self, ops: &mut Vec<DiskOp>) -> Option<Vec<DiskDone>> {
        if self.settings.flush_delay > 0 {
            return None;
        }
        let mut worker = self.worker.try_lock()?;
        Some(self.carry_out(&mut worker, ops))
    }

    fn carry_out(&self, worker: &mut MemberWorker<D>, ops: &mut Vec<DiskOp>) -> Vec<DiskDone> {
        let count = ops.len();
        let appends = ops.iter().any(|op| matches!(op, DiskOp::Append(_)));
        let begun = clock::mono();
        self.busy.store(true, Ordering::Relaxed);
        let done = worker.handle(ops);
        self.busy.store(false, Ordering::Relaxed);
        self.unsettled.store(true, Ordering::Relaxed);
        if appends {
            self.measure(count, begun);
        }
        done
    }

    fn measure(&self, count: usize, begun: Instant) {
        let took = clock::mono().since(begun);
        let millis = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        metrics.sync_processor_batch_size.record(i64::try_from(count).unwrap_or(i64::MAX));
        metrics.fsynctime.record(millis);
        metrics.sync_processor_queue_flush_time_ms.record(millis);
        if took > Duration::from_millis(self.settings.fsync_warning_threshold_ms) {
            metrics.stats.fsync_threshold_exceeded.inc();
            warn!(took_ms = millis, transactions = count, "disk: writing and syncing the log took long");
        }
    }
}

impl<D: Disk> LogDesk for MemberDisk<D> {
    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
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
        let (mut work, mut ops) = (Vec::new(), Vec::new());
        let mut checked = clock::mono();
        loop {
            let taken = self.disk.inbox.take(&mut work, Some(idle));
            let ends = self.take(&mut work, &mut ops) || taken == Taken::Closed;
            let (count, mut answers) = (ops.len(), Vec::new());
            if count > 0 {
                answers = self.disk.carry_out(&mut self.disk.worker.lock(), &mut ops);
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
    fn take(&self, work: &mut Vec<DiskWork<D>>, ops: &mut Vec<DiskOp>) -> bool {
        let mut ends = false;
        for item in work.drain(..) {
            match item {
                DiskWork::Op(op) => ops.push(op),
                DiskWork::Stage(link, staged) => self.disk.worker.lock().stage(link, *staged),
                DiskWork::Purge => self.purge(),
                DiskWork::Finish => ends = true,
            }
        }
        ends
    }

    /// The log is at rest: its durable marks become exact.
    fn settle(&self) {
        if self.disk.unsettled.swap(false, Ordering::Relaxed) {
            self.disk.worker.lock().settle();
        }
    }

    fn purge(&self) {
        let keep = self.disk.settings.snap_retain_count as usize;
        let removed = self.disk.worker.lock().purge(keep);
        match removed {
            Ok(removed) => removed.iter().for_each(|what| info!("purge: {what}")),
            Err(why) => error!("purge: {why}"),
        }
    }
}
