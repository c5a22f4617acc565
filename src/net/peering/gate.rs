//! TLS and SASL between servers: what a connection has to prove before anything of it is acted upon.
//!
//! # Invariants
//!
//! * With `quorum.auth.serverRequireSasl` nobody comes in without a login; without it only those that do not try.
//! * Who is proven by a principal with a host may speak for the members on that host alone.
//! * KDC, resolver and keytab are waited for on threads that may block, never on the reactor.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::conn::{Conn, ended};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::config::quorum::Ensemble;
use crate::kerberos::quorum::{
    Allowed, Entry, Learner, LearnerLogin, LearnerStep, Server, ServerStep, judge, learner_login,
    server_logins,
};
use crate::kerberos::server::SaslServer;
use crate::limits::{QUORUM_AUTH_MS, TLS_RELOAD_MS};
use crate::peer::auth_packet::{AuthPacket, BadPacket, Decoded};
use crate::tls::Polled;
use crate::tls::quorum::{PeerStream, QuorumTls};
use crate::types::ServerId;

/// What is known of the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// No login is configured here.
    Unasked,
    /// It did not try to log in, and need not.
    Unproven,
    /// Its full principal, or its user of DIGEST-MD5.
    Proven(String),
    /// It closed the connection instead of logging in, and need not.
    Left,
}

/// Logins of others here.
struct Logins {
    server: SaslServer,
    allowed: Allowed,
    required: bool,
}

/// What both quorum ports ask for and offer.
#[derive(Default)]
pub struct Gate {
    tls: Option<QuorumTls>,
    logins: Option<Logins>,
    learner: Option<Arc<LearnerLogin>>,
    reload: bool,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tls, sasl) = (self.tls.is_some(), self.logins.is_some());
        write!(f, "Gate(tls: {tls}, sasl: {sasl})")
    }
}

fn broken(e: &io::Error) -> Refusal {
    Refusal::new(Reason::SaslSequence, format!("the connection ended in the login: {}", ended(e)))
}

fn late() -> Refusal {
    Refusal::new(Reason::AuthTimeout, format!("the login takes longer than {QUORUM_AUTH_MS} ms"))
}

impl Gate {
    /// Reads keys, trust, keytab and JAAS sections.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(settings: &Settings) -> Result<Gate, String> {
        let tls = QuorumTls::new(settings).map_err(|e| e.to_string())?.map(|(tls, notices)| {
            notices.iter().for_each(|notice| warn!("quorum tls: {notice}"));
            tls
        });
        let logins = server_logins(settings).map_err(|e| e.to_string())?;
        let required = settings.quorum.sasl.server_require;
        let logins = logins.map(|(server, allowed)| Logins { server, allowed, required });
        let learner = learner_login(settings).map_err(|e| e.to_string())?.map(Arc::new);
        Ok(Gate { tls, logins, learner, reload: settings.quorum.ssl_reload_cert_files })
    }

    /// Last second of the own certificate's validity, Unix time; `None` without TLS.
    pub fn own_not_after(&self) -> Option<i64> {
        self.tls.as_ref().and_then(QuorumTls::own_not_after)
    }

    /// The ensemble has changed: who may join, and for which hosts certificates are taken.
    pub fn set_ensembles(&self, active: &Ensemble, next: Option<&Ensemble>) {
        let members = || active.members.values().chain(next.iter().flat_map(|e| e.members.values()));
        let hosts = || members().flat_map(|m| m.addresses.iter().map(|a| a.host.as_str()));
        if let Some(logins) = &self.logins {
            let changed = logins.allowed.load().with_hosts(hosts());
            logins.allowed.store(Arc::new(changed));
        }
        if let Some(tls) = &self.tls
            && let Err(e) = tls.set_hosts(hosts().map(str::to_owned).collect())
        {
            warn!("quorum tls: {e}; certificates are taken for the hosts of before");
        }
    }

    /// Encrypts a connection that came from elsewhere, if that is what it speaks.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub async fn encrypt_accepted(&self, stream: TcpStream, from: IpAddr) -> Result<Conn, Refusal> {
        match &self.tls {
            Some(tls) => tls.accept(stream, from).await.map(|(stream, _)| Conn::new(stream)),
            None => Ok(Conn::new(PeerStream::Plain(stream))),
        }
    }

    /// Encrypts a connection to `host`, the host of a server line, if that is configured.
    ///
    /// # Errors
    ///
    /// Why the other server is refused, or refuses us.
    pub async fn encrypt_dialled(&self, stream: TcpStream, host: &str) -> Result<Conn, Refusal> {
        match &self.tls {
            Some(tls) => tls.connect(stream, host).await.map(Conn::new),
            None => Ok(Conn::new(PeerStream::Plain(stream))),
        }
    }

    /// Lets the other end log in, where logins are configured.
    ///
    /// # Errors
    ///
    /// It is refused; it was told so, as far as the protocol has words for it.
    pub async fn admit(&self, conn: &mut Conn) -> Result<Who, Refusal> {
        let Some(logins) = &self.logins else { return Ok(Who::Unasked) };
        let limit = Duration::from_millis(QUORUM_AUTH_MS);
        timeout(limit, logins.admit(conn)).await.unwrap_or_else(|_| Err(late()))
    }

    /// Logs in at the other end, which is `host` of a server line, where that is configured.
    ///
    /// # Errors
    ///
    /// There are no usable credentials, it refuses us, or we do not believe it.
    pub async fn log_in(&self, conn: &mut Conn, host: &str) -> Result<(), Refusal> {
        let Some(learner) = &self.learner else { return Ok(()) };
        let limit = Duration::from_millis(QUORUM_AUTH_MS);
        timeout(limit, log_in(Arc::clone(learner), conn, host)).await.unwrap_or_else(|_| Err(late()))
    }

    /// May whoever has proven to be `who` speak for this member?
    ///
    /// # Errors
    ///
    /// Its principal is for a host that is not the member's.
    pub fn speaks_for(
        &self,
        who: &Who,
        server: ServerId,
        ensembles: &[Arc<Ensemble>],
    ) -> Result<(), Refusal> {
        let (Who::Proven(principal), Some(logins)) = (who, &self.logins) else { return Ok(()) };
        let allowed = logins.allowed.load();
        let Some(host) = allowed.host_of(principal) else { return Ok(()) };
        let id = u64::try_from(server.0).ok();
        let mut lines = ensembles.iter().filter_map(|e| e.members.get(&id?)).peekable();
        if lines.peek().is_none()
            || lines.any(|m| m.addresses.iter().any(|a| a.host.eq_ignore_ascii_case(host)))
        {
            return Ok(());
        }
        let text = format!("this principal is for a host that is not one of {server}");
        Err(Refusal::new(Reason::AuthRefused, text).of(principal))
    }

    /// Looks at keys, trust and revocation lists until the task ends (`sslQuorumReloadCertFiles`).
    pub async fn watch(self: Arc<Self>) {
        while self.reload && self.tls.is_some() {
            tokio::time::sleep(Duration::from_millis(TLS_RELOAD_MS)).await;
            let me = Arc::clone(&self);
            if spawn_blocking(move || me.look()).await.is_err() {
                return;
            }
        }
    }

    /// Looks at keys, trust and revocation lists now, and takes over what has changed.
    pub fn look(&self) {
        for side in self.tls.iter().flat_map(QuorumTls::poll) {
            match side {
                Polled::Unchanged => {}
                Polled::Reloaded(notices) => {
                    notices.iter().for_each(|notice| warn!("quorum tls: {notice}"));
                    info!("quorum tls: changed keys or trust are in use for new connections of servers");
                }
                Polled::Kept(e) => warn!("{e}; what was in use stays in use"),
            }
        }
    }
}

