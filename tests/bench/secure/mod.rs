//! The rows about proof: Kerberos logins, TLS handshakes, reads through TLS, a flood of strangers.
//!
//! # Invariants
//!
//! * Both servers get the same realm, keytab, certificate (RSA, 2048 bits) and keys of `zoo.cfg`; Java serves
//!   TLS by Netty, which is what it has for that.
//! * A login that is refused is an error of the row; so is a handshake that was to resume and did not, on
//!   Oxkeeper. Java's server was not seen to resume for this client: its figure is what it does instead.

mod crowd;
mod flood;
mod login;
mod place;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{Times, Window};
use crate::procfs::Cpu;
use crate::rows::{Group, ROWS, Seen};
use crate::scenes::{self, Pace};
use crate::servers::{self, Kind, Programs};
use crate::stats::Histogram;
use crate::tree::Results;

pub use crowd::crowd;
pub use flood::flood;
pub use place::Place;

/// Clients that do one thing after the other.
const HANDS: usize = 4;

/// Starts `kind` with logins and TLS and runs the rows that `wanted` selects.
pub fn run(
    programs: &Programs,
    kind: Kind,
    place: &Place,
    pace: &Pace,
    wanted: &dyn Fn(&str) -> bool,
) -> io::Result<Results> {
    let port = servers::free_port()?;
    let server = servers::start_with(programs, kind, &place.zoo_cfg(port), &place.java_flags())?;
    let secure = SocketAddr::from((server.addr.ip(), port));
    scenes::prepare(server.addr)?;
    scenes::warm_up(&server, pace.warm)?;
    let mut results = Vec::new();
    for row in ROWS.iter().filter(|r| r.group == Group::Secure && wanted(r.id)) {
        let pid = server.pid();
        let seen = match row.id {
            "krb-login" => {
                let clients = login::Clients::new(place);
                repeat(pid, pace.times, || clients.log_in(server.addr))
            }
            "tls-full" => {
                let client = tls::Client::new(place, false)?;
                repeat(pid, pace.times, || client.handshake(secure, true))
            }
            "tls-resumed" => {
                let client = tls::Client::new(place, true)?;
                client.prime(secure)?;
                repeat(pid, pace.times, || client.handshake(secure, kind == Kind::Oxkeeper))
            }
            "tls-get" => tls::gets(&tls::Client::new(place, false)?, secure, pid, pace.times),
            other => Err(io::Error::other(format!("no row {other} in this group"))),
        };
        results.push((row.id, seen?));
    }
    Ok(results)
}

/// Runs `once` on a few threads again and again; CPU of the server for each.
fn repeat(pid: u32, times: Times, once: impl Fn() -> io::Result<()> + Sync) -> io::Result<Seen> {
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..HANDS)
            .map(|_| {
                scope.spawn(|| -> io::Result<Histogram> {
                    let mut latency = Histogram::default();
                    while !stop.load(Relaxed) {
                        let begun = Instant::now();
                        once().inspect_err(|_| stop.store(true, Relaxed))?;
                        latency.record(begun.elapsed());
                        count.fetch_add(1, Relaxed);
                    }
                    Ok(latency)
                })
            })
            .collect();
        let windows = windows(pid, times, &count, &stop);
        stop.store(true, Relaxed);
        let mut latency = Histogram::default();
        for worker in workers {
            match worker.join() {
                Ok(seen) => latency.merge(&seen?),
                Err(_) => return Err(io::Error::other("a client thread panicked")),
            }
        }
        let windows = windows?;
        Ok(Seen {
            values: windows.iter().map(|w| w.cpu_per_million).collect(),
            rates: windows.iter().map(|w| w.rate).collect(),
            latency: Some(latency),
        })
    })
}

/// Samples the server's CPU account and the counter, window by window.
fn windows(pid: u32, times: Times, count: &AtomicU64, stop: &AtomicBool) -> io::Result<Vec<Window>> {
    let pause = |length: Duration| {
        let end = Instant::now() + length;
        while Instant::now() < end && !stop.load(Relaxed) {
            thread::sleep(Duration::from_millis(10).min(end - Instant::now().min(end)));
        }
    };
    pause(times.warm);
    let (mut cpu, mut done, mut at) = (Cpu::of(pid)?, count.load(Relaxed), Instant::now());
    let mut windows = Vec::new();
    for _ in 0..times.windows {
        pause(times.window);
        let (cpu2, done2, at2) = (Cpu::of(pid)?, count.load(Relaxed), Instant::now());
        let n = done2.saturating_sub(done).max(1) as f64;
        windows
            .push(Window { cpu_per_million: cpu2.since(&cpu) / n * 1e6, rate: n / (at2 - at).as_secs_f64() });
        (cpu, done, at) = (cpu2, done2, at2);
    }
    Ok(windows)
}
