//! The log's side of the driver: appends what piled up, with one sync, and says what came of it.
//!
//! # Invariants
//!
//! * Nothing is appended after a failure that latched.
//! * Entries that found no room stay at the front, in order, ahead of all later ones.

use super::branch::Branch;
use super::policy::SnapshotPolicy;
use crate::disk::{Disk, Durable};
use crate::replica::StorageState;
use crate::storage::log::write::LogEntry;
use crate::storage::{Health, Notice, SnapshotWriter, Storage, StorageError, Tail};
use crate::types::Zxid;
use crate::zab::Proposal;
use std::collections::VecDeque;

impl LogEntry for Proposal {
    fn zxid(&self) -> Zxid {
        self.zxid
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What an append achieved.
#[derive(Debug)]
pub struct Completion {
    /// Proof for everything up to here, if anything new became durable.
    pub durable: Option<Durable<Zxid>>,
    /// How the storage is now.
    pub state: StorageState,
    /// A snapshot is due; the log was rolled for it.
    pub snapshot_due: bool,
    /// Entries that still wait for room.
    pub waiting: usize,
    /// Transactions and bytes that were written.
    pub written: (u64, u64),
}

/// Owns the storage of a running server.
pub struct Worker<D: Disk> {
    storage: Storage<D>,
    policy: SnapshotPolicy,
    waiting: VecDeque<Proposal>,
    failure: Option<StorageError>,
}

impl<D: Disk> Worker<D> {
    /// Goes on with a recovered storage.
    pub fn new(storage: Storage<D>, policy: SnapshotPolicy) -> Worker<D> {
        Worker { storage, policy, waiting: VecDeque::new(), failure: None }
    }

    /// Appends `batch` behind what still waits, and empties it.
    pub fn append(&mut self, batch: &mut Vec<Proposal>) -> Completion {
        self.waiting.extend(batch.drain(..));
        let (mut durable, mut written, mut snapshot_due) = (None, (0, 0), false);
        while !self.waiting.is_empty() && self.failure.is_none() {
            match self.storage.append(self.waiting.make_contiguous()) {
                Ok(done) => {
                    self.waiting.drain(..done.count);
                    durable = Some(done.upto);
                    written.0 += done.count as u64;
                    written.1 += done.bytes;
                    snapshot_due |= self.policy.logged(done.count as u64, done.bytes);
                }
                Err(e) if e.is_full() => break,
                Err(e) => self.failure = Some(e),
            }
        }
        if snapshot_due {
            self.storage.roll();
        }
        Completion { durable, state: self.state(), snapshot_due, waiting: self.waiting.len(), written }
    }

    /// Looks at the room left, and tries again what waits for it: called about once a second.
    pub fn check(&mut self) -> Completion {
        self.storage.check_space();
        self.append(&mut Vec::new())
    }

    /// The log is idle, or ends: the durable marks become exact.
    pub fn settle(&mut self) {
        if self.failure.is_none()
            && let Err(e) = self.storage.settle()
        {
            self.failure = Some(e);
        }
    }

    /// Removes snapshots and logs beyond the newest `keep` snapshots.
    pub fn purge(&mut self, keep: usize) -> Result<Vec<Notice>, StorageError> {
        self.storage.purge(keep)
    }

    /// Puts a complete snapshot of another history in place of everything (a restore). Nothing is under way.
    ///
    /// # Errors
    ///
    /// The storage failed: nothing is promised any more.
    pub fn replace(
        &mut self,
        branch: &Branch,
        writer: SnapshotWriter<D>,
        tail: Tail,
    ) -> Result<Durable<Zxid>, StorageError> {
        let mut held = branch.hold();
        let done = self.storage.install(writer, tail).map_err(StorageError::final_even_if_full);
        match &done {
            Ok(_) => held.replace(),
            Err(e) => self.fail(e.clone()),
        }
        done
    }

    /// Opens a new segment with the next append.
    pub fn roll(&mut self) {
        self.storage.roll();
    }

    /// The error after which nothing is promised any more.
    pub fn failure(&self) -> Option<&StorageError> {
        self.failure.as_ref().or(self.storage.failure())
    }

    /// The storage.
    pub fn storage(&self) -> &Storage<D> {
        &self.storage
    }

    pub(super) fn storage_mut(&mut self) -> &mut Storage<D> {
        &mut self.storage
    }

    /// Do entries wait for room?
    pub(super) fn is_stalled(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives up the entries that wait for room.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Something else than an append failed: nothing is promised any more.
    pub(super) fn fail(&mut self, e: StorageError) {
        self.failure.get_or_insert(e);
    }

    pub(super) fn state(&self) -> StorageState {
        match self.storage.health() {
            _ if self.failure.is_some() => StorageState::Failed,
            Health::Failed => StorageState::Failed,
            Health::Full => StorageState::Full,
            Health::Good if !self.waiting.is_empty() => StorageState::Full,
            Health::Good => StorageState::Good,
        }
    }
}
