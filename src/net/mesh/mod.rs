//! Election connections: one between any two members, kept by the one with the larger id.
//!
//! | module | |
//! |---|---|
//! | [`config`] | what the mesh has to know |
//! | `book` | who is where |
//! | `peers` | what is to be said to whom, and over which connection |
//! | `accept` | connections that come in |
//! | `dial` | connections that are made |
//! | `talk` | notifications over a connection |
//!
//! # Invariants
//!
//! * Of two members the one with the larger id keeps the connections that it makes; the other one closes its own as
//!   soon as it has said who it is, and is called back (`QuorumCnxManager`).
//! * A member is told the newest notification alone; one that was overtaken before it left is never sent. On a new
//!   connection the last one is said again, because it may have been lost with the old one.
//! * Nothing here waits for a member: [`Mesh::send`] returns at once, whatever state its connection is in.
//! * Notifications come with the id that the connection was admitted with, not with one that they claim.

mod accept;
mod book;
pub mod config;
mod dial;
mod peers;
mod talk;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::peering::listen::PeerAddress;
use super::peering::{Entrance, Gate};
use crate::config::quorum::{Ensemble, Member};
use crate::peer::Notification;
use crate::types::ServerId;

use book::Book;
pub use config::MeshConfig;
use config::own_addresses;
use peers::Peers;

/// What the mesh tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MeshEvent {
    /// A notification.
    Notification {
        /// Of whom.
        from: ServerId,
        /// What it says.
        note: Notification,
    },
    /// The connection to this member was lost, or it could not be reached just now.
    PeerLost(ServerId),
}

/// Who is told.
pub type MeshEvents = Arc<dyn Fn(MeshEvent) + Send + Sync>;

/// What all tasks share.
struct Shared {
    config: MeshConfig,
    gate: Arc<Gate>,
    events: MeshEvents,
    book: Book,
    peers: Peers,
    entrance: Arc<Entrance>,
    /// Where it listens.
    open: Mutex<BTreeMap<PeerAddress, AbortHandle>>,
    /// Ports move one move after the other.
    moving: tokio::sync::Mutex<()>,
}

impl Shared {
    fn tell(&self, event: MeshEvent) {
        (self.events)(event);
    }
}

/// The election connections of a member. They end when it is dropped.
pub struct Mesh {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mesh({})", self.shared.config.me)
    }
}

impl Mesh {
    /// Binds the election port and listens. Blocks for a second between tries of a port in use
    /// (`electionPortBindRetry`); must be called within the runtime that the connections are to run on.
    ///
    /// # Errors
    ///
    /// No address can be bound, in words with the cure.
    pub fn start(config: MeshConfig, gate: Arc<Gate>, events: MeshEvents) -> Result<Mesh, String> {
        let sockets = accept::bind(&config.listen, config.bind_tries)?;
        let shared = Arc::new(Shared {
            book: Book::new(config.own.clone()),
            config,
            gate,
            events,
            peers: Peers::default(),
            entrance: Arc::new(Entrance::new("election")),
            open: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
        });
        sockets.into_iter().try_for_each(|socket| accept::open(&shared, socket))?;
        Ok(Mesh { shared })
    }

    /// Who the members are: those of the configuration in force, and of the one that is to come.
    pub fn set_ensembles(&self, active: &Arc<Ensemble>, next: Option<&Arc<Ensemble>>) {
        self.shared.book.set(active, next);
    }

    /// The own server line is this one now: the election port is bound where it says, and closed where it said
    /// before. Connections that stand are not touched. Returns at once; a port that cannot be bound is logged, and
    /// the ones of before stay.
    pub fn move_to(&self, own: &Member) {
        self.shared.book.moved(own_addresses(own));
        let listen = PeerAddress::of(own, self.shared.config.everywhere, |a| a.election_port);
        self.shared.entrance.spawn(accept::move_to(Arc::clone(&self.shared), listen));
    }

    /// Tells a member something, as soon as there is a connection to it; one is made if there is none.
    pub fn send(&self, to: ServerId, note: &Notification) {
        let mut body = Vec::new();
        note.encode(&mut body);
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.extend_from_slice(&body);
        let frame: Bytes = frame.freeze();
        if self.shared.peers.post(to, frame) {
            dial::begin(&self.shared, to);
        }
    }

    /// Members that there is a connection to.
    pub fn connected(&self) -> Vec<ServerId> {
        self.shared.peers.connected()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.shared.entrance.end();
    }
}
