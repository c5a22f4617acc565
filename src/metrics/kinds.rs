//! Counter and summary: the two kinds of number that code records.
//!
//! # Invariants
//!
//! * Recording never blocks, never allocates after a thread's first sample and
//!   never fails; a sum that overflows wraps, as in ZooKeeper.
//! * Times are recorded in whole milliseconds, rounded down, as ZooKeeper's
//!   differences of millisecond clocks.

use std::sync::Arc;
use std::time::Duration;

use super::histogram::{Counts, Past};
use super::slots::Pool;
use crate::types::java;

/// A number that only grows (`SimpleCounter`).
pub struct Counter {
    pool: Arc<Pool>,
    cell: usize,
}

impl Counter {
    /// Takes one cell of `pool`.
    pub(super) fn in_pool(pool: &Arc<Pool>) -> Self {
        Self { cell: pool.take_cells(1), pool: Arc::clone(pool) }
    }

    /// A counter with cells of its own, for keyed sets.
    pub(super) fn alone() -> Self {
        Self::in_pool(&Arc::new(Pool::new(1, 0)))
    }

    /// Counts `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        if let Some(writer) = self.pool.writer() {
            writer.add(self.cell, n);
        }
    }

    /// Counts one more.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// What was counted since the start or the last `srst`.
    pub fn get(&self) -> u64 {
        self.pool.sum(self.cell)
    }

    pub(super) fn reset_alone(&self) {
        self.pool.reset();
    }
}

/// How much a summary tells (`MetricsContext.DetailLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Mean, extremes, count, sum; in Prometheus the median too.
    Basic,
    /// Percentiles too.
    Advanced,
}

/// A distribution of values (`AvgMinMaxCounter`, `AvgMinMaxPercentileCounter`).
pub struct Summary {
    pool: Arc<Pool>,
    first: usize,
    histogram: Option<usize>,
    detail: Detail,
}

const COUNT: usize = 0;
const SUM: usize = 1;
const MIN: usize = 2;
const MAX: usize = 3;
/// Cells of a summary.
pub(super) const SUMMARY_CELLS: usize = 4;

