//! Loads that need many sessions: watch fan-out, connect and close, idle crowds.
//!
//! # Invariants
//!
//! * Fan-out counts the set and its delivery: watches are persistent, and a round
//!   ends when the last watcher has its last event.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Window;
use crate::procfs::{Cpu, rss};
use crate::session::Session;
use crate::stats::Histogram;
use crate::wire::{self, op};

/// Read buffer of a session that only ever sees small frames.
const SMALL: usize = 1 << 10;

/// Opens `count` sessions, some at a time, so that group commit can help.
pub fn open_many(addr: SocketAddr, count: usize) -> io::Result<Vec<Session>> {
    const HANDS: usize = 16;
    let share = count.div_ceil(HANDS);
    let mut all = Vec::with_capacity(count);
    thread::scope(|scope| -> io::Result<()> {
        let hands: Vec<_> = (0..HANDS)
            .map(|h| share.min(count.saturating_sub(h * share)))
            .map(|n| {
                scope.spawn(move || -> io::Result<Vec<Session>> {
                    (0..n).map(|_| Session::open_sized(addr, SMALL)).collect()
                })
            })
            .collect();
        for hand in hands {
            match hand.join() {
                Ok(sessions) => all.extend(sessions?),
                Err(_) => return Err(io::Error::other("a connecting thread panicked")),
            }
        }
        Ok(())
    })?;
    Ok(all)
}

/// What a fan-out run showed.
pub struct Fanout {
    /// One entry a group of rounds.
    pub windows: Vec<Window>,
    /// From the set to the last event, one entry a round.
    pub latency: Histogram,
}

/// The shape of a fan-out run.
#[derive(Clone, Copy)]
pub struct Crowd {
    /// Sessions with a persistent watch on the node.
    pub watchers: usize,
    /// Measured windows; one more comes first to warm up.
    pub groups: usize,
    /// Rounds in a window.
    pub rounds: usize,
    /// Sets sent at once in a round.
    pub burst: usize,
}

/// Sets `path` and waits until every watcher has had every event, round by round.
pub fn fan_out(addr: SocketAddr, pid: u32, path: &str, shape: Crowd) -> io::Result<Fanout> {
    let Crowd { watchers, groups, rounds, burst } = shape;
    let mut crowd = open_many(addr, watchers)?;
    let arm = wire::add_persistent_watch(path);
    for session in &mut crowd {
        session.expect(&arm, &[])?;
    }
    let mut writer = Session::open(addr)?;
    let sets = wire::set(path, &[b'x'; 100]).repeat(burst);
    let mut outcome = Fanout { windows: Vec::new(), latency: Histogram::default() };
    for group in 0..=groups {
        let (before, start) = (Cpu::of(pid)?, Instant::now());
        for _ in 0..rounds {
            let begun = Instant::now();
            writer.stream.write_all(&sets)?;
            take(&mut writer, burst)?;
            for session in &mut crowd {
                take(session, burst)?;
            }
            if group > 0 {
                outcome.latency.record(begun.elapsed());
            }
        }
        let took = start.elapsed();
        // Let the server finish what it still has in hand.
        thread::sleep(Duration::from_millis(3));
        let cpu = Cpu::of(pid)?.since(&before);
        let events = (rounds * watchers * burst) as f64;
        if group > 0 {
            outcome
                .windows
                .push(Window { cpu_per_million: cpu / events * 1e6, rate: events / took.as_secs_f64() });
        }
    }
    close_all(crowd)?;
    writer.close()?;
    Ok(outcome)
}

/// Takes `count` frames, events or replies.
fn take(session: &mut Session, count: usize) -> io::Result<()> {
    for _ in 0..count {
        while session.replies.frame().is_none() {
            session.replies.fill(&mut session.stream)?;
        }
    }
    Ok(())
}

/// Closes sessions with many close requests under way at once.
pub fn close_all(crowd: Vec<Session>) -> io::Result<()> {
    let mut crowd = crowd;
    let close = wire::request(1, op::CLOSE, |_| {});
    for chunk in crowd.chunks_mut(500) {
        for session in chunk.iter_mut() {
            session.stream.write_all(&close)?;
        }
        for session in chunk.iter_mut() {
            while session.replies.frame().is_none() {
                session.replies.fill(&mut session.stream)?;
            }
        }
    }
    Ok(())
}

/// What a connect-and-close run showed.
pub struct Churn {
    /// One entry a window.
    pub windows: Vec<Window>,
    /// From connect to the reply to close.
    pub latency: Histogram,
}

/// `hands` clients connect, open a session, close it and start again.
pub fn churn(addr: SocketAddr, pid: u32, hands: usize, times: crate::load::Times) -> io::Result<Churn> {
    let ops = AtomicU64::new(0);
    let end = Instant::now() + times.warm + times.window * times.windows as u32;
    let mut outcome = Churn { windows: Vec::new(), latency: Histogram::default() };
    thread::scope(|scope| -> io::Result<()> {
        let workers: Vec<_> = (0..hands)
            .map(|_| {
                scope.spawn(|| -> io::Result<Histogram> {
                    let mut latency = Histogram::default();
                    while Instant::now() < end {
                        let begun = Instant::now();
                        Session::open_sized(addr, SMALL)?.close()?;
                        latency.record(begun.elapsed());
                        ops.fetch_add(1, Relaxed);
                    }
                    Ok(latency)
                })
            })
            .collect();
        thread::sleep(times.warm);
        let (mut cpu, mut n, mut at) = (Cpu::of(pid)?, ops.load(Relaxed), Instant::now());
        for _ in 0..times.windows {
            thread::sleep(times.window);
            let (cpu2, n2, at2) = (Cpu::of(pid)?, ops.load(Relaxed), Instant::now());
            let done = n2.saturating_sub(n).max(1) as f64;
            outcome.windows.push(Window {
                cpu_per_million: cpu2.since(&cpu) / done * 1e6,
                rate: done / (at2 - at).as_secs_f64(),
            });
            (cpu, n, at) = (cpu2, n2, at2);
        }
        for worker in workers {
            match worker.join() {
                Ok(seen) => outcome.latency.merge(&seen?),
                Err(_) => return Err(io::Error::other("a client thread panicked")),
            }
        }
        Ok(())
    })?;
    Ok(outcome)
}

/// Resident bytes that each of `count` idle sessions costs the server.
pub fn idle(addr: SocketAddr, pid: u32, count: usize) -> io::Result<f64> {
    // What the first few sessions make the server allocate once is not theirs.
    let first = open_many(addr, count.min(200) / 2)?;
    thread::sleep(Duration::from_millis(300));
    let before = rss(pid)?;
    let crowd = open_many(addr, count)?;
    thread::sleep(Duration::from_millis(1500));
    let after = rss(pid)?;
    close_all(crowd)?;
    close_all(first)?;
    Ok(after.saturating_sub(before) as f64 / count as f64)
}
