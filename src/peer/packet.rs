//! Packets between a leader and its learners (`QuorumPacket`), and what is in them.
//!
//! Types alone; [`super::codec`] and [`super::payload`] know their bytes.
//!
//! # Invariants
//!
//! * The numbers of kinds are the wire's.

use super::BadPacket;
use crate::types::{Id, ServerId, SessionId, Zxid};
use bytes::Bytes;

/// What a packet is (constants of ZooKeeper's `Leader`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PacketKind {
    /// Learner to leader: a client's write or sync.
    Request = 1,
    /// Leader to follower: a transaction to log.
    Proposal = 2,
    /// Follower to leader: logged.
    Ack = 3,
    /// Leader to follower: committed.
    Commit = 4,
    /// Both: alive; the answer carries sessions that were heard of.
    Ping = 5,
    /// Both: is this session alive, and whose is it?
    Revalidate = 6,
    /// Leader to learner: the oldest sync asked for is answered.
    Sync = 7,
    /// Leader to observer: a committed transaction.
    Inform = 8,
    /// Leader to follower: commit of a reconfiguration.
    CommitAndActivate = 9,
    /// Leader to learner: all of my history is on its way before this.
    NewLeader = 10,
    /// Follower to leader: the first packet.
    FollowerInfo = 11,
    /// Leader to learner: serve.
    UpToDate = 12,
    /// Leader to learner: what you lack follows.
    Diff = 13,
    /// Leader to learner: cut your log behind this zxid.
    Trunc = 14,
    /// Leader to learner: a whole snapshot follows.
    Snap = 15,
    /// Observer to leader: the first packet.
    ObserverInfo = 16,
    /// Leader to learner: the new epoch.
    LeaderInfo = 17,
    /// Learner to leader: the new epoch is accepted.
    AckEpoch = 18,
    /// Leader to observer: a committed reconfiguration.
    InformAndActivate = 19,
}

impl PacketKind {
    /// Every kind, by number.
    pub const ALL: [PacketKind; 19] = [
        PacketKind::Request,
        PacketKind::Proposal,
        PacketKind::Ack,
        PacketKind::Commit,
        PacketKind::Ping,
        PacketKind::Revalidate,
        PacketKind::Sync,
        PacketKind::Inform,
        PacketKind::CommitAndActivate,
        PacketKind::NewLeader,
        PacketKind::FollowerInfo,
        PacketKind::UpToDate,
        PacketKind::Diff,
        PacketKind::Trunc,
        PacketKind::Snap,
        PacketKind::ObserverInfo,
        PacketKind::LeaderInfo,
        PacketKind::AckEpoch,
        PacketKind::InformAndActivate,
    ];

    /// Its number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The kind of a number.
    pub fn from_number(number: i32) -> Option<PacketKind> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        PacketKind::ALL.get(at).copied()
    }
}

/// A packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// What it is.
    pub kind: PacketKind,
    /// Its zxid; -1 where it has none.
    pub zxid: Zxid,
    /// Its payload, by kind.
    pub data: Option<Bytes>,
    /// What the client of a forwarded request has proven.
    pub auth: Vec<Id>,
}

impl Packet {
    /// A packet without payload.
    pub const fn bare(kind: PacketKind, zxid: Zxid) -> Packet {
        Packet { kind, zxid, data: None, auth: Vec::new() }
    }

    /// A packet with payload.
    pub const fn with(kind: PacketKind, zxid: Zxid, data: Bytes) -> Packet {
        Packet { kind, zxid, data: Some(data), auth: Vec::new() }
    }

    /// Its payload.
    ///
    /// # Errors
    ///
    /// It has none although its kind needs one.
    pub fn payload(&self) -> Result<&Bytes, BadPacket> {
        self.data.as_ref().ok_or(BadPacket::Form("a packet without the payload of its kind"))
    }
}

/// Who a learner is: payload of its first packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LearnerInfo {
    /// Its id; `None` when it sends none and the leader has to number it.
    pub server: Option<ServerId>,
    /// Its protocol, 0x10000 since 3.4; 0 when it says none.
    pub protocol: i32,
    /// Version of the configuration it knows; `None` when it says none.
    pub config_version: Option<i64>,
}

/// A client's request on its way from learner to leader: payload of [`PacketKind::Request`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forwarded {
    /// Whose.
    pub session: SessionId,
    /// The client's xid.
    pub cxid: i32,
    /// Op code, as sent.
    pub op: i32,
    /// The request's record.
    pub record: Bytes,
}

/// Op code of a sync (`ZooDefs.OpCode.sync`).
const SYNC: i32 = 9;

impl Forwarded {
    /// Is it a sync, whose answer is a packet of its own?
    pub fn is_sync(&self) -> bool {
        self.op == SYNC
    }
}

/// A session that was heard of since the last ping, and its time-out, ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touch {
    /// The session.
    pub session: SessionId,
    /// Its time-out, ms.
    pub timeout: i32,
}

/// A committed reconfiguration for an observer: payload of [`PacketKind::InformAndActivate`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activation {
    /// Who is to lead from here on.
    pub leader: ServerId,
    /// The transaction, as a proposal's payload.
    pub txn: Bytes,
}

/// The leader's word on a session: payload of its [`PacketKind::Revalidate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revalidation {
    /// The session.
    pub session: SessionId,
    /// Does it live?
    pub valid: bool,
}
