//! What is to be said to whom, and over which connection.
//!
//! # Invariants
//!
//! * A member has one connection at most; a new one takes the place of the old one, which says nothing any more.
//! * Members outside of the configuration are bounded in number.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::limits::PEER_STRANGERS;
use crate::peer::ElectionAddress;
use crate::types::ServerId;

/// A connection in use.
#[derive(Debug)]
struct Live {
    number: u64,
    from: SocketAddr,
    wake: Arc<Notify>,
    task: Option<AbortHandle>,
}

/// One member.
#[derive(Debug, Default)]
struct Peer {
    /// What it was not told yet.
    newest: Option<Bytes>,
    /// What it was told last.
    last: Option<Bytes>,
    live: Option<Live>,
    dialling: bool,
    failures: u32,
    /// Where it said that it can be called.
    said: Vec<ElectionAddress>,
}

/// All members.
#[derive(Debug, Default)]
pub struct Peers {
    all: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    peers: BTreeMap<ServerId, Peer>,
    connections: u64,
}

/// A new connection's place.
#[derive(Debug)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// Woken when there is something to say.
    pub wake: Arc<Notify>,
    /// Where the connection came from whose place it takes.
    pub instead_of: Option<SocketAddr>,
}

impl Peers {
    /// Something to say. True: there is no connection, and nobody is making one.
    pub fn post(&self, to: ServerId, frame: Bytes) -> bool {
        let mut all = self.all.lock();
        let peer = all.peers.entry(to).or_default();
        peer.newest = Some(frame);
        match &peer.live {
            Some(live) => {
                live.wake.notify_one();
                false
            }
            None => !std::mem::replace(&mut peer.dialling, true),
        }
    }

    /// Somebody wants to call this member: true if nobody else does so already.
    pub fn start_dialling(&self, to: ServerId) -> bool {
        let mut all = self.all.lock();
        !std::mem::replace(&mut all.peers.entry(to).or_default().dialling, true)
    }

    /// Nobody is calling it any more.
    pub fn stop_dialling(&self, to: ServerId) {
        if let Some(peer) = self.all.lock().peers.get_mut(&to) {
            peer.dialling = false;
        }
    }

    /// Is there something to say that did not leave, and no connection?
    pub fn waits(&self, to: ServerId) -> bool {
        self.all.lock().peers.get(&to).is_some_and(|p| p.newest.is_some() && p.live.is_none())
    }

    /// Is there a connection?
    pub fn is_connected(&self, to: ServerId) -> bool {
        self.all.lock().peers.get(&to).is_some_and(|p| p.live.is_some())
    }

    /// Members that there is a connection to.
    pub fn connected(&self) -> Vec<ServerId> {
        let all = self.all.lock();
        all.peers.iter().filter(|(_, p)| p.live.is_some()).map(|(id, _)| *id).collect()
    }

    /// How often in a row it could not be reached, this time included.
    pub fn failed(&self, to: ServerId) -> u32 {
        let mut all = self.all.lock();
        let peer = all.peers.entry(to).or_default();
        peer.failures = peer.failures.saturating_add(1);
        peer.failures
    }

    /// Where it said that it can be called.
    pub fn said(&self, of: ServerId) -> Vec<ElectionAddress> {
        self.all.lock().peers.get(&of).map(|p| p.said.clone()).unwrap_or_default()
    }

    /// It said where it can be called. A member outside of the configuration (not `known`) may find no place.
    pub fn says(&self, of: ServerId, said: Vec<ElectionAddress>, known: impl Fn(ServerId) -> bool) -> bool {
        let mut all = self.all.lock();
        if !all.peers.contains_key(&of) && !known(of) {
            // The idle ones give way.
            all.peers.retain(|id, p| known(*id) || p.live.is_some() || p.dialling);
            if all.peers.keys().filter(|id| !known(**id)).count() >= PEER_STRANGERS {
                return false;
            }
        }
        all.peers.entry(of).or_default().said = said;
        true
    }

