//! Values that all phases share.
//!
//! # Invariants
//!
//! * [`Promises`] holds proofs, not claims.

use crate::disk::Durable;
use crate::types::{ServerId, Zxid};
use bytes::Bytes;

/// Whom a member wants to lead, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    /// The candidate.
    pub leader: ServerId,
    /// Its last durable zxid.
    pub zxid: Zxid,
    /// Its current epoch.
    pub peer_epoch: i64,
    /// The round in which it was voted for.
    pub election_epoch: i64,
}

/// What this member holds durably: the licence for its votes and for its answers to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promises {
    /// End of the log. -1: a database that is not to be trusted (it must learn before it votes).
    pub last: Durable<Zxid>,
    /// `currentEpoch`.
    pub current: Durable<u32>,
    /// `acceptedEpoch`.
    pub accepted: Durable<u32>,
}

/// A transaction on its way, as bytes of the log (`Record::to_bytes`): encoded once, shared by
/// the log and all links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its place.
    pub zxid: Zxid,
    /// Header, body, digest.
    pub bytes: Bytes,
}

/// What the transaction log of a leader holds around the zxid that a learner ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogView {
    /// The last transaction of this history at or before the one asked for: equal to it if the
    /// history holds it, otherwise where the learner has to cut. `None`: the log begins later, and
    /// whether the history holds it cannot be told. Reading on starts behind this one.
    pub floor: Option<Zxid>,
    /// The first one behind it; `None` at the end of the log.
    pub next: Option<Zxid>,
    /// Is what follows small enough, against the newest snapshot (`snapshotSizeFactor`), to be sent
    /// in its place?
    pub affordable: bool,
}
