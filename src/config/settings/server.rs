//! Settings of the standalone server: listeners, sessions, storage, throttles.
//!
//! # Invariants
//!
//! * "Off" and "unlimited" are `None` where ZooKeeper writes 0 or -1, so that no
//!   reader has to know which of the two a key uses.

use std::path::PathBuf;

use super::super::given::Given;

/// Client listeners and how many connections they take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `clientPort`: plain listener; `None` when not configured, 0 for any free port.
    pub client_port: Option<u16>,
    /// `clientPortAddress`: host or address to bind; `None` is the wildcard.
    pub client_port_address: Option<String>,
    /// `secureClientPort`: TLS listener.
    pub secure_client_port: Option<u16>,
    /// `secureClientPortAddress`: host or address to bind; `None` is the wildcard.
    pub secure_client_port_address: Option<String>,
    /// `clientPortListenBacklog`: `None` leaves it to the operating system.
    pub client_port_listen_backlog: Option<u32>,
    /// `maxClientCnxns`: connections per client address; `None` is unlimited.
    pub max_client_cnxns: Option<u32>,
    /// `maxCnxns`: connections per listener over all addresses; `None` is unlimited.
    pub max_cnxns: Option<u32>,
    /// `clientTcpKeepAlive`.
    pub client_tcp_keep_alive: bool,
    /// `nio.sessionlessCnxnTimeout`, milliseconds: a connection without a session is closed after it.
    pub sessionless_cnxn_timeout: u32,
    /// `client.portUnification`: the plain port also takes TLS.
    pub port_unification: bool,
    /// `client.certReload`: key and trust store are read again when they change.
    pub cert_reload: bool,
    /// `netty.server.outstandingHandshake.limit`; `None` is unlimited.
    pub outstanding_handshake_limit: Option<u32>,
    /// `netty.server.earlyDropSecureConnectionHandshakes`.
    pub early_drop_secure_connection_handshakes: bool,
}

impl Client {
    pub(super) fn read(given: &Given) -> Self {
        Client {
            client_port: given.port("clientPort"),
            client_port_address: given.text("clientPortAddress"),
            secure_client_port: given.port("secureClientPort"),
            secure_client_port_address: given.text("secureClientPortAddress"),
            client_port_listen_backlog: u32::try_from(given.int("clientPortListenBacklog")).ok(),
            max_client_cnxns: given.limit("maxClientCnxns"),
            max_cnxns: given.limit("maxCnxns"),
            client_tcp_keep_alive: given.flag("clientTcpKeepAlive"),
            sessionless_cnxn_timeout: given.number("nio.sessionlessCnxnTimeout"),
            port_unification: given.flag("client.portUnification"),
            cert_reload: given.flag("client.certReload"),
            outstanding_handshake_limit: given.limit("netty.server.outstandingHandshake.limit"),
            early_drop_secure_connection_handshakes: given
                .flag("netty.server.earlyDropSecureConnectionHandshakes"),
        }
    }
}

/// Ticks and session time-outs (milliseconds), local sessions, read-only mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `tickTime`, > 0.
    pub tick_time: i32,
    /// `minSessionTimeout`, resolved (two ticks when not given).
    pub min_session_timeout: i32,
    /// `maxSessionTimeout`, resolved (twenty ticks when not given), >= the minimum.
    pub max_session_timeout: i32,
    /// `localSessionsEnabled`.
    pub local_sessions_enabled: bool,
    /// `localSessionsUpgradingEnabled`.
    pub local_sessions_upgrading_enabled: bool,
    /// `readonlymode.enabled`: serve reads while the ensemble has no leader.
    pub readonlymode_enabled: bool,
}

impl Session {
    pub(super) fn read(given: &Given) -> Self {
        let time = |id| i32::try_from(given.int(id)).unwrap_or(i32::MAX);
        let tick_time = time("tickTime");
        let ticks = |id, ticks: i32| match time(id) {
            -1 => tick_time.saturating_mul(ticks),
            given => given,
        };
        Session {
            tick_time,
            min_session_timeout: ticks("minSessionTimeout", 2),
            max_session_timeout: ticks("maxSessionTimeout", 20),
            local_sessions_enabled: given.flag("localSessionsEnabled"),
            local_sessions_upgrading_enabled: given.flag("localSessionsUpgradingEnabled"),
            readonlymode_enabled: given.flag("readonlymode.enabled"),
        }
    }
}

/// `snapshot.compression.method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Plain files.
    #[default]
    None,
    /// `gz`.
    Gzip,
    /// `snappy`.
    Snappy,
}

