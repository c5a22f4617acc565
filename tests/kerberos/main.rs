//! Kerberos with a real KDC: what the acceptor takes and what it refuses, and why.
//!
//! # Invariants
//! * Every test has a realm of its own; none reads the machine's Kerberos configuration.

#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)] // this ring asks little
#[path = "../process/wire.rs"]
mod wire;

mod acceptor;
mod client;
mod inside;
mod outage;
mod realm;
mod served;
