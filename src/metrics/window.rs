//! Quantiles of the last minutes: what `PrometheusMetricsProvider` exposes.
//!
//! Summaries count since the start. A window remembers what they had counted
//! some minutes ago and takes quantiles of the difference; counts and sums stay
//! those since the start, as Prometheus wants them.
//!
//! # Invariants
//!
//! * Marks are set while the exposition is asked for, never by a timer of its
//!   own: a server that nobody scrapes pays nothing.
//! * At most [`METRIC_WINDOW_MARKS`] + 1 marks are kept, each holding only
//!   buckets that counted something.

use std::collections::{HashMap, VecDeque};

use super::beyond::{self, Beyond};
use super::exposition::{families_since, to_text};
use super::gauges::Gauges;
use super::histogram::Past;
use super::table::Metrics;
use crate::limits::{METRIC_WINDOW_MARK_SECONDS, METRIC_WINDOW_MARKS};
use crate::types::Instant;

/// What every summary, by name and key, had counted at one moment.
pub(super) type Marks = HashMap<(&'static str, Option<String>), Past>;

/// The exposition with quantiles of the last ten minutes.
pub struct Window {
    marks: VecDeque<(Instant, Marks)>,
}

impl Window {
    /// A window that begins at `start`, before anything was recorded.
    pub fn new(start: Instant) -> Self {
        Self { marks: VecDeque::from([(start, Marks::new())]) }
    }

    /// The whole exposition at `now` as text.
    pub fn exposition(
        &mut self,
        metrics: &Metrics,
        gauges: &Gauges,
        beyond: &Beyond,
        now: Instant,
    ) -> String {
        self.advance(metrics, now);
        let empty = Marks::new();
        let base = self.marks.front().map_or(&empty, |(_, marks)| marks);
        let mut families = families_since(metrics, gauges, base);
        families.extend(beyond::families(metrics, beyond));
        to_text(&families)
    }

    /// Drops marks that are older than the window needs, sets a new one if the
    /// last one has its age.
    fn advance(&mut self, metrics: &Metrics, now: Instant) {
        let age = |at: Instant| now.since(at).as_secs();
        let reach = METRIC_WINDOW_MARK_SECONDS * METRIC_WINDOW_MARKS as u64;
        while self.marks.get(1).is_some_and(|(at, _)| age(*at) >= reach) {
            self.marks.pop_front();
        }
        if self.marks.back().is_none_or(|(at, _)| age(*at) >= METRIC_WINDOW_MARK_SECONDS) {
            self.marks.push_back((now, mark(metrics)));
        }
    }
}

fn mark(metrics: &Metrics) -> Marks {
    let single = metrics.summaries().into_iter();
    let mut marks: Marks = single.map(|(name, s)| ((name, None), s.read().past())).collect();
    for (name, set) in metrics.summary_sets() {
        let keyed = set.all().into_iter();
        marks.extend(keyed.map(|(key, s)| ((name, Some(key.to_owned())), s.read().past())));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Provider;

    fn line(text: &str, start: &str) -> String {
        let found = text.lines().find(|l| l.starts_with(start));
        found.map(|l| l.rsplit(' ').next().unwrap_or("").to_owned()).unwrap_or_default()
    }

    #[test]
    fn quantiles_forget_what_is_older_than_the_window() {
        let metrics = Metrics::new(Provider::Prometheus);
        let gauges = Gauges::default();
        let mut window = Window::new(Instant(0));
        let minute = |n: u64| Instant::from_millis(n * 60_000);
        metrics.readlatency.record(20);
        metrics.ack_latency.record("3", 20);
        let text = window.exposition(&metrics, &gauges, &Beyond::default(), minute(1));
        assert_eq!(line(&text, "readlatency{quantile=\"0.5\"}"), "20");
        for n in 2..=30 {
            if n > 15 {
                metrics.readlatency.record(4);
            }
            let text = window.exposition(&metrics, &gauges, &Beyond::default(), minute(n));
            assert!(window.marks.len() <= METRIC_WINDOW_MARKS + 1);
            let expected = match n {
                2..=10 => "20",
                16.. => "4",
                _ => continue, // between two marks
            };
            assert_eq!(line(&text, "readlatency{quantile=\"0.5\"}"), expected, "minute {n}");
        }
        let text = window.exposition(&metrics, &gauges, &Beyond::default(), minute(31));
        assert_eq!(line(&text, "readlatency_count"), "16");
        assert_eq!(line(&text, "readlatency_sum"), "80");
        assert_eq!(line(&text, "ack_latency{key=\"3\",quantile=\"0.5\"}"), "NaN");
        assert_eq!(line(&text, "ack_latency_count{key=\"3\"}"), "1");
    }

    #[test]
    fn a_long_pause_between_scrapes_is_the_window() {
        let metrics = Metrics::new(Provider::Prometheus);
        let mut window = Window::new(Instant(0));
        metrics.fsynctime.record(9);
        let day = Instant::from_millis(86_400_000);
        let text = window.exposition(&metrics, &Gauges::default(), &Beyond::default(), day);
        assert_eq!(line(&text, "fsynctime{quantile=\"0.5\"}"), "9");
    }
}
