//! From directories to a running node's state.
//!
//! # Invariants
//!
//! * The state is what the storage says is durable, nothing else.

use crate::disk::Disk;
use crate::replica::{DigestDifference, Rebuild, Recovered};
use crate::storage::ZxidDigest;
use crate::storage::names::SnapshotFile;
use crate::storage::{
    Dirs, Fresh, Loader, Notice, Result, Rules, SnapshotInfo, SnapshotVisitor, Storage, recover,
};
use crate::tree::TreeConfig;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::txn::{DIGEST_VERSION, Record};
use crate::types::Zxid;

/// What a start found.
pub struct Start<D: Disk> {
    /// Tree and sessions.
    pub recovered: Recovered,
    /// Goes on behind them.
    pub storage: Storage<D>,
    /// The last zxid; -1 for an empty database that must not be trusted.
    pub last: Zxid,
    /// The snapshot it started from.
    pub snapshot: Option<SnapshotInfo>,
    /// Transactions replayed behind it.
    pub replayed: u64,
    /// What an operator may want to know.
    pub notices: Vec<Notice>,
    /// Where recorded digests differ from the rebuilt state.
    pub differences: Vec<DigestDifference>,
}

struct Load(Rebuild);

impl SnapshotVisitor for Load {
    fn head(&mut self, head: SnapshotHead) -> std::result::Result<(), String> {
        self.0.head(head);
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> std::result::Result<(), String> {
        self.0.node(node)
    }
}

impl Loader for Load {
    fn begin(&mut self, _: &SnapshotFile) {
        self.0.begin_snapshot();
    }

    fn loaded(&mut self, info: &SnapshotInfo) -> std::result::Result<(), String> {
        let trailer = info.digest.map(|d| (d.zxid, d.version, d.digest));
        self.0.end_snapshot(info.zxid, trailer)
    }

    fn fresh(&mut self) -> Fresh {
        let (head, nodes, digest) = self.0.fresh();
        // Before the first transaction the trailer says nothing, as in Java.
        let digest = digest.map(|_| ZxidDigest { zxid: Zxid::ZERO, version: DIGEST_VERSION, digest: 0 });
        Fresh { head, nodes, digest }
    }

    fn txn(&mut self, record: Record) -> std::result::Result<(), String> {
        self.0.apply(&record)
    }
}

/// Recovers the state from `dirs`.
pub fn start<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules, tree: TreeConfig) -> Result<Start<D>> {
    let mut load = Load(Rebuild::new(tree));
    let found = recover(disk, dirs, rules, &mut load)?;
    let differences = load.0.differences().to_vec();
    Ok(Start {
        recovered: load.0.finish(),
        storage: found.storage,
        last: found.last,
        snapshot: found.snapshot,
        replayed: found.replayed,
        notices: found.notices,
        differences,
    })
}
