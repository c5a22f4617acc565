//! The Prometheus exposition, text format 0.0.4.
//!
//! # Invariants
//!
//! * Names, types, quantiles and label names are those of ZooKeeper's
//!   `PrometheusMetricsProvider`; the help text is the name, as there (of
//!   `process_` series their meaning); counters carry no `_total` suffix.
//! * A quantile of a summary that recorded nothing is NaN.

use prometheus::TextEncoder;
use prometheus::proto::{
    Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary as Samples,
};

use super::beyond::OWN;
use super::decisions;
use super::gauges::{GAUGES, Gauges};
use super::histogram::Past;
use super::kinds::{Detail, Summary};
use super::logins;
use super::table::{Kind, Metrics};
use super::tls;
use super::window::Marks;

/// The one label of keyed metrics.
const LABEL: &str = "key";

/// The whole exposition as text, with quantiles since the start;
/// [`super::window::Window`] gives those of the last minutes.
pub fn exposition(metrics: &Metrics, gauges: &Gauges) -> String {
    to_text(&families(metrics, gauges))
}

/// Families as text.
pub(super) fn to_text(families: &[MetricFamily]) -> String {
    let mut text = String::with_capacity(64 * 1024);
    // The encoder refuses only families without a name or without samples,
    // which are not made here; what was encoded before stands anyway.
    let _ = TextEncoder::new().encode_utf8(families, &mut text);
    text
}

/// Everything that the exposition prints; no family is empty.
pub fn families(metrics: &Metrics, gauges: &Gauges) -> Vec<MetricFamily> {
    families_since(metrics, gauges, &Marks::new())
}

/// The same with quantiles of what was counted since `base`.
pub(super) fn families_since(metrics: &Metrics, gauges: &Gauges, base: &Marks) -> Vec<MetricFamily> {
    let mut all = gauge_families(gauges);
    for (name, value) in metrics.counters() {
        let sample = counter(value.get() as f64, None);
        all.push(family(name, MetricType::COUNTER, vec![sample]));
    }
    for (name, set) in metrics.counter_sets() {
        let samples = set.all();
        let samples = samples.iter().map(|(key, c)| counter(c.get() as f64, Some(key)));
        all.push(family(name, MetricType::COUNTER, samples.collect()));
    }
    for (name, value) in metrics.summaries() {
        let sample = summary(value, None, base.get(&(name, None)));
        all.push(family(name, MetricType::SUMMARY, vec![sample]));
    }
    for (name, set) in metrics.summary_sets() {
        let samples = set.all();
        let past = |key: &str| base.get(&(name, Some(key.to_owned())));
        let samples = samples.iter().map(|(key, s)| summary(s, Some(key), past(key)));
        all.push(family(name, MetricType::SUMMARY, samples.collect()));
    }
    all.push(decision_family(metrics));
    all.extend(login_families(metrics));
    all.extend(tls_families(metrics));
    all.extend(metrics.own.all().into_iter().filter(|(_, _, value)| *value > 0).map(own_family));
    all.retain(|family| !family.get_metric().is_empty());
    all
}

/// Our own series, with labels `operation` and `result`.
fn decision_family(metrics: &Metrics) -> MetricFamily {
    let samples = metrics.decisions.all().into_iter().map(|(operation, outcome, count)| {
        let labels = [("operation", operation.name()), ("result", outcome.name())];
        let mut sample = Metric::from_label(labels.iter().map(|(n, v)| label(n, v)).collect());
        sample.set_counter(counted(count as f64));
        sample
    });
    family(decisions::NAME, MetricType::COUNTER, samples.collect())
}

