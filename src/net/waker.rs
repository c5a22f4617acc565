//! Waking and killing the task of one connection from any thread.
//!
//! # Invariants
//!
//! * A wake that comes after the task has registered is never lost: the runtime
//!   polls a task again that was woken while it ran.
//! * A kill is for good, and the first reason stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::CloseReason;
use super::direct::Direct;

/// Why a connection is killed from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kill {
    /// Idle for too long.
    Idle = 1,
    /// Its session is served by a newer connection.
    Replaced = 2,
    /// The server shuts down.
    Shutdown = 3,
    /// The server stopped serving.
    NotServing = 4,
    /// An administrator has the server shed connections.
    Shed = 5,
}

impl From<Kill> for CloseReason {
    fn from(kill: Kill) -> CloseReason {
        match kill {
            Kill::Idle => CloseReason::Idle,
            Kill::Replaced => CloseReason::Replaced,
            Kill::Shutdown => CloseReason::Shutdown,
            Kill::NotServing => CloseReason::NotServing,
            Kill::Shed => CloseReason::Ended("an administrator has connections shed"),
        }
    }
}

/// The handle by which other threads reach a connection's task.
#[derive(Default)]
pub struct TaskWaker {
    slot: Mutex<Slot>,
    kill: AtomicU8,
}

#[derive(Default)]
struct Slot {
    waker: Option<Waker>,
    /// The short way to the socket, where there is one.
    line: Option<Arc<dyn Direct>>,
}

impl TaskWaker {
    /// Remembers the task; called at the start of each poll.
    pub fn register(&self, waker: &Waker) {
        let mut slot = self.slot.lock();
        if !slot.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            slot.waker = Some(waker.clone());
        }
    }

    /// From now on [`TaskWaker::send`] goes the short way.
    pub(super) fn open_line(&self, line: Arc<dyn Direct>) {
        self.slot.lock().line = Some(line);
    }

    /// Sends what is outgoing on the caller's thread where that is possible at once, and wakes the
    /// task where it is not. For few connections at a time: the caller pays for the system call.
    pub fn send(&self) {
        let line = self.slot.lock().line.clone();
        if !line.is_some_and(|line| line.send()) {
            self.wake();
        }
    }

    /// Lets the task look at its outgoing bytes and its flow again.
    pub fn wake(&self) {
        if let Some(waker) = &self.slot.lock().waker {
            waker.wake_by_ref();
        }
    }

    /// Ends the connection without sending what is still outgoing.
    pub fn kill(&self, why: Kill) {
        let first = self.kill.compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_ok() {
            self.wake();
        }
    }

    /// The reason, once the connection is killed.
    pub fn killed(&self) -> Option<Kill> {
        match self.kill.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Kill::Idle),
            2 => Some(Kill::Replaced),
            3 => Some(Kill::Shutdown),
            5 => Some(Kill::Shed),
            _ => Some(Kill::NotServing),
        }
    }

    /// Forgets the task: it is over.
    pub fn retire(&self) {
        *self.slot.lock() = Slot::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_reaches_the_last_registered_task_and_the_first_kill_stays() {
        let (one, two) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
        let waker = TaskWaker::default();
        waker.wake();
        waker.register(&Arc::clone(&one).into());
        waker.wake();
        waker.register(&Arc::clone(&two).into());
        waker.kill(Kill::Idle);
        waker.kill(Kill::Shutdown);
        assert_eq!(waker.killed(), Some(Kill::Idle));
        waker.retire();
        waker.wake();
        assert_eq!((one.0.load(Ordering::Relaxed), two.0.load(Ordering::Relaxed)), (1, 1));
    }
}
