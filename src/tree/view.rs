//! A znode as its readers see it.
//!
//! # Invariants
//!
//! * Reading changes nothing and allocates nothing: many threads read one tree at once.

use super::acl::AclList;
use super::node::{Node, NodeId};
use super::{Tree, TreeConfig};
use crate::types::{Owner, Stat, StatPersisted, mutant};

/// One znode of a tree.
#[derive(Clone, Copy)]
pub struct NodeView<'a> {
    tree: &'a Tree,
    id: u32,
    node: &'a Node,
}

impl<'a> NodeView<'a> {
    pub(super) fn new(tree: &'a Tree, id: u32) -> NodeView<'a> {
        NodeView { tree, id, node: tree.store.node(id) }
    }

    /// Its number.
    pub fn id(&self) -> NodeId {
        NodeId(self.id)
    }

    /// The stat that clients see (`DataNode.copyStat`).
    pub fn stat(&self) -> Stat {
        client_stat(self.node, self.child_count(), &self.tree.cfg)
    }

    /// The stat that snapshots and digests take.
    pub fn persisted(&self) -> StatPersisted {
        self.node.stat()
    }

    /// Its data; `None` is null, which is not the same as empty.
    #[inline]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.tree.store.data(self.id)
    }

    /// Bytes of its data, 0 for null.
    pub fn data_len(&self) -> usize {
        self.node.data_len().unwrap_or(0)
    }

    /// Its ACL.
    pub fn acl(&self) -> &'a AclList {
        self.tree.acls.list(self.node.acl)
    }

    /// The id of its ACL in snapshots.
    pub fn acl_id(&self) -> i64 {
        self.tree.acls.id(self.node.acl)
    }

    /// Names of its children, in no order that means anything.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        // Names come from texts, so none is ever replaced by the default.
        self.child_names().map(|name| std::str::from_utf8(name).unwrap_or_default())
    }

    /// Names of its children as UTF-8 bytes: the way onto the wire without a second check.
    pub fn child_names(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let store = &self.tree.store;
        store.children(self.id).iter().map(|&child| store.name(child))
    }

    /// Number of its children.
    #[inline]
    pub fn child_count(&self) -> usize {
        self.tree.store.children(self.id).len()
    }

    /// What its owner field means under the tree's settings.
    pub fn owner(&self) -> Owner {
        self.tree.cfg.owner(self.node.owner)
    }

    /// Its digest ([`super::digest::of`]), 0 when it is not in the tree's: with it the leader
    /// knows the tree's digest after a change that is not applied yet.
    pub fn digest(&self) -> u32 {
        self.node.digest
    }
}

/// The client's view of a node with `children` children.
pub(super) fn client_stat(node: &Node, children: usize, cfg: &TreeConfig) -> Stat {
    let ephemeral_owner = match cfg.owner(node.owner) {
        Owner::Session(session) => session,
        _ => 0,
    };
    let num_children = children as i32;
    Stat {
        czxid: node.czxid,
        mzxid: node.mzxid,
        ctime: node.ctime,
        mtime: node.mtime,
        version: node.version,
        // Stored are creates only; every child that is not there any more was deleted once.
        cversion: if mutant::on("cversion-skips-delete") {
            node.cversion
        } else {
            node.cversion.wrapping_mul(2).wrapping_sub(num_children)
        },
        aversion: node.aversion,
        ephemeral_owner,
        data_length: node.data_len().unwrap_or(0) as i32,
        num_children,
        pzxid: node.pzxid,
    }
}
