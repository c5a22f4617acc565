//! Atomic broadcast as ZooKeeper speaks it: election, discovery, synchronisation, broadcast.
//!
//! Pure: packets, proofs and time come in, packets and wishes go out. Whoever drives it (the
//! replica) carries wishes to disk and node and brings the proofs back.
//!
//! # Invariants
//!
//! * No vote, ACKEPOCH, ACK or ACK of NEWLEADER leaves without the [`Durable`] of what it promises.
//! * Wishes to the disk are carried out in the order in which they were made: an epoch is
//!   written after the history that belongs to it.
//! * A proposal is contiguous with what was before it, or the link ends.

mod choice;
pub mod election;
pub mod leader;
pub mod learner;
pub mod membership;
mod peers;
mod proposal;
pub mod quorum;
mod types;
mod window;

pub use election::{Election, ElectionConfig, ElectionOutput};
pub use membership::Membership;
pub use quorum::{Quorum, Quorums};
pub use types::{LogView, Promises, Proposal, Vote};
pub use window::{Window, follows};
