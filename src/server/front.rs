//! What stands between client connections and the core: what is served, and to whom. The service
//! itself is [`service`].
//!
//! # Invariants
//!
//! * Before the core serves, and after it stopped, connect requests are turned away and
//!   four-letter words say so; nothing waits for the core to appear.
//! * What is not served any more, or not now, ends its connections.

mod service;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::audit::{Audit, Hold};
use super::core::CoreMessage;
use super::logins::{Logins, Mechanisms};
use super::member::Face;
use super::queue::Queue;
use super::secure::SecureClients;
use super::status::Facts;
use super::strangers::Strangers;
use crate::admin::{FourLetterWords, Whitelist};
use crate::auth::enforce::Enforcement;
use crate::config::Settings;
use crate::limits::WITHOUT_LOGIN_SWEEP_MS;
use crate::metrics::Metrics;
use crate::net::{BlueThrottle, Kill, LargeBudget, Registry, TaskWaker};
use crate::os::clock;
use crate::replica::{Conn, Shared, Wake, is_proven, note_refusal};

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
    hold: OnceLock<Arc<Hold>>,
    audit: OnceLock<Audit>,
    /// What a member of an ensemble shows; a standalone server has none.
    face: OnceLock<Arc<Face>>,
    words: FourLetterWords,
    throttle: Option<Mutex<BlueThrottle>>,
    large: Option<Arc<LargeBudget>>,
    /// Sessions without a login, where one is required.
    strangers: Option<Arc<Strangers>>,
    logins: OnceLock<Arc<Logins>>,
    outstanding_limit: usize,
    local_sessions: bool,
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
}

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
            hold: OnceLock::new(),
            audit: OnceLock::new(),
            face: OnceLock::new(),
            words: FourLetterWords::new(Whitelist::new(
                &settings.fourlw,
                settings.session.readonlymode_enabled,
            )),
            throttle: throttle.map(Mutex::new),
            large: large.map(|t| Arc::new(LargeBudget::new(t, settings.throttle.large_request_max_bytes))),
            strangers: Enforcement::of(&settings.auth)
                .is_secure()
                .then(|| Arc::new(Strangers::new(&settings.auth))),
            logins: OnceLock::new(),
            outstanding_limit: outstanding_limit(settings),
            local_sessions: settings.session.local_sessions_enabled,
            metrics,
            facts,
            plain: registry(),
            secure: registry(),
            tls,
        }
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

    /// What serves, if anything does.
    pub fn serving(&self) -> Option<&Serving> {
        self.present().filter(|_| !self.is_suspended() && self.has_role())
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
        let mut tick = tokio::time::interval(Duration::from_millis(WITHOUT_LOGIN_SWEEP_MS));
        loop {
            tick.tick().await;
            let due = strangers.overdue(clock::mono());
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
