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
use crate::types::{ServerId, SessionId, Zxid};

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
        /// Changes of single znodes that admission has to remember for it.
        changes: usize,
    },
    /// A learner has a proposal of its leader.
    Proposed {
        /// How old its transaction is, ms by the wall clocks of two servers.
        age_ms: i64,
    },
    /// A proposal is durable on this member: its acknowledgement leaves.
    Logged {
        /// How old its transaction is, ms.
        age_ms: i64,
    },
    /// A member has acknowledged a proposal; one of many is told (`leader.ackLoggingFrequency`).
    Acknowledged {
        /// Who; the leader itself among them.
        server: ServerId,
        /// How old its transaction is, ms.
        age_ms: i64,
    },
    /// A znode was made, changed or deleted.
    Written {
        /// Its path.
        path: &'a str,
        /// Its data now, bytes; 0 for a deleted one.
        bytes: usize,
    },
    /// A transaction was applied, and whoever waits for it was answered.
    Applied(&'a Applied),
    /// Some work begins, whose end follows on the same thread: who observes has the clock.
    Begins(Work),
    /// It ends.
    Ends(Work),
    /// Everything that was committed has been applied. Behind the end of [`Work::Round`].
    Round(Round),
    /// A leader without a quorum gives up, for a member that voted for it looks again.
    LeftByVoter,
    /// The stream that brings a learner up begins or ends.
    Sync {
        /// Is a snapshot part of it?
        snapshot: bool,
        /// How many of its kind are under way now.
        in_flight: usize,
        /// Does it begin?
        begins: bool,
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

/// What a server is to its ensemble when a transaction is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Seat {
    /// It is alone.
    #[default]
    Alone,
    /// It leads.
    Leads,
    /// It follows or observes.
    Learns,
}

/// An applied transaction, as numbers.
#[derive(Clone, Copy, Debug)]
pub struct Applied {
    /// What this server is.
    pub seat: Seat,
    /// Does a client of this server wait for it?
    pub own: bool,
    /// Does it change the configuration of the ensemble?
    pub reconfigures: bool,
    /// How old it is, ms by the wall clocks of two servers.
    pub age_ms: i64,
    /// When it reached each stage.
    pub stages: StageTimes,
    /// Changes of single znodes that admission need not remember any more.
    pub changes: usize,
    /// On a learner, of a transaction of its own client: the queue of its session.
    pub queue: Option<SessionQueue>,
}

/// The queue of a session on a learner, when the commit of its first write comes.
#[derive(Clone, Copy, Debug)]
pub struct SessionQueue {
    /// Requests in it, the write included.
    pub requests: usize,
    /// Sessions that have one.
    pub sessions: usize,
    /// Reads that the commit let go.
    pub reads_after: usize,
}

/// Work that is worth a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Applying everything that is committed, and answering whoever waits.
    Round,
    /// Making the transaction that closes a session.
    CloseSession,
    /// Taking a proposal, on a follower that serves observers.
    RelayProposal,
    /// Taking a commit, and passing it on to observers.
    RelayCommit,
}

/// What was waiting when a round began, and what it did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    /// What this server is.
    pub seat: Seat,
    /// Transactions that waited for their commit.
    pub waiting_writes: usize,
    /// Reads and syncs that waited behind them.
    pub waiting_reads: usize,
    /// Transactions applied.
    pub writes: usize,
    /// Reads answered.
    pub reads: usize,
    /// Transactions that were first in a session's queue.
    pub drained: usize,
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
