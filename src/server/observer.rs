//! What the node tells about itself, as metrics, audit decisions and log lines.
//!
//! # Invariants
//!
//! * Nothing here waits, and counting takes no lock.
//! * Log lines name sessions and addresses, never data, passwords or tokens.

use std::sync::Arc;

use tracing::{debug, error, info, warn};

use crate::error::Code;
use crate::metrics::{Metrics, top_namespace};
use crate::os::clock;
use crate::proto::{EventKind, OpCode};
use crate::replica::{Conn, Event, Observe, SessionEvent};
use crate::types::Instant;
use crate::types::decision::{Decision, DecisionSink, Operation, Who};
use crate::types::stages::StageTimes;

/// Takes note of what the node does.
pub struct Observer {
    metrics: Arc<Metrics>,
    /// The audit log; `None` when it is off.
    audit: Option<Box<dyn DecisionSink>>,
}

impl Observer {
    /// Counts in `metrics`, and hands decisions to `audit` if there is one.
    pub fn new(metrics: Arc<Metrics>, audit: Option<Box<dyn DecisionSink>>) -> Observer {
        Observer { metrics, audit }
    }

    #[inline]
    fn answered(&self, op: OpCode, stages: &StageTimes, bytes: usize) {
        let metrics = &self.metrics;
        let body = bytes.saturating_sub(4); // ZooKeeper counts without the frame's length
        metrics.stats.packets_sent.inc();
        metrics.stats.client_responses.record(body);
        metrics.response_bytes.add(body as u64);
        if op.is_ordered() && stages.applied != Instant::default() {
            metrics.write_served(stages, false);
        } else if let Some(nanos) = stages.latency() {
            metrics.request_served(nanos, false);
        }
    }

    /// Path, data and stat bytes of a read, by top-level path (`DataTree.updateReadStat`).
    #[inline]
    fn read_by_namespace(&self, op: OpCode, path: &str, bytes: usize) {
        /// Frame length, reply header and the length of the data: what stands before it.
        const BEFORE_DATA: usize = 4 + 16 + 4;
        const STAT: usize = 68;
        let read = match op {
            OpCode::GetData => bytes.saturating_sub(BEFORE_DATA),
            OpCode::Exists => STAT,
            _ => return,
        };
        if let Some(namespace) = top_namespace(path) {
            let sum = i64::try_from(path.len() + read).unwrap_or(i64::MAX);
            self.metrics.read_per_namespace.record(namespace, sum);
        }
    }

    fn decide(&self, conn: &Conn, operation: Operation, path: &str, code: Code) {
        let Some(audit) = &self.audit else { return };
        let identities = conn.identities();
        let users: Vec<&str> = identities.iter().map(|id| id.id.as_str()).collect();
        let users = users.join(",");
        let who = Who { session: Some(conn.session_id()), user: Some(&users), address: Some(conn.peer.ip()) };
        let decision = Decision::new(who, operation, code, clock::wall_ms());
        audit.decided(&if path.is_empty() { decision } else { decision.at(path) });
    }

    fn fired(&self, kind: EventKind, told: usize, bytes: usize) {
        let metrics = &self.metrics;
        let told_count = i64::try_from(told).unwrap_or(i64::MAX);
        match kind {
            EventKind::Created => metrics.node_created_watch_count.record(told_count),
            EventKind::Deleted => metrics.node_deleted_watch_count.record(told_count),
            EventKind::DataChanged => metrics.node_changed_watch_count.record(told_count),
            EventKind::ChildrenChanged => metrics.node_children_watch_count.record(told_count),
        }
        metrics.stats.packets_sent.add(told as u64);
        metrics.watch_bytes.add(bytes.saturating_sub(4 * told) as u64);
    }

    fn session(&self, id: crate::types::SessionId, what: SessionEvent) {
        match what {
            SessionEvent::Opened => debug!(session = %id, "session opened"),
            SessionEvent::Renewed => {
                self.metrics.connection_revalidate_count.inc();
                debug!(session = %id, "session renewed");
            }
            SessionEvent::Refused => {
                self.metrics.connection_revalidate_count.inc();
                info!(session = %id, "session refused: unknown, expired, or another password");
            }
            SessionEvent::Closed => debug!(session = %id, "session closed"),
            SessionEvent::Expired => {
                self.metrics.stale_sessions_expired.inc();
                info!(session = %id, "session expired: its client was silent for longer than its time-out");
            }
        }
    }
}

/// The operation of a client's request, as decisions name it.
fn operation(op: OpCode) -> Option<Operation> {
    use OpCode::*;
    Some(match op {
        Create | Create2 | CreateContainer | CreateTtl => Operation::Create,
        Delete | DeleteContainer => Operation::Delete,
        SetData => Operation::SetData,
        SetAcl => Operation::SetAcl,
        Multi => Operation::Multi,
        Reconfig => Operation::Reconfig,
        _ => return None,
    })
}

impl Observe for Observer {
    fn note(&self, event: &Event<'_>) {
        match *event {
            Event::Answered { conn, op, path, code, ref stages, bytes } => {
                self.answered(op, stages, bytes);
                if code == Code::Ok {
                    self.read_by_namespace(op, path, bytes);
                }
                if self.audit.is_some()
                    && let Some(operation) = operation(op)
                    && (operation != Operation::Multi || code != Code::Ok)
                {
                    self.decide(conn, operation, path, code);
                }
            }
            Event::Denied { conn, op, path, code } => {
                debug!(session = %conn.session_id(), ?op, path, ?code, "denied");
            }
            Event::Authenticated { conn, scheme, refused: None } => {
                debug!(session = %conn.session_id(), peer = %conn.peer, scheme, "authenticated");
            }
            Event::Authenticated { conn, scheme, refused: Some(why) } => {
                warn!(session = %conn.session_id(), peer = %conn.peer, scheme, "authentication refused: {why}");
            }
            Event::Fired { kind, told, bytes, .. } => self.fired(kind, told, bytes),
            Event::Admitted { .. } => {
                self.metrics.prep_processor_request_queued.inc();
                self.metrics.sync_processor_request_queued.inc();
            }
            Event::Session { id, what } => self.session(id, what),
            Event::DigestMismatch { zxid, expected, found } => {
                self.metrics.digest_mismatches_count.inc();
                error!(%zxid, expected, found, "bug: the tree's digest differs from the transaction's");
            }
            Event::Dropped { conn, why } => {
                info!(session = %conn.session_id(), peer = %conn.peer, "connection dropped: {why}");
            }
            Event::QuotaExceeded { namespace } => {
                self.metrics.quota_exceeded_error_per_namespace.add(namespace, 1);
            }
        }
    }
}
