//! Helpers that every test ring shares: find, start and stop real servers of both kinds.
//!
//! A ring mounts it with `#[path = "../support/mod.rs"] mod support;`. A case is written once against
//! [`Server`] and run twice: against Java ZooKeeper, as the control, and against Oxkeeper.
//!
//! # Invariants
//! * Servers listen on loopback, on ports that were free a moment ago, and die with their guard.
//! * What a machine does not have is recorded with [`skip::not_run`]; it never counts as passed.
#![allow(dead_code, unused_imports, unreachable_pub)] // each ring uses its own part of these helpers

pub mod cache;
pub mod digest_md5;
pub mod dirs;
pub mod fourlw;
pub mod java;
pub mod kdc;
pub mod ox;
pub mod ports;
pub mod process;
pub mod server;
pub mod skip;

pub use server::{Kind, Server, Spec};
