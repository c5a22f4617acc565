//! The gauges of the live server.
//!
//! # Invariants
//!
//! * The state is locked for a few numbers at a time.

use super::front::Front;
use crate::metrics::Gauges;
use crate::os::{clock, process};

fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// All gauges of a standalone server.
pub fn gauges(front: &Front) -> Gauges {
    let stats = &front.metrics.stats;
    let mut gauges = Gauges {
        num_alive_connections: int(front.connections()),
        connection_drop_probability: front.drop_chance(),
        max_file_descriptor_count: front.facts.open_files.map_or(-1, int),
        open_file_descriptor_count: process::open_fds().map_or(-1, int),
        outstanding_tls_handshake: int(front.tls.handshakes()),
        uptime: int(clock::mono().since(front.facts.started).as_millis()),
        ..Gauges::of(stats)
    };
    let Some(serving) = front.serving() else { return gauges };
    let shared = &serving.shared;
    gauges.outstanding_requests = int(shared.outstanding());
    gauges.global_sessions = int(shared.with_sessions(|tracker| tracker.len()));
    gauges.watch_count = int(shared.with_watches(|watches| watches.count()));
    let store = shared.store();
    gauges.znode_count = int(store.tree.node_count());
    gauges.ephemerals_count = int(store.tree.ephemerals_count());
    gauges.approximate_data_size = int(store.tree.approximate_data_size());
    for (namespace, sums) in store.tree.quota_sums() {
        if let Some((count, bytes)) = sums.limits {
            gauges.quota_count_limit_per_namespace.push((namespace.clone(), count));
            gauges.quota_bytes_limit_per_namespace.push((namespace.clone(), bytes));
        }
        if let Some((count, bytes)) = sums.usage {
            gauges.quota_count_usage_per_namespace.push((namespace.clone(), count));
            gauges.quota_bytes_usage_per_namespace.push((namespace, bytes));
        }
    }
    gauges
}
