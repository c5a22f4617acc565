//! Who did what: the audit log (`audit.enable`).
//!
//! Decisions ([`crate::types::decision`]) come from where requests are answered; here they
//! become records, in the server's own log as ZooKeeper writes them, or in files of their own.
//!
//! | module | |
//! |---|---|
//! | [`layout`], `json` | a record as a line |
//! | [`chain`] | the hash chain through the lines of files |
//! | [`files`] | the files: chained, rotated, repaired |
//! | [`queue`], [`trail`] | on the way to the thread that writes them |
//! | [`scan`], [`verify`] | what `oxkeeper audit verify` finds |
//!
//! # Invariants
//!
//! * What ZooKeeper records is recorded, and recorded once.
//! * A record never holds data, passwords or tokens, and no peer can forge one.

pub mod chain;
pub mod files;
mod json;
pub mod layout;
pub mod queue;
pub mod scan;
pub mod trail;
pub mod verify;

pub use layout::Layout;
pub use trail::{Notices, Trail};
