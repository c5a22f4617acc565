//! The state that admission sees: the tree, plus everything that is admitted and not yet applied
//! (`ZooKeeperServer.outstandingChanges`).
//!
//! # Invariants
//!
//! * A record is the node's state after the last admitted transaction that touched it; it
//!   goes when that transaction is applied.
//! * [`Outstanding::digest`] is the tree's digest after everything admitted.
//! * A failed multi leaves no trace: its changes are undone in reverse order.
//! * A place has a number as long as its path has a change, and `order` names only such places:
//!   nothing is allocated for a path that comes again and again.

use crate::error::Code;
use crate::limits::CHANGES_KEPT;
use crate::tree::{AclList, Tree, digest};
use crate::types::{StatPersisted, Zxid};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// A node as admission sees it.
#[derive(Clone, Debug)]
pub(super) struct NodeState {
    /// Raw stat.
    pub stat: StatPersisted,
    pub children: i64,
    pub acl: AclList,
    /// The node's digest ([`digest::of`]) with this stat.
    pub digest: u32,
    pub data_len: i64,
}

impl NodeState {
    /// The same node with another stat.
    pub fn with_stat(&self, stat: StatPersisted) -> NodeState {
        NodeState { stat, digest: digest::moved(self.digest, &self.stat, &stat), ..self.clone() }
    }
}

#[derive(Debug)]
struct Change {
    zxid: Zxid,
    /// `None`: deleted.
    state: Option<NodeState>,
}

/// The place of a path that has a change, or had one: its text is kept for the next.
#[derive(Debug, Default)]
struct Place {
    path: String,
    hash: u64,
    change: Option<Change>,
}

/// Admitted and not yet applied changes.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    places: Vec<Place>,
    /// Numbers of places with a change, by path.
    by_path: HashTable<u32>,
    /// Numbers of places without one.
    free: Vec<u32>,
    order: VecDeque<(Zxid, u32)>,
    hash: FixedState,
    digest: i64,
    digesting: bool,
    /// Changes since they were counted last.
    recorded: usize,
    /// The list of a multi that is over, for the next one.
    spare: Vec<(u32, Option<Change>)>,
}

/// Where a multi began, to return to.
#[derive(Debug)]
pub(super) struct Mark {
    digest: i64,
    undo: Vec<(u32, Option<Change>)>,
    order: usize,
}

impl Outstanding {
    /// Starts from a tree without anything under way.
    pub fn new(tree: &Tree, digesting: bool) -> Outstanding {
        let hash = FixedState::with_seed(tree.config().hash_seed);
        Outstanding { hash, digest: tree.digest(), digesting, ..Default::default() }
    }

    /// The digest after everything admitted, if digests are kept.
    pub fn digest(&self) -> Option<i64> {
        self.digesting.then_some(self.digest)
    }

    /// The node after everything admitted.
    pub fn get(&self, tree: &Tree, path: &str) -> Result<NodeState, Code> {
        let path = key(path);
        if let Some(change) = self.change(path) {
            return change.state.clone().ok_or(Code::NoNode);
        }
        let node = tree.get(path).ok_or(Code::NoNode)?;
        Ok(NodeState {
            stat: node.persisted(),
            children: node.child_count() as i64,
            acl: node.acl().clone(),
            digest: node.digest(),
            data_len: node.data_len() as i64,
        })
    }

    /// Does the node exist after everything admitted?
    pub fn exists(&self, tree: &Tree, path: &str) -> bool {
        let path = key(path);
        match self.change(path) {
            Some(change) => change.state.is_some(),
            None => tree.find(path).is_some(),
        }
    }

    fn change(&self, path: &str) -> Option<&Change> {
        if self.order.is_empty() {
            return None;
        }
        let number = self.find(self.hash.hash_one(path), path)?;
        self.places.get(number as usize)?.change.as_ref()
    }

