//! The one table of recorded metrics: name, kind and meaning stand here once.
//!
//! The order is the one in which a standalone ZooKeeper 3.9.5 prints `mntr`
//! (there an accident of hashing, here a habit that makes texts comparable).
//!
//! # Invariants
//!
//! * Names are ZooKeeper's; each name appears in one table only: here, in
//!   [`super::gauges`], or in [`super::absent`].
//! * The pools are exactly as large as the table asks for.

use std::sync::Arc;

use super::decisions::DecisionCounts;
use super::kinds::{Counter, Detail, SUMMARY_CELLS, Summary};
use super::logins::LoginCounts;
use super::own::Own;
use super::sets::{CounterSet, SummarySet};
use super::slots::Pool;
use super::slow::SlowOperations;
use super::stages::Stages;
use super::stats::ServerStats;
use super::tls::TlsCounts;
use super::top::Top;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A counter per key.
    CounterSet,
    /// A distribution.
    Summary(Detail),
    /// A distribution per key.
    SummarySet(Detail),
    /// Read when asked for.
    Gauge,
    /// A gauge per key.
    GaugeSet,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The name, as in ZooKeeper.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it tells, with its unit.
    pub meaning: &'static str,
}

/// Who prints the metrics (`metricsProvider.className`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provider {
    /// `DefaultMetricsProvider`: `mntr` prints means and percentiles; `srst`
    /// resets everything.
    #[default]
    Default,
    /// `PrometheusMetricsProvider`: every summary has quantiles; `srst` leaves
    /// the metrics alone.
    Prometheus,
    /// `NullMetricsProvider`: nothing is shown. What is counted anyway is not even reset.
    Null,
}

macro_rules! count {
    ($($name:ident)*) => { 0usize $(+ { let _ = stringify!($name); 1 })* };
}

