//! A member without a leader: it settles its log, elects, and may serve reads meanwhile.
//!
//! # Invariants
//!
//! * It looks only once the disk has answered everything that the last role handed over, and its
//!   tree is at the end of its log.
//! * A tree that differs votes for nobody, its end counts as "not to be trusted", until no leader was
//!   found for initLimit: then every tree may differ, and one of them has to be taken. So it is with a
//!   log that may have lost what was promised. That way out is the ensemble's only one if a quorum
//!   doubts, and it is safe as long as what one of them lost another one has: a tree is read anew from
//!   a log that holds all it promised, a log whose cut was refused holds more than that, and of a torn
//!   log's promises nobody can tell: those that lost the same ones must not be a quorum.
//! * One that never adopted an epoch has no such way out ([`Promises::is_unadopted`]).

use super::{Member, MemberOutput, Phase};
use crate::disk::Durable;
use crate::peer::PeerState;
use crate::replica::DiskOp;
use crate::types::{Now, Zxid, mutant};
use crate::zab::election::ElectionOutput;
use crate::zab::{Promises, Vote};
use std::time::Duration;

/// Shortest time of looking before reads are served, as in ZooKeeper.
const READ_ONLY_AFTER: Duration = Duration::from_millis(2000);

impl Member {
    /// A role ends: its connections close, its clients go, the disk completes.
    pub(super) fn end_role(&mut self, why: impl Into<String>, now: Now) {
        let why = why.into();
        match std::mem::replace(&mut self.phase, Phase::Settling { reloading: false }) {
            Phase::Leading(leader) => {
                for link in leader.links() {
                    self.outbox.hang_up(link, why.clone());
                }
                (self.window, self.tail) = leader.into_history();
            }
            Phase::Learning(learning) => {
                self.leave_links(&learning, &why);
                self.left = Some(learning.master).filter(|_| !learning.served);
                (self.window, self.tail) = learning.learner.into_history();
            }
            other => {
                self.phase = other;
                return;
            }
        }
        self.node.look(now);
        if let Some(divergence) = self.node.divergence() {
            self.relearn = true;
            self.outbox.disk(DiskOp::Keep(Box::new(divergence.clone())));
        }
        while let Some(input) = self.held.pop_front() {
            self.node.handle(input, now);
        }
        self.outbox.disk(DiskOp::Settle);
        self.tell_role(None, *self.promises.current.get(), false, why);
        if mutant::on("log-runs-on") {
            self.settled(self.promises.last, now);
        }
    }

    /// The disk has answered everything: take the tree to the end of the log.
    pub(super) fn settled(&mut self, last: Durable<Zxid>, now: Now) {
        if !matches!(self.phase, Phase::Settling { reloading: false }) {
            return;
        }
        let end = *last.get();
        // An empty database stays untrusted until a leader has filled it.
        if self.promises.last.get().0 >= 0 || end > Zxid::ZERO {
            self.promises.last = last;
        }
        if mutant::on("memory-kept") {
            self.window = crate::zab::Window::new(self.config.window, self.window.end(), Vec::new());
            self.tail.clear();
            return self.look("the log is settled", now);
        }
        self.node.fast_forward(&last);
        self.relearn |= self.node.divergence().is_some();
        for proposal in std::mem::take(&mut self.tail) {
            if proposal.zxid <= end {
                self.window.push(proposal);
            }
        }
        let tree = self.node.shared().store().tree.last_zxid();
        if tree == end.max(Zxid::ZERO) && self.window.end() == tree {
            self.look("the log is settled", now);
        } else {
            // Applied, and given up for want of room: as the disk has it.
            self.phase = Phase::Settling { reloading: true };
            self.outbox.disk(DiskOp::Truncate(end));
        }
    }

    /// Looks for a leader.
    pub(super) fn look(&mut self, why: &str, now: Now) {
        if self.stopping {
            return self.leave(false, "the server stops", now);
        }
        if self.take_designated_role(now) {
            return;
        }
        let delay = u64::try_from(self.config.observer_delay.as_millis()).unwrap_or(u64::MAX);
        let pause = if self.membership.observes() { self.draw(delay) } else { 0 };
        if pause > 0 && why != "the server starts" {
            self.phase = Phase::Pausing { until: now.mono + Duration::from_millis(pause) };
        } else {
            self.election_begins(now);
        }
    }

