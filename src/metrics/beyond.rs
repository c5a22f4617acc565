//! What ZooKeeper does not tell: stages, slow operations, who asks most, keys and certificates that end,
//! room on disks, open ACLs; and, on demand, series of a Java machine made of figures of the process.
//!
//! # Invariants
//!
//! * In the exposition only, never in `mntr`, under names that begin with `oxkeeper_`; but for the `jvm_` aliases,
//!   which are there on demand alone.
//! * Every label takes a bounded number of values, whatever clients send.

use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType, Summary as Samples};

use super::exposition::{counted, counter, family, gauge, label, own_family};
use super::slow;
use super::stages::{self, Stage};
use super::table::Metrics;
use super::top::Seen;
use crate::limits::{KEYTAB_PRINTED, TOP_PRINTED, TOP_SAMPLE};
use crate::types::process::ProcessFigures;

/// What the server knows beside its gauges, at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beyond {
    /// Seconds until the certificate of a port ends, by port; negative when it has.
    pub certificates: Vec<(&'static str, i64)>,
    /// Keys of the keytab, the newest one of every principal.
    pub keytab: Vec<KeytabKey>,
    /// Room on the disks of data and log.
    pub disks: Vec<DiskRoom>,
    /// Znodes whose ACL lets anybody change something.
    pub world_writable: Option<u64>,
    /// Is the audit log on?
    pub audit_enabled: bool,
    /// Are clients served?
    pub serving: bool,
    /// Role of a member: what `srvr` prints as mode.
    pub mode: &'static str,
    /// Figures for the `jvm_` aliases, where they are wanted.
    pub machine: Option<Machine>,
}

/// The newest key of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeytabKey {
    /// Principal.
    pub principal: String,
    /// Its key number.
    pub kvno: u32,
    /// Seconds since it was written.
    pub age: i64,
    /// Seconds until it is older than the realm allows, where that is known; negative when it is.
    pub expires: Option<i64>,
}

/// Room on a disk, bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskRoom {
    /// `data` or `log`.
    pub dir: &'static str,
    /// What this server may still write.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// What stands for a Java machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// The process.
    pub figures: ProcessFigures,
    /// Memory that the process may use, bytes.
    pub memory_limit: Option<u64>,
}

/// A series of our own, for the reference.
pub struct OwnRow {
    /// Name.
    pub name: &'static str,
    /// Type in the exposition.
    pub kind: &'static str,
    /// Labels, between commas.
    pub labels: &'static str,
    /// What it tells, with its unit.
    pub meaning: &'static str,
}

macro_rules! own_rows {
    ($($name:literal $kind:literal $labels:literal $meaning:literal;)*) => {
        /// Our own series, but for the plain numbers of [`super::own`].
        pub const OWN: &[OwnRow] = &[$(OwnRow {
            name: $name,
            kind: $kind,
            labels: $labels,
            meaning: $meaning,
        },)*];
    };
}

