//! The binary as a process: start, refusal, signals, kill -9, unfriendly clients, and three of it as an ensemble.
//!
//! # Invariants
//!
//! * Every server listens on loopback, on a free port, in a directory of its own.

mod audit;
mod audit_many;
mod audit_script;
mod canary;
mod clients;
mod crash;
mod ensemble;
mod fips;
#[path = "../support/ensemble/mod.rs"]
mod harness;
mod lifecycle;
mod metrics;
mod rescue;
#[path = "../support/mod.rs"]
mod support;
mod wire;
