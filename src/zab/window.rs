//! Committed transactions of late: what a member that lags is sent instead of a snapshot
//! (`ZKDatabase.committedLog`). Followers keep one, too: they may lead next.
//!
//! # Invariants
//!
//! * The transactions in it follow each other without a hole and end with the last committed one.
//! * Bounded by number and by bytes; the oldest go first.

use super::types::Proposal;
use crate::limits::WINDOW_BYTES;
use crate::types::{Zxid, mutant};
use std::collections::VecDeque;

/// May `next` stand directly behind `last`? The next counter of the same epoch, or the first of a
/// later epoch (counter 0 is NEWLEADER's and never logged).
pub fn follows(last: Zxid, next: Zxid) -> bool {
    last.next() == Some(next) || (next.epoch() > last.epoch() && next.counter() == 1)
}

/// The last committed transactions.
#[derive(Clone, Debug)]
pub struct Window {
    limit: usize,
    entries: VecDeque<Proposal>,
    bytes: usize,
    end: Zxid,
}

impl Window {
    /// A window of at most `limit` transactions (`commitLogCount`) behind a history that ends with
    /// `end`. `entries` are the last ones of that history, oldest first; what does not lead to
    /// `end` without a hole is left out.
    pub fn new(limit: usize, end: Zxid, entries: Vec<Proposal>) -> Window {
        let mut window = Window { limit, entries: VecDeque::new(), bytes: 0, end: Zxid::ZERO };
        for entry in entries {
            window.push(entry);
        }
        if window.end != end {
            window.clear();
        }
        window.end = end;
        window
    }

    /// Adds the next committed transaction. Behind a hole the window starts anew, so that the
    /// hole is never handed on.
    pub fn push(&mut self, entry: Proposal) {
        if !self.entries.is_empty() && !follows(self.end, entry.zxid) && !mutant::on("window-hole") {
            self.clear();
        }
        self.end = entry.zxid;
        self.bytes += entry.bytes.len();
        self.entries.push_back(entry);
        while self.entries.len() > self.limit || self.bytes > WINDOW_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.bytes.len();
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// The last committed transaction.
    pub fn end(&self) -> Zxid {
        self.end
    }

    /// The first transaction in it; the last committed one if it holds none.
    pub fn start(&self) -> Zxid {
        self.entries.front().map_or(self.end, |p| p.zxid)
    }

    /// How many it holds at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Every transaction behind `zxid`.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Proposal> {
        self.entries.range(self.entries.partition_point(|p| p.zxid <= zxid)..)
    }

    /// The last transaction before `zxid` and the first one from it on.
    pub fn around(&self, zxid: Zxid) -> (Option<Zxid>, Option<Zxid>) {
        let at = self.entries.partition_point(|p| p.zxid < zxid);
        let before = at.checked_sub(1).and_then(|i| self.entries.get(i));
        (before.map(|p| p.zxid), self.entries.get(at).map(|p| p.zxid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(epoch: u32, counter: u32) -> Proposal {
        Proposal { zxid: Zxid::new(epoch, counter), bytes: Bytes::from_static(b"0123456789") }
    }

    fn zxids(window: &Window, after: Zxid) -> Vec<Zxid> {
        window.after(after).map(|p| p.zxid).collect()
    }

    #[test]
    fn the_oldest_go_first_and_the_end_is_the_last_committed() {
        let mut w = Window::new(3, Zxid::new(1, 2), vec![entry(1, 1), entry(1, 2)]);
        for counter in 3..=5 {
            w.push(entry(1, counter));
        }
        assert_eq!((w.start(), w.end()), (Zxid::new(1, 3), Zxid::new(1, 5)));
        assert_eq!(zxids(&w, Zxid::new(1, 4)), [Zxid::new(1, 5)]);
        assert_eq!(w.around(Zxid::new(1, 4)), (Some(Zxid::new(1, 3)), Some(Zxid::new(1, 4))));
        assert_eq!(w.around(Zxid::new(2, 0)), (Some(Zxid::new(1, 5)), None));
    }

    #[test]
    fn a_hole_is_never_handed_on() {
        let mut w = Window::new(9, Zxid::new(1, 2), vec![entry(1, 1), entry(1, 2)]);
        w.push(entry(1, 4));
        assert_eq!(zxids(&w, Zxid::ZERO), [Zxid::new(1, 4)]);
        w.push(entry(2, 1));
        assert_eq!(w.start(), Zxid::new(1, 4), "a new epoch is no hole");
        let w = Window::new(9, Zxid::new(1, 7), vec![entry(1, 1), entry(1, 2)]);
        assert_eq!((w.start(), w.end()), (Zxid::new(1, 7), Zxid::new(1, 7)), "it does not lead to the end");
    }

    #[test]
    fn large_transactions_leave_earlier() {
        let large =
            |counter| Proposal { zxid: Zxid::new(1, counter), bytes: Bytes::from(vec![0; WINDOW_BYTES / 2]) };
        let mut w = Window::new(500, Zxid::ZERO, Vec::new());
        for counter in 1..=4 {
            w.push(large(counter));
        }
        assert_eq!(w.start(), Zxid::new(1, 3));
    }
}
