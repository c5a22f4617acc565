//! Each checker is needed: for each there is a defect that it finds and that no other one notices.
//!
//! # Invariants
//!
//! * A proof is a run that its checker alone fails: with it switched off the same run passes, to the
//!   last comparison of its liveness phase.

use crate::plan::Plan;
use crate::scenarios::{calm, slow_disks, snapshots};

/// What proves a checker.
pub struct Proof {
    /// The checker's number.
    pub check: u8,
    /// The defect that only it finds.
    pub mutant: &'static str,
    /// The seed that showed it last, tried first.
    pub seed: u64,
    /// What the world must be like for it.
    pub shape: fn(&mut Plan),
}

const fn proof(check: u8, mutant: &'static str, seed: u64, shape: fn(&mut Plan)) -> Proof {
    Proof { check, mutant, seed, shape }
}

fn any(_: &mut Plan) {}

/// Promises are early, and no crash makes that felt.
fn slow_and_calm(plan: &mut Plan) {
    slow_disks(plan);
    calm(plan);
}

/// One proof for each checker.
pub const ALL: &[Proof] = &[
    proof(1, "informed-otherwise", 0, calm),
    proof(2, "ping-ahead", 0, calm),
    proof(3, "accepted-forgotten", 3, any),
    proof(4, "ack-before-sync", 0, slow_and_calm),
    proof(5, "epoch-before-history", 1, any),
    proof(6, "observer-unlogged", 0, calm),
    proof(7, "serves-before-synced", 4, any),
    proof(8, "session-forgotten", 27, snapshots),
    proof(9, "digest-misloaded", 0, snapshots),
    proof(10, "touches-unheard", 0, any),
    proof(11, "lagging-server-taken", 39, any),
    proof(12, "answer-of-another", 0, calm),
    proof(13, "event-lost", 0, any),
    proof(14, "emptied-disk-trusted", 10, any),
    proof(15, "settled-silent", 2, any),
];
