//! One standalone server: the production node, driver, storage and codecs on virtual time.
//!
//! One seed decides everything: what clients ask, when the log is synced, when the process
//! crashes and what its disk looks like afterwards. After every crash the same recovery as
//! in production runs, and the checkers of [`check`] hold the outcome against the history.
//!
//! # Invariants
//!
//! * Same seed, same trace, byte for byte.
//! * A failure prints the seed and the one line that replays it.

mod check;
mod client;
mod history;
mod world;

use crate::outcome::{number, text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Plan, World};

/// Runs one plan; a violation names the seed and how to replay it.
fn run(plan: Plan) -> world::Summary {
    let outcome = catch_unwind(AssertUnwindSafe(|| World::new(plan).run()));
    match outcome {
        Ok(summary) => summary,
        Err(cause) => {
            let what = text(&*cause);
            let commit = option_env!("OXKEEPER_COMMIT").unwrap_or("this checkout");
            let crash = plan.crash_at.map_or(-1, |c| c as i64);
            let Plan { seed, events, crashes, faults, .. } = plan;
            panic!(
                "seed {seed} of {commit}: {what}\nreplay: \
                 OXKEEPER_SIM={seed},{events},{crash},{crashes},{faults} cargo test --test sim standalone::replay -- --nocapture"
            );
        }
    }
}

/// `OXKEEPER_SIM=seed,events,crash,crashes,faults` replays one run and prints its trace.
#[test]
fn replay() {
    let text = std::env::var("OXKEEPER_SIM").unwrap_or_default();
    let mut fields = text.split(',');
    let mut field = || fields.next().filter(|f| !f.is_empty());
    let plan = Plan {
        seed: field().and_then(|f| f.parse().ok()).unwrap_or(1),
        events: field().and_then(|f| f.parse().ok()).unwrap_or(400),
        crash_at: field().and_then(|f| f.parse().ok()),
        crashes: field() == Some("true"),
        faults: field() == Some("true"),
        print: !text.is_empty(),
    };
    let summary = run(plan);
    println!("{summary:?}");
    assert!(summary.acknowledged > 0);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let plan = Plan { seed, events: 600, crashes: true, ..Plan::default() };
        assert_eq!(run(plan).trace, run(plan).trace, "seed {seed}");
    }
}

/// A crash at every single event of a run, for several runs.
#[test]
fn a_crash_at_every_event_loses_nothing_that_was_answered() {
    let mut images = 0;
    for seed in 0..12 {
        for crash_at in 0..150 {
            images += run(Plan { seed, events: 150, crash_at: Some(crash_at), ..Plan::default() }).crashes;
        }
    }
    println!("{images} crashes recovered");
    assert!(images >= 12 * 150);
}

/// Long runs with every fault drawn by the seed, then a liveness phase.
#[test]
fn swarms_of_faults_break_no_invariant() {
    let seeds = number("OXKEEPER_SIM_SEEDS").unwrap_or(300) as u64;
    let mut total = world::Summary::default();
    for seed in 1000..1000 + seeds {
        total.add(&run(Plan { seed, events: 1500, crashes: true, faults: true, ..Plan::default() }));
    }
    println!("{seeds} seeds: {total:?}");
    assert!(total.acknowledged > seeds * 100, "too little was done to mean anything: {total:?}");
    assert!(total.crashes > seeds && total.snapshots > seeds && total.expired > 0 && total.full > 0);
}

/// Each defect that touches order, durability, sessions or watches is noticed by a checker.
#[cfg(feature = "mutants")]
#[test]
fn every_mutant_is_caught() {
    use oxkeeper::types::mutant;
    const CAUGHT: &[(&str, &str)] = &[
        ("reply-before-sync", "I"),
        ("read-overtakes-write", "I1"),
        ("event-lost", "I13"),
        ("one-shot-stays", "I13"),
        ("multi-partial", "I"),
        ("pause-expires", "I10"),
        ("ephemeral-stays", "I9"),
        ("session-forgotten", "I8"),
        ("digest-stale", "I9"),
    ];
    for (name, invariant) in CAUGHT {
        assert!(mutant::ALL.iter().any(|(n, _)| n == name), "{name} is not in the table");
        let found = (0..200).find_map(|seed| {
            mutant::here(Some(name));
            let plan = Plan { seed, events: 1500, crashes: true, faults: true, ..Plan::default() };
            let outcome = catch_unwind(AssertUnwindSafe(|| World::new(plan).run()));
            mutant::here(None);
            let cause = outcome.err()?;
            Some((seed, text(&*cause)))
        });
        let (seed, what) = found.unwrap_or_else(|| panic!("{name} is not noticed"));
        println!("{name}: seed {seed}: {}", what.lines().next().unwrap_or_default());
        assert!(what.contains(invariant), "{name} is noticed by another checker: {what}");
    }
}