own_rows! {
    "oxkeeper_stage_seconds" "histogram" "stage" "Time of requests in each stage: queue, admit, fsync, quorum, apply, reply.";
    "oxkeeper_slow_operations" "counter" "operation, stage" "Requests that took longer than slow.operations.thresholdMs, by the stage that took most.";
    "oxkeeper_top_principals" "gauge" "principal" "Requests of those who ask most: login, or ip:address without one. Estimated from a sample; old counts fade.";
    "oxkeeper_top_prefixes" "gauge" "prefix" "Requests by the first two components of their path, the most frequent ones. Estimated from a sample; old counts fade.";
    "oxkeeper_certificate_expiry_seconds" "gauge" "port" "Seconds until the certificate of a port ends; negative when it has.";
    "oxkeeper_keytab_kvno" "gauge" "principal" "Newest key number of a principal in the keytab.";
    "oxkeeper_keytab_key_age_seconds" "gauge" "principal" "Age of that key.";
    "oxkeeper_keytab_expiry_seconds" "gauge" "principal" "Seconds until that key is older than kerberos.keytab.maxAgeDays; negative when it is.";
    "oxkeeper_disk_free_bytes" "gauge" "dir" "Room for this server on the disk of dataDir (data) and of dataLogDir (log).";
    "oxkeeper_disk_total_bytes" "gauge" "dir" "Size of these disks.";
    "oxkeeper_world_writable_znodes" "gauge" "" "Znodes whose ACL lets anybody write, create, delete or change the ACL.";
    "oxkeeper_audit_enabled" "gauge" "" "1 while there is an audit log.";
    "oxkeeper_serving" "gauge" "" "1 while clients are served.";
    "oxkeeper_mode" "gauge" "mode" "1 for what this server is: standalone, leader, follower, observer, read-only.";
    "oxkeeper_decisions" "counter" "operation, result" "Decisions by operation and outcome.";
    "oxkeeper_logins" "counter" "mechanism" "Logins by SASL.";
    "oxkeeper_login_refusals" "counter" "reason" "Refused logins and requests without a login, by the code of the reason.";
    "oxkeeper_logins_by_key" "counter" "key" "Kerberos logins by service principal and key number of the ticket: a key that is counted no more can leave the keytab.";
    "oxkeeper_client_clock_skew_ms" "gauge" "furthest" "Furthest clocks of clients that were let in, ahead and behind.";
    "oxkeeper_digest_md5_without_tls" "counter" "" "Logins by DIGEST-MD5 over connections without TLS.";
    "oxkeeper_sessions_without_login" "gauge" "" "Sessions without a login, where one is required.";
    "oxkeeper_tls_refused" "counter" "reason" "Refused TLS handshakes, by the code of the reason.";
    "oxkeeper_tls_reloads" "counter" "" "Exchanges of keys, trust and revocation lists.";
    "oxkeeper_tls_reload_failures" "counter" "" "Changed TLS files that could not be used.";
}

/// Families of everything here.
pub(super) fn families(metrics: &Metrics, beyond: &Beyond) -> Vec<MetricFamily> {
    let mut all = vec![
        stage_family(metrics),
        slow_family(metrics),
        top_family("oxkeeper_top_principals", "principal", &metrics.principals.first(TOP_PRINTED)),
        top_family("oxkeeper_top_prefixes", "prefix", &metrics.prefixes.first(TOP_PRINTED)),
    ];
    let of = |name: &'static str, samples: Vec<Metric>| family(name, MetricType::GAUGE, samples);
    let expiry = beyond.certificates.iter().map(|(port, left)| labelled("port", port, *left as f64));
    all.push(of("oxkeeper_certificate_expiry_seconds", expiry.collect()));
    let keys = |value: &dyn Fn(&KeytabKey) -> Option<f64>| -> Vec<Metric> {
        let keys = beyond.keytab.iter().take(KEYTAB_PRINTED);
        keys.filter_map(|key| Some(labelled("principal", &key.principal, value(key)?))).collect()
    };
    all.push(of("oxkeeper_keytab_kvno", keys(&|key| Some(f64::from(key.kvno)))));
    all.push(of("oxkeeper_keytab_key_age_seconds", keys(&|key| Some(key.age as f64))));
    all.push(of("oxkeeper_keytab_expiry_seconds", keys(&|key| key.expires.map(|left| left as f64))));
    let disks = |value: fn(&DiskRoom) -> u64| -> Vec<Metric> {
        beyond.disks.iter().map(|disk| labelled("dir", disk.dir, value(disk) as f64)).collect()
    };
    all.push(of("oxkeeper_disk_free_bytes", disks(|disk| disk.free)));
    all.push(of("oxkeeper_disk_total_bytes", disks(|disk| disk.total)));
    let open = beyond.world_writable.map(|n| gauge(n as f64, None));
    all.push(of("oxkeeper_world_writable_znodes", open.into_iter().collect()));
    let flag = |is: bool| vec![gauge(f64::from(u8::from(is)), None)];
    all.push(of("oxkeeper_audit_enabled", flag(beyond.audit_enabled)));
    all.push(of("oxkeeper_serving", flag(beyond.serving)));
    all.push(of("oxkeeper_mode", vec![labelled("mode", beyond.mode, 1.0)]));
    // Those above zero are with ZooKeeper's; an alert needs the others, too.
    all.extend(metrics.own.all().into_iter().filter(|(_, _, value)| *value == 0).map(own_family));
    all.extend(beyond.machine.iter().flat_map(aliases));
    all.retain(|family| !family.get_metric().is_empty());
    all
}

