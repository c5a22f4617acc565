//! Leader election as Java's `FastLeaderElection` does it, without its threads.
//!
//! A member that looks for a leader proposes the best vote that it knows, by epoch, zxid and
//! number, and tells every voter whenever that changes. A quorum behind its vote, and nothing
//! better for a moment, ends the election. Members that have a role answer those who look, so
//! that a latecomer joins the leader that a quorum already has.
//!
//! # Invariants
//!
//! * The vote for oneself is made of [`Promises`]: what is durable, nothing else.
//! * A database that is not to be trusted (zxid -1) counts no looking member's vote, not even its
//!   own: it joins a leader that others have, or none.
//! * Only words of voters about voters count.
//! * A leader that others report is joined only when it says by itself that it leads.
//! * Same inputs, same outputs: nothing here depends on the order of a hash.

mod ballot;
mod listen;
mod look;

use super::quorum::Quorums;
use super::types::{Promises, Vote};
use crate::config::quorum::Ensemble;
use crate::limits::{FINALIZE_WAIT_MS, LOSS_IS_NEWS_MS};
use crate::peer::{Notification, PeerState};
use crate::types::{Instant, ServerId};
use ballot::Candidate;
use look::Round;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What an election has to know of its member.
#[derive(Clone, PartialEq, Debug)]
pub struct ElectionConfig {
    /// The member's number.
    pub me: ServerId,
    /// `peerType` participant: the member votes unless the configuration lists it as an observer.
    pub votes: bool,
    /// `reconfigEnabled`: newer configurations are taken from notifications.
    pub reconfig: bool,
    /// `multiAddress.enabled`: such configurations may name several addresses a member.
    pub multi_address: bool,
    /// How long a better vote is waited for once a quorum agrees.
    pub finalize_wait: Duration,
    /// `fastleader.minNotificationInterval`: silence after which notifications are repeated.
    pub min_interval: Duration,
    /// `fastleader.maxNotificationInterval`: the interval doubles up to this.
    pub max_interval: Duration,
}

impl ElectionConfig {
    /// Java's defaults for a voter.
    pub fn new(me: ServerId) -> ElectionConfig {
        ElectionConfig {
            me,
            votes: true,
            reconfig: false,
            multi_address: false,
            finalize_wait: Duration::from_millis(FINALIZE_WAIT_MS),
            min_interval: Duration::from_millis(FINALIZE_WAIT_MS),
            max_interval: Duration::from_secs(60),
        }
    }
}

/// What an election wants.
#[derive(Clone, PartialEq, Debug)]
pub enum ElectionOutput {
    /// Tell this member. Newer words to the same member replace older ones that wait.
    Send {
        /// Whom; never the member itself.
        to: ServerId,
        /// What.
        note: Notification,
    },
    /// The election is over for this member: it leads, follows or observes.
    Elected {
        /// Its part.
        state: PeerState,
        /// The vote that won; its epoch is the one before the new leader's.
        vote: Vote,
    },
    /// A voter knows a newer configuration: adopt it, then look again. Only while looking, and
    /// only with `reconfigEnabled`.
    NewerConfig(Box<Ensemble>),
}

/// One member's part in elections.
#[derive(Clone, Debug)]
pub struct Election {
    config: ElectionConfig,
    quorums: Quorums,
    /// The round, in memory only (`logicalclock`).
    clock: i64,
    state: State,
    out: VecDeque<ElectionOutput>,
    /// Voters whose connection was lost or refused and who were not heard since.
    lost: BTreeMap<ServerId, Instant>,
    /// Who voted for the winner of the last election, as far as this member heard.
    supporters: BTreeSet<ServerId>,
    /// Last words of senders without a vote, and when they were answered.
    strangers: BTreeMap<ServerId, (Candidate, i64, Instant)>,
}

#[derive(Clone, Debug)]
enum State {
    /// Before the first round: nothing to say.
    Idle,
    Looking(Round),
    /// Has a role: leads, follows, observes.
    Settled {
        state: PeerState,
        vote: Vote,
    },
}

