//! The changes that transactions are made of: create, delete, set data, set ACL
//! (`DataTree.createNode`, `deleteNode`, `setData`, `setACL`).
//!
//! # Invariants
//!
//! * Before an older node changes, every snapshot under way keeps its image.
//! * A node leaves the digest before it changes and enters it again after, with a digest of its own
//!   that is always that of its present path, data and stat.
//! * The parent's child version and pzxid are only raised, so that a transaction which
//!   a fuzzy snapshot already contains does not turn them back.

use super::acl::AclList;
use super::apply::Changes;
use super::node::Node;
use super::view::client_stat;
use super::{Tree, digest, java_length, quota};
use crate::error::Code;
use crate::proto::EventKind;
use crate::txn::snapshot::SnapshotNode;
use crate::types::{Acl, Stat, StatPersisted, Zxid, mutant, path};
use std::borrow::Cow;

/// What a create makes besides its path.
pub(super) struct NewNode<'a> {
    pub(super) data: Option<&'a [u8]>,
    pub(super) acl: &'a [Acl],
    pub(super) owner: i64,
    /// -1 is "one more than the present".
    pub(super) parent_cversion: i32,
    pub(super) zxid: Zxid,
    pub(super) time: i64,
}

impl Tree {
    /// Adds a node's digest to the tree's.
    pub(super) fn digest_in(&mut self, id: u32) {
        let node = self.store.node(id);
        if self.cfg.digest && !node.excluded {
            self.digest = self.digest.wrapping_add(i64::from(node.digest));
        }
    }

    fn digest_out(&mut self, id: u32) {
        let node = self.store.node(id);
        if self.cfg.digest && !node.excluded {
            self.digest = self.digest.wrapping_sub(i64::from(node.digest));
        }
    }

    /// The digest of a node, 0 where it is not needed.
    fn digest_of(&self, path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
        if self.cfg.digest && !digest::excluded(path) { digest::of(path, data, stat) } else { 0 }
    }

    /// Changes the stat or ACL of a node.
    fn edit(&mut self, id: u32, change: impl FnOnce(&mut Node)) {
        self.keep_image(id);
        self.digest_out(id);
        let digests = self.cfg.digest;
        let node = self.store.node_mut(id);
        let before = node.stat();
        change(node);
        if digests && !node.excluded {
            node.digest = digest::moved(node.digest, &before, &node.stat());
        }
        self.digest_in(id);
    }

    fn acl_of(&self, id: u32) -> AclList {
        self.acls.list(self.store.node(id).acl).clone()
    }

    fn client_stat(&self, id: u32) -> Stat {
        client_stat(self.store.node(id), self.store.children(id).len(), &self.cfg)
    }

    /// Puts a complete node into the tree, with digest and owner lists.
    pub(super) fn add_node(
        &mut self,
        parent: u32,
        name: &str,
        path: &str,
        data: Option<&[u8]>,
        node: Node,
    ) -> u32 {
        let node = self.with_digest(path, data, node);
        let id = self.store.attach(parent, name, data, node);
        self.enter(id);
        id
    }

    /// A node that knows its place in the digest.
    pub(super) fn with_digest(&self, path: &str, data: Option<&[u8]>, mut node: Node) -> Node {
        node.digest = self.digest_of(path, data, &node.stat());
        node.excluded = digest::excluded(path);
        node
    }

    /// Enters a new node into owner lists and digest.
    pub(super) fn enter(&mut self, id: u32) {
        self.owners.add(id, self.cfg.owner(self.store.node(id).owner));
        self.digest_in(id);
    }

    /// Gives a node the contents of a snapshot's record; `new` carries its stat and the
    /// ACL slot that is already counted.
    pub(super) fn replace(&mut self, id: u32, record: &SnapshotNode<'_>, new: &Node) {
        self.digest_out(id);
        let old = self.store.node(id);
        let (owner, slot) = (old.owner, old.acl);
        self.owners.remove(id, self.cfg.owner(owner));
        self.acls.release(slot);
        self.store.set_data(id, record.data);
        let digest = self.digest_of(record.path, record.data, &record.stat);
        let node = self.store.node_mut(id);
        node.set_stat(&record.stat);
        (node.digest, node.acl) = (digest, new.acl);
        self.owners.add(id, self.cfg.owner(new.owner));
        self.digest_in(id);
    }

