//! A view of one moment, read in chunks beside traffic.
//!
//! [`Tree::begin_snapshot`] costs as much as the ACL table is long. From then on the
//! first change of a node that the snapshot has yet to see, keeps the node's image;
//! a deleted node stays, out of the tree, as a zombie that its parent's list names; a
//! node made later is recognised by its number.
//!
//! # Invariants
//!
//! * What the chunks contain is the tree at the begin, whatever was applied between them.
//! * Parents come before their children.
//! * Numbers below a snapshot's barrier belong to nodes of its moment until it ends.

use super::Tree;
use super::acl::AclList;
use super::node::ROOT;
use super::store::text;
use crate::jute::Sink;
use crate::txn::snapshot::{SnapshotNode, encode_end, encode_head, encode_node};
use crate::types::{StatPersisted, Zxid, mutant};
use hashbrown::HashMap;
use std::sync::Arc;

/// Zombies that one transaction buries after their snapshot ended.
const BURIED_AT_ONCE: usize = 64;

/// What a snapshot still needs of a node that has changed.
#[derive(Debug)]
struct Image {
    stat: StatPersisted,
    data: Option<Box<[u8]>>,
    acl: u32,
}

/// One snapshot under way, on the tree's side.
#[derive(Debug)]
struct Active {
    identity: Arc<()>,
    /// Nodes from this number on are younger.
    barrier: u32,
    images: HashMap<u32, Arc<Image>>,
    /// Deleted nodes by their parent's number.
    zombies: HashMap<u32, Vec<u32>>,
}

/// All snapshots under way.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    active: Vec<Active>,
    /// How many snapshots need a zombie, where it is more than one.
    shared: HashMap<u32, usize>,
    /// Zombies that nobody needs any more.
    graves: Vec<u32>,
}

/// A snapshot under way, on its reader's side. Must be given back to [`Tree::end_snapshot`]:
/// until then the tree keeps what it needs.
#[derive(Debug)]
#[must_use = "a snapshot that is begun must be ended"]
pub struct SnapshotCursor {
    identity: Arc<()>,
    zxid: Zxid,
    digest: Option<(Zxid, i64)>,
    acls: Vec<(i64, AclList)>,
    acl_ids: Vec<i64>,
    barrier: u32,
    levels: Vec<Level>,
    path: Vec<u8>,
    started: bool,
    complete: bool,
    nodes: u64,
}

/// What an ended snapshot had kept; nothing to do with it but to drop it.
#[derive(Debug)]
pub struct Leftovers {
    _ended: Option<Active>,
    _cursor: SnapshotCursor,
}

/// Children that are still to be written, and the length of their parent's path.
#[derive(Debug)]
struct Level {
    children: std::vec::IntoIter<u32>,
    path_len: usize,
}

impl SnapshotCursor {
    /// Last zxid of the view: it names the file.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Zxid and digest for the trailer; `None` before the first transaction or without digests.
    pub fn digest(&self) -> Option<(Zxid, i64)> {
        self.digest
    }

    /// The ACL table of that moment.
    pub fn acls(&self) -> &[(i64, AclList)] {
        &self.acls
    }

    /// Appends what stands before the nodes: sessions (id, time-out in ms) and the ACL table.
    pub fn encode_head<S: Sink + ?Sized>(&self, sessions: &[(i64, i32)], out: &mut S) {
        if mutant::on("snapshot-lacks-acl") {
            return encode_head(sessions, self.acls.get(..1).unwrap_or(&[]), out);
        }
        encode_head(sessions, &self.acls, out);
    }

    /// Nodes written so far.
    pub fn nodes(&self) -> u64 {
        self.nodes
    }

    /// Has every node been written, and the end mark? False as well when the tree was
    /// replaced under way: then the file must be thrown away.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Tree {
    /// Opens a view of this moment. Several may be open at once.
    pub fn begin_snapshot(&mut self) -> SnapshotCursor {
        let barrier = self.store.set_barrier();
        let identity = Arc::new(());
        self.snapshots.active.push(Active {
            identity: identity.clone(),
            barrier,
            images: HashMap::new(),
            zombies: HashMap::new(),
        });
        let known = self.cfg.digest && self.last_zxid != Zxid::ZERO;
        SnapshotCursor {
            identity,
            zxid: self.last_zxid,
            digest: known.then_some((self.last_zxid, self.digest)),
            acls: self.acls.iter().map(|(id, list)| (id, list.clone())).collect(),
            acl_ids: self.acls.ids(),
            barrier,
            levels: Vec::new(),
            path: Vec::new(),
            started: false,
            complete: false,
            nodes: 0,
        }
    }