    /// A connection takes its place; the one before is ended.
    pub fn connect(&self, to: ServerId, from: SocketAddr) -> Place {
        let mut all = self.all.lock();
        all.connections += 1;
        let number = all.connections;
        let peer = all.peers.entry(to).or_default();
        peer.failures = 0;
        let wake = Arc::new(Notify::new());
        let before = peer.live.replace(Live { number, from, wake: Arc::clone(&wake), task: None });
        let instead_of = before.as_ref().map(|live| live.from);
        if let Some(task) = before.and_then(|live| live.task) {
            task.abort();
        }
        Place { number, wake, instead_of }
    }

    /// The task of a connection, so that it can be ended.
    pub fn runs(&self, to: ServerId, number: u64, task: AbortHandle) {
        let mut all = self.all.lock();
        match all.peers.get_mut(&to).and_then(|p| p.live.as_mut()).filter(|live| live.number == number) {
            Some(live) => live.task = Some(task),
            // Another one was faster.
            None => task.abort(),
        }
    }

    /// Ends the connection, if there is one.
    pub fn disconnect(&self, from: ServerId) {
        if let Some(peer) = self.all.lock().peers.get_mut(&from)
            && let Some(task) = peer.live.take().and_then(|live| live.task)
        {
            task.abort();
        }
    }

    /// A connection ended by itself. True if it was the one in use.
    pub fn ended(&self, from: ServerId, number: u64) -> bool {
        let mut all = self.all.lock();
        let Some(peer) = all.peers.get_mut(&from) else { return false };
        if peer.live.as_ref().is_none_or(|live| live.number != number) {
            return false;
        }
        peer.live = None;
        true
    }

    /// What to say next over a connection; on a `fresh` one what was said last, if there is nothing newer.
    pub fn next(&self, to: ServerId, number: u64, fresh: bool) -> Option<Bytes> {
        let mut all = self.all.lock();
        let peer = all.peers.get_mut(&to)?;
        if peer.live.as_ref().is_none_or(|live| live.number != number) {
            return None;
        }
        match peer.newest.take() {
            Some(newest) => {
                peer.last = Some(newest.clone());
                Some(newest)
            }
            None if fresh => peer.last.clone(),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId(1);

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_newest_is_said_once_and_the_last_again_on_a_new_connection() {
        let peers = Peers::default();
        let say = |text: &'static str| peers.post(A, Bytes::from_static(text.as_bytes()));
        assert!(say("one"), "somebody has to call");
        assert!(!say("two"), "somebody does");
        let first = peers.connect(A, from(1));
        assert_eq!(peers.next(A, first.number, true).as_deref(), Some(&b"two"[..]));
        assert_eq!(peers.next(A, first.number, false), None);
        let second = peers.connect(A, from(2));
        assert_eq!((second.instead_of, peers.next(A, first.number, true)), (Some(from(1)), None));
        assert!(!peers.ended(A, first.number), "the old one's end is no news");
        assert_eq!(peers.next(A, second.number, true).as_deref(), Some(&b"two"[..]));
        assert!(!say("three"));
        assert!(peers.ended(A, second.number) && peers.waits(A));
        let third = peers.connect(A, from(3));
        assert_eq!(peers.next(A, third.number, true).as_deref(), Some(&b"three"[..]));
    }

    #[test]
    fn strangers_are_bounded_and_the_idle_ones_give_way() {
        let peers = Peers::default();
        let known = |id: ServerId| id == A;
        let count = i64::try_from(PEER_STRANGERS).unwrap();
        for id in 2..2 + count {
            assert!(peers.says(ServerId(id), Vec::new(), known));
            peers.connect(ServerId(id), from(1));
        }
        assert!(!peers.says(ServerId(900), Vec::new(), known));
        assert!(peers.says(A, Vec::new(), known), "a member finds its place");
        peers.disconnect(ServerId(2));
        assert!(peers.says(ServerId(900), Vec::new(), known));
    }
}
