//! The files of a data directory, between Java and us, in both directions.
//!
//! # Invariants
//!
//! * What Java wrote is read to the tree that its own digests name, and written again to the
//!   same bytes.
//! * What we wrote is what Java's tools print and what a Java server starts from.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod backup;
mod files;
mod golden;
mod operators;
mod takeover;
