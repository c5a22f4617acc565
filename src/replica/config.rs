//! What a node has to know of the configuration.
//!
//! # Invariants
//!
//! * Resolved once at start: nothing here is looked up by name on the way of a request.

use crate::auth::enforce::Enforcement;
use crate::auth::{DigestAlgorithm, Providers};
use crate::config::{Settings, settings};
use crate::tree::TreeConfig;
use crate::types::ServerId;
use std::time::Duration;

/// Settings of a replica, resolved.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// Server id in the top byte of session ids: its low eight bits (1 on a standalone server, as in ZooKeeper).
    pub server_id: u8,
    /// tickTime.
    pub tick: Duration,
    /// Smallest session time-out, ms.
    pub min_session_timeout: i32,
    /// Largest session time-out, ms.
    pub max_session_timeout: i32,
    /// Digests, extended types.
    pub tree: TreeConfig,
    /// `enforceQuota`.
    pub enforce_quota: bool,
    /// `closeSessionTxn.enabled`.
    pub close_session_paths: bool,
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// `localSessionsEnabled`: new sessions are known to their server alone. Not on a standalone
    /// server, as in ZooKeeper: its sessions survive its restart.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: a local session may make ephemerals, and is the ensemble's then.
    pub local_sessions_upgrade: bool,
    /// `readonlymode.enabled`: reads are served while there is no leader.
    pub read_only_mode: bool,
    /// `linearizableSync`: a sync is answered only after a quorum has confirmed the leader.
    pub linearizable_sync: bool,
    /// Schemes.
    pub providers: Providers,
    /// What every session has to prove before it may ask for anything.
    pub enforcement: Enforcement,
    /// `znode.container.checkIntervalMs`.
    pub container_interval: Duration,
    /// Shortest distance of two container or TTL deletes.
    pub container_spacing: Duration,
    /// `znode.container.maxNeverUsedIntervalMs`, 0 is never.
    pub container_never_used_ms: i64,
    /// `leader.ackLoggingFrequency`: every how many proposals an acknowledgement is measured; `None` is never.
    pub ack_every: Option<u32>,
}

impl ReplicaConfig {
    /// Resolves the settings of a member of an ensemble.
    pub fn member(s: &Settings, id: ServerId, hash_seed: u64) -> ReplicaConfig {
        let [.., low] = id.0.to_be_bytes();
        ReplicaConfig {
            server_id: low,
            local_sessions: s.session.local_sessions_enabled,
            local_sessions_upgrade: s.session.local_sessions_upgrading_enabled,
            read_only_mode: s.session.readonlymode_enabled,
            linearizable_sync: s.quorum.linearizable_sync,
            ..ReplicaConfig::standalone(s, hash_seed)
        }
    }

    /// Resolves the settings of a standalone server. `hash_seed` is entropy from the edge.
    pub fn standalone(s: &Settings, hash_seed: u64) -> ReplicaConfig {
        let tick = u64::try_from(s.session.tick_time).unwrap_or(1).max(1);
        ReplicaConfig {
            server_id: 1,
            tick: Duration::from_millis(tick),
            min_session_timeout: s.session.min_session_timeout,
            max_session_timeout: s.session.max_session_timeout,
            tree: TreeConfig {
                digest: s.tree.digest_enabled,
                extended_types: s.tree.extended_types_enabled,
                emulate_353_ttl: s.tree.emulate_353_ttl_nodes,
                hash_seed,
            },
            enforce_quota: s.tree.enforce_quota,
            close_session_paths: s.tree.close_session_txn_enabled,
            reconfig_enabled: s.quorum.reconfig_enabled,
            local_sessions: false,
            local_sessions_upgrade: false,
            read_only_mode: false,
            linearizable_sync: false,
            providers: providers(s),
            enforcement: Enforcement::of(&s.auth),
            container_interval: Duration::from_millis(u64::from(s.tree.container_check_interval_ms)),
            container_spacing: Duration::from_millis(
                60_000 / u64::from(s.tree.container_max_per_minute.max(1)),
            ),
            container_never_used_ms: s
                .tree
                .container_max_never_used_interval_ms
                .map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            ack_every: s.metrics.ack_logging_frequency,
        }
    }
}

fn providers(s: &Settings) -> Providers {
    let auth = &s.auth;
    let class = |name: &str| auth.auth_providers.values().any(|c| c.ends_with(name));
    // Java's key registers the scheme; keys that only a SASL login makes sense of do, too.
    let sasl = class("SASLAuthenticationProvider")
        || auth.kerberos_keytab.is_some()
        || auth.session_require_client_sasl_auth;
    Providers {
        digest: auth.digest_enabled.then_some(match auth.digest_alg {
            settings::DigestAlgorithm::Sha1 => DigestAlgorithm::Sha1,
            settings::DigestAlgorithm::Sha256 => DigestAlgorithm::Sha256,
            settings::DigestAlgorithm::Sha512 => DigestAlgorithm::Sha512,
        }),
        super_digest: auth.super_digest.clone(),
        x509: s.client.secure_client_port.is_some()
            || s.client.port_unification
            || class("X509AuthenticationProvider"),
        sasl,
        skip_acl: auth.skip_acl,
        super_users: auth.super_users.clone(),
        any_sasl_user: auth.let_any_sasl_user_do_x.clone(),
        short_names: auth.compare_short_name,
        default_realm: None,
        ensemble: class("EnsembleAuthenticationProvider")
            .then(|| Some(auth.ensemble_auth_names.clone()).filter(|names| !names.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_required_registers_its_scheme() {
        let mut settings = settings::Settings::default();
        assert!(!providers(&settings).sasl);
        settings.auth.session_require_client_sasl_auth = true;
        assert!(providers(&settings).sasl);
    }
}
