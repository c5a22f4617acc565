//! The leader's broadcast: proposals, acknowledgements, commits; syncs, pings and requests of learners.
//!
//! # Invariants
//!
//! * Commits leave in the order of the zxids, each to every learner whose stream has begun.
//! * A learner that acknowledges something that was never proposed is cut off.
//! * A sync is answered after everything that was proposed before it is committed, in the order of asking.

use super::peers::{Peer, Stage as At};
use super::{Leader, LeaderOutput, Outstanding, Stage};
use crate::peer::payload::encode_designated;
use crate::peer::{Activation, Forwarded, Packet, PacketKind, Touch};
use crate::txn;
use crate::types::{Instant, LinkId, ServerId, Zxid, mutant};
use crate::zab::membership::designated;
use crate::zab::quorum::{Quorum, Quorums};
use crate::zab::types::Proposal;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Leader {
    /// Proposes the next transaction. If that is true the caller appends it to the own log; if not
    /// it must not exist: the leader does not lead, or not any more.
    pub fn propose(&mut self, proposal: &Proposal, now: Instant) -> bool {
        if self.stage != Stage::Serving || self.has_passed_baton() {
            return false;
        }
        let zxid = proposal.zxid;
        if zxid.counter() == u32::MAX && !mutant::on("counter-overflows") {
            self.step_down("the zxid's counter is used up: a new epoch has to begin");
            return false;
        }
        if self.proposed.next() != Some(zxid) && !mutant::on("counter-overflows") {
            self.step_down(format!("{zxid} was to be proposed behind {}", self.proposed));
            return false;
        }
        self.proposed = zxid;
        let configuration = proposal.configuration();
        if let Some(ensemble) = &configuration {
            let seen = Some(Arc::new(Quorum::new(ensemble)));
            self.set_quorums(Quorums::new(self.quorums.active().clone(), seen));
            let ensemble = Box::new(ensemble.clone());
            self.out.push_back(LeaderOutput::NewConfig { ensemble, active: false, designated: None });
        }
        for (link, peer) in self.peers.iter_mut().filter(|(_, p)| is_told(p.stage) && !p.observer) {
            let packet = Packet::with(PacketKind::Proposal, zxid, proposal.bytes.clone());
            self.out.push_back(LeaderOutput::Send { link, item: super::ToLearner::Packet(packet) });
            if peer.stage >= At::Synced {
                peer.proposed(zxid, now);
            }
        }
        let quorums = self.quorums.clone();
        let (proposal, activates) = (proposal.clone(), configuration.is_some());
        self.outstanding.push_back(Outstanding { proposal, quorums, activates });
        self.stale = true;
        true
    }

    /// A learner asks for a sync: SYNC follows everything that is proposed now.
    pub fn sync(&mut self, link: LinkId) {
        if self.outstanding.is_empty() {
            self.send(link, Packet::bare(PacketKind::Sync, Zxid::ZERO));
        } else {
            self.syncs.push_back((self.proposed, link));
        }
    }

    /// What a learner sends once it acknowledged NEWLEADER.
    pub(super) fn hear_learner(&mut self, link: LinkId, packet: Packet, now: Instant) -> Result<(), String> {
        let Some(Peer { server, observer, .. }) = self.peers.get(link).cloned() else { return Ok(()) };
        let data = packet.data.unwrap_or_default();
        let bad = |e: crate::peer::BadPacket| e.to_string();
        match packet.kind {
            // The second acknowledgement of NEWLEADER, after UPTODATE; observers acknowledge nothing else.
            PacketKind::Ack if packet.zxid.counter() == 0 || observer => {}
            PacketKind::Ack if packet.zxid > self.proposed && !self.is_baton(link, packet.zxid) => {
                return Err(format!("it acknowledges {}, which was never proposed", packet.zxid));
            }
            PacketKind::Ack => {
                if let Some(peer) = self.peers.get_mut(link) {
                    peer.holds(packet.zxid, now);
                }
                self.stale = true;
                self.hand_over_acked(link, packet.zxid);
            }
            PacketKind::Ping => {
                let touches = Touch::decode_list(&data).map_err(bad)?;
                if !touches.is_empty() {
                    self.out.push_back(LeaderOutput::Touched { server, touches });
                }
            }
            PacketKind::Revalidate => {
                let touch = Touch::decode(&data).map_err(bad)?;
                self.out.push_back(LeaderOutput::Revalidate { link, server, touch });
            }
            PacketKind::Request if self.stage == Stage::Serving => {
                let request = Forwarded::decode(&data).map_err(bad)?;
                let asked = LeaderOutput::Request { link, server, request, auth: packet.auth };
                match &mut self.hand_over {
                    Some(h) => h.held.push(asked),
                    None => self.out.push_back(asked),
                }
            }
            PacketKind::Request => return Err("a request before the leader serves".into()),
            other => return Err(format!("{other:?} is no learner's to send")),
        }
        Ok(())
    }

    /// Commits what a quorum holds, in order.
    pub(super) fn commit_ready(&mut self) {
        let before = self.window.end();
        let mut leads_on = true;
        while leads_on && let Some(head) = self.outstanding.front() {
            let quorums = head.quorums.clone();
            let Some(upto) = self.agreed(&quorums).filter(|upto| *upto >= head.proposal.zxid) else { break };
            while leads_on
                && let Some(next) = self.outstanding.front()
                && next.proposal.zxid <= upto
                && same(&next.quorums, &quorums)
                && let Some(next) = self.outstanding.pop_front()
            {
                leads_on = self.commit(next);
            }
        }
        let end = self.window.end();
        if end > before {
            self.out.push_back(LeaderOutput::Commit(end));
        }
        if !leads_on {
            return self.step_down("the new configuration gives the leadership to another member");
        }
        while let Some((after, link)) = self.syncs.front().copied()
            && after <= end
        {
            self.syncs.pop_front();
            self.send(link, Packet::bare(PacketKind::Sync, Zxid::ZERO));
        }
        self.hand_over_advance();
    }

    /// The last zxid that a quorum holds durably.
    fn agreed(&self, quorums: &Quorums) -> Option<Zxid> {
        let learners = self.peers.iter().filter(|(_, p)| p.stage >= At::Synced && !p.observer);
        let mut marks: Vec<(Zxid, ServerId)> = learners.map(|(_, p)| (p.acked, p.server)).collect();
        let own = if mutant::on("own-ack-early") { self.proposed } else { *self.own_end().get() };
        marks.push((own, self.config.me));
        marks.sort_unstable_by(|a, b| b.cmp(a));
        let mut have = BTreeSet::new();
        if mutant::on("commit-without-quorum") {
            return marks.first().map(|(zxid, _)| *zxid);
        }
        marks.into_iter().find_map(|(zxid, server)| {
            have.insert(server);
            quorums.holds(&have).then_some(zxid)
        })
    }

    /// Tells everybody. Does this member lead on?
    fn commit(&mut self, entry: Outstanding) -> bool {
        let Outstanding { proposal, activates, .. } = entry;
        let zxid = proposal.zxid;
        let designated = activates.then(|| self.activate(zxid));
        for (link, peer) in self.peers.iter().filter(|(_, p)| is_told(p.stage)) {
            let packet = match (peer.observer, designated) {
                (false, None) => Packet::bare(PacketKind::Commit, zxid),
                (true, None) if peer.stage == At::Active && mutant::on("informed-otherwise") => {
                    // All but the digest at its end, where it has one.
                    let has_digest = txn::decode(&proposal.bytes).is_ok_and(|r| r.digest.is_some());
                    let len = proposal.bytes.len() - if has_digest { 12 } else { 0 };
                    Packet::with(PacketKind::Inform, zxid, proposal.bytes.slice(..len))
                }
                (true, None) => Packet::with(PacketKind::Inform, zxid, proposal.bytes.clone()),
                (false, Some(leader)) => {
                    Packet::with(PacketKind::CommitAndActivate, zxid, encode_designated(leader))
                }
                (true, Some(leader)) => {
                    let activation = Activation { leader, txn: proposal.bytes.clone() };
                    Packet::with(PacketKind::InformAndActivate, zxid, activation.encode())
                }
            };
            self.out.push_back(LeaderOutput::Send { link, item: super::ToLearner::Packet(packet) });
        }
        self.window.push(proposal);
        designated.is_none_or(|leader| leader == self.config.me)
    }

    /// A reconfiguration is committed: who leads on?
    fn activate(&mut self, zxid: Zxid) -> ServerId {
        let Some(next) = self.quorums.next().cloned() else { return self.config.me };
        let later: Vec<_> = self.outstanding.iter().map(|o| self.holders(o.proposal.zxid)).collect();
        let leader = designated(self.config.me, &self.quorums, &self.holders(zxid), later.iter());
        let ensemble = Box::new(next.ensemble().clone());
        self.out.push_back(LeaderOutput::NewConfig { ensemble, active: true, designated: leader });
        self.set_quorums(Quorums::from(next));
        leader.unwrap_or(self.config.me)
    }

    /// Learners that acknowledged this transaction.
    fn holders(&self, zxid: Zxid) -> BTreeSet<ServerId> {
        let learners = self.peers.iter().filter(|(_, p)| p.stage >= At::Synced && !p.observer);
        learners.filter(|(_, p)| p.acked >= zxid).map(|(_, p)| p.server).collect()
    }
}

/// Does this learner's stream go on with what is proposed and committed?
fn is_told(stage: At) -> bool {
    if mutant::on("proposals-to-synced-only") { stage >= At::Synced } else { stage >= At::Syncing }
}

fn same(a: &Quorums, b: &Quorums) -> bool {
    let next = match (a.next(), b.next()) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    };
    next && Arc::ptr_eq(a.active(), b.active())
}
