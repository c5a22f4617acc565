//! Running plans: many seeds on all cores, replay of one, and what a failure prints.
//!
//! # Invariants
//!
//! * A seed stands for its run: nothing else is needed to repeat it.

use crate::clients::Mix;
use crate::faults::{Fault, shrink};
use crate::heap::SECOND;
use crate::outcome::{Summary, invariant, number, text};
use crate::plan::{Plan, Shape};
use crate::world::World;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

/// Runs a plan; the text of the violation, if there is one.
pub fn run(plan: &Plan) -> Result<Summary, String> {
    quietly();
    QUIET.set(!plan.print);
    let outcome = catch_unwind(AssertUnwindSafe(|| World::new(plan.clone()).run()));
    QUIET.set(false);
    outcome.map_err(|cause| text(&*cause))
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A violation is a panic that is caught: it is reported once, by whoever caught it.
fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
}

/// What a failure prints.
pub fn report(plan: &Plan, what: &str) -> String {
    let commit = option_env!("OXKEEPER_COMMIT").unwrap_or("this checkout");
    let again = |faults: &[Fault]| {
        let shorter = Plan { faults: Some(faults.to_vec()), ..plan.clone() };
        run(&shorter).is_err_and(|other| invariant(&other) == invariant(what))
    };
    let shortest = shrink(&plan.schedule(), again);
    let lines: Vec<String> = shortest.iter().map(|f| format!("  {f}")).collect();
    format!(
        "seed {} of {commit}: {what}\nreplay: OXKEEPER_SIM_SEED={} cargo test --test sim runs::replay -- --nocapture\n\
         shortest schedule of faults found, {} of {}:\n{}",
        plan.seed,
        plan.seed,
        shortest.len(),
        plan.schedule().len(),
        lines.join("\n")
    )
}

/// Is a run long and full enough: 120 simulated seconds, 300 acknowledged writes, 5 faults?
fn is_enough(s: &Summary) -> bool {
    s.simulated_ms >= 120_000 && s.acknowledged >= 300 && s.faults >= 5
}

/// Failures after which a run of many seeds ends.
const ENOUGH: usize = 12;

/// Runs seeds on all cores; the sum of their figures, or a report of the failures.
pub fn run_all(seeds: std::ops::Range<u64>) -> Result<Summary, String> {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Summary::default());
    let failures: Mutex<Vec<(Plan, String)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failures.lock().is_ok_and(|f| f.len() >= ENOUGH) {
                return;
            }
            let plan = Plan::of(seed);
            match run(&plan) {
                Ok(summary) if is_enough(&summary) => {
                    total.lock().expect("no panic holds it").add(&summary);
                }
                outcome => {
                    let little = |s: Summary| format!("too little was done to mean anything: {s:?}");
                    let what = outcome.map_or_else(|what| what, little);
                    failures.lock().expect("no panic holds it").push((plan, what));
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|s| (0..cores).for_each(|_| drop(s.spawn(work))));
    let mut failures = failures.into_inner().expect("no panic holds it");
    failures.sort_by_key(|(plan, _)| plan.seed);
    let Some((first, what)) = failures.first() else {
        return Ok(total.into_inner().expect("no panic holds it"));
    };
    let line = |(plan, what): &(Plan, String)| {
        format!("\nseed {}: {}", plan.seed, what.lines().next().unwrap_or(""))
    };
    let others: String = failures.iter().skip(1).map(line).collect();
    Err(format!("{}{others}", report(first, what)))
}

/// `OXKEEPER_SIM_SEED=n` replays one seed and prints its trace; `OXKEEPER_SIM_MUTANT` with a defect.
#[test]
fn replay() {
    let asked = number("OXKEEPER_SIM_SEED");
    let seed = asked.unwrap_or(1) as u64;
    let plan = Plan { print: asked.is_some(), ..Plan::of(seed) };
    #[cfg(feature = "mutants")]
    if let Ok(defect) = std::env::var("OXKEEPER_SIM_MUTANT") {
        oxkeeper::types::mutant::everywhere(defect);
    }
    println!("{:?}", plan.shape);
    plan.schedule().iter().for_each(|f| println!("{f}"));
    let summary = run(&plan).unwrap_or_else(|what| panic!("{what}"));
    println!("{summary:?}");
    assert!(summary.acknowledged > 0);
}

