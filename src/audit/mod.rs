//! Who did what.
//!
//! Decisions ([`crate::types::decision`]) come from where requests are answered;
//! here they become lines of ZooKeeper's audit log.
//!
//! # Invariants
//!
//! * What is logged, and how, is what `Slf4jAuditLogger` logs.
//! * An audit line never holds data, passwords or tokens.

pub mod line;
pub mod log;

pub use log::AuditLog;
