//! What the admin server is told: four-letter words' facts, and those of the ensemble and of files.
//!
//! # Invariants
//!
//! * No secret is told: values of secret keys are replaced before they are kept.

use std::net::SocketAddr;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::admin::{
    AdminSource, ConfStatus, DirSizes, ExpirySets, MemberFacts, Mode, MonitorStatus, ObserverRow,
    ServerStatus, SessionsStatus, Source, VisitItem, VisitRow, WatchSummary,
};
use crate::config::Settings;
use crate::config::keys::{self, Kind};
use crate::config::quorum::Ensemble;
use crate::limits::CONFIG_MAX_BYTES;
use crate::metrics::{Gauges, Metrics};
use crate::server::front::Front;
use crate::server::member::LearnerNow;
use crate::server::source::WordSource;
use crate::types::{SessionId, Zxid};

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// What was configured, as far as it may be told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// zoo.cfg.
    pub initial_configuration: String,
    /// By Java property.
    pub properties: Vec<(String, String)>,
    /// The host of the plain client port.
    pub client_host: String,
}

impl Told {
    /// Reads zoo.cfg as it is now, at the start.
    pub fn of(settings: &Settings) -> Told {
        let text = settings.quorum.config_file.as_deref().and_then(read).unwrap_or_default();
        let lines = text.lines().map(|line| without_secret(line) + "\n");
        let properties = settings.written.iter().map(|(name, value)| (name.clone(), value.clone()));
        let client_host = settings.client.client_port_address.clone().unwrap_or_else(|| "0.0.0.0".to_owned());
        Told { initial_configuration: lines.collect(), properties: properties.collect(), client_host }
    }
}

fn read(path: &Path) -> Option<String> {
    let small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= CONFIG_MAX_BYTES as u64);
    std::fs::read_to_string(path).ok().filter(|_| small)
}

/// A line of zoo.cfg whose value may be told: those of secrets and of keys that no table knows may not.
fn without_secret(line: &str) -> String {
    let trimmed = line.trim_start();
    if trimmed.is_empty() || trimmed.starts_with(['#', '!']) {
        // A comment may hold an old password.
        return trimmed.chars().take(1).collect();
    }
    let Some((key, _)) = line.split_once(['=', ':']) else { return HIDDEN.to_owned() };
    let row = keys::by_name(key.trim()).or_else(|| keys::by_property(key.trim()));
    match row {
        Some(row) if row.kind != Kind::Secret => line.to_owned(),
        _ => format!("{key}={HIDDEN}"),
    }
}

/// The live server.
pub struct LiveSource<'a> {
    plain: WordSource<'a>,
    secure: WordSource<'a>,
    told: &'a Told,
}

impl<'a> LiveSource<'a> {
    /// Over the front; `told` is what was configured.
    pub fn new(front: &'a Front, told: &'a Told) -> LiveSource<'a> {
        let [plain, secure] = [false, true].map(|secure| WordSource::of_port(front, secure));
        LiveSource { plain, secure, told }
    }
}

impl AdminSource for LiveSource<'_> {
    fn secure_connections(&self, visit: VisitRow<'_>) {
        self.secure.connections(visit);
    }

    fn member(&self) -> Option<MemberFacts> {
        let face = self.plain.front.face()?;
        let role = face.role();
        let port = self.plain.front.facts.client_port();
        Some(MemberFacts {
            me: face.me,
            leader: role.leader,
            phase: face.status().map_or("election", |status| status.phase),
            ensemble: Ensemble::clone(&face.ensemble()),
            client_address: (port > 0).then(|| format!("{}:{port}", self.told.client_host)),
        })
    }

    fn observers(&self) -> Vec<ObserverRow> {
        let Some(face) = self.plain.front.face() else { return Vec::new() };
        let observers = face.learners().into_iter().filter(|learner| learner.observer);
        let row = |learner: LearnerNow| ObserverRow {
            address: learner.address,
            server: learner.server,
            established_ms: learner.since_ms,
            last_zxid: learner.acked,
            received: learner.received,
            sent: learner.sent,
        };
        observers.map(row).collect()
    }

    fn last_snapshot(&self) -> Option<(Zxid, i64)> {
        newest_snapshot(&self.plain.front.facts.snapshots)
    }

    fn initial_configuration(&self) -> String {
        self.told.initial_configuration.clone()
    }

    fn properties(&self) -> Vec<(String, String)> {
        let of_process = self.environment().into_iter().map(|(key, value)| (key.to_owned(), value));
        of_process.chain(self.told.properties.iter().cloned()).collect()
    }
}