    pub(super) fn election_begins(&mut self, now: Now) {
        let wait = READ_ONLY_AFTER.max(self.config.tick);
        let read_only_at = self.config.replica.read_only_mode.then(|| now.mono + wait);
        let own = self.relearn && self.promises.last.get().0 >= 0;
        let trust_at = own.then(|| now.mono + self.config.tick * self.config.init_limit);
        self.phase = Phase::Looking { read_only_at, trust_at };
        self.election.set_quorums(self.membership.quorums());
        let last = self.promises.last;
        let last = if self.must_learn() { last.map(|_| Zxid(-1)) } else { last };
        self.election.look(Promises { last, ..self.promises }, now.mono);
    }

    /// Must it learn from a leader before it votes, leads or is counted?
    pub(super) fn must_learn(&self) -> bool {
        self.relearn || self.promises.is_unadopted()
    }

    pub(super) fn looking_timeout(&mut self, now: Now) {
        if let Phase::Looking { read_only_at, trust_at } = &mut self.phase {
            if trust_at.is_some_and(|at| now.mono >= at) {
                // Read anew from the disk: what was wrong in memory is gone, and the rest is everybody's.
                self.node.look(now);
                self.phase = Phase::Settling { reloading: true };
                self.outbox.disk(DiskOp::Truncate(*self.promises.last.get()));
            } else if read_only_at.is_some_and(|at| now.mono >= at) {
                *read_only_at = None;
                self.node.read_only(now);
                self.tell_role(None, *self.promises.current.get(), true, "reads are served without a leader");
            } else {
                self.node.handle_timeout(now);
            }
        }
    }

    /// Carries out what the election wants.
    pub(super) fn work_election(&mut self, now: Now) -> bool {
        let mut worked = false;
        while let Some(output) = self.election.poll_output() {
            worked = true;
            match output {
                ElectionOutput::Send { to, note } => self.outbox.push(MemberOutput::Notify { to, note }),
                ElectionOutput::Elected { state, vote } => self.elected(state, vote, now),
                ElectionOutput::NewerConfig(ensemble) => {
                    if let Phase::Looking { .. } = self.phase {
                        self.activate(&ensemble, None, None, Zxid(-1));
                        self.election_begins(now);
                    }
                }
            }
        }
        worked
    }

    pub(super) fn elected(&mut self, state: PeerState, vote: Vote, now: Now) {
        if !matches!(self.phase, Phase::Looking { .. }) {
            return;
        }
        self.vote = vote;
        self.election.settle(state, vote);
        match state {
            PeerState::Leading => self.begin_leading(vote, now),
            PeerState::Following => self.begin_learning(vote, false, now),
            PeerState::Observing => self.begin_learning(vote, true, now),
            PeerState::Looking => {}
        }
    }

    /// Takes no part any more. `full`: until there is room.
    pub(super) fn leave(&mut self, full: bool, why: impl Into<String>, now: Now) {
        let why = why.into();
        match std::mem::replace(&mut self.phase, Phase::Out { full }) {
            Phase::Leading(leader) => {
                for link in leader.links() {
                    self.outbox.hang_up(link, why.clone());
                }
                (self.window, self.tail) = leader.into_history();
            }
            Phase::Learning(learning) => {
                self.leave_links(&learning, &why);
                (self.window, self.tail) = learning.learner.into_history();
            }
            Phase::Out { full: before } => {
                self.phase = Phase::Out { full: before && full };
                return;
            }
            _ => {}
        }
        for (link, _) in self.waiting.drain() {
            self.outbox.hang_up(link, why.clone());
        }
        if full {
            // What found no room is given up: nobody waits for it any more.
            self.outbox.disk(DiskOp::Settle);
        }
        self.node.look(now);
        while let Some(input) = self.held.pop_front() {
            self.node.handle(input, now);
        }
        self.tell_role(None, *self.promises.current.get(), false, why);
    }
}
