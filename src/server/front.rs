//! What stands between client connections and the core: the service behind `net`.
//!
//! # Invariants
//!
//! * Before the core serves, and after it stopped, connect requests are turned away and
//!   four-letter words say so; nothing waits for the core to appear.
//! * Reads are answered here, on the connection's own thread; everything else goes to the
//!   core in the order in which it came, one hand-over a read of the socket.
//! * Where a login is required, whoever has none takes a place among the strangers before its session is
//!   asked for.
//! * A connection with requests under way is held back while the server has more than
//!   `globalOutstandingLimit` requests in process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::audit::{Audit, Hold};
use super::core::CoreMessage;
use super::logins::{Logins, Mechanisms, Token};
use super::member::Face;
use super::queue::Queue;
use super::secure::{self, SecureClients};
use super::source::WordSource;
use super::status::Facts;
use super::strangers::Strangers;
use crate::admin::{FourLetterWords, Whitelist, Word};
use crate::auth::enforce::Enforcement;
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::limits::WITHOUT_LOGIN_SWEEP_MS;
use crate::metrics::Metrics;
use crate::net::{
    BlueThrottle, CloseReason, ConnectKind, FirstBytes, Flow, Kill, LargeBudget, NetEvent, Outgoing, Peer,
    Registry, Service, TaskWaker, Verdict, WordAnswer,
};
use crate::os::{clock, entropy};
use crate::proto::ConnectRequest;
use crate::replica::{
    Accepted, Conn, Input, Phase, Shared, Wake, accept, is_proven, note_refusal, without_sasl,
};
use crate::tls::X509Identity;
use crate::types::{ConnId, Now};

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
            outstanding_limit: settings.throttle.global_outstanding_limit as usize,
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

    /// Does the throttle let this connect request pass?
    fn passes(&self, body: &[u8], now: Now) -> bool {
        let Some(throttle) = &self.throttle else {
            self.count(NetEvent::Admitted { deficit: 0 });
            return true;
        };
        let kind = match ConnectRequest::decode(body).map(|r| r.session_id) {
            Ok(0) | Err(_) if self.local_sessions => ConnectKind::Local,
            Ok(0) | Err(_) => ConnectKind::Global,
            Ok(_) => ConnectKind::Renew,
        };
        let mut throttle = throttle.lock();
        let passes = throttle.admit(kind, now.mono, entropy::fraction());
        if passes {
            self.count(NetEvent::Admitted { deficit: throttle.deficit() });
        }
        passes
    }

    #[inline]
    fn hand_on(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        let Some(serving) = self.serving() else {
            return Verdict::Close(CloseReason::NotServing);
        };
        let guard = match self.large.as_ref().map(|large| large.take(body.len())) {
            Some(None) => {
                self.count(NetEvent::LargeRejected);
                return Verdict::Close(CloseReason::LargeRequests);
            }
            guard => guard.flatten(),
        };
        self.metrics.stats.packets_received.inc();
        self.metrics.bytes_received_count.add(body.len() as u64 + 4);
        let accepted = match &self.strangers {
            Some(strangers) if !is_proven(&serving.shared, conn) => {
                self.accept_unproven(strangers, &serving.shared, conn, body, now)
            }
            _ => accept(&serving.shared, conn, body, now.mono, now, false),
        };
        match accepted {
            Accepted::Answered => Verdict::Taken,
            Accepted::ToCore(input) => {
                batch.push(CoreMessage::Input(input));
                batch.extend(guard.map(|guard| CoreMessage::Large(Arc::clone(conn), guard)));
                Verdict::Taken
            }
            Accepted::Sasl { xid, token } => {
                let (shared, core) = (Arc::clone(&serving.shared), Arc::clone(&serving.core));
                let conn = Arc::clone(conn);
                match self.logins.get() {
                    Some(logins) => logins.take(Token { shared, core, conn, xid, bytes: token }),
                    None => without_sasl(&conn, xid),
                }
                Verdict::Taken
            }
            Accepted::Close(why) => Verdict::Close(CloseReason::Malformed(why)),
            Accepted::Finish => Verdict::Close(CloseReason::Answered),
        }
    }

    /// A frame of somebody who has not logged in, where a login is required.
    fn accept_unproven(
        &self,
        strangers: &Strangers,
        shared: &Arc<Shared>,
        conn: &Arc<Conn>,
        body: &[u8],
        now: Now,
    ) -> Accepted {
        let bytes = body.len() + 4;
        let place = match conn.phase() {
            Phase::Fresh => strangers.enter(conn, bytes),
            _ => strangers.received(conn, bytes),
        };
        if let Err(refusal) = place {
            note_refusal(shared, conn, "", &refusal);
            return Accepted::Finish;
        }
        let accepted = accept(shared, conn, body, now.mono, now, false);
        if is_proven(shared, conn) {
            strangers.proven(conn);
        }
        accepted
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

impl Service for Front {
    type Client = Conn;
    type Batch = Vec<CoreMessage>;

    fn now(&self) -> Now {
        clock::now()
    }

    fn open(&self, id: ConnId, peer: Peer, waker: &Arc<TaskWaker>) -> Arc<Conn> {
        let address = SocketAddr::new(peer.ip, peer.port);
        let now = clock::now();
        let conn = Conn::new(id, address, peer.secure, now, Box::new(WakeTask(Arc::clone(waker))));
        if let Some(strangers) = &self.strangers {
            strangers.accepted(&conn, now.mono);
        }
        conn
    }

    fn secured(&self, conn: &Arc<Conn>, identity: Option<&X509Identity>) {
        secure::secured(self, conn, identity);
    }

    fn tls_refused(&self, peer: Peer, refusal: &Refusal) {
        secure::refused(self, peer, refusal);
    }

    fn first_bytes(&self, bytes: [u8; 4]) -> FirstBytes {
        match Word::parse(bytes) {
            Some(word) => FirstBytes::Word(self.words.argument_len(word)),
            None => FirstBytes::Length,
        }
    }

    fn answer_word(&self, conn: &Arc<Conn>, word: [u8; 4], argument: &[u8]) -> WordAnswer {
        let Some(word) = Word::parse(word) else { return WordAnswer::default() };
        self.metrics.stats.packets_received.inc();
        let source = WordSource::new(self, conn);
        let answer = self.words.answer(word, argument, &source, clock::mono());
        WordAnswer {
            bytes: answer.text.into_bytes(),
            until_sent: answer.permit.map(|permit| Box::new(permit) as Box<dyn Send>),
        }
    }

    fn is_serving(&self) -> bool {
        self.serving().is_some()
    }

    fn connect(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        if !self.passes(body, now) {
            return Verdict::Close(CloseReason::Throttled);
        }
        self.hand_on(conn, body, now, batch)
    }

    #[inline]
    fn request(&self, conn: &Arc<Conn>, body: &[u8], now: Now, batch: &mut Vec<CoreMessage>) -> Verdict {
        self.hand_on(conn, body, now, batch)
    }

    fn submit(&self, mut batch: Vec<CoreMessage>) {
        if let Some(serving) = self.present() {
            serving.core.push_all(&mut batch);
        }
    }

    #[inline]
    fn flow(&self, conn: &Conn) -> Flow {
        let hold = match conn.phase() {
            Phase::Connecting | Phase::Closed => true,
            Phase::Fresh => false,
            Phase::Established if conn.is_logging_in() => true,
            Phase::Established => {
                conn.in_flight() > 0
                    && self.serving().is_some_and(|s| s.shared.outstanding() > self.outstanding_limit)
            }
        };
        if hold { Flow::Hold } else { Flow::Read }
    }

    fn outgoing_len(&self, conn: &Conn) -> usize {
        conn.outgoing_len()
    }

    fn lend(&self, conn: &Conn, buffer: &mut Vec<u8>) {
        conn.lend(buffer);
    }

    fn take_outgoing(&self, conn: &Arc<Conn>, into: &mut Vec<u8>) -> Outgoing {
        let taken = match self.hold.get() {
            None => Some(conn.take_outgoing(into)),
            Some(hold) => hold.take_outgoing(conn, into),
        };
        match taken {
            Some(taken) => Outgoing { close_after: taken.close_after, held: false },
            None => Outgoing { close_after: false, held: true },
        }
    }

    fn session_timeout(&self, conn: &Conn) -> Option<Duration> {
        conn.session().map(|s| Duration::from_millis(u64::from(s.timeout_ms())))
    }

    fn is_busy(&self, conn: &Conn) -> bool {
        conn.in_flight() > 0 || conn.phase() == Phase::Connecting || conn.is_logging_in()
    }

    fn refuses(&self, conn: &Conn, length: usize) -> Option<CloseReason> {
        let strangers = self.strangers.as_ref()?;
        let serving = self.serving()?;
        if is_proven(&serving.shared, conn) || strangers.has_room(conn, length) {
            return None;
        }
        let refusal = strangers.too_much(length);
        note_refusal(&serving.shared, conn, "", &refusal);
        Some(CloseReason::Ended(refusal.reason.cause()))
    }

    fn closed(&self, conn: &Arc<Conn>, _why: &CloseReason) {
        if let Some(logins) = self.logins.get() {
            logins.gone(conn);
        }
        if let Some(strangers) = &self.strangers {
            strangers.gone(conn, clock::mono());
        }
        if conn.phase() != Phase::Fresh
            && let Some(serving) = self.present()
        {
            serving.core.push(CoreMessage::Input(Input::Gone { conn: Arc::clone(conn) }));
        }
    }

    fn count(&self, event: NetEvent) {
        let metrics = &self.metrics;
        match event {
            NetEvent::Rejected => metrics.connection_rejected.inc(),
            NetEvent::Dropped => metrics.connection_drop_count.inc(),
            NetEvent::Expired => metrics.sessionless_connections_expired.inc(),
            NetEvent::LargeRejected => metrics.large_requests_rejected.inc(),
            NetEvent::DroppedEarly => metrics.cnxn_closed_without_zk_server_running.inc(),
            NetEvent::Plain { local: true } => metrics.stats.non_mtls_local_connections.inc(),
            NetEvent::Plain { local: false } => metrics.stats.non_mtls_remote_connections.inc(),
            NetEvent::Admitted { deficit } => {
                metrics.connection_token_deficit.record(i64::try_from(deficit).unwrap_or(i64::MAX));
                metrics.connection_request_count.inc();
            }
        }
    }
}
