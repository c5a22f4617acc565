//! A member that leads: its node proposes, the leader counts, the node applies.
//!
//! # Invariants
//!
//! * What the node proposes goes to the learners and to the own log in the same order.
//! * A snapshot for a learner is taken when everything that is committed is applied.
//! * While the leadership is handed over nothing is admitted.

use super::{LinkItem, Member, MemberInput, MemberOutput, OpenSnapshot, Phase};
use crate::peer::{Packet, PacketKind, PeerState};
use crate::replica::{DiskOp, Event};
use crate::types::{Instant, LinkId, Now, ServerId};
use crate::zab::Vote;
use crate::zab::leader::{Leader, LeaderConfig, LeaderInput, LeaderOutput, ToLearner};
use crate::zab::learner::LearnerInput;

impl Member {
    pub(super) fn begin_leading(&mut self, vote: Vote, now: Now) {
        self.node.look(now);
        let config = LeaderConfig {
            me: self.config.me,
            tick: self.config.tick,
            init_limit: self.config.init_limit,
            sync_limit: self.config.sync_limit,
            force_snapshot: self.config.force_snapshot,
            from_log: self.config.snapshot_size_factor >= 0.0,
            max_snap_syncs: self.config.max_snap_syncs,
            max_diff_syncs: self.config.max_diff_syncs,
            reconfig: self.config.replica.reconfig_enabled,
            disloyal_after: self.config.disloyal_after,
        };
        let window = self.window.clone();
        let mut leader = Leader::new(config, self.membership.quorums(), self.promises, window, now.mono);
        leader.supported_by(self.election.supporters().clone());
        let epoch = leader.epoch();
        self.phase = Phase::Leading(Box::new(leader));
        self.tell_role(Some(vote.leader), epoch, false, "elected");
        for (link, packets) in self.waiting.drain() {
            self.leader_input(LeaderInput::Linked { link }, now.mono);
            for packet in packets {
                self.leader_input(LeaderInput::Packet { link, packet }, now.mono);
            }
        }
    }

    pub(super) fn leader_input(&mut self, input: LeaderInput, now: Instant) {
        if let Phase::Leading(leader) = &mut self.phase {
            leader.handle(input, now);
        }
    }

    pub(super) fn leader_link(&mut self, input: MemberInput, now: Now) {
        let input = match input {
            MemberInput::LinkAccepted { link, .. } => LeaderInput::Linked { link },
            MemberInput::LinkDown { link, .. } => {
                self.outbox.forget(link);
                LeaderInput::LinkLost { link }
            }
            MemberInput::Packet { link, packet } if packet.kind == PacketKind::Ack => {
                return self.acknowledged(link, packet, now);
            }
            MemberInput::Packet { link, packet } => LeaderInput::Packet { link, packet },
            MemberInput::Progress { link } => LeaderInput::Progress { link },
            _ => return,
        };
        self.leader_input(input, now.mono);
    }

    /// An acknowledgement, which is measured on its way.
    fn acknowledged(&mut self, link: LinkId, packet: Packet, now: Now) {
        let Phase::Leading(leader) = &mut self.phase else { return };
        let syncs = leader.sync_of(link);
        if let Some((server, before)) = leader.acked(link) {
            self.node.handle_acknowledged(server, before, packet.zxid, now);
        }
        leader.handle(LeaderInput::Packet { link, packet }, now.mono);
        if let Some((snapshot, _)) = syncs
            && leader.sync_of(link).is_none()
        {
            let in_flight = leader.syncs(snapshot);
            self.node.note(&Event::Sync { snapshot, in_flight, begins: false });
        }
    }

    /// The stream of a learner begins.
    fn sync_begins(&self, link: LinkId) {
        if let Phase::Leading(leader) = &self.phase
            && let Some((snapshot, in_flight)) = leader.sync_of(link)
        {
            self.node.note(&Event::Sync { snapshot, in_flight, begins: true });
        }
    }

    /// Carries out what node and leader want.
    pub(super) fn work_leading(&mut self, now: Now) -> bool {
        self.stand();
        let mut worked = self.propose(now);
        while let Phase::Leading(leader) = &mut self.phase
            && let Some(output) = leader.poll_output()
        {
            worked = true;
            self.leader_wants(output, now);
        }
        let Phase::Leading(_) = self.phase else { return true };
        if let Some(why) = self.node.step_down() {
            self.end_role(why, now);
            return true;
        }
        worked
    }

    /// Hands what the node admitted to the learners and to the log.
    fn propose(&mut self, now: Now) -> bool {
        self.node.take_appends(&mut self.appends);
        self.node.take_syncs(&mut self.syncs);
        let worked = !self.appends.is_empty() || !self.syncs.is_empty();
        let Phase::Leading(leader) = &mut self.phase else { return false };
        for proposal in self.appends.drain(..) {
            if leader.propose(&proposal, now.mono) {
                self.outbox.disk(DiskOp::Append(proposal));
            }
        }
        for link in self.syncs.drain(..) {
            leader.sync(link);
        }
        worked
    }

