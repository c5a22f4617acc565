//! Settings of what operators look at: four-letter words, admin server, metrics, audit.
//!
//! # Invariants
//!
//! * `srvr` always answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::given::Given;
use super::super::secret::Secret;
use super::tls::TlsSide;

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
    /// `admin.serverPort` or `admin.serverAddress` was written: a port in use is then an error.
    pub is_written: bool,
    /// Who may do what.
    pub auth: AdminAuth,
}

/// Who may do what at the admin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAuth {
    /// Any key of `admin.auth` was written: nothing but health and metrics is told without identity.
    pub is_written: bool,
    /// `admin.auth.kerberos`.
    pub kerberos: bool,
    /// `admin.auth.kerberos.keytab`.
    pub kerberos_keytab: Option<PathBuf>,
    /// `admin.auth.kerberos.principal`.
    pub kerberos_principal: String,
    /// `admin.auth.x509`: certificates are asked for.
    pub x509: bool,
    /// `admin.auth.digest`: users and passwords are taken.
    pub digest: bool,
    /// `admin.auth.read.<n>`: `scheme:id`.
    pub readers: Vec<String>,
    /// `admin.auth.operate.<n>`: `scheme:id`.
    pub operators: Vec<String>,
    /// `admin.auth.restore.<n>`: `scheme:id`.
    pub restorers: Vec<String>,
}

impl AdminAuth {
    pub(super) fn read(given: &Given) -> Self {
        let switches = ["kerberos", "kerberos.keytab", "kerberos.principal", "x509", "digest"]
            .map(|k| format!("admin.auth.{k}"));
        let named = |role: &str| -> Vec<String> {
            given.family(&format!("admin.auth.{role}.")).map(|(_, id)| id.to_owned()).collect()
        };
        let (readers, operators, restorers) = (named("read"), named("operate"), named("restore"));
        let nobody = readers.is_empty() && operators.is_empty() && restorers.is_empty();
        AdminAuth {
            is_written: !nobody || switches.iter().any(|key| given.has(key)),
            kerberos: given.flag("admin.auth.kerberos"),
            kerberos_keytab: given.path("admin.auth.kerberos.keytab"),
            kerberos_principal: given.word("admin.auth.kerberos.principal"),
            x509: given.flag("admin.auth.x509"),
            digest: given.flag("admin.auth.digest"),
            readers,
            operators,
            restorers,
        }
    }
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
            is_written: given.has("admin.serverPort") || given.has("admin.serverAddress"),
            auth: AdminAuth::read(given),
        }
    }
}

/// The metrics provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// `metricsProvider.className` names the Prometheus provider.
    pub prometheus: bool,
    /// `metricsProvider.className` names the provider that shows nothing.
    pub nothing: bool,
    /// `metricsProvider.httpHost`.
    pub http_host: String,
    /// `metricsProvider.httpPort`; `None` where TLS alone is spoken.
    pub http_port: Option<u16>,
    /// `metricsProvider.exportJvmInfo`: the `process_` series.
    pub export_jvm_info: bool,
    /// `metricsProvider.jvmAliases`: `jvm_` series from figures of the process.
    pub jvm_aliases: bool,
    /// `metricsProvider.httpsPort`; `None` is no TLS.
    pub https_port: Option<u16>,
    /// The keys `metricsProvider.ssl.*`.
    pub tls: TlsSide,
    /// `slow.operations.thresholdMs`; `None` is off.
    pub slow_threshold_ms: Option<u32>,
    /// `kerberos.keytab.maxAgeDays`; `None` is unknown.
    pub keytab_max_age_days: Option<u32>,
    /// `leader.ackLoggingFrequency`; `None` is off.
    pub ack_logging_frequency: Option<u32>,
    /// Every `metricsProvider.x` that is a text, prefix stripped.
    pub other: BTreeMap<String, Secret>,
}

impl Metrics {
    pub(super) fn read(given: &Given) -> Self {
        let own = given.family("metricsProvider.");
        let https_port = u16::try_from(given.int("metricsProvider.httpsPort")).ok();
        let http_port = given.port("metricsProvider.httpPort");
        // Whoever asks for TLS and says nothing of a plain port, or gives it the same number, means TLS.
        let plain = https_port.is_none() || given.has("metricsProvider.httpPort");
        let provider = given.word("metricsProvider.className");
        Metrics {
            prometheus: provider.ends_with("PrometheusMetricsProvider"),
            nothing: provider.ends_with("NullMetricsProvider"),
            http_host: given.word("metricsProvider.httpHost"),
            http_port: http_port.filter(|_| plain && http_port != https_port),
            export_jvm_info: given.flag("metricsProvider.exportJvmInfo"),
            jvm_aliases: given.flag("metricsProvider.jvmAliases"),
            https_port,
            tls: TlsSide::of_metrics(given),
            slow_threshold_ms: given.limit("slow.operations.thresholdMs"),
            keytab_max_age_days: given.limit("kerberos.keytab.maxAgeDays"),
            ack_logging_frequency: given.limit("leader.ackLoggingFrequency"),
            other: own.map(|(key, text)| (key.to_owned(), Secret::new(text))).collect(),
        }
    }
}

/// What protects secrets, the way out when nobody has rights any more, and when the service is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// `secrets.strictPermissions`: others who may read secrets stop the start.
    pub strict_permissions: bool,
    /// `process.coreDumps`: allowed.
    pub core_dumps: bool,
    /// `rescue.socket`.
    pub rescue_socket: Option<PathBuf>,
    /// `systemd.readyWhen` is `quorum`, not `started`.
    pub ready_with_quorum: bool,
}

impl Safety {
    pub(super) fn read(given: &Given) -> Self {
        Safety {
            strict_permissions: given.flag("secrets.strictPermissions"),
            core_dumps: given.flag("process.coreDumps"),
            rescue_socket: given.path("rescue.socket"),
            ready_with_quorum: given.word("systemd.readyWhen") == "quorum",
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
