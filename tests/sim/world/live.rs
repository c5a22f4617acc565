//! The liveness phase: faults have ended, everything has to come back in time.
//!
//! # Invariants
//!
//! * The limit is three times initLimit and a long election.
//! * At its end every request is answered, every member of the configuration serves, and all
//!   trees are equal.

use super::{INIT_LIMIT, TICK, World};
use crate::book::id;
use crate::check::Seen;
use crate::clients::Phase;
use crate::heap::{SECOND, Time};
use crate::history::dump;
use crate::net::Who;
use oxkeeper::replica::member::Role;

/// An election with its back-off.
const ELECTION: Time = 4 * SECOND;

/// Acknowledged writes that a seed has at least.
const ENOUGH: u64 = 300;

impl World {
    /// Heals everything and waits for it.
    pub(super) fn live(&mut self) {
        self.heal();
        let limit = self.heap.now() + 3 * (Time::from(INIT_LIMIT) * TICK + ELECTION);
        let mut what = self.unsettled();
        while what.is_some() && self.heap.now() < limit {
            self.until(self.heap.now() + SECOND / 2);
            what = self.unsettled();
        }
        self.must(what);
        // Traffic as it should be, then silence: what is under way ends.
        let limit = self.heap.now() + 60 * SECOND;
        self.until(self.heap.now() + 2 * SECOND);
        while self.acknowledged() < ENOUGH && self.heap.now() < limit {
            self.until(self.heap.now() + SECOND);
        }
        self.asking = false;
        let limit = self.heap.now() + 3 * (Time::from(INIT_LIMIT) * TICK + ELECTION);
        let mut what = self.open_requests();
        while what.is_some() && self.heap.now() < limit {
            self.until(self.heap.now() + SECOND / 2);
            what = self.open_requests();
        }
        self.must(what);
        self.until(self.heap.now() + 2 * TICK);
        let differs = self.differences();
        self.must(differs);
    }

    fn must(&mut self, what: Option<String>) {
        if let Some(what) = what {
            self.see(&Seen::Stuck { what: &what });
        }
    }

    /// Members of the configuration in force.
    fn core(&self) -> Vec<Who> {
        let e = self.book.leader().map_or(&self.machines[0].ensemble, |w| &self.machines[w].ensemble);
        e.members.keys().map(|id| *id as Who - 1).collect()
    }

    /// What has not come back yet.
    fn unsettled(&self) -> Option<String> {
        let Some(leader) = self.book.leader() else { return Some("no leader serves".to_owned()) };
        let epoch = self.book.pages[leader].epoch;
        for who in self.core() {
            let p = &self.book.pages[who];
            if !p.serving || p.epoch != epoch {
                return Some(format!(
                    "{} is {:?} in epoch {}, the leader's is {epoch}",
                    id(who),
                    p.role,
                    p.epoch
                ));
            }
        }
        let away = self.clients.iter().find(|c| c.phase != Phase::There || c.peeking);
        away.map(|c| format!("client {} has no session", c.number))
    }

    fn open_requests(&self) -> Option<String> {
        let waits = self.clients.iter().find(|c| !c.sent.is_empty() || c.phase != Phase::There);
        waits.map(|c| format!("client {} waits for {:?}", c.number, c.sent.front()))
    }

    /// Members whose state is not that of the history.
    fn differences(&self) -> Option<String> {
        let wanted = dump(&self.history.tree, &self.history.sessions);
        for who in self.core() {
            let Some(p) = &self.machines[who].process else { return Some(format!("{} is down", id(who))) };
            if self.book.pages[who].role == Role::Out {
                return Some(format!("{} is out", id(who)));
            }
            let store = p.shared.store();
            if dump(&store.tree, &store.sessions) != wanted {
                let (own, all) = (store.tree.last_zxid(), self.history.last());
                return Some(format!(
                    "the state of {} after {own} is not that of the history, {all:x}",
                    id(who)
                ));
            }
        }
        None
    }
}
