//! Gauges: numbers that are read when somebody asks for them.
//!
//! The server fills a [`Gauges`] in; names and meanings stand in one table.
//!
//! # Invariants
//!
//! * A gauge that a role does not have is `None` and is not printed.

use super::stats::ServerStats;
use super::table::{Kind, Row};
use crate::types::process::ProcessFigures;

/// A number as it is printed: whole numbers without a point, others as a
/// Java double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A fraction.
    Double(f64),
}

impl Value {
    /// The number as a double.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

/// Values by key (top-level path).
pub type GaugeSet = Vec<(String, i64)>;

macro_rules! gauges {
    (
        always { $($name:ident: $type:ty = $is:literal,)* }
        by_role { $($role:ident: $role_is:literal,)* }
        sets { $($set:ident: $set_is:literal,)* }
        process { $($process:ident: $process_is:literal,)* }
    ) => {
        /// The gauges of a server at one moment, named as in ZooKeeper.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Gauges {
            $(#[doc = $is] pub $name: $type,)*
            $(#[doc = $role_is] pub $role: Option<i64>,)*
            $(#[doc = $set_is] pub $set: GaugeSet,)*
            /// Figures of the process, where they are exported
            /// (`metricsProvider.exportJvmInfo`).
            pub process: Option<ProcessGauges>,
        }

        /// Figures of the process; in the exposition only.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct ProcessGauges {
            /// Process CPU seconds.
            pub process_cpu_seconds_total: f64,
            $(#[doc = $process_is] pub $process: f64,)*
        }

        /// Every gauge.
        pub const GAUGES: &[Row] = &[
            $(Row { name: stringify!($name), kind: Kind::Gauge, meaning: $is },)*
            $(Row { name: stringify!($role), kind: Kind::Gauge, meaning: $role_is },)*
            $(Row { name: stringify!($set), kind: Kind::GaugeSet, meaning: $set_is },)*
            Row {
                name: "process_cpu_seconds_total",
                kind: Kind::Counter,
                meaning: "Process CPU seconds.",
            },
            $(Row { name: stringify!($process), kind: Kind::Gauge, meaning: $process_is },)*
        ];

        impl Gauges {
            /// The gauges this role has, in the table's order.
            pub fn values(&self) -> Vec<(&'static str, Value)> {
                let always = vec![$((stringify!($name), Some(Value::from(self.$name))),)*];
                let by_role = vec![$((stringify!($role), self.$role.map(Value::from)),)*];
                let all = always.into_iter().chain(by_role);
                all.filter_map(|(name, value)| Some((name, value?))).collect()
            }

            /// The keyed gauges.
            pub fn sets(&self) -> Vec<(&'static str, &GaugeSet)> {
                vec![$((stringify!($set), &self.$set),)*]
            }
        }

        impl ProcessGauges {
            /// The gauges, without the CPU counter.
            pub fn values(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($process), self.$process),)*]
            }
        }
    };
}

gauges! {
    always {
        ephemerals_count: i64 = "Ephemeral nodes.",
        num_alive_connections: i64 = "Open client connections.",
        avg_latency: f64 = "Mean request latency ms.",
        outstanding_requests: i64 = "Requests in process.",
        znode_count: i64 = "Node map size, root counted twice.",
        global_sessions: i64 = "Committed sessions.",
        non_mtls_remote_conn_count: i64 = "Netty plain remote connections.",
        last_client_response_size: i64 = "Last reply bytes.",
        packets_sent: i64 = "Client packets sent.",
        packets_received: i64 = "Client packets received.",
        max_client_response_size: i64 = "Max reply bytes.",
        connection_drop_probability: f64 = "Connection throttle drop chance.",
        watch_count: i64 = "Data plus child watches.",
        auth_failed_count: i64 = "Failed TLS client authentications.",
        min_latency: i64 = "Min request latency ms.",
        max_file_descriptor_count: i64 = "Fd limit, -1 if unknown.",
        approximate_data_size: i64 = "Path plus data bytes.",
        open_file_descriptor_count: i64 = "Open fds, -1 if unknown.",
        local_sessions: i64 = "Local sessions.",
        uptime: i64 = "Milliseconds since server object created.",
        max_latency: i64 = "Max request latency ms.",
        outstanding_tls_handshake: i64 = "TLS handshakes in progress.",
        min_client_response_size: i64 = "Min reply bytes.",
        non_mtls_local_conn_count: i64 = "Netty plain loopback connections.",
    }
    by_role {
        quorum_size: "Voting members.",
        synced_observers: "Observers in step with this server.",
        learners: "Connected learners.",
        synced_followers: "Followers in step with this leader.",
        synced_non_voting_followers: "Followers in step that do not vote.",
        pending_syncs: "Zxids with pending syncs.",
        leader_uptime: "Milliseconds since leading started.",
        last_proposal_size: "Bytes of the last proposal, -1 before the first.",
        max_proposal_size: "Bytes of the largest proposal, -1 before the first.",
        min_proposal_size: "Bytes of the smallest proposal, -1 before the first.",
    }
    sets {
        quota_count_limit_per_namespace: "Node count limit, by top-level path.",
        quota_bytes_limit_per_namespace: "Byte limit, by top-level path.",
        quota_count_usage_per_namespace: "Nodes used, by top-level path.",
        quota_bytes_usage_per_namespace: "Bytes used, by top-level path.",
    }
    process {
        process_start_time_seconds: "Start of the process, seconds since 1970.",
        process_open_fds: "Open file descriptors.",
        process_max_fds: "File descriptor limit.",
        process_virtual_memory_bytes: "Virtual memory, bytes.",
        process_resident_memory_bytes: "Resident memory, bytes.",
    }
}

