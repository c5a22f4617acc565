//! Znodes, apply, ACL table, ephemerals, TTL and containers, quota, digest, snapshot view.
//!
//! [`Tree`] is the state that transactions make (`DataTree`). One thread applies, many
//! read; the lock around it is the owner's.
//!
//! * `store` keeps the shape: nodes of 96 bytes, names and data in size-class slots, an
//!   index of numbers keyed by (parent, name).
//! * [`Tree::apply`] is the only way in for transactions, [`TreeBuilder`] for snapshots.
//! * [`Tree::begin_snapshot`] opens a view of one moment that is read in chunks while
//!   transactions go on.
//!
//! # Invariants
//!
//! * The tree is a function of the transactions applied to it, byte for byte what Java's
//!   is (but for the order of children and for what fuzzy snapshots leave behind, where
//!   the tree is what it would be without the crash).
//! * Reads take `&self` and change nothing.
//! * The digest is that of the nodes at every moment between two calls.

mod acl;
mod apply;
mod chunked;
pub mod digest;
mod edit;
mod expiry;
mod index;
#[cfg(test)]
mod java_tests;
mod load;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_tests;
mod node;
mod owners;
mod payload;
pub mod quota;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod view;

pub use acl::{AclList, OPEN_ACL_ID};
pub use apply::{Applied, Change, Changes};
pub use expiry::ExpiryScan;
pub use load::{LoadError, TreeBuilder};
pub use node::NodeId;
pub use quota::{QuotaExceeded, QuotaKind, QuotaSums};
pub use snapshot::{Leftovers, SnapshotCursor};
pub use view::NodeView;

use crate::limits::DIGEST_LOG;
use crate::types::{Acl, Owner, Zxid, perms};
use acl::AclTable;
use node::{NONE, ROOT};
use owners::Owners;
use quota::QuotaPaths;
use snapshot::Snapshots;
use std::collections::VecDeque;
use store::Store;

/// The node with the ensemble's configuration.
pub const CONFIG_PATH: &str = "/zookeeper/config";

/// Settings that the tree's contents depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeConfig {
    /// `digest.enabled`: keep the tree's digest.
    pub digest: bool,
    /// `extendedTypesEnabled`: owner fields may mean a TTL.
    pub extended_types: bool,
    /// `emulate353TTLNodes`: also in the form of 3.5.3.
    pub emulate_353_ttl: bool,
    /// Seed of the index's hash: entropy from the edge, any constant in tests.
    pub hash_seed: u64,
}

impl Default for TreeConfig {
    fn default() -> TreeConfig {
        TreeConfig { digest: true, extended_types: false, emulate_353_ttl: false, hash_seed: 0 }
    }
}

impl TreeConfig {
    /// What an owner field means under these settings.
    pub fn owner(&self, field: i64) -> Owner {
        Owner::decode(field, self.extended_types, self.emulate_353_ttl && self.extended_types)
    }
}

/// The znodes and everything that is known of them.
#[derive(Debug)]
pub struct Tree {
    cfg: TreeConfig,
    store: Store,
    acls: AclTable,
    owners: Owners,
    quotas: QuotaPaths,
    snapshots: Snapshots,
    digest: i64,
    digest_log: VecDeque<(Zxid, i64)>,
    last_zxid: Zxid,
    data_size: i64,
    /// See [`Tree::take_back`].
    spare_parts: Vec<(i32, Applied)>,
}

impl Tree {
    /// The tree before the first transaction: `/`, `/zookeeper`, `/zookeeper/quota` and
    /// `/zookeeper/config`, with zeroed stats as in Java.
    pub fn new(cfg: TreeConfig) -> Tree {
        let mut tree = Tree::bare(cfg);
        tree.add_first(ROOT, "zookeeper", "/zookeeper");
        if let Some(zookeeper) = tree.find_raw("/zookeeper") {
            tree.add_first(zookeeper, "quota", quota::QUOTA_PATH);
        }
        tree.ensure_config_node();
        tree.data_size = tree.measure();
        tree
    }

    /// Only a root with a zeroed stat.
    fn bare(cfg: TreeConfig) -> Tree {
        let mut tree = Tree {
            store: Store::new(cfg.hash_seed),
            acls: AclTable::new(),
            owners: Owners::default(),
            quotas: QuotaPaths::default(),
            snapshots: Snapshots::default(),
            digest: 0,
            digest_log: VecDeque::new(),
            last_zxid: Zxid::ZERO,
            data_size: 0,
            spare_parts: Vec::new(),
            cfg,
        };
        tree.acls.hold(acl::OPEN_SLOT);
        tree.store.node_mut(ROOT).digest = digest::of("/", Some(b""), &Default::default());
        tree.digest_in(ROOT);
        tree
    }

    /// Creates `/zookeeper/config` if it is missing (trees of 3.4), readable for everyone.
    /// The node's first setACL leaves the ACL version -1, as in Java.
    pub fn ensure_config_node(&mut self) {
        let Some(zookeeper) = self.find_raw("/zookeeper") else { return };
        if self.find_raw(CONFIG_PATH).is_none() {
            let id = self.add_first(zookeeper, "config", CONFIG_PATH);
            let slot = self.acls.intern(&[crate::types::Acl::read_only()]);
            let node = self.store.node_mut(id);
            node.aversion = -1;
            let old = std::mem::replace(&mut node.acl, slot);
            self.acls.release(old);
        }
    }

