//! The rows of an ensemble: three servers of one kind on this machine.
//!
//! # Invariants
//!
//! * Sessions of load are spread over all members; latencies are those of a client of a follower, on both kinds.
//! * A gap is measured by a client that never waits by itself: what it shows is the servers'.

mod members;
mod moves;

use std::io;
use std::time::Duration;

use crate::load::{self, DIGITS, Shape, Template};
use crate::open::{self, Schedule};
use crate::rows::Seen;
use crate::scenes::Pace;
use crate::servers::{Kind, Programs};
use crate::session::Session;
use crate::tree::Results;
use crate::wire;
use members::Trio;

/// Two connections a server, 2 blocks of 100 ahead: 1,200 in flight.
const PIPELINED: Shape = Shape { hands: 6, conns: 1, block: 100, ahead: 2 };
/// 16 sessions with one request in flight each.
const SYNCHRONOUS: Shape = Shape { hands: 4, conns: 4, block: 1, ahead: 1 };
const ALONE: Shape = Shape { hands: 1, conns: 1, block: 1, ahead: 1 };
/// Bytes of a stat on the wire.
const STAT: usize = 68;
const NODE_EXISTS: i32 = -110;

/// Runs the rows that `wanted` selects on ensembles of `kind`.
pub fn run(
    programs: &Programs,
    kind: Kind,
    pace: &Pace,
    wanted: &dyn Fn(&str) -> bool,
) -> io::Result<Results> {
    let mut results = Vec::new();
    let steady = ["3-set", "3-create", "3-sync", "3-writer", "3-open"];
    if steady.iter().any(|id| wanted(id)) {
        let trio = Trio::start(programs, kind, None)?;
        prepare(&trio)?;
        closed(&trio, pace, "3-set", PIPELINED)?; // compilers see the common path before anything is counted
        for id in steady.into_iter().filter(|id| wanted(id)) {
            results.push((id, row(&trio, pace, id)?));
        }
    }
    if wanted("3-kill") {
        results.push(("3-kill", moves::kills(&mut Trio::start(programs, kind, None)?)?));
    }
    if wanted("3-handover") {
        results.push(("3-handover", moves::hand_overs(&mut Trio::start(programs, kind, None)?)?));
    }
    if wanted("3-rejoin") {
        let seed = crate::tree::write_seed(&programs.base, pace.leaves)?;
        results.push(("3-rejoin", moves::rejoin(&mut Trio::start(programs, kind, Some(&seed))?)?));
        std::fs::remove_file(seed)?;
    }
    Ok(results)
}

fn prepare(trio: &Trio) -> io::Result<()> {
    let mut s = Session::open(trio.addresses()?[0])?;
    s.expect(&wire::create("/bench", b""), &[NODE_EXISTS])?;
    for n in 0..16 {
        s.expect(&wire::create(&format!("/bench/s{n}"), b""), &[NODE_EXISTS])?;
        s.expect(&wire::create(&format!("/bench/c{n}"), b""), &[NODE_EXISTS])?;
    }
    s.close()
}

fn set(n: usize) -> Template {
    Template::fixed(wire::set(&format!("/bench/s{n}"), &[b's'; 100]), STAT)
}

fn create(n: usize) -> Template {
    let marker = [b'#'; DIGITS];
    let path = format!("/bench/c{n}/{}", String::from_utf8_lossy(&marker));
    Template::numbered(wire::create(&path, &[b'c'; 100]), 4 + path.len(), &marker)
}

fn closed(trio: &Trio, pace: &Pace, id: &str, shape: Shape) -> io::Result<load::Outcome> {
    let template = if id == "3-create" { create } else { set };
    load::run_over(&trio.addresses()?, &trio.pids(), shape, pace.times, template)
}

fn row(trio: &Trio, pace: &Pace, id: &str) -> io::Result<Seen> {
    match id {
        "3-set" | "3-create" => {
            let outcome = closed(trio, pace, id, PIPELINED)?;
            Ok(Seen {
                values: outcome.windows.iter().map(|w| w.cpu_per_million).collect(),
                rates: outcome.windows.iter().map(|w| w.rate).collect(),
                latency: Some(outcome.latency),
            })
        }
        "3-sync" => {
            let outcome = closed(trio, pace, id, SYNCHRONOUS)?;
            let rates: Vec<f64> = outcome.windows.iter().map(|w| w.rate).collect();
            Ok(Seen {
                values: rates.iter().map(|r| 1e6 / r).collect(),
                rates,
                latency: Some(outcome.latency),
            })
        }
        "3-writer" => {
            let follower = [trio.follower()?];
            let outcome = load::run_over(&follower, &trio.pids(), ALONE, pace.times, set)?;
            let values = outcome.latency.quantile_us(0.5).into_iter().collect();
            Ok(Seen { values, rates: Vec::new(), latency: Some(outcome.latency) })
        }
        _ => {
            let frames: Vec<_> = (0..16).map(|n| wire::set(&format!("/bench/s{n}"), &[b'o'; 100])).collect();
            let warm = Duration::from_secs(2);
            let schedule = Schedule { rate: 500, length: pace.set_open + warm, warm, conns: 16 };
            let latency = open::run(trio.follower()?, schedule, &frames, |_| {})?.histogram();
            let values = latency.quantile_us(0.99).into_iter().collect();
            Ok(Seen { values, rates: Vec::new(), latency: Some(latency) })
        }
    }
}
