//! What a scrape gets: the exposition of the live server.
//!
//! # Invariants
//!
//! * The state is locked for a few numbers at a time; nothing here grows with the number of znodes.
//! * The keytab is looked into at most every [`KEYTAB_LOOK_MS`]; keys stay in it.

pub mod port;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::front::Front;
use super::gauges::gauges;
use crate::admin::Mode;
use crate::config::Settings;
use crate::disk::Disk as _;
use crate::kerberos::keytab::{self, Keytab};
use crate::limits::KEYTAB_LOOK_MS;
use crate::metrics::beyond::{Beyond, DiskRoom, KeytabKey, Machine};
use crate::metrics::{Metrics, Window};
use crate::os::disk::RealDisk;
use crate::os::{clock, process};
use crate::types::Instant;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The newest key of a principal: its number, and when it was written, Unix time.
type Newest = (String, u32, i64);

/// Makes expositions.
pub struct Scraper {
    front: Arc<Front>,
    window: Mutex<Window>,
    keytab: Option<PathBuf>,
    keytab_max_age: Option<i64>,
    looked: Mutex<Option<(Instant, Vec<Newest>)>>,
    dirs: [(&'static str, PathBuf); 2],
    audited: bool,
    /// Memory that the process may use, where `jvm_` aliases are wanted; it does not change.
    machine: Option<Option<u64>>,
}

impl Scraper {
    /// Over a server that may not serve yet.
    pub fn new(settings: &Settings, front: Arc<Front>) -> Scraper {
        let storage = &settings.storage;
        Scraper {
            window: Mutex::new(Window::new(front.facts.started)),
            keytab: keytab_of(settings),
            keytab_max_age: settings.metrics.keytab_max_age_days.map(|days| i64::from(days) * DAY),
            looked: Mutex::default(),
            dirs: [("data", storage.data_dir.clone()), ("log", storage.data_log_dir.clone())],
            audited: settings.audit.enable,
            machine: settings.metrics.jvm_aliases.then(|| process::environment().memory_limit),
            front,
        }
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.front.metrics
    }

    /// The whole exposition now.
    pub fn text(&self) -> String {
        let (gauges, beyond) = (gauges(&self.front), self.beyond());
        self.window.lock().exposition(&self.front.metrics, &gauges, &beyond, clock::mono())
    }

    /// What this server knows beside its gauges.
    pub fn beyond(&self) -> Beyond {
        let seconds = clock::now().wall_ms / 1000;
        let serving = self.front.serving();
        let mode = self.front.face().map_or(Mode::Standalone, |face| face.mode());
        Beyond {
            certificates: {
                let ends = self.front.certificates().into_iter();
                ends.map(|(port, end)| (port, end - seconds)).collect()
            },
            keytab: self.keys(seconds),
            disks: self.disks(),
            world_writable: serving.map(|serving| serving.shared.store().tree.world_writable()),
            audit_enabled: self.audited,
            serving: serving.is_some(),
            mode: mode.as_str(),
            machine: self.machine.map(|memory_limit| Machine { figures: process::figures(), memory_limit }),
        }
    }

    fn disks(&self) -> Vec<DiskRoom> {
        let room = |(dir, path): &(&'static str, PathBuf)| {
            let space = RealDisk::new().space(path).ok()?;
            Some(DiskRoom { dir, free: space.free, total: space.total })
        };
        self.dirs.iter().filter_map(room).collect()
    }

    fn keys(&self, seconds: i64) -> Vec<KeytabKey> {
        let Some(file) = &self.keytab else { return Vec::new() };
        let now = clock::mono();
        let mut looked = self.looked.lock();
        if looked.as_ref().is_none_or(|(at, _)| now.since(*at).as_millis() >= u128::from(KEYTAB_LOOK_MS)) {
            // One that cannot be read now has no keys; logins say why.
            *looked = Some((now, keytab::read(file).map(|keytab| newest(&keytab)).unwrap_or_default()));
        }
        let keys = looked.iter().flat_map(|(_, keys)| keys);
        keys.map(|(principal, kvno, written)| KeytabKey {
            principal: principal.clone(),
            kvno: *kvno,
            age: seconds - written,
            expires: self.keytab_max_age.map(|most| written + most - seconds),
        })
        .collect()
    }
}

/// The part of an exposition that has samples of these names (`name[]` of Java's servlet).
fn only(text: &str, names: &[&str]) -> String {
    let (mut part, mut head) = (String::new(), String::new());
    let push = |to: &mut String, line: &str| {
        to.push_str(line);
        to.push('\n');
    };
    for line in text.lines() {
        let sample = line.split(['{', ' ']).next().unwrap_or_default();
        if line.starts_with("# HELP") {
            head.clear();
            push(&mut head, line);
        } else if line.starts_with('#') {
            push(&mut head, line);
        } else if names.contains(&sample) {
            part.push_str(&std::mem::take(&mut head));
            push(&mut part, line);
        }
    }
    part
}

/// The keytab that clients' tickets are opened with.
fn keytab_of(settings: &Settings) -> Option<PathBuf> {
    let auth = &settings.auth;
    let section = settings.jaas.as_ref().and_then(|jaas| jaas.section(&auth.sasl_serverconfig));
    let of_jaas = section.and_then(|s| s.modules.iter().find_map(|module| module.kerberos()?.keytab));
    of_jaas.or_else(|| auth.kerberos_keytab.clone())
}

fn newest(keytab: &Keytab) -> Vec<Newest> {
    let of = |principal: String| {
        let entries = keytab.entries.iter().filter(|entry| entry.principal() == principal);
        let entry = entries.max_by_key(|entry| (entry.kvno, entry.written))?;
        Some((principal, entry.kvno, i64::from(entry.written)))
    };
    keytab.principals().into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::secure::SecureClients;
    use super::super::status::Facts;
    use super::*;

    fn scraper(settings: &Settings) -> Scraper {
        let metrics = Arc::new(Metrics::new(crate::metrics::Provider::Prometheus));
        let tls = SecureClients::new(settings).expect("no TLS");
        Scraper::new(settings, Arc::new(Front::new(settings, metrics, Facts::new(settings), tls)))
    }

    #[test]
    fn a_part_can_be_asked_for() {
        let text =
            "# HELP a a\n# TYPE a gauge\na 1\n# HELP b b\n# TYPE b summary\nb{quantile=\"0.5\"} 2\nb_sum 3\n";
        assert_eq!(only(text, &["a"]), "# HELP a a\n# TYPE a gauge\na 1\n");
        assert_eq!(only(text, &["b_sum"]), "# HELP b b\n# TYPE b summary\nb_sum 3\n");
        assert_eq!(only(text, &["c"]), "");
    }

    #[test]
    fn a_server_that_does_not_serve_yet_is_scraped() {
        let home = tempfile::tempdir().expect("a directory");
        let mut settings = Settings::default();
        settings.storage.data_dir = home.path().to_owned();
        settings.storage.data_log_dir = home.path().join("none");
        settings.metrics.jvm_aliases = true;
        let scraper = scraper(&settings);
        scraper.front.has_certificate("quorum", || Some(5));
        let text = scraper.text();
        for line in ["oxkeeper_serving 0", "oxkeeper_audit_enabled 0", "oxkeeper_mode{mode=\"standalone\"} 1"]
        {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(text.contains("oxkeeper_disk_free_bytes{dir=\"data\"}"));
        assert!(!text.contains("oxkeeper_disk_free_bytes{dir=\"log\"}"), "what cannot be asked is left out");
        assert!(text.contains("oxkeeper_certificate_expiry_seconds{port=\"quorum\"} -"));
        assert!(text.contains("jvm_memory_bytes_max{area=\"heap\"}"));
    }
}
