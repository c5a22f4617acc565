//! Learners of a leader, or of a follower that serves observers: who they are and how far they are.
//!
//! # Invariants
//!
//! * A member has one connection: a newer one takes the place of the older.
//! * Iteration is by number of the link: the same for the same inputs.

use crate::types::{Instant, LinkId, ServerId, Zxid};
use std::collections::BTreeMap;

/// How far a learner is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// Connected, has not said who it is.
    Fresh,
    /// Waits for the new epoch.
    Introduced,
    /// Was told the new epoch.
    Asked,
    /// Accepted it, waits for a quorum to do so.
    Waiting,
    /// The log on disk is being looked up for it.
    Finding,
    /// Its stream has begun, NEWLEADER is on its way.
    Syncing,
    /// Acknowledged NEWLEADER.
    Synced,
    /// Was told to serve.
    Active,
}

/// A learner.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub server: ServerId,
    pub observer: bool,
    pub stage: Stage,
    /// When it was heard last, or when its stream moved.
    pub heard: Instant,
    /// End of its log when it accepted the epoch.
    pub last: Zxid,
    /// It holds everything up to here durably.
    pub acked: Zxid,
    /// End of what its stream brings before NEWLEADER.
    pub synced_to: Zxid,
    /// A snapshot is part of its stream.
    pub snapshot: bool,
    /// The first proposal that it has not acknowledged, and since when.
    pub unacked: Option<(Zxid, Instant)>,
    /// The last proposal sent to it.
    pub sent: Zxid,
}

impl Peer {
    pub fn fresh(now: Instant) -> Peer {
        Peer {
            server: ServerId::NOBODY,
            observer: false,
            stage: Stage::Fresh,
            heard: now,
            last: Zxid::ZERO,
            acked: Zxid(i64::MIN),
            synced_to: Zxid(i64::MIN),
            snapshot: false,
            unacked: None,
            sent: Zxid(i64::MIN),
        }
    }

    /// A proposal goes out to it.
    pub fn proposed(&mut self, zxid: Zxid, now: Instant) {
        self.sent = zxid;
        self.unacked = self.unacked.or(Some((zxid, now)));
    }

    /// It holds everything up to here.
    pub fn holds(&mut self, zxid: Zxid, now: Instant) {
        self.acked = self.acked.max(zxid);
        if self.unacked.is_some_and(|(first, _)| first <= zxid) {
            self.unacked = (self.sent > zxid).then_some((Zxid(zxid.0.saturating_add(1)), now));
        }
    }
}

/// All learners.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    links: BTreeMap<LinkId, Peer>,
    /// Learners without an id are numbered downwards.
    unnumbered: i64,
}

impl Peers {
    pub fn len(&self) -> usize {
        self.links.len()
    }

    pub fn insert(&mut self, link: LinkId, peer: Peer) {
        self.links.insert(link, peer);
    }

    pub fn remove(&mut self, link: LinkId) -> Option<Peer> {
        self.links.remove(&link)
    }

    pub fn get(&self, link: LinkId) -> Option<&Peer> {
        self.links.get(&link)
    }

    pub fn get_mut(&mut self, link: LinkId) -> Option<&mut Peer> {
        self.links.get_mut(&link)
    }

    pub fn stage(&self, link: LinkId) -> Option<Stage> {
        self.links.get(&link).map(|p| p.stage)
    }

    pub fn heard(&mut self, link: LinkId, now: Instant) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.heard = now;
        }
    }

    /// An id for a learner that sent none.
    pub fn number(&mut self) -> ServerId {
        self.unnumbered -= 1;
        ServerId(self.unnumbered)
    }

    /// The connections of this member other than `link`.
    pub fn others_of(&self, server: ServerId, link: LinkId) -> Vec<LinkId> {
        self.iter().filter(|(l, p)| *l != link && p.server == server).map(|(l, _)| l).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Peer)> {
        self.links.iter().map(|(link, peer)| (*link, peer))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Peer)> {
        self.links.iter_mut().map(|(link, peer)| (*link, peer))
    }

    /// Links in this stage.
    pub fn at(&self, stage: Stage) -> Vec<LinkId> {
        self.iter().filter(|(_, p)| p.stage == stage).map(|(l, _)| l).collect()
    }

    /// Learners that were told to serve.
    pub fn active(&self) -> impl Iterator<Item = (LinkId, &Peer)> {
        self.iter().filter(|(_, p)| p.stage == Stage::Active)
    }

    /// Streams under way, with or without a snapshot.
    pub fn syncing(&self, snapshot: bool) -> usize {
        self.iter().filter(|(_, p)| p.stage == Stage::Syncing && p.snapshot == snapshot).count()
    }
}
