//! What a member does at a time.
//!
//! # Invariants
//!
//! * A member serves clients only in the role that it reported last, and only if it said so.

use crate::types::ServerId;

/// What a member does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Elects.
    Looking,
    /// Leads.
    Leading,
    /// Follows, with a vote.
    Following,
    /// Follows, without a vote.
    Observing,
    /// Takes part no more: its storage failed, or it was told to stop.
    Out,
}

/// The role changed, or its service began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleChange {
    /// What the member does now.
    pub role: Role,
    /// Whom it follows, or itself.
    pub leader: Option<ServerId>,
    /// The epoch of the leader; while looking the current one.
    pub epoch: u32,
    /// Are clients served? While looking only by a read-only server.
    pub serving: bool,
    /// Why, for the log.
    pub why: String,
}
