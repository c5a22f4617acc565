//! Backup archives: snapshots and pieces of the transaction log with a manifest, in a directory or as a tar file.
//!
//! A directory is itself a data directory (`version-2/snapshot.…`, `version-2/log.…`, no padding), so every tool
//! reads it, ZooKeeper's among them; `tar -x` makes one of a tar file. Each further backup adds a piece of the log.
//!
//! # Invariants
//!
//! * An archive is taken as a whole or not at all: nothing is written from one that is truncated or altered.
//! * The manifest is written last. Members that it does not name do not exist.
//! * Memory does not grow with an archive: members are streamed, the manifest is bounded.

pub mod disk;
pub mod folder;
pub mod manifest;
pub mod open;
pub mod plan;
pub mod sums;
pub mod tape;
pub mod verify;
pub mod walk;

pub use manifest::Manifest;
pub use open::{Archive, open};
pub use sums::Pace;