    /// Appends encoded nodes until `budget_bytes` are reached, then the end mark after the
    /// last one. True while there is more.
    pub fn snapshot_chunk(
        &self,
        cursor: &mut SnapshotCursor,
        budget_bytes: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(active) = self.snapshots.active.iter().find(|a| Arc::ptr_eq(&a.identity, &cursor.identity))
        else {
            return false;
        };
        let start = out.len();
        if !cursor.started {
            cursor.started = true;
            self.write_node(active, cursor, ROOT, out);
        }
        while out.len() - start < budget_bytes {
            let Some(level) = cursor.levels.last_mut() else {
                if !cursor.complete {
                    encode_end(out);
                    cursor.complete = true;
                }
                return false;
            };
            match level.children.next() {
                None => {
                    cursor.levels.pop();
                }
                Some(id) => {
                    cursor.path.truncate(level.path_len);
                    cursor.path.push(b'/');
                    cursor.path.extend_from_slice(self.store.name(id));
                    self.write_node(active, cursor, id, out);
                }
            }
        }
        true
    }

    /// Writes the node of `cursor.path` and opens its level.
    fn write_node(&self, active: &Active, cursor: &mut SnapshotCursor, id: u32, out: &mut Vec<u8>) {
        let node = self.store.node(id);
        let image = active.images.get(&id);
        let (stat, data, slot) = match image {
            Some(i) => (i.stat, i.data.as_deref(), i.acl),
            None => (node.stat(), self.store.data(id), node.acl),
        };
        let path = std::str::from_utf8(&cursor.path)
            .map_or_else(|_| text(cursor.path.clone()).into(), std::borrow::Cow::from);
        let acl = cursor.acl_ids.get(slot as usize).copied().unwrap_or(super::OPEN_ACL_ID);
        encode_node(&SnapshotNode { path: &path, data, acl, stat }, out);
        cursor.nodes += 1;
        let living = self.store.children(id);
        let gone = active.zombies.get(&id).map_or(&[][..], Vec::as_slice);
        let mut children = Vec::with_capacity(living.len() + gone.len());
        children.extend(living.iter().filter(|&&c| c < cursor.barrier));
        children.extend_from_slice(gone);
        if !children.is_empty() {
            cursor.levels.push(Level { children: children.into_iter(), path_len: cursor.path.len() });
        }
    }

    /// Ends a snapshot, complete or not. What is returned is only memory: drop it when the
    /// lock around the tree is gone. Zombies are freed piecemeal by later transactions.
    pub fn end_snapshot(&mut self, cursor: SnapshotCursor) -> Leftovers {
        let s = &mut self.snapshots;
        let at = s.active.iter().position(|a| Arc::ptr_eq(&a.identity, &cursor.identity));
        let Some(mut ended) = at.map(|at| s.active.swap_remove(at)) else {
            return Leftovers { _ended: None, _cursor: cursor };
        };
        for zombies in ended.zombies.values_mut() {
            if s.shared.is_empty() {
                s.graves.append(zombies);
                continue;
            }
            for zombie in zombies.drain(..) {
                match s.shared.get_mut(&zombie) {
                    None => s.graves.push(zombie),
                    Some(2) => {
                        s.shared.remove(&zombie);
                    }
                    Some(n) => *n -= 1,
                }
            }
        }
        if s.active.is_empty() {
            self.store.lift_barrier();
        }
        Leftovers { _ended: Some(ended), _cursor: cursor }
    }

    /// Before a node changes: its image goes to every snapshot of a moment when it was there.
    #[inline]
    pub(super) fn keep_image(&mut self, id: u32) {
        if !self.snapshots.active.is_empty() {
            self.keep_image_slow(id);
        }
    }

    #[cold]
    fn keep_image_slow(&mut self, id: u32) {
        let mut image: Option<Arc<Image>> = None;
        for active in &mut self.snapshots.active {
            if id >= active.barrier || active.images.contains_key(&id) {
                continue;
            }
            let image = image.get_or_insert_with(|| {
                let node = self.store.node(id);
                Arc::new(Image { stat: node.stat(), data: self.store.data(id).map(Box::from), acl: node.acl })
            });
            active.images.insert(id, image.clone());
        }
    }

    /// After a node was taken out of the tree: does a snapshot need it?
    pub(super) fn keep_zombie(&mut self, id: u32) -> bool {
        let parent = self.store.node(id).parent;
        let mut users = 0;
        for active in self.snapshots.active.iter_mut().filter(|a| id < a.barrier) {
            active.zombies.entry(parent).or_default().push(id);
            users += 1;
        }
        if users > 1 {
            self.snapshots.shared.insert(id, users);
        }
        users > 0
    }

    /// Frees a few zombies of ended snapshots.
    #[inline]
    pub(super) fn bury_some(&mut self) {
        if !self.snapshots.graves.is_empty() {
            let keep = self.snapshots.graves.len().saturating_sub(BURIED_AT_ONCE);
            for id in self.snapshots.graves.split_off(keep) {
                self.store.release(id);
            }
        }
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn snapshots_active(&self) -> usize {
        self.snapshots.active.len()
    }
}