    /// Sets the configuration's text outside of any transaction, as servers do when they
    /// start and learners when they join (`initConfigInZKDatabase`): version -1, `version`
    /// as mzxid. Other servers do the same, and the node is outside of the digest.
    pub fn install_config(&mut self, text: &[u8], version: Zxid, time: i64) {
        self.ensure_config_node();
        // Only a tree without /zookeeper refuses, and no start-up leaves one like that.
        let _ = self.set_data(CONFIG_PATH, Some(text), -1, version, time, None);
    }

    /// A node with empty data, zeroed stat and open ACL.
    fn add_first(&mut self, parent: u32, name: &str, path: &str) -> u32 {
        self.acls.hold(acl::OPEN_SLOT);
        let node = node::Node::new(&Default::default());
        self.add_node(parent, name, path, Some(b""), node)
    }

    /// The number of a node; `/` and the empty path are the root. Does not allocate.
    #[inline]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        self.find_raw(path).map(NodeId)
    }

    #[inline]
    fn find_raw(&self, path: &str) -> Option<u32> {
        self.store.find(path)
    }

    /// The node of a path.
    #[inline]
    pub fn get(&self, path: &str) -> Option<NodeView<'_>> {
        self.find_raw(path).map(|id| NodeView::new(self, id))
    }

    /// The node of a number that [`Tree::find`] gave under the same read lock.
    #[inline]
    pub fn view(&self, id: NodeId) -> NodeView<'_> {
        NodeView::new(self, id.0)
    }

    /// Settings.
    pub fn config(&self) -> &TreeConfig {
        &self.cfg
    }

    /// Zxid of the last transaction applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Sets the last zxid without a transaction: a new leader's epoch, a learner's NEWLEADER.
    pub fn set_last_zxid(&mut self, zxid: Zxid) {
        self.last_zxid = zxid;
    }

    /// Digest of all nodes, 0 when digests are off.
    pub fn digest(&self) -> i64 {
        self.digest
    }

    /// Digests after the transactions whose zxid is a multiple of 128, oldest first.
    pub fn digest_log(&self) -> impl ExactSizeIterator<Item = (Zxid, i64)> + '_ {
        self.digest_log.iter().copied()
    }

    fn log_digest(&mut self, zxid: Zxid) {
        if zxid.0 % DIGEST_LOG_INTERVAL == 0 {
            self.digest_log.push_back((zxid, self.digest));
            if self.digest_log.len() > DIGEST_LOG {
                self.digest_log.pop_front();
            }
        }
    }

    /// Java's count of nodes: the root stands twice in its map, so a fresh tree has 5.
    pub fn node_count(&self) -> usize {
        self.store.live() + 1
    }

    /// Nodes whose ACL lets anybody change them, their children or the ACL itself. Looks at every list
    /// once, not at every node.
    pub fn world_writable(&self) -> u64 {
        let changes = perms::ALL & !perms::READ;
        let anybody =
            |acl: &Acl| acl.id.scheme == "world" && acl.id.id == "anyone" && acl.perms & changes != 0;
        self.acls.count_where(|list| list.iter().any(anybody))
    }

    /// Characters of paths and bytes of data (`approximate_data_size`). As in Java, what
    /// quota usage texts grow by is not followed.
    pub fn approximate_data_size(&self) -> u64 {
        u64::try_from(self.data_size).unwrap_or(0)
    }

    /// Lists in the ACL table.
    pub fn acl_count(&self) -> usize {
        self.acls.len()
    }

    /// Paths of a session's ephemeral nodes.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = String> + '_ {
        self.owners.of_session(session).map(|id| self.store.path(id))
    }

    /// Sessions that have ephemeral nodes, ascending.
    pub fn ephemeral_sessions(&self) -> impl Iterator<Item = i64> + '_ {
        self.owners.sessions()
    }

    /// Ephemeral nodes of all sessions.
    pub fn ephemerals_count(&self) -> usize {
        self.owners.ephemeral_count()
    }

    /// Nodes below a path (`getAllChildrenNumber`); `None` without such a node. The empty
    /// path is a name of the root under which the root counts as its own child.
    pub fn descendants(&self, path: &str) -> Option<usize> {
        let top = self.find_raw(path)?;
        if top == ROOT {
            return Some(self.store.live() - usize::from(!path.is_empty()));
        }
        let mut open = vec![top];
        let mut count = 0;
        while let Some(id) = open.pop() {
            let children = self.store.children(id);
            count += children.len();
            // Leaves are most of a tree and need no visit.
            open.extend(children.iter().filter(|&&c| self.store.node(c).children != NONE));
        }
        Some(count)
    }

    /// [`Tree::approximate_data_size`] counted anew.
    fn measure(&self) -> i64 {
        let mut open = vec![(ROOT, 0usize)];
        let mut size = 1; // the root under its second name
        while let Some((id, path_len)) = open.pop() {
            size += path_len as i64 + self.store.data(id).map_or(0, |d| d.len() as i64);
            for &child in self.store.children(id) {
                open.push((child, path_len + 1 + java_length(self.store.name(child))));
            }
        }
        // Java measures the root's data under both names.
        size + self.store.data(ROOT).map_or(0, |d| d.len() as i64)
    }
}

/// Zxids whose digest is logged: every multiple of this.
const DIGEST_LOG_INTERVAL: i64 = 128;

/// UTF-16 units of a UTF-8 text: Java's `String.length`.
fn java_length(utf8: &[u8]) -> usize {
    utf8.iter().map(|&b| usize::from(b & 0xc0 != 0x80) + usize::from(b >= 0xf0)).sum()
}
