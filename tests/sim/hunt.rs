//! Hunts for defects: the runs behind the tables of [`crate::scenarios`] and [`crate::proofs`].
//!
//! # Invariants
//!
//! * The seed that found a defect last is tried first, so that a hunt is short while nothing has changed.
//! * A defect is on in the thread of its run alone.

use crate::outcome::{invariant, number};
use crate::plan::Plan;
use crate::proofs::{self, Proof};
use crate::runs::{report, run};
use crate::scenarios::{self, SEEDS, Scenario};
use oxkeeper::types::mutant;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The first seed for which `found` says something, with the defect switched on.
fn hunt<T>(name: &'static str, first: u64, mut found: impl FnMut(u64) -> Option<T>) -> Option<(u64, T)> {
    mutant::here(Some(name));
    let seeds = number("OXKEEPER_SIM_SEEDS").map_or(SEEDS, |n| n as u64);
    let order = [first].into_iter().chain((0..seeds).filter(|seed| *seed != first));
    let hit = order.into_iter().find_map(|seed| found(seed).map(|what| (seed, what)));
    mutant::here(None);
    hit
}

fn plan(seed: u64, shape: fn(&mut Plan)) -> Plan {
    let mut plan = Plan::of(seed);
    shape(&mut plan);
    plan.print = std::env::var_os("OXKEEPER_SIM_PRINT").is_some();
    plan
}

/// What came of a scenario, as a row of the table; or why it counts as missed.
fn scenario(s: &Scenario) -> Result<String, String> {
    let Some((seed, what)) = hunt(s.mutant, s.seed, |seed| run(&plan(seed, s.shape)).err()) else {
        return Err(format!("{} ({}): not found by {SEEDS} seeds", s.bug, s.mutant));
    };
    let line = what.lines().next().unwrap_or_default();
    match invariant(&what).filter(|i| s.found_by.contains(i)) {
        Some(by) => Ok(format!("| {} | `{}` | {seed} | {by} |", s.bug, s.mutant)),
        None => Err(format!("{} ({}), seed {seed}, by something else: {line}", s.bug, s.mutant)),
    }
}

/// The seed at which a checker's defect is noticed by that checker and by no other one.
fn proof(p: &Proof) -> Result<String, String> {
    let mut others = BTreeSet::new();
    let alone = |seed: u64| {
        let all_on = plan(seed, p.shape);
        let what = run(&all_on).err()?;
        let by = invariant(&what).and_then(|name| name[1..].parse().ok());
        let off = Plan { off: BTreeSet::from([p.check]), ..all_on };
        let besides = if by == Some(p.check) { run(&off).err() } else { Some(what) };
        besides
            .map(|what| others.insert(what.lines().next().unwrap_or_default().to_owned()))
            .is_none()
            .then_some(())
    };
    match hunt(p.mutant, p.seed, alone) {
        Some((seed, ())) => Ok(format!("| I{} | `{}` | {seed} |", p.check, p.mutant)),
        None => {
            let others: Vec<String> = others.into_iter().take(3).collect();
            Err(format!("I{}: {} is never noticed by it alone, but: {others:#?}", p.check, p.mutant))
        }
    }
}

/// Judges a table on all cores; the rows in their order, or an error that names the missed ones.
fn judge<T: Sync>(
    table: &[T],
    name: fn(&T) -> &'static str,
    judge: fn(&T) -> Result<String, String>,
) -> Vec<String> {
    let only = std::env::var("OXKEEPER_SIM_MUTANT").ok();
    let list: Vec<&T> = table.iter().filter(|t| only.as_ref().is_none_or(|o| o == name(t))).collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(t) = list.get(n) else { return };
            let named = mutant::ALL.iter().any(|(known, _)| *known == name(t));
            let row = if named { judge(t) } else { Err(format!("{} is not in the table", name(t))) };
            match &row {
                Ok(found) => println!("{found}"),
                Err(missed) => println!("missed: {missed}"),
            }
            rows.lock().expect("no panic holds it").push((n, row));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|s| (0..cores).for_each(|_| drop(s.spawn(work))));
    let mut rows = rows.into_inner().expect("no panic holds it");
    rows.sort_by_key(|(n, _)| *n);
    let missed: Vec<&String> = rows.iter().filter_map(|(_, row)| row.as_ref().err()).collect();
    assert!(missed.is_empty(), "{} of {} missed:\n{missed:#?}", missed.len(), rows.len());
    rows.into_iter().filter_map(|(_, row)| row.ok()).collect()
}

#[test]
fn every_mutant_of_history_is_found() {
    let rows = judge(scenarios::ALL, |s| s.mutant, scenario);
    assert!(scenarios::ALL.len() >= 40);
    println!("{} historic bugs found", rows.len());
}

#[test]
fn every_mutant_of_a_checker_is_found_by_it_alone() {
    let numbers: Vec<u8> = proofs::ALL.iter().map(|p| p.check).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>(), "one proof for each checker");
    let rows = judge(proofs::ALL, |p| p.mutant, proof);
    println!("{} checkers proven", rows.len());
}

/// What a failure prints: the seed, how to replay it, and fewer faults than were drawn.
#[test]
fn every_mutant_that_needs_a_crash_is_reported_with_few_faults() {
    mutant::here(Some("memory-kept"));
    let found = (0..20).map(Plan::of).find_map(|plan| run(&plan).err().map(|what| (plan, what)));
    let text = found.as_ref().map(|(plan, what)| (report(plan, what), plan.schedule().len()));
    mutant::here(None);
    let (text, drawn) = text.expect("a failure");
    println!("{text}");
    let listed = text.lines().filter(|line| line.contains(" long: ")).count();
    assert!(text.contains("replay: OXKEEPER_SIM_SEED=") && listed < drawn, "{listed} of {drawn} faults");
}

/// The tables in the handbook are these tables.
#[test]
fn every_mutant_stands_in_the_handbook() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulator.md");
    let text = std::fs::read_to_string(path).expect("the handbook");
    for s in scenarios::ALL {
        let row = format!("| {} | `{}` | {} | ", s.bug, s.mutant, s.seed);
        assert!(text.contains(&row), "docs/simulator.md lacks: {row}");
    }
    for p in proofs::ALL {
        let row = format!("| I{} | `{}` | {} |", p.check, p.mutant, p.seed);
        assert!(text.contains(&row), "docs/simulator.md lacks: {row}");
    }
}
