//! The reference of metrics, from the tables: `docs/metrics.md`.
//!
//! # Invariants
//!
//! * Everything that the exposition can print is in it; a test keeps the committed page up to date.

use std::fmt::Write as _;

use super::absent::{ABSENT, REASON, STILL};
use super::beyond::OWN;
use super::gauges::GAUGES;
use super::kinds::Detail;
use super::own::{Own, meanings};
use super::stages;
use super::table::{Kind, RECORDED, Row};
use crate::limits::{METRIC_SET_KEYS, METRIC_WINDOW_MARK_SECONDS, METRIC_WINDOW_MARKS};

/// Type in the exposition, and labels.
fn kind(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Counter => ("counter", ""),
        Kind::CounterSet => ("counter", "key"),
        Kind::Summary(Detail::Basic) => ("summary: 0.5", ""),
        Kind::Summary(Detail::Advanced) => ("summary: 0.5, 0.9, 0.99", ""),
        Kind::SummarySet(Detail::Basic) => ("summary: 0.5", "key"),
        Kind::SummarySet(Detail::Advanced) => ("summary: 0.5, 0.9, 0.99", "key"),
        Kind::Gauge => ("gauge", ""),
        Kind::GaugeSet => ("gauge", "key"),
    }
}

fn table(out: &mut String, rows: &mut Vec<(String, &str, &str, String)>) {
    rows.sort();
    out.push_str("| name | type | labels | what it tells |\n|---|---|---|---|\n");
    for (name, kind, labels, meaning) in rows.drain(..) {
        let _ = writeln!(out, "| `{name}` | {kind} | {labels} | {meaning} |");
    }
    out.push('\n');
}

/// The page.
pub fn markdown() -> String {
    let mut out = String::new();
    let minutes = METRIC_WINDOW_MARK_SECONDS * METRIC_WINDOW_MARKS as u64 / 60;
    let (first, last) = (stages::BOUNDS.first().copied(), stages::BOUNDS.last().copied());
    let _ = writeln!(
        out,
        "# Metrics

Generated from the tables in `src/metrics`; do not edit.

`metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider` serves them at
`http://host:7000/metrics` (`metricsProvider.httpHost`, `metricsProvider.httpPort`), and at
`metricsProvider.httpsPort` over TLS, where a client certificate is asked for unless
`metricsProvider.ssl.need.client.auth=false`. `mntr` prints ZooKeeper's metrics from the same numbers whatever the
provider is. Quantiles are those of the last {minutes} minutes; counts and sums those since the start.
A label `key` is a top-level path or a server id; beyond {METRIC_SET_KEYS} keys the rest is kept together under `*`.

Alert rules are in `packaging/prometheus`, a dashboard in `packaging/grafana`.

## ZooKeeper's metrics

Names, types, labels and quantiles are those of ZooKeeper 3.9.5.
"
    );
    let of = |row: &Row| {
        let (kind, labels) = kind(row.kind);
        let why = STILL.iter().find(|(name, _)| *name == row.name).map(|(_, why)| *why);
        let meaning = match why {
            Some(why) => format!("{} Always 0: {why}.", row.meaning),
            None => row.meaning.to_owned(),
        };
        (row.name.to_owned(), kind, labels, meaning)
    };
    let mut rows: Vec<_> = RECORDED.iter().chain(GAUGES).map(of).collect();
    table(&mut out, &mut rows);
    let _ = writeln!(
        out,
        "## Oxkeeper's own

`oxkeeper_stage_seconds` has buckets from {} us to {} us, each twice the one before. What clients choose \
(principals, paths) is bounded in number and length.
",
        first.unwrap_or_default(),
        last.unwrap_or_default()
    );
    rows.extend(OWN.iter().map(|row| (row.name.to_owned(), row.kind, row.labels, row.meaning.to_owned())));
    rows.extend(
        Own::default()
            .all()
            .into_iter()
            .zip(meanings())
            .map(|((name, of, _), meaning)| (name.to_owned(), kind(of).0, "", (*meaning).to_owned())),
    );
    table(&mut out, &mut rows);
    let _ = writeln!(
        out,
        "## Absent\n\nEach of these {REASON}.\n\n{}",
        ABSENT.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let want = markdown();
        if std::env::var_os("OXKEEPER_WRITE_DOCS").is_some() {
            std::fs::write(path, &want).expect("written");
        }
        let have = std::fs::read_to_string(path).unwrap_or_default();
        assert!(have == want, "run the tests once with OXKEEPER_WRITE_DOCS=1 and commit docs/metrics.md");
    }

    #[test]
    fn every_metric_has_a_line() {
        let page = markdown();
        let names = RECORDED.iter().chain(GAUGES).map(|row| row.name).chain(OWN.iter().map(|row| row.name));
        for name in names {
            assert!(page.contains(&format!("| `{name}` | ")), "{name}");
        }
        assert!(page.contains("`oxkeeper_audit_lost` | counter"));
    }
}