/// Nothing goes wrong: a leader at once, every request answered, nobody loses a session.
#[test]
fn an_ensemble_without_faults_serves() {
    for seed in 0..4 {
        let plan = Plan { faults: Some(Vec::new()), length: 20 * crate::heap::SECOND, ..Plan::of(seed) };
        let print = number("OXKEEPER_SIM_CALM") == Some(seed as i64);
        let summary = run(&Plan { print, ..plan }).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        println!("{summary:?}");
        assert!(summary.leaders == 1 && summary.acknowledged > 30, "seed {seed}: {summary:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..6 {
        let plan = Plan::of(seed);
        assert_eq!(run(&plan), run(&plan), "seed {seed}");
    }
}

/// Seeds of every shape, with every fault, then a liveness phase.
#[test]
fn no_seed_breaks_an_invariant() {
    let seeds = number("OXKEEPER_SIM_SEEDS").unwrap_or(1000) as u64;
    let from = number("OXKEEPER_SIM_FROM").unwrap_or(0) as u64;
    let begun = std::time::Instant::now();
    let total = run_all(from..from + seeds).unwrap_or_else(|report| panic!("{report}"));
    let spent = begun.elapsed().as_secs_f64();
    let hours = total.simulated_ms as f64 / 3_600_000.0;
    println!("{seeds} seeds: {total:?}");
    println!("{hours:.1} simulated hours in {spent:.0} s: {:.0} times real time", hours * 3600.0 / spent);
    if seeds >= 1000 {
        let rare = [total.flips, total.refused, total.peeks, total.upgrades, total.reconfigurations];
        assert!(rare.iter().all(|n| *n > 0), "something never happened: {total:?}");
    }
}

/// Five voters, faults of disks and of power, more than twenty acknowledged writes a second: how
/// much faster than real time one core is.
#[test]
fn five_members_with_disk_faults_write_at_speed() {
    let begun = on_processor();
    let mut total = Summary::default();
    for seed in 0..number("OXKEEPER_SIM_SPEED").unwrap_or(6) as u64 {
        let plan = with_disk_faults(seed);
        let summary = run(&plan).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        assert!(summary.faults >= 5, "seed {seed}: {summary:?}");
        total.add(&summary);
    }
    assert!(total.acknowledged * 1000 >= 20 * total.simulated_ms, "too few writes: {total:?}");
    let (simulated, spent) = (total.simulated_ms as f64 / 1000.0, on_processor() - begun);
    println!(
        "five voters, {:.1} acknowledged writes a second, {} faults: {:.0} times real time on one core",
        total.acknowledged as f64 / simulated,
        total.faults,
        simulated / spent
    );
}

/// Seconds that this thread has spent on a processor: what others do on this machine does not count.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns: f64 = text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(f64::NAN);
    ns / 1e9
}

fn with_disk_faults(seed: u64) -> Plan {
    let of_disks = |f: &Fault| {
        use crate::faults::What;
        let power = matches!(f.what, What::PowerCut | What::Crash { .. } | What::Wipe { .. });
        let disk = matches!(f.what, What::Full { .. } | What::DiskFails { .. } | What::Stall { .. });
        power || disk || matches!(f.what, What::Flip { .. })
    };
    let plan = Plan::of(seed);
    let shape = Shape {
        voters: 5,
        observers: 0,
        reconfigures: false,
        clients: 5,
        depth: 1,
        think: 5 * SECOND / 50,
        mix: Mix { writes: 80, ..plan.shape.mix },
        left: None,
        ..plan.shape.clone()
    };
    let drawn = |n: u64| crate::faults::draw(seed + 1000 * n, &shape, 5 * SECOND, plan.length);
    let mut faults: Vec<Fault> = (1..).flat_map(drawn).filter(of_disks).take(8).collect();
    faults.sort_by_key(|f| f.at);
    Plan { shape, faults: Some(faults), ..plan }
}
