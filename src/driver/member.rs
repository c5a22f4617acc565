//! The disk of a member: carries out its wishes, one queue of them, and answers each.
//!
//! # Invariants
//!
//! * Wishes are carried out in the order in which they were made. Appends that follow each other
//!   are one write and one sync; an epoch behind them is written after that sync.
//! * While there is no room everything waits behind the append that found none.
//! * After a failure that latched nothing is carried out any more, and nothing is promised.
//! * A staged snapshot changes nothing before its [`DiskOp::Install`]; one that the disk did not take
//!   is a failure like that of the log.

use super::branch::Branch;
use super::load::Load;
use super::policy::SnapshotPolicy;
use super::receive::Staged;
use super::worker::{Completion, Worker};
use crate::disk::{Disk, Durable};
use crate::replica::{DiskDone, DiskOp, StorageState};
use crate::storage::{Epochs, Notice, Result, Storage, StorageError, Trouble};
use crate::tree::TreeConfig;
use crate::types::{LinkId, Zxid, mutant};
use crate::zab::{LogView, Proposal};
use std::collections::VecDeque;

/// What a member's disk has to know of the configuration.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemberRules {
    /// Digests, extended types: how a database is rebuilt.
    pub tree: TreeConfig,
    /// Transactions of late that are handed back with a reloaded database (`commitLogCount`).
    pub window: usize,
    /// `snapshotSizeFactor`: how much log, against the newest snapshot, is sent in its place;
    /// `None` is nothing.
    pub snapshot_size_factor: Option<f64>,
}

/// Owns storage and epochs of a member.
pub struct MemberWorker<D: Disk> {
    worker: Worker<D>,
    epochs: Epochs<D>,
    rules: MemberRules,
    branch: Branch,
    waiting: VecDeque<DiskOp>,
    staged: Option<(LinkId, Staged<D>)>,
    /// Where history ends.
    last: Durable<Zxid>,
    /// The failure was told.
    told: bool,
    /// How the storage is, as it was told last: that there is room again is told whatever had none.
    said: StorageState,
}

impl<D: Disk> MemberWorker<D> {
    /// Goes on with what a start found; `last` is the end of its history.
    pub fn new(
        storage: Storage<D>,
        epochs: Epochs<D>,
        last: Durable<Zxid>,
        policy: SnapshotPolicy,
        rules: MemberRules,
    ) -> MemberWorker<D> {
        MemberWorker {
            worker: Worker::new(storage, policy),
            epochs,
            rules,
            branch: Branch::default(),
            waiting: VecDeque::new(),
            staged: None,
            last,
            told: false,
            said: StorageState::Good,
        }
    }

    /// For those who write snapshots.
    pub fn branch(&self) -> Branch {
        self.branch.clone()
    }

    /// Keeps what `link` brought, complete, until its [`DiskOp::Install`]; an earlier one is dropped.
    pub fn stage(&mut self, link: LinkId, staged: Staged<D>) {
        self.staged = Some((link, staged));
    }

    /// A snapshot that was coming could not be written. For want of room it comes again with the next
    /// leader; anything else is final, as it is for the log: a member that asked every leader anew for
    /// what its disk does not take would never be one, and never be missed.
    pub fn not_received(&mut self, e: StorageError) {
        if !e.is_full() && !mutant::on("broken-disk-receives") {
            self.worker.fail(e);
        }
    }

    /// Carries out what waits and `ops`, as far as there is room; `ops` is empty afterwards.
    pub fn handle(&mut self, ops: &mut Vec<DiskOp>) -> Vec<DiskDone> {
        self.waiting.extend(ops.drain(..));
        let mut done = Vec::new();
        self.work(&mut done);
        done
    }

    /// Looks at the room left, and tries again what waits for it: called about once a second.
    /// Answers when something changed.
    pub fn check(&mut self) -> Vec<DiskDone> {
        let completion = self.worker.check();
        let mut done = Vec::new();
        let worse = completion.state != self.said && completion.state != StorageState::Good;
        if completion.durable.is_some() || worse {
            done.push(self.logged(completion));
        }
        self.work(&mut done);
        let waits = !self.waiting.is_empty() || self.worker.state() != StorageState::Good;
        if self.said == StorageState::Full && !waits {
            done.push(self.room(StorageState::Good));
        }
        done
    }

    fn work(&mut self, done: &mut Vec<DiskDone>) {
        let mut group: Vec<Proposal> = Vec::new();
        while self.worker.failure().is_none() {
            if self.worker.is_stalled() && !self.give_up() {
                break;
            }
            match self.waiting.pop_front() {
                None => break,
                Some(DiskOp::Append(first)) => {
                    group.push(first);
                    while matches!(self.waiting.front(), Some(DiskOp::Append(_))) {
                        let Some(DiskOp::Append(next)) = self.waiting.pop_front() else { break };
                        group.push(next);
                    }
                    let completion = self.worker.append(&mut group);
                    done.push(self.logged(completion));
                }
                Some(op) => match self.one(&op) {
                    Ok(answer) => done.push(answer),
                    // It is tried again with the next call, unless nobody waits for it any more.
                    Err(e) if e.is_full() && is_epoch(&op) => {
                        self.waiting.push_front(op);
                        if !self.give_up() {
                            done.push(self.room(StorageState::Full));
                            break;
                        }
                    }
                    Err(e) => self.worker.fail(e),
                },
            }
        }
        if let Some(e) = self.worker.failure().filter(|_| !self.told) {
            self.told = true;
            done.push(DiskDone::Failed(e.to_string()));
            self.waiting.clear();
        }
    }

