//! The learner's broadcast: logs, acknowledges and commits what the leader sends.
//!
//! # Invariants
//!
//! * See the module above.

use super::relay::Relay;
use super::sync::proposal;
use super::{Learner, LearnerOutput, Stage};
use crate::peer::payload::decode_designated;
use crate::peer::{Activation, Packet, PacketKind, Revalidation};
use crate::types::{ServerId, Zxid, mutant};
use crate::zab::types::Proposal;
use crate::zab::window::follows;

impl Learner {
    pub(super) fn in_service(&mut self, packet: Packet) -> Result<(), String> {
        match packet.kind {
            PacketKind::Proposal if self.config.observer => Ok(()),
            PacketKind::Commit | PacketKind::CommitAndActivate if self.config.observer => Ok(()),
            PacketKind::Proposal => self.append(proposal(&packet)?),
            PacketKind::Commit => self.commit(packet.zxid),
            PacketKind::CommitAndActivate => self.commit_and_activate(&packet),
            PacketKind::Inform | PacketKind::InformAndActivate => self.inform(packet),
            PacketKind::Ping => {
                self.tell_committed();
                self.out.push_back(LearnerOutput::WantTouches { zxid: packet.zxid });
                Ok(())
            }
            PacketKind::Revalidate => {
                let data = packet.data.clone().unwrap_or_default();
                let word = Revalidation::decode(&data).map_err(|e| e.to_string())?;
                match self.relay.as_mut().and_then(|relay| relay.renewal_answered(word)) {
                    Some(link) => self.answer_observer(link, Packet { data: Some(data), ..packet }),
                    None => {
                        self.tell_committed();
                        self.out.push_back(LearnerOutput::Revalidated(word));
                    }
                }
                Ok(())
            }
            PacketKind::Sync => {
                match self.relay.as_mut().and_then(Relay::sync_answered) {
                    Some(link) => self.answer_observer(link, packet),
                    None => {
                        self.tell_committed();
                        self.out.push_back(LearnerOutput::Synced);
                    }
                }
                Ok(())
            }
            other => Err(format!("{other:?} in service")),
        }
    }

    /// Logs the next transaction.
    pub(super) fn append(&mut self, proposal: Proposal) -> Result<(), String> {
        let zxid = proposal.zxid;
        if !follows(self.last, zxid) && !mutant::on("hole-logged") {
            return Err(format!("{zxid} does not follow {}, the last one here", self.last));
        }
        self.last = zxid;
        if self.config.reconfig
            && let Some(ensemble) = proposal.configuration()
        {
            self.out.push_back(LearnerOutput::ConfigSeen(Box::new(ensemble)));
        }
        if !self.config.observer {
            self.to_ack.push_back(zxid);
        }
        self.uncommitted.push_back(proposal.clone());
        if mutant::on("unlogged-before-uptodate") && self.stage == Stage::Waiting {
            return Ok(());
        }
        self.out.push_back(LearnerOutput::Append(proposal));
        if mutant::on("ack-before-sync") && matches!(self.stage, Stage::Waiting | Stage::Serving) {
            self.acknowledge_upto(zxid);
        }
        Ok(())
    }

    /// Acknowledges what is durable, one by one, once the leader may take it.
    pub(super) fn acknowledge(&mut self) {
        if matches!(self.stage, Stage::Waiting | Stage::Serving) {
            self.acknowledge_upto(*self.promises.last.get());
        }
    }

    fn acknowledge_upto(&mut self, durable: Zxid) {
        while let Some(zxid) = self.to_ack.front().copied().filter(|z| *z <= durable) {
            self.to_ack.pop_front();
            self.send(Packet::bare(PacketKind::Ack, zxid));
        }
    }

    /// The oldest transaction that is not committed is.
    pub(super) fn commit(&mut self, zxid: Zxid) -> Result<(), String> {
        self.commit_as(zxid, None)
    }

    /// The same; `designated`: a reconfiguration, and who leads from here on.
    fn commit_as(&mut self, zxid: Zxid, designated: Option<ServerId>) -> Result<(), String> {
        if zxid <= self.window.end() && self.stage != Stage::Serving {
            return Ok(());
        }
        let next = self.uncommitted.front().map_or(Zxid::ZERO, |p| p.zxid);
        if mutant::on("hole-logged") && next < zxid {
            while self.uncommitted.front().is_some_and(|p| p.zxid < zxid) {
                self.uncommitted.pop_front();
            }
        } else if next != zxid {
            return Err(format!("{zxid} is to be committed, but {next} is next"));
        }
        if let Some(proposal) = self.uncommitted.pop_front()
            && !(mutant::on("window-hole") && self.stage != Stage::Serving)
        {
            self.inform_observers(&proposal, designated);
            self.window.push(proposal);
        }
        Ok(())
    }

    pub(super) fn commit_and_activate(&mut self, packet: &Packet) -> Result<(), String> {
        let data = packet.data.clone().unwrap_or_default();
        let designated = decode_designated(&data).map_err(|e| e.to_string())?;
        let proposal = self.uncommitted.front().filter(|p| p.zxid == packet.zxid).cloned();
        self.commit_as(packet.zxid, Some(designated))?;
        self.activate(proposal.as_ref(), designated);
        Ok(())
    }

    fn activate(&mut self, proposal: Option<&Proposal>, designated: ServerId) {
        if let Some(ensemble) = proposal.and_then(Proposal::configuration).filter(|_| self.config.reconfig) {
            self.tell_committed();
            let (ensemble, designated) = (Box::new(ensemble), Some(designated));
            self.out.push_back(LearnerOutput::ConfigActive { ensemble, designated });
        }
    }

    /// A committed transaction, for an observer.
    pub(super) fn inform(&mut self, packet: Packet) -> Result<(), String> {
        let mut designated = None;
        let packet = match packet.kind {
            PacketKind::InformAndActivate => {
                let data = packet.data.clone().unwrap_or_default();
                let activation = Activation::decode(&data).map_err(|e| e.to_string())?;
                designated = Some(activation.leader);
                Packet { data: Some(activation.txn), ..packet }
            }
            _ => packet,
        };
        let proposal = proposal(&packet)?;
        if proposal.zxid <= self.last && self.stage != Stage::Serving {
            return Ok(());
        }
        self.append(proposal.clone())?;
        self.commit(proposal.zxid)?;
        if let Some(designated) = designated {
            self.activate(Some(&proposal), designated);
        }
        Ok(())
    }

    /// Says once for many what is committed.
    pub(super) fn tell_committed(&mut self) {
        let end = self.window.end();
        if end > self.told {
            self.told = end;
            self.out.push_back(LearnerOutput::Commit(end));
        }
    }
}
