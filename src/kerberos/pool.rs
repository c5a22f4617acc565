//! The threads on which logins are computed: few, with a short queue.
//!
//! # Invariants
//!
//! * A login never runs on a thread that serves connections.
//! * The queues are bounded: a storm of logins is turned away at once instead of being kept in memory.
//! * What comes by the slow lane has one thread of its own, which rests as long as it works: it never keeps the usual
//!   lane waiting, and costs half a processor at the most.
//! * Where processors are short, those who are logged in come first: threads of logins are nicer than all others.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::limits::{GSS_QUEUE, GSS_SLOW_QUEUE, GSS_THREADS, LOGIN_NICENESS, SLOW_LOGIN_NICENESS};

/// One step of a login.
pub type Job = Box<dyn FnOnce() + Send>;

/// By which way a step comes to its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Everybody's.
    Usual,
    /// That of addresses whose logins are refused again and again.
    Slow,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many logins are waiting already")
    }
}

/// The threads and their queues. Dropped, it finishes what is in the queues and ends its threads.
pub struct GssThreads {
    queues: Option<Queues>,
    threads: Vec<JoinHandle<()>>,
}

struct Queues {
    usual: SyncSender<Job>,
    slow: SyncSender<Job>,
}

impl GssThreads {
    /// As many threads as the machine has processors, at most [`GSS_THREADS`], and the one of the slow lane.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start() -> io::Result<GssThreads> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        GssThreads::with(processors.min(GSS_THREADS), GSS_QUEUE, GSS_SLOW_QUEUE)
    }

    fn with(threads: usize, queue: usize, slow_queue: usize) -> io::Result<GssThreads> {
        let (usual, jobs) = sync_channel::<Job>(queue);
        let (slow, slow_jobs) = sync_channel::<Job>(slow_queue);
        let jobs = Arc::new(Mutex::new(jobs));
        let named = |name: String| thread::Builder::new().name(name);
        let threads = (0..threads.max(1)).map(|i| {
            let jobs = Arc::clone(&jobs);
            named(format!("login-{i}")).spawn(move || {
                give_way(LOGIN_NICENESS);
                work(&jobs);
            })
        });
        let mut threads = threads.collect::<io::Result<Vec<_>>>()?;
        let slowly = move || {
            give_way(SLOW_LOGIN_NICENESS);
            work_slowly(&slow_jobs);
        };
        threads.push(named("login-slow".to_owned()).spawn(slowly)?);
        Ok(GssThreads { queues: Some(Queues { usual, slow }), threads })
    }

    /// Has `job` run on a thread of its lane.
    ///
    /// # Errors
    ///
    /// [`Busy`]; the job is dropped then.
    pub fn submit(&self, lane: Lane, job: Job) -> Result<(), Busy> {
        let queues = self.queues.as_ref().ok_or(Busy)?;
        let queue = match lane {
            Lane::Usual => &queues.usual,
            Lane::Slow => &queues.slow,
        };
        queue.try_send(job).map_err(|_| Busy)
    }
}

impl Drop for GssThreads {
    fn drop(&mut self) {
        self.queues = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

/// Makes the calling thread (on Linux niceness is a thread's) nicer. Where that is refused, it is as before.
fn give_way(niceness: i32) {
    let own = rustix::process::getpriority_process(None).unwrap_or(0);
    let _ = rustix::process::setpriority_process(None, niceness.max(own));
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

/// One job after the other; rests after each for as long as it took.
fn work_slowly(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        let begun = Instant::now();
        job();
        thread::sleep(begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    type Counted = (GssThreads, Arc<AtomicU32>);

    fn pool() -> Counted {
        (GssThreads::with(1, 2, 3).unwrap(), Arc::new(AtomicU32::new(0)))
    }

    fn count(ran: &Arc<AtomicU32>) -> Job {
        let ran = Arc::clone(ran);
        Box::new(move || {
            ran.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Occupies the thread of a lane until what is returned is dropped.
    fn occupy(pool: &GssThreads, lane: Lane) -> std::sync::mpsc::Sender<()> {
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let blocker: Job = Box::new(move || {
            begun.send(()).unwrap();
            let _ = may_go.recv();
        });
        pool.submit(lane, blocker).unwrap();
        has_begun.recv().unwrap();
        go
    }

    #[test]
    fn logins_give_way_to_everything_else() {
        let (pool, _) = pool();
        let (tell, told) = channel();
        for (lane, niceness) in [(Lane::Usual, LOGIN_NICENESS), (Lane::Slow, SLOW_LOGIN_NICENESS)] {
            let tell = tell.clone();
            let job = move || tell.send(rustix::process::getpriority_process(None).unwrap()).unwrap();
            pool.submit(lane, Box::new(job)).unwrap();
            let own = rustix::process::getpriority_process(None).unwrap();
            assert_eq!(told.recv().unwrap(), niceness.max(own), "{lane:?}");
        }
    }

    #[test]
    fn jobs_run_until_the_queue_is_full() {
        let (pool, ran) = pool();
        let held = occupy(&pool, Lane::Usual);
        let submit = || pool.submit(Lane::Usual, count(&ran));
        assert_eq!([submit(), submit(), submit()], [Ok(()), Ok(()), Err(Busy)]);
        drop(held);
        drop(pool);
        assert_eq!(ran.load(Ordering::Relaxed), 2, "what was queued is finished");
    }

    #[test]
    fn a_full_slow_lane_keeps_nobody_else_waiting() {
        let (pool, ran) = pool();
        let held = occupy(&pool, Lane::Slow);
        let submit = || pool.submit(Lane::Slow, count(&ran));
        assert_eq!([submit(), submit(), submit(), submit()], [Ok(()), Ok(()), Ok(()), Err(Busy)]);
        let (done, is_done) = channel();
        let usual: Job = Box::new(move || done.send(()).unwrap());
        pool.submit(Lane::Usual, usual).unwrap();
        is_done.recv().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 0);
        drop(held);
        drop(pool);
        assert_eq!(ran.load(Ordering::Relaxed), 3, "what was queued is finished");
    }
}
