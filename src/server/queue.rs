//! The queue between threads: many put in, one takes everything out at once.
//!
//! # Invariants
//!
//! * Items leave in the order in which they came; those put in together stay together.
//! * The taker is woken only when it sleeps: one wake-up a batch, not one an item.
//! * After [`Queue::close`] nothing is taken in any more; what was in is still handed out.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

struct State<T> {
    items: Vec<T>,
    asleep: bool,
    closed: bool,
}

/// A queue with one taker.
pub struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { items: Vec::new(), asleep: false, closed: false };
        Queue { state: Mutex::new(state), filled: Condvar::new() }
    }
}

/// What waiting brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Items.
    Some,
    /// Nothing within the time.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

impl<T> Queue<T> {
    /// Puts one in. False when the queue is closed.
    pub fn push(&self, item: T) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.items.push(item);
        self.rouse(&mut state);
        true
    }

    /// Puts all of them in; `items` is empty afterwards. False when the queue is closed.
    pub fn push_all(&self, items: &mut Vec<T>) -> bool {
        if items.is_empty() {
            return true;
        }
        let mut state = self.state.lock();
        if state.closed {
            items.clear();
            return false;
        }
        if state.items.is_empty() && state.items.capacity() < items.len() {
            std::mem::swap(&mut state.items, items);
        } else {
            state.items.append(items);
        }
        self.rouse(&mut state);
        true
    }

    fn rouse(&self, state: &mut State<T>) {
        if state.asleep {
            state.asleep = false;
            self.filled.notify_one();
        }
    }

    /// Takes everything out into `into`, which must be empty. Waits for `patience` at
    /// most if there is nothing; `None` waits as long as it takes.
    pub fn take(&self, into: &mut Vec<T>, patience: Option<Duration>) -> Taken {
        let mut state = self.state.lock();
        if state.items.is_empty() && !state.closed && patience != Some(Duration::ZERO) {
            let deadline = patience.and_then(|p| Instant::now().checked_add(p));
            state.asleep = true;
            while state.asleep && !state.closed {
                match deadline {
                    None => self.filled.wait(&mut state),
                    Some(deadline) => {
                        if self.filled.wait_until(&mut state, deadline).timed_out() {
                            break;
                        }
                    }
                }
            }
            state.asleep = false;
        }
        std::mem::swap(&mut state.items, into);
        match (into.is_empty(), state.closed) {
            (false, _) => Taken::Some,
            (true, false) => Taken::Nothing,
            (true, true) => Taken::Closed,
        }
    }

    /// Takes nothing in any more.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.asleep = false;
        self.filled.notify_all();
    }

    /// Items that wait.
    pub fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn batches_of_many_threads_come_out_whole_and_in_order() {
        let queue = Arc::new(Queue::default());
        let senders: Vec<_> = (0..4u32)
            .map(|sender| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    for batch in 0..500u32 {
                        let mut items: Vec<_> = (0..3).map(|i| (sender, batch * 3 + i)).collect();
                        assert!(queue.push_all(&mut items));
                    }
                })
            })
            .collect();
        let mut next = [0u32; 4];
        let mut all = Vec::new();
        while all.len() < 4 * 1500 {
            let mut batch = Vec::new();
            queue.take(&mut batch, Some(Duration::from_secs(10)));
            assert_eq!(batch.len() % 3, 0, "a batch was torn");
            all.extend(batch);
        }
        for (sender, i) in all {
            assert_eq!(next[sender as usize], i);
            next[sender as usize] += 1;
        }
        senders.into_iter().for_each(|s| s.join().expect("no panic"));
    }

    #[test]
    fn waiting_ends_in_time_and_at_the_close() {
        let queue = Arc::new(Queue::<u8>::default());
        let mut out = Vec::new();
        assert_eq!(queue.take(&mut out, Some(Duration::ZERO)), Taken::Nothing);
        assert_eq!(queue.take(&mut out, Some(Duration::from_millis(2))), Taken::Nothing);
        let closer = Arc::clone(&queue);
        let closing = std::thread::spawn(move || {
            assert!(closer.push(7));
            closer.close();
            assert!(!closer.push(8) && !closer.push_all(&mut vec![9]));
        });
        let mut taken = Vec::new();
        while queue.take(&mut out, None) != Taken::Closed {
            taken.append(&mut out);
        }
        assert_eq!(taken, [7]);
        closing.join().expect("no panic");
    }
}
