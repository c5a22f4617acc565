//! Logins of clients: what is answered, who it is afterwards, and what strangers can do to others.
//!
//! # Invariants
//! * Where "as Java" is claimed the same case runs against Java 3.9.5 first.
//! * Every realm is private to its test.

#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)] // this ring asks little
#[path = "../process/wire.rs"]
mod wire;

mod audit;
mod crowd;
mod identity;
mod replies;
mod site;
mod strangers;
