//! What a leader is told, and what it wants.
//!
//! # Invariants
//!
//! * What depends on the disk comes in as a [`Durable`].
//! * Outputs are carried out in the order in which they are polled: what is sent to a link
//!   leaves in that order, what goes to the disk is done in that order.

use crate::config::quorum::Ensemble;
use crate::disk::Durable;
use crate::peer::{Forwarded, Packet, Touch};
use crate::types::{Id, LinkId, ServerId, Zxid};
use crate::zab::types::LogView;

/// What a leader is told.
#[derive(Debug)]
pub enum LeaderInput {
    /// A learner connected: who it is its first packet says.
    Linked {
        /// The connection.
        link: LinkId,
    },
    /// A packet of a learner.
    Packet {
        /// The connection.
        link: LinkId,
        /// What came.
        packet: Packet,
    },
    /// Bytes of a snapshot or of the log went out: the learner is not silent, it is busy.
    Progress {
        /// The connection.
        link: LinkId,
    },
    /// The connection is gone.
    LinkLost {
        /// The connection.
        link: LinkId,
    },
    /// `acceptedEpoch` is written.
    Accepted(Durable<u32>),
    /// `currentEpoch` is written.
    Current(Durable<u32>),
    /// The own log holds everything up to here.
    Logged(Durable<Zxid>),
    /// What was asked by [`LeaderOutput::FindInLog`].
    Found {
        /// For whom.
        link: LinkId,
        /// What the log holds.
        view: LogView,
    },
}

/// What goes to a learner.
#[derive(Clone, PartialEq, Debug)]
pub enum ToLearner {
    /// A packet.
    Packet(Packet),
    /// PROPOSAL and COMMIT of every transaction of the log behind `after`, up to `upto`.
    Log {
        /// The learner has this one.
        after: Zxid,
        /// The last one to send; it is durable here.
        upto: Zxid,
    },
    /// A SNAP packet and the state as it is now: after the transaction `zxid`.
    Snapshot {
        /// The last committed transaction.
        zxid: Zxid,
    },
}

/// What a leader wants.
#[derive(Clone, PartialEq, Debug)]
pub enum LeaderOutput {
    /// Something for a learner.
    Send {
        /// The connection.
        link: LinkId,
        /// What to send.
        item: ToLearner,
    },
    /// Close a connection, for this reason.
    Hangup {
        /// The connection.
        link: LinkId,
        /// Why, for the log.
        why: String,
    },
    /// Write `acceptedEpoch`.
    PersistAccepted(u32),
    /// Write `currentEpoch`.
    PersistCurrent(u32),
    /// Look up what the log holds around a zxid.
    FindInLog {
        /// For whom.
        link: LinkId,
        /// The learner's last zxid.
        zxid: Zxid,
    },
    /// A quorum holds the initial history: serve, from `Zxid::new(epoch, 0)` on.
    Established {
        /// The new epoch.
        epoch: u32,
    },
    /// Everything up to here is committed.
    Commit(Zxid),
    /// A learner forwards a client's request.
    Request {
        /// The connection.
        link: LinkId,
        /// The learner.
        server: ServerId,
        /// The request.
        request: Forwarded,
        /// What its client has proven.
        auth: Vec<Id>,
    },
    /// A learner asks whether a session lives.
    Revalidate {
        /// The connection.
        link: LinkId,
        /// The learner.
        server: ServerId,
        /// The session and its time-out.
        touch: Touch,
    },
    /// Sessions that a learner heard of.
    Touched {
        /// The learner.
        server: ServerId,
        /// Which.
        touches: Vec<Touch>,
    },
    /// A configuration was proposed, or came into force.
    NewConfig {
        /// The configuration.
        ensemble: Box<Ensemble>,
        /// Is it in force?
        active: bool,
        /// Who leads it, where its commit says so.
        designated: Option<ServerId>,
    },
    /// The leadership is about to pass to this member; the step down follows.
    HandedOver {
        /// To whom.
        to: ServerId,
    },
    /// A hand-over did not work out, for this reason: lead on.
    Kept(String),
    /// Stop leading, for this reason.
    StepDown(String),
}
