//! From a signal or a failure to the end.
//!
//! # Invariants
//!
//! * What is under way is finished, logged, applied and answered, as far as the disk and the
//!   clients let it within [`FINISH_MS`] and [`FLUSH_MS`].
//! * Whatever hangs, the process ends within [`LAST_RESORT_MS`], with 0: what was promised is
//!   on the disk by then, as always.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::core::CoreMessage;
use super::front::Front;
use super::queue::Queue;
use super::snapshots::LogDesk;
use crate::audit::Trail;
use crate::limits::{FINISH_MS, FLUSH_MS, HAND_OVER_MS, LAST_RESORT_MS};
use crate::net::Kill;
use crate::net::peering::Gate;
use crate::os::clock;
use crate::replica::member::MemberInput;
use crate::types::decision::{Operation, Outcome};

/// A thread without which there is no server.
pub struct VitalThread {
    name: &'static str,
    /// Disconnected when the thread is over.
    over: Receiver<()>,
}

/// Ends the process if its thread panics. (A release build aborts at the panic itself.)
struct Vital;

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl VitalThread {
    /// Starts it.
    pub fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> io::Result<VitalThread> {
        let (alive, over) = channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            let _vital = Vital;
            work();
        })?;
        Ok(VitalThread { name, over })
    }

    /// Waits for its end, but not for long.
    fn wait(&self, patience: Duration) {
        if self.over.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            warn!(thread = self.name, "did not end in time; what it still does is given up");
        }
    }
}

/// A serving server.
pub struct Running {
    /// What connections see.
    pub front: Arc<Front>,
    /// Accepting and sweeping.
    pub tasks: Vec<JoinHandle<()>>,
    /// The core's inbox.
    pub inbox: Arc<Queue<CoreMessage>>,
    /// The log.
    pub log: Arc<dyn LogDesk>,
    /// The snapshot thread's.
    pub snapshots: Arc<Queue<()>>,
    /// Tells the snapshot thread to give up.
    pub ending: Arc<AtomicBool>,
    /// Core, log, snapshots.
    pub threads: (VitalThread, VitalThread, VitalThread),
    /// The audit log.
    pub trail: Option<Arc<Trail>>,
    /// Keys and trust towards other members.
    pub gate: Option<Arc<Gate>>,
}

impl Running {
    /// Ends it in good order.
    pub fn stop(self) {
        last_resort();
        let (core, log, snapshots) = &self.threads;
        self.tasks.iter().for_each(JoinHandle::abort);
        self.hand_over();
        self.front.stop();
        self.ending.store(true, Ordering::Relaxed);
        self.snapshots.close();
        self.inbox.push(CoreMessage::Finish);
        core.wait(Duration::from_millis(FINISH_MS));
        self.inbox.close();
        self.front.kill_all(Kill::Shutdown);
        self.log.finish();
        self.wait_for_connections();
        log.wait(Duration::from_millis(FLUSH_MS));
        snapshots.wait(Duration::from_millis(FLUSH_MS));
        if let Some(trail) = &self.trail {
            trail.server(Operation::ServerStop, |decision| decision.outcome = Outcome::Invoked);
            trail.stop(Duration::from_millis(FLUSH_MS));
        }
    }

    /// A leader makes another member the leader first: clients elsewhere lose no time to an election.
    fn hand_over(&self) {
        let Some(face) = self.front.face() else { return };
        let outcome = face.outcome();
        self.inbox.push(CoreMessage::Member(MemberInput::Stop));
        match outcome.recv_timeout(Duration::from_millis(HAND_OVER_MS)) {
            Ok(Ok(())) => info!("this member leads no more"),
            Ok(Err(why)) => warn!("the leadership was not handed over: {why}"),
            Err(_) => warn!("the leadership was not handed over in time"),
        }
    }

    /// Connections send their last replies.
    fn wait_for_connections(&self) {
        let begun = clock::mono();
        let patience = Duration::from_millis(FLUSH_MS);
        while self.front.connections() > 0 && clock::mono().since(begun) < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Ends the process when nothing else does.
fn last_resort() {
    let watch = || {
        std::thread::sleep(Duration::from_millis(LAST_RESORT_MS));
        error!("something hangs; the process ends without waiting for it");
        std::thread::sleep(Duration::from_millis(100)); // for the line above
        crate::kerberos::leave(0);
    };
    if let Err(e) = std::thread::Builder::new().name("last-resort".to_owned()).spawn(watch) {
        warn!("the end is not watched over: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_is_not_waited_for_longer() {
        let thread = VitalThread::spawn("short", || {}).expect("a thread");
        let begun = clock::mono();
        thread.wait(Duration::from_secs(60));
        assert!(clock::mono().since(begun) < Duration::from_secs(30));
        let (hold, held) = channel::<()>();
        let long = VitalThread::spawn("long", move || held.recv().unwrap_or_default()).expect("a thread");
        long.wait(Duration::from_millis(1));
        drop(hold);
        assert_eq!(long.over.recv(), Err(std::sync::mpsc::RecvError));
    }
}
