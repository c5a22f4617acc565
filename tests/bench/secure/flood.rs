//! The row of the flood: what those who are logged in notice of a crowd of strangers.
//!
//! # Invariants
//!
//! * Every session that is logged in answers before, between and behind the two measurements, on the connection on which
//!   it logged in: a lost one is an error of the row.
//! * A crowd that was smaller or slower than it should be is an error of the row.
//! * The calm counts by its median second, the flood with every moment of it: what else happens on the machine never
//!   makes the row better.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::crowd::{BAD_LOGINS, HALF_OPEN};
use super::login::Clients;
use super::place::Place;
use crate::alone::Alone;
use crate::open::{self, Outcome, Schedule};
use crate::rows::Seen;
use crate::servers::{self, Kind, Programs};
use crate::session::Session;
use crate::stats::{Histogram, median};
use crate::wire::{self, op};

/// Sessions that read, and sessions that only are there.
const READERS: usize = 16;
const IDLE: usize = 100;
/// Gets a second.
const RATE: u32 = 2000;
const NODE_EXISTS: i32 = -110;

/// Runs the row on a fresh server that lets nobody in without a login. What Java's server does to its sessions then is
/// told, and is no failure of the benchmark.
pub fn flood(programs: &Programs, kind: Kind, place: &Place, quick: bool) -> io::Result<Seen> {
    match (run(programs, kind, place, quick), kind) {
        (Err(e), Kind::Java) => {
            println!("  Java: {e}");
            Ok(Seen::default())
        }
        (seen, _) => seen,
    }
}

fn run(programs: &Programs, kind: Kind, place: &Place, quick: bool) -> io::Result<Seen> {
    let port = servers::free_port()?;
    let cfg = place.zoo_cfg(port) + "sessionRequireClientSASLAuth=true\n";
    let mut flags = place.java_flags();
    flags.push("-Dzookeeper.sessionRequireClientSASLAuth=true".to_owned());
    let server = servers::start_with(programs, kind, &cfg, &flags)?;
    let secure = SocketAddr::from((server.addr.ip(), port));

    let clients = Clients::new(place);
    let opened: io::Result<Vec<Session>> = (0..READERS + IDLE)
        .map(|n| clients.open(server.addr, if n < READERS { 64 << 10 } else { 1 << 10 }))
        .collect();
    let mut sessions = opened?;
    for (path, data) in [("/bench", &b""[..]), ("/bench/get", &[b'g'; 100])] {
        if let Some(session) = sessions.first_mut() {
            session.expect(&wire::create(path, data), &[NODE_EXISTS])?;
        }
    }
    let recorded = place.write("token", &clients.recorded(server.addr)?)?;
    let mut crowd = Crowd::new(server.addr, secure, &recorded)?;

    let length = Duration::from_secs(if quick { 5 } else { 15 });
    if kind == Kind::Java {
        measure(&mut sessions, Duration::from_secs(4))?; // just-in-time compilers see the path
    }
    all_answer(&mut sessions)?;
    let calm = calm_p99(&alone(server.pid(), &mut sessions, length)?);
    crowd.gather(&mut sessions)?;
    all_answer(&mut sessions)?;
    let since = Instant::now();
    let flooded = alone(server.pid(), &mut sessions, length)?.histogram();
    let told = crowd.end(since.elapsed())?;
    all_answer(&mut sessions)?;
    let flood = p99(&flooded);
    println!("  {} get p99 {calm:.0} us calm, {flood:.0} us in the flood; {told}", kind.name());
    Ok(Seen { latency: Some(flooded), ..Seen::one(flood / calm) })
}

/// The p99 of the median second.
fn calm_p99(outcome: &Outcome) -> f64 {
    let mut seconds: Vec<Histogram> = Vec::new();
    for sample in &outcome.samples {
        let n = sample.due.as_secs() as usize;
        if seconds.len() <= n {
            seconds.resize_with(n + 1, Histogram::default);
        }
        if let Some(second) = seconds.get_mut(n) {
            second.record(sample.latency);
        }
    }
    let all: Vec<f64> = seconds.iter().filter_map(|second| second.quantile_us(0.99)).collect();
    median(&all).unwrap_or(f64::NAN)
}

fn p99(h: &Histogram) -> f64 {
    h.quantile_us(0.99).unwrap_or(f64::NAN)
}

fn all_answer(sessions: &mut [Session]) -> io::Result<()> {
    let get = wire::read(op::GET, "/bench/get", false);
    let lost = sessions.iter_mut().filter_map(|session| session.expect(&get, &[]).err()).collect::<Vec<_>>();
    match lost.first() {
        None => Ok(()),
        Some(e) => {
            Err(io::Error::other(format!("{} sessions that were logged in are lost: {e}", lost.len())))
        }
    }
}

fn alone(pid: u32, sessions: &mut [Session], length: Duration) -> io::Result<Outcome> {
    let _alone = Alone::with(pid);
    measure(sessions, length)
}

fn measure(sessions: &mut [Session], length: Duration) -> io::Result<Outcome> {
    let warm = Duration::from_secs(1);
    let schedule = Schedule { rate: RATE, length: length + warm, warm, conns: READERS };
    let readers = sessions.get_mut(..READERS).unwrap_or_default();
    let frames = [wire::read(op::GET, "/bench/get", false)];
    open::run_on(readers, schedule, &frames, |_| {})
}

/// The process of `crowd.rs`.
struct Crowd {
    child: Child,
    says: BufReader<std::process::ChildStdout>,
}

impl Crowd {
    fn new(plain: SocketAddr, secure: SocketAddr, token: &std::path::Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--crowd").arg(plain.to_string()).arg(secure.to_string()).arg(token);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        match child.stdout.take() {
            Some(out) => Ok(Self { child, says: BufReader::new(out) }),
            None => Err(io::Error::other("the crowd has no output")),
        }
    }

    /// Begins; comes back when the crowd is complete. Sessions are heard of meanwhile, or they would expire.
    fn gather(&mut self, sessions: &mut [Session]) -> io::Result<()> {
        if let Some(stdin) = &mut self.child.stdin {
            stdin.write_all(b"go\n")?;
        }
        let line = thread::scope(|scope| {
            let waits = scope.spawn(|| self.line());
            while !waits.is_finished() {
                all_answer(sessions)?;
                thread::sleep(Duration::from_millis(500));
            }
            waits.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })?;
        match line.as_str() {
            "ready" => Ok(()),
            other => Err(io::Error::other(format!("the crowd is not complete: {other}"))),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Ends the crowd and judges it by what it did in at least `length`; in words.
    fn end(&mut self, length: Duration) -> io::Result<String> {
        drop(self.child.stdin.take());
        let line = self.line()?;
        self.child.wait()?;
        let counts: Vec<u64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
        let [open, opened, logins] = counts[..] else {
            return Err(io::Error::other(format!("the crowd says: {line}")));
        };
        let told = format!("{open} half open in the mean, {opened} opened, {logins} bad logins ended");
        let enough = length.as_secs() * BAD_LOGINS * 9 / 10;
        if open < HALF_OPEN * 9 / 10 || logins < enough {
            return Err(io::Error::other(format!("the crowd was too small: {told}")));
        }
        Ok(told)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Without its input it ends by itself; whatever it still does ends here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
