//! What the node tells about itself, as metrics, audit decisions and log lines.
//!
//! # Invariants
//!
//! * Nothing here waits, and counting takes no lock.
//! * Refusals are logged a few times a second; those beyond are counted, in metrics and in the next line.
//! * Log lines name sessions and addresses, never data, passwords or tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use tracing::{debug, error, info, warn};

use super::audit::Audit;
use super::measures::{Measures, aged};
use crate::auth::sasl::{Mechanism, Refusal};
use crate::config::Settings;
use crate::error::Code;
use crate::limits::REFUSALS_LOGGED_PER_SECOND;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::proto::EventKind;
use crate::replica::{Conn, Event, Observe, SessionEvent};
use crate::types::decision::Decision;
use crate::types::{Instant, SessionId};

/// Takes note of what the node does.
pub struct Observer {
    metrics: Arc<Metrics>,
    /// The audit log; `None` when it is off.
    audit: Option<Audit>,
    refusals: LogLimit,
    measures: Measures,
    /// Is there a name that clients of the `ensemble` scheme have to say?
    named: bool,
}

impl Observer {
    /// Counts in `metrics`, and hands decisions to `audit` if there is one.
    pub fn new(metrics: Arc<Metrics>, audit: Option<Audit>, settings: &Settings) -> Observer {
        let measures = Measures::new(Arc::clone(&metrics), settings);
        let named = !settings.auth.ensemble_auth_names.is_empty();
        Observer { metrics, audit, refusals: LogLimit::default(), measures, named }
    }

    fn logged_in(&self, conn: &Conn, scheme: &str, principal: Option<&str>) {
        let (session, peer) = (conn.session_id(), conn.peer);
        let Some(login) = conn.login().filter(|_| scheme == "sasl") else {
            debug!(%session, %peer, scheme, principal, "authenticated");
            return;
        };
        let logins = &self.metrics.logins;
        logins.login(login.mechanism.name());
        info!(
            %session, %peer, mechanism = login.mechanism.name(), principal, id = login.id, "logged in"
        );
        if login.mechanism == Mechanism::DigestMd5 && !conn.encrypted() && logins.bare_digest() {
            warn!(%peer, "logins by DIGEST-MD5 without TLS: whoever listens can try passwords; use Kerberos or TLS");
        }
    }

    /// A client has said which ensemble it looks for (`EnsembleAuthenticationProvider`).
    fn meant_ensemble(&self, this: bool) {
        match (self.named, this) {
            (false, _) => self.metrics.ensemble_auth_skip.inc(),
            (true, true) => self.metrics.ensemble_auth_success.inc(),
            (true, false) => self.metrics.ensemble_auth_fail.inc(),
        }
    }

    /// One line a refusal: code, cause, cure, and who.
    fn refused(&self, conn: &Conn, scheme: &str, who: Option<&str>, refusal: &Refusal) {
        let reason = refusal.reason;
        self.metrics.logins.refused(reason.code());
        let Some(suppressed) = self.refusals.passes(clock::mono()) else { return };
        warn!(
            session = %conn.session_id(),
            peer = %conn.peer,
            scheme,
            principal = who,
            reason = reason.code(),
            suppressed,
            "refused: {}: {}; {}",
            reason.cause(),
            refusal.detail,
            reason.cure(),
        );
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

    fn session(&self, id: SessionId, what: SessionEvent, conn: Option<&Conn>) {
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
        if let Some(audit) = &self.audit {
            audit.session(id, what, conn);
        }
    }
}

/// Lets a few lines a second through and counts the rest.
#[derive(Default)]
pub struct LogLimit {
    second: AtomicU64,
    passed: AtomicU32,
    suppressed: AtomicU64,
}

impl LogLimit {
    /// How many were kept back since the last one that passed; `None` when this one is, too.
    pub fn passes(&self, now: Instant) -> Option<u64> {
        let second = now.millis() / 1000;
        // Threads that race here let a line more through, no harm.
        if self.second.swap(second, Relaxed) != second {
            self.passed.store(0, Relaxed);
        }
        if self.passed.fetch_add(1, Relaxed) < REFUSALS_LOGGED_PER_SECOND {
            return Some(self.suppressed.swap(0, Relaxed));
        }
        self.suppressed.fetch_add(1, Relaxed);
        None
    }
}

impl Observe for Observer {
    fn note(&self, event: &Event<'_>) {
        match *event {
            Event::Answered { conn, op, path, code, ref stages, bytes } => {
                self.measures.answered(conn, op, path, stages, bytes);
                if code == Code::Ok {
                    self.measures.read_by_namespace(op, path, bytes);
                }
            }
            Event::Written { path, bytes } => self.measures.written(path, bytes),
            Event::Applied(applied) => self.measures.applied(applied),
            Event::Begins(work) => self.measures.begins(work),
            Event::Ends(work) => self.measures.ends(work),
            Event::Round(ref round) => self.measures.round(round),
            Event::Proposed { age_ms } => aged(&self.metrics.proposal_latency, age_ms),
            Event::Logged { age_ms } => aged(&self.metrics.proposal_ack_creation_latency, age_ms),
            Event::Acknowledged { server, age_ms } if age_ms >= 0 => {
                self.metrics.ack_latency.record(&server.0.to_string(), age_ms);
            }
            Event::Acknowledged { .. } => {}
            Event::LeftByVoter => self.metrics.quit_leading_due_to_disloyal_voter.inc(),
            Event::Sync { snapshot, in_flight, begins } => self.measures.sync(snapshot, in_flight, begins),
            Event::Denied { conn, op, path, code } => {
                debug!(session = %conn.session_id(), ?op, path, ?code, "denied");
            }
            Event::Authenticated { conn, scheme, principal, refused } => {
                if scheme == "ensemble" {
                    self.meant_ensemble(refused.is_none());
                }
                match refused {
                    None => self.logged_in(conn, scheme, principal),
                    Some(refusal) => self.refused(conn, scheme, principal, refusal),
                }
                if let Some(audit) = &self.audit {
                    audit.authenticated(conn, scheme, principal, refused);
                }
            }
            Event::Fired { kind, told, bytes, .. } => self.fired(kind, told, bytes),
            Event::Admitted { changes, .. } => {
                self.metrics.prep_processor_request_queued.inc();
                self.metrics.sync_processor_request_queued.inc();
                self.metrics.outstanding_changes_queued.add(changes as u64);
            }
            Event::Session { id, what, conn } => self.session(id, what, conn),
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
    fn audits(&self) -> bool {
        self.audit.is_some()
    }

    fn decided(&self, conn: Option<&Conn>, decision: &Decision<'_>) {
        if let Some(audit) = &self.audit {
            audit.decided(conn, decision);
        }
    }
}
