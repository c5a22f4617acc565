//! The audit log of a running server: takes decisions, and has a thread that writes them.
//!
//! # Invariants
//!
//! * A decision that ZooKeeper or we audit becomes one record; making it writes no file.
//! * With "no audit, no service" the place of a record is told, and later that everything up
//!   to a place is on the disk; when the disk fails, that is told too, once, and again when it
//!   is well. Nothing that waits is given up then.
//! * Without it, what cannot be written is counted, and the requests go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{error, info};

use super::files::{Files, FilesConfig};
use super::layout::{Layout, is_error};
use super::queue::{Batch, Queue, WhenFull};
use crate::config::settings;
use crate::error::Code;
use crate::limits::AUDIT_RETRY_MS;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::types::decision::{Decision, Operation, Who};

/// The target of audit events in the server's own log.
pub const TARGET: &str = "audit";

/// Who is told what becomes of records ("no audit, no service" alone).
pub trait Notices: Send + Sync {
    /// Everything up to this place is on the disk.
    fn safe(&self, upto: u64);
    /// Records can (again), or cannot be written: serve only while they can.
    fn service(&self, may: bool);
}

/// The audit log.
pub struct Trail {
    layout: Layout,
    /// The account that runs the server, or its principal: who acts when nobody asked.
    account: String,
    metrics: Arc<Metrics>,
    files: Option<ToFiles>,
}

struct ToFiles {
    queue: Arc<Queue>,
    required: bool,
    /// Disconnected when the thread is over.
    over: Mutex<Receiver<()>>,
}

impl Trail {
    /// Opens the log as the settings say. `account` is who acts when the server acts by itself.
    ///
    /// # Errors
    ///
    /// A file cannot be opened: the text names it, and the cure.
    pub fn start(
        audit: &settings::Audit,
        account: String,
        metrics: Arc<Metrics>,
        notices: Arc<dyn Notices>,
    ) -> Result<Trail, String> {
        let layout = Layout::from_name(&audit.layout).unwrap_or_default();
        let files = match &audit.file {
            None => None,
            Some(path) => {
                let config = FilesConfig {
                    path: path.clone(),
                    layout,
                    max_bytes: u64::from(audit.file_max_size_mb) << 20,
                    keep: audit.file_max_count.saturating_sub(1),
                };
                let when_full = if audit.drop_when_full { WhenFull::Drop } else { WhenFull::Block };
                Some(ToFiles::start(config, when_full, audit.required, &metrics, notices)?)
            }
        };
        Ok(Trail { layout, account, metrics, files })
    }

    /// Takes a decision. Where the reply has to wait for the record: its place.
    pub fn record(&self, decision: &Decision<'_>) -> Option<u64> {
        if !decision.is_audited() {
            return None;
        }
        let mut decision = *decision;
        if decision.who.user.is_none() && decision.who.address.is_none() {
            decision.who.user = Some(&self.account);
        }
        let Some(files) = &self.files else {
            self.metrics.own.audit_records.inc();
            let event = self.layout.event(&decision);
            match is_error(&decision) {
                true => error!(target: TARGET, "{event}"),
                false => info!(target: TARGET, "{event}"),
            }
            return None;
        };
        let place = files.queue.push(self.layout.line(&decision));
        match place {
            Some(_) => self.metrics.own.audit_records.inc(),
            None => self.metrics.own.audit_lost.inc(),
        }
        // A lost record never becomes safe: its reply is not to leave before service ends.
        files.required.then(|| place.unwrap_or(u64::MAX))
    }

