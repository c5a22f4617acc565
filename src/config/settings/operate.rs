//! Settings of what operators look at: four-letter words, admin server, metrics, audit.
//!
//! # Invariants
//!
//! * `srvr` always answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::given::Given;
use super::super::secret::Secret;

/// `4lw.commands.whitelist`: which four-letter words answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FourLw {
    /// `*`.
    All,
    /// These; `srvr` is always among them, `isro` too in read-only mode.
    Only(BTreeSet<String>),
}

impl FourLw {
    pub(super) fn read(given: &Given) -> Self {
        let mut words: BTreeSet<String> = given.list("4lw.commands.whitelist").into_iter().collect();
        if words.contains("*") {
            return FourLw::All;
        }
        words.insert("srvr".to_owned());
        if given.flag("readonlymode.enabled") {
            words.insert("isro".to_owned());
        }
        FourLw::Only(words)
    }

    /// Whether `word` may answer.
    pub fn allows(&self, word: &str) -> bool {
        match self {
            FourLw::All => true,
            FourLw::Only(words) => words.contains(word),
        }
    }
}

/// The HTTP admin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `admin.enableServer`.
    pub enable_server: bool,
    /// `admin.serverAddress`.
    pub server_address: String,
    /// `admin.serverPort`.
    pub server_port: u16,
    /// `admin.idleTimeout`, milliseconds.
    pub idle_timeout: u32,
    /// `admin.commandURL`.
    pub command_url: String,
    /// `admin.portUnification`.
    pub port_unification: bool,
    /// `admin.forceHttps`.
    pub force_https: bool,
    /// `admin.needClientAuth`.
    pub need_client_auth: bool,
    /// `admin.rateLimiterIntervalInMS`.
    pub rate_limiter_interval_ms: u32,
    /// `admin.snapshot.enabled`.
    pub snapshot_enabled: bool,
    /// `admin.restore.enabled`.
    pub restore_enabled: bool,
}

impl Admin {
    pub(super) fn read(given: &Given) -> Self {
        Admin {
            enable_server: given.flag("admin.enableServer"),
            server_address: given.word("admin.serverAddress"),
            server_port: given.port("admin.serverPort").unwrap_or(0),
            idle_timeout: given.number("admin.idleTimeout"),
            command_url: given.word("admin.commandURL"),
            port_unification: given.flag("admin.portUnification"),
            force_https: given.flag("admin.forceHttps"),
            need_client_auth: given.flag("admin.needClientAuth"),
            rate_limiter_interval_ms: given.number("admin.rateLimiterIntervalInMS"),
            snapshot_enabled: given.flag("admin.snapshot.enabled"),
            restore_enabled: given.flag("admin.restore.enabled"),
        }
    }
}

/// The metrics provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Whether `metricsProvider.className` names the Prometheus provider.
    pub prometheus: bool,
    /// `metricsProvider.httpHost`.
    pub http_host: String,
    /// `metricsProvider.httpPort`.
    pub http_port: u16,
    /// `metricsProvider.exportJvmInfo`: the `process_` series.
    pub export_jvm_info: bool,
    /// `leader.ackLoggingFrequency`; `None` is off.
    pub ack_logging_frequency: Option<u32>,
    /// Every `metricsProvider.x` that is a text, prefix stripped.
    pub other: BTreeMap<String, Secret>,
}

impl Metrics {
    pub(super) fn read(given: &Given) -> Self {
        let own = given.family("metricsProvider.");
        Metrics {
            prometheus: given.word("metricsProvider.className").ends_with("PrometheusMetricsProvider"),
            http_host: given.word("metricsProvider.httpHost"),
            http_port: given.port("metricsProvider.httpPort").unwrap_or(0),
            export_jvm_info: given.flag("metricsProvider.exportJvmInfo"),
            ack_logging_frequency: given.limit("leader.ackLoggingFrequency"),
            other: own.map(|(key, text)| (key.to_owned(), Secret::new(text))).collect(),
        }
    }
}

/// What protects secrets, and the way out when nobody has rights any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// `secrets.strictPermissions`: others who may read secrets stop the start.
    pub strict_permissions: bool,
    /// `process.coreDumps`: allowed.
    pub core_dumps: bool,
    /// `rescue.socket`.
    pub rescue_socket: Option<PathBuf>,
}

impl Safety {
    pub(super) fn read(given: &Given) -> Self {
        Safety {
            strict_permissions: given.flag("secrets.strictPermissions"),
            core_dumps: given.flag("process.coreDumps"),
            rescue_socket: given.path("rescue.socket"),
        }
    }
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// `audit.enable`.
    pub enable: bool,
    /// `audit.layout`: java, mrs or json.
    pub layout: String,
    /// `audit.file`; `None`: the server's own log.
    pub file: Option<PathBuf>,
    /// `audit.file.maxSizeMB`.
    pub file_max_size_mb: u32,
    /// `audit.file.maxCount`, the newest among them.
    pub file_max_count: u32,
    /// `audit.whenFull` is `drop`, not `block`.
    pub drop_when_full: bool,
    /// `audit.required`: no reply leaves before its record is on the disk.
    pub required: bool,
}

impl Audit {
    pub(super) fn read(given: &Given) -> Self {
        Audit {
            enable: given.flag("audit.enable"),
            layout: given.word("audit.layout"),
            file: given.path("audit.file"),
            file_max_size_mb: given.number("audit.file.maxSizeMB"),
            file_max_count: given.number("audit.file.maxCount"),
            drop_when_full: given.word("audit.whenFull") == "drop",
            required: given.flag("audit.required"),
        }
    }
}
