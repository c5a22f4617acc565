//! What the node tells, as numbers: latencies, stages, queues, slow operations, who asks most.
//!
//! # Invariants
//!
//! * Counting takes no lock; only what was slow, and one of many requests, does more than count.
//! * Ages of transactions compare the clocks of two servers: negative ones are left out, as in ZooKeeper.
//! * [`Work`] begins and ends on the core's thread alone.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tracing::warn;

use super::observer::LogLimit;
use crate::config::Settings;
use crate::limits::{SLOW_TEXT, TOP_SAMPLE};
use crate::metrics::{Metrics, Slow, Summary, top, top_namespace};
use crate::os::clock;
use crate::proto::OpCode;
use crate::replica::{Applied, Conn, Round, Seat, Work, operation_of};
use crate::types::Instant;
use crate::types::stages::StageTimes;

/// Records the age of a transaction.
pub fn aged(summary: &Summary, age_ms: i64) {
    if age_ms >= 0 {
        summary.record(age_ms);
    }
}

/// Counts what the node tells.
pub struct Measures {
    metrics: Arc<Metrics>,
    /// Is this a member of an ensemble? A standalone ZooKeeper has no commit stage and counts none.
    member: bool,
    /// `slow.operations.thresholdMs`, ns; the largest number where nothing is called slow.
    slow_ns: u64,
    /// `requestStaleLatencyCheck`.
    stale_by_latency: bool,
    logged: LogLimit,
    begun: AtomicU64,
    /// What the round took that ended last, ns.
    round_ns: AtomicU64,
}

thread_local! {
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
}

/// True once in [`TOP_SAMPLE`] calls of a thread.
#[inline]
fn is_sample() -> bool {
    REQUESTS.with(|count| {
        let next = count.get() + 1;
        count.set(if next >= TOP_SAMPLE { 0 } else { next });
        next >= TOP_SAMPLE
    })
}