    /// What the server does by itself.
    pub fn server(&self, operation: Operation, decided: impl FnOnce(&mut Decision<'_>)) {
        let mut decision = Decision::new(Who::default(), operation, Code::Ok, clock::wall_ms());
        decided(&mut decision);
        self.record(&decision);
    }

    /// Writes what waits, and ends; waits at most for `patience`.
    pub fn stop(&self, patience: Duration) {
        if let Some(files) = &self.files {
            files.queue.close();
            let _ = files.over.lock().recv_timeout(patience); // late: what waits is lost with the process
        }
    }
}

impl ToFiles {
    fn start(
        config: FilesConfig,
        when_full: WhenFull,
        required: bool,
        metrics: &Arc<Metrics>,
        notices: Arc<dyn Notices>,
    ) -> Result<ToFiles, String> {
        let path = config.path.display().to_string();
        let cure = "create its directory, owned by the account of the server, or correct audit.file";
        let layout = config.layout;
        let files = Files::open(config).map_err(|e| format!("config: audit.file: {e}: {cure}"))?;
        info!(file = path, "the audit log goes on behind link {}", files.last());
        let queue = Arc::new(Queue::new(when_full));
        let (alive, over) = channel::<()>();
        let mut writer = Writer {
            queue: Arc::clone(&queue),
            files,
            layout,
            required,
            metrics: Arc::clone(metrics),
            notices,
            failing: false,
            unsure: false,
        };
        let run = move || {
            let _alive = alive;
            writer.run();
        };
        let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(run);
        spawned.map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(ToFiles { queue, required, over: Mutex::new(over) })
    }
}

/// The thread that writes.
struct Writer {
    queue: Arc<Queue>,
    files: Files,
    layout: Layout,
    required: bool,
    metrics: Arc<Metrics>,
    notices: Arc<dyn Notices>,
    failing: bool,
    /// A sync failed: what the disk holds is not known any more, and a second sync that
    /// succeeds would not tell. Only a restart reads the file again.
    unsure: bool,
}

impl Writer {
    fn run(&mut self) {
        loop {
            let mut batch = self.queue.take();
            if batch.lost > 0 {
                batch.records.push_back(self.lost(batch.lost));
            }
            self.write(&mut batch);
            if batch.closed {
                if let Err(e) = self.files.sync() {
                    error!("disk: the end of the audit log may not be on the disk: {e}");
                }
                info!("the audit log ends with link {}", self.files.last());
                return;
            }
        }
    }

    /// A record of how many records are gone.
    fn lost(&self, count: u64) -> String {
        let (count, now) = (count.to_string(), clock::wall_ms());
        let lost = Decision::new(Who::default(), Operation::AuditLost, Code::SystemError, now);
        self.layout.line(&Decision { extra: &[("count", &count), ("why", "full")], ..lost })
    }

    /// Until it is written; or given up, where that is allowed.
    fn write(&mut self, batch: &mut Batch) {
        loop {
            match self.try_write(&mut batch.records) {
                Ok(()) => {
                    self.works();
                    if self.required {
                        self.notices.safe(batch.upto);
                    }
                    return;
                }
                Err(e) => self.fails(&e),
            }
            if !self.required || self.unsure {
                self.metrics.own.audit_lost.add(batch.records.len() as u64);
                return;
            }
            if batch.closed || self.queue.pause(Duration::from_millis(AUDIT_RETRY_MS)) {
                // The end of the process: their replies never left.
                self.metrics.own.audit_lost.add(batch.records.len() as u64);
                return;
            }
        }
    }

    fn try_write(&mut self, records: &mut VecDeque<String>) -> std::io::Result<()> {
        if self.unsure {
            return Err(std::io::Error::other("a sync of it failed"));
        }
        self.files.append(records)?;
        if !self.required {
            return Ok(());
        }
        let synced = self.files.sync();
        self.unsure = synced.is_err();
        synced
    }

    fn fails(&mut self, why: &std::io::Error) {
        if std::mem::replace(&mut self.failing, true) {
            return;
        }
        self.metrics.own.audit_unwritable.set(1);
        self.queue.stuck(true);
        if self.required {
            error!(
                "disk: the audit log cannot be written: {why}; nothing is served until it can \
                 (audit.required=true): make room or correct the file's rights"
            );
            self.notices.service(false);
        } else {
            error!(
                "disk: the audit log cannot be written: {why}; records are lost and counted: look after its disk"
            );
        }
    }

    fn works(&mut self) {
        if !std::mem::take(&mut self.failing) {
            return;
        }
        self.metrics.own.audit_unwritable.set(0);
        self.queue.stuck(false);
        info!("the audit log can be written again");
        if self.required {
            self.notices.service(true);
        }
    }
}

#[cfg(test)]
#[path = "trail_tests.rs"]
mod tests;
