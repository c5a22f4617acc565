//! Settings of an ensemble: its members and everything between them.
//!
//! # Invariants
//!
//! * Defaults of limits that depend on others are resolved.

use std::path::PathBuf;

use super::super::given::Given;
use super::super::quorum::{Ensemble, Role};

/// Members of the ensemble and everything between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Quorum {
    /// The members; empty for a standalone server.
    pub ensemble: Ensemble,
    /// A configuration that was proposed but not yet committed when the server stopped
    /// (the `.dynamic.next` file).
    pub last_seen: Option<Ensemble>,
    /// Content of `myid`; `None` without the file, which a standalone server may lack.
    pub my_id: Option<u64>,
    /// `peerType`, corrected by the own server line.
    pub peer_type: Role,
    /// `standaloneEnabled`: a single voter runs without a quorum.
    pub standalone_enabled: bool,
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// `dynamicConfigFile`.
    pub dynamic_config_file: Option<PathBuf>,
    /// The zoo.cfg that was given: reconfigurations write it, and files beside it.
    pub config_file: Option<PathBuf>,
    /// `initLimit`, ticks; > 0 in an ensemble.
    pub init_limit: u32,
    /// `syncLimit`, ticks; > 0 in an ensemble.
    pub sync_limit: u32,
    /// `connectToLearnerMasterLimit`, ticks; the init limit when not given.
    pub connect_to_learner_master_limit: u32,
    /// `quorumListenOnAllIPs`.
    pub listen_on_all_ips: bool,
    /// `multiAddress.enabled`.
    pub multi_address_enabled: bool,
    /// `multiAddress.reachabilityCheckTimeoutMs`.
    pub reachability_check_timeout_ms: u32,
    /// `multiAddress.reachabilityCheckEnabled`.
    pub reachability_check_enabled: bool,
    /// `oraclePath`.
    pub oracle_path: Option<PathBuf>,
    /// `snapshotSizeFactor`; `None` never sends log records instead of a snapshot.
    pub snapshot_size_factor: Option<f64>,
    /// `fastleader.minNotificationInterval`, milliseconds.
    pub min_notification_interval: u32,
    /// `fastleader.maxNotificationInterval`, milliseconds.
    pub max_notification_interval: u32,
    /// `leader.maxTimeToWaitForEpoch`, milliseconds; `None` is off.
    pub max_time_to_wait_for_epoch: Option<u32>,
    /// `leader.maxConcurrentSnapSyncs`.
    pub max_concurrent_snap_syncs: u32,
    /// `leader.maxConcurrentDiffSyncs`.
    pub max_concurrent_diff_syncs: u32,
    /// `leaderServes`.
    pub leader_serves: bool,
    /// `linearizableSync`: a sync waits until a quorum has confirmed the leader.
    pub linearizable_sync: bool,
    /// `leaderConnectDelayDuringRetryMs`.
    pub leader_connect_delay_ms: u32,
    /// `cnxTimeout`, milliseconds.
    pub cnx_timeout: u32,
    /// `quorumCnxnTimeoutMs`; the sync limit's time when not given.
    pub quorum_cnxn_timeout_ms: u32,
    /// `tcpKeepAlive`.
    pub tcp_keep_alive: bool,
    /// `electionPortBindRetry`; `None` is without end.
    pub election_port_bind_retry: Option<u32>,
    /// `leader.nodelay`.
    pub leader_nodelay: bool,
    /// `follower.nodelay`.
    pub follower_nodelay: bool,
    /// `observerMasterPort`; `None` is off.
    pub observer_master_port: Option<u16>,
    /// `syncEnabled`: observers write log and snapshots.
    pub sync_enabled: bool,
    /// `observer.reconnectDelayMs`.
    pub observer_reconnect_delay_ms: u64,
    /// `observer.election.DelayMs`.
    pub observer_election_delay_ms: u64,
    /// `observerMaster.sizeLimit`, bytes.
    pub observer_master_size_limit: usize,
    /// `forceSnapshotSync`.
    pub force_snapshot_sync: bool,
    /// `quorum.auth.*`, `kerberos.canonicalizeHostNames`, `server.realm`.
    pub sasl: QuorumSasl,
    /// `sslQuorum`.
    pub ssl_quorum: bool,
    /// `portUnification`.
    pub port_unification: bool,
    /// `sslQuorumReloadCertFiles`.
    pub ssl_reload_cert_files: bool,
}

