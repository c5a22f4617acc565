//! The simulator: production code on virtual time, decided by one seed.
//!
//! # Invariants
//!
//! * Same seed, same trace, byte for byte.

mod outcome;
mod standalone;
