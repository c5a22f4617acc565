//! Names, registry, exposition.
//!
//! The rest of the server records into the fields of [`Metrics`], which are
//! named as in ZooKeeper: `metrics.readlatency.record_ns(..)`,
//! `metrics.commit_count.inc()`. Numbers that exist anyway (znodes, sessions,
//! connections) are handed over as [`Gauges`] when somebody asks. `mntr` and the
//! Prometheus exposition both print from these two.
//!
//! | module | |
//! |---|---|
//! | `slots` | one block of cells per thread, summed when read |
//! | `histogram` | log-linear buckets: percentiles |
//! | [`kinds`] | counter, summary |
//! | [`sets`] | the same by key |
//! | [`table`] | the recorded metrics: name, kind, meaning |
//! | [`gauges`] | the gauges: name, meaning |
//! | [`stats`] | the numbers of `srvr` |
//! | [`decisions`] | decisions by operation and outcome (our own series) |
//! | [`logins`] | logins and refusals (our own series) |
//! | [`tls`] | TLS by outcome (our own series) |
//! | [`own`] | series that ZooKeeper does not have |
//! | [`stages`], [`slow`], [`top`] | where time goes, what took long, who asks most (our own series) |
//! | [`mntr`], [`exposition`] | the two texts |
//! | [`window`] | the exposition with quantiles of the last minutes |
//! | [`beyond`] | the rest of our own series; `jvm_` aliases |
//! | [`reference`] | `docs/metrics.md` |
//! | [`absent`] | what ZooKeeper has and this server cannot have |
//!
//! # Invariants
//!
//! * Recording costs a few nanoseconds: no lock, no shared cache line, no
//!   allocation after a thread's first sample.
//! * Every row of ZooKeeper 3.9.5 is recorded, a gauge, or listed as absent
//!   with its reason.

pub mod absent;
pub mod beyond;
pub mod decisions;
pub mod exposition;
pub mod gauges;
mod histogram;
pub mod kinds;
pub mod logins;
pub mod mntr;
pub mod own;
pub mod reference;
pub mod sets;
mod slots;
pub mod slow;
pub mod stages;
pub mod stats;
pub mod table;
pub mod tls;
pub mod top;
pub mod window;

pub use beyond::Beyond;
pub use decisions::DecisionCounts;
pub use exposition::exposition;
pub use gauges::{GaugeSet, Gauges, ProcessGauges, Value};
pub use kinds::{Counter, Detail, Reading, Summary};
pub use logins::LoginCounts;
pub use sets::{CounterSet, SummarySet, top_namespace};
pub use slow::{Slow, SlowOperations};
pub use stages::Stages;
pub use stats::{BufferSizes, BufferStats, ServerStats};
pub use table::{Kind, Metrics, Provider, Row};
pub use tls::TlsCounts;
pub use top::Top;
pub use window::Window;

#[cfg(test)]
mod tests {
    use super::*;

    /// All series of ZooKeeper 3.9.5: name and kind; `jvm` for absent ones.
    const NAMES: &str = include_str!("../../tests/data/metrics.txt");

    fn kind(row: &Row) -> &'static str {
        match row.kind {
            Kind::Counter => "counter",
            Kind::CounterSet => "counter-set",
            Kind::Summary(Detail::Basic) => "summary-basic",
            Kind::Summary(Detail::Advanced) => "summary-advanced",
            Kind::SummarySet(Detail::Basic) => "summary-set-basic",
            Kind::SummarySet(Detail::Advanced) => "summary-set-advanced",
            Kind::Gauge => "gauge",
            Kind::GaugeSet => "gauge-set",
        }
    }

    #[test]
    fn every_metric_of_zookeeper_is_registered_or_absent_with_a_reason() {
        let mut expected: Vec<_> = NAMES.lines().filter(|l| !l.starts_with('#')).collect();
        let rows = table::RECORDED.iter().chain(gauges::GAUGES);
        let mut ours: Vec<_> = rows.map(|r| format!("{} {}", r.name, kind(r))).collect();
        ours.extend(absent::ABSENT.iter().map(|name| format!("{name} jvm")));
        expected.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, expected);
        assert!(!absent::REASON.is_empty());
    }

    #[test]
    fn every_metric_has_a_meaning() {
        for row in table::RECORDED.iter().chain(gauges::GAUGES) {
            assert!(row.meaning.ends_with('.'), "{}", row.name);
        }
    }
}
