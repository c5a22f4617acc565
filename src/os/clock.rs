//! The two clocks of the machine.
//!
//! # Invariants
//!
//! * [`mono`] is `CLOCK_MONOTONIC`: it never jumps, and starts when the machine does, not
//!   when the process does, so that session ids of two runs of a server differ.
//! * The wall clock is read for what clients and logs see, never for a time-out.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::types::{Instant, Now};

/// Both clocks.
#[inline]
pub fn now() -> Now {
    Now { mono: mono(), wall_ms: wall_ms() }
}

/// The monotonic clock.
#[inline]
pub fn mono() -> Instant {
    Instant(nanos(clock_gettime(ClockId::Monotonic)).max(1))
}

/// Milliseconds since 1970.
#[inline]
pub fn wall_ms() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
}

fn nanos(t: Timespec) -> u64 {
    let (seconds, rest) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_clocks_run() {
        let before = now();
        std::thread::sleep(Duration::from_millis(2));
        let passed = mono().since(before.mono);
        assert!(passed >= Duration::from_millis(2) && passed < Duration::from_secs(60));
        let year_2020 = 1_577_836_800_000;
        assert!(before.wall_ms > year_2020 && wall_ms() >= before.wall_ms);
    }
}
