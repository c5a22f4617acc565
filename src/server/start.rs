//! From settings to a serving server.
//!
//! # Invariants
//!
//! * The order: refuse, bind, answer words (not serving), recover, start threads, serve.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinError, JoinHandle};
use tracing::{info, warn};

use super::Failure;
use super::access;
use super::admin;
use super::audit::{self, Audit};
use super::core::Core;
use super::front::{Front, Serving};
use super::log::{Log, LogThread};
use super::member;
use super::observer::Observer;
use super::ports::Port;
use super::queue::Queue;
use super::restore::{LiveDesk, Restorer, Waiting};
use super::scrape::port::MetricsPorts;
use super::secure::{self, SecureClients};
use super::snapshots::{LogDesk, SnapshotThread};
use super::status::Facts;
use super::stop::{Running, VitalThread};
use super::throttle::RequestThrottle;
use crate::config::Settings;
use crate::driver::{self, Branch, MemberFiles, SnapshotPolicy, Start, Worker};
use crate::error::ExitCode;
use crate::kerberos;
use crate::limits::{BLOCKING_THREADS, FLUSH_MS};
use crate::metrics::{Metrics, Provider};
use crate::os::disk::RealDisk;
use crate::os::{clock, entropy};
use crate::replica::{Node, ReplicaConfig};
use crate::storage::{Dirs, Rules, StorageError};
use crate::types::decision::{Operation, Outcome};

/// What this server cannot do yet is said at once, not half done.
pub fn refuse(settings: &Settings) -> Result<(), Failure> {
    let refusal = |text: String| Err(Failure::new(ExitCode::Invocation, text));
    if settings.quorum.is_distributed() {
        member::start::who_am_i(&settings.quorum)?;
    }
    if settings.client.client_port.is_none() && settings.client.secure_client_port.is_none() {
        let text =
            "config: there is neither clientPort nor secureClientPort; set one, such as clientPort=2181";
        return refusal(text.to_owned());
    }
    Ok(())
}

/// The runtime of connections.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.thread_name("net").max_blocking_threads(BLOCKING_THREADS).enable_all().build()
}

/// A server that listens and is not serving yet.
pub struct Starting {
    pub(super) settings: Settings,
    pub(super) front: Arc<Front>,
    pub(super) tasks: Vec<JoinHandle<()>>,
    pub(super) failed: UnboundedSender<Failure>,
    pub(super) replica: ReplicaConfig,
    pub(super) dirs: Dirs,
    pub(super) audit: Option<Audit>,
}

/// What was recovered.
pub enum Found {
    /// The database of a standalone server.
    Alone(Start<RealDisk>),
    /// Database and promises of a member of an ensemble.
    Member(MemberFiles<RealDisk>),
}

/// What recovery brought.
pub type Recovery = Result<Found, Failure>;

impl Starting {
    /// The start ends here: the audit log says so (`addServerStartFailureAuditLog`).
    pub fn failed(&self) -> impl FnOnce() + use<> {
        let trail = self.audit.as_ref().map(|audit| Arc::clone(audit.trail()));
        move || {
            if let Some(trail) = trail {
                trail.server(Operation::ServerStart, |decision| decision.outcome = Outcome::Failed);
                trail.stop(Duration::from_millis(FLUSH_MS));
            }
        }
    }