    /// A create raises the parent's child version to what the leader counted; pzxid follows.
    fn raise_parent(&mut self, parent: u32, parent_cversion: i32, zxid: Zxid) {
        let now = self.store.node(parent).cversion;
        let wanted = if parent_cversion == -1 { now.wrapping_add(1) } else { parent_cversion };
        if wanted > now {
            self.edit(parent, |n| {
                n.cversion = wanted;
                n.pzxid = zxid.0;
            });
        }
    }

    /// Creates a node; its stat if it did.
    pub(super) fn create<'t>(
        &mut self,
        path: &'t str,
        new: &NewNode<'_>,
        changes: &mut Changes<'t>,
    ) -> Result<Stat, Code> {
        let (parent_path, name) = match path::split(path) {
            Some(parts) => parts,
            None if path == "/" => return Err(Code::NodeExists),
            None => return Err(Code::NoNode),
        };
        let parent = self.find_raw(parent_path).ok_or(Code::NoNode)?;
        let parent_acl = self.acl_of(parent);
        let slot = self.acls.intern(new.acl);
        if let Some(existing) = self.store.child(parent, name.as_bytes()) {
            self.create_existing(existing, slot, parent, new);
            if name == quota::STATS_NAME {
                self.quota_created(parent_path, name);
            }
            return Err(Code::NodeExists);
        }
        self.raise_parent(parent, new.parent_cversion, new.zxid);
        let stat = StatPersisted {
            czxid: new.zxid.0,
            mzxid: new.zxid.0,
            pzxid: new.zxid.0,
            ctime: new.time,
            mtime: new.time,
            ephemeral_owner: new.owner,
            ..StatPersisted::default()
        };
        let mut node = Node::new(&stat);
        node.acl = slot;
        let id = self.add_node(parent, name, path, new.data, node);
        let bytes = new.data.map_or(0, <[u8]>::len) as i64;
        self.data_size += java_length(path.as_bytes()) as i64 + bytes;
        let stat = self.client_stat(id);
        self.quota_created(parent_path, name);
        self.quota_changed(path, 1, bytes);
        changes.push(EventKind::Created, Cow::Borrowed(path), self.acl_of(id), new.zxid);
        changes.push(EventKind::ChildrenChanged, Cow::Borrowed(parent_path), parent_acl, new.zxid);
        Ok(stat)
    }

    /// A create that a fuzzy snapshot already contains, or contains in a later life of the
    /// path: the ACL is this one's until the log says otherwise, and the parent's child
    /// version and pzxid catch up. (Java raises them for opcode create only; the digests
    /// in its logs are those of servers that did count the others too.)
    fn create_existing(&mut self, existing: u32, slot: u32, parent: u32, new: &NewNode<'_>) {
        self.keep_image(existing);
        let old = std::mem::replace(&mut self.store.node_mut(existing).acl, slot);
        self.acls.release(old);
        self.raise_parent(parent, new.parent_cversion, new.zxid);
    }

    /// Deletes a node. The parent's pzxid is raised even when the node is gone already.
    pub(super) fn delete<'t>(
        &mut self,
        path: Cow<'t, str>,
        zxid: Zxid,
        changes: &mut Changes<'t>,
    ) -> Result<(), Code> {
        let (parent_path, name) = split_cow(&path).ok_or(Code::NoNode)?;
        let parent = self.find_raw(&parent_path).ok_or(Code::NoNode)?;
        if zxid.0 > self.store.node(parent).pzxid {
            self.edit(parent, |n| n.pzxid = zxid.0);
        }
        let id = self.store.child(parent, name.as_bytes()).ok_or(Code::NoNode)?;
        let (acl, parent_acl) = (self.acl_of(id), self.acl_of(parent));
        self.remove_below(id, &path);
        self.remove_one(id, &path);
        changes.push(EventKind::Deleted, path, acl, zxid);
        changes.push(EventKind::ChildrenChanged, parent_path, parent_acl, zxid);
        Ok(())
    }

    /// A node that is deleted has no children, but for a log replayed over a fuzzy
    /// snapshot: there they belong to a later life of the path, and the log creates
    /// them again.
    fn remove_below(&mut self, top: u32, top_path: &str) {
        if self.store.children(top).is_empty() {
            return;
        }
        let (mut at, mut path) = (top, top_path.to_owned());
        loop {
            if let Some(&child) = self.store.children(at).last() {
                path.push('/');
                path.push_str(&String::from_utf8_lossy(self.store.name(child)));
                at = child;
                continue;
            }
            if at == top {
                return;
            }
            let parent = self.store.node(at).parent;
            let parent_len = path.len() - self.store.node(at).name_len() - 1;
            self.remove_one(at, &path);
            path.truncate(parent_len);
            at = parent;
        }
    }

    /// Takes one node without children out of everything that knows it.
    fn remove_one(&mut self, id: u32, path: &str) {
        self.digest_out(id);
        let node = self.store.node(id);
        let (owner, slot) = (node.owner, node.acl);
        let bytes = node.data_len().unwrap_or(0) as i64;
        self.owners.remove(id, self.cfg.owner(owner));
        self.data_size -= java_length(path.as_bytes()) as i64 + bytes;
        self.store.detach(id);
        if let Some((parent, name)) = path::split(path) {
            self.quota_deleted(parent, name);
        }
        self.quota_changed(path, -1, -bytes);
        if !self.keep_zombie(id) {
            self.store.release(id);
        }
        self.acls.release(slot);
    }

    /// Sets data; the node's stat if it is there.
    pub(super) fn set_data<'t>(
        &mut self,
        path: &'t str,
        data: Option<&[u8]>,
        version: i32,
        zxid: Zxid,
        time: i64,
        changes: Option<&mut Changes<'t>>,
    ) -> Result<Stat, Code> {
        let id = self.find_raw(path).ok_or(Code::NoNode)?;
        let old = self.store.node(id).data_len().unwrap_or(0) as i64;
        self.keep_image(id);
        self.digest_out(id);
        self.store.set_data(id, data);
        let node = self.store.node_mut(id);
        (node.mtime, node.mzxid, node.version) = (time, zxid.0, version);
        if !mutant::on("digest-stale") {
            let stat = node.stat();
            self.store.node_mut(id).digest = self.digest_of(path, data, &stat);
        }
        self.digest_in(id);
        let stat = self.client_stat(id);
        let grown = data.map_or(0, <[u8]>::len) as i64 - old;
        self.quota_changed(path, 0, grown);
        self.data_size += grown;
        if let Some(changes) = changes.filter(|changes| changes.heard()) {
            changes.push(EventKind::DataChanged, Cow::Borrowed(path), self.acl_of(id), zxid);
        }
        Ok(stat)
    }

    /// Sets the ACL; the node's stat if it is there.
    pub(super) fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, Code> {
        let id = self.find_raw(path).ok_or(Code::NoNode)?;
        self.keep_image(id);
        // In this order, as in Java: the last user that sets an equal list gets a new id.
        self.acls.release(self.store.node(id).acl);
        let slot = self.acls.intern(acl);
        self.edit(id, |n| {
            n.acl = slot;
            n.aversion = version;
        });
        Ok(self.client_stat(id))
    }

    /// Deletes the ephemerals of a session: first `listed` in their order, then the rest.
    pub(super) fn kill_session<'t>(
        &mut self,
        session: i64,
        listed: &'t [String],
        zxid: Zxid,
        changes: &mut Changes<'t>,
    ) {
        if mutant::on("ephemeral-stays") {
            return;
        }
        for path in listed {
            // Missing nodes are none of this session's business any more.
            let _ = self.delete(Cow::Borrowed(path.as_str()), zxid, changes);
        }
        let rest: Vec<String> = self.ephemerals(session).collect();
        for path in rest {
            let _ = self.delete(Cow::Owned(path), zxid, changes);
        }
    }

    /// Deletes the ephemerals of a session that no session table knows, at the last zxid
    /// and without a transaction: the rule of start-up, on every server alike.
    pub fn kill_session_directly(&mut self, session: i64) {
        let mut nobody = Changes::default();
        self.kill_session(session, &[], self.last_zxid, &mut nobody);
    }
}

/// As [`path::split`], keeping what is borrowed borrowed.
fn split_cow<'t>(path: &Cow<'t, str>) -> Option<(Cow<'t, str>, Cow<'t, str>)> {
    match path {
        Cow::Borrowed(p) => path::split(p).map(|(a, b)| (Cow::Borrowed(a), Cow::Borrowed(b))),
        Cow::Owned(p) => path::split(p).map(|(a, b)| (Cow::Owned(a.to_owned()), Cow::Owned(b.to_owned()))),
    }
}
