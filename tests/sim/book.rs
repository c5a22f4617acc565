//! What an omniscient observer knows of every member: what it was seen to write and to promise.
//!
//! # Invariants
//!
//! * Only what crossed the face of a member or of its disk is written down here: nothing is
//!   asked of the member itself.

use crate::heap::Time;
use crate::history::{self, Log};
use crate::net::Who;
use oxkeeper::config::quorum::{Ensemble, Role as Part};
use oxkeeper::replica::member::Role;
use oxkeeper::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};

/// One member.
#[derive(Clone, Debug)]
pub struct Page {
    /// Everything that was handed to its log and not cut again, from the first transaction on.
    pub log: Log,
    /// What the log was before a cut or an installation that is not reported done.
    pub before: Option<Log>,
    /// The last zxid that its disk reported durable.
    pub durable: i64,
    /// Durable `acceptedEpoch`.
    pub accepted: u32,
    /// Durable `currentEpoch`.
    pub current: u32,
    /// The epoch of the last LEADERINFO that reached it in this life.
    pub promised: u32,
    /// Its role.
    pub role: Role,
    /// Epoch of the role.
    pub epoch: u32,
    /// Whom it follows.
    pub leader: Option<Who>,
    /// Does it serve clients?
    pub serving: bool,
    /// Does its process run?
    pub up: bool,
    /// Up to here its tree was compared with the history.
    pub delivered: i64,
    /// When its disk failed for good in this life.
    pub failed: Option<Time>,
    /// Was it told so?
    pub knows: bool,
    /// Was its disk emptied, and has it learned nothing since?
    pub wiped: bool,
    /// Did a bit of its files flip, and is the disk still that one?
    pub damaged: bool,
    /// It found that its log may have lost something, then.
    pub doubtful: Option<Time>,
    /// Where its disk's history ended before the last group commit.
    pub group: i64,
    /// Does it serve reads where nobody leads?
    pub reads: bool,
}

impl Page {
    fn new() -> Page {
        Page {
            log: Log::new(),
            before: None,
            durable: 0,
            accepted: 0,
            current: 0,
            promised: 0,
            role: Role::Looking,
            epoch: 0,
            leader: None,
            serving: false,
            up: false,
            delivered: 0,
            failed: None,
            knows: false,
            wiped: false,
            damaged: false,
            doubtful: None,
            group: 0,
            reads: false,
        }
    }

    /// Does its disk hold the history up to this entry, for all that is known?
    pub fn holds(&self, zxid: i64, chain: u64) -> bool {
        self.durable >= zxid && history::entry(&self.log, zxid).is_some_and(|e| e.chain == chain)
    }
}

/// All members, and what is known of epochs.
pub struct Book {
    /// By number.
    pub pages: Vec<Page>,
    /// Who established an epoch, with the last zxid and the chain of its initial history.
    pub leaders: BTreeMap<u32, Who>,
    /// Initial history of an epoch's leader: last zxid and chain.
    pub initial: BTreeMap<u32, (i64, u64)>,
    /// Configurations that may be in force: the last committed one, and one that is proposed.
    pub ensembles: Vec<Ensemble>,
}

impl Book {
    /// Members that never ran.
    pub fn new(members: usize, ensemble: Ensemble) -> Book {
        Book {
            pages: (0..members).map(|_| Page::new()).collect(),
            leaders: BTreeMap::new(),
            initial: BTreeMap::new(),
            ensembles: vec![ensemble],
        }
    }

    /// Do these members make a majority of any configuration that may be in force?
    pub fn is_quorum(&self, who: &BTreeSet<Who>) -> bool {
        self.ensembles.iter().any(|e| {
            let votes = voters(e);
            votes.intersection(who).count() * 2 > votes.len()
        })
    }

    /// Members whose disks hold the history up to this entry.
    pub fn holders(&self, zxid: i64, chain: u64) -> BTreeSet<Who> {
        (0..self.pages.len()).filter(|w| self.pages[*w].holds(zxid, chain)).collect()
    }

    /// Who leads and serves now, by the greatest epoch.
    pub fn leader(&self) -> Option<Who> {
        let leads = |w: &Who| {
            let p = &self.pages[*w];
            p.up && p.serving && p.role == Role::Leading
        };
        (0..self.pages.len()).filter(leads).max_by_key(|w| self.pages[*w].epoch)
    }
}

/// The voters of a configuration.
pub fn voters(e: &Ensemble) -> BTreeSet<Who> {
    let votes = e.members.iter().filter(|(_, m)| m.role == Part::Participant);
    votes.map(|(id, _)| *id as Who - 1).collect()
}

/// The server id of a member.
pub fn id(who: Who) -> ServerId {
    ServerId(who as i64 + 1)
}

/// The member of a server id.
pub fn who(id: ServerId) -> Who {
    (id.0 - 1) as Who
}
