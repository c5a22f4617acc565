//! Medians, spreads and a latency histogram.
//!
//! # Invariants
//!
//! * A percentile of [`Histogram`] is never below the true one and at most 1.6 %
//!   above it (64 buckets per power of two).

use std::time::Duration;

/// The median; the mean of the middle two for an even number. `None` if empty.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut v: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    v.sort_by(f64::total_cmp);
    let hi = *v.get(v.len() / 2)?;
    if v.len() % 2 == 1 {
        return Some(hi);
    }
    let lo = *v.get(v.len() / 2 - 1)?;
    Some((lo + hi) / 2.0)
}

/// (max - min) / median of some runs of the same thing: the A/A spread.
pub fn spread(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let max = values.iter().copied().fold(f64::MIN, f64::max);
    let min = values.iter().copied().fold(f64::MAX, f64::min);
    median(values).filter(|m| *m > 0.0).map(|m| (max - min) / m)
}

/// Buckets per power of two.
const SUB: u64 = 64;
/// Powers of two covered above the linear part: up to about 2^43 ns, two hours.
const POWERS: u64 = 38;

/// Latencies in nanoseconds, log-linear buckets of a fixed number.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (SUB * POWERS) as usize], total: 0, max: 0 }
    }
}

impl Histogram {
    /// Adds one latency.
    pub fn record(&mut self, d: Duration) {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let slot = Self::slot(ns).min(self.counts.len() - 1);
        if let Some(c) = self.counts.get_mut(slot) {
            *c += 1;
        }
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// Adds all of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many latencies were recorded.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// The latency in microseconds that a share `q` (0 to 1) stays at or below;
    /// `None` when nothing was recorded.
    pub fn quantile_us(&self, q: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let rank = ((self.total as f64 * q).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let upper = Self::upper(slot as u64).min(self.max);
                return Some(upper as f64 / 1e3);
            }
        }
        Some(self.max as f64 / 1e3)
    }

    fn slot(ns: u64) -> usize {
        if ns < SUB {
            return ns as usize;
        }
        let power = u64::from(ns.ilog2()) - 6;
        (power * SUB + (ns >> power)) as usize
    }

    fn upper(slot: u64) -> u64 {
        if slot < SUB {
            return slot;
        }
        let power = slot / SUB - 1;
        let base = SUB + slot % SUB;
        ((base + 1) << power) - 1
    }
}
