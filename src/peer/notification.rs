//! What members tell each other while they elect (`FastLeaderElection.ToSend`).
//!
//! # Invariants
//!
//! * A notification says what its sender holds durably, never what it hopes for.

use crate::types::{ServerId, Zxid};

/// What a member does (`QuorumPeer.ServerState`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum PeerState {
    /// Elects.
    #[default]
    Looking,
    /// Follows a leader, with a vote.
    Following,
    /// Leads.
    Leading,
    /// Follows a leader, without a vote.
    Observing,
}

/// A notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// What the sender does.
    pub state: PeerState,
    /// Whom it votes for.
    pub leader: ServerId,
    /// The last zxid of the one voted for.
    pub zxid: Zxid,
    /// The sender's round.
    pub election_epoch: i64,
    /// The epoch of the one voted for.
    pub peer_epoch: i64,
    /// The sender's configuration, as text; `None` from members that send none.
    pub config: Option<String>,
}
