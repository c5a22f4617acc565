//! What the node tells about itself: the raw material of metrics and audit.
//!
//! # Invariants
//!
//! * Observing never changes a decision, and costs one virtual call.
//! * Paths and identities are told to the observer, secrets are not in them.

use super::conn::Conn;
use crate::auth::sasl::Refusal;
use crate::error::Code;
use crate::proto::{EventKind, OpCode};
use crate::types::decision::Decision;
use crate::types::stages::StageTimes;
use crate::types::{SessionId, Zxid};

/// Something happened. Numbers are bytes unless said otherwise.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request was answered.
    Answered {
        /// On this connection.
        conn: &'a Conn,
        /// What was asked.
        op: OpCode,
        /// Its path, empty where there is none.
        path: &'a str,
        /// Outcome.
        code: Code,
        /// When it reached each stage.
        stages: StageTimes,
        /// Size of the reply's frame.
        bytes: usize,
    },
    /// An ACL, or a rule about who may ask, said no.
    Denied {
        /// On this connection.
        conn: &'a Conn,
        /// What was asked.
        op: OpCode,
        /// On this path.
        path: &'a str,
        /// The answer.
        code: Code,
    },
    /// An auth packet or a SASL exchange was decided, or a request came before either.
    Authenticated {
        /// On this connection.
        conn: &'a Conn,
        /// Scheme as sent; empty where nothing was tried.
        scheme: &'a str,
        /// The name that was proven, or that the refused one claims.
        principal: Option<&'a str>,
        /// Why it was refused.
        refused: Option<&'a Refusal>,
    },
    /// Watchers were told of a change.
    Fired {
        /// What.
        kind: EventKind,
        /// Connections that were told.
        told: usize,
        /// Connections that may not read the znode and were not told.
        withheld: usize,
        /// Bytes of all notifications.
        bytes: usize,
    },
    /// A transaction was admitted; depth of the queue of transactions under way.
    Admitted {
        /// Its zxid.
        zxid: Zxid,
        /// How many are under way now.
        under_way: usize,
    },
    /// A session was opened, renewed, refused, closed or expired.
    Session {
        /// Which.
        id: SessionId,
        /// What happened.
        what: SessionEvent,
        /// The connection that holds it, or asked for it.
        conn: Option<&'a Conn>,
    },
    /// The tree's digest differs from the transaction's.
    DigestMismatch {
        /// At this zxid.
        zxid: Zxid,
        /// In the transaction.
        expected: i64,
        /// Of the tree.
        found: i64,
    },
    /// A connection is closed by decision of the node.
    Dropped {
        /// The connection.
        conn: &'a Conn,
        /// Why, one clause for the log.
        why: &'static str,
    },
    /// A hard quota refused an operation.
    QuotaExceeded {
        /// Top-level component of the path.
        namespace: &'a str,
    },
}

/// Life of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// A new one is committed.
    Opened,
    /// A connection took an existing one over.
    Renewed,
    /// A connection asked for one that is unknown, closing, or whose password differs.
    Refused,
    /// Closed by its client.
    Closed,
    /// Silent for longer than its time-out.
    Expired,
}

/// Who wants to know.
pub trait Observe: Send + Sync {
    /// Takes note. Called on the threads that serve requests: must be quick and must not block.
    fn note(&self, event: &Event<'_>);

    /// Does anybody want [`Observe::decided`]? Asked once, at start: without, nothing is
    /// collected for it.
    fn audits(&self) -> bool {
        false
    }

    /// Takes a decision for the audit, before the reply to `conn` (if it was made for one) is
    /// among the bytes that may leave. The wall time and the names of users are not in it yet.
    fn decided(&self, _conn: Option<&Conn>, _decision: &Decision<'_>) {}
}

/// Nobody.
#[derive(Debug)]
pub struct Silent;

impl Observe for Silent {
    fn note(&self, _: &Event<'_>) {}
}
