//! Sessions: ids and passwords, who is alive, who expires when.
//!
//! # Invariants
//!
//! * A session expires only after its time-out has truly elapsed on the monotonic
//!   clock since it was last heard; a pause of the server itself is not counted.
//! * A closing session answers every check with SESSIONEXPIRED; it never revives.

mod id;
mod tracker;

pub use id::{IdSource, password};
pub use tracker::{ExpirySets, Session, Tracker};
