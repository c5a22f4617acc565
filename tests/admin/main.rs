//! The admin server: every command against Java's, identities and roles, bad requests, snapshot and restore, console.
//!
//! # Invariants
//! * Where "as Java" is claimed the same requests go to Java 3.9.5 first.
//! * Refusals are proven together with an access that works beside them.

#[path = "../support/mod.rs"]
mod support;
// Ensembles of either kind, and the stores and certificates of their members.
#[path = "../support/ensemble/mod.rs"]
mod ensemble;

use ensemble::pki;

mod bad;
mod commands;
mod console;
mod http;
mod identity;
mod members;
mod snapshots;
