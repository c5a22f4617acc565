//! The simulator: production members, drivers, storage and codecs on virtual time.
//!
//! One seed decides everything: the shape of the ensemble, what clients ask, how long every
//! message and every sync takes, what goes wrong and when. The checkers of [`check`] look at
//! everything that crosses a face; what they hold it against is one history, built from the
//! bytes that members logged.
//!
//! # Invariants
//!
//! * Same seed, same trace, byte for byte.
//! * A failure prints the seed, the commit, the one line that replays it, and the shortest
//!   schedule of faults found for it.

mod book;
mod check;
mod clients;
mod damaged;
mod faults;
mod heap;
mod history;
#[cfg(feature = "mutants")]
mod hunt;
mod model;
mod net;
mod outcome;
mod plan;
#[cfg(feature = "mutants")]
mod proofs;
mod runs;
#[cfg(feature = "mutants")]
mod scenarios;
mod standalone;
mod transcripts;
mod world;
