//! What happens in one cell: load, kills of the leader, and the verdict.
//!
//! # Invariants
//! * A client may lose its connection, never its session.

use std::time::{Duration, Instant};

use crate::harness::group::SETTLE;
use crate::harness::history::{History, now};
use crate::harness::load::{By, Shape};
use crate::harness::{Group, Plan};
use crate::support::Kind;

/// Writes of each load, one after the other, between two kills.
const STEPS: usize = 20;

/// What a cell showed.
pub struct Shown {
    /// Writes acknowledged.
    pub acknowledged: usize,
    /// Who was killed while it led, in order.
    pub killed: Vec<Kind>,
    /// From each kill to the next acknowledged write, milliseconds.
    pub gaps: Vec<f64>,
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, killed, gaps) = (self.acknowledged, &self.killed, &self.gaps);
        write!(f, "{n} writes acknowledged, leaders killed: {killed:?}, next write after {gaps:.0?} ms")
    }
}

/// Runs an ensemble led by `leader` under load, kills its leader `kills` times, and checks everything.
///
/// # Errors
/// What did not hold, with the logs of the members.
pub fn run(plan: &Plan, leader: Kind, kills: usize) -> Result<Shown, String> {
    let mut group = Group::start_led_by(plan, leader)?;
    let shape = Shape::default();
    let mut loads = vec![group.load(By::Rust, &shape)?];
    if !plan.security.clients && crate::support::cache::kazoo_python().is_ok() {
        loads.push(group.load(By::Kazoo, &Shape { clients: 2, ..shape })?);
    }
    let (mut killed, mut moments) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        under_way(&mut group, &loads)?;
        let id = group.leader(SETTLE)?;
        killed.push(group.member(id).kind);
        moments.push(now());
        group.member(id).kill();
        group.leader(SETTLE)?;
        progress(&loads)?;
        group.join(id)?;
        progress(&loads)?;
    }
    let mut history = History::default();
    for load in loads {
        history.add(load.stop().map_err(|why| format!("{why}\n{}", group.logs()))?);
    }
    if history.expired() > 0 {
        let ended: Vec<_> = history.0.iter().filter(|op| !op.failure.is_empty()).take(5).collect();
        return Err(format!("{} sessions expired: {ended:?}\n{}", history.expired(), group.logs()));
    }
    let (faults, _) = group.finish(&history)?;
    if !faults.is_empty() {
        return Err(format!("{}\n{}", faults.join("\n"), group.logs()));
    }
    let gaps = moments.iter().filter_map(|at| history.gap_after(*at)).collect();
    Ok(Shown { acknowledged: history.acknowledged(), killed, gaps })
}

/// Waits until all members serve and each load got some writes acknowledged, one after the other: the next kill meets
/// an ensemble that is complete.
fn under_way(group: &mut Group, loads: &[crate::harness::load::Load]) -> Result<(), String> {
    group.wait_all()?;
    (0..STEPS).try_for_each(|_| progress(loads))
}

/// Waits until every load got a write acknowledged that it asked from now on.
pub fn progress(loads: &[crate::harness::load::Load]) -> Result<(), String> {
    let (from, deadline) = (now(), Instant::now() + SETTLE);
    for load in loads {
        while load.so_far().gap_after(from).is_none() {
            if Instant::now() > deadline {
                return Err(format!("no write of {:?} is acknowledged any more", load.by()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}
