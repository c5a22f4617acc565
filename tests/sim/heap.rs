//! The one queue of things to come: virtual time moves from one of them to the next.
//!
//! # Invariants
//!
//! * Events leave in the order of their times; events of one time in the order in which they came.
//! * Time never goes back: what is asked for in the past happens now.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Nanoseconds of virtual time since the beginning of the world.
pub type Time = u64;

/// One millisecond of virtual time.
pub const MS: Time = 1_000_000;

/// One second of virtual time.
pub const SECOND: Time = 1000 * MS;

struct Slot<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Slot<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl<E> Eq for Slot<E> {}
impl<E> PartialOrd for Slot<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Slot<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The standard heap gives the greatest first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Events to come.
pub struct Heap<E> {
    slots: BinaryHeap<Slot<E>>,
    now: Time,
    next: u64,
}

impl<E> Heap<E> {
    /// Nothing to come, at time 0.
    pub fn new() -> Heap<E> {
        Heap { slots: BinaryHeap::new(), now: 0, next: 0 }
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Asks for an event at a time.
    pub fn at(&mut self, at: Time, event: E) {
        self.next += 1;
        self.slots.push(Slot { at: at.max(self.now), number: self.next, event });
    }

    /// Asks for an event after a while.
    pub fn after(&mut self, wait: Time, event: E) {
        self.at(self.now + wait, event);
    }

    /// The next event up to `until`, with time moved to it; at the end of them time is `until`.
    pub fn next(&mut self, until: Time) -> Option<E> {
        match self.slots.peek() {
            Some(slot) if slot.at <= until => {
                let slot = self.slots.pop()?;
                self.now = slot.at;
                Some(slot.event)
            }
            _ => {
                self.now = self.now.max(until);
                None
            }
        }
    }
}

#[test]
fn events_leave_in_the_order_of_time_then_of_asking() {
    let mut heap = Heap::new();
    heap.at(5, "c");
    heap.at(1, "a");
    heap.at(5, "d");
    heap.at(1, "b");
    let order: Vec<_> = std::iter::from_fn(|| heap.next(5)).collect();
    assert_eq!((order, heap.now()), (vec!["a", "b", "c", "d"], 5));
    heap.at(2, "late");
    assert_eq!((heap.next(9), heap.now()), (Some("late"), 5));
}
