//! Quorum and election wire: the login in front of it; the rest is filled by the ensemble work.
//!
//! # Invariants
//!
//! * Every decoder is total and bounded.

pub mod auth_packet;
