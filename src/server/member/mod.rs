//! The edge of a member of an ensemble: threads and connections around [`crate::replica::member`].
//!
//! ```text
//!   connections of clients ---> core thread: Member ---> disk thread: logs, epochs, installs
//!   mesh (election)        <--->     |   ^         <---  proofs
//!   links (quorum)         <---> edge    face ---> words, metrics, front
//! ```
//!
//! | module | |
//! |---|---|
//! | [`core`] | the loop that drives the member |
//! | [`disk`] | its disk and the thread behind it |
//! | [`edge`] | what it wants of other members and of its clients |
//! | [`store`] | snapshots and logs between links and disk |
//! | [`face`] | what others are told of it |
//! | [`figures`] | metrics of its part in the ensemble |
//! | [`learners`] | who learns from it |
//! | [`start`] | from settings to a running member |
//!
//! # Invariants
//!
//! * One thread drives the member; everything else reaches it by its inbox.

pub mod core;
pub mod disk;
pub mod edge;
pub mod face;
pub mod figures;
pub mod learners;
pub mod start;
pub mod store;

pub use face::{Face, LearnerNow, Outcome};
