//! Turns the core's outputs into storage calls: group commit, proofs, snapshot order.
//!
//! Pure like everything below the line: production runs a [`Worker`] in the log thread and a
//! [`SnapshotJob`] in the snapshot thread, the simulator runs the same two at virtual times. In an
//! ensemble a [`MemberWorker`] carries out everything that a member asks of the disk, and links
//! bring and take snapshots and logs by [`SnapshotReceiver`], [`SnapshotSender`] and
//! [`LogSender`].
//!
//! # Invariants
//!
//! * Entries are appended in the order in which the core made them, and a proof covers
//!   exactly what its sync covered.
//! * A snapshot holds a state that was applied, hence durable; the log was rolled before it,
//!   so that old segments become free with old snapshots.
//! * "No room" loses nothing: what was not taken is kept and tried again.
//! * What a leader sends in place of our history is nowhere visible before all of it is there.

mod branch;
mod load;
mod member;
mod policy;
mod receive;
mod send;
mod snapshot;
mod worker;

#[cfg(test)]
mod tests;

pub use branch::Branch;
pub use load::{MemberFiles, Start, start, start_member, start_member_told, start_told};
pub use member::{MemberRules, MemberWorker};
pub use policy::{SnapshotPolicy, Spread};
pub use receive::{NotReceived, SnapshotReceiver, Staged};
pub use send::{LogSender, NotSent, SnapshotSender};
pub use snapshot::SnapshotJob;
pub use worker::{Completion, Worker};