impl Gauges {
    /// Gauges with everything that `stats` knows; the rest is zero, and is the
    /// server's to fill in.
    pub fn of(stats: &ServerStats) -> Self {
        let latency = stats.request_latency.read();
        let replies = stats.client_responses.read();
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Self {
            avg_latency: latency.average(),
            min_latency: latency.min,
            max_latency: latency.max,
            packets_received: count(stats.packets_received.get()),
            packets_sent: count(stats.packets_sent.get()),
            last_client_response_size: replies.last,
            max_client_response_size: replies.max,
            min_client_response_size: replies.min,
            auth_failed_count: stats.auth_failed.get(),
            non_mtls_remote_conn_count: stats.non_mtls_remote_connections.get(),
            non_mtls_local_conn_count: stats.non_mtls_local_connections.get(),
            ..Self::default()
        }
    }
}

impl From<&ProcessFigures> for ProcessGauges {
    /// Unknown figures read -1, as an unknown number of descriptors does in
    /// ZooKeeper.
    fn from(figures: &ProcessFigures) -> Self {
        let number = |n: Option<u64>| n.map_or(-1.0, |n| n as f64);
        Self {
            process_cpu_seconds_total: figures.cpu_seconds.unwrap_or(0.0),
            process_start_time_seconds: figures.start_time_seconds.unwrap_or(-1.0),
            process_open_fds: number(figures.open_fds),
            process_max_fds: number(figures.max_fds),
            process_virtual_memory_bytes: number(figures.virtual_bytes),
            process_resident_memory_bytes: number(figures.resident_bytes),
        }
    }
}

impl Gauges {
    /// Sets the gauges that come from the process; its own series only where
    /// they are `exported` (`metricsProvider.exportJvmInfo`).
    pub fn set_process(&mut self, figures: &ProcessFigures, exported: bool) {
        let number = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
        self.open_file_descriptor_count = number(figures.open_fds);
        self.max_file_descriptor_count = number(figures.max_fds);
        self.process = exported.then(|| figures.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_of_another_role_is_left_out() {
        let mut gauges = Gauges::default();
        let has = |g: &Gauges| g.values().iter().any(|(name, _)| *name == "learners");
        assert!(!has(&gauges));
        gauges.learners = Some(2);
        assert!(has(&gauges));
    }

    #[test]
    fn unknown_process_figures_read_minus_one() {
        let mut gauges = Gauges::default();
        gauges.set_process(&ProcessFigures { max_fds: Some(20), ..ProcessFigures::default() }, true);
        assert_eq!(gauges.open_file_descriptor_count, -1);
        assert_eq!(gauges.max_file_descriptor_count, 20);
        assert_eq!(gauges.process.map(|p| (p.process_open_fds, p.process_max_fds)), Some((-1.0, 20.0)));
        gauges.set_process(&ProcessFigures::default(), false);
        assert_eq!(gauges.process, None);
    }

    #[test]
    fn stats_fill_their_gauges() {
        let stats = ServerStats::default();
        stats.request_latency.record(3);
        stats.request_latency.record(4);
        stats.packets_sent.add(7);
        let gauges = Gauges::of(&stats);
        assert_eq!(gauges.avg_latency, 3.5);
        assert_eq!(gauges.max_latency, 4);
        assert_eq!(gauges.packets_sent, 7);
        assert_eq!(gauges.last_client_response_size, -1);
    }
}
