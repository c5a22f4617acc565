//! A member that follows, with or without a vote: it dials, and carries between leader, log and node.
//!
//! # Invariants
//!
//! * A connection that ends ends the role; one that could not be made, or was closed before the
//!   leader said a word, is tried again for a while: the leader may not be ready.
//! * What the node does not take is not logged.
//! * A leader that was left before it let this member serve is not dialled again at once.

use super::{Member, MemberInput, MemberOutput, Phase};
use crate::limits::{DIAL_FIRST_MS, DIAL_TRIES};
use crate::peer::{PacketKind, PeerState};
use crate::replica::{DiskOp, Event, ToLeader, Work};
use crate::types::{Instant, LinkId, Now, ServerId, mutant};
use crate::zab::Vote;
use crate::zab::learner::{Learner, LearnerConfig, LearnerInput, LearnerOutput, RelayConfig};
use std::time::Duration;

/// One time as a learner.
#[derive(Debug)]
pub(super) struct Learning {
    pub learner: Learner,
    pub leader: ServerId,
    /// Whom it is connected to: the leader, or a follower that serves observers.
    pub master: ServerId,
    pub link: LinkId,
    pub observer: bool,
    /// The leader has said something.
    pub heard: bool,
    /// It got as far as to serve.
    pub served: bool,
    tries: u32,
    /// When dialling is given up.
    dial_until: Instant,
    /// When to dial again; none while a dial or a connection is under way.
    dial_at: Option<Instant>,
}

impl Learning {
    pub fn poll_timeout(&self) -> Instant {
        match self.dial_at {
            Some(at) => at,
            None if !self.heard => self.dial_until.min(self.learner_timeout()),
            None => self.learner_timeout(),
        }
    }

    fn learner_timeout(&self) -> Instant {
        self.learner.poll_timeout().unwrap_or(Instant(u64::MAX))
    }
}

impl Member {
    pub(super) fn begin_learning(&mut self, vote: Vote, observer: bool, now: Now) {
        for (link, _) in self.waiting.drain() {
            self.outbox.hang_up(link, format!("{} leads", vote.leader));
        }
        self.node.learn(now);
        let (master, pause) = match observer {
            true => self.next_master(vote.leader),
            false => (vote.leader, Duration::ZERO),
        };
        let config = LearnerConfig {
            me: self.config.me,
            observer,
            config_version: self.membership.active().version(),
            tick: self.config.tick,
            init_limit: self.config.init_limit,
            sync_limit: self.config.sync_limit,
            reconfig: self.config.replica.reconfig_enabled,
            relearn: self.must_learn(),
            relay: self.config.relays.then(|| RelayConfig {
                force_snapshot: self.config.force_snapshot,
                from_log: self.config.snapshot_size_factor >= 0.0,
                max_snap_syncs: self.config.max_snap_syncs,
                max_diff_syncs: self.config.max_diff_syncs,
                text: self.newest_text(),
            }),
        };
        let learner = Learner::new(config, self.promises, self.window.clone(), now.mono);
        let ticks = match self.config.connect_limit {
            0 => self.config.init_limit,
            limit => limit,
        };
        self.phase = Phase::Learning(Box::new(Learning {
            learner,
            leader: vote.leader,
            master,
            link: LinkId(0),
            observer,
            heard: false,
            served: false,
            tries: 0,
            dial_until: now.mono + pause + self.config.tick * ticks,
            dial_at: None,
        }));
        self.tell_role(Some(vote.leader), *self.promises.current.get(), false, "elected");
        match &mut self.phase {
            // It was left, or it refused us, a moment ago: not as fast as messages go.
            Phase::Learning(l) if self.left == Some(l.master) => {
                l.dial_at = Some(now.mono + self.config.dial_retry.max(pause));
            }
            Phase::Learning(l) if pause > Duration::ZERO => l.dial_at = Some(now.mono + pause),
            _ => self.dial(),
        }
    }

