//! The log: the storage behind its driver, and the thread that writes what has piled up.
//!
//! A few transactions that find the log idle are written by the core itself: for a lone
//! writer that saves two thread switches a request. Everything else goes through the
//! thread, so that admission goes on while the disk syncs.
//!
//! # Invariants
//!
//! * One append is under way at a time; what comes meanwhile is the next one's batch.
//! * The core appends by itself only while nothing that it handed over is unwritten.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::core::CoreMessage;
use super::desk::Desk;
use super::queue::{Queue, Taken};
use super::snapshots::LogDesk;
use crate::config::settings;
use crate::disk::Disk;
use crate::driver::{Branch, Completion, Worker};
use crate::limits::LOG_IDLE_MS;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::replica::StorageState;
use crate::storage::{SnapshotWriter, Tail};
use crate::types::Instant;
use crate::zab::Proposal;

/// What the log thread is told.
pub enum LogWork {
    /// Write a transaction, which was handed over then.
    Append(Proposal, Instant),
    /// Remove old snapshots and logs.
    Purge,
    /// Settle and end.
    Finish,
}

/// The log of a running server.
pub struct Log<D: Disk> {
    /// What waits for the log thread.
    pub inbox: Queue<LogWork>,
    worker: Mutex<Worker<D>>,
    desk: Desk,
}

impl<D: Disk> Log<D> {
    /// Goes on with a recovered storage.
    pub fn new(worker: Worker<D>, metrics: Arc<Metrics>, settings: settings::Storage) -> Log<D> {
        Log { inbox: Queue::default(), worker: Mutex::new(worker), desk: Desk::new(metrics, settings) }
    }

    /// Writes and syncs on the calling thread, if the log is at rest. `batch` is empty afterwards.
    pub fn append_now(&self, batch: &mut Vec<Proposal>) -> Option<Completion> {
        if self.desk.settings.flush_delay > 0 {
            return None;
        }
        let mut worker = self.worker.try_lock()?;
        Some(self.append(&mut worker, batch, &[]))
    }

    /// Puts a snapshot in place of everything; the log has nothing under way. In words why not: then nothing
    /// is promised any more.
    pub fn replace(&self, branch: &Branch, writer: SnapshotWriter<D>, tail: Tail) -> Result<(), String> {
        let replaced = self.worker.lock().replace(branch, writer, tail);
        replaced.map(drop).map_err(|e| e.to_string())
    }

    /// The error after which nothing is promised any more.
    pub fn failure(&self) -> Option<String> {
        self.worker.lock().failure().map(ToString::to_string)
    }

    /// `since`: when the transactions were handed over, if they waited for a thread.
    fn append(&self, worker: &mut Worker<D>, batch: &mut Vec<Proposal>, since: &[Instant]) -> Completion {
        self.desk.work(batch.len(), since, || worker.append(batch))
    }
}

impl<D: Disk> LogDesk for Log<D> {
    fn is_busy(&self) -> bool {
        self.desk.is_busy()
    }

    fn purge(&self) {
        self.inbox.push(LogWork::Purge);
    }

    fn finish(&self) {
        self.inbox.push(LogWork::Finish);
    }
}

/// What the log thread works with.
pub struct LogThread<D: Disk> {
    /// The log.
    pub log: Arc<Log<D>>,
    /// The way back to the core.
    pub core: Arc<Queue<CoreMessage>>,
}

struct Run<D: Disk> {
    log: Arc<Log<D>>,
    core: Arc<Queue<CoreMessage>>,
    batch: Vec<Proposal>,
    since: Vec<Instant>,
    state: StorageState,
    checked: Instant,
    purge: bool,
    finish: bool,
}

impl<D: Disk> LogThread<D> {
    /// Works until it is told to finish.
    pub fn run(self) {
        let mut run = Run {
            log: self.log,
            core: self.core,
            batch: Vec::new(),
            since: Vec::new(),
            state: StorageState::Good,
            checked: Instant::default(),
            purge: false,
            finish: false,
        };
        let mut work = Vec::new();
        loop {
            let taken = run.log.inbox.take(&mut work, Some(Duration::from_millis(LOG_IDLE_MS)));
            run.sort(&mut work);
            run.linger(&mut work);
            if !run.batch.is_empty() {
                let completion = run.log.append(&mut run.log.worker.lock(), &mut run.batch, &run.since);
                run.since.clear();
                run.report(completion);
            }
            run.look_after_space();
            if std::mem::take(&mut run.purge) {
                run.purge();
            }
            let ends = run.finish || taken == Taken::Closed;
            if ends || taken == Taken::Nothing {
                run.settle();
            }
            if ends {
                return;
            }
        }
    }
}

impl<D: Disk> Run<D> {
    fn sort(&mut self, work: &mut Vec<LogWork>) {
        for item in work.drain(..) {
            match item {
                LogWork::Append(append, since) => {
                    self.batch.push(append);
                    self.since.push(since);
                }
                LogWork::Purge => self.purge = true,
                LogWork::Finish => self.finish = true,
            }
        }
    }

    /// `flushDelay` and `maxBatchSize`: waits for company, where the operator wants that.
    fn linger(&mut self, work: &mut Vec<LogWork>) {
        let settings = &self.log.desk.settings;
        if settings.flush_delay == 0 || self.batch.is_empty() {
            return;
        }
        let deadline = clock::mono() + Duration::from_millis(settings.flush_delay);
        let full = settings.max_batch_size.map_or(usize::MAX, |n| n as usize);
        while self.batch.len() < full && !self.finish {
            let left = deadline.since(clock::mono());
            if left.is_zero() || self.log.inbox.take(work, Some(left)) == Taken::Closed {
                return;
            }
            self.sort(work);
        }
    }

    /// About once a second: how much room is left, and whether what waits for it fits now.
    fn look_after_space(&mut self) {
        let now = clock::mono();
        if now.since(self.checked) < Duration::from_millis(LOG_IDLE_MS) {
            return;
        }
        self.checked = now;
        let completion = self.log.worker.lock().check();
        if completion.durable.is_some() || completion.state != self.state {
            self.report(completion);
        }
    }

    fn report(&mut self, completion: Completion) {
        self.state = completion.state;
        self.core.push(CoreMessage::Logged(completion));
    }

    /// The log is at rest: its durable marks become exact.
    fn settle(&mut self) {
        if self.log.desk.settles() {
            self.log.worker.lock().settle();
        }
    }

    fn purge(&mut self) {
        let keep = self.log.desk.settings.snap_retain_count as usize;
        Desk::purged(self.log.worker.lock().purge(keep));
    }
}
