//! Facts about this server that four-letter words print and that hardly change.
//!
//! # Invariants
//!
//! * Sizes of directories are looked up when asked, never kept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::admin::{ConfStatus, DirSizes, QuorumConf};
use crate::config::Settings;
use crate::config::quorum::Role;
use crate::os::clock;
use crate::types::Instant;

/// Facts for `conf`, `dirs` and gauges.
pub struct Facts {
    /// Where snapshots are (`version-2`), absolute.
    pub snapshots: PathBuf,
    /// Where logs are (`version-2`), absolute.
    pub logs: PathBuf,
    /// When the server began to be.
    pub started: Instant,
    client_port: AtomicI32,
    secure_client_port: AtomicI32,
    tick_time: i32,
    max_client_cnxns: AtomicI32,
    min_session_timeout: i32,
    max_session_timeout: i32,
    backlog: i32,
    quorum: Option<QuorumConf>,
    /// Are figures of the process exported (`metricsProvider.exportJvmInfo` of the Prometheus provider)?
    pub exports_process: bool,
}

fn signed(n: Option<u32>, none: i32) -> i32 {
    n.map_or(none, |n| i32::try_from(n).unwrap_or(i32::MAX))
}

fn or_minus_one(port: Option<u16>) -> i32 {
    port.map_or(-1, i32::from)
}

impl Facts {
    /// Facts from the settings.
    pub fn new(settings: &Settings) -> Facts {
        let version =
            |dir: &Path| std::path::absolute(dir.join("version-2")).unwrap_or_else(|_| dir.to_owned());
        let client = &settings.client;
        Facts {
            snapshots: version(&settings.storage.data_dir),
            logs: version(&settings.storage.data_log_dir),
            started: clock::mono(),
            client_port: AtomicI32::new(or_minus_one(client.client_port)),
            secure_client_port: AtomicI32::new(or_minus_one(client.secure_client_port)),
            tick_time: settings.session.tick_time,
            max_client_cnxns: AtomicI32::new(signed(client.max_client_cnxns, 0)),
            min_session_timeout: settings.session.min_session_timeout,
            max_session_timeout: settings.session.max_session_timeout,
            backlog: signed(client.client_port_listen_backlog, -1),
            quorum: quorum(settings),
            exports_process: settings.metrics.prometheus && settings.metrics.export_jvm_info,
        }
    }

    /// The ports that were bound, which differ from the configured where that is 0.
    pub fn bound(&self, plain: Option<u16>, secure: Option<u16>) {
        self.client_port.store(or_minus_one(plain), Ordering::Relaxed);
        self.secure_client_port.store(or_minus_one(secure), Ordering::Relaxed);
    }

    /// The most connections of an address, which a reload may change.
    pub fn limited(&self, max_client_cnxns: Option<u32>) {
        self.max_client_cnxns.store(signed(max_client_cnxns, 0), Ordering::Relaxed);
    }

    /// A reconfiguration moved the plain client port.
    pub fn moved(&self, plain: u16) {
        self.client_port.store(i32::from(plain), Ordering::Relaxed);
    }

    /// The plain client port, -1 without one.
    pub fn client_port(&self) -> i32 {
        self.client_port.load(Ordering::Relaxed)
    }

    /// What `conf` prints.
    pub fn conf(&self) -> ConfStatus {
        ConfStatus {
            client_port: self.client_port.load(Ordering::Relaxed),
            secure_client_port: self.secure_client_port.load(Ordering::Relaxed),
            data_dir: self.snapshots.display().to_string(),
            data_log_dir: self.logs.display().to_string(),
            sizes: self.sizes(),
            tick_time: self.tick_time,
            max_client_cnxns: self.max_client_cnxns.load(Ordering::Relaxed),
            min_session_timeout: self.min_session_timeout,
            max_session_timeout: self.max_session_timeout,
            client_port_listen_backlog: self.backlog,
            server_id: 0,
            quorum: self.quorum.clone(),
        }
    }

    /// Bytes of both directories.
    pub fn sizes(&self) -> DirSizes {
        DirSizes { data: size_of_dir(&self.snapshots), log: size_of_dir(&self.logs) }
    }
}

/// What `conf` adds on a member of an ensemble, but for what changes.
fn quorum(settings: &Settings) -> Option<QuorumConf> {
    let quorum = &settings.quorum;
    let me = quorum.ensemble.members.get(&quorum.my_id?).filter(|_| quorum.is_distributed())?;
    let ticks = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    Some(QuorumConf {
        init_limit: ticks(quorum.init_limit),
        sync_limit: ticks(quorum.sync_limit),
        election_alg: 3,
        election_ports: me.addresses.iter().map(|a| a.election_port).collect(),
        quorum_ports: me.addresses.iter().map(|a| a.quorum_port).collect(),
        participant: me.role == Role::Participant,
        membership: None,
    })
}

/// Lengths of the files in a directory and one level below; what cannot be read counts nothing.
fn size_of_dir(dir: &Path) -> u64 {
    let files = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut sum = 0;
    for entry in files(dir) {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => {
                let below = files(&entry.path()).filter_map(|e| e.metadata().ok());
                sum += below.filter(|m| m.is_file()).map(|m| m.len()).sum::<u64>();
            }
            Ok(meta) => sum += meta.len(),
            Err(_) => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conf_tells_bound_ports_and_sizes_of_version_2() {
        let home = tempfile::tempdir().expect("a directory");
        let version = home.path().join("version-2");
        std::fs::create_dir_all(version.join("inner")).expect("made");
        std::fs::write(version.join("log.1"), [0; 100]).expect("written");
        std::fs::write(version.join("inner/x"), [0; 11]).expect("written");
        let mut settings = Settings::default();
        settings.storage.data_dir = home.path().to_owned();
        settings.storage.data_log_dir = home.path().join("other");
        settings.client.client_port = Some(0);
        let facts = Facts::new(&settings);
        facts.bound(Some(4711), None);
        let conf = facts.conf();
        assert_eq!((conf.client_port, conf.secure_client_port), (4711, -1));
        assert_eq!(conf.sizes, DirSizes { data: 111, log: 0 });
        assert!(conf.data_dir.ends_with("/version-2") && conf.data_dir.starts_with('/'));
        assert_eq!((conf.client_port_listen_backlog, conf.max_client_cnxns), (-1, 60));
    }
}
