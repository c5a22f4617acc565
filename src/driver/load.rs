//! From directories to a running node's state.
//!
//! # Invariants
//!
//! * The state is what the storage says is durable, nothing else.

use crate::disk::{Disk, Durable};
use crate::replica::{DigestDifference, Rebuild, Recovered};
use crate::storage::ZxidDigest;
use crate::storage::names::SnapshotFile;
use crate::storage::{
    Dirs, Epochs, Fresh, Loader, Notice, Result, Rules, SnapshotInfo, SnapshotVisitor, Storage, recover,
};
use crate::tree::TreeConfig;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::txn::{DIGEST_VERSION, Record};
use crate::types::Zxid;
use crate::zab::{Promises, Proposal};
use std::collections::VecDeque;

/// What a start found.
pub struct Start<D: Disk> {
    /// Tree and sessions.
    pub recovered: Recovered,
    /// Goes on behind them.
    pub storage: Storage<D>,
    /// The last zxid; -1 for an empty database that must not be trusted.
    pub last: Zxid,
    /// More may have been promised: a member learns from a leader before it votes.
    pub doubtful: bool,
    /// The snapshot it started from.
    pub snapshot: Option<SnapshotInfo>,
    /// Transactions replayed behind it.
    pub replayed: u64,
    /// What an operator may want to know.
    pub notices: Vec<Notice>,
    /// Where recorded digests differ from the rebuilt state.
    pub differences: Vec<DigestDifference>,
}

/// What the start of a member found.
pub struct MemberFiles<D: Disk> {
    /// The database and its storage.
    pub start: Start<D>,
    /// Goes on behind the promises.
    pub epochs: Epochs<D>,
    /// What this member holds durably.
    pub promises: Promises,
    /// The last transactions of the log behind the snapshot, oldest first.
    pub window: Vec<Proposal>,
}

/// Rebuilds the state, and keeps the last few transactions as they came.
pub(super) struct Load<'a> {
    rebuild: Rebuild,
    window: VecDeque<Record>,
    /// So many at most.
    keep: usize,
    /// Told when a snapshot is loaded; what comes behind is the log.
    told: Option<&'a mut dyn FnMut()>,
}

impl<'a> Load<'a> {
    pub(super) fn new(tree: TreeConfig, keep: usize) -> Load<'a> {
        Load { rebuild: Rebuild::new(tree), window: VecDeque::new(), keep, told: None }
    }

    pub(super) fn finish(self) -> (Recovered, Vec<Proposal>) {
        let proposal = |r: &Record| Proposal { zxid: r.header.zxid, bytes: r.to_bytes().into() };
        (self.rebuild.finish(), self.window.iter().map(proposal).collect())
    }
}

impl SnapshotVisitor for Load<'_> {
    fn head(&mut self, head: SnapshotHead) -> std::result::Result<(), String> {
        self.rebuild.head(head);
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> std::result::Result<(), String> {
        self.rebuild.node(node)
    }
}

impl Loader for Load<'_> {
    fn begin(&mut self, _: &SnapshotFile) {
        self.rebuild.begin_snapshot();
        self.window.clear();
    }

    fn loaded(&mut self, info: &SnapshotInfo) -> std::result::Result<(), String> {
        let trailer = info.digest.map(|d| (d.zxid, d.version, d.digest));
        self.rebuild.end_snapshot(info.zxid, trailer)?;
        if let Some(told) = &mut self.told {
            told();
        }
        Ok(())
    }

    fn fresh(&mut self) -> Fresh {
        let (head, nodes, digest) = self.rebuild.fresh();
        // Before the first transaction the trailer says nothing, as in Java.
        let digest = digest.map(|_| ZxidDigest { zxid: Zxid::ZERO, version: DIGEST_VERSION, digest: 0 });
        Fresh { head, nodes, digest }
    }

    fn txn(&mut self, record: Record) -> std::result::Result<(), String> {
        self.rebuild.apply(&record)?;
        if self.keep > 0 {
            if self.window.len() == self.keep {
                self.window.pop_front();
            }
            self.window.push_back(record);
        }
        Ok(())
    }
}

/// Recovers the state from `dirs`.
pub fn start<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules, tree: TreeConfig) -> Result<Start<D>> {
    start_told(disk, dirs, rules, tree, &mut || ())
}

/// The same; `told` is called when the snapshot is loaded, before the log is replayed.
pub fn start_told<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    rules: &Rules,
    tree: TreeConfig,
    told: &mut dyn FnMut(),
) -> Result<Start<D>> {
    let load = Load { told: Some(told), ..Load::new(tree, 0) };
    begin(disk, dirs, rules, load).map(|begun| begun.start)
}

/// Recovers the state of a member from `dirs`, with what it has promised and its last transactions,
/// `window` at most.
pub fn start_member<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    rules: &Rules,
    tree: TreeConfig,
    window: usize,
) -> Result<MemberFiles<D>> {
    start_member_told(disk, dirs, rules, tree, window, &mut || ())
}

/// The same; `told` is called when the snapshot is loaded, before the log is replayed.
pub fn start_member_told<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    rules: &Rules,
    tree: TreeConfig,
    window: usize,
    told: &mut dyn FnMut(),
) -> Result<MemberFiles<D>> {
    let load = Load { told: Some(told), ..Load::new(tree, window) };
    let Begun { start, last, window } = begin(disk, dirs, rules, load)?;
    let epochs = Epochs::load(disk, dirs, start.last)?;
    let (current, accepted) = epochs.promised();
    Ok(MemberFiles { start, epochs, promises: Promises { last, current, accepted }, window })
}

struct Begun<D: Disk> {
    start: Start<D>,
    last: Durable<Zxid>,
    window: Vec<Proposal>,
}

fn begin<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules, mut load: Load<'_>) -> Result<Begun<D>> {
    let found = recover(disk, dirs, rules, &mut load)?;
    let differences = load.rebuild.differences().to_vec();
    let (recovered, window) = load.finish();
    let start = Start {
        recovered,
        storage: found.storage,
        last: found.last,
        doubtful: found.doubtful,
        snapshot: found.snapshot,
        replayed: found.replayed,
        notices: found.notices,
        differences,
    };
    Ok(Begun { start, last: found.durable, window })
}
