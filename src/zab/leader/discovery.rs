//! The leader's discovery: FOLLOWERINFO, LEADERINFO, ACKEPOCH.
//!
//! # Invariants
//!
//! * LEADERINFO leaves only after `acceptedEpoch` is durable here.
//! * A voter that knows more than the leader ends its connection as long as a quorum has not
//!   accepted the epoch: the leader must not be established against it.
//! * An ACKEPOCH of -1, or of a database that is not to be trusted, is not counted.

use super::peers::{Peer, Stage as At};
use super::{Leader, LeaderOutput, Stage};
use crate::disk::Durable;
use crate::limits::LEADER_LINKS;
use crate::peer::payload::{PROTOCOL, decode_number, encode_number};
use crate::peer::{LearnerInfo, Packet, PacketKind};
use crate::types::{Instant, LinkId, Zxid, mutant};
use crate::zab::quorum::{Quorum, Quorums};
use std::sync::Arc;

/// Epochs end with the sign of the zxid.
const LAST_EPOCH: u32 = i32::MAX as u32;

impl Leader {
    pub(super) fn linked(&mut self, link: LinkId, now: Instant) {
        if self.peers.len() >= LEADER_LINKS {
            let why = "more learners than a leader serves".to_owned();
            self.out.push_back(LeaderOutput::Hangup { link, why });
            return;
        }
        self.peers.insert(link, Peer::fresh(now));
    }

    /// The first packet of a learner: who it is and which epoch it accepted.
    pub(super) fn introduced(&mut self, link: LinkId, packet: &Packet, now: Instant) -> Result<(), String> {
        let observer = match packet.kind {
            PacketKind::FollowerInfo => false,
            PacketKind::ObserverInfo => true,
            other => return Err(format!("its first packet is {other:?}")),
        };
        let data = packet.data.clone().unwrap_or_default();
        let info = LearnerInfo::decode(&data).map_err(|e| e.to_string())?;
        if info.protocol < PROTOCOL {
            return Err(format!("it speaks protocol {:#x}, older than 3.4", info.protocol));
        }
        if info.config_version.is_some_and(|v| v > self.quorums.active().version()) {
            return Err("it knows a later configuration".into());
        }
        let accepted = packet.zxid.epoch();
        if accepted >= LAST_EPOCH {
            return Err(format!("it claims the epoch {accepted:#x}, behind which there is none"));
        }
        let server = info.server.unwrap_or_else(|| self.peers.number());
        if server == self.config.me {
            return Err(format!("it calls itself {server}, as this member does"));
        }
        for older in self.peers.others_of(server, link) {
            self.hang_up(older, format!("{server} connected again"));
        }
        if let Some(peer) = self.peer(link) {
            (peer.server, peer.observer, peer.stage) = (server, observer, At::Introduced);
        }
        if self.stage == Stage::Gathering {
            self.epoch = self.epoch.max(accepted + 1);
            if self.quorums.active().votes(server) {
                self.known.insert(server);
            }
            self.gather(now);
        } else if self.stage != Stage::Accepting {
            self.tell_epoch(link);
        }
        Ok(())
    }

    /// Enough epochs are known: write the next one.
    pub(super) fn gather(&mut self, now: Instant) {
        if self.stage == Stage::Gathering && self.quorums.active().holds(&self.known) {
            self.stage = Stage::Accepting;
            self.stage_ends = now + self.config.tick * self.config.init_limit;
            self.out.push_back(LeaderOutput::PersistAccepted(self.epoch));
            if mutant::on("epoch-told-unwritten") {
                self.own_accepted(self.promises.accepted.map(|_| self.epoch), now);
            }
        }
    }

    pub(super) fn own_accepted(&mut self, epoch: Durable<u32>, now: Instant) {
        self.promises.accepted = epoch;
        if self.stage != Stage::Accepting || *epoch.get() != self.epoch {
            return;
        }
        self.stage = Stage::Proposing;
        self.stage_ends = now + self.config.tick * self.config.init_limit;
        self.accepted_by.insert(self.config.me);
        for link in self.peers.at(At::Introduced) {
            self.tell_epoch(link);
        }
        self.epoch_agreed(now);
    }

    fn tell_epoch(&mut self, link: LinkId) {
        let zxid = Zxid::new(self.epoch, 0);
        if let Some(peer) = self.peer(link) {
            peer.stage = At::Asked;
        }
        self.send(link, Packet::with(PacketKind::LeaderInfo, zxid, encode_number(PROTOCOL)));
    }

    /// ACKEPOCH: what the learner holds, and whether it accepted the epoch just now.
    pub(super) fn epoch_accepted(
        &mut self,
        link: LinkId,
        packet: &Packet,
        now: Instant,
    ) -> Result<(), String> {
        if packet.kind != PacketKind::AckEpoch {
            return Err(format!("{:?} instead of ACKEPOCH", packet.kind));
        }
        let current = decode_number(packet.data.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
        let Some(peer) = self.peers.get_mut(link) else { return Ok(()) };
        (peer.stage, peer.last) = (At::Waiting, packet.zxid);
        let server = peer.server;
        if self.stage != Stage::Proposing {
            self.begin_sync(link, now);
            return Ok(());
        }
        if current != -1 {
            let own = (i64::from(*self.promises.current.get()), *self.promises.last.get());
            let its = (i64::from(current), packet.zxid);
            if its > own && !mutant::on("leads-against-newer") {
                return Err(format!(
                    "it knows more: {} of epoch {}, here {} of {}",
                    its.1, its.0, own.1, own.0
                ));
            }
            if packet.zxid.0 != -1 && self.quorums.active().votes(server) {
                self.accepted_by.insert(server);
            }
        }
        self.epoch_agreed(now);
        Ok(())
    }

    /// A quorum accepted the epoch: adopt it, and bring everybody up.
    fn epoch_agreed(&mut self, now: Instant) {
        if self.stage != Stage::Proposing || !self.quorums.active().holds(&self.accepted_by) {
            return;
        }
        self.stage = Stage::Synchronising;
        self.stage_ends = now + self.config.tick * self.config.init_limit;
        self.number_configuration();
        self.out.push_back(LeaderOutput::PersistCurrent(self.epoch));
        for link in self.peers.at(At::Waiting) {
            self.begin_sync(link, now);
        }
    }

    /// A configuration without a version gets the epoch's zxid, so that it precedes others that
    /// were never established (ZOOKEEPER-1783).
    fn number_configuration(&mut self) {
        let active = self.quorums.active().clone();
        if !self.config.reconfig || active.version() != 0 || self.quorums.next().is_some() {
            return;
        }
        let mut ensemble = active.ensemble().clone();
        ensemble.version = Zxid::new(self.epoch, 0).0.unsigned_abs();
        self.set_quorums(Quorums::new(active, Some(Arc::new(Quorum::new(&ensemble)))));
        let ensemble = Box::new(ensemble);
        self.out.push_back(LeaderOutput::NewConfig { ensemble, active: false, designated: None });
    }
}
