//! What stands between client connections and the core: what is served, and to whom. The service
//! itself is [`service`].
//!
//! # Invariants
//!
//! * Before the core serves, and after it stopped, connect requests are turned away and
//!   four-letter words say so; nothing waits for the core to appear.
//! * What is not served any more, or not now, ends its connections.

mod service;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::audit::{Audit, Hold};
use super::core::CoreMessage;
use super::herald::Pulse;
use super::logins::{Logins, Mechanisms};
use super::member::Face;
use super::queue::Queue;
use super::restore::SnapshotDesk;
use super::secure::{self, SecureClients};
use super::status::Facts;
use super::strangers::Strangers;
use crate::admin::{FourLetterWords, Whitelist};
use crate::auth::enforce::Enforcement;
use crate::config::Settings;
use crate::config::quorum::ClientAddress;
use crate::limits::{CLOSED_APART_MS, WITHOUT_LOGIN_SWEEP_MS};
use crate::metrics::Metrics;
use crate::net::{BlueThrottle, Kill, LargeBudget, Registry, TaskWaker};
use crate::os::clock;
use crate::replica::{Conn, Shared, Wake, is_proven, note_refusal};
use crate::tls::ServerTls;

/// What is there once the server serves.
pub struct Serving {
    /// The state that connections read.
    pub shared: Arc<Shared>,
    /// The way to the core.
    pub core: Arc<Queue<CoreMessage>>,
}

