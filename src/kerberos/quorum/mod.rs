//! The login of a server at another server, in front of the quorum and election protocols.
//!
//! Both sides are pure over tokens and packets; [`drive`] runs them over a blocking stream. The learner is
//! whoever connects, the server whoever is connected to.
//!
//! # Invariants
//!
//! * Nothing of the protocol behind is looked at before the login is over.
//! * A learner that tries and fails is closed, whatever the switches say; only one that does not try is let
//!   through, and only while `quorum.auth.serverRequireSasl` is false. [`Entry`] tells which it was.
//! * A Kerberos learner is checked by its whole principal: it is in a list of allowed ones, or is ours with
//!   the host of a server of the ensemble. A shared first part, host or realm alone is not enough.

mod config;
mod drive;
mod judge;
mod learner;
mod members;
mod server;

#[cfg(test)]
mod tests;

pub use config::{Allowed, LearnerLogin, learner_login, server_logins};
pub use drive::{DriveError, drive_learner, drive_server};
pub use judge::{judge, names};
pub use learner::{Learner, LearnerStep, Speak};
pub use members::Members;
pub use server::{Entry, Judge, Server, ServerStep, Verdict};
