//! Draws a schedule: each run has its own selection of faults and its own rates (a swarm).
//!
//! # Invariants
//!
//! * At least five faults a schedule.
//! * At most one disk is emptied a run and at most one is damaged, and only of a member that others
//!   can make good for.

use super::{Fault, What};
use crate::heap::{MS, SECOND, Time};
use crate::net::{Port, Who};
use crate::plan::Shape;
use oxkeeper::driver::Spread;

/// Kinds of faults, as the swarm switches them on and off.
const KINDS: usize = 17;

/// Faults of a run between `from` and `until`.
pub fn draw(seed: u64, shape: &Shape, from: Time, until: Time) -> Vec<Fault> {
    let mut rng = Spread::new(seed ^ 0xfa17);
    // Some kinds are on, with weights; a run with all of them at once would drown each of them.
    let mut weights = [0u64; KINDS];
    for w in &mut weights {
        *w = if rng.below(100) < 45 { 1 + rng.below(8) } else { 0 };
    }
    weights[1] = weights[1].max(1);
    if !shape.reconfigures {
        weights[15] = 0;
    }
    let count = 5 + rng.below(20);
    let mut faults = Vec::new();
    let mut once = Once::default();
    for _ in 0..count {
        let at = from + rng.below(until - from);
        let what = one(&mut rng, &weights, shape, &mut once);
        let lasts = length(&mut rng, &what).min(until.saturating_sub(at));
        faults.push(Fault { at, lasts, what });
    }
    faults.sort_by_key(|f| f.at);
    faults
}

fn pick(rng: &mut Spread, weights: &[u64]) -> usize {
    let mut left = rng.below(weights.iter().sum());
    for (i, w) in weights.iter().enumerate() {
        if left < *w {
            return i;
        }
        left -= w;
    }
    1
}

/// What comes once a run at most.
#[derive(Default)]
struct Once {
    wiped: bool,
    flipped: bool,
}

fn one(rng: &mut Spread, weights: &[u64; KINDS], shape: &Shape, once: &mut Once) -> What {
    let members = shape.members() as u64;
    let who = rng.below(members) as Who;
    let port = match rng.below(4) {
        0 => Some(Port::Election),
        1 => Some(Port::Quorum),
        _ => None,
    };
    match pick(rng, weights) {
        0 => What::Crash { who, op: Some(1 + rng.below(12)) },
        1 => What::CrashLeader,
        2 => What::Crash { who, op: None },
        3 => What::PowerCut,
        4 => What::Pause { who },
        5 => What::PauseLeader,
        6 => What::Cut { directions: partition(rng, members as usize), port },
        7 => What::Reset { who },
        8 => {
            let to = rng.below(members) as Who;
            What::Slow { from: who, to, extra: rng.below(2000) * MS }
        }
        9 => What::Wall { who, ms: rng.below(20 * 365 * 86_400) as i64 * 1000 - 10 * 365 * 86_400_000 },
        10 => What::Full { who },
        11 => What::DiskFails { who, op: 1 + rng.below(12) },
        12 => What::Stall { who, extra: (1 + rng.below(900)) * MS },
        13 if !once.wiped => {
            once.wiped = true;
            What::Wipe { who }
        }
        16 if !once.flipped => {
            once.flipped = true;
            What::Flip { who, log: rng.below(3) != 0, dies: rng.below(3) != 0 }
        }
        14 => match rng.below(2) {
            0 => What::Disconnect,
            _ => What::Transfer { to: (rng.below(2) == 0).then_some(who) },
        },
        15 => reconfiguration(rng, shape),
        _ => What::CrashLeader,
    }
}

/// A member goes, comes back, or changes what it is.
fn reconfiguration(rng: &mut Spread, shape: &Shape) -> What {
    // The first two voters stay, so that a quorum of acquaintances always exists.
    let who = 2 + rng.below(shape.members() as u64 - 2) as Who;
    match rng.below(3) {
        0 => What::Reconfigure { joins: None, leaves: Some(who), observer: false },
        1 => What::Reconfigure { joins: Some(who), leaves: None, observer: rng.below(3) == 0 },
        _ => What::Reconfigure { joins: Some(who), leaves: None, observer: false },
    }
}

fn length(rng: &mut Spread, what: &What) -> Time {
    let short = rng.below(2000) * MS;
    let long = rng.below(20 * SECOND);
    match what {
        What::PowerCut => 100 * MS + short,
        What::Pause { .. } | What::PauseLeader => {
            if rng.below(2) == 0 {
                short
            } else {
                long
            }
        }
        What::Wipe { .. } | What::Flip { .. } => SECOND + short,
        What::Reset { .. } | What::Wall { .. } | What::Disconnect => 0,
        What::Transfer { .. } | What::Reconfigure { .. } => 0,
        _ => {
            if rng.below(3) == 0 {
                short
            } else {
                long
            }
        }
    }
}

/// A partition of one of the shapes, symmetric or one way only.
fn partition(rng: &mut Spread, n: usize) -> Vec<(Who, Who)> {
    let one_way = rng.below(3) == 0;
    let lone = rng.below(n as u64) as usize;
    let side: Vec<bool> = (0..n).map(|_| rng.below(2) == 0).collect();
    let cut = match rng.below(5) {
        // One alone.
        0 => pairs(n, |a, b| a == lone || b == lone),
        // Each on a side of its own choice.
        1 => pairs(n, |a, b| side[a] != side[b]),
        // A majority and the rest.
        2 => pairs(n, |a, b| ((a + lone) % n <= n / 2) != ((b + lone) % n <= n / 2)),
        // Two sides, and a bridge that reaches both.
        3 => pairs(n, |a, b| a != lone && b != lone && side[a] != side[b]),
        // Each reaches its neighbours alone.
        _ => pairs(n, |a, b| (a + 1) % n != b && (b + 1) % n != a),
    };
    match one_way {
        true => cut
            .into_iter()
            .filter(|(a, b)| (*a == lone) != (*b == lone) || a < b)
            .filter(|(a, _)| *a != lone)
            .collect(),
        false => cut,
    }
}

fn pairs(n: usize, cut: impl Fn(usize, usize) -> bool) -> Vec<(Who, Who)> {
    let all = (0..n).flat_map(|a| (0..n).map(move |b| (a, b)));
    all.filter(|(a, b)| a != b && cut(*a, *b)).collect()
}
