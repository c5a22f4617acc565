//! What a member answers to the words of others (`WorkerReceiver`).
//!
//! # Invariants
//!
//! * A member with a role answers each looking voter; a looking one those of earlier rounds, and
//!   those of its round with a worse vote. The latter Java leaves to the next repetition, which
//!   costs 200 ms of each fail-over in which followers notice the fall one after the other. Of two
//!   members only one has the worse vote: nobody is answered twice for the same words.
//! * A sender without a vote is answered and never counted; the same words of it are answered
//!   once an interval, so that two members that do not know each other end their talk.
//! * A configuration is taken only while looking, and only a newer one.

use super::ballot::Candidate;
use super::{Election, ElectionOutput, State};
use crate::config::quorum::Ensemble;
use crate::limits::ELECTION_STRANGERS;
use crate::peer::{Notification, PeerState};
use crate::types::{Instant, ServerId, mutant};
use crate::zab::Vote;

impl Election {
    /// A voter's word.
    pub(super) fn hear(&mut self, from: ServerId, note: &Notification, now: Instant) {
        let theirs_looks = note.state == PeerState::Looking;
        match &self.state {
            State::Idle => {}
            State::Looking(round) => {
                let theirs = (note.election_epoch, Candidate::of(note));
                let behind = theirs.0 < self.clock;
                // Whoever looks later than others was sent their votes when it did not listen yet.
                let missed = theirs.0 == self.clock && round.proposed.beats(&theirs.1);
                if theirs_looks && (behind || missed) {
                    let vote = round.proposed.vote(self.clock);
                    self.tell(from, PeerState::Looking, vote);
                }
                self.count(from, note, now);
            }
            State::Settled { state, vote } => {
                let (state, vote) = (*state, *vote);
                if theirs_looks && !mutant::on("settled-silent") {
                    self.tell(from, state, vote);
                }
            }
        }
    }

    /// The word of an observer, or of a server that no configuration lists with a vote.
    pub(super) fn answer_stranger(&mut self, from: ServerId, note: &Notification, now: Instant) {
        let word = (Candidate::of(note), note.election_epoch);
        let answered = self.strangers.get(&from);
        if answered.is_some_and(|&(candidate, round, at)| {
            (candidate, round) == word && now.since(at) < self.config.min_interval
        }) {
            return;
        }
        let (state, vote) = match &self.state {
            State::Idle => return,
            // Whom this member wants now helps more than whom it had before it looked.
            State::Looking(round) => (PeerState::Looking, round.proposed.vote(self.clock)),
            State::Settled { state, vote } => (*state, Vote { election_epoch: self.clock, ..*vote }),
        };
        if self.strangers.len() >= ELECTION_STRANGERS {
            self.strangers.clear();
        }
        self.strangers.insert(from, (word.0, word.1, now));
        self.tell(from, state, vote);
    }

    /// A newer configuration, if the notification carries one that is worth a new round.
    pub(super) fn newer_config(&self, note: &Notification) -> Option<Ensemble> {
        if !self.config.reconfig || !matches!(self.state, State::Looking(_)) {
            return None;
        }
        let text = note.config.as_deref()?;
        if text == &**self.quorums.active().text() {
            return None;
        }
        // What cannot be read is no reason to ignore the vote beside it.
        let theirs = Ensemble::parse(text, self.config.multi_address).ok()?;
        let newer = i64::try_from(theirs.version).is_ok_and(|v| v > self.quorums.active().version());
        newer.then_some(theirs)
    }

    fn tell(&mut self, to: ServerId, state: PeerState, vote: Vote) {
        let note = Notification {
            state,
            leader: vote.leader,
            zxid: vote.zxid,
            election_epoch: vote.election_epoch,
            peer_epoch: vote.peer_epoch,
            config: Some(self.quorums.active().text().to_string()),
        };
        self.out.push_back(ElectionOutput::Send { to, note });
    }
}
