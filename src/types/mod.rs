//! Plain values shared by every room: numbers with a meaning, paths, ACLs, stats.
//!
//! # Invariants
//!
//! * Nothing here does I/O, reads a clock or allocates without being asked to.
//! * A number with a meaning is a newtype; parsing happens once, at the edge.

pub mod acl;
pub mod decision;
pub mod ids;
pub mod java;
pub mod mode;
pub mod mutant;
pub mod path;
pub mod process;
pub mod stages;
pub mod stat;
pub mod time;
pub mod version;
pub mod zxid;

pub use acl::{Acl, Id, perms};
pub use ids::{ConnId, LinkId, ServerId, SessionId};
pub use mode::{CreateMode, Owner};
pub use stat::{Stat, StatPersisted};
pub use time::{Instant, Now};
pub use zxid::Zxid;
