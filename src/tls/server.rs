//! Accepting TLS: from configured files to connections with an identity.
//!
//! # Invariants
//!
//! * Keys, trust and revocation lists are exchanged as one; a handshake sees the old set or the new one.
//!   With an exchange all resumable sessions end, so that nobody resumes past a revocation.
//! * A resumed session passes the same checks of host, identity and dates as a full handshake.
//! * Handshakes are bounded in number and time; whoever is beyond is refused at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Certificate;
use super::error::TlsError;
use super::fips::FIPS;
use super::hosts::Hosts;
use super::material::{Material, files};
use super::peers::Clients;
use super::refusal;
use super::watch::Look;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::settings::{ClientAuth, TlsSide};
use crate::limits::{TLS_HANDSHAKE_MS, TLS_HANDSHAKES, TLS_SESSIONS};
use crate::os::clock;

/// Who connects to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Clients: keys `ssl.*`.
    Client,
    /// Other servers: keys `ssl.quorum.*`. Their certificates are for one of these hosts or for a name of
    /// `ssl.quorum.allowedNames`.
    Quorum {
        /// Hosts of the `server.N` lines.
        hosts: Vec<String>,
    },
    /// People and tools, by HTTPS: the keys with this prefix.
    Http {
        /// `ssl.quorum.` for the admin server, as in ZooKeeper; `metricsProvider.ssl.`.
        prefix: &'static str,
    },
}

impl Role {
    pub(super) fn prefix(&self) -> &'static str {
        match self {
            Role::Client => "ssl.",
            Role::Quorum { .. } => "ssl.quorum.",
            Role::Http { prefix } => prefix,
        }
    }

    /// What certificates must be for. Clients are checked only where that is switched on.
    fn hosts(&self, side: &TlsSide) -> Result<Hosts, TlsError> {
        let key = format!("{}allowedNames", self.prefix());
        let checked = side.hostname_verification && side.client_hostname_verification;
        match self {
            _ if !checked => Ok(Hosts::Any),
            // Whoever asks is known by the subject; the hosts of members say nothing about it.
            Role::Http { .. } => Ok(Hosts::Any),
            Role::Client => Hosts::listed(&side.allowed_names, true, &key),
            Role::Quorum { hosts } => {
                let names: Vec<String> = hosts.iter().chain(&side.allowed_names).cloned().collect();
                Hosts::listed(&names, false, &key)
            }
        }
    }
}

/// Who a peer is by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Identity {
    /// The subject in Java's RFC 2253 form: the id of scheme `x509`.
    pub name: String,
    /// Serial number, hexadecimal, for the audit record.
    pub serial: String,
    /// Last second of the certificate's validity, Unix time.
    pub not_after: i64,
}

/// What came of a look at the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// No file has changed.
    Unchanged,
    /// The new files are in use; what an operator should know about them.
    Reloaded(Vec<String>),
    /// The new files are unusable for this reason, the old ones stay in use.
    Kept(TlsError),
}

/// One acceptor, shared by all connections of a port.
pub struct ServerTls {
    side: TlsSide,
    role: Role,
    hosts: ArcSwap<Hosts>,
    current: ArcSwap<ServerConfig>,
    own_not_after: Mutex<Option<i64>>,
    looked: Mutex<Look>,
    gate: Semaphore,
    limit: usize,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerTls({})", self.role.prefix())
    }
}

