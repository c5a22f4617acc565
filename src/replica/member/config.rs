//! What a member has to know of the configuration, and what it starts from.
//!
//! # Invariants
//!
//! * Resolved once at start; only the ensemble changes later, by reconfiguration.

use crate::config::quorum::Ensemble;
use crate::replica::{Recovered, ReplicaConfig};
use crate::types::ServerId;
use crate::zab::{Promises, Proposal};
use std::time::Duration;

/// Settings of a member, resolved.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Who this is.
    pub me: ServerId,
    /// The configuration in force.
    pub ensemble: Ensemble,
    /// One that was proposed and perhaps not committed when the server stopped.
    pub last_seen: Option<Ensemble>,
    /// Of the replica.
    pub replica: ReplicaConfig,
    /// tickTime.
    pub tick: Duration,
    /// initLimit, ticks.
    pub init_limit: u32,
    /// syncLimit, ticks.
    pub sync_limit: u32,
    /// connectToLearnerMasterLimit, ticks; initLimit where it is 0.
    pub connect_limit: u32,
    /// How long a winner waits for a better vote (200 ms in ZooKeeper).
    pub finalize_wait: Duration,
    /// `fastleader.minNotificationInterval`.
    pub min_notification: Duration,
    /// `fastleader.maxNotificationInterval`.
    pub max_notification: Duration,
    /// `leaderConnectDelayDuringRetryMs`.
    pub dial_retry: Duration,
    /// `commitLogCount`.
    pub window: usize,
    /// `snapshotSizeFactor`; negative: never from the log on disk.
    pub snapshot_size_factor: f64,
    /// `forceSnapshotSync`.
    pub force_snapshot: bool,
    /// `leader.maxConcurrentSnapSyncs`.
    pub max_snap_syncs: usize,
    /// `leader.maxConcurrentDiffSyncs`.
    pub max_diff_syncs: usize,
    /// `leaderServes`.
    pub leader_serves: bool,
    /// `leader.maxTimeToWaitForEpoch`.
    pub disloyal_after: Option<Duration>,
    /// `observerMasterPort` is set: followers serve observers, observers go to followers.
    pub relays: bool,
    /// `observer.reconnectDelayMs`: the longest random pause of an observer before it connects.
    pub reconnect_delay: Duration,
    /// `observer.election.DelayMs`: the longest random pause of an observer before it looks again.
    pub observer_delay: Duration,
    /// `peerType`: without a vote, where the configuration does not say.
    pub observer: bool,
    /// `multiAddress.enabled`.
    pub multi_address: bool,
    /// `standaloneEnabled`: reconfigurations leave at least two voters.
    pub standalone_enabled: bool,
    /// Entropy from the edge, for random pauses.
    pub seed: u64,
}

impl MemberConfig {
    /// Settings with ZooKeeper's defaults.
    pub fn new(me: ServerId, ensemble: Ensemble, replica: ReplicaConfig, seed: u64) -> MemberConfig {
        MemberConfig {
            me,
            ensemble,
            last_seen: None,
            tick: replica.tick,
            replica,
            init_limit: 10,
            sync_limit: 5,
            connect_limit: 10,
            finalize_wait: Duration::from_millis(200),
            min_notification: Duration::from_millis(200),
            max_notification: Duration::from_millis(60_000),
            dial_retry: Duration::from_millis(100),
            window: 500,
            snapshot_size_factor: 0.33,
            force_snapshot: false,
            max_snap_syncs: 10,
            max_diff_syncs: 100,
            leader_serves: true,
            disloyal_after: None,
            relays: false,
            reconnect_delay: Duration::ZERO,
            observer_delay: Duration::from_millis(200),
            observer: false,
            multi_address: false,
            standalone_enabled: true,
            seed,
        }
    }
}

/// What recovery found.
#[derive(Debug)]
pub struct MemberStart {
    /// Tree and sessions: exactly what the log holds durably.
    pub recovered: Recovered,
    /// The log may have held more, which was promised: learn before voting, as long as somebody leads.
    pub doubtful: bool,
    /// Epochs, and the end of the log (-1: learn before voting).
    pub promises: Promises,
    /// The last transactions of the log, oldest first, at most as many as the window holds.
    pub window: Vec<Proposal>,
}
