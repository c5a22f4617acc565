//! A round of a member that looks for a leader (`lookForLeader`).
//!
//! # Invariants
//!
//! * The round number only grows while the member looks, until it joins a leader that others
//!   already have.
//! * Votes of looking members of other rounds are never counted.
//! * Within a round the proposed vote only gets better.

use super::ballot::{Ballot, Candidate, Heard};
use super::{Election, ElectionOutput, State};
use crate::peer::{Notification, PeerState};
use crate::types::{Instant, ServerId, Zxid, mutant};
use crate::zab::Promises;
use std::time::Duration;

/// The zxid of a database that is not to be trusted.
const UNTRUSTED: Zxid = Zxid(-1);

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// The vote for oneself.
    initial: Candidate,
    /// The best vote so far.
    pub proposed: Candidate,
    /// Votes of this round (`recvset`).
    votes: Ballot,
    /// Votes of members with a role, of whatever round (`outofelection`).
    settled: Ballot,
    /// Silence after which notifications are repeated.
    pub interval: Duration,
    pub repeat_at: Instant,
    /// A quorum agrees: when the election ends unless something better comes.
    pub finalize_at: Option<Instant>,
}

impl Round {
    pub fn new(initial: Candidate, interval: Duration, now: Instant) -> Round {
        Round {
            initial,
            proposed: initial,
            votes: Ballot::default(),
            settled: Ballot::default(),
            interval,
            repeat_at: now + interval,
            finalize_at: None,
        }
    }
}

impl Election {
    /// The vote for oneself; for nobody without a vote.
    pub(super) fn initial(&self, promises: &Promises) -> Candidate {
        let voter = self.quorums.active().votes(self.config.me);
        let leader = if voter { self.config.me } else { ServerId::NOBODY };
        if self.observes() {
            return Candidate { leader, zxid: Zxid(i64::MIN), epoch: i64::MIN };
        }
        Candidate { leader, zxid: *promises.last.get(), epoch: i64::from(*promises.current.get()) }
    }

    /// A voter's word on a voter, while this member looks.
    pub(super) fn count(&mut self, from: ServerId, note: &Notification, now: Instant) {
        let State::Looking(round) = &mut self.state else { return };
        round.repeat_at = now + round.interval;
        if !self.quorums.votes(note.leader) {
            return;
        }
        match note.state {
            PeerState::Looking => self.count_looking(from, note, now),
            PeerState::Observing => {}
            PeerState::Following | PeerState::Leading => self.count_settled(from, note),
        }
    }

    fn count_looking(&mut self, from: ServerId, note: &Notification, now: Instant) {
        let State::Looking(round) = &mut self.state else { return };
        if round.initial.zxid == UNTRUSTED || note.zxid == UNTRUSTED {
            return;
        }
        let candidate = Candidate::of(note);
        let may_lead = self.quorums.active().weight(note.leader) > 0;
        let better = may_lead && candidate.beats(&round.proposed);
        let newer = note.election_epoch > self.clock;
        if note.election_epoch < self.clock || (newer && !better && round.finalize_at.is_some()) {
            // A quorum that agrees is not broken up by a later round without a better vote.
            return;
        }
        if newer {
            self.clock = note.election_epoch;
            round.votes.clear();
            let beaten = may_lead && candidate.beats(&round.initial);
            round.proposed = if beaten { candidate } else { round.initial };
        } else if better {
            round.proposed = candidate;
        }
        round.votes.put(from, Heard::looking(candidate.vote(self.clock)));
        if newer || better {
            round.finalize_at = None;
            self.tell_all();
        }
        self.conclude(now);
    }