    /// What waits for room is given up if somebody asks where history ends.
    fn give_up(&mut self) -> bool {
        let Some(at) = self.waiting.iter().position(|op| *op == DiskOp::Settle) else { return false };
        self.waiting.drain(..at);
        self.worker.drop_waiting();
        true
    }

    fn logged(&mut self, c: Completion) -> DiskDone {
        self.last = c.durable.unwrap_or(self.last);
        let Completion { durable, state, snapshot_due, waiting, written } = c;
        self.said = state;
        DiskDone::Logged { durable, state, snapshot_due, waiting, written }
    }

    /// There is room again, or none for what waits.
    fn room(&mut self, state: StorageState) -> DiskDone {
        self.said = state;
        let waiting = self.waiting.len();
        DiskDone::Logged { durable: None, state, snapshot_due: false, written: (0, 0), waiting }
    }

    fn one(&mut self, op: &DiskOp) -> Result<DiskDone> {
        match *op {
            DiskOp::Append(_) => Err(StorageError::bug("an append stands alone")),
            DiskOp::Accepted(epoch) => self.epochs.set_accepted(epoch).map(DiskDone::Accepted),
            DiskOp::Current(epoch) => self.epochs.set_current(epoch).map(DiskDone::Current),
            DiskOp::Truncate(to) => self.truncate(to),
            DiskOp::Install { link } => self.install(link),
            DiskOp::Keep(ref evidence) => Ok(DiskDone::Kept(
                self.worker
                    .storage()
                    .keep(&evidence.file_name(), &evidence.report())
                    .map_err(|e| e.to_string()),
            )),
            DiskOp::Settle => Ok(DiskDone::Settled { last: self.last }),
            DiskOp::Find { link, zxid } => self.find(zxid).map(|view| DiskDone::Found { link, view }),
        }
    }

    fn truncate(&mut self, to: Zxid) -> Result<DiskDone> {
        let branch = self.branch.clone();
        let mut held = branch.hold();
        let storage = self.worker.storage_mut();
        let last: Durable<Zxid> = match storage.truncate(to) {
            Ok(last) => last,
            Err(e) if e.trouble == Trouble::Unavailable => {
                return Ok(DiskDone::NotTruncated(e.to_string()));
            }
            Err(e) => return Err(e.final_even_if_full()),
        };
        held.replace();
        let mut load = Load::new(self.rules.tree, self.rules.window);
        let found = storage.reload(&mut load)?;
        if found.last != *last.get() {
            let text = format!("history was cut at {} and reads up to {}", last.get(), found.last);
            return Err(StorageError::bug(text));
        }
        let (recovered, window) = load.finish();
        self.last = last;
        Ok(DiskDone::Reloaded { last, recovered: Box::new(recovered), window })
    }

    fn install(&mut self, link: LinkId) -> Result<DiskDone> {
        let staged = self.staged.take().filter(|(of, _)| *of == link);
        let Some((_, staged)) = staged else {
            return Err(StorageError::bug(format!("{link} brought no snapshot to install")));
        };
        let branch = self.branch.clone();
        let mut held = branch.hold();
        let Staged { writer, tail, recovered } = staged;
        // Final even for want of room: the marks say already that a snapshot is coming.
        let zxid = writer.zxid();
        let last = match mutant::on("snapshot-in-memory") {
            true => Ok(self.last.map(|_| zxid)),
            false => self.worker.storage_mut().install(writer, tail),
        };
        let last = last.map_err(StorageError::final_even_if_full)?;
        held.replace();
        self.last = last;
        Ok(DiskDone::Reloaded { last, recovered: Box::new(recovered), window: Vec::new() })
    }

    fn find(&mut self, zxid: Zxid) -> Result<LogView> {
        let storage = self.worker.storage_mut();
        let found = storage.around(zxid)?;
        let snapshot = storage.newest_snapshot_len()?.unwrap_or(0);
        let affordable = match self.rules.snapshot_size_factor {
            None => false,
            // ZooKeeper takes a bound of nothing for no bound.
            Some(factor) => match (snapshot as f64 * factor) as u64 {
                0 => true,
                bound => found.bytes <= bound,
            },
        };
        Ok(LogView { floor: found.floor, next: found.next, affordable })
    }

    /// The log is idle, or ends: the durable marks become exact.
    pub fn settle(&mut self) {
        self.worker.settle();
    }

    /// Removes snapshots and logs beyond the newest `keep` snapshots.
    pub fn purge(&mut self, keep: usize) -> Result<Vec<Notice>> {
        self.worker.purge(keep)
    }

    /// The error after which nothing is promised any more.
    pub fn failure(&self) -> Option<&StorageError> {
        self.worker.failure()
    }

    /// The storage.
    pub fn storage(&self) -> &Storage<D> {
        self.worker.storage()
    }
}

fn is_epoch(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Accepted(_) | DiskOp::Current(_))
}
