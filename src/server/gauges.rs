//! The gauges of the live server.
//!
//! # Invariants
//!
//! * The state is locked for a few numbers at a time.

use super::front::Front;
use super::member::Face;
use crate::admin::Mode;
use crate::metrics::Gauges;
use crate::os::{clock, process};

fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// What a member of an ensemble has beside, by its role.
fn of_quorum(gauges: &mut Gauges, front: &Front, face: &Face) {
    let mode = face.mode();
    let Some(status) = face.status().filter(|_| mode != Mode::ReadOnly) else { return };
    gauges.quorum_size = Some(int(status.quorum_size));
    if status.serves_observers {
        gauges.synced_observers = Some(int(status.synced_observers));
    }
    if mode == Mode::Leader {
        let sizes = front.metrics.stats.proposals.read();
        gauges.synced_observers = Some(int(status.synced_observers));
        gauges.learners = Some(int(status.learners));
        gauges.synced_followers = Some(int(status.synced_followers));
        gauges.synced_non_voting_followers = Some(int(status.synced_non_voting));
        gauges.pending_syncs = Some(int(status.pending_syncs));
        gauges.leader_uptime = Some(int(clock::mono().since(face.role().since).as_millis()));
        gauges.last_proposal_size = Some(sizes.last);
        gauges.max_proposal_size = Some(sizes.max);
        gauges.min_proposal_size = Some(sizes.min);
    }
}

/// All gauges of the server.
pub fn gauges(front: &Front) -> Gauges {
    let stats = &front.metrics.stats;
    let mut gauges = Gauges {
        num_alive_connections: int(front.connections()),
        connection_drop_probability: front.drop_chance(),
        outstanding_tls_handshake: int(front.tls.handshakes()),
        uptime: int(clock::mono().since(front.facts.started).as_millis()),
        ..Gauges::of(stats)
    };
    gauges.set_process(&process::figures(), front.facts.exports_process);
    let Some(serving) = front.serving() else { return gauges };
    if let Some(face) = front.face() {
        of_quorum(&mut gauges, front, face);
    }
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