impl Logins {
    async fn admit(&self, conn: &mut Conn) -> Result<Who, Refusal> {
        let mut server = Server::new(judge(&self.server), self.required);
        loop {
            let step = match read(conn).await {
                Ok(Some(packet)) => {
                    // Keytab and replay cache are files.
                    let done = spawn_blocking(move || {
                        let step = server.packet(&packet);
                        (server, step)
                    });
                    let (again, step) =
                        done.await.map_err(|e| Refusal::new(Reason::KrbOther, e.to_string()))?;
                    server = again;
                    step
                }
                Ok(None) => server.no_attempt(),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof && conn.inbox.is_empty() => {
                    match server.no_attempt() {
                        ServerStep::Enter(..) => return Ok(Who::Left),
                        ServerStep::Reply(_) | ServerStep::Close(..) => return Err(broken(&e)),
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err(Refusal::new(Reason::SaslTooLong, e.to_string()));
                }
                Err(e) => return Err(broken(&e)),
            };
            match step {
                ServerStep::Reply(packet) => send(conn, &packet).await.map_err(|e| broken(&e))?,
                ServerStep::Enter(packet, entry) => {
                    if let Some(packet) = packet {
                        send(conn, &packet).await.map_err(|e| broken(&e))?;
                    }
                    return Ok(match entry {
                        Entry::Proven(name) => Who::Proven(name),
                        Entry::Unproven => Who::Unproven,
                    });
                }
                ServerStep::Close(packet, refusal) => {
                    if let Some(packet) = packet {
                        // The refusal is what counts; the other end may be gone already.
                        let _ = send(conn, &packet).await;
                    }
                    return Err(refusal);
                }
            }
        }
    }
}

async fn log_in(login: Arc<LearnerLogin>, conn: &mut Conn, host: &str) -> Result<(), Refusal> {
    let lost = |e: tokio::task::JoinError| Refusal::new(Reason::KrbOther, e.to_string());
    let name = host.to_owned();
    let begun = spawn_blocking(move || {
        let mut learner = Learner::new(login.begin(&name)?);
        let step = learner.begin()?;
        Ok::<_, Refusal>((learner, step))
    });
    let (mut learner, mut step) = begun.await.map_err(lost)??;
    loop {
        match step {
            LearnerStep::Done => return Ok(()),
            LearnerStep::Send(packet) => send(conn, &packet).await.map_err(|e| broken(&e))?,
        }
        let packet = read(conn).await.map_err(|e| broken(&e))?.ok_or_else(|| {
            Refusal::new(Reason::SaslSequence, "the server does not take part in the login")
        })?;
        let done = spawn_blocking(move || {
            let step = learner.packet(&packet)?;
            Ok::<_, Refusal>((learner, step))
        });
        (learner, step) = done.await.map_err(lost)??;
    }
}

async fn send(conn: &mut Conn, packet: &AuthPacket) -> io::Result<()> {
    let mut out = Vec::new();
    packet.encode(&mut out);
    conn.write(&out).await
}

/// Reads one packet; `None`: what comes is none, and stays in the buffer.
async fn read(conn: &mut Conn) -> io::Result<Option<AuthPacket>> {
    loop {
        match AuthPacket::decode(&conn.inbox) {
            Ok(Decoded::Packet(packet, used)) => {
                conn.inbox.advance(used);
                return Ok(Some(packet));
            }
            Ok(Decoded::Wants(_)) => conn.more().await?,
            Err(BadPacket::NotAuth) => return Ok(None),
            Err(BadPacket::Length(n)) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a token of {n} bytes")));
            }
        }
    }
}