fn labelled(name: &str, value: &str, number: f64) -> Metric {
    let mut sample = Metric::from_label(vec![label(name, value)]);
    sample.set_gauge(gauge(number, None).get_gauge().clone());
    sample
}

fn stage_family(metrics: &Metrics) -> MetricFamily {
    let samples = metrics.stages.all().into_iter().map(|(name, stage)| {
        let mut sample = Metric::from_label(vec![label("stage", name)]);
        sample.set_histogram(histogram(stage));
        sample
    });
    family(stages::NAME, MetricType::HISTOGRAM, samples.collect())
}

fn histogram(stage: &Stage) -> Histogram {
    const MICROS: f64 = 1e6;
    let reading = stage.summary.read();
    let seen = reading.at_most(&stages::BOUNDS);
    let bucket = |(bound, seen): (&u64, u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / MICROS);
        bucket.set_cumulative_count(seen);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(stages::BOUNDS.iter().zip(seen).map(bucket).collect());
    histogram.set_sample_count(reading.count);
    histogram.set_sample_sum(reading.sum as f64 / MICROS);
    histogram
}

fn slow_family(metrics: &Metrics) -> MetricFamily {
    let samples = metrics.slow.counts().into_iter().map(|(operation, stage, count)| {
        let labels = vec![label("operation", &operation), label("stage", &stage)];
        let mut sample = Metric::from_label(labels);
        sample.set_counter(counted(count as f64));
        sample
    });
    family(slow::NAME, MetricType::COUNTER, samples.collect())
}

fn top_family(name: &str, by: &str, seen: &[Seen]) -> MetricFamily {
    // What may be nothing but an error of the sketch is not told.
    let sure = seen.iter().filter(|s| s.count >= 2 * s.error.max(u64::from(TOP_SAMPLE) / 2));
    family(name, MetricType::GAUGE, sure.map(|s| labelled(by, &s.key, s.count as f64)).collect())
}

