//! What links have to know of the configuration.
//!
//! # Invariants
//!
//! * Resolved once at start; who the members are comes by [`super::Links::set_ensembles`].

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
    /// Of a member of the configured ensemble.
    pub fn of(settings: &Settings, me: ServerId) -> LinksConfig {
        let quorum = &settings.quorum;
        let member = u64::try_from(me.0).ok().and_then(|id| quorum.ensemble.members.get(&id));
        let addresses = member.map_or(&[][..], |m| &m.addresses);
        let listen = addresses.iter().map(|a| PeerAddress {
            host: (!quorum.listen_on_all_ips).then(|| a.host.clone()),
            port: a.quorum_port,
        });
        let mut listen: Vec<PeerAddress> = listen.collect();
        listen.dedup();
        let tick = u64::try_from(settings.session.tick_time).unwrap_or(1).max(1);
        let ticks = |n: u32| Duration::from_millis(tick.saturating_mul(u64::from(n).max(1)));
        let limit = match quorum.connect_to_learner_master_limit {
            0 => quorum.init_limit,
            n => n,
        };
        LinksConfig {
            me,
            listen,
            connect: ticks(limit),
            retry: Duration::from_millis(u64::from(quorum.leader_connect_delay_ms)),
            greeting: ticks(quorum.init_limit),
            leader_nodelay: quorum.leader_nodelay,
            follower_nodelay: quorum.follower_nodelay,
        }
    }
}
