//! Ensembles of real servers of any kind, load with a recorded history, and what must hold of it.
//!
//! A ring mounts it as `#[path = "../support/ensemble/mod.rs"] mod harness;` beside `support`.
//!
//! # Invariants
//! * Every member is a process of its own, ended by its process id; ports and directories are its own.
//! * Histories are judged by one checker, whoever recorded them: see [`check`].
#![allow(dead_code, unreachable_pub, unused_imports)] // each ring uses its own part of these helpers

pub mod check;
pub mod clients;
pub mod group;
pub mod history;
pub mod load;
pub mod member;
pub mod network;
#[path = "../pki.rs"]
pub mod pki;
pub mod site;
pub mod state;
#[cfg(test)]
mod tests;

pub use group::{Group, Plan};
pub use site::{Sasl, Security, Site};