impl Measures {
    /// Counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>, settings: &Settings) -> Measures {
        let slow = settings.metrics.slow_threshold_ms;
        Measures {
            metrics,
            member: settings.quorum.is_distributed(),
            slow_ns: slow.map_or(u64::MAX, |ms| u64::from(ms) * 1_000_000),
            stale_by_latency: settings.throttle.request_stale_latency_check,
            logged: LogLimit::default(),
            begun: AtomicU64::new(0),
            round_ns: AtomicU64::new(0),
        }
    }

    /// A request was answered.
    #[inline]
    pub fn answered(&self, conn: &Conn, op: OpCode, path: &str, stages: &StageTimes, bytes: usize) {
        let metrics = &self.metrics;
        let body = bytes.saturating_sub(4); // ZooKeeper counts without the frame's length
        metrics.stats.packets_sent.inc();
        metrics.stats.client_responses.record(body);
        metrics.response_bytes.add(body as u64);
        let write = op.is_ordered() && stages.applied != Instant::default();
        if let Some(nanos) = stages.latency() {
            metrics.request_served(nanos, write);
            if self.member && !write && stages.admitted != Instant::default() {
                metrics.read_commitproc_time_ms.record_ns(nanos); // it stood behind a write
            }
            if nanos >= self.slow_ns {
                self.slow(conn, op, path, stages, nanos);
            }
            if self.stale_by_latency && is_stale(conn, nanos) {
                metrics.stale_replies.inc();
            }
        }
        if op != OpCode::Ping && is_sample() {
            self.sample(conn, path);
        }
    }

    /// Path, data and stat bytes of a read, by top-level path (`DataTree.updateReadStat`).
    #[inline]
    pub fn read_by_namespace(&self, op: OpCode, path: &str, bytes: usize) {
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

    /// A znode was written: its path and data bytes, by top-level path (`DataTree.updateWriteStat`).
    pub fn written(&self, path: &str, bytes: usize) {
        if let Some(namespace) = top_namespace(path) {
            let sum = i64::try_from(path.len() + bytes).unwrap_or(i64::MAX);
            self.metrics.write_per_namespace.record(namespace, sum);
        }
    }

    /// One of many requests: who asks, and for what.
    #[cold]
    fn sample(&self, conn: &Conn, path: &str) {
        let weight = u64::from(TOP_SAMPLE);
        match conn.login() {
            Some(login) => self.metrics.principals.add(&login.principal, weight),
            None => self.metrics.principals.add(&format!("ip:{}", conn.peer.ip()), weight),
        }
        if !path.is_empty() {
            self.metrics.prefixes.add(top::prefix(path), weight);
        }
    }

    #[cold]
    fn slow(&self, conn: &Conn, op: OpCode, path: &str, stages: &StageTimes, nanos: u64) {
        let took_ms = nanos / 1_000_000;
        let slow = Slow {
            at_ms: clock::now().wall_ms,
            session: conn.session_id().0,
            peer: conn.peer,
            principal: conn.login().map(|login| login.principal.clone()),
            operation: operation_of(op).name(),
            path: path.to_owned(),
            took_ms,
            stage: longest(stages),
        };
        if let Some(suppressed) = self.logged.passes(clock::mono()) {
            let path: String = path.chars().take(SLOW_TEXT).collect();
            warn!(
                session = %conn.session_id(),
                peer = %conn.peer,
                principal = slow.principal.as_deref().map(|who| who.escape_debug().to_string()),
                operation = slow.operation,
                path = %path.escape_debug(),
                took_ms,
                stage = slow.stage,
                suppressed,
                "slow operation"
            );
        }
        self.metrics.slow.add(slow);
    }

    /// A transaction was applied.
    pub fn applied(&self, applied: &Applied) {
        let metrics = &self.metrics;
        let stages = &applied.stages;
        aged(&metrics.propagation_latency, applied.age_ms);
        metrics.outstanding_changes_removed.add(applied.changes as u64);
        if applied.seat != Seat::Alone {
            self.committed(applied);
        }
        if applied.seat == Seat::Leads
            && let Some(nanos) = StageTimes::between(stages.logged, stages.committed)
        {
            metrics.stages.quorum.record_ns(nanos);
        }
        if applied.own
            && applied.seat != Seat::Learns
            && let Some(nanos) = stages.queued()
        {
            metrics.prep_processor_queue_time_ms.record_ns(nanos);
            metrics.stages.queue.record_ns(nanos);
        }
        if let Some(queue) = &applied.queue {
            metrics.pending_session_queue_size.record_len(queue.sessions);
            metrics.requests_in_session_queue.record_len(queue.requests);
            metrics.reads_after_write_in_session_queue.record_len(queue.reads_after);
        }
    }

    /// The commit stage of an ensemble's member (`CommitProcessor`).
    fn committed(&self, applied: &Applied) {
        let (metrics, stages) = (&self.metrics, &applied.stages);
        metrics.request_commit_queued.inc();
        match applied.seat {
            Seat::Leads if !applied.reconfigures => aged(&metrics.quorum_ack_latency, applied.age_ms),
            Seat::Learns => aged(&metrics.commit_propagation_latency, applied.age_ms),
            _ => {}
        }
        let waited = stages.applying().unwrap_or(0);
        if applied.own {
            metrics.local_write_committed_time_ms.record_ns(waited);
            let entered = if applied.seat == Seat::Leads { stages.admitted } else { stages.received };
            if let Some(nanos) = StageTimes::between(entered, stages.applied) {
                metrics.write_commitproc_time_ms.record_ns(nanos);
            }
        } else {
            metrics.server_write_committed_time_ms.record_ns(waited);
        }
    }

    /// Some work begins.
    pub fn begins(&self, _work: Work) {
        self.begun.store(clock::mono().0, Relaxed);
    }

    /// It ends.
    pub fn ends(&self, work: Work) {
        let nanos = clock::mono().0.saturating_sub(self.begun.load(Relaxed));
        match work {
            Work::Round => self.round_ns.store(nanos, Relaxed),
            Work::CloseSession => self.metrics.close_session_prep_time.record_ns(nanos),
            Work::RelayProposal => self.metrics.om_proposal_process_time_ms.record_ns(nanos),
            Work::RelayCommit => self.metrics.om_commit_process_time_ms.record_ns(nanos),
        }
    }

    /// Everything that was committed is applied.
    pub fn round(&self, round: &Round) {
        let metrics = &self.metrics;
        let nanos = self.round_ns.load(Relaxed);
        metrics.stages.apply.record_share(Duration::from_nanos(nanos), round.writes);
        if round.seat == Seat::Alone {
            return;
        }
        metrics.write_final_proc_time_ms.record_share(Duration::from_nanos(nanos), round.writes);
        metrics.commit_process_time.record_ns(nanos);
        metrics.write_batch_time_in_commit_processor.record_ns(nanos);
        metrics.write_commit_proc_req_queued.record_len(round.waiting_writes);
        metrics.read_commit_proc_req_queued.record_len(round.waiting_reads);
        metrics.commit_commit_proc_req_queued.record_len(round.writes);
        metrics.write_commit_proc_issued.record_len(round.writes);
        metrics.session_queues_drained.record_len(round.drained);
        metrics.reads_issued_from_session_queue.record_len(round.reads);
    }

    /// A learner's stream begins or ends.
    pub fn sync(&self, snapshot: bool, in_flight: usize, begins: bool) {
        let metrics = &self.metrics;
        let (count, size) = match snapshot {
            true => (&metrics.snap_count, &metrics.inflight_snap_count),
            false => (&metrics.diff_count, &metrics.inflight_diff_count),
        };
        if begins {
            count.inc();
        }
        size.record_len(in_flight);
    }
}

