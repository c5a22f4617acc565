//! What a member is told, and what it wants: the face that simulator and server drive.
//!
//! # Invariants
//!
//! * What goes to a link leaves in the order of the outputs.

use super::role::RoleChange;
use super::snapshot::OpenSnapshot;
use crate::config::quorum::Ensemble;
use crate::peer::{Notification, Packet};
use crate::replica::{DiskDone, DiskOp, Input};
use crate::types::{LinkId, ServerId, Zxid};
use bytes::Bytes;

/// What a member is told.
#[derive(Debug)]
pub enum MemberInput {
    /// From the connections of clients.
    Client(Input),
    /// A notification of another member, over its election connection.
    Notification {
        /// The sender, as its connection proved it.
        from: ServerId,
        /// What it says.
        note: Notification,
    },
    /// The election connection to this member was lost, or could not be made.
    PeerLost(ServerId),
    /// The connection that [`MemberOutput::Dial`] asked for stands.
    LinkUp {
        /// Its number, chosen by the member.
        link: LinkId,
    },
    /// A learner connected to the quorum port, or an observer to the port for observers. Its number is one of [`Member::new_link`](super::Member::new_link).
    LinkAccepted {
        /// Its number.
        link: LinkId,
        /// From where, for the log.
        from: String,
    },
    /// A connection is gone, or could not be made.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// Why.
        why: String,
    },
    /// A packet.
    Packet {
        /// Over which connection.
        link: LinkId,
        /// What came.
        packet: Packet,
    },
    /// Bytes of a snapshot or of a log moved over this connection, in either direction, since
    /// the last report: at least one report a tick while they move.
    Progress {
        /// Over which connection.
        link: LinkId,
    },
    /// The snapshot behind a SNAP packet is here, complete and staged. Packets behind it come after this.
    SnapshotReceived {
        /// Over which connection.
        link: LinkId,
        /// The zxid of the SNAP packet.
        zxid: Zxid,
    },
    /// Disk work was done.
    Disk(DiskDone),
    /// Hand the leadership over: to this member, or to the one that is furthest.
    Transfer {
        /// To whom.
        to: Option<ServerId>,
    },
    /// This server is about to end: hand the leadership over if it leads, then take no role any more.
    Stop,
}

/// What a member wants.
#[derive(Debug)]
pub enum MemberOutput {
    /// A notification for another member, over the election connection.
    Notify {
        /// To whom.
        to: ServerId,
        /// What to say.
        note: Notification,
    },
    /// Connect to this member.
    Dial {
        /// The number of the new connection.
        link: LinkId,
        /// Whom: the leader, or a follower that serves observers.
        to: ServerId,
        /// At its port for observers (`observerMasterPort`), not at its quorum port.
        relay: bool,
    },
    /// Something for the other end of a connection.
    Send {
        /// Over which.
        link: LinkId,
        /// What.
        item: LinkItem,
    },
    /// Close a connection, once what was sent before has left. No [`MemberInput::LinkDown`] is needed.
    Hangup {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        why: String,
    },
    /// Disk work, one queue.
    Disk(DiskOp),
    /// The role changed.
    Role(RoleChange),
    /// A configuration was proposed or came into force.
    NewConfig {
        /// The configuration.
        ensemble: Ensemble,
        /// Is it in force? Otherwise it is kept as the next one.
        active: bool,
    },
    /// The leadership is handed over or could not be: answer to [`MemberInput::Transfer`] and
    /// [`MemberInput::Stop`].
    Transferred(Result<(), String>),
}

/// What a connection between members carries.
#[derive(Debug)]
pub enum LinkItem {
    /// Whole packets, encoded.
    Bytes(Bytes),
    /// A PROPOSAL and a COMMIT packet for every transaction of the own log behind `after`, up to `upto`.
    Log {
        /// The other end has this one.
        after: Zxid,
        /// The last one; it is durable here.
        upto: Zxid,
    },
    /// The body of a snapshot and its signature; the SNAP packet was sent before.
    Snapshot(OpenSnapshot),
}
