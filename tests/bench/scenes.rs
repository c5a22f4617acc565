//! Runs the rows of one group against one server instance.
//!
//! # Invariants
//!
//! * Every scene leaves the tree as small as it found it, so that no row pays for
//!   the one before.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::alone::Alone;
use crate::crowd;
use crate::hiccup::Hiccups;
use crate::load::{self, DIGITS, Shape, Template, Times};
use crate::open::{self, Schedule};
use crate::rows::{Seen, child_name};
use crate::servers::Running;
use crate::session::{self, Session};
use crate::wire::{self, op};

/// Bytes of a stat on the wire.
const STAT: usize = 68;

/// ZooKeeper's NODEEXISTS.
const NODE_EXISTS: i32 = -110;

/// Connections of the pipelined rows.
const CONNS: usize = 4;
/// 4 connections, 2 blocks of 100 ahead: 800 in flight, below the default
/// globalOutstandingLimit of 1,000, which would stop the reading of connections.
const PIPELINED: Shape = Shape { hands: CONNS, conns: 1, block: 100, ahead: 2 };
/// One request in flight on each of 32 connections: enough to keep two cores busy,
/// so that idle wake-ups do not drown what the server itself costs.
const DEPTH_1: Shape = Shape { hands: 1, conns: 32, block: 1, ahead: 1 };

/// How long everything runs.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Closed loops.
    pub times: Times,
    /// Unmeasured load after the start of a server.
    pub warm: Duration,
    /// Length of the open-loop gets.
    pub get_open: Duration,
    /// Length of the open-loop sets.
    pub set_open: Duration,
    /// Length of the sets beside snapshots.
    pub snapshot: Duration,
    /// Sessions of the idle row.
    pub idle: usize,
    /// Leaves of the large tree.
    pub leaves: u64,
}

/// Creates the nodes that the rows of the main group use.
pub fn prepare(addr: SocketAddr) -> io::Result<()> {
    let mut s = Session::open(addr)?;
    let mut make = |path: &str, data: &[u8]| s.expect(&wire::create(path, data), &[NODE_EXISTS]);
    make("/bench", b"")?;
    make("/bench/get", &[b'g'; 1024])?;
    make("/bench/watched", b"")?;
    make("/bench/children", b"")?;
    for i in 0..100 {
        make(&format!("/bench/children/{}", child_name(i)), b"")?;
    }
    for n in 0..CONNS.max(16) {
        make(&format!("/bench/s{n}"), b"")?;
        make(&format!("/bench/c{n}"), b"")?;
        for path in multi_paths(n) {
            make(&path, b"")?;
        }
    }
    s.close()
}

fn set_path(conn: usize) -> String {
    format!("/bench/s{conn}")
}

fn multi_paths(conn: usize) -> Vec<String> {
    (0..10).map(|i| format!("/bench/m{conn}-{i}")).collect()
}

/// Lets just-in-time compilers see the common paths before anything is counted.
pub fn warm_up(server: &Running, length: Duration) -> io::Result<()> {
    for id in ["get-pipe", "set-pipe", "get"] {
        let (shape, template) = closed(id).ok_or_else(|| io::Error::other("no such load"))?;
        let times = Times { warm: length / 3, window: Duration::ZERO, windows: 0 };
        load::run(server.addr, server.pid(), shape, times, template)?;
    }
    Ok(())
}

type MakeTemplate = fn(usize) -> Template;

/// Shape and request of the closed-loop row `id`.
fn closed(id: &str) -> Option<(Shape, MakeTemplate)> {
    Some(match id {
        "get" => (DEPTH_1, |_| Template::fixed(wire::read(op::GET, "/bench/get", false), 4 + 1024 + STAT)),
        "exists" => (DEPTH_1, |_| Template::fixed(wire::read(op::EXISTS, "/bench/get", false), STAT)),
        "children" => (Shape { block: 25, ..PIPELINED }, |_| {
            let least = 4 + 100 * (4 + child_name(0).len());
            Template::fixed(wire::read(op::CHILDREN, "/bench/children", false), least)
        }),
        "get-pipe" => {
            (PIPELINED, |_| Template::fixed(wire::read(op::GET, "/bench/get", false), 4 + 1024 + STAT))
        }
        "set-pipe" => (PIPELINED, |n| Template::fixed(wire::set(&set_path(n), &[b's'; 100]), STAT)),
        "create-pipe" => (PIPELINED, |n| {
            let marker = [b'#'; DIGITS];
            let path = format!("/bench/c{n}/{}", String::from_utf8_lossy(&marker));
            Template::numbered(wire::create(&path, &[b'c'; 100]), 4 + path.len(), &marker)
        }),
        "writer" => {
            (Shape { conns: 1, ..DEPTH_1 }, |n| Template::fixed(wire::set(&set_path(n), &[b's'; 100]), STAT))
        }
        "multi" => (Shape { block: 20, ..PIPELINED }, |n| {
            Template::fixed(wire::multi_set(&multi_paths(n), &[b'm'; 100]), 10 * (9 + STAT) + 9)
        }),
        _ => return None,
    })
}

