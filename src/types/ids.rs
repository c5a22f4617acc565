//! Ids of sessions, connections, members and links.
//!
//! # Invariants
//!
//! * A [`ConnId`] or [`LinkId`] is never reused within one run of a process.

use std::fmt;

/// A client session, unique in the ensemble and across restarts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// "No session": the id of transactions that the server makes by itself
    /// (container and TTL expiry) and of a refused connect.
    pub const NONE: SessionId = SessionId(0);
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(0x{:x})", self.0)
    }
}

/// A connection of this process: the owner of watches, identities and replies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}

/// A member of the ensemble: the number in its `myid` and in `server.N`. Signed as on the
/// wire, where leaders number unknown learners downwards from -1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ServerId(pub i64);

impl ServerId {
    /// Whom an observer votes for: nobody (`Long.MIN_VALUE`).
    pub const NOBODY: ServerId = ServerId(i64::MIN);
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server.{}", self.0)
    }
}

/// A connection between a learner and its leader. Numbered by each member for itself, never reused
/// within one run of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}
