//! Builds the database while files are verified: a snapshot whose nodes make no tree is damaged,
//! whatever its checksum says, and digests tell whether the log made the same tree then.
//!
//! # Invariants
//!
//! * The same rebuilding as a server's start.

use super::Progress;
use crate::replica::{DigestDifference, Rebuild};
use crate::storage::{Fresh, Loader, SnapshotFile, SnapshotInfo, SnapshotVisitor};
use crate::tree::TreeConfig;
use crate::txn::Record;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};

/// A database under construction, and who wants to know how far it is.
pub(super) struct Load<'a> {
    rebuild: Rebuild,
    /// Sessions of the snapshot.
    pub(super) sessions: usize,
    progress: Option<&'a mut Progress>,
    bytes: u64,
    nodes: u64,
}

impl<'a> Load<'a> {
    /// For a whole database.
    pub(super) fn new() -> Load<'a> {
        let config = TreeConfig { digest: true, extended_types: true, ..TreeConfig::default() };
        Load { rebuild: Rebuild::new(config), sessions: 0, progress: None, bytes: 0, nodes: 0 }
    }

    /// For one snapshot.
    pub(super) fn watched(progress: &'a mut Progress) -> Load<'a> {
        let mut load = Load::new();
        load.rebuild.begin_snapshot();
        load.progress = Some(progress);
        load
    }

    /// Where recorded digests differ from the rebuilt tree's.
    pub(super) fn differences(&self) -> Vec<String> {
        let text = |d: &DigestDifference| {
            format!("the digest after {} is {:#x}, recorded is {:#x}", d.zxid, d.computed, d.recorded)
        };
        self.rebuild.differences().iter().map(text).collect()
    }
}

impl SnapshotVisitor for Load<'_> {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        self.sessions = head.sessions.len();
        self.rebuild.head(head);
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        self.bytes += (node.path.len() + node.data.map_or(0, <[u8]>::len) + 76) as u64;
        self.nodes += 1;
        if self.nodes.is_multiple_of(4096)
            && let Some(progress) = self.progress.as_deref_mut()
        {
            progress.at(self.bytes);
        }
        self.rebuild.node(node)
    }
}

impl Loader for Load<'_> {
    fn begin(&mut self, _: &SnapshotFile) {
        self.rebuild.begin_snapshot();
    }

    fn loaded(&mut self, info: &SnapshotInfo) -> Result<(), String> {
        let trailer = info.digest.map(|d| (d.zxid, d.version, d.digest));
        self.rebuild.end_snapshot(info.zxid, trailer)
    }

    fn fresh(&mut self) -> Fresh {
        let (head, nodes, _) = self.rebuild.fresh();
        Fresh { head, nodes, digest: None }
    }

    fn txn(&mut self, record: Record) -> Result<(), String> {
        self.rebuild.apply(&record)
    }
}
