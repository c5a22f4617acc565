//! Log segments, snapshots, epoch files, recovery, truncation, purge.
//!
//! [`recover`](recover::recover) turns directories into a database (through a
//! [`Loader`]) and a [`Storage`] that goes on where it ended.
//!
//! # Invariants
//!
//! * Everything that is promised carries a [`crate::disk::Durable`]; everything that is read
//!   was verified by its checksum and stands in an unbroken sequence of zxids.
//! * ZooKeeper can read the directories at any moment, and take them over.
//! * After the first failed write or sync the storage latches ([`Health::Failed`]).

pub mod epoch;
pub mod error;
pub mod install;
pub mod log;
pub mod mark;
pub mod names;
pub mod purge;
pub mod recover;
pub mod snapshot;
pub mod space;
mod store;
mod truncate;
pub mod verify;

#[cfg(test)]
mod tests;

pub use epoch::Epochs;
pub use error::{Notice, Place, Result, StorageError, Trouble};
pub use install::Tail;
pub use log::write::{Appended, LogEntry, LogRules};
pub use names::{Dirs, SnapshotFile};
pub use recover::{Fresh, Loader, Recovered, Rules, recover};
pub use snapshot::{SnapshotInfo, SnapshotVisitor, SnapshotWriter, ZxidDigest};
pub use space::{Health, Room};
pub use store::Storage;