    fn dial(&mut self) {
        // Odd numbers: the edge numbers accepted connections with even ones.
        self.dialled += 1;
        let link = LinkId(self.dialled * 2 - 1);
        if let Phase::Learning(l) = &mut self.phase {
            (l.link, l.dial_at) = (link, None);
            l.tries += 1;
            let (to, relay) = (l.master, l.master != l.leader);
            self.outbox.push(MemberOutput::Dial { link, to, relay });
        }
    }

    pub(super) fn learner_link(&mut self, input: MemberInput, now: Now) {
        let Phase::Learning(l) = &mut self.phase else { return };
        let input = match input {
            MemberInput::LinkAccepted { link, .. } if l.learner.serves_observers() => {
                LearnerInput::ObserverLinked { link }
            }
            MemberInput::LinkAccepted { link, .. } => {
                let why = format!("{} leads", l.leader);
                return self.outbox.hang_up(link, why);
            }
            MemberInput::LinkDown { link, why } if link == l.link => return self.link_down(&why, now),
            MemberInput::LinkUp { link } if link == l.link => LearnerInput::Linked,
            MemberInput::Packet { link, packet } if link == l.link => {
                l.heard = true;
                LearnerInput::Packet(packet)
            }
            MemberInput::Progress { link } if link == l.link => LearnerInput::Progress,
            MemberInput::SnapshotReceived { link, zxid } if link == l.link => {
                LearnerInput::SnapshotReceived(zxid)
            }
            // Of an observer, or of a connection that was given up.
            MemberInput::Packet { link, packet } => LearnerInput::Observer { link, packet },
            MemberInput::Progress { link } => LearnerInput::ObserverMoves { link },
            MemberInput::LinkDown { link, .. } => {
                self.outbox.forget(link);
                LearnerInput::ObserverLost { link }
            }
            _ => return,
        };
        match Self::relayed(&l.learner, &input) {
            None => l.learner.handle(input, now.mono),
            Some(work) => {
                self.node.note(&Event::Begins(work));
                l.learner.handle(input, now.mono);
                self.node.note(&Event::Ends(work));
            }
        }
    }

    /// What a follower that serves observers also does for them with a packet of the leader.
    fn relayed(learner: &Learner, input: &LearnerInput) -> Option<Work> {
        match input {
            LearnerInput::Packet(packet) if learner.serves_observers() => match packet.kind {
                PacketKind::Proposal => Some(Work::RelayProposal),
                PacketKind::Commit => Some(Work::RelayCommit),
                _ => None,
            },
            _ => None,
        }
    }

    fn link_down(&mut self, why: &str, now: Now) {
        let Phase::Learning(l) = &mut self.phase else { return };
        self.outbox.forget(l.link);
        // The leader may know of its election a moment later: the first tries follow each other closely.
        let soon = Duration::from_millis(DIAL_FIRST_MS << l.tries.min(16));
        let at = now.mono + soon.min(self.config.dial_retry);
        if l.heard || l.tries >= DIAL_TRIES || at >= l.dial_until {
            let why = format!("the connection to {} ended: {why}", l.master);
            return self.end_role(why, now);
        }
        l.dial_at = Some(at);
    }

    pub(super) fn learning_timeout(&mut self, now: Now) {
        let Phase::Learning(l) = &mut self.phase else { return };
        if l.dial_at.is_some_and(|at| now.mono >= at) {
            self.dial();
        } else if l.dial_at.is_none() && !l.heard && now.mono >= l.dial_until {
            let why = format!("{} did not answer within connectToLearnerMasterLimit", l.master);
            self.end_role(why, now);
        } else {
            l.learner.timeout(now.mono);
        }
    }

    pub(super) fn learner_input(&mut self, input: LearnerInput, now: Instant) {
        if let Phase::Learning(l) = &mut self.phase {
            l.learner.handle(input, now);
        }
    }

