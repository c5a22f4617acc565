//! The leader's time: stages that take too long, pings, silent learners, the quorum that is lost.
//!
//! # Invariants
//!
//! * A stage is given up only when no voter's stream has moved for initLimit.
//! * A learner is cut off when it is silent, or leaves a proposal unacknowledged, for syncLimit.
//! * A leader without a quorum of voters that were heard of within syncLimit steps down.

use super::peers::{Peer, Stage as At};
use super::{Leader, Stage};
use crate::peer::{Packet, PacketKind};
use crate::types::{Instant, LinkId, ServerId, mutant};
use std::collections::BTreeSet;
use std::time::Duration;

impl Leader {
    /// When [`Leader::timeout`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        let next = match self.stage {
            Stage::Serving => self.next_half_tick,
            _ => self.next_half_tick.min(self.stage_ends),
        };
        self.hand_over.as_ref().map_or(next, |h| next.min(h.ends))
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant) {
        self.hand_over_timeout(now);
        if !matches!(self.stage, Stage::Serving | Stage::Over) && now >= self.stage_ends {
            self.stage_timeout(now);
        }
        if now < self.next_half_tick || self.stage == Stage::Over {
            return;
        }
        self.next_half_tick = now + self.config.tick / 2;
        self.cut_off_silent(now);
        if self.stage == Stage::Serving && self.whole_tick {
            self.check_quorum(now);
        }
        self.whole_tick = !self.whole_tick;
        if self.stage == Stage::Serving {
            for link in self.peers.at(At::Active) {
                self.send(link, Packet::bare(PacketKind::Ping, self.proposed));
            }
        }
    }

    fn stage_timeout(&mut self, now: Instant) {
        let limit = self.config.tick * self.config.init_limit;
        let moves = self.peers.iter().filter(|(_, p)| p.stage == At::Syncing && !p.observer);
        let last = moves.map(|(_, p)| p.heard + limit).max();
        match last.filter(|end| self.stage == Stage::Synchronising && *end > now) {
            Some(end) => self.stage_ends = end,
            None => self.step_down(match self.stage {
                Stage::Gathering => "no quorum of voters connected within initLimit",
                Stage::Accepting | Stage::Proposing => "no quorum accepted the epoch within initLimit",
                _ => "no quorum was brought up within initLimit",
            }),
        }
    }

    /// Those who voted for this member; the rule of [`Leader::voter_looks`].
    pub fn supported_by(&mut self, voters: BTreeSet<ServerId>) {
        self.supporters = voters;
    }

    /// A member looks for a leader again. If it voted for this one, which has waited long enough for a quorum, there
    /// will be none (`Leader.reportLookingSid`). True when it gives up for that.
    pub fn voter_looks(&mut self, voter: ServerId, now: Instant) -> bool {
        let waited = self.config.disloyal_after.is_some_and(|limit| now.since(self.begun) > limit);
        let gives_up = waited && self.stage == Stage::Gathering && self.supporters.contains(&voter);
        if gives_up {
            self.step_down(format!("{voter} voted for this member and looks again (maxTimeToWaitForEpoch)"));
        }
        gives_up
    }

    fn limit(&self, peer: &Peer) -> Duration {
        let ticks = if peer.stage >= At::Synced { self.config.sync_limit } else { self.config.init_limit };
        self.config.tick * ticks
    }

    fn cut_off_silent(&mut self, now: Instant) {
        let sync_limit = self.config.tick * self.config.sync_limit;
        let late = |p: &Peer| match p.unacked {
            Some((zxid, since)) if now.since(since) >= sync_limit => {
                Some(format!("{zxid} was not acknowledged within syncLimit"))
            }
            // Those that wait for the leader's own steps are not silent.
            _ if matches!(p.stage, At::Introduced | At::Waiting | At::Finding) => None,
            _ if self.stage != Stage::Serving && p.stage == At::Synced => None,
            _ if now.since(p.heard) >= self.limit(p) => Some("it is silent".to_owned()),
            _ => None,
        };
        let gone: Vec<(LinkId, String)> =
            self.peers.iter().filter_map(|(link, p)| late(p).map(|why| (link, why))).collect();
        for (link, why) in gone {
            self.hang_up(link, why);
        }
    }

    fn check_quorum(&mut self, now: Instant) {
        let near = |p: &Peer| {
            let grace = if p.stage >= At::Synced { 0 } else { self.config.init_limit };
            p.stage > At::Fresh && now.since(p.heard) < self.config.tick * (self.config.sync_limit + grace)
        };
        let heard = self.peers.iter().filter(|(_, p)| !p.observer && near(p)).map(|(_, p)| p.server);
        let have: BTreeSet<_> = heard.chain([self.config.me]).collect();
        if !self.quorums.holds(&have) && !mutant::on("leads-without-quorum") {
            self.step_down("no quorum of voters was heard of within syncLimit");
        }
    }
}