    /// Reads keys and trust, binds the client ports and answers what can be answered without serving.
    pub fn listen(
        settings: Settings,
        open_files: Option<u64>,
        failed: UnboundedSender<Failure>,
    ) -> Result<Starting, Failure> {
        let names = access::names(&settings, kerberos::default_realm().ok().as_deref())?;
        let tls = SecureClients::new(&settings)?;
        let plain = Port::plain(&settings, &tls).map(Port::bind).transpose()?;
        let secure = Port::secure(&settings, &tls).map(Port::bind).transpose()?;
        let scraped = MetricsPorts::bind(&settings)?;
        let provider = match &settings.metrics {
            metrics if metrics.prometheus => Provider::Prometheus,
            metrics if metrics.nothing => Provider::Null,
            _ => Provider::Default,
        };
        let metrics = Arc::new(Metrics::new(provider));
        let facts = Facts::new(&settings);
        facts.bound(plain.as_ref().map(|b| b.port), secure.as_ref().map(|b| b.port));
        warn_of_few_files(&settings, open_files);
        let mut replica = match settings.quorum.is_distributed() {
            true => {
                ReplicaConfig::member(&settings, member::start::who_am_i(&settings.quorum)?, entropy::seed())
            }
            false => ReplicaConfig::standalone(&settings, entropy::seed()),
        };
        replica.providers.default_realm = names.default_realm().map(str::to_owned);
        super::warnings::warn_all(&settings, &metrics)?;
        let front = Arc::new(Front::new(&settings, metrics, facts, tls));
        if let Some(mechanisms) = access::mechanisms(&settings, &names, &front.metrics)? {
            front.log_in_by(mechanisms);
        }
        let audit = audit::open(&settings, &replica.providers, &front)?;
        let mut tasks = vec![tokio::spawn(secure::reload_loop(Arc::clone(&front)))];
        for bound in [plain, secure].into_iter().flatten() {
            tasks.extend(bound.open(&settings, &front)?);
        }
        tasks.push(tokio::spawn(Arc::clone(&front).watch_strangers()));
        tasks.extend(admin::open(&settings, &front, &replica.providers, &names)?);
        tasks.extend(scraped.open(&settings, &front)?);
        let dirs = Dirs::new(&settings.storage.data_dir, &settings.storage.data_log_dir);
        Ok(Starting { settings, front, tasks, failed, replica, dirs, audit })
    }

    /// Recovers on a thread that may block.
    pub fn recovery(&mut self) -> impl Future<Output = Result<Recovery, JoinError>> + use<> {
        let (dirs, rules, tree) = (self.dirs.clone(), Rules::of(&self.settings.storage), self.replica.tree);
        let member = self.settings.quorum.is_distributed();
        let window = self.settings.storage.commit_log_count as usize;
        let metrics = Arc::clone(&self.front.metrics);
        info!(data_dir = %dirs.data().display(), data_log_dir = %dirs.data_log().display(), "recovering");
        tokio::task::spawn_blocking(move || {
            let begun = clock::mono();
            let mut loaded = begun;
            let mut told = || loaded = clock::mono();
            let disk = RealDisk::new();
            let found = match member {
                true => driver::start_member_told(&disk, &dirs, &rules, tree, window, &mut told)
                    .map(Found::Member),
                false => driver::start_told(&disk, &dirs, &rules, tree, &mut told).map(Found::Alone),
            };
            let ended = clock::mono();
            let found = found.map_err(|e: StorageError| Failure::new(e.exit_code(), e.to_string()))?;
            let start = match &found {
                Found::Alone(start) => start,
                Found::Member(files) => &files.start,
            };
            let millis = i64::try_from(ended.since(begun).as_millis()).unwrap_or(i64::MAX);
            metrics.dbinittime.record(millis);
            metrics.startup_snap_load_time.record_ns((loaded.0).saturating_sub(begun.0));
            metrics.startup_txns_load_time.record_ns((ended.0).saturating_sub(loaded.0));
            metrics.startup_txns_loaded.record(i64::try_from(start.replayed).unwrap_or(i64::MAX));
            report(start, millis);
            Ok(found)
        })
    }

    /// Starts the threads; from here on requests are served, by a member as soon as it has a role.
    pub fn serve(self, found: Found) -> Result<Running, Failure> {
        match found {
            Found::Alone(start) => self.alone(start),
            Found::Member(files) => member::start::serve(self, files),
        }
    }

