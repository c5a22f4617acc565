//! Records between the threads that make them and the one that writes them.
//!
//! # Invariants
//!
//! * At most [`AUDIT_QUEUE`] bytes wait. Past it, makers wait or the record is counted as
//!   lost, as the operator chose; nobody waits for a file that cannot be written.
//! * Records leave in the order in which they came, each with a place: the count of records
//!   taken up to it.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::limits::AUDIT_QUEUE;

/// What happens to a record that finds the queue full (`audit.whenFull`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Its maker waits for room.
    #[default]
    Block,
    /// It is counted as lost, and a record says so as soon as there is room.
    Drop,
}

#[derive(Default)]
struct State {
    records: VecDeque<String>,
    bytes: usize,
    /// Records that were ever taken.
    place: u64,
    lost: u64,
    /// The file cannot be written at the moment.
    stuck: bool,
    closed: bool,
}

/// The queue.
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    when_full: WhenFull,
}

/// What the writer takes out at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records, oldest first.
    pub records: VecDeque<String>,
    /// Place of the last one.
    pub upto: u64,
    /// Records lost since the batch before.
    pub lost: u64,
    /// Nothing more will come.
    pub closed: bool,
}

impl Queue {
    /// An empty queue.
    pub fn new(when_full: WhenFull) -> Queue {
        Queue { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new(), when_full }
    }

    /// Takes a record; its place, `None` if it is lost.
    pub fn push(&self, record: String) -> Option<u64> {
        let mut state = self.state.lock();
        let fits = |state: &State| state.bytes == 0 || state.bytes + record.len() <= AUDIT_QUEUE;
        while self.when_full == WhenFull::Block && !fits(&state) && !state.stuck && !state.closed {
            self.emptied.wait(&mut state);
        }
        if !fits(&state) || state.closed {
            state.lost += 1;
            return None;
        }
        state.bytes += record.len();
        state.records.push_back(record);
        state.place += 1;
        self.filled.notify_one();
        Some(state.place)
    }

    /// Everything that waits; waits itself until there is something.
    pub fn take(&self) -> Batch {
        let mut state = self.state.lock();
        while state.records.is_empty() && state.lost == 0 && !state.closed {
            self.filled.wait(&mut state);
        }
        state.bytes = 0;
        self.emptied.notify_all();
        Batch {
            records: std::mem::take(&mut state.records),
            upto: state.place,
            lost: std::mem::take(&mut state.lost),
            closed: state.closed,
        }
    }

    /// Can the file be written? While it cannot, nobody waits for room.
    pub fn stuck(&self, stuck: bool) {
        self.state.lock().stuck = stuck;
        self.emptied.notify_all();
    }

    /// Nothing more is taken; what waits is still given out.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Sleeps for `patience`, or until the queue is closed; is it?
    pub fn pause(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.closed {
            self.filled.wait_for(&mut state, patience);
        }
        state.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn full(queue: &Queue) {
        assert_eq!(queue.push("x".repeat(AUDIT_QUEUE)), Some(1));
    }

    #[test]
    fn records_leave_in_their_order_with_their_place() {
        let queue = Queue::new(WhenFull::Block);
        assert_eq!(queue.push("a".into()), Some(1));
        assert_eq!(queue.push("b".into()), Some(2));
        let batch = queue.take();
        assert_eq!((batch.records.len(), batch.upto, batch.lost), (2, 2, 0));
        queue.push("c".into());
        queue.close();
        assert_eq!(queue.push("d".into()), None);
        let batch = queue.take();
        assert_eq!((batch.records.into_iter().collect::<Vec<_>>(), batch.upto), (vec!["c".to_owned()], 3));
        assert!(batch.closed && queue.pause(Duration::from_secs(60)));
    }

    #[test]
    fn a_full_queue_drops_and_counts_where_the_operator_wants_that() {
        let queue = Queue::new(WhenFull::Drop);
        full(&queue);
        assert_eq!(queue.push("y".into()), None);
        assert_eq!(queue.push("y".into()), None);
        assert_eq!(queue.take().lost, 2);
        assert_eq!(queue.push("y".into()), Some(2));
        assert_eq!(queue.take().lost, 0);
    }

    #[test]
    fn a_full_queue_makes_others_wait_but_not_for_a_file_that_cannot_be_written() {
        let queue = Arc::new(Queue::new(WhenFull::Block));
        full(&queue);
        let other = Arc::clone(&queue);
        let waiting = std::thread::spawn(move || other.push("y".into()));
        let first = queue.take();
        assert!(first.upto >= 1);
        assert_eq!(waiting.join().expect("no panic"), Some(2));
        queue.take();
        queue.stuck(true);
        assert_eq!(queue.push("x".repeat(AUDIT_QUEUE)), Some(3));
        assert_eq!(queue.push("y".into()), None);
    }
}
