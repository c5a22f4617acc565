//! The snapshot thread: writes snapshots beside traffic, and says when to purge.
//!
//! # Invariants
//!
//! * A chunk is written only while the log is not at its sync (or after a short wait for
//!   that), and no faster than [`SNAPSHOT_BYTES_PER_SECOND`].
//! * A snapshot that fails costs a log line: the log is what promises rest on, and the next
//!   snapshot is tried when it is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use tracing::{debug, error, info};

use super::queue::{Queue, Taken};
use super::restore::{Waiting, Written};
use crate::disk::Disk;
use crate::driver::{Branch, SnapshotJob};
use crate::limits::{SNAPSHOT_BYTES_PER_SECOND, SNAPSHOT_STEP, SNAPSHOT_YIELD_MS};
use crate::metrics::Metrics;
use crate::os::clock;
use crate::replica::Shared;
use crate::storage::{Dirs, Result, Rules};
use crate::types::Instant;

/// What the snapshot thread and the end of the server need of the log.
pub trait LogDesk: Send + Sync {
    /// Is an append under way? Others keep off the disk meanwhile.
    fn is_busy(&self) -> bool;
    /// Asks its thread to remove old snapshots and logs.
    fn purge(&self);
    /// Asks its thread to settle and end.
    fn finish(&self);
}

/// What the snapshot thread owns.
pub struct SnapshotThread<D: Disk> {
    /// The state.
    pub shared: Arc<Shared>,
    /// The medium.
    pub disk: D,
    /// Where on it.
    pub dirs: Dirs,
    /// Which history the tree shows.
    pub branch: Branch,
    /// How files are written.
    pub rules: Rules,
    /// A snapshot is due; several at once are one.
    pub inbox: Arc<Queue<()>>,
    /// Who waits for the next one.
    pub waiting: Arc<Waiting>,
    /// The log: it purges, and has the disk first.
    pub log: Arc<dyn LogDesk>,
    /// The server ends: a snapshot under way is given up.
    pub ending: Arc<AtomicBool>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// `autopurge.purgeInterval`.
    pub purge_every: Option<Duration>,
}

impl<D: Disk> SnapshotThread<D> {
    /// Works until its inbox is closed. The first purge is at the start, as in ZooKeeper.
    pub fn run(self) {
        let mut due = Vec::new();
        let mut next_purge = self.purge_every.map(|_| clock::mono());
        loop {
            if let (Some(at), Some(every)) = (next_purge, self.purge_every)
                && at <= clock::mono()
            {
                self.log.purge();
                next_purge = Some(clock::mono() + every);
            }
            let patience = next_purge.map(|at| at.since(clock::mono()));
            match self.inbox.take(&mut due, patience) {
                Taken::Closed => return,
                Taken::Nothing => continue,
                Taken::Some => due.clear(),
            }
            let begun = clock::mono();
            let waiting = self.waiting.take();
            let outcome = self.snapshot(begun);
            tell(waiting, &outcome);
            match outcome {
                Ok(Some((Written { zxid, .. }, bytes))) => {
                    let millis = clock::mono().since(begun).as_millis();
                    self.metrics.snapshottime.record(i64::try_from(millis).unwrap_or(i64::MAX));
                    info!(%zxid, bytes, took_ms = millis as u64, "snapshot written");
                }
                Ok(None) => debug!("the snapshot under way was given up: the server ends"),
                Err(why) => {
                    self.metrics.snapshot_error_count.inc();
                    error!("{why}; the snapshot is left out, the transaction log goes on");
                }
            }
        }
    }

    /// Writes one snapshot; its name and size, or nothing if the server ends meanwhile.
    fn snapshot(&self, begun: Instant) -> Result<Option<(Written, u64)>> {
        let dir = self.dirs.snap();
        let mut job = SnapshotJob::begin(&self.shared, &self.disk, &dir, &self.rules, &self.branch)?;
        loop {
            self.let_the_log_go_first();
            let more = job.step(SNAPSHOT_STEP)?;
            if !more {
                break;
            }
            if self.ending.load(Ordering::Relaxed) {
                return Ok(None);
            }
            pace(begun, job.written());
        }
        let (zxid, bytes) = (job.zxid(), job.written());
        let path = job.finish()?.get().path.clone();
        Ok(Some((Written { path, zxid }, bytes)))
    }

    fn let_the_log_go_first(&self) {
        for _ in 0..SNAPSHOT_YIELD_MS {
            if !self.log.is_busy() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Those who waited learn what came of it; they may have gone.
fn tell(
    waiting: Vec<Sender<std::result::Result<Written, String>>>,
    outcome: &Result<Option<(Written, u64)>>,
) {
    for told in waiting {
        let _ = told.send(match outcome {
            Ok(Some((written, _))) => Ok(written.clone()),
            Ok(None) => Err("the server ends".to_owned()),
            Err(e) => Err(e.to_string()),
        });
    }
}

/// Sleeps until so many bytes may have been written.
fn pace(begun: Instant, written: u64) {
    let allowed_after = Duration::from_millis(written.saturating_mul(1000) / SNAPSHOT_BYTES_PER_SECOND);
    let ahead = (begun + allowed_after).since(clock::mono());
    if ahead > Duration::from_millis(1) {
        std::thread::sleep(ahead);
    }
}