/// Directories, log, snapshots, group commit, purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// `dataDir`: snapshots, epoch files and `myid`; `version-2` lies below it.
    pub data_dir: PathBuf,
    /// `dataLogDir`: transaction logs; the data directory when not given.
    pub data_log_dir: PathBuf,
    /// `autopurge.snapRetainCount`, >= 3.
    pub snap_retain_count: u32,
    /// `autopurge.purgeInterval`, hours; `None` is off.
    pub purge_interval: Option<u32>,
    /// `preAllocSize`, in bytes here (KiB in the key); 0 is off.
    pub pre_alloc_size: u64,
    /// `snapCount`, >= 2.
    pub snap_count: u32,
    /// `snapSizeLimitInKb`, in bytes here; `None` is off.
    pub snap_size_limit: Option<u64>,
    /// `txnLogSizeLimitInKb`, in bytes here; `None` is off.
    pub txn_log_size_limit: Option<u64>,
    /// `forceSync`: whether the log is synced before anything is promised.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`, milliseconds.
    pub fsync_warning_threshold_ms: u64,
    /// `snapshot.compression.method`.
    pub snapshot_compression: Compression,
    /// `snapshot.trust.empty`: start from logs although there is no snapshot.
    pub snapshot_trust_empty: bool,
    /// `datadir.autocreate`: create missing `version-2` directories.
    pub datadir_autocreate: bool,
    /// `db.autocreate`: an empty database counts as valid without the `initialize` file.
    pub db_autocreate: bool,
    /// `serializeLastProcessedZxid.enabled`: third trailer of a snapshot.
    pub serialize_last_processed_zxid: bool,
    /// `flushDelay`, milliseconds.
    pub flush_delay: u64,
    /// `maxWriteQueuePollTime`, milliseconds; a third of the flush delay when not given.
    pub max_write_queue_poll_time: u64,
    /// `maxBatchSize`, requests in a group commit; `None` is unlimited.
    pub max_batch_size: Option<u32>,
    /// `commitLogCount`, >= 500: committed proposals kept in memory.
    pub commit_log_count: u32,
}

impl Storage {
    pub(super) fn read(given: &Given) -> Self {
        let kib = |id| Some(given.long(id)).filter(|&kib| kib > 0).map(|kib| kib << 10);
        let data_dir = given.path("dataDir").unwrap_or_default();
        let flush_delay = given.long("flushDelay");
        Storage {
            data_log_dir: given.path("dataLogDir").unwrap_or_else(|| data_dir.clone()),
            data_dir,
            snap_retain_count: given.number("autopurge.snapRetainCount"),
            purge_interval: given.limit("autopurge.purgeInterval"),
            pre_alloc_size: kib("preAllocSize").unwrap_or(0),
            snap_count: given.number("snapCount"),
            snap_size_limit: kib("snapSizeLimitInKb"),
            txn_log_size_limit: kib("txnLogSizeLimitInKb"),
            force_sync: given.flag("forceSync"),
            fsync_warning_threshold_ms: given.long("fsync.warningthresholdms"),
            snapshot_compression: match given.word("snapshot.compression.method").as_str() {
                "gz" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                _ => Compression::None,
            },
            snapshot_trust_empty: given.flag("snapshot.trust.empty"),
            datadir_autocreate: given.flag("datadir.autocreate"),
            db_autocreate: given.flag("db.autocreate"),
            serialize_last_processed_zxid: given.flag("serializeLastProcessedZxid.enabled"),
            flush_delay,
            max_write_queue_poll_time: match given.has("maxWriteQueuePollTime") {
                true => given.long("maxWriteQueuePollTime"),
                false => flush_delay / 3,
            },
            max_batch_size: given.limit("maxBatchSize"),
            commit_log_count: given.number("commitLogCount"),
        }
    }
}

/// Request throttles.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// `globalOutstandingLimit`, requests of all clients in the server.
    pub global_outstanding_limit: u32,
    /// `request_throttle_max_requests`; `None` is off.
    pub request_throttle_max_requests: Option<u32>,
    /// `request_throttle_stall_time`, milliseconds.
    pub request_throttle_stall_time: u32,
    /// `request_throttle_drop_stale`.
    pub request_throttle_drop_stale: bool,
    /// `request_stale_latency_check`.
    pub request_stale_latency_check: bool,
    /// `request_stale_connection_check`.
    pub request_stale_connection_check: bool,
    /// `request_throttler.shutdownTimeout`, milliseconds.
    pub request_throttler_shutdown_timeout: u32,
    /// `throttled_op_wait_time`, milliseconds; `None` is off.
    pub throttled_op_wait_time: Option<u32>,
    /// `largeRequestMaxBytes`: budget of all large requests together.
    pub large_request_max_bytes: usize,
    /// `largeRequestThreshold`, bytes; `None` is off.
    pub large_request_threshold: Option<usize>,
    /// `connection_throttle_*`.
    pub connection: ConnectionThrottle,
}

