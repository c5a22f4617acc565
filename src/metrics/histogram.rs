//! A fixed log-linear histogram: the percentiles of a summary.
//!
//! ZooKeeper keeps a random sample of 4096 values; here every value counts, in
//! buckets that are exact below 32 and at most 1/16 wide above. No allocation,
//! no randomness, no lock at a sample.
//!
//! # Invariants
//!
//! * Buckets are contiguous and ordered: a larger value never falls into a
//!   lower bucket.
//! * Values below 0 count as 0, values past the last bucket count there.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::limits::METRIC_HISTOGRAM_MAX_BITS;

/// log2 of the buckets per power of two.
const SUB_BITS: u32 = 4;
/// Values below this have a bucket each.
const EXACT: u64 = 2 << SUB_BITS;
/// Number of buckets.
const BUCKETS: usize =
    (EXACT as usize) + ((METRIC_HISTOGRAM_MAX_BITS - SUB_BITS - 1) as usize) * (1 << SUB_BITS);

/// The bucket of `value`.
#[inline]
fn bucket(value: i64) -> usize {
    let value = u64::try_from(value).unwrap_or(0);
    if value < EXACT {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = (value >> (exponent - SUB_BITS)) as usize & ((1 << SUB_BITS) - 1);
    let index = EXACT as usize + ((exponent - SUB_BITS - 1) as usize) * (1 << SUB_BITS) + sub;
    index.min(BUCKETS - 1)
}

/// The value that stands for a bucket: its middle.
fn representative(bucket: usize) -> u64 {
    let exact = EXACT as usize;
    if bucket < exact {
        return bucket as u64;
    }
    let (power, sub) = ((bucket - exact) >> SUB_BITS, (bucket - exact) & 15);
    let width = 2u64 << power; // the lowest power above EXACT has buckets of 2
    let low = (16 + sub as u64) << (power + 1);
    low + (width - 1) / 2
}

/// The buckets of one thread.
pub(super) struct Histogram {
    counts: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Histogram {
    /// Counts `value` so many times; `owned` when no other thread writes here.
    #[inline]
    pub(super) fn observe(&self, value: i64, times: u64, owned: bool) {
        let Some(count) = self.counts.get(bucket(value)) else {
            return;
        };
        if owned {
            count.store(count.load(Relaxed) + times, Relaxed);
        } else {
            count.fetch_add(times, Relaxed);
        }
    }

    /// Forgets all values.
    pub(super) fn clear(&self) {
        for count in &self.counts {
            count.store(0, Relaxed);
        }
    }
}

/// Merged buckets of all threads, for reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    counts: Vec<u64>,
    /// Number of values.
    pub(super) total: u64,
}

impl Counts {
    /// Adds the buckets of one thread.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        self.counts.resize(BUCKETS, 0);
        for (sum, count) in self.counts.iter_mut().zip(&histogram.counts) {
            let count = count.load(Relaxed);
            *sum += count;
            self.total += count;
        }
    }

    /// What was counted, to be taken away later.
    pub(super) fn past(&self) -> Past {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        // There are fewer than 2^16 buckets.
        Past(counted.map(|(bucket, count)| (bucket as u16, *count)).collect())
    }

    /// Leaves what was counted since `past`.
    pub(super) fn take_away(&mut self, past: &Past) {
        for (bucket, before) in &past.0 {
            if let Some(count) = self.counts.get_mut(usize::from(*bucket)) {
                let less = (*before).min(*count);
                *count -= less;
                self.total -= less;
            }
        }
    }

    /// How many values were at most as large as each of the ascending `bounds`. A value counts with the
    /// middle of its bucket.
    pub(super) fn at_most(&self, bounds: &[u64]) -> Vec<u64> {
        let mut buckets = self.counts.iter().enumerate().peekable();
        let mut seen = 0;
        let mut upto = |bound: u64| {
            while let Some((_, count)) = buckets.next_if(|(bucket, _)| representative(*bucket) <= bound) {
                seen += count;
            }
            seen
        };
        bounds.iter().map(|bound| upto(*bound)).collect()
    }

    /// The quantile `q` (0..1) as `UniformSnapshot.getValue` gives it: linear
    /// between neighbours at position `q * (n + 1)`; 0 when empty. Bucket
    /// middles are held within `min` and `max`.
    pub(super) fn quantile(&self, q: f64, min: i64, max: i64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let at = q * (self.total as f64 + 1.0);
        let index = at as u64;
        let value = |rank: u64| self.at_rank(rank, min, max) as f64;
        if index < 1 {
            value(1)
        } else if index >= self.total {
            value(self.total)
        } else {
            let (lower, upper) = (value(index), value(index + 1));
            lower + (at - at.floor()) * (upper - lower)
        }
    }

    /// The `rank`-th smallest value, from 1.
    fn at_rank(&self, rank: u64, min: i64, max: i64) -> i64 {
        let mut seen = 0;
        let mut found = BUCKETS - 1;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                found = bucket;
                break;
            }
        }
        let value = i64::try_from(representative(found)).unwrap_or(i64::MAX);
        value.min(max).max(min)
    }
}

/// Buckets that had counted something at one moment, and how much.
#[derive(Debug, Clone, Default)]
pub(super) struct Past(Vec<(u16, u64)>);

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: impl IntoIterator<Item = i64>) -> Counts {
        let histogram = Histogram::default();
        for value in values {
            histogram.observe(value, 1, true);
        }
        let mut counts = Counts::default();
        counts.add(&histogram);
        counts
    }

    #[test]
    fn buckets_are_ordered_and_narrow() {
        let steps = (1..5000).map(|value| (bucket(value - 1), bucket(value)));
        for (before, after) in steps {
            assert!(after == before || after == before + 1);
        }
        for value in (0..5000).chain((0..35).map(|bit| (1 << bit) + 3)) {
            let value: i64 = value;
            let bucket = bucket(value);
            let middle = representative(bucket) as i64;
            assert!((middle - value).abs() * 16 <= value, "{value} as {middle}");
            assert_eq!(super::bucket(middle), bucket, "{value}");
        }
        assert_eq!(bucket(-5), 0);
        assert_eq!(bucket(i64::MAX), BUCKETS - 1);
    }

    #[test]
    fn small_values_have_exact_quantiles() {
        let hundred = counts((1..=20).flat_map(|v| [v; 5]));
        assert_eq!(hundred.total, 100);
        assert_eq!(hundred.quantile(0.5, 1, 20), 10.5);
        assert_eq!(hundred.quantile(0.99, 1, 20), 20.0);
        assert_eq!(hundred.quantile(0.0, 1, 20), 1.0);
        assert_eq!(counts([7]).quantile(0.999, 7, 7), 7.0);
        assert_eq!(Counts::default().quantile(0.5, 0, 0), 0.0);
    }

    #[test]
    fn large_values_stay_within_the_extremes() {
        let one = counts([1_000_003]);
        assert_eq!(one.quantile(0.5, 1_000_003, 1_000_003), 1_000_003.0);
        let spread = counts((0..10_000).map(|v| v * 7));
        let p95 = spread.quantile(0.95, 0, 69_993);
        assert!((p95 - 66_500.0).abs() < 66_500.0 / 16.0, "{p95}");
    }
}
