//! One znode as it lies in memory, and its number.
//!
//! # Invariants
//!
//! * A node is at most [`NODE_BYTES`] bytes; its name and data lie in the payload slab.
//! * The number of a live node is stable; number 0 is the root.

use super::payload::Place;
use crate::types::StatPersisted;

/// Bound of a node's size, bytes: a million nodes are 96 MB before names and data.
const NODE_BYTES: usize = 96;
/// The root's number.
pub(super) const ROOT: u32 = 0;
/// "No list of children".
pub(super) const NONE: u32 = u32::MAX;
/// Data length of null data.
const NULL: u32 = u32::MAX;

/// A znode's number: valid until the node is deleted, so never kept beyond the read
/// lock under which it was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

/// A znode. The fields of its stat stand here one by one: as a nested struct they
/// would cost four bytes of padding.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) owner: i64,
    pub(super) version: i32,
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    /// Number of the parent; the root's is its own.
    pub(super) parent: u32,
    /// Place in the parent's list of children.
    pub(super) position: u32,
    /// Number of the list of children, [`NONE`] without children.
    pub(super) children: u32,
    /// Slot in the ACL table.
    pub(super) acl: u32,
    /// [`super::digest::of`] it as it is; 0 when digests are off or the node is outside of them.
    pub(super) digest: u32,
    slot: u32,
    name_len: u32,
    data_len: u32,
    class: u8,
    /// Outside of the digest?
    pub(super) excluded: bool,
}

const _: () = assert!(size_of::<Node>() <= NODE_BYTES);

impl Node {
    /// A node without data, name and relatives.
    pub(super) fn new(stat: &StatPersisted) -> Node {
        let mut node = Node {
            czxid: 0,
            mzxid: 0,
            pzxid: 0,
            ctime: 0,
            mtime: 0,
            owner: 0,
            version: 0,
            cversion: 0,
            aversion: 0,
            parent: ROOT,
            position: 0,
            children: NONE,
            acl: 0,
            digest: 0,
            slot: 0,
            name_len: 0,
            data_len: NULL,
            class: 0,
            excluded: false,
        };
        node.set_stat(stat);
        node
    }

    pub(super) fn stat(&self) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.owner,
            pzxid: self.pzxid,
        }
    }

    pub(super) fn set_stat(&mut self, s: &StatPersisted) {
        (self.czxid, self.mzxid, self.pzxid) = (s.czxid, s.mzxid, s.pzxid);
        (self.ctime, self.mtime, self.owner) = (s.ctime, s.mtime, s.ephemeral_owner);
        (self.version, self.cversion, self.aversion) = (s.version, s.cversion, s.aversion);
    }

    pub(super) fn place(&self) -> Place {
        Place { class: self.class, slot: self.slot }
    }

    /// Where name and data lie from now on; `None` is null data.
    pub(super) fn set_payload(&mut self, place: Place, name_len: usize, data_len: Option<usize>) {
        (self.class, self.slot) = (place.class, place.slot);
        self.name_len = name_len as u32;
        self.data_len = data_len.map_or(NULL, |n| n as u32);
    }

    pub(super) fn name_len(&self) -> usize {
        self.name_len as usize
    }

    /// `None` is null data.
    pub(super) fn data_len(&self) -> Option<usize> {
        if self.data_len == NULL { None } else { Some(self.data_len as usize) }
    }

    /// Bytes of name and data.
    #[inline]
    pub(super) fn payload_len(&self) -> usize {
        self.name_len() + self.data_len().unwrap_or(0)
    }
}
