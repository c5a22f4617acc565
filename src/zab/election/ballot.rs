//! Votes heard, and when two of them are the same (`Vote.equals`).
//!
//! # Invariants
//!
//! * Votes of members that look are the same only if all of it is: candidate, zxid, round, epoch.
//! * Votes of members with a role are the same if candidate and epoch are: zxid and round differ
//!   by when each of them joined. From members so old that they rewrite no epoch only the
//!   candidate is compared.

use super::Vote;
use crate::peer::{Notification, PeerState};
use crate::types::{ServerId, Zxid, mutant};
use std::collections::{BTreeMap, BTreeSet};

/// Whom a vote names, and its claim to lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub leader: ServerId,
    pub zxid: Zxid,
    pub epoch: i64,
}

impl Candidate {
    pub fn of(note: &Notification) -> Candidate {
        Candidate { leader: note.leader, zxid: note.zxid, epoch: note.peer_epoch }
    }

    /// The greater claim: epoch, then zxid, then number.
    pub fn beats(&self, other: &Candidate) -> bool {
        if mutant::on("vote-by-number") {
            return self.leader > other.leader;
        }
        (self.epoch, self.zxid, self.leader) > (other.epoch, other.zxid, other.leader)
    }

    pub fn vote(&self, round: i64) -> Vote {
        Vote { leader: self.leader, zxid: self.zxid, peer_epoch: self.epoch, election_epoch: round }
    }
}

/// A vote as it was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heard {
    pub vote: Vote,
    pub state: PeerState,
    /// The notification carried its format's number: its epoch is the established leader's.
    pub versioned: bool,
}

impl Heard {
    pub fn of(note: &Notification) -> Heard {
        let vote = Candidate::of(note).vote(note.election_epoch);
        Heard { vote, state: note.state, versioned: note.config.is_some() }
    }

    pub fn looking(vote: Vote) -> Heard {
        Heard { vote, state: PeerState::Looking, versioned: false }
    }

    fn same(&self, other: &Heard) -> bool {
        if self.state == PeerState::Looking || other.state == PeerState::Looking {
            return self.vote == other.vote;
        }
        self.vote.leader == other.vote.leader
            && (self.versioned != other.versioned || self.vote.peer_epoch == other.vote.peer_epoch)
    }
}

/// The last vote of each member.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ballot(BTreeMap<ServerId, Heard>);

impl Ballot {
    pub fn put(&mut self, from: ServerId, heard: Heard) {
        self.0.insert(from, heard);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Who votes the same.
    pub fn agreeing(&self, heard: &Heard) -> BTreeSet<ServerId> {
        self.0.iter().filter(|(_, other)| heard.same(other)).map(|(&id, _)| id).collect()
    }

    /// Does this member say by itself that it leads?
    pub fn leads(&self, id: ServerId) -> bool {
        self.0.get(&id).is_some_and(|heard| heard.state == PeerState::Leading)
    }
}
