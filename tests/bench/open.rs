//! Open-loop load: requests leave on a schedule, whether or not the server keeps up.
//!
//! # Invariants
//!
//! * A latency counts from the moment the request was due, not from the moment it
//!   was sent: a server that stalls cannot hide the requests it held up.
//! * A request without a reply at the end of the run is an error.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::session::{SILENCE, Session};
use crate::stats::Histogram;
use crate::wire;

/// A schedule of equal requests.
#[derive(Clone, Copy)]
pub struct Schedule {
    /// Requests a second, over all connections.
    pub rate: u32,
    /// Sending ends after this long.
    pub length: Duration,
    /// Requests due before this are sent but not counted.
    pub warm: Duration,
    /// Connections, used in turn.
    pub conns: usize,
}

impl Schedule {
    fn due(&self, i: u64) -> Duration {
        Duration::from_nanos(i * 1_000_000_000 / u64::from(self.rate.max(1)))
    }

    fn count(&self) -> u64 {
        (self.length.as_secs_f64() * f64::from(self.rate)) as u64
    }
}

/// One answered request.
#[derive(Clone, Copy)]
pub struct Sample {
    /// When it was due, from the start of the schedule.
    pub due: Duration,
    /// From due to answered.
    pub latency: Duration,
}

/// The result of a run.
pub struct Outcome {
    /// The start of the schedule.
    pub begun: Instant,
    /// Requests due after the warm-up, in order of their replies.
    pub samples: Vec<Sample>,
}

impl Outcome {
    /// All samples as a histogram.
    pub fn histogram(&self) -> Histogram {
        let mut h = Histogram::default();
        for s in &self.samples {
            h.record(s.latency);
        }
        h
    }
}

/// Sends `frames` in turn on the schedule. `on_tick` is called about every 10 ms
/// with the time since the start, on a thread of its own.
pub fn run(
    addr: SocketAddr,
    schedule: Schedule,
    frames: &[Vec<u8>],
    on_tick: impl FnMut(Duration) + Send,
) -> io::Result<Outcome> {
    let opened: io::Result<Vec<Session>> = (0..schedule.conns).map(|_| Session::open(addr)).collect();
    let mut sessions = opened?;
    let outcome = run_on(&mut sessions, schedule, frames, on_tick)?;
    for session in sessions {
        session.close()?;
    }
    Ok(outcome)
}

/// As [`run`], with sessions that are open already and stay so.
pub fn run_on(
    sessions: &mut [Session],
    schedule: Schedule,
    frames: &[Vec<u8>],
    mut on_tick: impl FnMut(Duration) + Send,
) -> io::Result<Outcome> {
    let writers: io::Result<Vec<_>> = sessions.iter().map(|session| session.stream.try_clone()).collect();
    let mut writers = writers?;
    let done = AtomicBool::new(false);
    let begun = Instant::now() + Duration::from_millis(20);
    let samples = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&schedule, frames, &mut writers, begun));
        scope.spawn(|| {
            while !done.load(Relaxed) {
                on_tick(begun.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
        });
        let samples = receive(&schedule, sessions, begun);
        done.store(true, Relaxed);
        match sender.join() {
            Ok(sent) => sent.and(samples),
            Err(_) => Err(io::Error::other("the sending thread panicked")),
        }
    })?;
    Ok(Outcome { begun, samples })
}

fn send(
    schedule: &Schedule,
    frames: &[Vec<u8>],
    writers: &mut [std::net::TcpStream],
    begun: Instant,
) -> io::Result<()> {
    let mut frames = frames.to_vec();
    let conns = writers.len().max(1);
    let shapes = frames.len().max(1);
    for i in 0..schedule.count() {
        let due = begun + schedule.due(i);
        let now = Instant::now();
        if due > now {
            thread::sleep(due - now);
        }
        let Some(frame) = frames.get_mut(i as usize % shapes) else { break };
        wire::put_xid(frame, i as i32 + 1);
        if let Some(writer) = writers.get_mut(i as usize % conns) {
            writer.write_all(frame)?;
        }
    }
    Ok(())
}

fn receive(schedule: &Schedule, sessions: &mut [Session], begun: Instant) -> io::Result<Vec<Sample>> {
    let count = schedule.count();
    let mut samples = Vec::with_capacity(count as usize);
    let mut seen = 0;
    let limit = Timespec { tv_sec: SILENCE.as_secs() as i64, tv_nsec: 0 };
    while seen < count {
        let ready = ready(sessions, &limit)?;
        if ready.is_empty() {
            let text = format!("{} of {count} requests were never answered", count - seen);
            return Err(io::Error::other(text));
        }
        for n in ready {
            let Some(session) = sessions.get_mut(n) else { continue };
            session.replies.fill(&mut session.stream)?;
            let now = begun.elapsed();
            while let Some(reply) = session.replies.next() {
                if reply.err != 0 {
                    let text = format!("a request was answered with error {}", reply.err);
                    return Err(io::Error::other(text));
                }
                let due = schedule.due((reply.xid as u64).saturating_sub(1));
                if due >= schedule.warm {
                    samples.push(Sample { due, latency: now.saturating_sub(due) });
                }
                seen += 1;
            }
        }
    }
    Ok(samples)
}

/// The sessions with something to read, waiting up to `limit`.
fn ready(sessions: &[Session], limit: &Timespec) -> io::Result<Vec<usize>> {
    let mut fds: Vec<PollFd<'_>> = sessions.iter().map(|s| PollFd::new(&s.stream, PollFlags::IN)).collect();
    match poll(&mut fds, Some(limit)) {
        // A signal, say of a child that ended: what is ready is still ready the next time.
        Err(rustix::io::Errno::INTR) => return self::ready(sessions, limit),
        polled => polled?,
    };
    Ok(fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty()).map(|(n, _)| n).collect())
}
