//! Building a tree from the records of a snapshot (`DataTree.deserialize`).
//!
//! Snapshots of Java are fuzzy: nodes of later moments may stand in them, with ACL ids
//! that the table in front does not have. The log that is replayed afterwards puts both
//! right.
//!
//! # Invariants
//!
//! * A node whose parent did not come before it, or that comes twice, is an error that names it.
//! * An ACL id that the table lacks allows nothing to anybody until the log sets the ACL.

use super::node::{Node, ROOT};
use super::{Tree, TreeConfig, java_length};
use crate::error::Culprit;
use crate::limits::QUOTED_INPUT;
use crate::txn::snapshot::SnapshotNode;
use crate::types::{Acl, Id, Zxid, mutant, path};
use std::fmt;

/// Why records are no tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The parent of this path did not come before it.
    ParentMissing(String),
    /// Not empty, and does not start with a slash.
    NotAPath(String),
    /// This path comes twice.
    Twice(String),
}

impl LoadError {
    /// Whose fault: what lies on the disk.
    pub fn culprit(&self) -> Culprit {
        Culprit::Disk
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match self {
            LoadError::ParentMissing(p) => ("a znode without its parent before it", p),
            LoadError::NotAPath(p) => ("a znode whose name is no path", p),
            LoadError::Twice(p) => ("a znode twice", p),
        };
        let quoted: String = path.chars().take(QUOTED_INPUT).collect();
        write!(f, "{}: the snapshot has {what}: {quoted:?}; start from an older snapshot", self.culprit())
    }
}

impl std::error::Error for LoadError {}

/// Collects a snapshot's records: ACLs, then nodes, then [`TreeBuilder::finish`].
///
/// Snapshots go depth first, so the parent of a node almost always is the node before it
/// or one of that node's ancestors. As long as it is, nothing is looked up and nothing
/// is indexed: the index is made at the end, at its final size.
#[derive(Debug)]
pub struct TreeBuilder {
    tree: Tree,
    has_root: bool,
    /// Path of the last node.
    path: String,
    /// The last node and its ancestors below the root: number, and length of its path.
    line: Vec<(u32, usize)>,
    /// Nodes below this number are indexed; once one had to be looked up, all are.
    indexed: Option<u32>,
    unknown_acls: u64,
    size: i64,
}

impl TreeBuilder {
    /// An empty tree to be filled.
    pub fn new(cfg: TreeConfig) -> TreeBuilder {
        TreeBuilder {
            tree: Tree::bare(cfg),
            has_root: false,
            path: String::new(),
            line: Vec::new(),
            indexed: None,
            unknown_acls: 0,
            size: 0,
        }
    }

    /// One list of the snapshot's ACL table.
    pub fn acl(&mut self, id: i64, list: Vec<Acl>) {
        self.tree.acls.load(id, list);
    }