impl Throttle {
    pub(super) fn read(given: &Given) -> Self {
        Throttle {
            global_outstanding_limit: given.number("globalOutstandingLimit"),
            request_throttle_max_requests: given.limit("request_throttle_max_requests"),
            request_throttle_stall_time: given.number("request_throttle_stall_time"),
            request_throttle_drop_stale: given.flag("request_throttle_drop_stale"),
            request_stale_latency_check: given.flag("request_stale_latency_check"),
            request_stale_connection_check: given.flag("request_stale_connection_check"),
            request_throttler_shutdown_timeout: given.number("request_throttler.shutdownTimeout"),
            throttled_op_wait_time: given.limit("throttled_op_wait_time"),
            large_request_max_bytes: given.size("largeRequestMaxBytes"),
            large_request_threshold: Some(given.size("largeRequestThreshold")).filter(|&n| n > 0),
            connection: ConnectionThrottle::read(given),
        }
    }
}

/// `connection_throttle_*`: the token bucket of new connections (BlueThrottle).
/// Weights are already resolved against each other; tokens are already multiplied
/// by the global weight when weights are enabled.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionThrottle {
    /// `..._tokens`; `None` is off.
    pub tokens: Option<u32>,
    /// `..._fill_time`, milliseconds.
    pub fill_time: u32,
    /// `..._fill_count`, tokens a fill.
    pub fill_count: u32,
    /// `..._freeze_time`, milliseconds; `None` is off.
    pub freeze_time: Option<u32>,
    /// `..._drop_increase`.
    pub drop_increase: f64,
    /// `..._drop_decrease`.
    pub drop_decrease: f64,
    /// `..._decrease_ratio`.
    pub decrease_ratio: f64,
    /// `..._weight_enabled`.
    pub weight_enabled: bool,
    /// `..._global_session_weight`.
    pub global_session_weight: u32,
    /// `..._local_session_weight`.
    pub local_session_weight: u32,
    /// `..._renew_session_weight`.
    pub renew_session_weight: u32,
}

impl ConnectionThrottle {
    pub(super) fn read(given: &Given) -> Self {
        let weight_enabled = given.flag("connection_throttle_weight_enabled");
        let local = given.number("connection_throttle_local_session_weight");
        let at_least_local = |id| given.number(id).max(local);
        let global = at_least_local("connection_throttle_global_session_weight");
        let factor = if weight_enabled { global } else { 1 };
        ConnectionThrottle {
            tokens: given.limit("connection_throttle_tokens").map(|n| n.saturating_mul(factor)),
            fill_time: given.number("connection_throttle_fill_time"),
            fill_count: given.number("connection_throttle_fill_count").saturating_mul(factor),
            freeze_time: given.limit("connection_throttle_freeze_time"),
            drop_increase: given.float("connection_throttle_drop_increase"),
            drop_decrease: given.float("connection_throttle_drop_decrease"),
            decrease_ratio: given.float("connection_throttle_decrease_ratio"),
            weight_enabled,
            global_session_weight: global,
            local_session_weight: local,
            renew_session_weight: at_least_local("connection_throttle_renew_session_weight"),
        }
    }
}

/// Sizes a client may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `jute.maxbuffer`, bytes: largest client frame.
    pub jute_maxbuffer: usize,
    /// `jute.maxbuffer.extrasize`, bytes: what a record may take beyond it.
    pub jute_maxbuffer_extrasize: usize,
}

impl Limits {
    pub(super) fn read(given: &Given) -> Self {
        let jute_maxbuffer = given.size("jute.maxbuffer");
        Limits {
            jute_maxbuffer,
            jute_maxbuffer_extrasize: match given.has("jute.maxbuffer.extrasize") {
                true => given.size("jute.maxbuffer.extrasize"),
                false => jute_maxbuffer,
            },
        }
    }
}

/// Digest, TTL and container nodes, quotas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// `digest.enabled`: the tree digest is kept and written.
    pub digest_enabled: bool,
    /// `extendedTypesEnabled`: TTL nodes may be created.
    pub extended_types_enabled: bool,
    /// `emulate353TTLNodes`: owners in the encoding of 3.5.3 are TTL nodes too.
    pub emulate_353_ttl_nodes: bool,
    /// `enforceQuota`: hard limits are errors.
    pub enforce_quota: bool,
    /// `closeSessionTxn.enabled`: closeSession carries the ephemeral paths.
    pub close_session_txn_enabled: bool,
    /// `znode.container.checkIntervalMs`.
    pub container_check_interval_ms: u32,
    /// `znode.container.maxPerMinute`, >= 1.
    pub container_max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`; `None` is never.
    pub container_max_never_used_interval_ms: Option<u64>,
}

impl Tree {
    pub(super) fn read(given: &Given) -> Self {
        Tree {
            digest_enabled: given.flag("digest.enabled"),
            extended_types_enabled: given.flag("extendedTypesEnabled"),
            emulate_353_ttl_nodes: given.flag("emulate353TTLNodes"),
            enforce_quota: given.flag("enforceQuota"),
            close_session_txn_enabled: given.flag("closeSessionTxn.enabled"),
            container_check_interval_ms: given.number("znode.container.checkIntervalMs"),
            container_max_per_minute: given.number("znode.container.maxPerMinute"),
            container_max_never_used_interval_ms: Some(given.long("znode.container.maxNeverUsedIntervalMs"))
                .filter(|&ms| ms > 0),
        }
    }
}