    fn find(&self, hash: u64, path: &str) -> Option<u32> {
        let is = |number: &u32| self.places.get(*number as usize).is_some_and(|p| p.path == path);
        self.by_path.find(hash, is).copied()
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
            let of = |s: Option<&NodeState>| s.map_or(0, |s| i64::from(s.digest));
            self.digest = self.digest.wrapping_sub(of(old)).wrapping_add(of(new.as_ref()));
        }
        let hash = self.hash.hash_one(path);
        let number = self.find(hash, path).unwrap_or_else(|| self.take_place(hash, path));
        let change = Some(Change { zxid, state: new });
        let before =
            self.places.get_mut(number as usize).and_then(|p| std::mem::replace(&mut p.change, change));
        if let Some(mark) = mark {
            mark.undo.push((number, before));
        }
        self.order.push_back((zxid, number));
        self.recorded += 1;
    }

    /// A place for a path that has none.
    fn take_place(&mut self, hash: u64, path: &str) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        if let Some(place) = self.places.get_mut(number as usize) {
            place.path.clear();
            place.path.push_str(path);
            place.hash = hash;
        }
        let places = &self.places;
        let rehash = |number: &u32| places.get(*number as usize).map_or(0, |p| p.hash);
        self.by_path.insert_unique(hash, number, rehash);
        number
    }

    /// A path has no change any more.
    fn leave_place(&mut self, number: u32) {
        let Some(place) = self.places.get_mut(number as usize) else { return };
        place.change = None;
        if let Ok(entry) = self.by_path.find_entry(place.hash, |other| *other == number) {
            entry.remove();
            self.free.push(number);
        }
    }

    /// Begins a multi; it ends with [`Outstanding::keep`] or [`Outstanding::undo`].
    pub fn mark(&mut self) -> Mark {
        Mark { digest: self.digest, undo: std::mem::take(&mut self.spare), order: self.order.len() }
    }

    /// The multi since the mark stays.
    pub fn keep(&mut self, mut mark: Mark) {
        mark.undo.clear();
        if mark.undo.capacity() <= CHANGES_KEPT {
            self.spare = mark.undo;
        }
    }

    /// Undoes everything since the mark.
    pub fn undo(&mut self, mut mark: Mark) {
        self.recorded = self.recorded.saturating_sub(self.order.len().saturating_sub(mark.order));
        self.order.truncate(mark.order);
        self.digest = mark.digest;
        while let Some((number, before)) = mark.undo.pop() {
            match (before, self.places.get_mut(number as usize)) {
                (Some(change), Some(place)) => place.change = Some(change),
                _ => self.leave_place(number),
            }
        }
        self.keep(mark);
    }

    /// Changes recorded since the last call.
    pub fn take_recorded(&mut self) -> usize {
        std::mem::take(&mut self.recorded)
    }

    /// The transaction is applied: the tree itself shows its changes now. How many those were.
    pub fn applied(&mut self, zxid: Zxid) -> usize {
        let before = self.order.len();
        while let Some((at, number)) = self.order.front().copied()
            && at <= zxid
        {
            self.order.pop_front();
            let place = self.places.get(number as usize);
            if place.and_then(|p| p.change.as_ref()).is_some_and(|change| change.zxid <= at) {
                self.leave_place(number);
            }
        }
        if self.order.is_empty() && self.places.len() > CHANGES_KEPT {
            // The end of something large: nobody needs that much again soon.
            (self.places, self.free) = (Vec::new(), Vec::new());
            (self.by_path, self.order) = (HashTable::new(), VecDeque::new());
        }
        before - self.order.len()
    }

    /// Corrects a session's list of ephemerals by what is under way.
    pub fn adjust_ephemerals(&self, session: i64, paths: &mut std::collections::BTreeSet<String>) {
        for place in &self.places {
            match place.change.as_ref().map(|change| &change.state) {
                None => {}
                Some(None) => {
                    paths.remove(&place.path);
                }
                Some(Some(s)) if s.stat.ephemeral_owner == session => {
                    paths.insert(place.path.clone());
                }
                Some(Some(_)) => {}
            }
        }
    }
}

/// The root has two spellings, as a path and as a parent; here it has one.
fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}
