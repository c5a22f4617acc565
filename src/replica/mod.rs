//! Composes tree, watch, session, auth and zab into one node of the ensemble.
//!
//! A request travels: [`accept`] (where its connection lives) answers reads from the
//! shared tree at once; everything else goes, in order, to the [`Node`], which turns it
//! into a transaction ([`admit`]), has it logged, applies it once committed, fires the
//! watches and replies. A standalone server is a node with one voter: what is durable
//! here is committed. A leader's transactions are committed by a quorum; a learner hands
//! its clients' requests to its leader and answers when their transactions come back.
//!
//! # Invariants
//!
//! * Replies of one session leave in the order of its requests.
//! * A read sees every write that its session was answered before it, and none that its
//!   session sent after it.
//! * An event of a transaction leaves before any reply that was computed after it.
//! * Nothing is applied before it is durable: here on a standalone server, on a quorum in
//!   an ensemble. Every applied transaction's digest equals the one that was computed at
//!   admission, or the node stops serving.
//! * While a node looks for a leader its tree is exactly what its log holds durably.

mod accept;
mod admit;
mod arena;
mod audit;
mod changes;
mod commit;
mod config;
mod conn;
mod connect;
mod expiry;
mod io;
mod leading;
mod learner;
mod learning;
mod local;
mod login;
pub mod member;
mod node;
mod observe;
mod pipeline;
mod propose;
mod quarantine;
mod read;
mod recovery;
mod reply;
mod role;
mod shared;
mod snapshot;
mod spare;
mod watches;

#[cfg(test)]
mod tests;

pub use accept::{Accepted, accept, accept_connect};
pub use admit::Standing;
pub use audit::operation_of;
pub use config::ReplicaConfig;
pub use conn::{Conn, ConnStats, Outgoing, Phase, Wake};
pub use io::{DiskDone, DiskOp};
pub use learning::ToLeader;
pub use login::{SaslEnd, finish_sasl, is_proven, note_refusal, sasl_token_refusal, without_sasl};
pub use node::{Input, Node, Recovered, StorageState};
pub use observe::{Applied, Event, Observe, Round, Seat, SessionEvent, SessionQueue, Silent, Work};
pub use pipeline::Request;
pub use quarantine::Divergence;
pub use recovery::{DigestDifference, Rebuild};
pub use shared::{Shared, Store};
pub use snapshot::SnapshotTask;