/// Our own series of logins: by mechanism, by reason of refusal, by key, and a few numbers.
fn login_families(metrics: &Metrics) -> Vec<MetricFamily> {
    let labelled = |name: &str, key: &str, counts: Vec<(&str, u64)>| {
        let samples = counts.into_iter().map(|(value, count)| {
            let mut sample = Metric::from_label(vec![label(key, value)]);
            sample.set_counter(counted(count as f64));
            sample
        });
        family(name, MetricType::COUNTER, samples.collect())
    };
    let (ahead, behind) = metrics.logins.skews();
    let skews = [("ahead", ahead), ("behind", behind)].into_iter().filter(|(_, ms)| *ms != 0);
    let skews = skews.map(|(furthest, ms)| {
        let mut sample = Metric::from_label(vec![label("furthest", furthest)]);
        sample.set_gauge(gauge(ms as f64, None).get_gauge().clone());
        sample
    });
    let skews = skews.collect();
    let bare_digests = metrics.logins.bare_digests().map(|n| counter(n as f64, None));
    let without_login = metrics.logins.without_login().map(|n| gauge(n as f64, None));
    vec![
        labelled(logins::LOGINS, "mechanism", metrics.logins.logins()),
        labelled(logins::REFUSALS, "reason", metrics.logins.refusals()),
        labelled(logins::KEYS, "key", metrics.logins.keys()),
        family(logins::SKEW, MetricType::GAUGE, skews),
        family(logins::BARE_DIGESTS, MetricType::COUNTER, bare_digests.into_iter().collect()),
        family(logins::WITHOUT_LOGIN, MetricType::GAUGE, without_login.into_iter().collect()),
    ]
}

