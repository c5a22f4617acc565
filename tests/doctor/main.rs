//! Doctor names each of the pains that people have with Kerberos and ZooKeeper: the fault is put where it happens (KDC,
//! keytab, clock, JAAS file, resolver, server), never told to doctor.
//!
//! # Invariants
//! * Every case looks at the healthy state first, where the code must not appear.
//! * Every answer comes within ten seconds, has the code, a cause, and a cure that names the case.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod keys;
mod realm;
mod replay;
mod server;
mod sessions;
mod tls;
mod told;
