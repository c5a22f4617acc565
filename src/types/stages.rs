//! When a request reached each stage of its way through the server.
//!
//! # Invariants
//!
//! * Times are of one monotonic clock; its start, `Instant(0)`, means "not
//!   reached".
//! * A later stage never precedes an earlier one; a difference is 0, never
//!   negative, whatever the clock did.

use super::Instant;

/// The moments of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// The last byte of its frame was read (`Request.createTime`).
    pub received: Instant,
    /// The core turned it into a transaction, or refused it.
    pub admitted: Instant,
    /// Its transaction is durable here (a sync has completed).
    pub logged: Instant,
    /// A quorum has it.
    pub committed: Instant,
    /// The tree shows it.
    pub applied: Instant,
    /// Its reply was put into the connection's out-buffer.
    pub replied: Instant,
}

impl StageTimes {
    /// The stages of a request whose frame was complete at `now`.
    pub fn received_at(now: Instant) -> Self {
        Self { received: now, ..Self::default() }
    }

    /// Nanoseconds from `from` to `to`; `None` when one was not reached.
    pub fn between(from: Instant, to: Instant) -> Option<u64> {
        (from.0 != 0 && to.0 != 0).then(|| to.0.saturating_sub(from.0))
    }

    /// Nanoseconds from the frame to the reply: ZooKeeper's request latency.
    pub fn latency(&self) -> Option<u64> {
        Self::between(self.received, self.replied)
    }

    /// Nanoseconds from the frame to the admitted transaction.
    pub fn queued(&self) -> Option<u64> {
        Self::between(self.received, self.admitted)
    }

    /// Nanoseconds from the admitted transaction to the completed sync.
    pub fn syncing(&self) -> Option<u64> {
        Self::between(self.admitted, self.logged)
    }

    /// Nanoseconds from the commit to the applied change.
    pub fn applying(&self) -> Option<u64> {
        Self::between(self.committed, self.applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_was_not_reached_has_no_duration() {
        let read = StageTimes { received: Instant(10), replied: Instant(25), ..StageTimes::default() };
        assert_eq!(read.latency(), Some(15));
        assert_eq!(read.queued(), None);
        assert_eq!(read.syncing(), None);
        assert_eq!(read.applying(), None);
        assert_eq!(StageTimes::received_at(Instant(10)).latency(), None);
    }

    #[test]
    fn a_clock_that_stood_still_gives_zero() {
        let write = StageTimes {
            received: Instant(10),
            admitted: Instant(9),
            logged: Instant(30),
            committed: Instant(30),
            applied: Instant(31),
            replied: Instant(40),
        };
        assert_eq!(write.queued(), Some(0));
        assert_eq!(write.syncing(), Some(21));
        assert_eq!(write.applying(), Some(1));
    }
}
