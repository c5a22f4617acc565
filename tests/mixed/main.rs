//! Ensembles of Java's servers and ours: every role, every version, with load, kills of the leader, and equal ends.
//!
//! `make test` runs [`matrix::FEW`] cells and the control on Java's servers alone; `make mixed` (with
//! `OXKEEPER_MIXED=full`) runs all, names what this machine cannot run, and fails for it.
//!
//! # Invariants
//! * One ensemble runs at a time.
//! * Each cell ends with every member holding one state with sound digests, in which every acknowledged write is.
#[path = "../support/mod.rs"]
mod support;

mod cell;
mod control;
#[path = "../support/ensemble/mod.rs"]
mod harness;
mod held;
mod matrix;
mod migration;
mod observers;
mod reconfiguration;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the machine: two ensembles at once would measure each other.
pub fn turn() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether everything runs, or what `make test` has time for.
pub fn full() -> bool {
    std::env::var("OXKEEPER_MIXED").is_ok_and(|v| v == "full")
}
