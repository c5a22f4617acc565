//! Own time values: below the sans-IO line nobody asks a clock.
//!
//! # Invariants
//!
//! * [`Instant`] is monotonic nanoseconds since a start that the caller chose
//!   (process start, or the start of a simulation). It never jumps.
//! * Wall time only ever ends in `TxnHeader.time`, TTL comparison and log texts.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Monotonic time in nanoseconds since the owner's start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// Milliseconds since the start, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The instant `ms` milliseconds after the start.
    pub const fn from_millis(ms: u64) -> Instant {
        Instant(ms.saturating_mul(1_000_000))
    }

    /// Time since `earlier`, zero if that lies in the future.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// The two clocks, read together by the edge and handed in with every input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic time: time-outs, latencies, session expiry.
    pub mono: Instant,
    /// Milliseconds since 1970: ctime, mtime, TTL. May go backwards.
    pub wall_ms: i64,
}
