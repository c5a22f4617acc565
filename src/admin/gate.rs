//! Keeps expensive words from becoming a load: so many a second, so many at once.
//!
//! # Invariants
//!
//! * Cheap words never wait and are never refused.
//! * A permit is given back when its answer has left, however that ends.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use parking_lot::Mutex;

use crate::limits::{FOUR_LETTER_AT_ONCE, FOUR_LETTER_BURST, FOUR_LETTER_PER_SECOND};
use crate::types::Instant;

/// A token bucket and a count of answers under way.
#[derive(Debug)]
pub struct Gate {
    bucket: Mutex<Bucket>,
    running: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Bucket {
    /// Tokens in units of a nanosecond's refill, so that none is lost.
    level: u64,
    filled: Instant,
}

/// What one answer takes out of the bucket.
const PRICE: u64 = 1_000_000_000;

impl Default for Gate {
    fn default() -> Self {
        let bucket = Bucket { level: FOUR_LETTER_BURST * PRICE, filled: Instant(0) };
        Self { bucket: Mutex::new(bucket), running: Arc::default() }
    }
}

/// The right to make one expensive answer; held until it has left.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl Gate {
    /// Asks for an expensive answer at `now`; none when there were too many.
    pub fn admit(&self, now: Instant) -> Option<Permit> {
        let take = |n: usize| (n < FOUR_LETTER_AT_ONCE).then_some(n + 1);
        self.running.fetch_update(AcqRel, Relaxed, take).ok()?;
        let permit = Permit(Arc::clone(&self.running));
        let mut bucket = self.bucket.lock();
        let passed = now.0.saturating_sub(bucket.filled.0);
        bucket.filled = now.max(bucket.filled);
        let refill = passed.saturating_mul(FOUR_LETTER_PER_SECOND);
        bucket.level = bucket.level.saturating_add(refill).min(FOUR_LETTER_BURST * PRICE);
        bucket.level = bucket.level.checked_sub(PRICE)?;
        Some(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let gate = Gate::default();
        let mut now = Instant(5);
        let passed = (0..FOUR_LETTER_BURST * 3).filter(|_| gate.admit(now).is_some()).count();
        assert_eq!(passed as u64, FOUR_LETTER_BURST);
        now.0 += 1_000_000_000;
        let passed = (0..FOUR_LETTER_BURST * 3).filter(|_| gate.admit(now).is_some()).count();
        assert_eq!(passed as u64, FOUR_LETTER_PER_SECOND);
    }

    #[test]
    fn only_so_many_answers_are_made_at_once() {
        let gate = Gate::default();
        let permits: Vec<_> = (0..FOUR_LETTER_AT_ONCE).map(|_| gate.admit(Instant(1))).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(gate.admit(Instant(1)).is_none());
        drop(permits);
        assert!(gate.admit(Instant(1)).is_some());
    }
}
