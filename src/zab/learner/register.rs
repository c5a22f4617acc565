//! The learner's discovery: FOLLOWERINFO, LEADERINFO, ACKEPOCH.
//!
//! # Invariants
//!
//! * An epoch below the accepted one is refused.
//! * An epoch that was accepted before is acknowledged with -1: it must not be counted twice.

use super::{Learner, LearnerOutput, Stage};
use crate::peer::payload::encode_number;
use crate::peer::{LearnerInfo, Packet, PacketKind};
use crate::types::{Instant, Zxid, mutant};

impl Learner {
    pub(super) fn register(&mut self, now: Instant) {
        self.heard = now;
        let kind = match self.config.observer {
            true => PacketKind::ObserverInfo,
            false => PacketKind::FollowerInfo,
        };
        let info = LearnerInfo::ours(self.config.me, self.config.config_version);
        let zxid = Zxid::new(*self.promises.accepted.get(), 0);
        self.send(Packet::with(kind, zxid, info.encode()));
    }

    pub(super) fn leader_info(&mut self, packet: &Packet) -> Result<(), String> {
        if packet.kind != PacketKind::LeaderInfo {
            return Err(format!("{:?} instead of LEADERINFO", packet.kind));
        }
        let (epoch, accepted) = (packet.zxid.epoch(), *self.promises.accepted.get());
        if epoch < accepted {
            return Err(format!("the leader's epoch {epoch} is less than {accepted}, which was accepted"));
        }
        self.epoch = epoch;
        let counts = epoch > accepted;
        self.stage = Stage::Accepting { counts };
        if counts {
            self.out.push_back(LearnerOutput::PersistAccepted(epoch));
            if mutant::on("epoch-acked-unwritten") {
                self.acknowledge_epoch(true);
            }
        } else {
            self.acknowledge_epoch(false);
        }
        Ok(())
    }

    pub(super) fn epoch_written(&mut self, now: Instant) -> Result<(), String> {
        if let Stage::Accepting { counts } = self.stage
            && *self.promises.accepted.get() == self.epoch
        {
            self.heard = now;
            self.acknowledge_epoch(counts);
            self.release()?;
        }
        Ok(())
    }

    fn acknowledge_epoch(&mut self, counts: bool) {
        let current = i32::try_from(*self.promises.current.get()).unwrap_or(i32::MAX);
        let number = if counts || mutant::on("epoch-acked-twice") { current } else { -1 };
        let last = if self.config.relearn { Zxid(-1) } else { *self.promises.last.get() };
        self.stage = Stage::Registered;
        self.send(Packet::with(PacketKind::AckEpoch, last, encode_number(number)));
    }
}
