//! What a learner is told, and what it wants.
//!
//! # Invariants
//!
//! * What depends on the disk comes in as a [`Durable`].
//! * Outputs are carried out in the order in which they are polled.

use crate::config::quorum::Ensemble;
use crate::disk::Durable;
use crate::peer::{Packet, Revalidation};
use crate::types::{LinkId, ServerId, Zxid};
use crate::zab::leader::ToLearner;
use crate::zab::types::{LogView, Proposal};

/// What a learner is told.
#[derive(Debug)]
pub enum LearnerInput {
    /// The connection to the leader stands.
    Linked,
    /// A packet of the leader.
    Packet(Packet),
    /// Bytes of a snapshot came: the leader is not silent.
    Progress,
    /// The snapshot behind the SNAP packet is here and staged.
    SnapshotReceived(Zxid),
    /// `acceptedEpoch` is written.
    Accepted(Durable<u32>),
    /// `currentEpoch` is written.
    Current(Durable<u32>),
    /// The own log holds everything up to here.
    Logged(Durable<Zxid>),
    /// The database after [`LearnerOutput::Truncate`] or [`LearnerOutput::Install`].
    Reloaded {
        /// Where it ends.
        last: Durable<Zxid>,
        /// The last transactions of the log.
        window: Vec<Proposal>,
    },
    /// The log could not be cut.
    NotTruncated(String),
    /// An observer connected.
    ObserverLinked {
        /// The connection.
        link: LinkId,
    },
    /// A packet of an observer.
    Observer {
        /// The connection.
        link: LinkId,
        /// What came.
        packet: Packet,
    },
    /// Bytes of a stream went out to an observer: it is not silent, it is busy.
    ObserverMoves {
        /// The connection.
        link: LinkId,
    },
    /// The connection of an observer is gone.
    ObserverLost {
        /// The connection.
        link: LinkId,
    },
    /// What was asked by [`LearnerOutput::FindInLog`].
    Found {
        /// For whom.
        link: LinkId,
        /// What the log holds.
        view: LogView,
    },
}

/// What a learner wants.
#[derive(Clone, PartialEq, Debug)]
pub enum LearnerOutput {
    /// Send this to the leader.
    Send(Packet),
    /// Write `acceptedEpoch`.
    PersistAccepted(u32),
    /// Write `currentEpoch`, behind all that was to be appended before.
    PersistCurrent(u32),
    /// Log this transaction; it is on its way.
    Append(Proposal),
    /// Cut the log behind this zxid and recover.
    Truncate(Zxid),
    /// Put the staged snapshot of this zxid in place of everything, and recover.
    Install(Zxid),
    /// Everything up to here is committed: apply it.
    Commit(Zxid),
    /// The leader is established: serve clients.
    Serve {
        /// Its epoch.
        epoch: u32,
    },
    /// The leader's word on a session.
    Revalidated(Revalidation),
    /// The oldest sync under way is answered.
    Synced,
    /// The leader pings: answer by [`Learner::pong`](super::Learner::pong).
    WantTouches {
        /// The ping's zxid, to be sent back.
        zxid: Zxid,
    },
    /// A configuration was proposed.
    ConfigSeen(Box<Ensemble>),
    /// A configuration came into force.
    ConfigActive {
        /// The configuration.
        ensemble: Box<Ensemble>,
        /// Who is to lead, where the leader said so.
        designated: Option<ServerId>,
    },
    /// Something for an observer.
    ToObserver {
        /// The connection.
        link: LinkId,
        /// What to send.
        item: ToLearner,
    },
    /// Close an observer's connection, for this reason.
    HangUp {
        /// The connection.
        link: LinkId,
        /// Why, for the log.
        why: String,
    },
    /// Look up what the log holds around a zxid.
    FindInLog {
        /// For whom.
        link: LinkId,
        /// The observer's last zxid.
        zxid: Zxid,
    },
    /// Leave the leader, for this reason.
    Leave(String),
}
