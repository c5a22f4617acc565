//! Rebuilds the replicated state from a snapshot and the transactions behind it.
//!
//! # Invariants
//!
//! * A snapshot that turns out to be damaged leaves nothing behind: the next attempt starts anew.
//! * Transactions come in order; what a fuzzy snapshot already contains is tolerated as in Java.
//! * Digests are compared once the state has reached the point that the snapshot's trailer
//!   names: before that a fuzzy snapshot is of no single moment.

use super::node::Recovered;
use crate::tree::{Changes, Tree, TreeBuilder, TreeConfig};
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::txn::{DIGEST_VERSION, Record, Txn};
use crate::types::{Zxid, mutant};
use std::collections::HashMap;

/// A difference between a recorded and a computed digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigestDifference {
    /// After this transaction.
    pub zxid: Zxid,
    /// As recorded.
    pub recorded: i64,
    /// As computed.
    pub computed: i64,
}

/// State under reconstruction.
#[derive(Debug)]
pub struct Rebuild {
    config: TreeConfig,
    builder: Option<TreeBuilder>,
    tree: Option<Tree>,
    sessions: HashMap<i64, i32>,
    /// The snapshot's own digest and the zxid at which the state must show it.
    trailer: Option<(Zxid, i64)>,
    differences: Vec<DigestDifference>,
    transactions: u64,
}

impl Rebuild {
    /// Nothing yet.
    pub fn new(config: TreeConfig) -> Rebuild {
        Rebuild {
            config,
            builder: None,
            tree: None,
            sessions: HashMap::new(),
            trailer: None,
            differences: Vec::new(),
            transactions: 0,
        }
    }

    /// A snapshot follows: forgets everything of an earlier attempt.
    pub fn begin_snapshot(&mut self) {
        let config = self.config;
        *self = Rebuild { builder: Some(TreeBuilder::new(config)), ..Rebuild::new(config) };
    }

    /// Sessions and ACL table.
    pub fn head(&mut self, head: SnapshotHead) {
        self.sessions = head.sessions.into_iter().collect();
        if let Some(builder) = &mut self.builder {
            for (id, list) in head.acls {
                builder.acl(id, list);
            }
        }
    }

    /// One znode; its parent came before.
    pub fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        match &mut self.builder {
            Some(builder) => builder.node(node).map_err(|e| e.to_string()),
            None => Err("a znode before the snapshot began".into()),
        }
    }

    /// The snapshot, named after `zxid`, is complete. `digest` is its trailer: zxid, version, digest.
    pub fn end_snapshot(&mut self, zxid: Zxid, digest: Option<(Zxid, i32, i64)>) -> Result<(), String> {
        let Some(builder) = self.builder.take() else { return Ok(()) };
        let mut tree = builder.finish(zxid).map_err(|e| e.to_string())?;
        tree.ensure_config_node();
        self.trailer = digest
            .filter(|(at, version, _)| *at != Zxid::ZERO && *version == DIGEST_VERSION)
            .map(|(at, _, recorded)| (at.max(zxid), recorded));
        self.compare_trailer(zxid, tree.digest());
        self.tree = Some(tree);
        Ok(())
    }

    /// There is no snapshot: an empty state. Its encoded head and znodes, and its digest, for
    /// the first snapshot file.
    pub fn fresh(&mut self) -> (Vec<u8>, Vec<u8>, Option<i64>) {
        let mut tree = Tree::new(self.config);
        let mut cursor = tree.begin_snapshot();
        let (mut head, mut nodes) = (Vec::new(), Vec::new());
        cursor.encode_head(&[], &mut head);
        while tree.snapshot_chunk(&mut cursor, usize::MAX, &mut nodes) {}
        tree.end_snapshot(cursor);
        let digest = self.config.digest.then(|| tree.digest());
        self.tree = Some(tree);
        (head, nodes, digest)
    }

    /// The next transaction.
    pub fn apply(&mut self, record: &Record) -> Result<(), String> {
        let config = self.config;
        let tree = self.tree.get_or_insert_with(|| Tree::new(config));
        let zxid = record.header.zxid;
        match record.txn {
            Txn::CreateSession { timeout } if !mutant::on("session-forgotten") => {
                self.sessions.insert(record.header.client_id, timeout);
            }
            Txn::CloseSession { .. } => {
                self.sessions.remove(&record.header.client_id);
            }
            _ => {}
        }
        tree.apply(&record.header, &record.txn, &mut Changes::default());
        self.transactions += 1;
        let computed = tree.digest();
        let exact = self.trailer.is_none();
        self.compare_trailer(zxid, computed);
        if let Some(d) = record.digest
            && config.digest
            && exact
            && d.version == DIGEST_VERSION
            && d.digest != computed
        {
            self.differ(zxid, d.digest, computed);
        }
        Ok(())
    }

    /// At the zxid of the trailer the state is of one moment; from there on it stays so.
    fn compare_trailer(&mut self, zxid: Zxid, computed: i64) {
        if let Some((at, recorded)) = self.trailer.filter(|(at, _)| zxid >= *at) {
            self.trailer = None;
            if self.config.digest && zxid == at && recorded != computed {
                self.differ(zxid, recorded, computed);
            }
        }
    }

    fn differ(&mut self, zxid: Zxid, recorded: i64, computed: i64) {
        // The first ones tell where it began; a wrong state differs ever after.
        if self.differences.len() < 16 {
            self.differences.push(DigestDifference { zxid, recorded, computed });
        }
    }

    /// Where digests differed, the first few.
    pub fn differences(&self) -> &[DigestDifference] {
        &self.differences
    }

    /// Transactions applied so far.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// The state.
    pub fn finish(self) -> Recovered {
        let tree = self.tree.unwrap_or_else(|| Tree::new(self.config));
        Recovered { tree, sessions: self.sessions }
    }
}
