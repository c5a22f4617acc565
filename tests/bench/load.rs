//! Closed-loop load: a fixed number of requests in flight, always.
//!
//! # Invariants
//!
//! * The load runs without a break from warm-up to the last window; windows are
//!   cut by sampling the server's CPU account and the operation counters.
//! * Every reply is checked: its xid is the one due, its error code is 0, and it is
//!   not shorter than what was asked for.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::juggle;
use crate::procfs::Cpu;
use crate::session::Session;
use crate::stats::Histogram;
use crate::wire;

/// A request frame that is sent again and again.
pub struct Template {
    /// The frame with its length; the xid is filled in.
    pub frame: Vec<u8>,
    /// The least that a reply carries behind its header, in bytes.
    pub reply: usize,
    /// Where a running number of 12 digits is written before each send, if any.
    pub digits_at: Option<usize>,
}

/// Digits of the running number in a [`Template`].
pub const DIGITS: usize = 12;

impl Template {
    /// A frame that is always the same.
    pub fn fixed(frame: Vec<u8>, reply: usize) -> Self {
        Self { frame, reply, digits_at: None }
    }

    /// A frame with a running number where `marker` (12 bytes) stands.
    pub fn numbered(frame: Vec<u8>, reply: usize, marker: &[u8; DIGITS]) -> Self {
        let digits_at = frame.windows(DIGITS).position(|w| w == marker);
        Self { frame, reply, digits_at }
    }
}

/// The shape of a closed loop.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Client threads.
    pub hands: usize,
    /// Connections of a thread. More than one: one request in flight on each.
    pub conns: usize,
    /// Requests sent with one system call.
    pub block: usize,
    /// Blocks in flight on a connection.
    pub ahead: usize,
}

/// How long to run.
#[derive(Clone, Copy)]
pub struct Times {
    /// Before anything is counted.
    pub warm: Duration,
    /// Length of a window.
    pub window: Duration,
    /// Number of windows.
    pub windows: usize,
}

/// What one window showed.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Server CPU seconds per million operations.
    pub cpu_per_million: f64,
    /// Operations a second.
    pub rate: f64,
}

/// What a closed-loop run showed.
pub struct Outcome {
    /// One entry a window.
    pub windows: Vec<Window>,
    /// Round trips of blocks, all windows.
    pub latency: Histogram,
    /// Operations from the first to the last, warm-up included, by client thread.
    pub operations: Vec<u64>,
}

/// Runs a closed loop. `template` is called once for each client thread.
pub fn run(
    addr: SocketAddr,
    pid: u32,
    shape: Shape,
    times: Times,
    template: impl Fn(usize) -> Template,
) -> io::Result<Outcome> {
    run_over(&[addr], &[pid], shape, times, template)
}

/// The same over several servers: client thread n works on `addrs[n]`, from the first again where there are more
/// threads; CPU is that of all `pids`.
pub fn run_over(
    addrs: &[SocketAddr],
    pids: &[u32],
    shape: Shape,
    times: Times,
    template: impl Fn(usize) -> Template,
) -> io::Result<Outcome> {
    let mut around = addrs.iter().copied().cycle();
    let stop = AtomicBool::new(false);
    let measuring = AtomicBool::new(false);
    let counters: Vec<AtomicU64> = (0..shape.hands).map(|_| AtomicU64::new(0)).collect();
    let total = || counters.iter().map(|c| c.load(Relaxed)).sum::<u64>();
    let mut windows = Vec::new();
    let mut latency = Histogram::default();
    thread::scope(|scope| -> io::Result<()> {
        let workers: Vec<_> = counters
            .iter()
            .enumerate()
            .map(|(n, counter)| {
                let worker = Worker { shape, counter, stop: &stop, measuring: &measuring };
                let template = template(n);
                let addr = around.next();
                scope.spawn(move || {
                    let addr = addr.ok_or_else(|| io::Error::other("no server to load"))?;
                    let outcome = worker.run(addr, &template);
                    if outcome.is_err() {
                        worker.stop.store(true, Relaxed);
                    }
                    outcome
                })
            })
            .collect();
        let sampled = sample(pids, times, &stop, &measuring, &total, &mut windows);
        stop.store(true, Relaxed);
        for worker in workers {
            match worker.join() {
                Ok(seen) => latency.merge(&seen?),
                Err(_) => return Err(io::Error::other("a client thread panicked")),
            }
        }
        sampled
    })?;
    let operations = counters.iter().map(|c| c.load(Relaxed)).collect();
    Ok(Outcome { windows, latency, operations })
}

