//! What the mesh has to know of the configuration.
//!
//! # Invariants
//!
//! * Resolved once at start; who the members are comes by [`super::Mesh::set_ensembles`], and where this one is by
//!   [`super::Mesh::move_to`].

use std::time::Duration;

use crate::config::Settings;
use crate::config::quorum::Member;
use crate::limits::QUORUM_AUTH_MS;
use crate::net::peering::listen::PeerAddress;
use crate::peer::ElectionAddress;
use crate::types::ServerId;

/// Settings of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshConfig {
    /// Who this is.
    pub me: ServerId,
    /// Where this member can be called, as its server line says.
    pub own: Vec<ElectionAddress>,
    /// Where it listens.
    pub listen: Vec<PeerAddress>,
    /// `quorumListenOnAllIPs`: on all addresses of this machine, wherever its server line says.
    pub everywhere: bool,
    /// `electionPortBindRetry`; `None` is without end.
    pub bind_tries: Option<u32>,
    /// `multiAddress.enabled`: all own addresses are told, in the newer form of the first message.
    pub multi_address: bool,
    /// `cnxTimeout`.
    pub connect: Duration,
    /// `quorumCnxnTimeoutMs`: how long the other end may take to say who it is.
    pub greeting: Duration,
    /// `tcpKeepAlive`.
    pub keep_alive: bool,
}

/// Where a member can be called, as its server line says.
pub fn own_addresses(own: &Member) -> Vec<ElectionAddress> {
    own.addresses.iter().map(|a| ElectionAddress { host: a.host.clone(), port: a.election_port }).collect()
}

impl MeshConfig {
    /// Of a member of the configured ensemble.
    pub fn of(settings: &Settings, me: ServerId) -> MeshConfig {
        let quorum = &settings.quorum;
        let member = u64::try_from(me.0).ok().and_then(|id| quorum.ensemble.members.get(&id));
        let own = member.map(own_addresses).unwrap_or_default();
        let everywhere = quorum.listen_on_all_ips;
        let listen = member.map(|m| PeerAddress::of(m, everywhere, |a| a.election_port)).unwrap_or_default();
        let greeting = match u64::from(quorum.quorum_cnxn_timeout_ms) {
            0 => QUORUM_AUTH_MS,
            ms => ms,
        };
        MeshConfig {
            me,
            own,
            listen,
            everywhere,
            bind_tries: quorum.election_port_bind_retry,
            multi_address: quorum.multi_address_enabled,
            connect: Duration::from_millis(u64::from(quorum.cnx_timeout).max(1)),
            greeting: Duration::from_millis(greeting),
            keep_alive: quorum.tcp_keep_alive,
        }
    }
}