/// One of our own series.
pub(super) fn own_family((name, kind, value): (&'static str, Kind, u64)) -> MetricFamily {
    let value = value as f64;
    match kind {
        Kind::Counter => family(name, MetricType::COUNTER, vec![counter(value, None)]),
        _ => family(name, MetricType::GAUGE, vec![gauge(value, None)]),
    }
}

/// Our own series of TLS; none where nothing happened.
fn tls_families(metrics: &Metrics) -> Vec<MetricFamily> {
    let refused = metrics.tls.all_refused().into_iter().map(|(reason, count)| {
        let mut sample = Metric::from_label(vec![label("reason", reason.code())]);
        sample.set_counter(counted(count as f64));
        sample
    });
    let mut families = vec![family(tls::REFUSED, MetricType::COUNTER, refused.collect())];
    let (reloads, failures) = metrics.tls.reloads();
    for (name, count) in [(tls::RELOADS, reloads), (tls::RELOAD_FAILURES, failures)] {
        let samples = (count > 0).then(|| counter(count as f64, None));
        families.push(family(name, MetricType::COUNTER, samples.into_iter().collect()));
    }
    families
}

fn gauge_families(gauges: &Gauges) -> Vec<MetricFamily> {
    let mut all = Vec::new();
    for (name, value) in gauges.values() {
        let sample = gauge(value.as_f64(), None);
        all.push(family(name, MetricType::GAUGE, vec![sample]));
    }
    for (name, set) in gauges.sets() {
        let samples = set.iter().map(|(key, value)| gauge(*value as f64, Some(key)));
        all.push(family(name, MetricType::GAUGE, samples.collect()));
    }
    if let Some(process) = &gauges.process {
        let cpu = counter(process.process_cpu_seconds_total, None);
        let name = "process_cpu_seconds_total";
        all.push(family(name, MetricType::COUNTER, vec![cpu]));
        for (name, value) in process.values() {
            all.push(family(name, MetricType::GAUGE, vec![gauge(value, None)]));
        }
    }
    all
}

pub(super) fn family(name: &str, kind: MetricType, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    let of_process = GAUGES.iter().find(|row| row.name == name && name.starts_with("process_"));
    let of_ours = || OWN.iter().find(|row| row.name == name).map(|row| row.meaning);
    family.set_help(of_process.map(|row| row.meaning).or_else(of_ours).unwrap_or(name).to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn sample(key: Option<&str>) -> Metric {
    Metric::from_label(key.map(|key| label(LABEL, key)).into_iter().collect())
}

pub(super) fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

pub(super) fn counted(value: f64) -> Counter {
    let mut counter = Counter::default();
    counter.set_value(value);
    counter
}

pub(super) fn counter(value: f64, key: Option<&str>) -> Metric {
    let mut sample = sample(key);
    sample.set_counter(counted(value));
    sample
}

pub(super) fn gauge(value: f64, key: Option<&str>) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut sample = sample(key);
    sample.set_gauge(gauge);
    sample
}

fn summary(summary: &Summary, key: Option<&str>, past: Option<&Past>) -> Metric {
    let reading = summary.read();
    let quantiles: &[f64] = match summary.detail() {
        Detail::Basic => &[0.5],
        Detail::Advanced => &[0.5, 0.9, 0.99],
    };
    let quantile = |(q, value)| {
        let mut quantile = Quantile::default();
        quantile.set_quantile(q);
        quantile.set_value(value);
        quantile
    };
    let quantiles = reading.quantiles_since(past, quantiles).into_iter().map(quantile);
    let mut samples = Samples::default();
    samples.set_quantile(quantiles.collect());
    samples.set_sample_count(reading.count);
    samples.set_sample_sum(reading.sum as f64);
    let mut sample = sample(key);
    sample.set_summary(samples);
    sample
}

#[cfg(test)]
mod tests {
    use super::super::gauges::ProcessGauges;
    use super::super::table::Provider;
    use super::*;
    use crate::error::Code;
    use crate::types::decision::{Decision, DecisionSink as _, Operation, Who};

    #[test]
    fn the_exposition_has_zookeepers_names_types_and_quantiles() {
        let metrics = Metrics::new(Provider::Prometheus);
        metrics.fsynctime.record(4);
        metrics.readlatency.record(1);
        metrics.read_per_namespace.record("a\"b", 9);
        metrics.commit_count.add(3);
        let decision = Decision::new(Who::default(), Operation::GetData, Code::NoAuth, 0);
        metrics.decisions.decided(&decision);
        let gauges = Gauges {
            znode_count: 5,
            avg_latency: 0.5,
            process: Some(ProcessGauges::default()),
            ..Gauges::default()
        };
        let text = exposition(&metrics, &gauges);
        for line in [
            "# HELP commit_count commit_count",
            "# TYPE commit_count counter",
            "commit_count 3",
            "# TYPE fsynctime summary",
            "fsynctime{quantile=\"0.5\"} 4",
            "fsynctime_sum 4",
            "fsynctime_count 1",
            "readlatency{quantile=\"0.9\"} 1",
            "readlatency{quantile=\"0.99\"} 1",
            "updatelatency{quantile=\"0.5\"} NaN",
            "read_per_namespace{key=\"a\\\"b\",quantile=\"0.5\"} 9",
            "# TYPE znode_count gauge",
            "znode_count 5",
            "avg_latency 0.5",
            "# TYPE process_cpu_seconds_total counter",
            "process_open_fds 0",
            "oxkeeper_decisions{operation=\"get_data\",result=\"denied\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(!text.contains("fsynctime{quantile=\"0.9\"}"));
        assert!(!text.contains("quorum_size"));
        assert!(!text.contains("TYPE ack_latency"));
    }

    /// Series names with labels, and type lines, of an exposition; without
    /// those of the Java machine.
    fn series(text: &str) -> Vec<String> {
        let of_machine = |l: &str| l.contains("jvm_") && !l.contains("jvm_pause_time_ms");
        let lines = text.lines().filter(|l| !l.starts_with("# HELP") && !of_machine(l));
        let name = |l: &str| match l.rsplit_once(' ') {
            Some((name, _)) if !l.starts_with('#') => name.replace(",}", "}"),
            _ => l.to_owned(),
        };
        let mut all: Vec<_> = lines.map(name).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_java_server_exposes_the_same_series() {
        let metrics = Metrics::new(Provider::Prometheus);
        metrics.read_per_namespace.record("ns", 75);
        metrics.write_per_namespace.record("ns", 7);
        let gauges = Gauges { process: Some(ProcessGauges::default()), ..Gauges::default() };
        let java = include_str!("../../tests/data/prometheus/metrics.txt");
        // Java names keyed families even before their first key.
        let keyed = ["ack_latency", "learner_handler_qp_size", "learner_handler_qp_time_ms"];
        let quota = ["exceeded_error", "count_limit", "bytes_limit", "count_usage", "bytes_usage"];
        let empty = |line: &str| {
            keyed.iter().any(|name| line == format!("# TYPE {name} summary"))
                || quota.iter().any(|name| line.starts_with(&format!("# TYPE quota_{name}_per_namespace")))
        };
        let java: Vec<_> = series(java).into_iter().filter(|line| !empty(line)).collect();
        let text = exposition(&metrics, &gauges);
        assert_eq!(series(&text), java);
        let help = "# HELP process_open_fds Open file descriptors.";
        assert!(text.lines().any(|l| l == help));
    }

    #[test]
    fn every_family_has_a_sample() {
        let metrics = Metrics::new(Provider::Prometheus);
        for family in families(&metrics, &Gauges::default()) {
            assert!(!family.get_metric().is_empty(), "{}", family.name());
        }
    }
}
