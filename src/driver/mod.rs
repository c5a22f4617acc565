//! Turns the core's outputs into storage calls: group commit, proofs, snapshot order.
//!
//! Pure like everything below the line: production runs a [`Worker`] in the log thread and a
//! [`SnapshotJob`] in the snapshot thread, the simulator runs the same two at virtual times.
//!
//! # Invariants
//!
//! * Entries are appended in the order in which the core made them, and a proof covers
//!   exactly what its sync covered.
//! * A snapshot holds a state that was applied, hence durable; the log was rolled before it,
//!   so that old segments become free with old snapshots.
//! * "No room" loses nothing: what was not taken is kept and tried again.

mod load;
mod policy;
mod snapshot;
mod worker;

pub use load::{Start, start};
pub use policy::{SnapshotPolicy, Spread};
pub use snapshot::SnapshotJob;
pub use worker::{Completion, Worker};
