//! What links have to know of the configuration.
//!
//! # Invariants
//!
//! * Resolved once at start; who the members are comes by [`super::Links::set_ensembles`], and where this one is by
//!   [`super::Links::move_to`].

use std::time::Duration;

use crate::config::Settings;
use crate::net::peering::listen::PeerAddress;
use crate::types::ServerId;

/// Settings of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinksConfig {
    /// Who this is.
    pub me: ServerId,
    /// Where it listens while it leads.
    pub listen: Vec<PeerAddress>,
    /// `observerMasterPort`: where followers listen for observers, on the hosts of their server lines.
    pub observers: Option<u16>,
    /// `quorumListenOnAllIPs`: on all addresses of this machine, wherever its server line says.
    pub everywhere: bool,
    /// `connectToLearnerMasterLimit`, else `initLimit`, in ticks: how long all tries to connect may take.
    pub connect: Duration,
    /// `leaderConnectDelayDuringRetryMs`.
    pub retry: Duration,
    /// `initLimit` in ticks: how long a learner may take to say who it is.
    pub greeting: Duration,
    /// `leader.nodelay`.
    pub leader_nodelay: bool,
    /// `follower.nodelay`.
    pub follower_nodelay: bool,
}

impl LinksConfig {
    /// Where this member would listen for observers: on the hosts of its quorum addresses.
    pub(super) fn observers_at(&self, quorum: &[PeerAddress]) -> Vec<PeerAddress> {
        let mut all: Vec<PeerAddress> = Vec::new();
        for (at, port) in quorum.iter().zip(std::iter::repeat(self.observers)) {
            let at = port.map(|port| PeerAddress { port, ..at.clone() });
            all.extend(at.filter(|at| !all.contains(at)));
        }
        all
    }

    /// Of a member of the configured ensemble.
    pub fn of(settings: &Settings, me: ServerId) -> LinksConfig {
        let quorum = &settings.quorum;
        let member = u64::try_from(me.0).ok().and_then(|id| quorum.ensemble.members.get(&id));
        let everywhere = quorum.listen_on_all_ips;
        let listen = member.map(|m| PeerAddress::of(m, everywhere, |a| a.quorum_port)).unwrap_or_default();
        let tick = u64::try_from(settings.session.tick_time).unwrap_or(1).max(1);
        let ticks = |n: u32| Duration::from_millis(tick.saturating_mul(u64::from(n).max(1)));
        let limit = match quorum.connect_to_learner_master_limit {
            0 => quorum.init_limit,
            n => n,
        };
        LinksConfig {
            me,
            listen,
            observers: quorum.observer_master_port,
            everywhere,
            connect: ticks(limit),
            retry: Duration::from_millis(u64::from(quorum.leader_connect_delay_ms)),
            greeting: ticks(quorum.init_limit),
            leader_nodelay: quorum.leader_nodelay,
            follower_nodelay: quorum.follower_nodelay,
        }
    }
}
