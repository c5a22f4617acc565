//! Values that all phases share.
//!
//! # Invariants
//!
//! * [`Promises`] holds proofs, not claims.

use crate::disk::Durable;
use crate::types::{ServerId, Zxid, mutant};
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

impl Promises {
    /// Does it hold transactions of an ensemble, and never adopted an epoch? A disk that was emptied
    /// looks so between a leader's snapshot and NEWLEADER: it holds everything that counts, but its claim
    /// of epoch 0 loses to members that hold less of it. It neither votes nor counts before it has
    /// adopted an epoch. No ensemble is left without a leader by that: before an epoch's first transaction
    /// a quorum has adopted it. (What a standalone server wrote is of epoch 0.)
    pub fn is_unadopted(&self) -> bool {
        let last = *self.last.get();
        *self.current.get() == 0 && last.0 > 0 && last.epoch() > 0 && !mutant::on("unadopted-trusted")
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Synced;

    #[test]
    fn what_a_leader_filled_is_unadopted_until_its_epoch_is_written() {
        let unadopted = |last, current| {
            let durable = Synced::by_disk();
            let epoch = Durable::new(current, &durable);
            Promises { last: Durable::new(last, &durable), current: epoch, accepted: epoch }.is_unadopted()
        };
        assert!(unadopted(Zxid::new(2, 5), 0));
        assert!(!unadopted(Zxid::new(2, 5), 1), "a tail of a later epoch");
        assert!(!unadopted(Zxid(5), 0), "a standalone server's");
        assert!(!unadopted(Zxid::ZERO, 0) && !unadopted(Zxid(-1), 0));
    }
}