/// The snapshot with the highest zxid, and when it was written, in seconds.
fn newest_snapshot(dir: &Path) -> Option<(Zxid, i64)> {
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    let snapshots = entries.filter_map(|entry| {
        let name = entry.file_name();
        let zxid = name.to_str()?.strip_prefix("snapshot.")?.split('.').next()?;
        Some((u64::from_str_radix(zxid, 16).ok()?.cast_signed(), entry))
    });
    let (zxid, entry) = snapshots.max_by_key(|(zxid, _)| *zxid)?;
    let written = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((Zxid(zxid), i64::try_from(written.as_secs()).unwrap_or(i64::MAX)))
}

impl Source for LiveSource<'_> {
    fn serving(&self) -> bool {
        self.plain.serving()
    }

    fn server(&self) -> ServerStatus {
        self.plain.server()
    }

    fn conf(&self) -> ConfStatus {
        self.plain.conf()
    }

    fn dirs(&self) -> DirSizes {
        self.plain.dirs()
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.plain.environment()
    }

    fn connections(&self, visit: VisitRow<'_>) {
        self.plain.connections(visit);
    }

    fn sessions(&self) -> SessionsStatus {
        self.plain.sessions()
    }

    fn ephemeral_owners(&self) -> usize {
        self.plain.ephemeral_owners()
    }

    fn ephemerals(&self, visit: VisitItem<'_>) {
        self.plain.ephemerals(visit);
    }

    fn connection_expiry(&self) -> ExpirySets<(SocketAddr, SessionId)> {
        self.plain.connection_expiry()
    }

    fn watch_summary(&self) -> WatchSummary {
        self.plain.watch_summary()
    }

    fn watches_by_session(&self, visit: VisitItem<'_>) {
        self.plain.watches_by_session(visit);
    }

    fn watches_by_path(&self, visit: VisitItem<'_>) {
        self.plain.watches_by_path(visit);
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        self.plain.digests()
    }

    fn monitor(&self) -> MonitorStatus {
        let monitor = self.plain.monitor();
        // A member without a role is no standalone server.
        match (self.plain.front.face(), self.serving()) {
            (Some(_), false) => MonitorStatus { mode: Mode::ReadOnly, ..monitor },
            _ => monitor,
        }
    }

    fn metrics(&self) -> &Metrics {
        self.plain.metrics()
    }

    fn gauges(&self) -> Gauges {
        self.plain.gauges()
    }

    fn reset_server_stats(&self) {
        self.plain.reset_server_stats();
    }

    fn reset_connection_stats(&self) {
        self.plain.reset_connection_stats();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_told() {
        assert_eq!(without_secret("tickTime=2000"), "tickTime=2000");
        assert_eq!(without_secret("  dataDir = /x"), "  dataDir = /x");
        assert_eq!(without_secret("ssl.keyStore.password=geheim"), "ssl.keyStore.password=***");
        assert_eq!(without_secret("my.own.key: geheim"), "my.own.key=***");
        assert_eq!(without_secret("# ssl.keyStore.password=geheim"), "#");
        assert_eq!(without_secret("geheim"), "***");
        assert_eq!(without_secret(""), "");
    }

    #[test]
    fn the_newest_snapshot_is_that_of_the_highest_zxid() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(newest_snapshot(dir.path()), None);
        for name in ["snapshot.9", "snapshot.1f.gz", "snapshot.x", "log.ff", "snapshot.0"] {
            std::fs::write(dir.path().join(name), "x").expect("written");
        }
        let (zxid, time) = newest_snapshot(dir.path()).expect("there are some");
        assert_eq!(zxid, Zxid(0x1f));
        assert!(time > 1_600_000_000);
    }
}
