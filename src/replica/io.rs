//! What a member asks of the disk, and what it is answered.
//!
//! # Invariants
//!
//! * Wishes are one queue: they are carried out, and answered, in the order in which they were
//!   made. Only appends that follow each other are answered together.
//! * A wish that failed is answered by [`DiskDone::Failed`], once, and nothing after it is carried out.

use super::node::{Recovered, StorageState};
use super::quarantine::Divergence;
use crate::disk::Durable;
use crate::types::{LinkId, Zxid};
use crate::zab::{LogView, Proposal};
use std::path::PathBuf;

/// A wish to the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskOp {
    /// Log a transaction behind all that was handed over before.
    Append(Proposal),
    /// Promise to take part in this epoch (`acceptedEpoch`).
    Accepted(u32),
    /// Adopt the history of this epoch (`currentEpoch`): everything handed over before belongs to it.
    Current(u32),
    /// Take back every transaction behind this zxid, and read the database anew.
    Truncate(Zxid),
    /// Put the snapshot that this link brought in place of everything there is.
    Install {
        /// The link that it came by.
        link: LinkId,
    },
    /// What does the log hold around the zxid that a learner ends with?
    Find {
        /// The learner's link.
        link: LinkId,
        /// The zxid.
        zxid: Zxid,
    },
    /// Keep the evidence of a difference beside the data. A wish that cannot be carried out is no failure.
    Keep(Box<Divergence>),
    /// Where does history end? Appends that still wait for room are given up, and every wish behind
    /// them up to here: the end of a role asks so.
    Settle,
}

/// The answer to a wish.
#[derive(Debug)]
pub enum DiskDone {
    /// To appends.
    Logged {
        /// Proof for everything up to here, if anything new became durable.
        durable: Option<Durable<Zxid>>,
        /// How the storage is now. While it is full, appends and all wishes behind them wait.
        state: StorageState,
        /// A snapshot is due; the log was rolled for it.
        snapshot_due: bool,
        /// Transactions and bytes that were written.
        written: (u64, u64),
        /// Transactions, or other wishes, that still wait for room.
        waiting: usize,
    },
    /// To [`DiskOp::Accepted`].
    Accepted(Durable<u32>),
    /// To [`DiskOp::Current`].
    Current(Durable<u32>),
    /// To [`DiskOp::Truncate`] and [`DiskOp::Install`].
    Reloaded {
        /// Where history ends now: after a truncation the last transaction at or before the one
        /// asked for, which is less where the log held another branch.
        last: Durable<Zxid>,
        /// The database at that point.
        recovered: Box<Recovered>,
        /// The last transactions of the log, oldest first; empty behind an installed snapshot.
        window: Vec<Proposal>,
    },
    /// To [`DiskOp::Truncate`], when the history up to there cannot be rebuilt from what the disk
    /// holds: nothing was changed. ZooKeeper exits with 13.
    NotTruncated(String),
    /// To [`DiskOp::Find`].
    Found {
        /// The learner's link.
        link: LinkId,
        /// What was found.
        view: LogView,
    },
    /// To [`DiskOp::Keep`]: where the evidence is, or why it could not be kept.
    Kept(Result<PathBuf, String>),
    /// To [`DiskOp::Settle`].
    Settled {
        /// The end of the log: nothing is under way behind it.
        last: Durable<Zxid>,
    },
    /// A write, a sync or a reload failed: the disk promises nothing any more.
    Failed(String),
}
