//! Oxkeeper: a hardened coordination server, drop-in for Apache ZooKeeper 3.9.
//!
//! # The house
//!
//! Everything that decides is pure: bytes, time and randomness come in as
//! arguments, decisions come out as values. Everything that touches the world is
//! a thin edge. The line between the two runs below [`driver`].
//!
//! | layer | rooms |
//! |---|---|
//! | L0 | [`types`], [`limits`], [`error`] |
//! | L1 | [`disk`], [`jute`], [`proto`], [`peer`], [`txn`], [`config`] |
//! | L2 | [`tree`], [`watch`], [`session`], [`auth`], [`zab`], [`replica`] |
//! | L3 | [`storage`], [`driver`] |
//! | -- | the sans-IO line -- |
//! | L4 | [`os`], [`tls`], [`kerberos`], [`client`], [`net`], [`server`], [`admin`], [`metrics`], [`audit`] |
//! | L5 | [`cli`] |
//!
//! Who may import whom is data in `tests/architecture.rs`, which fails with the
//! file and line that breaks it.
//!
//! # Invariants
//!
//! * No promise without proof: whatever depends on the disk is built from a
//!   [`disk::Durable`], which only a completed sync mints.
//! * Below the line there is no clock, file, thread, socket or entropy.
//! * Same inputs, same outputs, byte for byte.

pub mod error;
pub mod limits;
pub mod types;

pub mod config;
pub mod disk;
pub mod jute;
pub mod peer;
pub mod proto;
pub mod txn;

pub mod auth;
pub mod replica;
pub mod session;
pub mod tree;
pub mod watch;
pub mod zab;

pub mod driver;
pub mod storage;

pub mod admin;
pub mod audit;
pub mod cli;
pub mod client;
pub mod kerberos;
pub mod metrics;
pub mod net;
pub mod os;
pub mod server;
pub mod tls;
