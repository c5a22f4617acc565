//! Replays the corpus of every fuzz target on stable Rust, and measures what decoding costs.
//!
//! The fuzzers themselves run with `make fuzz` (nightly). Inputs that they find go into `corpus/<target>/` and stay
//! there; `seeds.py` makes the first ones, most of them from recordings of Java servers and clients.
//!
//! # Invariants
//!
//! * Every target has at least [`CORPUS`] inputs and a fuzzer.
//! * An input that is refused costs no more memory than its own size and a reserve; one that is taken a small multiple.

mod large;
mod targets;

use peak_alloc::PeakAlloc;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use targets::{TARGETS, Target};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Fewest inputs of a target.
const CORPUS: usize = 50;

/// Longest input that is tried with every byte damaged.
const SMALL: usize = 200;

/// The counters are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn home() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz"))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = home().join("corpus").join(name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files.into_iter().map(|f| (f.clone(), fs::read(&f).expect("an input"))).collect()
}

#[test]
fn every_target_survives_its_corpus() {
    let _alone = alone();
    for target in TARGETS {
        let name = target.name;
        let inputs = corpus(name);
        assert!(inputs.len() >= CORPUS, "{name}: {} inputs, at least {CORPUS} wanted", inputs.len());
        let mut taken = 0;
        for (file, data) in &inputs {
            assert!(catch_unwind(|| (target.check)(data)).is_ok(), "{name} fails on {}", file.display());
            taken += usize::from((target.decode)(data));
        }
        assert!(taken > 0 && taken < inputs.len(), "{name}: {taken} of {} inputs are taken", inputs.len());
        println!("{name}: {} inputs, {taken} of them taken", inputs.len());
    }
}

/// Each input, cut at every length and with every byte once flipped, is survived as well.
#[test]
fn every_target_survives_damaged_inputs() {
    let _alone = alone();
    for target in TARGETS {
        for (file, data) in corpus(target.name).iter().filter(|(_, d)| d.len() <= SMALL) {
            for cut in 0..data.len() {
                let mut flipped = data.clone();
                flipped[cut] ^= 0x81;
                let outcome = catch_unwind(|| {
                    (target.check)(&data[..cut]);
                    (target.check)(&flipped);
                });
                assert!(outcome.is_ok(), "{} fails on {} at byte {cut}", target.name, file.display());
            }
        }
    }
}

/// Peak of memory over what there was before, while one input is decoded, and whether it was taken.
fn cost(target: &Target, data: &[u8]) -> (usize, bool) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let taken = (target.decode)(data);
    (MEMORY.peak_usage().saturating_sub(before), taken)
}

fn check_cost(target: &Target, what: &str, data: &[u8]) -> usize {
    // The first run pays for tables that are made once.
    let _ = (target.decode)(data);
    let (peak, taken) = cost(target, data);
    let factor = if taken { target.factors.1 } else { target.factors.0 };
    let bound = data.len() * factor + target.reserve;
    let name = target.name;
    assert!(
        peak <= bound,
        "{name}: {what} of {} bytes costs {peak}, at most {bound} (taken: {taken})",
        data.len()
    );
    peak
}

#[test]
fn decoding_costs_no_more_than_its_bound() {
    let _alone = alone();
    for target in TARGETS {
        let mut most = 0;
        for (file, data) in corpus(target.name) {
            most = most.max(check_cost(target, &file.display().to_string(), &data));
        }
        println!("{}: at most {most} bytes", target.name);
    }
}

#[test]
fn large_hostile_inputs_cost_no_more_than_their_bound() {
    let _alone = alone();
    for (name, what, data) in large::inputs() {
        let target = TARGETS.iter().find(|t| t.name == name).expect("a target");
        let peak = check_cost(target, what, &data);
        println!("{name}, {what}: {peak} bytes for {}", data.len());
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let manifest = fs::read_to_string(home().join("Cargo.toml")).expect("the fuzzers' manifest");
    for target in TARGETS {
        let name = target.name;
        let source = fs::read_to_string(home().join(format!("fuzz_targets/{name}.rs"))).expect("a fuzzer");
        assert!(source.contains(&format!("targets::run(\"{name}\", data)")), "{name}");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
    let fuzzers = fs::read_dir(home().join("fuzz_targets")).expect("the fuzzers").count();
    assert_eq!((fuzzers, manifest.matches("[[bin]]").count()), (TARGETS.len(), TARGETS.len()));
}
