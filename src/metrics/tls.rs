//! TLS counted by outcome: series of our own.
//!
//! # Invariants
//!
//! * The series are in the exposition only, under names that ZooKeeper does not use; `mntr` stays
//!   ZooKeeper's.

use std::sync::Arc;

use super::kinds::Counter;
use super::slots::Pool;
use crate::auth::reason::Reason;

/// Refused handshakes, by reason.
pub const REFUSED: &str = "oxkeeper_tls_refused";
/// Exchanges of keys, trust and revocation lists.
pub const RELOADS: &str = "oxkeeper_tls_reloads";
/// Changed files that could not be used.
pub const RELOAD_FAILURES: &str = "oxkeeper_tls_reload_failures";

/// The counters.
pub struct TlsCounts {
    refused: Vec<Counter>,
    reloads: Counter,
    failures: Counter,
}

impl Default for TlsCounts {
    fn default() -> Self {
        let reasons = Reason::ALL.len();
        let pool = Arc::new(Pool::new(reasons + 2, 0));
        Self {
            refused: (0..reasons).map(|_| Counter::in_pool(&pool)).collect(),
            reloads: Counter::in_pool(&pool),
            failures: Counter::in_pool(&pool),
        }
    }
}

impl TlsCounts {
    /// A handshake was refused.
    pub fn refused(&self, reason: Reason) {
        let at = Reason::ALL.iter().position(|r| *r == reason);
        if let Some(counter) = at.and_then(|at| self.refused.get(at)) {
            counter.inc();
        }
    }

    /// New files are in use.
    pub fn reloaded(&self) {
        self.reloads.inc();
    }

    /// New files cannot be used.
    pub fn reload_failed(&self) {
        self.failures.inc();
    }

    /// Refused handshakes above zero.
    pub fn all_refused(&self) -> Vec<(Reason, u64)> {
        let counts = Reason::ALL.iter().zip(&self.refused).map(|(reason, counter)| (*reason, counter.get()));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// Reloads that worked, and that did not.
    pub fn reloads(&self) -> (u64, u64) {
        (self.reloads.get(), self.failures.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_reason() {
        let counts = TlsCounts::default();
        counts.refused(Reason::TlsRevoked);
        counts.refused(Reason::TlsRevoked);
        counts.refused(Reason::TlsHost);
        counts.reloaded();
        assert_eq!(counts.all_refused(), [(Reason::TlsRevoked, 2), (Reason::TlsHost, 1)]);
        assert_eq!(counts.reloads(), (1, 0));
    }
}