/// The service behind the client listeners.
pub struct Front {
    serving: OnceLock<Serving>,
    stopped: AtomicBool,
    /// The audit log cannot be written, and there is no service without.
    suspended: AtomicBool,
    /// The database is being replaced.
    restoring: AtomicBool,
    hold: OnceLock<Arc<Hold>>,
    audit: OnceLock<Audit>,
    /// What a member of an ensemble shows; a standalone server has none.
    face: OnceLock<Arc<Face>>,
    snapshots: OnceLock<Arc<dyn SnapshotDesk>>,
    words: FourLetterWords,
    throttle: Option<Mutex<BlueThrottle>>,
    large: Option<Arc<LargeBudget>>,
    /// Ports beside the client port that have certificates of their own.
    certificates: Mutex<Vec<(&'static str, NotAfter)>>,
    /// HTTP ports with keys of their own.
    keyed: Mutex<Vec<(&'static str, Arc<ServerTls>)>>,
    /// Sessions without a login, where one is required.
    strangers: Option<Arc<Strangers>>,
    logins: OnceLock<Arc<Logins>>,
    outstanding_limit: AtomicUsize,
    local_sessions: bool,
    /// Where a reconfiguration wants the plain client port.
    moves: watch::Sender<Option<ClientAddress>>,
    /// Counters of the whole server.
    pub metrics: Arc<Metrics>,
    /// Facts for four-letter words that do not change.
    pub facts: Facts,
    /// Connections of the plain port.
    pub plain: Arc<Registry<Conn>>,
    /// Connections of the TLS port.
    pub secure: Arc<Registry<Conn>>,
    /// TLS of the client ports.
    pub tls: SecureClients,
    /// Signs of life for the service manager.
    pub pulse: Pulse,
}

/// Tells the last second of a certificate's validity, Unix time, if there is one.
type NotAfter = Box<dyn Fn() -> Option<i64> + Send>;

struct WakeTask(Arc<TaskWaker>);

impl Wake for WakeTask {
    fn wake(&self) {
        self.0.wake();
    }

    fn send(&self) {
        self.0.send();
    }
}

impl Front {
    /// A front that does not serve yet.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>, facts: Facts, tls: SecureClients) -> Front {
        let client = &settings.client;
        let registry =
            || Registry::new(client.max_client_cnxns, client.max_cnxns, client.sessionless_cnxn_timeout);
        let throttle = BlueThrottle::new(&settings.throttle.connection, clock::mono());
        let large = settings.throttle.large_request_threshold;
        Front {
            serving: OnceLock::new(),
            stopped: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            restoring: AtomicBool::new(false),
            hold: OnceLock::new(),
            audit: OnceLock::new(),
            face: OnceLock::new(),
            snapshots: OnceLock::new(),
            words: FourLetterWords::new(Whitelist::new(
                &settings.fourlw,
                settings.session.readonlymode_enabled,
            )),
            throttle: throttle.map(Mutex::new),
            certificates: Mutex::default(),
            keyed: Mutex::default(),
            large: large.map(|t| Arc::new(LargeBudget::new(t, settings.throttle.large_request_max_bytes))),
            strangers: Enforcement::of(&settings.auth)
                .is_secure()
                .then(|| Arc::new(Strangers::new(&settings.auth))),
            logins: OnceLock::new(),
            outstanding_limit: AtomicUsize::new(outstanding_limit(settings)),
            local_sessions: settings.session.local_sessions_enabled,
            moves: watch::Sender::new(None),
            metrics,
            facts,
            plain: registry(),
            secure: registry(),
            tls,
            pulse: Pulse::default(),
        }
    }

    /// Takes over what can change while the server runs: the words that answer, the most connections, and how
    /// many requests may be under way.
    pub fn adopt(&self, settings: &Settings) {
        let client = &settings.client;
        self.words.allow(Whitelist::new(&settings.fourlw, settings.session.readonlymode_enabled));
        for registry in [&self.plain, &self.secure] {
            registry.limit(client.max_client_cnxns, client.max_cnxns);
        }
        self.facts.limited(client.max_client_cnxns);
        self.outstanding_limit.store(outstanding_limit(settings), Ordering::Relaxed);
    }

    /// A reconfiguration gives this server another client address.
    pub fn move_client_port(&self, to: &ClientAddress) {
        self.moves.send_replace(Some(to.clone()));
    }

    /// Where reconfigurations want the client port, each once.
    pub fn moves(&self) -> watch::Receiver<Option<ClientAddress>> {
        self.moves.subscribe()
    }

    /// From now on requests are served.
    pub fn serve(&self, serving: Serving) {
        let first = self.serving.set(serving);
        debug_assert!(first.is_ok(), "a server begins to serve once");
    }

    /// From now on requests are served when the role of this member says so.
    pub fn show(&self, face: Arc<Face>) {
        let first = self.face.set(face);
        debug_assert!(first.is_ok(), "a server becomes a member once");
    }

    /// What a member of an ensemble shows.
    pub fn face(&self) -> Option<&Arc<Face>> {
        self.face.get()
    }

    /// From now on clients can log in by SASL. Called within the runtime of connections.
    pub fn log_in_by(&self, mechanisms: Mechanisms) {
        let first = self.logins.set(Arc::new(Logins::new(mechanisms, self.strangers.clone())));
        debug_assert!(first.is_ok(), "logins are set up once");
    }

    /// The four-letter words, whose trace mask and gate admin commands share.
    pub fn words(&self) -> &FourLetterWords {
        &self.words
    }

    /// Is nothing served any more?
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// From now on somebody can ask for a snapshot.
    pub fn snapshots_by(&self, desk: Arc<dyn SnapshotDesk>) {
        let first = self.snapshots.set(desk);
        debug_assert!(first.is_ok(), "there is one snapshot thread");
    }

    /// Where snapshots are asked for, and taken in.
    pub fn snapshots(&self) -> Option<&Arc<dyn SnapshotDesk>> {
        self.snapshots.get()
    }

    /// From now on nothing is served any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// From now on what happens outside of the node is audited, too.
    pub fn audit_by(&self, audit: Audit) {
        let first = self.audit.set(audit);
        debug_assert!(first.is_ok(), "the audit log is opened once");
    }

    /// The audit log, where there is one.
    pub fn audit(&self) -> Option<&Audit> {
        self.audit.get()
    }

    /// From now on replies wait for their audit records.
    pub fn hold(&self, hold: Arc<Hold>) {
        let first = self.hold.set(hold);
        debug_assert!(first.is_ok(), "the audit log is opened once");
    }

    /// Nothing is served until further notice: connections end, sessions stand still.
    pub fn suspend(&self) {
        self.suspended.store(true, Ordering::Release);
        self.kill_all(Kill::NotServing);
    }

    /// Everything is served again.
    pub fn resume(&self) {
        self.suspended.store(false, Ordering::Release);
    }

    /// Is nothing served, until further notice?
    pub fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    /// The database is being replaced, or is so no longer: connections end, and nobody is served meanwhile.
    pub fn restores(&self, restores: bool) {
        self.restoring.store(restores, Ordering::Release);
        if restores {
            self.kill_all(Kill::NotServing);
        }
    }

    /// What serves, if anything does.
    pub fn serving(&self) -> Option<&Serving> {
        let may = !self.is_suspended() && !self.restoring.load(Ordering::Acquire);
        self.present().filter(|_| may && self.has_role())
    }

    /// Does the role of this server let it serve clients?
    #[inline]
    pub fn has_role(&self) -> bool {
        self.face.get().is_none_or(|face| face.serves())
    }

    /// The way to the core, whether clients are served or not.
    pub fn core(&self) -> Option<&Queue<CoreMessage>> {
        self.present().map(|serving| &*serving.core)
    }

    /// The state that connections read, whether clients are served or not.
    pub fn shared(&self) -> Option<&Arc<Shared>> {
        self.present().map(|serving| &serving.shared)
    }

    /// Logins by SASL, where there are any.
    pub fn logins(&self) -> Option<&Arc<Logins>> {
        self.logins.get()
    }

    /// What serves, or will again: it is told of what was begun.
    fn present(&self) -> Option<&Serving> {
        self.serving.get().filter(|_| !self.stopped.load(Ordering::Acquire))
    }

    /// Open client connections.
    pub fn connections(&self) -> usize {
        self.plain.len() + self.secure.len()
    }

    /// Ends all connections.
    pub fn kill_all(&self, why: Kill) {
        self.plain.kill_all(why);
        self.secure.kill_all(why);
    }

    /// The budget of large requests, where there is one.
    pub fn large(&self) -> Option<&Arc<LargeBudget>> {
        self.large.as_ref()
    }

    /// A port has a certificate of its own, whose end this tells.
    pub fn has_certificate(&self, port: &'static str, not_after: impl Fn() -> Option<i64> + Send + 'static) {
        self.certificates.lock().push((port, Box::new(not_after)));
    }

    /// An HTTP port speaks TLS by these keys: they are looked at with all others, and so is their certificate's end.
    pub fn has_keys(&self, port: &'static str, tls: &Arc<ServerTls>) {
        self.keyed.lock().push((port, Arc::clone(tls)));
        let ends = Arc::clone(tls);
        self.has_certificate(port, move || ends.own_not_after());
    }

    /// HTTP ports with keys of their own.
    pub fn keyed(&self) -> Vec<(&'static str, Arc<ServerTls>)> {
        self.keyed.lock().clone()
    }

    /// The last second of validity of every port's certificate, Unix time.
    pub fn certificates(&self) -> Vec<(&'static str, i64)> {
        let client = self.tls.own_not_after().map(|end| (secure::CLIENT, end));
        let others = self.certificates.lock();
        let others = others.iter().filter_map(|(port, not_after)| Some((*port, not_after()?)));
        client.into_iter().chain(others).collect()
    }

    /// The chance of an early refusal by the connection throttle.
    pub fn drop_chance(&self) -> f64 {
        self.throttle.as_ref().map_or(0.0, |t| t.lock().drop_chance())
    }

    /// The connections of the port that `conn` came in by.
    pub fn registry_of(&self, conn: &Conn) -> &Arc<Registry<Conn>> {
        if conn.secure { &self.secure } else { &self.plain }
    }

    /// Closes connections that have not logged in in time; told when to look again.
    pub async fn watch_strangers(self: Arc<Self>) {
        let Some(strangers) = self.strangers.clone() else { return };
        let mut pause = WITHOUT_LOGIN_SWEEP_MS;
        loop {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let due = strangers.overdue(clock::mono());
            pause = if due.is_empty() { WITHOUT_LOGIN_SWEEP_MS } else { CLOSED_APART_MS };
            if let Some(serving) = self.serving() {
                for conn in due.into_iter().filter(|conn| !is_proven(&serving.shared, conn)) {
                    note_refusal(&serving.shared, &conn, "", &strangers.too_late());
                    conn.close_after_flush();
                    conn.wake();
                }
            }
            self.metrics.logins.without_login_is(strangers.len());
        }
    }
}

/// `globalOutstandingLimit`, of which each member of an ensemble takes its share
/// (`getGlobalOutstandingLimit` of leaders and followers).
fn outstanding_limit(settings: &Settings) -> usize {
    let limit = settings.throttle.global_outstanding_limit as usize;
    match settings.quorum.ensemble.voters() {
        voters if voters > 2 => limit / (voters - 1),
        _ => limit,
    }
}