fn sample(
    pids: &[u32],
    times: Times,
    stop: &AtomicBool,
    measuring: &AtomicBool,
    total: &impl Fn() -> u64,
    windows: &mut Vec<Window>,
) -> io::Result<()> {
    thread::sleep(times.warm);
    measuring.store(true, Relaxed);
    let all = || pids.iter().map(|pid| Cpu::of(*pid)).collect::<io::Result<Vec<_>>>();
    let (mut cpu, mut ops, mut at) = (all()?, total(), Instant::now());
    for _ in 0..times.windows {
        if stop.load(Relaxed) {
            // A worker failed; its error is reported when it is joined.
            return Ok(());
        }
        thread::sleep(times.window);
        let (cpu2, ops2, at2) = (all()?, total(), Instant::now());
        let done = ops2.saturating_sub(ops).max(1) as f64;
        let used: f64 = cpu2.iter().zip(&cpu).map(|(now, before)| now.since(before)).sum();
        windows.push(Window { cpu_per_million: used / done * 1e6, rate: done / (at2 - at).as_secs_f64() });
        (cpu, ops, at) = (cpu2, ops2, at2);
    }
    Ok(())
}

struct Worker<'a> {
    shape: Shape,
    counter: &'a AtomicU64,
    stop: &'a AtomicBool,
    measuring: &'a AtomicBool,
}

impl Worker<'_> {
    fn run(&self, addr: SocketAddr, template: &Template) -> io::Result<Histogram> {
        if self.shape.conns > 1 {
            return juggle::run(
                addr,
                self.shape.conns,
                template,
                || self.stop.load(Relaxed),
                || self.measuring.load(Relaxed),
                |n| {
                    self.counter.fetch_add(n, Relaxed);
                },
            );
        }
        let mut session = Session::open(addr)?;
        let mut latency = Histogram::default();
        let mut block = Block::new(template, self.shape.block);
        let mut sent = VecDeque::new();
        for _ in 0..self.shape.ahead {
            session.stream.write_all(block.next())?;
            sent.push_back(Instant::now());
        }
        while let Some(begun) = sent.pop_front() {
            self.receive(&mut session, template.reply)?;
            self.counter.fetch_add(self.shape.block as u64, Relaxed);
            let now = Instant::now();
            if self.measuring.load(Relaxed) {
                latency.record(now - begun);
            }
            if !self.stop.load(Relaxed) {
                session.stream.write_all(block.next())?;
                sent.push_back(now);
            }
        }
        session.close()?;
        Ok(latency)
    }

    /// Takes the replies to one block.
    fn receive(&self, session: &mut Session, least: usize) -> io::Result<()> {
        let mut due = 1i32;
        while due as usize <= self.shape.block {
            let Some(reply) = session.replies.next() else {
                session.replies.fill(&mut session.stream)?;
                continue;
            };
            reply.check(due, least)?;
            due += 1;
        }
        Ok(())
    }
}

/// Copies of a template, one behind the other, with xids 1, 2, 3, ...
struct Block {
    bytes: Vec<u8>,
    stride: usize,
    digits_at: Option<usize>,
    number: u64,
}

impl Block {
    fn new(template: &Template, copies: usize) -> Self {
        let mut bytes = Vec::new();
        for xid in 1..=copies {
            let mut frame = template.frame.clone();
            wire::put_xid(&mut frame, xid as i32);
            bytes.extend_from_slice(&frame);
        }
        Self { bytes, stride: template.frame.len(), digits_at: template.digits_at, number: 0 }
    }

    /// The bytes to send next.
    fn next(&mut self) -> &[u8] {
        if let Some(at) = self.digits_at {
            for frame in self.bytes.chunks_exact_mut(self.stride) {
                put_digits(frame.get_mut(at..at + DIGITS).unwrap_or_default(), self.number);
                self.number += 1;
            }
        }
        &self.bytes
    }
}

/// Writes a number in decimal, right-aligned, with leading zeros.
pub fn put_digits(slot: &mut [u8], mut number: u64) {
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
