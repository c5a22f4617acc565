//! Decisions counted by operation and outcome: a series of our own.
//!
//! # Invariants
//!
//! * The series is in the exposition only, under a name that ZooKeeper does not
//!   use; `mntr` stays ZooKeeper's.

use std::sync::Arc;

use super::kinds::Counter;
use super::slots::Pool;
use crate::types::decision::{Decision, DecisionSink, Operation, Outcome};

/// The name of the series.
pub const NAME: &str = "oxkeeper_decisions";

/// A counter for every operation and outcome.
pub struct DecisionCounts {
    counters: Vec<Counter>,
}

impl Default for DecisionCounts {
    fn default() -> Self {
        let size = Operation::ALL.len() * Outcome::ALL.len();
        let pool = Arc::new(Pool::new(size, 0));
        Self { counters: (0..size).map(|_| Counter::in_pool(&pool)).collect() }
    }
}

impl DecisionCounts {
    fn counter(&self, operation: Operation, outcome: Outcome) -> Option<&Counter> {
        self.counters.get(operation as usize * Outcome::ALL.len() + outcome as usize)
    }

    /// How often `operation` ended so.
    pub fn get(&self, operation: Operation, outcome: Outcome) -> u64 {
        self.counter(operation, outcome).map_or(0, Counter::get)
    }

    /// All counts above zero.
    pub fn all(&self) -> Vec<(Operation, Outcome, u64)> {
        let pairs = Operation::ALL.iter().flat_map(|op| Outcome::ALL.iter().map(move |out| (*op, *out)));
        pairs.map(|(op, out)| (op, out, self.get(op, out))).filter(|(_, _, n)| *n > 0).collect()
    }
}

impl DecisionSink for DecisionCounts {
    #[inline]
    fn decided(&self, decision: &Decision<'_>) {
        if let Some(counter) = self.counter(decision.operation, decision.outcome) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::types::decision::Who;

    #[test]
    fn decisions_are_counted_by_operation_and_outcome() {
        let counts = DecisionCounts::default();
        let decide = |op, code| counts.decided(&Decision::new(Who::default(), op, code, 0));
        decide(Operation::GetData, Code::Ok);
        decide(Operation::GetData, Code::NoAuth);
        decide(Operation::GetData, Code::NoAuth);
        decide(Operation::Admin, Code::SystemError);
        assert_eq!(
            counts.all(),
            [
                (Operation::GetData, Outcome::Ok, 1),
                (Operation::GetData, Outcome::Denied, 2),
                (Operation::Admin, Outcome::Failed, 1),
            ]
        );
    }

    #[test]
    fn every_pair_has_its_own_counter() {
        let counts = DecisionCounts::default();
        for (i, counter) in counts.counters.iter().enumerate() {
            counter.add(1 + i as u64);
        }
        let mut seen: Vec<u64> = counts.all().iter().map(|(_, _, n)| *n).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), Operation::ALL.len() * Outcome::ALL.len());
    }
}
