//! The budget of large requests: `largeRequestThreshold`, `largeRequestMaxBytes`.
//!
//! # Invariants
//!
//! * What is taken is given back exactly once, when the last holder of the request's
//!   body lets go of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes of large requests that are in the server.
#[derive(Debug)]
pub struct LargeBudget {
    threshold: usize,
    limit: usize,
    taken: AtomicUsize,
}

impl LargeBudget {
    /// Requests above `threshold` bytes are large and may have `limit` bytes together.
    pub fn new(threshold: usize, limit: usize) -> LargeBudget {
        LargeBudget { threshold, limit, taken: AtomicUsize::new(0) }
    }

    /// Could a request of `length` bytes be taken now?
    pub fn has_room(&self, length: usize) -> bool {
        length <= self.threshold || self.taken.load(Ordering::Relaxed).saturating_add(length) <= self.limit
    }

    /// Takes a request of `length` bytes; `None` when there is no room. A request that is
    /// not large takes nothing.
    pub fn take(self: &Arc<Self>, length: usize) -> Option<LargeGuard> {
        if length <= self.threshold {
            return Some(LargeGuard { budget: Arc::clone(self), length: 0 });
        }
        let add = |taken: usize| taken.checked_add(length).filter(|sum| *sum <= self.limit);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken.ok().map(|_| LargeGuard { budget: Arc::clone(self), length })
    }

    /// Bytes of large requests in the server.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A large request's share; gives it back when dropped.
#[derive(Debug)]
pub struct LargeGuard {
    budget: Arc<LargeBudget>,
    length: usize,
}

impl Drop for LargeGuard {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_requests_share_a_budget_and_small_ones_are_free() {
        let budget = Arc::new(LargeBudget::new(100, 500));
        let small = budget.take(100);
        assert!(small.is_some());
        let one = budget.take(300).expect("room");
        assert!(budget.has_room(200) && !budget.has_room(201));
        assert!(budget.take(201).is_none());
        let two = budget.take(200).expect("room");
        assert_eq!(budget.taken(), 500);
        assert!(budget.take(100).is_some());
        drop((one, two, small));
        assert_eq!(budget.taken(), 0);
    }
}