macro_rules! metrics {
    (
        counters { $($counter:ident: $counter_is:literal,)* }
        counter_sets { $($counters:ident: $counters_are:literal,)* }
        basic { $($basic:ident: $basic_is:literal,)* }
        advanced { $($advanced:ident: $advanced_is:literal,)* }
        basic_sets { $($basics:ident: $basics_are:literal,)* }
        advanced_sets { $($advanceds:ident: $advanceds_are:literal,)* }
    ) => {
        /// All recorded metrics, a field each, named as in ZooKeeper.
        pub struct Metrics {
            $(#[doc = $counter_is] pub $counter: Counter,)*
            $(#[doc = $counters_are] pub $counters: CounterSet,)*
            $(#[doc = $basic_is] pub $basic: Summary,)*
            $(#[doc = $advanced_is] pub $advanced: Summary,)*
            $(#[doc = $basics_are] pub $basics: SummarySet,)*
            $(#[doc = $advanceds_are] pub $advanceds: SummarySet,)*
            /// The numbers of `srvr` (`ServerStats`).
            pub stats: ServerStats,
            /// Decisions by operation and outcome.
            pub decisions: DecisionCounts,
            /// Logins and refusals.
            pub logins: LoginCounts,
            /// TLS by outcome.
            pub tls: TlsCounts,
            /// Series that ZooKeeper does not have.
            pub own: Own,
            /// How long requests stay in each stage.
            pub stages: Stages,
            /// Operations that took long.
            pub slow: SlowOperations,
            /// Who asks most, by principal.
            pub principals: Top,
            /// What is asked for most, by the first components of its path.
            pub prefixes: Top,
            provider: Provider,
            pool: Arc<Pool>,
        }

        /// Every recorded metric.
        pub const RECORDED: &[Row] = &[
            $(Row { name: stringify!($counter), kind: Kind::Counter, meaning: $counter_is },)*
            $(Row { name: stringify!($counters), kind: Kind::CounterSet, meaning: $counters_are },)*
            $(Row { name: stringify!($basic), kind: Kind::Summary(Detail::Basic), meaning: $basic_is },)*
            $(Row { name: stringify!($advanced), kind: Kind::Summary(Detail::Advanced), meaning: $advanced_is },)*
            $(Row { name: stringify!($basics), kind: Kind::SummarySet(Detail::Basic), meaning: $basics_are },)*
            $(Row { name: stringify!($advanceds), kind: Kind::SummarySet(Detail::Advanced), meaning: $advanceds_are },)*
        ];

        const COUNTERS: usize = count!($($counter)*);
        const BASICS: usize = count!($($basic)*);
        const ADVANCEDS: usize = count!($($advanced)*);

        impl Metrics {
            fn in_pool(pool: Arc<Pool>, provider: Provider) -> Self {
                // The exposition prints a median of basic summaries too.
                let quantiles = provider == Provider::Prometheus;
                Self {
                    $($counter: Counter::in_pool(&pool),)*
                    $($counters: CounterSet::default(),)*
                    $($basic: Summary::in_pool(&pool, Detail::Basic, quantiles),)*
                    $($advanced: Summary::in_pool(&pool, Detail::Advanced, true),)*
                    $($basics: SummarySet::new(Detail::Basic, quantiles),)*
                    $($advanceds: SummarySet::new(Detail::Advanced, true),)*
                    stats: ServerStats::default(),
                    decisions: DecisionCounts::default(),
                    logins: LoginCounts::default(),
                    tls: TlsCounts::default(),
                    own: Own::default(),
                    stages: Stages::default(),
                    slow: SlowOperations::default(),
                    principals: Top::default(),
                    prefixes: Top::default(),
                    provider,
                    pool,
                }
            }

            /// All counters, in the table's order.
            pub fn counters(&self) -> Vec<(&'static str, &Counter)> {
                vec![$((stringify!($counter), &self.$counter),)*]
            }

            /// All keyed counters.
            pub fn counter_sets(&self) -> Vec<(&'static str, &CounterSet)> {
                vec![$((stringify!($counters), &self.$counters),)*]
            }

            /// All summaries, basic ones first.
            pub fn summaries(&self) -> Vec<(&'static str, &Summary)> {
                vec![
                    $((stringify!($basic), &self.$basic),)*
                    $((stringify!($advanced), &self.$advanced),)*
                ]
            }

            /// All keyed summaries, basic ones first.
            pub fn summary_sets(&self) -> Vec<(&'static str, &SummarySet)> {
                vec![
                    $((stringify!($basics), &self.$basics),)*
                    $((stringify!($advanceds), &self.$advanceds),)*
                ]
            }
        }
    };
}

metrics! {
    counters {
        watch_bytes: "Bytes of watch notifications.",
        stale_requests_dropped: "Stale requests dropped.",
        throttled_ops: "Requests answered with THROTTLEDOP.",
        insecure_admin_count: "Plain connections on unified admin port.",
        connection_rejected: "Client connections refused by limits.",
        sessionless_connections_expired: "Connections expired without session.",
        dead_watchers_queued: "Dead watchers queued for cleaning.",
        stale_requests: "Requests stale before submit.",
        connection_drop_count: "Client connections dropped.",
        response_packet_cache_hits: "GetData response cache hits.",
        bytes_received_count: "Bytes received from clients, length prefixes included.",
        add_dead_watcher_stall_time: "Milliseconds stalled while adding dead watchers.",
        request_throttle_wait_count: "Throttle stalls.",
        requests_not_forwarded_to_commit_processor: "Learner requests not kept at leader.",
        response_packet_cache_misses: "GetData response cache misses.",
        prep_processor_request_queued: "Requests queued to prep stage.",
        stale_replies: "Replies to stale requests.",
        response_bytes: "Bytes of replies.",
        ensemble_auth_fail: "Ensemble auth name mismatched.",
        diff_count: "Learner syncs done by diff.",
        connection_revalidate_count: "Client session renewals.",
        quit_leading_due_to_disloyal_voter: "Leader quit since voter looking.",
        unrecoverable_error_count: "Critical thread failures.",
        unsuccessful_handshake: "Failed client TLS handshakes.",
        commit_count: "Commits sent by leader.",
        outstanding_changes_queued: "Pending change records added, where requests are decided.",
        request_commit_queued: "Commits handed to commit stage.",
        ensemble_auth_skip: "Ensemble auth not configured or empty.",
        skip_learner_request_to_next_processor_count: "Learner requests not kept in commit queue.",
        proposal_count: "Proposals made by leader.",
        large_requests_rejected: "Requests refused by large-request budget.",
        outstanding_changes_removed: "Pending change records removed.",
        restore_error_count: "Admin restore failures.",
        cnxn_closed_without_zk_server_running: "Early dropped TLS connections.",
        looking_count: "Times peer entered LOOKING.",
        snapshot_rate_limited_count: "Admin snapshot calls refused by limiter.",
        learner_proposal_received_count: "Proposals received by learner.",
        digest_mismatches_count: "Tree digest mismatches.",
        dead_watchers_cleared: "Dead watchers cleaned.",
        ensemble_auth_success: "Ensemble auth name matched.",
        learner_commit_received_count: "Commits received by learner.",
        snapshot_error_count: "Admin snapshot failures.",
        connection_request_count: "Connect requests admitted by throttle.",
        response_packet_get_children_cache_misses: "GetChildren2 response cache misses.",
        snap_count: "Learner syncs done by snapshot.",
        stale_sessions_expired: "Sessions expired by tracker.",
        restore_rate_limited_count: "Admin restore calls refused by limiter.",
        response_packet_get_children_cache_hits: "GetChildren2 response cache hits.",
        sync_processor_request_queued: "Requests queued to sync stage.",
        tls_handshake_exceeded: "TLS handshakes refused by limit.",
        revalidate_count: "Session revalidations handled by leader.",
    }
    counter_sets {
        quota_exceeded_error_per_namespace: "Hard quota refusals, by top-level path.",
    }
    basic {
        socket_closing_time: "Milliseconds closing learner socket.",
        proposal_process_time: "Milliseconds in stage after prep.",
        leader_unavailable_time: "Milliseconds until leader reached broadcast.",
        node_created_watch_count: "Watchers fired per NodeCreated.",
        session_queues_drained: "Session queues drained per round.",
        write_commit_proc_req_queued: "Writes queued in commit stage.",
        connection_token_deficit: "Connection throttle tokens missing.",
        read_commit_proc_req_queued: "Reads queued in commit stage.",
        node_deleted_watch_count: "Watchers fired per NodeDeleted.",
        startup_txns_load_time: "Milliseconds replaying txns at start.",
        sync_processor_queue_size: "Sync queue length.",
        follower_sync_time: "Milliseconds follower spent syncing with leader.",
        prep_processor_queue_size: "Prep queue length.",
        fsynctime: "Milliseconds per txn log fsync.",
        inflight_snap_count: "Concurrent snapshot syncs.",
        reads_issued_from_session_queue: "Reads issued from session queues.",
        restore_time: "Milliseconds to restore database from stream.",
        learner_request_processor_queue_size: "Learner first stage queue length.",
        snapshottime: "Milliseconds to write one snapshot.",
        unavailable_time: "Milliseconds until peer reached broadcast.",
        startup_txns_loaded: "Txns replayed at start.",
        reads_after_write_in_session_queue: "Reads released after a write, on learners.",
        requests_in_session_queue: "Requests in one session queue, on learners.",
        write_commit_proc_issued: "Writes issued per round.",
        prep_process_time: "Milliseconds in prep stage, a batch's time shared by its requests.",
        pending_session_queue_size: "Sessions with pending queue, on learners.",
        time_waiting_empty_pool_in_commit_processor_read_ms: "Milliseconds waiting for worker pool to drain.",
        commit_process_time: "Milliseconds per commit stage round.",
        dbinittime: "Milliseconds to load database at start.",
        inflight_diff_count: "Concurrent diff syncs.",
        netty_queued_buffer_capacity: "Bytes queued in netty buffer.",
        election_time: "Milliseconds spent in leader election.",
        commit_commit_proc_req_queued: "Commits queued in commit stage.",
        sync_processor_batch_size: "Requests per flush.",
        node_children_watch_count: "Watchers fired per NodeChildrenChanged.",
        write_batch_time_in_commit_processor: "Milliseconds per write batch.",
        read_commit_proc_issued: "Reads issued per round.",
        concurrent_request_processing_in_commit_processor: "In-flight requests when write arrives.",
        observer_sync_time: "Milliseconds observer spent syncing.",
        node_changed_watch_count: "Watchers fired per NodeDataChanged.",
        sync_process_time: "Milliseconds in sync stage.",
        startup_snap_load_time: "Milliseconds loading snapshot at start.",
    }
    advanced {
        prep_processor_queue_time_ms: "Milliseconds queued before prep stage.",
        jvm_pause_time_ms: "Milliseconds that the core thread overslept.",
        close_session_prep_time: "Milliseconds preparing closeSession.",
        read_commitproc_time_ms: "Milliseconds from frame to reply of reads that stood behind a write.",
        updatelatency: "Milliseconds from request creation to write reply.",
        local_write_committed_time_ms: "Milliseconds local write waited after commit.",
        request_throttle_queue_time_ms: "Milliseconds in throttle queue.",
        readlatency: "Milliseconds from request creation to read reply.",
        quorum_ack_latency: "Milliseconds txn time to quorum ack.",
        om_commit_process_time_ms: "Milliseconds observer master handling commit.",
        read_final_proc_time_ms: "Milliseconds reads in final stage, of one in 64.",
        commit_propagation_latency: "Milliseconds txn time to commit receipt.",
        dead_watchers_cleaner_latency: "Milliseconds per dead watcher cleaning run.",
        write_final_proc_time_ms: "Milliseconds writes in final stage.",
        proposal_ack_creation_latency: "Milliseconds txn time to ack creation.",
        proposal_latency: "Milliseconds txn time to follower receipt.",
        om_proposal_process_time_ms: "Milliseconds observer master handling proposal.",
        sync_processor_queue_and_flush_time_ms: "Milliseconds queued plus flush.",
        propagation_latency: "Milliseconds from txn header time to local apply.",
        server_write_committed_time_ms: "Milliseconds foreign write waited after commit.",
        sync_processor_queue_time_ms: "Milliseconds queued before sync stage.",
        sync_processor_queue_flush_time_ms: "Milliseconds per log flush.",
        write_commitproc_time_ms: "Milliseconds writes spent in commit stage.",
    }
    basic_sets {
        write_per_namespace: "Path and data bytes written, by top-level path.",
        read_per_namespace: "Path, data and stat bytes read, by top-level path.",
        learner_handler_qp_size: "Queued packets per learner, by server id.",
    }
    advanced_sets {
        learner_handler_qp_time_ms: "Milliseconds packets waited per learner, by server id.",
        ack_latency: "Milliseconds from txn time to ack, by server id.",
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Provider::Default)
    }
}

impl Metrics {
    /// All metrics at zero, to be printed by `provider`.
    pub fn new(provider: Provider) -> Self {
        let histograms = match provider {
            Provider::Default | Provider::Null => ADVANCEDS,
            Provider::Prometheus => BASICS + ADVANCEDS,
        };
        let cells = COUNTERS + (BASICS + ADVANCEDS) * SUMMARY_CELLS;
        let metrics = Self::in_pool(Arc::new(Pool::new(cells, histograms)), provider);
        debug_assert!(metrics.pool.is_laid_out());
        metrics
    }

    /// Who prints these metrics.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// A request that began `latency_ns` ago was answered; `write` when it had
    /// a transaction (`ServerStats.updateLatency`).
    #[inline]
    pub fn request_served(&self, latency_ns: u64, write: bool) {
        let millis = latency_ns / 1_000_000;
        self.stats.request_latency.record_ms(millis);
        let by_kind = if write { &self.updatelatency } else { &self.readlatency };
        by_kind.record_ms(millis);
    }

    /// What `srst` resets: the numbers of `srvr`, and all metrics where the
    /// provider supports it.
    pub fn reset(&self) {
        self.stats.reset();
        if self.provider == Provider::Default {
            self.pool.reset();
            self.counter_sets().iter().for_each(|(_, set)| set.reset());
            self.summary_sets().iter().for_each(|(_, set)| set.reset());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_providers_lay_their_pool_out_exactly() {
        for provider in [Provider::Default, Provider::Prometheus, Provider::Null] {
            assert!(Metrics::new(provider).pool.is_laid_out());
        }
    }

    #[test]
    fn no_two_metrics_share_a_cell() {
        let metrics = Metrics::default();
        for (i, (_, counter)) in metrics.counters().iter().enumerate() {
            counter.add(1000 + i as u64);
        }
        for (i, (_, summary)) in metrics.summaries().iter().enumerate() {
            summary.record(5000 + i as i64);
        }
        for (i, (name, counter)) in metrics.counters().iter().enumerate() {
            assert_eq!(counter.get(), 1000 + i as u64, "{name}");
        }
        for (i, (name, summary)) in metrics.summaries().iter().enumerate() {
            let (reading, value) = (summary.read(), 5000 + i as i64);
            assert_eq!(reading.count, 1, "{name}");
            assert_eq!((reading.sum, reading.min, reading.max), (value, value, value), "{name}");
        }
    }

    #[test]
    fn srst_resets_metrics_only_where_the_provider_does() {
        for (provider, kept) in [(Provider::Default, 0), (Provider::Prometheus, 3)] {
            let metrics = Metrics::new(provider);
            metrics.snap_count.add(3);
            metrics.read_per_namespace.record("a", 7);
            metrics.stats.packets_received.add(9);
            metrics.request_served(5_000_000, false);
            metrics.reset();
            assert_eq!(metrics.snap_count.get(), kept);
            let per_key = metrics.read_per_namespace.entry("a").read();
            assert_eq!(per_key.count, u64::from(kept > 0));
            assert_eq!(metrics.stats.packets_received.get(), 0);
            assert_eq!(metrics.stats.request_latency.read().count, 0);
        }
    }

    #[test]
    fn a_request_counts_as_a_read_or_as_an_update() {
        let metrics = Metrics::default();
        metrics.request_served(2_500_000, false);
        metrics.request_served(7_000_000, true);
        assert_eq!(metrics.readlatency.read().max, 2);
        assert_eq!(metrics.updatelatency.read().min, 7);
        assert_eq!(metrics.stats.request_latency.read().count, 2);
    }
}
