//! Operations that took long: the last ones with who and what, and how many of each kind.
//!
//! # Invariants
//!
//! * The list is bounded, and so is every text in it; it holds no data of znodes.
//! * Nothing here is touched by an operation that was fast enough.

use std::collections::VecDeque;
use std::net::SocketAddr;

use parking_lot::Mutex;

use super::sets::CounterSet;
use super::top::cut;
use crate::limits::{SLOW_KEPT, SLOW_TEXT};

/// The name of the counter; labels `operation` and `stage`.
pub const NAME: &str = "oxkeeper_slow_operations";

/// An operation that took longer than `slow.operations.thresholdMs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// When it was answered, ms since 1970.
    pub at_ms: i64,
    /// Session.
    pub session: i64,
    /// From where it came.
    pub peer: SocketAddr,
    /// Who: the principal, where there is a login.
    pub principal: Option<String>,
    /// What.
    pub operation: &'static str,
    /// On this path, cut to a bound.
    pub path: String,
    /// From its frame to its reply, ms.
    pub took_ms: u64,
    /// Where most of the time went.
    pub stage: &'static str,
}

/// The last slow operations, and counts.
#[derive(Default)]
pub struct SlowOperations {
    kept: Mutex<VecDeque<Slow>>,
    counts: CounterSet,
}

/// Between operation and stage in the keys of the counts.
const BETWEEN: char = ' ';

impl SlowOperations {
    /// Keeps one.
    pub fn add(&self, mut slow: Slow) {
        self.counts.add(&format!("{}{BETWEEN}{}", slow.operation, slow.stage), 1);
        slow.path = cut(&slow.path, SLOW_TEXT).to_owned();
        slow.principal = slow.principal.map(|who| cut(&who, SLOW_TEXT).to_owned());
        let mut kept = self.kept.lock();
        if kept.len() >= SLOW_KEPT {
            kept.pop_front();
        }
        kept.push_back(slow);
    }

    /// The last ones, oldest first.
    pub fn kept(&self) -> Vec<Slow> {
        self.kept.lock().iter().cloned().collect()
    }

    /// How many, by operation and stage.
    pub fn counts(&self) -> Vec<(String, String, u64)> {
        let pair = |(key, count): (&str, &super::Counter)| {
            let (operation, stage) = key.split_once(BETWEEN).unwrap_or((key, ""));
            (operation.to_owned(), stage.to_owned(), count.get())
        };
        self.counts.all().into_iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_keeps_the_last_ones_and_the_counts_all() {
        let slow = SlowOperations::default();
        for n in 0..SLOW_KEPT as u64 + 5 {
            slow.add(Slow {
                at_ms: 1,
                session: 7,
                peer: SocketAddr::from(([127, 0, 0, 1], 1)),
                principal: Some("é".repeat(SLOW_TEXT)),
                operation: "set_data",
                path: "/x".repeat(SLOW_TEXT),
                took_ms: n,
                stage: "fsync",
            });
        }
        let kept = slow.kept();
        assert_eq!((kept.len(), kept[0].took_ms), (SLOW_KEPT, 5));
        assert!(kept.iter().all(|s| s.path.len() <= SLOW_TEXT));
        assert!(kept.iter().all(|s| s.principal.as_ref().is_some_and(|p| p.len() <= SLOW_TEXT)));
        assert_eq!(slow.counts(), [("set_data".to_owned(), "fsync".to_owned(), SLOW_KEPT as u64 + 5)]);
    }
}
