//! Bounds of leader election.
//!
//! # Invariants
//!
//! * Times are milliseconds.

/// How long a server that sees a quorum behind its vote waits for a better one, as Java's
/// `finalizeWait`; past it the election is over.
pub const FINALIZE_WAIT_MS: u64 = 200;

/// How long the loss of a connection to a voter counts as news, ms: within it nobody waits for a
/// better vote from that voter. Long enough for the fall of a leader to reach all its followers,
/// short enough that a voter which came back meanwhile is waited for.
pub const LOSS_IS_NEWS_MS: u64 = 2000;

/// Senders without a vote whose last notification is remembered, so that two servers that do not
/// know each other do not answer each other for ever; past it all are forgotten.
pub const ELECTION_STRANGERS: usize = 256;
