//! Who is where, by the configuration and by what strangers said of themselves.
//!
//! # Invariants
//!
//! * A member of the configuration is called at its configured addresses. What it says of itself is added only if it
//!   is the very host that it called from: nobody makes this server connect to a third one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::config::quorum::Ensemble;
use crate::peer::ElectionAddress;
use crate::types::ServerId;

/// The book.
#[derive(Debug)]
pub struct Book {
    own: RwLock<Vec<ElectionAddress>>,
    ensembles: RwLock<Vec<Arc<Ensemble>>>,
}

impl Book {
    /// Knows this member alone.
    pub fn new(own: Vec<ElectionAddress>) -> Book {
        Book { own: RwLock::new(own), ensembles: RwLock::default() }
    }

    /// This member can be called here from now on.
    pub fn moved(&self, own: Vec<ElectionAddress>) {
        *self.own.write() = own;
    }

    /// Knows these members from now on.
    pub fn set(&self, active: &Arc<Ensemble>, next: Option<&Arc<Ensemble>>) {
        *self.ensembles.write() = std::iter::once(active).chain(next).cloned().collect();
    }

    /// The configurations.
    pub fn ensembles(&self) -> Vec<Arc<Ensemble>> {
        self.ensembles.read().clone()
    }

    /// Where this member can be called.
    pub fn own(&self) -> Vec<ElectionAddress> {
        self.own.read().clone()
    }

    /// Is it in a configuration?
    pub fn knows(&self, server: ServerId) -> bool {
        !self.configured(server).is_empty()
    }

    /// Where the configurations say that it listens, the one in force first.
    pub fn configured(&self, server: ServerId) -> Vec<ElectionAddress> {
        let Ok(id) = u64::try_from(server.0) else { return Vec::new() };
        let mut seen = BTreeSet::new();
        let ensembles = self.ensembles.read();
        let lines = ensembles.iter().filter_map(|e| e.members.get(&id));
        lines
            .flat_map(|m| &m.addresses)
            .map(|a| ElectionAddress { host: a.host.clone(), port: a.election_port })
            .filter(|a| seen.insert(a.clone()))
            .collect()
    }
}

/// What a caller says of itself, as far as it is where it calls from. Names are looked up: on a thread that may block.
pub async fn believable(said: Vec<ElectionAddress>, from: IpAddr) -> Vec<ElectionAddress> {
    let from = from.to_canonical();
    let mut kept = Vec::new();
    for address in said {
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        if found.is_ok_and(|mut found| found.any(|a| a.ip().to_canonical() == from)) {
            kept.push(address);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::quorum::parse_member;

    #[test]
    fn members_are_found_in_both_configurations() {
        let ensemble = |lines: &[(u64, &str)]| {
            let mut e = Ensemble::default();
            for (id, line) in lines {
                e.members.insert(*id, parse_member(line).unwrap());
            }
            Arc::new(e)
        };
        let book = Book::new(Vec::new());
        assert!(!book.knows(ServerId(1)));
        let (active, next) =
            (ensemble(&[(1, "a:1:2"), (2, "b:1:2")]), ensemble(&[(1, "a:1:2|c:3:4"), (3, "d:1:2")]));
        book.set(&active, Some(&next));
        let shown =
            |id| book.configured(ServerId(id)).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!([shown(1), shown(2), shown(3), shown(4), shown(-1)], ["a:2 c:4", "b:2", "d:2", "", ""]);
        book.set(&next, None);
        assert!(!book.knows(ServerId(2)) && book.knows(ServerId(3)));
    }

    #[tokio::test]
    async fn a_caller_is_believed_about_itself_alone() {
        let at = |host: &str| ElectionAddress { host: host.to_owned(), port: 3888 };
        let said = vec![at("127.0.0.1"), at("192.0.2.7"), at("no-such-host.invalid")];
        let from: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(believable(said, from).await, [at("127.0.0.1")]);
    }
}