impl Election {
    /// An election that has not begun.
    pub fn new(config: ElectionConfig, quorums: Quorums) -> Election {
        Election {
            config,
            quorums,
            clock: 0,
            state: State::Idle,
            out: VecDeque::new(),
            lost: BTreeMap::new(),
            supporters: BTreeSet::new(),
            strangers: BTreeMap::new(),
        }
    }

    /// Begins a new round with the vote for oneself, or for nobody without a vote. What an
    /// earlier round still wanted to say is dropped.
    pub fn look(&mut self, promises: Promises, now: Instant) {
        self.out.clear();
        self.clock = self.clock.saturating_add(1);
        let initial = self.initial(&promises);
        self.state = State::Looking(Round::new(initial, self.config.min_interval, now));
        self.tell_all();
        self.conclude(now);
    }

    /// The member has this role by this vote (its epoch rewritten to the leader's, as Java does
    /// at the start of each role): those who look are told so from now on.
    pub fn settle(&mut self, state: PeerState, vote: Vote) {
        self.state = State::Settled { state, vote };
    }

    /// The configurations in force have changed. A running round goes on with them.
    pub fn set_quorums(&mut self, quorums: Quorums) {
        self.quorums = quorums;
    }

    /// A notification of `from`, whose number the connection vouches for.
    pub fn handle(&mut self, from: ServerId, note: &Notification, now: Instant) {
        self.lost.remove(&from);
        if let Some(newer) = self.newer_config(note) {
            self.out.push_back(ElectionOutput::NewerConfig(Box::new(newer)));
            return;
        }
        if self.quorums.votes(from) {
            self.hear(from, note, now);
        } else {
            self.answer_stranger(from, note, now);
        }
    }

    /// The connection to `peer` was lost or refused: for a while its vote is not waited for.
    pub fn lost(&mut self, peer: ServerId, now: Instant) {
        if self.quorums.votes(peer) {
            self.lost.insert(peer, now);
            self.conclude(now);
        }
    }

    /// Does what is due: ends the election, or repeats notifications.
    pub fn timeout(&mut self, now: Instant) {
        let State::Looking(round) = &mut self.state else { return };
        match round.finalize_at {
            Some(at) if at <= now => self.elect_proposed(),
            Some(_) => {}
            None if round.repeat_at <= now => {
                round.interval = round.interval.saturating_mul(2).min(self.config.max_interval);
                round.repeat_at = now + round.interval;
                self.tell_all();
                self.conclude(now);
            }
            None => {}
        }
    }

    /// When [`Election::timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Looking(round) => Some(round.finalize_at.unwrap_or(round.repeat_at)),
            State::Idle | State::Settled { .. } => None,
        }
    }

    /// The next wish.
    pub fn poll_output(&mut self) -> Option<ElectionOutput> {
        self.out.pop_front()
    }

    /// What this member does, as it tells others.
    pub fn state(&self) -> PeerState {
        match &self.state {
            State::Settled { state, .. } => *state,
            State::Idle | State::Looking(_) => PeerState::Looking,
        }
    }

    /// Who voted for the winner of the last election, as far as this member heard.
    pub fn supporters(&self) -> &BTreeSet<ServerId> {
        &self.supporters
    }

    /// Does a quorum agree, and only the wait for a better vote is left?
    pub fn is_concluding(&self) -> bool {
        matches!(&self.state, State::Looking(round) if round.finalize_at.is_some())
    }

    /// The round (`logicalclock`).
    pub fn round(&self) -> i64 {
        self.clock
    }

    /// Is the member without a vote for itself? Observers, by the configuration or by `peerType`.
    fn observes(&self) -> bool {
        let active = self.quorums.active();
        active.observes(self.config.me) || (!self.config.votes && !active.votes(self.config.me))
    }

    fn recently_lost(&self, peer: ServerId, now: Instant) -> bool {
        let window = Duration::from_millis(LOSS_IS_NEWS_MS);
        self.lost.get(&peer).is_some_and(|&at| now.since(at) <= window)
    }
}

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;
