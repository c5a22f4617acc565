//! The leader's synchronisation: streams to learners, NEWLEADER, UPTODATE.
//!
//! # Invariants
//!
//! * From the moment a stream is chosen every proposal goes to its learner, whether it has
//!   acknowledged anything or not: none is lost to one that joins.
//! * A stream ends with everything that is committed when it is chosen, and then, for voters,
//!   everything proposed.
//! * What comes from the log on disk is durable here.
//! * UPTODATE leaves only after a quorum, in every configuration that counts, acknowledged NEWLEADER.

use super::peers::Stage as At;
use super::{Leader, LeaderOutput, Stage};
use crate::disk::Durable;
use crate::peer::{Packet, PacketKind};
use crate::types::{Instant, LinkId, Zxid, mutant};
use crate::zab::choice::{Choice, choose, choose_by_log, stream};
use crate::zab::quorum::Quorums;
use crate::zab::types::LogView;
use bytes::Bytes;
use std::collections::BTreeSet;

impl Leader {
    /// Chooses the learner's stream, from memory if that is enough.
    pub(super) fn begin_sync(&mut self, link: LinkId, now: Instant) {
        let Some(peer) = self.peers.get_mut(link) else { return };
        let last = peer.last;
        let choice = match self.config.force_snapshot {
            true => Choice::Snapshot,
            false => choose(&self.window, last, self.config.from_log),
        };
        if choice == Choice::Look {
            peer.stage = At::Finding;
            self.out.push_back(LeaderOutput::FindInLog { link, zxid: last });
        } else {
            self.stream(link, choice, None, now);
        }
    }

    pub(super) fn found(&mut self, link: LinkId, view: &LogView, now: Instant) {
        let Some(peer) = self.peers.get(link).filter(|p| p.stage == At::Finding) else { return };
        self.stream(link, choose_by_log(peer.last, view), view.floor, now);
    }

    /// Queues the whole stream and NEWLEADER. `floor`: where reading the log on disk begins.
    fn stream(&mut self, link: LinkId, mut choice: Choice, floor: Option<Zxid>, now: Instant) {
        // The log is read up to where the window begins: what is not durable there is not readable.
        if floor.is_some() && *self.own_end().get() < self.window.start() {
            choice = Choice::Snapshot;
        }
        let snapshot = matches!(choice, Choice::Snapshot | Choice::Look);
        if let Err(why) = self.throttle(link, snapshot) {
            return self.hang_up(link, why);
        }
        if mutant::on("diff-starts-late")
            && let Choice::Diff { after } = choice
            && let Some(first) = self.window.after(after).next()
        {
            choice = Choice::Diff { after: first.zxid };
        }
        let (newleader, diff) = (self.newleader(), matches!(choice, Choice::Diff { .. }));
        let early = diff && mutant::on("newleader-first");
        for (n, item) in stream(&self.window, choice, floor).into_iter().enumerate() {
            self.out.push_back(LeaderOutput::Send { link, item });
            if early && n == 0 {
                self.send(link, newleader.clone());
            }
        }
        let Some(peer) = self.peers.get_mut(link) else { return };
        (peer.stage, peer.snapshot, peer.heard) = (At::Syncing, snapshot, now);
        peer.synced_to = self.window.end();
        if !peer.observer && !mutant::on("outstanding-not-sent") {
            let pending: Vec<_> = self.outstanding.iter().map(|o| o.proposal.clone()).collect();
            for p in pending {
                self.send(link, Packet::with(PacketKind::Proposal, p.zxid, p.bytes));
            }
        }
        if !early {
            self.send(link, newleader);
        }
    }

    fn newleader(&self) -> Packet {
        let text = Bytes::copy_from_slice(self.quorums.newest().text().as_bytes());
        Packet::with(PacketKind::NewLeader, Zxid::new(self.epoch, 0), text)
    }

    /// Observers beyond the limit come later; voters are brought up always, and are counted.
    fn throttle(&self, link: LinkId, snapshot: bool) -> Result<(), String> {
        let limit = if snapshot { self.config.max_snap_syncs } else { self.config.max_diff_syncs };
        let observer = self.peers.get(link).is_some_and(|p| p.observer);
        if observer && self.peers.syncing(snapshot) >= limit {
            return Err(format!("{limit} learners are being brought up already"));
        }
        Ok(())
    }

    /// The acknowledgement of NEWLEADER, before which nothing else may come.
    pub(super) fn newleader_acked(
        &mut self,
        link: LinkId,
        packet: &Packet,
        now: Instant,
    ) -> Result<(), String> {
        if packet.kind != PacketKind::Ack || packet.zxid != Zxid::new(self.epoch, 0) {
            return Err(format!("{:?} {} instead of the ACK of NEWLEADER", packet.kind, packet.zxid));
        }
        let serving = self.stage == Stage::Serving;
        let Some(peer) = self.peers.get_mut(link) else { return Ok(()) };
        let end = peer.synced_to;
        peer.stage = At::Synced;
        peer.holds(end, now);
        let first = self.outstanding.iter().find(|o| o.proposal.zxid > end);
        if let (Some(first), false) = (first, peer.observer) {
            peer.proposed(first.proposal.zxid, now);
            peer.sent = self.proposed;
        }
        if serving {
            self.up_to_date(link);
            self.stale = true;
        } else {
            self.establish(now);
        }
        Ok(())
    }

    pub(super) fn own_current(&mut self, epoch: Durable<u32>, now: Instant) {
        self.promises.current = epoch;
        self.establish(now);
    }

    /// A quorum of every configuration that counts has the initial history: lead.
    fn establish(&mut self, now: Instant) {
        if self.stage != Stage::Synchronising {
            return;
        }
        let synced = self.peers.iter().filter(|(_, p)| p.stage >= At::Synced && !p.observer);
        let mut have: BTreeSet<_> = synced.map(|(_, p)| p.server).collect();
        if *self.promises.current.get() == self.epoch {
            have.insert(self.config.me);
        }
        let enough = have.contains(&self.config.me)
            && (self.quorums.holds(&have) || mutant::on("leads-while-establishing"));
        if !enough {
            return;
        }
        self.stage = Stage::Serving;
        self.proposed = Zxid::new(self.epoch, 0);
        self.whole_tick = false;
        self.next_half_tick = now + self.config.tick / 2;
        self.out.push_back(LeaderOutput::Established { epoch: self.epoch });
        let leads_on = self.activate_seen();
        for link in self.peers.at(At::Synced) {
            self.up_to_date(link);
        }
        if !leads_on {
            self.step_down("the new configuration gives the leadership to another member");
        }
    }

    /// With the establishment the last seen configuration comes into force. Does this member lead it?
    fn activate_seen(&mut self) -> bool {
        let Some(next) = self.quorums.next().cloned() else { return true };
        let ensemble = Box::new(next.ensemble().clone());
        self.out.push_back(LeaderOutput::NewConfig { ensemble, active: true, designated: None });
        self.set_quorums(Quorums::from(next));
        self.quorums.votes(self.config.me)
    }

    fn up_to_date(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get_mut(link) {
            peer.stage = At::Active;
            self.electorate += 1;
            self.send(link, Packet::bare(PacketKind::UpToDate, Zxid(-1)));
        }
    }
}
