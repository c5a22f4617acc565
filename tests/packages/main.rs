//! What an installation consists of: wrappers, units, packages, and how the server and systemd speak to each other.
//!
//! The packages themselves are installed by `tests/packages/roots.sh` (`make package-test`), which takes a release
//! build; this ring takes the binary of the tests.
//!
//! # Invariants
//!
//! * Where something is said to be as ZooKeeper's, ZooKeeper's own script or class says it first.

mod files;
mod manager;
#[allow(dead_code, reason = "another ring uses the rest")]
#[path = "../support/pki.rs"]
mod pki;
mod sandbox;
mod seccomp;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod units;
mod wrappers;