/// Has the client given the request up by now?
fn is_stale(conn: &Conn, nanos: u64) -> bool {
    conn.session().is_some_and(|session| nanos / 1_000_000 > u64::from(session.timeout_ms()))
}

/// Where most of the time of a request went; a read has but one stage.
fn longest(stages: &StageTimes) -> &'static str {
    let all = [
        ("queue", stages.queued()),
        ("fsync", stages.syncing()),
        ("quorum", StageTimes::between(stages.logged, stages.committed)),
        ("reply", StageTimes::between(stages.applied, stages.replied)),
    ];
    let known = all.into_iter().filter_map(|(name, nanos)| Some((nanos?, name)));
    known.max_by_key(|(nanos, _)| *nanos).map_or("read", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures() -> Measures {
        Measures::new(Arc::new(Metrics::default()), &Settings::default())
    }

    fn applied(seat: Seat, own: bool) -> Applied {
        let at = Instant::from_millis;
        let stages = StageTimes {
            received: at(10),
            admitted: at(12),
            logged: at(17),
            committed: at(20),
            applied: at(20),
            replied: at(20),
        };
        Applied { seat, own, reconfigures: false, age_ms: 9, stages, changes: 2, queue: None }
    }

    #[test]
    fn a_leader_a_learner_and_a_lone_server_measure_different_things() {
        let m = measures();
        for seat in [Seat::Alone, Seat::Leads, Seat::Learns] {
            m.applied(&applied(seat, true));
            m.applied(&Applied { age_ms: -1, ..applied(seat, false) });
        }
        let read = |s: &Summary| (s.read().count, s.read().sum);
        let metrics = &m.metrics;
        assert_eq!(read(&metrics.propagation_latency), (3, 27), "negative ages are left out");
        assert_eq!(read(&metrics.quorum_ack_latency), (1, 9));
        assert_eq!(read(&metrics.commit_propagation_latency), (1, 9));
        assert_eq!(read(&metrics.prep_processor_queue_time_ms), (2, 4));
        assert_eq!(read(&metrics.write_commitproc_time_ms), (2, 8 + 10));
        assert_eq!(read(&metrics.server_write_committed_time_ms), (2, 0));
        assert_eq!(read(&metrics.stages.quorum.summary), (2, 6000));
        assert_eq!((metrics.request_commit_queued.get(), metrics.outstanding_changes_removed.get()), (4, 12));
    }

    #[test]
    fn rounds_share_their_time_and_streams_are_counted_once() {
        let m = measures();
        m.round_ns.store(8_000_000, Relaxed);
        m.round(&Round { seat: Seat::Leads, writes: 4, reads: 3, ..Round::default() });
        m.round(&Round { seat: Seat::Alone, writes: 2, ..Round::default() });
        let read = |s: &Summary| (s.read().count, s.read().sum);
        assert_eq!(read(&m.metrics.write_final_proc_time_ms), (4, 8));
        assert_eq!(read(&m.metrics.commit_process_time), (1, 8));
        assert_eq!(read(&m.metrics.stages.apply.summary), (6, 4 * 2000 + 2 * 4000));
        m.sync(true, 2, true);
        m.sync(true, 1, false);
        m.sync(false, 1, true);
        assert_eq!((m.metrics.snap_count.get(), m.metrics.diff_count.get()), (1, 1));
        assert_eq!(read(&m.metrics.inflight_snap_count), (2, 3));
    }

    #[test]
    fn the_slowest_stage_is_named() {
        let stages = applied(Seat::Leads, true).stages;
        assert_eq!(longest(&stages), "fsync");
        assert_eq!(longest(&StageTimes { admitted: Instant::from_millis(16), ..stages }), "queue");
        assert_eq!(
            longest(&StageTimes { received: Instant(5), replied: Instant(9), ..Default::default() }),
            "read"
        );
    }
}
