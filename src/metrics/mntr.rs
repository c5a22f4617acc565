//! The metrics part of `mntr`, as each provider prints it.
//!
//! # Invariants
//!
//! * The default provider prints gauges, keyed gauges, counters, keyed
//!   counters, summaries (basic, then with percentiles), keyed summaries.
//! * Empty summaries print zeroes.

use prometheus::proto::{LabelPair, MetricType};

use super::exposition;
use super::gauges::{Gauges, Value};
use super::kinds::{Detail, Reading, Summary};
use super::table::{Metrics, Provider};

/// Percentile keys of `mntr`.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// Hands every line of the configured provider to `line`: key without `zk_`,
/// and value.
pub fn lines(metrics: &Metrics, gauges: &Gauges, line: &mut dyn FnMut(&str, Value)) {
    match metrics.provider() {
        Provider::Default => default_lines(metrics, gauges, line),
        Provider::Prometheus => prometheus_lines(metrics, gauges, line),
        Provider::Null => {}
    }
}

fn default_lines(metrics: &Metrics, gauges: &Gauges, line: &mut dyn FnMut(&str, Value)) {
    for (name, value) in gauges.values() {
        line(name, value);
    }
    for (name, set) in gauges.sets() {
        for (key, value) in set {
            line(&format!("{key}_{name}"), Value::Int(*value));
        }
    }
    for (name, counter) in metrics.counters() {
        line(name, count(counter.get()));
    }
    for (name, set) in metrics.counter_sets() {
        for (key, counter) in set.all() {
            line(&format!("{key}_{name}"), count(counter.get()));
        }
    }
    for (name, summary) in metrics.summaries() {
        summary_lines(name, summary, line);
    }
    for (name, set) in metrics.summary_sets() {
        for (key, summary) in set.all() {
            summary_lines(&format!("{key}_{name}"), summary, line);
        }
    }
    for (name, _, value) in metrics.own.all().into_iter().filter(|(_, _, value)| *value > 0) {
        line(name, count(value));
    }
}

fn count(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn summary_lines(name: &str, summary: &Summary, line: &mut dyn FnMut(&str, Value)) {
    let reading: Reading = summary.read();
    line(&format!("avg_{name}"), Value::Double(reading.average()));
    line(&format!("min_{name}"), Value::Int(reading.min));
    line(&format!("max_{name}"), Value::Int(reading.max));
    line(&format!("cnt_{name}"), count(reading.count));
    line(&format!("sum_{name}"), Value::Int(reading.sum));
    if summary.detail() == Detail::Advanced {
        for (prefix, q) in PERCENTILES {
            let value = Value::Int(reading.quantile_rounded(q));
            line(&format!("{prefix}_{name}"), value);
        }
    }
}

/// Every sample of the exposition, with its labels in the key and a double as
/// its value.
fn prometheus_lines(metrics: &Metrics, gauges: &Gauges, line: &mut dyn FnMut(&str, Value)) {
    for family in exposition::families(metrics, gauges) {
        let name = family.name();
        for sample in family.get_metric() {
            let labels: Vec<(&str, &str)> = sample.get_label().iter().map(pair).collect();
            match family.get_field_type() {
                MetricType::COUNTER => {
                    let value = sample.get_counter().get_value();
                    line(&key(name, &labels), Value::Double(value));
                }
                MetricType::SUMMARY => {
                    let summary = sample.get_summary();
                    for quantile in summary.get_quantile() {
                        let q = quantile.quantile().to_string();
                        let mut labels = labels.clone();
                        labels.push(("quantile", &q));
                        line(&key(name, &labels), Value::Double(quantile.value()));
                    }
                    let count = Value::Double(summary.sample_count() as f64);
                    line(&key(&format!("{name}_count"), &labels), count);
                    let sum = Value::Double(summary.sample_sum());
                    line(&key(&format!("{name}_sum"), &labels), sum);
                }
                _ => {
                    let value = sample.get_gauge().get_value();
                    line(&key(name, &labels), Value::Double(value));
                }
            }
        }
    }
}

fn pair(label: &LabelPair) -> (&str, &str) {
    (label.name(), label.value())
}

fn key(name: &str, labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{v}\"")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(metrics: &Metrics, gauges: &Gauges) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        lines(metrics, gauges, &mut |key, value| all.push((key.to_owned(), value)));
        all
    }

    fn value(all: &[(String, Value)], key: &str) -> Option<Value> {
        all.iter().find(|(k, _)| k == key).map(|(_, v)| *v)
    }

    #[test]
    fn keyed_metrics_begin_with_their_key() {
        let metrics = Metrics::default();
        metrics.quota_exceeded_error_per_namespace.add("app", 2);
        metrics.ack_latency.record("3", 8);
        let gauges =
            Gauges { quota_count_limit_per_namespace: vec![("app".to_owned(), 10)], ..Gauges::default() };
        let all = printed(&metrics, &gauges);
        assert_eq!(value(&all, "app_quota_count_limit_per_namespace"), Some(Value::Int(10)));
        assert_eq!(value(&all, "app_quota_exceeded_error_per_namespace"), Some(Value::Int(2)));
        assert_eq!(value(&all, "p99_3_ack_latency"), Some(Value::Int(8)));
        assert_eq!(value(&all, "avg_3_ack_latency"), Some(Value::Double(8.0)));
    }

    #[test]
    fn the_prometheus_provider_prints_the_keys_of_java() {
        let metrics = Metrics::new(Provider::Prometheus);
        metrics.read_per_namespace.record("ns", 75);
        metrics.write_per_namespace.record("ns", 7);
        let gauges = Gauges { process: Some(Default::default()), ..Gauges::default() };
        let java = include_str!("../../tests/data/prometheus/mntr.txt").lines().skip(2);
        let of_java_machine = |key: &str| key.starts_with("jvm_") && !key.starts_with("jvm_pause_time_ms");
        let java = java.filter_map(|line| line.strip_prefix("zk_")?.split_once('\t'));
        let mut java: Vec<_> = java.map(|(key, _)| key).filter(|key| !of_java_machine(key)).collect();
        let ours = printed(&metrics, &gauges);
        let mut ours: Vec<_> = ours.iter().map(|(key, _)| key.as_str()).collect();
        java.sort_unstable();
        ours.sort_unstable();
        for (ours, java) in ours.iter().zip(&java) {
            assert_eq!(ours, java);
        }
        assert_eq!(ours.len(), java.len());
    }

    #[test]
    fn the_null_provider_prints_nothing() {
        let metrics = Metrics::new(Provider::Null);
        metrics.snap_count.inc();
        assert_eq!(printed(&metrics, &Gauges::default()), []);
    }

    #[test]
    fn the_prometheus_provider_prints_labelled_doubles() {
        let metrics = Metrics::new(Provider::Prometheus);
        metrics.snap_count.add(4);
        metrics.readlatency.record(6);
        metrics.ack_latency.record("3", 8);
        let all = printed(&metrics, &Gauges::default());
        assert_eq!(value(&all, "snap_count"), Some(Value::Double(4.0)));
        assert_eq!(value(&all, "readlatency{quantile=\"0.99\"}"), Some(Value::Double(6.0)));
        assert_eq!(value(&all, "readlatency_sum"), Some(Value::Double(6.0)));
        assert_eq!(value(&all, "ack_latency{key=\"3\",quantile=\"0.5\"}"), Some(Value::Double(8.0)));
        assert_eq!(value(&all, "znode_count"), Some(Value::Double(0.0)));
        assert_eq!(value(&all, "avg_readlatency"), None);
    }
}