    /// Carries out what node and learner want.
    pub(super) fn work_learning(&mut self, now: Now) -> bool {
        let mut worked = self.forward();
        while let Phase::Learning(l) = &mut self.phase
            && let Some(output) = l.learner.poll_output()
        {
            worked = true;
            self.learner_wants(output, now);
        }
        let Phase::Learning(_) = self.phase else { return true };
        // One that learns anew differs until it is replaced.
        if let Some(divergence) = self.node.divergence().filter(|_| !self.relearn) {
            let why = divergence.to_string();
            self.end_role(why, now);
            return true;
        }
        worked
    }

    /// What the node's clients ask of the leader.
    fn forward(&mut self) -> bool {
        self.node.take_to_leader(&mut self.to_leader);
        let worked = !self.to_leader.is_empty();
        let Phase::Learning(l) = &mut self.phase else { return false };
        for asked in self.to_leader.drain(..) {
            match asked {
                ToLeader::Request(request, identities) => l.learner.request(&request, identities.to_vec()),
                ToLeader::Revalidate(touch) => l.learner.revalidate(touch),
            }
        }
        worked
    }

    fn learner_wants(&mut self, output: LearnerOutput, now: Now) {
        let Phase::Learning(l) = &mut self.phase else { return };
        let (link, leader) = (l.link, l.leader);
        match output {
            LearnerOutput::Send(packet) => self.outbox.packet(link, &packet),
            LearnerOutput::PersistAccepted(epoch) => self.outbox.disk(DiskOp::Accepted(epoch)),
            LearnerOutput::PersistCurrent(epoch) => self.outbox.disk(DiskOp::Current(epoch)),
            LearnerOutput::Append(proposal) => match self.node.proposed(&proposal, now) {
                Ok(()) if mutant::on("applied-at-proposal") => {
                    let zxid = proposal.zxid;
                    self.outbox.disk(DiskOp::Append(proposal));
                    self.node.handle_committed(zxid, now);
                }
                Ok(()) if l.observer && mutant::on("observer-unlogged") => {}
                Ok(()) => self.outbox.disk(DiskOp::Append(proposal)),
                Err(why) => self.end_role(why, now),
            },
            LearnerOutput::Truncate(zxid) => self.outbox.disk(DiskOp::Truncate(zxid)),
            LearnerOutput::Install(_) => self.outbox.disk(DiskOp::Install { link }),
            LearnerOutput::Commit(zxid) => self.node.handle_committed(zxid, now),
            LearnerOutput::Serve { epoch } => self.serve(leader, epoch),
            LearnerOutput::Revalidated(word) => self.node.revalidated(word, now),
            LearnerOutput::Synced => self.node.synced(now),
            LearnerOutput::WantTouches { zxid } => {
                let touches = self.node.touches(now);
                l.learner.pong(zxid, &touches);
            }
            LearnerOutput::ConfigSeen(ensemble) => self.seen(&ensemble),
            LearnerOutput::ConfigActive { ensemble, designated } => {
                let zxid = self.node.committed();
                if self.activate(&ensemble, Some(leader), designated, zxid) {
                    self.end_role("the new configuration changes the leader or this member's part", now);
                }
            }
            LearnerOutput::ToObserver { link, item } => self.send_item(link, item, now),
            LearnerOutput::HangUp { link, why } => self.outbox.hang_up(link, why),
            LearnerOutput::FindInLog { link, zxid } => self.outbox.disk(DiskOp::Find { link, zxid }),
            LearnerOutput::Leave(why) => self.end_role(why, now),
        }
    }

    /// The role ends, and with it every connection: to the leader, and those of observers.
    pub(super) fn leave_links(&mut self, learning: &Learning, why: &str) {
        for link in learning.learner.observers().into_iter().chain([learning.link]) {
            self.outbox.hang_up(link, why.to_owned());
        }
    }

    fn serve(&mut self, leader: ServerId, epoch: u32) {
        self.node.serve();
        let Phase::Learning(l) = &mut self.phase else { return };
        l.served = true;
        let observer = l.observer;
        let state = if observer { PeerState::Observing } else { PeerState::Following };
        self.election.settle(state, self.vote_for(leader, epoch));
        self.tell_role(Some(leader), epoch, true, "the leader is established");
    }
}
