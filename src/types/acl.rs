//! ACL entries and permission bits (ZooKeeper's `data.ACL`, `data.Id`, `ZooDefs.Perms`).
//!
//! # Invariants
//!
//! * An ACL list keeps its order: lists that differ in order are different lists
//!   (the ACL table and Java's ACL cache compare so).

/// Permission bits.
pub mod perms {
    /// Read data and list children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the ACL.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// An identity: a scheme and its own spelling of who that is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Id {
    /// `world`, `auth`, `digest`, `ip`, `sasl`, `x509`, `super`, …
    pub scheme: String,
    /// The scheme's text.
    pub id: String,
}

impl Id {
    /// Builds an identity.
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }
}

/// One entry of an ACL list.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Acl {
    /// Bits of [`perms`]; not range-checked, as in ZooKeeper.
    pub perms: i32,
    /// Whom the bits are given to.
    pub id: Id,
}

impl Acl {
    /// `world:anyone` with all permissions.
    pub fn open() -> Acl {
        Acl { perms: perms::ALL, id: Id::new("world", "anyone") }
    }

    /// `world:anyone` with READ only.
    pub fn read_only() -> Acl {
        Acl { perms: perms::READ, id: Id::new("world", "anyone") }
    }
}
