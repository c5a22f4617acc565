//! What the server was told to be: one typed value, resolved and checked.
//!
//! Fields carry the names of their keys in snake case and are grouped by who reads
//! them. Units are those of the key unless the field's document says otherwise.
//!
//! # Invariants
//!
//! * A `Settings` that came out of the loader has passed every check: minimum and
//!   maximum session time-outs are resolved and ordered, ports are ports.
//! * [`Settings::default`] is what an empty zoo.cfg means, but for the data
//!   directory, which has no default and is empty.
//! * Passwords and digests are [`Secret`]s.

mod auth;
#[cfg(test)]
mod honest;
mod operate;
mod quorum;
mod server;
mod tls;

pub use auth::{Auth, DigestAlgorithm};
pub use operate::{Admin, AdminAuth, Audit, FourLw, Metrics, Safety};
pub use quorum::{Quorum, QuorumSasl};
pub use server::{Client, Compression, ConnectionThrottle, Limits, Session, Storage, Throttle, Tree};
pub use tls::{ClientAuth, Store, StoreKind, Tls, TlsSide};

use std::collections::BTreeMap;
use std::sync::Arc;

use super::given::Given;
use super::jaas::Jaas;
pub use super::secret::Secret;
pub use super::secret_files::SecretFile;

/// Everything the configuration says, ready to be read by the rooms above.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Client listeners and connection limits.
    pub client: Client,
    /// Ticks and session time-outs, local sessions, read-only mode.
    pub session: Session,
    /// Directories, log, snapshots, group commit, purge.
    pub storage: Storage,
    /// Request and connection throttles.
    pub throttle: Throttle,
    /// Sizes a client may reach.
    pub limits: Limits,
    /// Digest, TTL and container nodes, quotas.
    pub tree: Tree,
    /// ACL switches, authentication providers, SASL and Kerberos.
    pub auth: Auth,
    /// Which four-letter words answer.
    pub fourlw: FourLw,
    /// The HTTP admin server.
    pub admin: Admin,
    /// The metrics provider.
    pub metrics: Metrics,
    /// The audit log.
    pub audit: Audit,
    /// Secrets in files and memory, the rescue socket.
    pub safety: Safety,
    /// TLS towards clients and between servers.
    pub tls: Tls,
    /// Members of the ensemble and everything between them.
    pub quorum: Quorum,
    /// The JAAS file (`java.security.auth.login.config`), if one is named.
    pub jaas: Option<Arc<Jaas>>,
    /// Files that hold secrets, as far as the configuration names them.
    pub secret_files: Vec<SecretFile>,
    /// What was written, by Java property, as far as it may be shown: `***` for secrets, nothing that no table
    /// knows.
    pub written: BTreeMap<String, String>,
    /// Keys that no table knows, by their system property (`zookeeper.x`), as
    /// ZooKeeper keeps them. Their values may be anything: not for printing.
    pub properties: BTreeMap<String, Secret>,
}

impl Settings {
    /// The settings that values stand for.
    pub fn read(given: &Given) -> Self {
        Settings {
            client: Client::read(given),
            session: Session::read(given),
            storage: Storage::read(given),
            throttle: Throttle::read(given),
            limits: Limits::read(given),
            tree: Tree::read(given),
            auth: Auth::read(given),
            fourlw: FourLw::read(given),
            admin: Admin::read(given),
            metrics: Metrics::read(given),
            audit: Audit::read(given),
            safety: Safety::read(given),
            tls: Tls::read(given),
            quorum: Quorum::read(given),
            jaas: None,
            secret_files: Vec::new(),
            written: BTreeMap::new(),
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::read(&Given::default())
    }
}

/// Each group alone has its defaults, too.
macro_rules! defaults {
    ($($group:ty),*) => {$(
        impl Default for $group {
            fn default() -> Self {
                <$group>::read(&Given::default())
            }
        }
    )*};
}
defaults!(
    Client,
    Session,
    Storage,
    Throttle,
    ConnectionThrottle,
    Limits,
    Tree,
    Auth,
    FourLw,
    Admin,
    AdminAuth,
    Metrics,
    Audit,
    Safety,
    Tls,
    Quorum
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_zookeepers() {
        let s = Settings::default();
        assert_eq!((s.session.tick_time, s.session.min_session_timeout), (3000, 6000));
        assert_eq!(s.session.max_session_timeout, 60_000);
        assert_eq!((s.client.max_client_cnxns, s.client.max_cnxns), (Some(60), None));
        assert_eq!((s.client.client_port, s.client.client_port_listen_backlog), (None, None));
        assert_eq!((s.limits.jute_maxbuffer, s.limits.jute_maxbuffer_extrasize), (0xf_ffff, 0xf_ffff));
        assert_eq!((s.storage.pre_alloc_size, s.storage.snap_size_limit), (64 << 20, Some(4 << 30)));
        assert_eq!((s.storage.txn_log_size_limit, s.storage.snap_count), (None, 100_000));
        assert!(s.storage.force_sync && s.tree.digest_enabled && !s.auth.skip_acl);
        assert_eq!(s.tree.container_max_never_used_interval_ms, None);
        assert_eq!((s.throttle.large_request_threshold, s.throttle.connection.tokens), (None, None));
        assert!(s.fourlw.allows("srvr") && !s.fourlw.allows("ruok"));
        assert_eq!((s.admin.server_port, s.metrics.http_port), (8080, Some(7000)));
        assert!(!s.quorum.is_distributed() && !s.metrics.prometheus && !s.audit.enable);
        assert!(!s.tls.client.allow_reverse_dns_lookup && s.tls.quorum.allow_reverse_dns_lookup);
        assert_eq!(s.quorum.sasl.service_principal, "zkquorum/localhost");
    }
}
