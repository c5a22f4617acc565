//! How often something expensive may be done (`RateLimiter`).
//!
//! # Invariants
//!
//! * Whatever the clock does, nothing passes twice within an interval.

use std::time::Duration;

use parking_lot::Mutex;

use crate::types::Instant;

/// Lets one through an interval.
#[derive(Debug)]
pub struct RateLimiter {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// One in `interval`; the first at once.
    pub fn new(interval: Duration) -> RateLimiter {
        RateLimiter { interval, last: Mutex::new(None) }
    }

    /// May it be done at `now`?
    pub fn allow(&self, now: Instant) -> bool {
        let mut last = self.last.lock();
        let passes = last.is_none_or(|last| now > last + self.interval);
        if passes {
            *last = Some(now);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_an_interval() {
        let limiter = RateLimiter::new(Duration::from_millis(100));
        let at = Instant::from_millis;
        assert!(limiter.allow(at(5)));
        assert!(!limiter.allow(at(5)) && !limiter.allow(at(105)));
        assert!(limiter.allow(at(106)));
        assert!(!limiter.allow(at(107)));
    }
}
