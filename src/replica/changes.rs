//! The state that admission sees: the tree, plus everything that is admitted and not yet applied
//! (`ZooKeeperServer.outstandingChanges`).
//!
//! # Invariants
//!
//! * A record is the node's state after the last admitted transaction that touched it; it
//!   goes when that transaction is applied.
//! * [`Outstanding::digest`] is the tree's digest after everything admitted.
//! * A failed multi leaves no trace: its changes are undone in reverse order.

use crate::error::Code;
use crate::tree::{AclList, Tree, digest};
use crate::types::{StatPersisted, Zxid};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::{Entry, EntryRef};
use std::collections::VecDeque;
use std::sync::Arc;

/// A node as admission sees it.
#[derive(Clone, Debug)]
pub(super) struct NodeState {
    /// Raw stat.
    pub stat: StatPersisted,
    pub children: i64,
    pub acl: AclList,
    /// CRC-32 of path and data, from which the node's digest is finished.
    pub prefix: u32,
    pub data_len: i64,
}

#[derive(Clone, Debug)]
struct Change {
    zxid: Zxid,
    /// `None`: deleted.
    state: Option<NodeState>,
}

/// Admitted and not yet applied changes.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    by_path: HashMap<Arc<str>, Change, FixedState>,
    order: VecDeque<(Zxid, Arc<str>)>,
    digest: i64,
    digesting: bool,
    /// Changes since they were counted last.
    recorded: usize,
}

/// Where a multi began, to return to.
#[derive(Debug)]
pub(super) struct Mark {
    digest: i64,
    undo: Vec<(Arc<str>, Option<Change>)>,
    order: usize,
}

impl Outstanding {
    /// Starts from a tree without anything under way.
    pub fn new(tree: &Tree, digesting: bool) -> Outstanding {
        let by_path = HashMap::with_hasher(FixedState::with_seed(tree.config().hash_seed));
        Outstanding { by_path, digest: tree.digest(), digesting, ..Default::default() }
    }

    /// The digest after everything admitted, if digests are kept.
    pub fn digest(&self) -> Option<i64> {
        self.digesting.then_some(self.digest)
    }

    /// The node after everything admitted.
    pub fn get(&self, tree: &Tree, path: &str) -> Result<NodeState, Code> {
        let path = key(path);
        if let Some(change) = self.by_path.get(path) {
            return change.state.clone().ok_or(Code::NoNode);
        }
        let node = tree.get(path).ok_or(Code::NoNode)?;
        Ok(NodeState {
            stat: node.persisted(),
            children: node.child_count() as i64,
            acl: node.acl().clone(),
            prefix: node.crc_prefix(),
            data_len: node.data_len() as i64,
        })
    }

    /// Does the node exist after everything admitted?
    pub fn exists(&self, tree: &Tree, path: &str) -> bool {
        let path = key(path);
        match self.by_path.get(path) {
            Some(change) => change.state.is_some(),
            None => tree.find(path).is_some(),
        }
    }

    /// Records that `zxid` turns the node from `old` (`None`: it did not exist) into `new`
    /// (`None`: deleted). `mark` collects what a failed multi has to undo.
    pub fn put(
        &mut self,
        zxid: Zxid,
        path: &str,
        old: Option<&NodeState>,
        new: Option<NodeState>,
        mark: Option<&mut Mark>,
    ) {
        let path = key(path);
        if self.digesting && !digest::excluded(path) {
            let of = |s: Option<&NodeState>| s.map_or(0, |s| digest::finish(s.prefix, &s.stat));
            self.digest = self.digest.wrapping_sub(of(old)).wrapping_add(of(new.as_ref()));
        }
        let change = Change { zxid, state: new };
        let (key, before) = match self.by_path.entry_ref(path) {
            EntryRef::Occupied(mut entry) => (entry.key().clone(), Some(entry.insert(change))),
            EntryRef::Vacant(entry) => {
                let key: Arc<str> = Arc::from(path);
                entry.insert_entry_with_key(key.clone(), change);
                (key, None)
            }
        };
        if let Some(mark) = mark {
            mark.undo.push((key.clone(), before));
        }
        self.order.push_back((zxid, key));
        self.recorded += 1;
    }

    /// Begins a multi of so many parts.
    pub fn mark(&self, parts: usize) -> Mark {
        Mark { digest: self.digest, undo: Vec::with_capacity(parts), order: self.order.len() }
    }

    /// Undoes everything since the mark.
    pub fn undo(&mut self, mark: Mark) {
        self.recorded = self.recorded.saturating_sub(self.order.len().saturating_sub(mark.order));
        self.order.truncate(mark.order);
        self.digest = mark.digest;
        for (path, before) in mark.undo.into_iter().rev() {
            match before {
                Some(change) => self.by_path.insert(path, change),
                None => self.by_path.remove(&path),
            };
        }
    }

    /// Changes recorded since the last call.
    pub fn take_recorded(&mut self) -> usize {
        std::mem::take(&mut self.recorded)
    }

    /// The transaction is applied: the tree itself shows its changes now. How many those were.
    pub fn applied(&mut self, zxid: Zxid) -> usize {
        let before = self.order.len();
        while let Some((at, _)) = self.order.front()
            && *at <= zxid
        {
            let Some((at, path)) = self.order.pop_front() else { break };
            if let Entry::Occupied(entry) = self.by_path.entry(path)
                && entry.get().zxid <= at
            {
                entry.remove();
            }
        }
        before - self.order.len()
    }

    /// Corrects a session's list of ephemerals by what is under way.
    pub fn adjust_ephemerals(&self, session: i64, paths: &mut std::collections::BTreeSet<String>) {
        for (path, change) in &self.by_path {
            match &change.state {
                None => {
                    paths.remove(&**path);
                }
                Some(s) if s.stat.ephemeral_owner == session => {
                    paths.insert(path.to_string());
                }
                Some(_) => {}
            }
        }
    }
}

/// The root has two spellings, as a path and as a parent; here it has one.
fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}