    fn alone(self, start: Start<RealDisk>) -> Result<Running, Failure> {
        let Starting { settings, front, mut tasks, failed, replica, dirs, audit } = self;
        let metrics = Arc::clone(&front.metrics);
        let observer = Arc::new(Observer::new(Arc::clone(&metrics), audit.clone(), &settings));
        let node = Node::new(replica, start.recovered, clock::now(), observer);
        let shared = node.shared();
        let worker = Worker::new(start.storage, SnapshotPolicy::new(&settings.storage, entropy::seed()));
        let log = Arc::new(Log::new(worker, Arc::clone(&metrics), settings.storage.clone()));
        let (inbox, snapshots) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        let (ending, waiting) = (Arc::new(AtomicBool::new(false)), Arc::new(Waiting::default()));
        let restorer = Restorer {
            shared: Arc::clone(&shared),
            log: Arc::clone(&log),
            core: Arc::clone(&inbox),
            dirs: dirs.clone(),
            rules: Rules::of(&settings.storage),
            branch: Branch::default(),
        };
        let log_thread = LogThread { log: Arc::clone(&log), core: Arc::clone(&inbox) };
        let snapshot_thread = SnapshotThread {
            shared: Arc::clone(&shared),
            disk: RealDisk::new(),
            dirs,
            branch: restorer.branch.clone(),
            rules: Rules::of(&settings.storage),
            inbox: Arc::clone(&snapshots),
            waiting: Arc::clone(&waiting),
            log: Arc::clone(&log) as Arc<dyn LogDesk>,
            ending: Arc::clone(&ending),
            metrics: Arc::clone(&metrics),
            purge_every: settings.storage.purge_interval.map(|h| Duration::from_secs(3600 * u64::from(h))),
        };
        let core = Core {
            node,
            inbox: Arc::clone(&inbox),
            log: Arc::clone(&log),
            snapshots: Arc::clone(&snapshots),
            throttle: RequestThrottle::new(&settings.throttle, metrics),
            front: Arc::clone(&front),
            on_failure: Box::new(move |why| drop(failed.send(Failure::new(ExitCode::Unexpected, why)))),
        };
        let system = |e: io::Error| Failure::new(ExitCode::Unexpected, format!("cannot start a thread: {e}"));
        let log_thread = VitalThread::spawn("log", move || log_thread.run()).map_err(system)?;
        let snapshot_thread =
            VitalThread::spawn("snapshots", move || snapshot_thread.run()).map_err(system)?;
        let core_thread = VitalThread::spawn("core", move || core.run()).map_err(system)?;
        let desk = LiveDesk { snapshots: Arc::clone(&snapshots), waiting, restorer: Some(restorer) };
        front.snapshots_by(Arc::new(desk));
        front.serve(Serving { shared, core: Arc::clone(&inbox) });
        tasks.extend(Starting::announce(&settings, &front, audit.as_ref())?);
        info!("serving");
        let threads = (core_thread, log_thread, snapshot_thread);
        let trail = audit.map(|audit| Arc::clone(audit.trail()));
        Ok(Running { front, tasks, inbox, log, snapshots, ending, threads, trail, gate: None })
    }

    /// The start is audited, and the rescue socket opened where there is one.
    pub(super) fn announce(
        settings: &Settings,
        front: &Arc<Front>,
        audit: Option<&Audit>,
    ) -> Result<Option<JoinHandle<()>>, Failure> {
        if let Some(audit) = audit {
            audit.trail().server(Operation::ServerStart, |_| {});
        }
        let path = settings.safety.rescue_socket.as_ref();
        path.map(|path| super::rescue::open(path, Arc::clone(front), audit.cloned())).transpose()
    }
}

fn warn_of_few_files(settings: &Settings, open_files: Option<u64>) {
    if let (Some(limit), Some(max)) = (open_files, settings.client.max_cnxns)
        && limit < u64::from(max) + 64
    {
        warn!(
            limit,
            maxCnxns = max,
            "fewer files may be open than connections are allowed; raise LimitNOFILE"
        );
    }
}

/// What recovery found, for the log.
fn report(start: &Start<RealDisk>, millis: i64) {
    start.notices.iter().for_each(|notice| info!("{notice}"));
    for d in &start.differences {
        warn!(zxid = %d.zxid, recorded = d.recorded, computed = d.computed, "the rebuilt tree's digest differs");
    }
    let snapshot = start.snapshot.as_ref().map(|s| s.zxid.to_string());
    info!(
        last_zxid = %start.last,
        snapshot = snapshot.as_deref().unwrap_or("none"),
        replayed = start.replayed,
        znodes = start.recovered.tree.node_count(),
        sessions = start.recovered.sessions.len(),
        took_ms = millis,
        "recovered"
    );
}