    /// The word of a member that leads or follows: enough of them, the leader among them, and
    /// there is nothing to elect.
    fn count_settled(&mut self, from: ServerId, note: &Notification) {
        let State::Looking(round) = &mut self.state else { return };
        if mutant::on("settled-unheard") {
            return;
        }
        let heard = Heard::of(note);
        round.settled.put(from, heard);
        if note.election_epoch == self.clock {
            // Within the round even a looking member's vote for the same leader supports it. As
            // in Java, votes with a role compare by candidate alone here.
            round.votes.put(from, Heard { versioned: false, ..heard });
            if self.supported(|r| &r.votes, note, &heard) {
                return self.elect(Candidate::of(note), note.election_epoch);
            }
        }
        if self.supported(|r| &r.settled, note, &heard) {
            return self.elect(Candidate::of(note), note.election_epoch);
        }
        // A leader with a better claim exists: the end is put off until this round is heard again.
        if let State::Looking(round) = &mut self.state
            && Candidate::of(note).beats(&round.proposed)
            && self.quorums.active().weight(note.leader) > 0
        {
            round.finalize_at = None;
        }
    }

    fn supported(&self, ballot: fn(&Round) -> &Ballot, note: &Notification, heard: &Heard) -> bool {
        let State::Looking(round) = &self.state else { return false };
        let ballot = ballot(round);
        // A leader that crashed is still reported by those who have not noticed. This member
        // itself leads only in the round in which it was elected, and not with a database that has
        // come in doubt since then: those who follow it notice that it is gone.
        let trusted = round.initial.zxid != UNTRUSTED || mutant::on("doubtful-leads");
        let says_so = match note.leader == self.config.me {
            true => trusted && self.clock == note.election_epoch,
            false => ballot.leads(note.leader),
        };
        says_so && self.quorums.holds(&ballot.agreeing(heard))
    }

    /// Tells every voter the proposed vote, this member included.
    pub(super) fn tell_all(&mut self) {
        let State::Looking(round) = &mut self.state else { return };
        let proposed = round.proposed;
        let note = Notification {
            state: PeerState::Looking,
            leader: proposed.leader,
            zxid: proposed.zxid,
            election_epoch: self.clock,
            peer_epoch: proposed.epoch,
            config: Some(self.quorums.active().text().to_string()),
        };
        for to in self.quorums.voters() {
            if to != self.config.me {
                self.out.push_back(ElectionOutput::Send { to, note: note.clone() });
            } else if round.initial.zxid != UNTRUSTED && self.quorums.votes(proposed.leader) {
                round.votes.put(to, Heard::looking(proposed.vote(self.clock)));
            }
        }
    }

    /// Does a quorum of this round propose the same? Then the election ends after a wait for
    /// something better; at once when nobody is left to wait for.
    pub(super) fn conclude(&mut self, now: Instant) {
        let State::Looking(round) = &self.state else { return };
        let agreeing = round.votes.agreeing(&Heard::looking(round.proposed.vote(self.clock)));
        if !self.quorums.holds(&agreeing) {
            return;
        }
        let voters = self.quorums.voters();
        let mut others = voters.iter().filter(|id| !agreeing.contains(id));
        if others.all(|&id| self.recently_lost(id, now)) {
            self.elect_proposed();
        } else if let State::Looking(round) = &mut self.state {
            round.finalize_at.get_or_insert(now + self.config.finalize_wait);
        }
    }

    pub(super) fn elect_proposed(&mut self) {
        if let State::Looking(round) = &self.state {
            let (proposed, clock) = (round.proposed, self.clock);
            self.elect(proposed, clock);
        }
    }

    fn elect(&mut self, winner: Candidate, election_epoch: i64) {
        self.clock = election_epoch;
        let state = if winner.leader == self.config.me {
            PeerState::Leading
        } else if self.observes() {
            PeerState::Observing
        } else {
            PeerState::Following
        };
        let vote = winner.vote(election_epoch);
        if let State::Looking(round) = &self.state {
            self.supporters = round.votes.agreeing(&Heard::looking(vote));
        }
        self.state = State::Settled { state, vote };
        self.out.push_back(ElectionOutput::Elected { state, vote });
    }
}