/// SASL between servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumSasl {
    /// `quorum.auth.enableSasl`.
    pub enable: bool,
    /// `quorum.auth.serverRequireSasl`.
    pub server_require: bool,
    /// `quorum.auth.learnerRequireSasl`.
    pub learner_require: bool,
    /// `quorum.auth.learner.saslLoginContext`.
    pub learner_login_context: String,
    /// `quorum.auth.server.saslLoginContext`.
    pub server_login_context: String,
    /// `quorum.auth.kerberos.servicePrincipal`.
    pub service_principal: String,
    /// `kerberos.canonicalizeHostNames`.
    pub canonicalize_host_names: bool,
    /// `server.realm`.
    pub server_realm: Option<String>,
    /// `quorum.auth.allowedPrincipals`: full principals of the servers; empty: our own name and realm with the
    /// hosts of the ensemble.
    pub allowed_principals: Vec<String>,
}

impl Quorum {
    /// The settings but for what stands in files of their own: members, `myid`.
    pub(super) fn read(given: &Given) -> Self {
        let or = |id, other| given.limit(id).unwrap_or(other);
        let (init_limit, sync_limit) = (given.number("initLimit"), given.number("syncLimit"));
        let sync_time = given.number("tickTime").saturating_mul(sync_limit);
        Quorum {
            ensemble: Ensemble::default(),
            last_seen: None,
            my_id: None,
            peer_type: match given.word("peerType").as_str() {
                "observer" => Role::Observer,
                _ => Role::Participant,
            },
            standalone_enabled: given.flag("standaloneEnabled"),
            reconfig_enabled: given.flag("reconfigEnabled"),
            dynamic_config_file: given.path("dynamicConfigFile"),
            config_file: None,
            init_limit,
            sync_limit,
            connect_to_learner_master_limit: or("connectToLearnerMasterLimit", init_limit),
            listen_on_all_ips: given.flag("quorumListenOnAllIPs"),
            multi_address_enabled: given.flag("multiAddress.enabled"),
            reachability_check_timeout_ms: given.number("multiAddress.reachabilityCheckTimeoutMs"),
            reachability_check_enabled: given.flag("multiAddress.reachabilityCheckEnabled"),
            oracle_path: given.path("oraclePath"),
            snapshot_size_factor: Some(given.float("snapshotSizeFactor")).filter(|&f| f >= 0.0),
            min_notification_interval: given.number("fastleader.minNotificationInterval"),
            max_notification_interval: given.number("fastleader.maxNotificationInterval"),
            max_time_to_wait_for_epoch: u32::try_from(given.int("leader.maxTimeToWaitForEpoch")).ok(),
            max_concurrent_snap_syncs: given.number("leader.maxConcurrentSnapSyncs"),
            max_concurrent_diff_syncs: given.number("leader.maxConcurrentDiffSyncs"),
            leader_serves: given.flag("leaderServes"),
            linearizable_sync: given.flag("linearizableSync"),
            leader_connect_delay_ms: given.number("leaderConnectDelayDuringRetryMs"),
            cnx_timeout: given.number("cnxTimeout"),
            quorum_cnxn_timeout_ms: or("quorumCnxnTimeoutMs", sync_time),
            tcp_keep_alive: given.flag("tcpKeepAlive"),
            election_port_bind_retry: given.limit("electionPortBindRetry"),
            leader_nodelay: given.flag("leader.nodelay"),
            follower_nodelay: given.flag("follower.nodelay"),
            observer_master_port: given.port("observerMasterPort").filter(|&port| port > 0),
            sync_enabled: given.flag("syncEnabled"),
            observer_reconnect_delay_ms: given.long("observer.reconnectDelayMs"),
            observer_election_delay_ms: given.long("observer.election.DelayMs"),
            observer_master_size_limit: given.size("observerMaster.sizeLimit"),
            force_snapshot_sync: given.flag("forceSnapshotSync"),
            sasl: QuorumSasl::read(given),
            ssl_quorum: given.flag("sslQuorum"),
            port_unification: given.flag("portUnification"),
            ssl_reload_cert_files: given.flag("sslQuorumReloadCertFiles"),
        }
    }

    /// Whether this configuration asks for an ensemble (ZooKeeper's `isDistributed`).
    pub fn is_distributed(&self) -> bool {
        !self.standalone_enabled || self.ensemble.voters() > 1
    }
}

impl QuorumSasl {
    fn read(given: &Given) -> Self {
        QuorumSasl {
            enable: given.flag("quorum.auth.enableSasl"),
            server_require: given.flag("quorum.auth.serverRequireSasl"),
            learner_require: given.flag("quorum.auth.learnerRequireSasl"),
            learner_login_context: given.word("quorum.auth.learner.saslLoginContext"),
            server_login_context: given.word("quorum.auth.server.saslLoginContext"),
            service_principal: given.word("quorum.auth.kerberos.servicePrincipal"),
            canonicalize_host_names: given.flag("kerberos.canonicalizeHostNames"),
            server_realm: given.text("server.realm"),
            allowed_principals: given.list("quorum.auth.allowedPrincipals"),
        }
    }
}