impl ServerTls {
    /// An acceptor by the keys of a side, and what an operator should know.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(side: &TlsSide, role: Role) -> Result<(ServerTls, Vec<String>), TlsError> {
        let looked = Look::at(&files(side));
        let hosts = ArcSwap::from_pointee(role.hosts(side)?);
        let material = Material::load(side, role.prefix())?;
        let config = configure(side, &role, &material)?;
        let tls = ServerTls {
            side: side.clone(),
            role,
            hosts,
            current: ArcSwap::from_pointee(config),
            own_not_after: Mutex::new(material.own_not_after),
            looked: Mutex::new(looked),
            gate: Semaphore::new(TLS_HANDSHAKES),
            limit: TLS_HANDSHAKES,
        };
        Ok((tls, material.notices))
    }

    /// The same with another bound on handshakes under way (`netty.server.outstandingHandshake.limit`).
    pub fn with_handshakes(self, limit: usize) -> ServerTls {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        ServerTls { gate: Semaphore::new(limit), limit, ..self }
    }

    /// Servers of these hosts may connect from now on; established connections stay.
    ///
    /// # Errors
    ///
    /// The host that is neither a DNS name nor an address; then nothing changes.
    pub fn set_hosts(&self, hosts: Vec<String>) -> Result<(), TlsError> {
        let hosts = Role::Quorum { hosts }.hosts(&self.side)?;
        self.hosts.store(Arc::new(hosts));
        Ok(())
    }

    /// Handshakes under way.
    pub fn handshakes(&self) -> usize {
        self.limit.saturating_sub(self.gate.available_permits())
    }

    /// Last second of the own certificate's validity, Unix time.
    pub fn own_not_after(&self) -> Option<i64> {
        *self.own_not_after.lock()
    }

    /// Reads all files again and puts them to use for new connections. Blocks.
    ///
    /// # Errors
    ///
    /// The file or key at fault; then what was in use stays.
    pub fn reload(&self) -> Result<Vec<String>, TlsError> {
        let material = Material::load(&self.side, self.role.prefix())?;
        let config = configure(&self.side, &self.role, &material)?;
        self.current.store(Arc::new(config));
        *self.own_not_after.lock() = material.own_not_after;
        Ok(material.notices)
    }

    /// Looks at the files and reloads if one has changed. Blocks.
    pub fn poll(&self) -> Polled {
        let look = Look::at(&files(&self.side));
        if std::mem::replace(&mut *self.looked.lock(), look.clone()) == look {
            return Polled::Unchanged;
        }
        match self.reload() {
            Ok(notices) => Polled::Reloaded(notices),
            Err(e) => Polled::Kept(e),
        }
    }

    /// Runs the handshake with a peer that connected from `from`.
    ///
    /// # Errors
    ///
    /// Why the peer is refused. The stream is closed then; the peer was told by a TLS alert where
    /// it got so far.
    pub async fn accept<S>(
        &self,
        stream: S,
        from: IpAddr,
    ) -> Result<(TlsStream<S>, Option<X509Identity>), Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(_permit) = self.gate.try_acquire() else {
            return Err(Refusal::new(Reason::TlsBusy, format!("{} handshakes are under way", self.limit)));
        };
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let limit = Duration::from_millis(TLS_HANDSHAKE_MS);
        let stream = match tokio::time::timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(refusal::of_io(&e)),
            Err(_) => {
                return Err(Refusal::new(
                    Reason::TlsHandshake,
                    format!("no handshake within {TLS_HANDSHAKE_MS} ms"),
                ));
            }
        };
        let identity = self.identity(stream.get_ref().1, from)?;
        Ok((stream, identity))
    }

    /// Who the peer is, once rustls has verified its certificate.
    fn identity(&self, connection: &ServerConnection, from: IpAddr) -> Result<Option<X509Identity>, Refusal> {
        let Some(chain) = connection.peer_certificates() else { return Ok(None) };
        let [own, ..] = chain else { return Ok(None) };
        still_valid(chain)?;
        let identity = identity_of(own)?;
        self.hosts.load().check(own, from).map_err(|refusal| refusal.of(identity.name.clone()))?;
        Ok(Some(identity))
    }
}

/// Certificates of a resumed session may have expired since its first handshake.
fn still_valid(chain: &[CertificateDer<'_>]) -> Result<(), Refusal> {
    let now = clock::wall_ms().div_euclid(1000);
    let expired = chain.iter().any(|der| Certificate::read(der).is_ok_and(|c| now > c.not_after));
    if expired {
        Err(Refusal::new(Reason::TlsExpired, "a certificate of the peer has expired"))
    } else {
        Ok(())
    }
}

/// The identity in a verified certificate.
///
/// # Errors
///
/// [`Reason::TlsIdentity`] where its subject can be none.
pub fn identity_of(der: &CertificateDer<'_>) -> Result<X509Identity, Refusal> {
    let refuse = |what: String| Refusal::new(Reason::TlsIdentity, what);
    let certificate = Certificate::read(der).map_err(|e| refuse(e.to_string()))?;
    let name = certificate.name().map_err(|e| refuse(e.to_string()))?;
    Ok(X509Identity { name, serial: certificate.serial_text(), not_after: certificate.not_after })
}

fn configure(side: &TlsSide, role: &Role, material: &Material) -> Result<ServerConfig, TlsError> {
    let prefix = role.prefix();
    let own = material.own.clone().ok_or_else(|| {
        TlsError::config(
            format!("{prefix}keyStore.location is not set"),
            "name the file with the server's key and certificate",
        )
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&material.engine.provider))
        .with_protocol_versions(&material.engine.versions)
        .map_err(|e| TlsError::config(format!("{prefix}*: {e}"), "check protocols and cipher suites"))?;
    let verifier = match side.client_auth {
        ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
        asked if material.roots.is_empty() => {
            let key = format!("{prefix}trustStore.location is not set, and {prefix}clientAuth is {asked:?}");
            return Err(TlsError::config(
                key,
                format!("name the file with the trusted authorities, or set {prefix}clientAuth=none"),
            ));
        }
        asked => Clients::new(material, asked == ClientAuth::Want)?,
    };
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(own));
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
    config.require_ems = FIPS;
    config.session_storage = match role {
        Role::Client | Role::Http { .. } => ServerSessionMemoryCache::new(TLS_SESSIONS),
        Role::Quorum { .. } => Arc::new(NoServerSessionStorage {}),
    };
    config.send_tls13_tickets = if matches!(role, Role::Quorum { .. }) { 0 } else { 1 };
    Ok(config)
}
