//! The learner's synchronisation: DIFF, TRUNC, SNAP, NEWLEADER, UPTODATE.
//!
//! # Invariants
//!
//! * `currentEpoch` is asked for behind the history that belongs to it, in the one queue of the disk.
//! * After a cut or a snapshot nothing is taken before the database was read anew from the disk.
//! * A cut that ended elsewhere ends the connection: the next leader is told the new end.

use super::{Learner, LearnerOutput, Stage};
use crate::config::quorum::Ensemble;
use crate::disk::Durable;
use crate::peer::{Packet, PacketKind};
use crate::types::{Instant, Zxid, mutant};
use crate::zab::types::Proposal;
use crate::zab::window::Window;

impl Learner {
    /// The first packet behind ACKEPOCH.
    pub(super) fn sync_begins(&mut self, packet: &Packet) -> Result<(), String> {
        if mutant::on("epoch-before-history") {
            self.out.push_back(LearnerOutput::PersistCurrent(self.epoch));
        }
        match packet.kind {
            PacketKind::Diff => {
                self.stage = Stage::Syncing;
                if mutant::on("serves-before-synced") {
                    self.out.push_back(LearnerOutput::Serve { epoch: self.epoch });
                }
            }
            PacketKind::Snap => self.stage = Stage::Receiving,
            PacketKind::Trunc => {
                self.stage = Stage::Reloading { to: Some(packet.zxid) };
                self.out.push_back(LearnerOutput::Truncate(packet.zxid));
            }
            other => return Err(format!("{other:?} instead of DIFF, TRUNC or SNAP")),
        }
        Ok(())
    }

    pub(super) fn snapshot_received(&mut self, zxid: Zxid) -> Result<(), String> {
        if self.stage != Stage::Receiving {
            return Err("a snapshot that was not announced".into());
        }
        self.stage = Stage::Reloading { to: None };
        self.out.push_back(LearnerOutput::Install(zxid));
        Ok(())
    }

    pub(super) fn reloaded(
        &mut self,
        last: Durable<Zxid>,
        window: Vec<Proposal>,
        now: Instant,
    ) -> Result<(), String> {
        let Stage::Reloading { to } = self.stage else { return Ok(()) };
        self.heard = now;
        self.promises.last = last;
        let end = *last.get();
        self.window = Window::new(self.window.limit(), end, window);
        (self.last, self.told) = (end, end);
        self.uncommitted.clear();
        self.to_ack.clear();
        // The zxid of an epoch's beginning stands in no log.
        if let Some(to) = to.filter(|to| end != *to && to.counter() != 0)
            && !mutant::on("truncation-unchecked")
        {
            return Err(format!("the log was to be cut behind {to} and ends with {end}"));
        }
        self.stage = Stage::Syncing;
        self.release()
    }

    /// Until UPTODATE.
    pub(super) fn before_service(&mut self, packet: Packet) -> Result<(), String> {
        match packet.kind {
            PacketKind::Proposal => {
                let proposal = proposal(&packet)?;
                // What a snapshot brought, or was queued twice while we joined.
                if proposal.zxid > self.last { self.append(proposal) } else { Ok(()) }
            }
            PacketKind::Commit => self.commit(packet.zxid),
            PacketKind::CommitAndActivate => self.commit_and_activate(&packet),
            PacketKind::Inform | PacketKind::InformAndActivate => self.inform(packet),
            PacketKind::NewLeader => self.new_leader(&packet),
            PacketKind::UpToDate => self.up_to_date(),
            // Not ours to answer before the leader counts us in: it expects an ACK first.
            PacketKind::Ping => Ok(()),
            other => Err(format!("{other:?} before UPTODATE")),
        }
    }

    /// Everything of the leader's history is here, or on its way to the disk.
    fn new_leader(&mut self, packet: &Packet) -> Result<(), String> {
        if self.stage != Stage::Syncing || packet.zxid != Zxid::new(self.epoch, 0) {
            return Err(format!("NEWLEADER {} in epoch {}", packet.zxid, self.epoch));
        }
        let text = packet.data.as_deref().filter(|d| d.len() > 1 && self.config.reconfig);
        if let Some(ensemble) = text.and_then(|d| Ensemble::parse(std::str::from_utf8(d).ok()?, true).ok()) {
            self.out.push_back(LearnerOutput::ConfigSeen(Box::new(ensemble.clone())));
            self.seen = Some(Box::new(ensemble));
        }
        // What the leader committed it does not want to be acknowledged again.
        let committed = self.window.end();
        self.to_ack.retain(|zxid| *zxid > committed);
        self.stage = Stage::Adopting { end: self.last };
        if mutant::on("epoch-at-uptodate") {
            self.stage = Stage::Waiting;
            self.send(Packet::bare(PacketKind::Ack, Zxid::new(self.epoch, 0)));
            return Ok(());
        }
        self.out.push_back(LearnerOutput::PersistCurrent(self.epoch));
        if mutant::on("newleader-acked-early") {
            self.stage = Stage::Waiting;
            self.send(Packet::bare(PacketKind::Ack, Zxid::new(self.epoch, 0)));
        }
        Ok(())
    }

    /// History and epoch are durable: the leader may count on us.
    pub(super) fn adopted(&mut self, now: Instant) {
        if let Stage::Adopting { end } = self.stage
            && *self.promises.current.get() == self.epoch
            && *self.promises.last.get() >= end
        {
            self.heard = now;
            self.stage = Stage::Waiting;
            self.send(Packet::bare(PacketKind::Ack, Zxid::new(self.epoch, 0)));
            self.acknowledge();
        }
    }

    fn up_to_date(&mut self) -> Result<(), String> {
        if self.stage != Stage::Waiting {
            return Err("UPTODATE before NEWLEADER was acknowledged".into());
        }
        if let Some(ensemble) = self.seen.take() {
            self.out.push_back(LearnerOutput::ConfigActive { ensemble, designated: None });
        }
        self.send(Packet::bare(PacketKind::Ack, Zxid::new(self.epoch, 0)));
        self.stage = Stage::Serving;
        self.out.push_back(LearnerOutput::Serve { epoch: self.epoch });
        Ok(())
    }
}

/// The transaction of a PROPOSAL or INFORM.
pub(super) fn proposal(packet: &Packet) -> Result<Proposal, String> {
    let bytes = packet.data.clone().ok_or("a proposal without a transaction")?;
    let proposal = Proposal { zxid: packet.zxid, bytes };
    match proposal.inner_zxid() == Some(packet.zxid) {
        true => Ok(proposal),
        false => Err(format!("the proposal {} carries another zxid", packet.zxid)),
    }
}