/// Maps signed values to unsigned ones in the same order.
#[inline]
fn ordered(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

fn unordered(value: u64) -> i64 {
    (value ^ (1 << 63)) as i64
}

impl Summary {
    /// Takes the cells of a summary in `pool`, and a histogram if `quantiles`.
    pub(super) fn in_pool(pool: &Arc<Pool>, detail: Detail, quantiles: bool) -> Self {
        Self {
            first: pool.take_cells(SUMMARY_CELLS),
            histogram: quantiles.then(|| pool.take_histogram()),
            pool: Arc::clone(pool),
            detail,
        }
    }

    /// A summary with cells of its own, for keyed sets.
    pub(super) fn alone(detail: Detail, quantiles: bool) -> Self {
        let pool = Arc::new(Pool::new(SUMMARY_CELLS, usize::from(quantiles)));
        Self::in_pool(&pool, detail, quantiles)
    }

    /// Records `value`, in the metric's own unit.
    #[inline]
    pub fn record(&self, value: i64) {
        self.record_many(value, 1);
    }

    /// Records `value` for each of `times` things that it holds for: one batch, one look at the clock.
    #[inline]
    pub fn record_many(&self, value: i64, times: usize) {
        let Some(writer) = self.pool.writer().filter(|_| times > 0) else {
            return;
        };
        let times = times as u64;
        writer.add(self.first + COUNT, times);
        writer.add(self.first + SUM, (value as u64).wrapping_mul(times));
        writer.raise(self.first + MIN, !ordered(value));
        writer.raise(self.first + MAX, ordered(value));
        if let Some(histogram) = self.histogram {
            writer.observe(histogram, value, times);
        }
    }

    /// Records how long a batch of `things` took, for each its share in whole milliseconds.
    #[inline]
    pub fn record_share(&self, took: Duration, things: usize) {
        let share = took.as_nanos() / things.max(1) as u128 / 1_000_000;
        self.record_many(i64::try_from(share).unwrap_or(i64::MAX), things);
    }

    /// Records a duration of `nanos` nanoseconds, as whole milliseconds.
    #[inline]
    pub fn record_ns(&self, nanos: u64) {
        self.record_ms(nanos / 1_000_000);
    }

    /// Records `millis` milliseconds.
    #[inline]
    pub fn record_ms(&self, millis: u64) {
        self.record(i64::try_from(millis).unwrap_or(i64::MAX));
    }

    /// Records a count or a size.
    #[inline]
    pub fn record_len(&self, len: usize) {
        self.record(i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// How much this summary tells.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// What was recorded since the start or the last `srst`.
    pub fn read(&self) -> Reading {
        let count = self.pool.sum(self.first + COUNT);
        let (min, max) = if count == 0 {
            (0, 0)
        } else {
            (unordered(!self.pool.max(self.first + MIN)), unordered(self.pool.max(self.first + MAX)))
        };
        let mut counts = Counts::default();
        if let Some(histogram) = self.histogram {
            self.pool.merge(histogram, &mut counts);
        }
        Reading { count, sum: self.pool.sum(self.first + SUM) as i64, min, max, counts }
    }

    pub(super) fn reset_alone(&self) {
        self.pool.reset();
    }
}

/// What a summary has recorded, read at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: i64,
    /// The smallest; 0 when there was none, as in ZooKeeper.
    pub min: i64,
    /// The largest; 0 when there was none.
    pub max: i64,
    counts: Counts,
}

impl Reading {
    /// The mean with four decimals, 0 when there was no value.
    pub fn average(&self) -> f64 {
        java::java_average(self.sum, self.count)
    }

    /// The quantile `q` (0..1); 0 when there was no value.
    pub fn quantile(&self, q: f64) -> f64 {
        self.counts.quantile(q, self.min, self.max)
    }

    /// What was counted so far, to tell later what came after.
    pub(super) fn past(&self) -> Past {
        self.counts.past()
    }

    /// The quantiles `qs` of what was counted since `past`; NaN when that is
    /// nothing, as in Prometheus.
    pub(super) fn quantiles_since(&self, past: Option<&Past>, qs: &[f64]) -> Vec<(f64, f64)> {
        let mut recent = self.counts.clone();
        if let Some(past) = past {
            recent.take_away(past);
        }
        let value = |q: f64| match recent.total {
            0 => f64::NAN,
            _ => recent.quantile(q, self.min, self.max),
        };
        qs.iter().map(|q| (*q, value(*q))).collect()
    }

    /// How many values were at most as large as each of `bounds`, to the width of a bucket.
    pub(super) fn at_most(&self, bounds: &[u64]) -> Vec<u64> {
        self.counts.at_most(bounds)
    }

    /// The quantile as a whole number (`Math.round`).
    pub fn quantile_rounded(&self, q: f64) -> i64 {
        (self.quantile(q) + 0.5).floor() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_summary_reads_as_zeroes() {
        let reading = Summary::alone(Detail::Advanced, true).read();
        assert_eq!((reading.count, reading.sum), (0, 0));
        assert_eq!((reading.min, reading.max), (0, 0));
        assert_eq!(reading.average(), 0.0);
        assert_eq!(reading.quantile_rounded(0.999), 0);
    }

    #[test]
    fn a_summary_keeps_extremes_of_either_sign() {
        let summary = Summary::alone(Detail::Basic, false);
        for value in [5, -3, 0, 12] {
            summary.record(value);
        }
        let reading = summary.read();
        assert_eq!((reading.count, reading.sum), (4, 14));
        assert_eq!((reading.min, reading.max), (-3, 12));
        assert_eq!(reading.average(), 3.5);
        summary.reset_alone();
        summary.record_ns(2_999_999);
        let reading = summary.read();
        assert_eq!((reading.min, reading.max, reading.count), (2, 2, 1));
    }

    #[test]
    fn zero_is_a_minimum_and_a_maximum() {
        let summary = Summary::alone(Detail::Basic, false);
        summary.record(0);
        summary.record(-7);
        assert_eq!((summary.read().min, summary.read().max), (-7, 0));
        let positive = Summary::alone(Detail::Basic, false);
        positive.record(9);
        assert_eq!((positive.read().min, positive.read().max), (9, 9));
    }

    #[test]
    fn a_batch_counts_as_what_it_holds() {
        let summary = Summary::alone(Detail::Advanced, true);
        summary.record_many(4, 3);
        summary.record_many(9, 0);
        summary.record_share(Duration::from_millis(20), 10);
        summary.record_share(Duration::from_millis(5), 0);
        let reading = summary.read();
        assert_eq!((reading.count, reading.sum, reading.min, reading.max), (13, 32, 2, 4));
        assert_eq!(reading.quantile_rounded(0.5), 2);
        assert_eq!(reading.at_most(&[1, 3, 8]), [0, 10, 13]);
    }

    #[test]
    fn percentiles_are_rounded_as_javas() {
        let summary = Summary::alone(Detail::Advanced, true);
        for value in 1..=9 {
            summary.record(value);
        }
        summary.record(30);
        let reading = summary.read();
        assert_eq!(reading.quantile_rounded(0.5), 6); // 5.5 goes up
        assert_eq!(reading.quantile_rounded(0.95), 30);
        assert_eq!(reading.quantile_rounded(0.999), 30);
    }
}