    /// One node; parents first.
    pub fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), LoadError> {
        if node.path.is_empty() {
            return self.root(node);
        }
        let (parent_path, name) =
            path::split(node.path).ok_or_else(|| LoadError::NotAPath(node.path.to_owned()))?;
        let parent = self.parent(node.path, parent_path)?;
        let mut new = Node::new(&node.stat);
        if mutant::on("pzxid-forgotten") {
            new = Node::new(&crate::types::StatPersisted { pzxid: node.stat.czxid, ..node.stat });
        }
        if mutant::on("cversion-forgotten") {
            new = Node::new(&crate::types::StatPersisted { cversion: 0, ..node.stat });
        }
        new.acl = self.slot(node.acl);
        let new = self.tree.with_digest(node.path, node.data, new);
        let id = self.tree.store.attach_unindexed(parent, name, node.data, new);
        self.tree.enter(id);
        if self.indexed.is_some() {
            self.index()?;
        }
        self.line.push((id, node.path.len()));
        self.path.clear();
        self.path.push_str(node.path);
        self.size += (java_length(node.path.as_bytes()) + node.data.map_or(0, <[u8]>::len)) as i64;
        Ok(())
    }

    fn root(&mut self, node: &SnapshotNode<'_>) -> Result<(), LoadError> {
        if self.has_root {
            return Err(LoadError::Twice("/".to_owned()));
        }
        self.has_root = true;
        let mut new = Node::new(&node.stat);
        new.acl = self.slot(node.acl);
        self.tree.replace(ROOT, node, &new);
        // Java has it under both of its names.
        self.size = 1 + 2 * node.data.map_or(0, <[u8]>::len) as i64;
        Ok(())
    }

    /// The number of the parent of `path`: on the line that leads to the last node, or looked up.
    fn parent(&mut self, path: &str, parent_path: &str) -> Result<u32, LoadError> {
        if !self.has_root || !path.starts_with('/') {
            return Err(LoadError::ParentMissing(path.to_owned()));
        }
        if parent_path == "/" {
            self.line.clear();
            return Ok(ROOT);
        }
        while self.line.last().is_some_and(|(_, len)| *len > parent_path.len()) {
            self.line.pop();
        }
        if let Some(&(id, len)) = self.line.last()
            && self.path.get(..len) == Some(parent_path)
        {
            return Ok(id);
        }
        self.index()?;
        self.line.clear();
        self.tree.find_raw(parent_path).ok_or_else(|| LoadError::ParentMissing(path.to_owned()))
    }

    /// Indexes what is not indexed yet.
    fn index(&mut self) -> Result<(), LoadError> {
        let from = self.indexed.unwrap_or(ROOT + 1);
        self.indexed = Some(self.tree.store.numbers());
        self.tree.store.index_from(from).map_err(|id| LoadError::Twice(self.tree.store.path(id)))
    }

    fn slot(&mut self, id: i64) -> u32 {
        if let Some(slot) = self.tree.acls.hold_id(id) {
            return slot;
        }
        self.unknown_acls += 1;
        let nobody = Acl { perms: 0, id: Id::new("world", "anyone") };
        self.tree.acls.load(id, vec![nobody]);
        self.tree.acls.hold_id(id).unwrap_or(super::acl::OPEN_SLOT)
    }

    /// ACL ids that the table lacked: normal for a fuzzy snapshot before its log is
    /// replayed, worth a warning afterwards.
    pub fn unknown_acls(&self) -> u64 {
        self.unknown_acls
    }

    /// The tree, with quota usage counted anew and unused ACLs dropped.
    pub fn finish(mut self, last_zxid: Zxid) -> Result<Tree, LoadError> {
        self.index()?;
        self.tree.data_size = self.size;
        self.tree.setup_quotas();
        self.tree.acls.purge_unused();
        self.tree.last_zxid = last_zxid;
        if mutant::on("digest-misloaded") {
            self.tree.digest = self.tree.digest.wrapping_add(1);
        }
        Ok(self.tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Owner, StatPersisted};

    fn node(path: &str) -> SnapshotNode<'_> {
        SnapshotNode { path, data: Some(b"x"), acl: -1, stat: StatPersisted::default() }
    }

    fn load(paths: &[&str]) -> Result<Tree, LoadError> {
        let mut builder = TreeBuilder::new(TreeConfig::default());
        for path in paths {
            builder.node(&node(path))?;
        }
        builder.finish(Zxid(5))
    }

    #[test]
    fn any_order_with_parents_first_gives_the_same_tree() {
        let deep = load(&["", "/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/ab/b"]).unwrap();
        let wide = load(&["", "/ab", "/a", "/ab/b", "/a/d", "/a/b", "/a/b/c"]).unwrap();
        assert_eq!(super::super::model::dump(&deep), super::super::model::dump(&wide));
        assert_eq!(deep.digest(), wide.digest());
        assert_eq!(deep.approximate_data_size(), wide.approximate_data_size());
        assert_eq!(deep.approximate_data_size() as i64, deep.measure());
        assert_eq!((deep.node_count(), deep.last_zxid()), (8, Zxid(5)));
        deep.check_shape();
        wide.check_shape();
    }

    #[test]
    fn what_is_no_tree_is_named() {
        assert_eq!(load(&["", "/a/b"]).err(), Some(LoadError::ParentMissing("/a/b".into())));
        assert_eq!(load(&["", "/a", "/b", "/c/b"]).err(), Some(LoadError::ParentMissing("/c/b".into())));
        assert_eq!(load(&["/a"]).err(), Some(LoadError::ParentMissing("/a".into())));
        assert_eq!(load(&["", "a"]).err(), Some(LoadError::NotAPath("a".into())));
        assert_eq!(load(&["", "/a", "/a/b", "/a"]).err(), Some(LoadError::Twice("/a".into())));
        assert_eq!(load(&["", "/b", "/a", "/b/x", "/a"]).err(), Some(LoadError::Twice("/a".into())));
        assert_eq!(load(&["", ""]).err(), Some(LoadError::Twice("/".into())));
        let text = LoadError::ParentMissing("/c/b".into()).to_string();
        assert!(text.starts_with("disk: ") && text.contains("/c/b"), "{text}");
    }

    #[test]
    fn an_acl_id_that_the_table_lacks_allows_nothing_until_the_log_sets_it() {
        let mut builder = TreeBuilder::new(TreeConfig::default());
        builder.acl(3, vec![Acl::open()]);
        builder.acl(4, vec![Acl::read_only()]);
        builder.node(&node("")).unwrap();
        builder.node(&SnapshotNode { acl: 3, ..node("/a") }).unwrap();
        builder.node(&SnapshotNode { acl: 9, ..node("/b") }).unwrap();
        assert_eq!(builder.unknown_acls(), 1);
        let mut tree = builder.finish(Zxid(5)).unwrap();
        assert_eq!(tree.get("/b").unwrap().acl().iter().map(|a| a.perms).collect::<Vec<_>>(), [0]);
        assert_eq!((tree.get("/b").unwrap().acl_id(), tree.acl_count()), (9, 2), "4 is nobody's");
        tree.set_acl("/b", &[Acl::read_only()], 1).unwrap();
        assert_eq!((tree.get("/b").unwrap().acl_id(), tree.acl_count()), (10, 2));
    }

    #[test]
    fn owners_are_found_again() {
        let mut builder = TreeBuilder::new(TreeConfig { extended_types: true, ..TreeConfig::default() });
        builder.node(&node("")).unwrap();
        for (path, owner) in [("/e", 77), ("/c", i64::MIN), ("/t", Owner::encode_ttl(9))] {
            let stat = StatPersisted { ephemeral_owner: owner, cversion: 1, ..StatPersisted::default() };
            builder.node(&SnapshotNode { stat, ..node(path) }).unwrap();
        }
        let mut tree = builder.finish(Zxid(5)).unwrap();
        assert_eq!(tree.ephemerals(77).collect::<Vec<_>>(), ["/e"]);
        assert_eq!(tree.expiry_candidates(10, 0, 9), ["/c", "/t"]);
        tree.kill_session_directly(77);
        assert_eq!((tree.ephemerals_count(), tree.get("/").unwrap().persisted().pzxid), (0, 5));
    }
}
