//! The threads on which logins are computed: few, with a short queue.
//!
//! # Invariants
//!
//! * A login never runs on a thread that serves connections.
//! * The queue is bounded: a storm of logins is turned away at once instead of being kept in memory.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::limits::{GSS_QUEUE, GSS_THREADS};

/// One step of a login.
pub type Job = Box<dyn FnOnce() + Send>;

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{GSS_QUEUE} logins are waiting already")
    }
}

/// The threads and their queue. Dropped, it finishes what is in the queue and ends its threads.
pub struct GssThreads {
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl GssThreads {
    /// As many threads as the machine has processors, at most [`GSS_THREADS`].
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start() -> io::Result<GssThreads> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        GssThreads::with(processors.min(GSS_THREADS), GSS_QUEUE)
    }

    fn with(threads: usize, queue: usize) -> io::Result<GssThreads> {
        let (queue, jobs) = sync_channel::<Job>(queue);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = (0..threads.max(1)).map(|i| {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("login-{i}")).spawn(move || work(&jobs))
        });
        let threads = threads.collect::<io::Result<_>>()?;
        Ok(GssThreads { queue: Some(queue), threads })
    }

    /// Has `job` run on one of the threads.
    ///
    /// # Errors
    ///
    /// [`Busy`]; the job is dropped then.
    pub fn submit(&self, job: Job) -> Result<(), Busy> {
        let queue = self.queue.as_ref().ok_or(Busy)?;
        queue.try_send(job).map_err(|_| Busy)
    }
}

impl Drop for GssThreads {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_run_until_the_queue_is_full() {
        let pool = GssThreads::with(1, 2).unwrap();
        let ran = Arc::new(AtomicU32::new(0));
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let blocker: Job = Box::new(move || {
            begun.send(()).unwrap();
            let _ = may_go.recv();
        });
        pool.submit(blocker).unwrap();
        has_begun.recv().unwrap();
        let count = || -> Job {
            let ran = Arc::clone(&ran);
            Box::new(move || {
                ran.fetch_add(1, Ordering::Relaxed);
            })
        };
        assert_eq!([pool.submit(count()), pool.submit(count())], [Ok(()), Ok(())]);
        assert_eq!(pool.submit(count()), Err(Busy));
        go.send(()).unwrap();
        drop(pool);
        assert_eq!(ran.load(Ordering::Relaxed), 2, "what was queued is finished");
    }
}