/// Series of a Java machine that alert rules and dashboards ask for, made of the process.
fn aliases(machine: &Machine) -> Vec<MetricFamily> {
    let figures = &machine.figures;
    let number = |n: Option<u64>| n.map_or(-1.0, |n| n as f64);
    let (used, most) = (number(figures.resident_bytes), number(machine.memory_limit));
    let area = |name: &str, heap: f64, other: f64| {
        let samples = vec![labelled("area", "heap", heap), labelled("area", "nonheap", other)];
        family(name, MetricType::GAUGE, samples)
    };
    let plain = |name: &str, value: f64| family(name, MetricType::GAUGE, vec![gauge(value, None)]);
    let pool =
        |name: &str, value: f64| family(name, MetricType::GAUGE, vec![labelled("pool", "process", value)]);
    let mut collection = Metric::from_label(vec![label("gc", "none")]);
    collection.set_summary(Samples::default());
    let mut info = Metric::from_label(vec![
        label("runtime", "Oxkeeper"),
        label("vendor", "none"),
        label("version", env!("CARGO_PKG_VERSION")),
    ]);
    info.set_gauge(gauge(1.0, None).get_gauge().clone());
    vec![
        area("jvm_memory_bytes_used", used, 0.0),
        area("jvm_memory_bytes_committed", used, 0.0),
        area("jvm_memory_bytes_max", most, -1.0),
        area("jvm_memory_bytes_init", 0.0, 0.0),
        pool("jvm_memory_pool_bytes_used", used),
        pool("jvm_memory_pool_bytes_committed", used),
        pool("jvm_memory_pool_bytes_max", most),
        pool("jvm_memory_pool_bytes_init", 0.0),
        family("jvm_gc_collection_seconds", MetricType::SUMMARY, vec![collection]),
        plain("jvm_threads_current", number(figures.threads)),
        plain("jvm_threads_daemon", 0.0),
        plain("jvm_threads_peak", number(figures.threads)),
        family(
            "jvm_threads_started_total",
            MetricType::COUNTER,
            vec![counter(number(figures.threads), None)],
        ),
        plain("jvm_threads_deadlocked", 0.0),
        plain("jvm_threads_deadlocked_monitor", 0.0),
        family("jvm_info", MetricType::GAUGE, vec![info]),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::exposition::to_text;
    use super::super::own::Own;
    use super::super::table::Provider;
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn beyond() -> Beyond {
        Beyond {
            certificates: vec![("client", -5)],
            keytab: vec![KeytabKey {
                principal: "zookeeper/a@R\"X".to_owned(),
                kvno: 3,
                age: 60,
                expires: Some(86_340),
            }],
            disks: vec![DiskRoom { dir: "log", free: 7, total: 9 }],
            world_writable: Some(4),
            audit_enabled: true,
            serving: true,
            mode: "leader",
            machine: Some(Machine {
                figures: ProcessFigures { resident_bytes: Some(50), threads: Some(6), ..Default::default() },
                memory_limit: Some(100),
            }),
        }
    }

    fn metrics() -> Metrics {
        let metrics = Metrics::new(Provider::Prometheus);
        metrics.stages.fsync.record_many(Duration::from_micros(100), 2);
        metrics.principals.add("hbase/x@R", 320);
        metrics.prefixes.add("/hbase/rs", 320);
        metrics.slow.add(super::super::Slow {
            at_ms: 0,
            session: 1,
            peer: std::net::SocketAddr::from(([127, 0, 0, 1], 1)),
            principal: None,
            operation: "create",
            path: "/a".to_owned(),
            took_ms: 2000,
            stage: "quorum",
        });
        metrics
    }

    #[test]
    fn our_own_series_have_labels_and_units() {
        let text = to_text(&families(&metrics(), &beyond()));
        for line in [
            "# TYPE oxkeeper_stage_seconds histogram",
            "oxkeeper_stage_seconds_bucket{stage=\"fsync\",le=\"0.000064\"} 0",
            "oxkeeper_stage_seconds_bucket{stage=\"fsync\",le=\"0.000128\"} 2",
            "oxkeeper_stage_seconds_bucket{stage=\"fsync\",le=\"+Inf\"} 2",
            "oxkeeper_stage_seconds_count{stage=\"fsync\"} 2",
            "oxkeeper_stage_seconds_count{stage=\"reply\"} 0",
            "oxkeeper_slow_operations{operation=\"create\",stage=\"quorum\"} 1",
            "oxkeeper_top_principals{principal=\"hbase/x@R\"} 320",
            "oxkeeper_top_prefixes{prefix=\"/hbase/rs\"} 320",
            "oxkeeper_certificate_expiry_seconds{port=\"client\"} -5",
            "oxkeeper_keytab_kvno{principal=\"zookeeper/a@R\\\"X\"} 3",
            "oxkeeper_keytab_expiry_seconds{principal=\"zookeeper/a@R\\\"X\"} 86340",
            "oxkeeper_disk_free_bytes{dir=\"log\"} 7",
            "oxkeeper_world_writable_znodes 4",
            "oxkeeper_skip_acl_enabled 0",
            "oxkeeper_mode{mode=\"leader\"} 1",
            "jvm_memory_bytes_used{area=\"heap\"} 50",
            "jvm_memory_bytes_max{area=\"heap\"} 100",
            "jvm_threads_current 6",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        let without = to_text(&families(&metrics(), &Beyond { machine: None, ..beyond() }));
        assert!(!without.contains("jvm_"));
    }

    #[test]
    fn every_series_here_has_a_row_and_every_row_its_meaning() {
        let rows: BTreeSet<&str> = OWN.iter().map(|row| row.name).collect();
        assert_eq!(rows.len(), OWN.len());
        let numbers: BTreeSet<&str> = Own::default().all().into_iter().map(|(name, _, _)| name).collect();
        for family in families(&metrics(), &beyond()) {
            let name = family.name();
            let known = name.starts_with("jvm_") || rows.contains(name) || numbers.contains(name);
            assert!(known, "{name} has no row");
        }
        for row in OWN {
            assert!(row.meaning.ends_with('.'), "{}", row.name);
        }
        assert!(rows.is_disjoint(&numbers));
    }
}
