//! Hears when the host stops this machine, so that no server is charged for it.
//!
//! A virtual machine stands still whenever its host runs somebody else. On such a machine once a second a millisecond
//! is gone, whatever runs: 0.3 % of all time, which decides any p99.9. One thread a processor, above everybody
//! in the real-time class, sleeps a fifth of a millisecond over and over; where it wakes late, nothing of
//! this machine can have held it up, and what was under way then is not counted. (Gil Tene's jHiccup
//! measures the same in the same manner.)
//!
//! # Invariants
//!
//! * A pause is what the highest thread of a processor missed; a server's own pause (garbage collection, a slow
//!   disk, a lock) is never one: a server cannot hold that thread up.
//! * The same rule for every server; the share of requests that were left out is kept and printed.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::open::{Outcome, Sample};

/// How long a listener sleeps.
const NAP: Duration = Duration::from_micros(200);
/// Waking this much too late is a pause. Interrupts and what the kernel does for sockets take less.
const LATE: Duration = Duration::from_micros(200);

/// A time in which a processor of this machine stood still.
#[derive(Clone, Copy)]
struct Pause {
    from: Instant,
    to: Instant,
}

/// Listeners, one a processor, until asked what they heard.
pub struct Hiccups {
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Pause>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Hiccups {
    /// Starts to listen; without the right to the real-time class nothing is ever heard.
    pub fn listen() -> Self {
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let cpus =
            if crate::alone::possible() { thread::available_parallelism().map_or(1, usize::from) } else { 0 };
        let start = |cpu: usize| {
            let (stop, heard) = (Arc::clone(&stop), Arc::clone(&heard));
            thread::spawn(move || {
                if above_all(cpu) {
                    listen(&stop, &heard);
                }
            })
        };
        let threads = (0..cpus).map(start).collect();
        Self { stop, heard, threads }
    }

    /// Ends listening; takes from `outcome` what was under way in a pause, and tells which share that was.
    pub fn leave_out(mut self, outcome: &mut Outcome) -> f64 {
        self.end();
        let mut pauses = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        pauses.sort_unstable_by_key(|pause| pause.from);
        let all = outcome.samples.len().max(1);
        let begun = outcome.begun;
        outcome.samples.retain(|sample| !touched(sample, begun, &pauses));
        (all - outcome.samples.len()) as f64 / all as f64
    }

    fn end(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a listener that died heard nothing more
        }
    }
}

impl Drop for Hiccups {
    fn drop(&mut self) {
        self.end();
    }
}

/// Was `sample` under way in a pause, or due so soon behind one that the requests held up by it stood before it?
fn touched(sample: &Sample, begun: Instant, pauses: &[Pause]) -> bool {
    let (due, answered) = (begun + sample.due, begun + sample.due + sample.latency);
    // Pauses of two processors may overlap, so a few before the last that began in time are looked at.
    let behind = pauses.partition_point(|pause| pause.from < answered);
    let near = pauses.get(behind.saturating_sub(8)..behind).unwrap_or_default();
    near.iter().any(|pause| pause.to + (pause.to - pause.from) > due)
}

fn listen(stop: &AtomicBool, heard: &Mutex<Vec<Pause>>) {
    while !stop.load(Relaxed) {
        let from = Instant::now();
        thread::sleep(NAP);
        let to = Instant::now();
        if to - from > NAP + LATE {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(Pause { from, to });
        }
    }
}

/// Binds this thread to a processor and puts it above every server and generator of the real-time class.
fn above_all(cpu: usize) -> bool {
    // "<process>/task/<thread>"
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let tid = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    run("taskset", &["-c", "-p", &cpu.to_string(), &tid]) && run("chrt", &["-f", "-p", "20", &tid])
}