/// Runs one row of the main group.
pub fn main_row(id: &str, server: &Running, pace: &Pace) -> io::Result<Seen> {
    let (addr, pid) = (server.addr, server.pid());
    if let Some((shape, template)) = closed(id) {
        let outcome = load::run(addr, pid, shape, pace.times, template)?;
        if id == "create-pipe" {
            remove_created(addr, &outcome.operations)?;
        }
        return Ok(from_windows(&outcome.windows, outcome.latency));
    }
    match id {
        "fanout" | "fanout-burst" => {
            let shape = crowd::Crowd {
                watchers: 1000,
                groups: pace.times.windows,
                rounds: if id == "fanout" { 20 } else { 10 },
                burst: if id == "fanout" { 1 } else { 10 },
            };
            let seen = crowd::fan_out(addr, pid, "/bench/watched", shape)?;
            Ok(from_windows(&seen.windows, seen.latency))
        }
        "churn" => {
            let seen = crowd::churn(addr, pid, 8, pace.times)?;
            Ok(from_windows(&seen.windows, seen.latency))
        }
        "get-open" => {
            let frames = vec![wire::read(op::GET, "/bench/get", false)];
            let _alone = Alone::with(pid);
            open_row(addr, 5000, pace.get_open, &frames, 0.999)
        }
        "set-open" => {
            let frames: Vec<_> = (0..16).map(|n| wire::set(&format!("/bench/s{n}"), &[b'o'; 100])).collect();
            let _alone = Alone::with(pid);
            open_row(addr, 500, pace.set_open, &frames, 0.99)
        }
        _ => Err(io::Error::other(format!("no row {id} in this group"))),
    }
}

/// An open-loop row: a quantile of all requests that no pause of the host touched (see [`crate::hiccup`]).
fn open_row(
    addr: SocketAddr,
    rate: u32,
    length: Duration,
    frames: &[Vec<u8>],
    quantile: f64,
) -> io::Result<Seen> {
    let warm = Duration::from_secs(2);
    let schedule = Schedule { rate, length: length + warm, warm, conns: 16 };
    let hiccups = Hiccups::listen();
    let mut outcome = open::run(addr, schedule, frames, |_| {})?;
    let share = hiccups.leave_out(&mut outcome);
    println!("             left out for pauses of the host: {:.2} %", share * 100.0);
    let histogram = outcome.histogram();
    let values = histogram.quantile_us(quantile).into_iter().collect();
    Ok(Seen { values, rates: Vec::new(), latency: Some(histogram) })
}

fn from_windows(windows: &[load::Window], latency: crate::stats::Histogram) -> Seen {
    Seen {
        values: windows.iter().map(|w| w.cpu_per_million).collect(),
        rates: windows.iter().map(|w| w.rate).collect(),
        latency: Some(latency),
    }
}

/// Deletes what the create row made; `counts` is one entry a connection.
fn remove_created(addr: SocketAddr, counts: &[u64]) -> io::Result<()> {
    in_parallel(counts.len(), |n| {
        let count = counts.get(n).copied().unwrap_or(0);
        let deletes = (0..count).map(move |i| wire::delete(&format!("/bench/c{n}/{i:012}")));
        session::bulk(addr, deletes, &[])
    })
}

/// Creates the large tree by requests: the same tree as `seed.rs` writes.
pub fn grow(addr: SocketAddr, leaves: u64, data: &[u8]) -> io::Result<()> {
    use crate::seed;
    let parents = seed::PARENTS.min(leaves.max(1));
    let tops = (0..parents).map(|p| format!("/tree/p{p:04}"));
    let tops = std::iter::once("/tree".to_string()).chain(tops);
    session::bulk(addr, tops.map(|path| wire::create(&path, b"")), &[])?;
    in_parallel(CONNS, |n| {
        let mine = (0..parents).filter(move |p| *p as usize % CONNS == n);
        let paths = mine.flat_map(|p| (0..leaves / parents).map(move |c| seed::leaf(p, c)));
        session::bulk(addr, paths.map(|path| wire::create(&path, data)), &[])
    })
}

fn in_parallel(hands: usize, work: impl Fn(usize) -> io::Result<u64> + Sync) -> io::Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = (0..hands).map(|n| scope.spawn(move || work(n))).collect();
        for hand in all {
            match hand.join() {
                Ok(done) => done.map(drop)?,
                Err(_) => return Err(io::Error::other("a client thread panicked")),
            }
        }
        Ok(())
    })
}
