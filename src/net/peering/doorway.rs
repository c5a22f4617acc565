//! Connections that have not said yet who they are.
//!
//! # Invariants
//!
//! * They are bounded, in all and for each address: whoever connects and is silent keeps nobody else out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::{PEER_HANDSHAKES, PEER_HANDSHAKES_OF_ONE};

/// The room of one port for such connections.
#[derive(Debug, Default)]
pub struct Doorway {
    standing: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place in a [`Doorway`]; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    doorway: Arc<Doorway>,
    from: IpAddr,
}

impl Doorway {
    /// Takes a place.
    ///
    /// # Errors
    ///
    /// There is none, in words for the log.
    pub fn enter(self: &Arc<Self>, from: IpAddr) -> Result<Place, &'static str> {
        let mut standing = self.standing.lock();
        if standing.values().sum::<usize>() >= PEER_HANDSHAKES {
            return Err("too many connections are saying who they are");
        }
        let own = standing.entry(from).or_default();
        if *own >= PEER_HANDSHAKES_OF_ONE {
            return Err("too many connections from its address are saying who they are");
        }
        *own += 1;
        Ok(Place { doorway: Arc::clone(self), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut standing = self.doorway.standing.lock();
        if let Some(own) = standing.get_mut(&self.from) {
            *own -= 1;
            if *own == 0 {
                standing.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: usize) -> IpAddr {
        IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()])
    }

    #[test]
    fn one_address_does_not_keep_the_others_out() {
        let doorway = Arc::new(Doorway::default());
        let own: Vec<Place> = (0..PEER_HANDSHAKES_OF_ONE).map(|_| doorway.enter(at(1)).unwrap()).collect();
        assert!(doorway.enter(at(1)).is_err());
        let mut others = Vec::new();
        for n in 2.. {
            match doorway.enter(at(n)) {
                Ok(place) => others.push(place),
                Err(_) => break,
            }
        }
        assert_eq!(own.len() + others.len(), PEER_HANDSHAKES);
        drop(own);
        assert!(doorway.enter(at(1)).is_ok());
        drop(others);
        assert!(doorway.standing.lock().is_empty());
    }
}
