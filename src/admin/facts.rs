//! What the admin server is told beside what four-letter words are: both print from the same values.
//!
//! # Invariants
//!
//! * Nothing here knows how the server keeps these facts.

use std::net::SocketAddr;

use super::status::{Source, VisitRow};
use crate::config::quorum::Ensemble;
use crate::types::{ServerId, Zxid};

/// What a member of an ensemble is, and with whom.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberFacts {
    /// Who this is.
    pub me: ServerId,
    /// Whom it follows, or itself; nobody while a leader is looked for.
    pub leader: Option<ServerId>,
    /// `election`, `discovery`, `synchronization` or `broadcast`.
    pub phase: &'static str,
    /// The configuration in force.
    pub ensemble: Ensemble,
    /// Where it listens for clients, if it does without TLS.
    pub client_address: Option<String>,
}

impl MemberFacts {
    /// Does it lead?
    pub fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }
}

/// An observer of this leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObserverRow {
    /// Its connection's other end, where that is known.
    pub address: Option<SocketAddr>,
    /// Who it is.
    pub server: ServerId,
    /// Since when it is connected, milliseconds since 1970.
    pub established_ms: i64,
    /// The last transaction that it has acknowledged.
    pub last_zxid: Zxid,
    /// Packets that came from it.
    pub received: u64,
    /// Packets that were sent to it.
    pub sent: u64,
}

/// A server that tells the admin server about itself.
pub trait AdminSource: Source {
    /// `connections`, `stats`: the connections of the TLS port; those of the plain one are [`Source::connections`].
    fn secure_connections(&self, visit: VisitRow<'_>);
    /// What it is as a member of an ensemble; `None` when standalone.
    fn member(&self) -> Option<MemberFacts>;
    /// `observers`: those that this server leads.
    fn observers(&self) -> Vec<ObserverRow>;
    /// `last_snapshot`: zxid and time of the file, seconds since 1970.
    fn last_snapshot(&self) -> Option<(Zxid, i64)>;
    /// `initial_configuration`: the text of zoo.cfg at the start, values of secrets replaced.
    fn initial_configuration(&self) -> String;
    /// `system_properties`: settings by their Java property, and the process's environment; no secrets.
    fn properties(&self) -> Vec<(String, String)>;
}
