//! Three real servers with Kerberos and TLS on every port, under load, and what happens to machines.
//!
//! `make test` runs a few rounds of each; `make process` (`OXKEEPER_PROCESS=full`) runs all of them.
//!
//! # Invariants
//! * One ensemble runs at a time.
//! * Every scenario ends with all members serving, one state in all data directories, and a history in which no
//!   acknowledged write is lost: see `harness::check`.

mod faults;
mod handover;
mod network;
mod operations;
mod quarantine;
mod restored;

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::harness::group::SETTLE;
use crate::harness::history::{History, now};
use crate::harness::load::{By, Load, Shape};
use crate::harness::{Group, Plan, Security};
use crate::support::Kind;

/// Rounds of a scenario: a few in `make test`, many in `make process`.
fn rounds(few: usize, many: usize) -> usize {
    if std::env::var("OXKEEPER_PROCESS").is_ok_and(|v| v == "full") { many } else { few }
}

/// Waits for the machine.
fn turn() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Three Oxkeepers with everything on. Small segments and many snapshots: a test build on a busy machine reads what
/// is preallocated slowly, and hours of writes slower.
fn plan() -> Plan {
    let lines = vec!["preAllocSize=1024".to_owned(), "snapCount=2000".to_owned()];
    Plan { lines, ..Plan::of(&[Kind::Oxkeeper; 3]).secured(Security::FULL) }
}

/// Four clients whose sessions outlast what a busy machine makes of two kills at once.
fn shape() -> Shape {
    Shape { clients: 4, session: Duration::from_secs(60), ..Shape::default() }
}

/// An ensemble under load.
struct Ring {
    group: Group,
    load: Load,
    /// Moments after which a write must be acknowledged again, and what happened then.
    moments: Vec<(u64, String)>,
}

impl Ring {
    fn start(plan: &Plan) -> Result<Ring, String> {
        let group = Group::start(plan)?;
        let load = group.load(By::Rust, &shape())?;
        Ok(Ring { group, load, moments: Vec::new() })
    }

    /// Notes that something happens now.
    fn now(&mut self, what: String) {
        self.moments.push((now(), what));
    }

    /// Waits until a write that was asked from now on is acknowledged.
    fn progress(&self) {
        let (from, deadline) = (now(), Instant::now() + SETTLE);
        while self.load.so_far().gap_after(from).is_none() {
            assert!(Instant::now() < deadline, "no write is acknowledged any more:\n{}", self.group.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn leader(&mut self) -> u64 {
        self.group.leader(SETTLE).unwrap_or_else(|why| panic!("{why}"))
    }

    fn follower(&mut self) -> u64 {
        self.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        self.group.follower().unwrap_or_else(|why| panic!("{why}"))
    }

    fn join(&mut self, id: u64) {
        self.group.join(id).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Ends the load and judges it; `sessions` is how many sessions may have ended by themselves.
    fn finish(mut self, sessions: usize) -> History {
        let history = self.load.stop().unwrap_or_else(|why| panic!("{why}\n{}", self.group.logs()));
        let (faults, state) = self.group.finish(&history).unwrap_or_else(|why| panic!("{why}"));
        let mut report = String::new();
        for (moment, what) in &self.moments {
            let gap = history.gap_after(*moment);
            let _ =
                writeln!(report, "  {what}: next acknowledged write after {:.0} ms", gap.unwrap_or(f64::NAN));
        }
        let mut gaps: Vec<f64> = self.moments.iter().filter_map(|(at, _)| history.gap_after(*at)).collect();
        gaps.sort_by(f64::total_cmp);
        let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        println!(
            "{} writes acknowledged, {} reads, {} sessions ended, {} znodes; gaps: median {median:.0} ms\n{report}",
            history.acknowledged(),
            history.count(crate::harness::history::Act::Get),
            history.expired(),
            state.nodes.len()
        );
        assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), self.group.logs());
        assert!(
            history.expired() <= sessions,
            "{} sessions ended:\n{}",
            history.expired(),
            self.group.logs()
        );
        assert!(history.acknowledged() > 20, "there was no load");
        history
    }
}
