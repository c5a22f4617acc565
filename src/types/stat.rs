//! The two stat records: what a client sees and what a snapshot keeps.
//!
//! # Invariants
//!
//! * [`StatPersisted::cversion`] counts child creates only; the client's view is
//!   `2 * stored - children`, made by the tree, never stored.

/// What a client sees of a znode (`data.Stat`): 68 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// Zxid that created the node.
    pub czxid: i64,
    /// Zxid that last set its data.
    pub mzxid: i64,
    /// Leader's wall time at creation, ms since 1970.
    pub ctime: i64,
    /// Leader's wall time at the last set, ms since 1970.
    pub mtime: i64,
    /// Data version.
    pub version: i32,
    /// Child version: creates plus deletes of children.
    pub cversion: i32,
    /// ACL version.
    pub aversion: i32,
    /// Owning session; 0 for persistent, container and TTL nodes.
    pub ephemeral_owner: i64,
    /// Bytes of data, 0 for null data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// Zxid that last created or deleted a child.
    pub pzxid: i64,
}

/// What a snapshot keeps of a znode (`data.StatPersisted`): 60 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatPersisted {
    /// Zxid that created the node.
    pub czxid: i64,
    /// Zxid that last set its data.
    pub mzxid: i64,
    /// Wall time at creation, ms since 1970.
    pub ctime: i64,
    /// Wall time at the last set, ms since 1970.
    pub mtime: i64,
    /// Data version.
    pub version: i32,
    /// Raw child version: creates only.
    pub cversion: i32,
    /// ACL version.
    pub aversion: i32,
    /// Raw owner field: session id, or the container or TTL encoding of [`super::Owner`].
    pub ephemeral_owner: i64,
    /// Zxid that last created or deleted a child.
    pub pzxid: i64,
}