    fn leader_wants(&mut self, output: LeaderOutput, now: Now) {
        match output {
            LeaderOutput::Send { link, item } => self.send_item(link, item, now),
            LeaderOutput::Hangup { link, why } => self.outbox.hang_up(link, why),
            LeaderOutput::PersistAccepted(epoch) => self.outbox.disk(DiskOp::Accepted(epoch)),
            LeaderOutput::PersistCurrent(epoch) => self.outbox.disk(DiskOp::Current(epoch)),
            LeaderOutput::FindInLog { link, zxid } => self.outbox.disk(DiskOp::Find { link, zxid }),
            LeaderOutput::Established { epoch } => self.established(epoch, now),
            LeaderOutput::Commit(zxid) => self.node.handle_committed(zxid, now),
            LeaderOutput::Request { link, request, auth, .. } => {
                self.node.forwarded(link, request, auth, now);
                self.propose(now);
            }
            LeaderOutput::Revalidate { link, touch, .. } => {
                let word = self.node.revalidate(link, touch, now);
                if let Phase::Leading(leader) = &mut self.phase {
                    leader.revalidated(link, word);
                }
            }
            LeaderOutput::Touched { touches, .. } => self.node.touched(&touches, now),
            LeaderOutput::NewConfig { ensemble, active: false, .. } => self.seen(&ensemble),
            LeaderOutput::NewConfig { ensemble, active: true, designated } => {
                // Whether it leaves its role the leader says by itself.
                let zxid = self.node.committed();
                self.activate(&ensemble, Some(self.config.me), designated, zxid);
            }
            LeaderOutput::HandedOver { .. } => self.transferred(Ok(())),
            LeaderOutput::Kept(why) => self.kept(why, now),
            LeaderOutput::StepDown(why) if self.stopping => self.leave(false, why, now),
            LeaderOutput::StepDown(why) => {
                self.transferred(Err(format!("the leader stepped down: {why}")));
                self.end_role(why, now);
            }
        }
    }

    pub(super) fn send_item(&mut self, link: LinkId, item: ToLearner, now: Now) {
        match item {
            ToLearner::Packet(packet) => {
                if matches!(packet.kind, PacketKind::Diff | PacketKind::Trunc) {
                    self.sync_begins(link);
                }
                self.outbox.packet(link, &packet);
            }
            ToLearner::Log { after, upto } => self.outbox.item(link, LinkItem::Log { after, upto }),
            ToLearner::Snapshot { zxid } => {
                let snapshot = OpenSnapshot::begin(&self.node.shared());
                if snapshot.zxid() == zxid {
                    self.outbox.packet(link, &Packet::bare(PacketKind::Snap, zxid));
                    self.outbox.item(link, LinkItem::Snapshot(snapshot));
                    self.sync_begins(link);
                } else {
                    let why = format!("the tree is at {} and not at {zxid}: a bug", snapshot.zxid());
                    self.outbox.hang_up(link, why);
                    let (leader, learner) =
                        (LeaderInput::LinkLost { link }, LearnerInput::ObserverLost { link });
                    self.role_input(leader, learner, now);
                }
            }
        }
    }

    fn established(&mut self, epoch: u32, now: Now) {
        self.node.lead(epoch, now);
        self.stood = None;
        let me = self.config.me;
        self.election.settle(PeerState::Leading, self.vote_for(me, epoch));
        self.tell_role(Some(me), epoch, self.config.leader_serves, "a quorum follows");
    }

    /// The vote that a settled member reports: its leader, in its epoch.
    pub(super) fn vote_for(&self, leader: ServerId, epoch: u32) -> Vote {
        Vote { leader, peer_epoch: i64::from(epoch), ..self.vote }
    }

    pub(super) fn transfer(&mut self, to: Option<ServerId>, now: Now) {
        self.transfer_asked = true;
        let begun = match &mut self.phase {
            Phase::Leading(_) if to == Some(self.config.me) => Err("this member leads already".into()),
            Phase::Leading(leader) => leader.hand_over(to, now.wall_ms, now.mono),
            _ => Err("this member does not lead".into()),
        };
        if let Err(why) = begun {
            self.transferred(Err(why));
        }
    }

    /// The server is about to end: others first.
    pub(super) fn stop(&mut self, now: Now) {
        self.stopping = true;
        self.transfer_asked = true;
        if let Phase::Leading(leader) = &mut self.phase
            && leader.hand_over(None, now.wall_ms, now.mono).is_ok()
        {
            return;
        }
        self.transferred(Ok(()));
        self.leave(false, "the server stops", now);
    }

    fn kept(&mut self, why: String, now: Now) {
        self.transferred(Err(why));
        if self.stopping {
            return self.leave(false, "the server stops", now);
        }
        while let Some(input) = self.held.pop_front() {
            self.node.handle(input, now);
        }
    }

    fn transferred(&mut self, outcome: Result<(), String>) {
        if std::mem::take(&mut self.transfer_asked) {
            self.outbox.push(MemberOutput::Transferred(outcome));
        }
    }
}
