//! One member: the real machines, a disk that answers when it is told to, and nothing else.
//!
//! # Invariants
//!
//! * What is not durable is lost in a crash; what is durable is never lost.
//! * Whatever leaves is checked against the disk at that instant.

use oxkeeper::config::quorum::Ensemble as Configuration;
use oxkeeper::disk::{Durable, Synced};
use oxkeeper::peer::{Notification, Packet, PacketKind, PeerState};
use oxkeeper::types::{Instant, LinkId, ServerId, Zxid};
use oxkeeper::zab::leader::{Leader, LeaderConfig, LeaderInput, LeaderOutput, ToLearner};
use oxkeeper::zab::learner::{Learner, LearnerConfig, LearnerInput, LearnerOutput};
use oxkeeper::zab::{
    Election, ElectionConfig, ElectionOutput, LogView, Promises, Proposal, Quorum, Quorums, Vote, Window,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Time stands still.
pub const NOW: Instant = Instant(0);

const TICK: Duration = Duration::from_secs(1);

/// What a disk is asked to do, in order.
#[derive(Clone, Debug)]
pub enum Op {
    Append(Proposal),
    Accepted(u32),
    Current(u32),
    Truncate(Zxid),
    Install(Vec<Proposal>),
    Find {
        link: LinkId,
        zxid: Zxid,
    },
    /// The end of a role: everything before is done.
    Settle,
}

/// What travels on a link.
#[derive(Clone, Debug)]
pub enum Frame {
    Packet(Packet),
    /// The body of a snapshot: the history behind it.
    Body(Zxid, Vec<Proposal>),
    Closed,
}

/// What a member wants of the world.
#[derive(Clone, Debug)]
pub enum Wish {
    Notify(ServerId, Notification),
    /// To the other end of a link.
    Send(LinkId, Frame),
    Established(u32),
    Committed(Vec<Proposal>),
    Broken(&'static str),
}

#[derive(Clone, Debug)]
pub enum Part {
    Down,
    /// The disk completes what the last role left.
    Settling,
    Looking,
    Leading(Box<Leader>),
    Following {
        learner: Box<Learner>,
        leader: ServerId,
        link: Option<LinkId>,
    },
}

#[derive(Clone, Debug)]
pub struct Member {
    pub id: ServerId,
    pub part: Part,
    pub log: Vec<Proposal>,
    pub accepted: u32,
    pub current: u32,
    pub ops: VecDeque<Op>,
    election: Election,
    vote: Option<Vote>,
    staged: Vec<Proposal>,
    /// A leader's word: everything up to here is committed.
    told: Zxid,
    /// Logged or on its way to the log, in order.
    handed: Vec<Proposal>,
    pub wishes: VecDeque<Wish>,
}

fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

fn quorums(members: u64) -> Quorums {
    let lines = (1..=members).map(|i| format!("server.{i}=h{i}:1:2"));
    let text = lines.collect::<Vec<_>>().join("\n");
    Arc::new(Quorum::new(&Configuration::parse(&text, false).expect("a configuration"))).into()
}

impl Member {
    pub fn new(id: i64) -> Member {
        let id = ServerId(id);
        Member {
            id,
            part: Part::Down,
            log: Vec::new(),
            accepted: 0,
            current: 0,
            ops: VecDeque::new(),
            election: Election::new(ElectionConfig::new(id), quorums(3)),
            vote: None,
            staged: Vec::new(),
            told: Zxid::ZERO,
            handed: Vec::new(),
            wishes: VecDeque::new(),
        }
    }

    pub fn is_up(&self) -> bool {
        !matches!(self.part, Part::Down)
    }

    pub fn end(&self) -> Zxid {
        self.log.last().map_or(Zxid::ZERO, |p| p.zxid)
    }

    fn promises(&self) -> Promises {
        Promises {
            last: durable(self.end()),
            current: durable(self.current),
            accepted: durable(self.accepted),
        }
    }

    fn window(&self) -> Window {
        Window::new(500, self.end(), self.log.clone())
    }

    pub fn start(&mut self) {
        self.election = Election::new(ElectionConfig::new(self.id), quorums(3));
        self.look();
    }

    pub fn crash(&mut self) {
        self.part = Part::Down;
        self.ops.clear();
        self.wishes.clear();
        self.staged.clear();
        self.vote = None;
        self.told = Zxid::ZERO;
        self.handed.clone_from(&self.log);
    }

    fn look(&mut self) {
        self.part = Part::Looking;
        self.handed.clone_from(&self.log);
        self.told = Zxid::ZERO;
        self.election.look(self.promises(), NOW);
        self.work();
    }

    /// The role ends.
    pub fn give_up(&mut self) {
        self.part = Part::Settling;
        self.ops.push_back(Op::Settle);
    }

    pub fn note(&mut self, from: ServerId, note: &Notification) {
        self.election.handle(from, note, NOW);
        self.work();
    }

    pub fn lost(&mut self, peer: ServerId) {
        self.election.lost(peer, NOW);
        self.work();
    }

    /// Does the election only wait for something better?
    pub fn may_conclude(&self) -> bool {
        matches!(self.part, Part::Looking) && self.election.is_concluding()
    }

    pub fn conclude(&mut self) {
        let at = self.election.poll_timeout().unwrap_or(NOW);
        self.election.timeout(at);
        self.work();
    }

    fn elected(&mut self, state: PeerState, vote: Vote) {
        self.vote = Some(vote);
        self.part = match state {
            PeerState::Leading => {
                let config = LeaderConfig {
                    me: self.id,
                    tick: TICK,
                    init_limit: 10,
                    sync_limit: 5,
                    force_snapshot: false,
                    from_log: true,
                    max_snap_syncs: 10,
                    max_diff_syncs: 10,
                    reconfig: false,
                    disloyal_after: None,
                };
                let leader = Leader::new(config, quorums(3), self.promises(), self.window(), NOW);
                Part::Leading(Box::new(leader))
            }
            _ => {
                let config = LearnerConfig {
                    me: self.id,
                    observer: false,
                    config_version: 0,
                    tick: TICK,
                    init_limit: 10,
                    sync_limit: 5,
                    reconfig: false,
                    relearn: false,
                    relay: None,
                };
                let learner = Learner::new(config, self.promises(), self.window(), NOW);
                Part::Following { learner: Box::new(learner), leader: vote.leader, link: None }
            }
        };
    }

    pub fn leader_input(&mut self, input: LeaderInput) {
        if let Part::Leading(leader) = &mut self.part {
            leader.handle(input, NOW);
        }
        self.work();
    }

    pub fn learner_input(&mut self, input: LearnerInput) {
        if let Part::Following { learner, .. } = &mut self.part {
            learner.handle(input, NOW);
        }
        self.work();
    }

    /// Something came over a link.
    pub fn receive(&mut self, link: LinkId, frame: Frame) {
        match (&self.part, frame) {
            (Part::Leading(_), Frame::Packet(packet)) => {
                self.leader_input(LeaderInput::Packet { link, packet });
            }
            (Part::Leading(_), Frame::Closed) => self.leader_input(LeaderInput::LinkLost { link }),
            (Part::Following { link: Some(own), .. }, frame) if *own == link => match frame {
                Frame::Packet(packet) => self.learner_input(LearnerInput::Packet(packet)),
                Frame::Body(zxid, history) => {
                    self.staged = history;
                    self.learner_input(LearnerInput::SnapshotReceived(zxid));
                }
                Frame::Closed => self.give_up(),
            },
            _ => {}
        }
    }

    pub fn propose(&mut self, proposal: Proposal) {
        if let Part::Leading(leader) = &mut self.part
            && leader.propose(&proposal, NOW)
        {
            self.handed.push(proposal.clone());
            self.ops.push_back(Op::Append(proposal));
        }
        self.work();
    }

    /// The disk does the next thing.
    pub fn disk(&mut self) {
        let Some(op) = self.ops.pop_front() else { return };
        match op {
            Op::Append(proposal) => {
                self.log.push(proposal);
                let upto = durable(self.end());
                self.leader_input(LeaderInput::Logged(upto));
                self.learner_input(LearnerInput::Logged(upto));
            }
            Op::Accepted(epoch) => {
                self.check(epoch >= self.accepted, super::NEVER[3]);
                self.accepted = epoch;
                self.leader_input(LeaderInput::Accepted(durable(epoch)));
                self.learner_input(LearnerInput::Accepted(durable(epoch)));
            }
            Op::Current(epoch) => {
                self.check(epoch >= self.current && epoch <= self.accepted, super::NEVER[3]);
                self.current = epoch;
                self.leader_input(LeaderInput::Current(durable(epoch)));
                self.learner_input(LearnerInput::Current(durable(epoch)));
            }
            Op::Truncate(zxid) => {
                self.log.retain(|p| p.zxid <= zxid);
                self.reloaded();
            }
            Op::Install(history) => {
                self.log = history;
                self.reloaded();
            }
            Op::Find { link, zxid } => {
                let floor = self.log.iter().map(|p| p.zxid).rfind(|z| *z <= zxid);
                let next = self.log.iter().map(|p| p.zxid).find(|z| *z > zxid);
                let view = LogView { floor: floor.or(Some(Zxid::ZERO)), next, affordable: true };
                self.leader_input(LeaderInput::Found { link, view });
            }
            Op::Settle => self.look(),
        }
    }

    fn reloaded(&mut self) {
        self.handed.clone_from(&self.log);
        let (last, window) = (durable(self.end()), self.log.clone());
        self.learner_input(LearnerInput::Reloaded { last, window });
    }

    fn check(&mut self, holds: bool, never: &'static str) {
        if !holds {
            self.wishes.push_back(Wish::Broken(never));
        }
    }

    /// Carries out whatever the machines want.
    fn work(&mut self) {
        loop {
            if let Some(output) = self.election.poll_output() {
                match output {
                    ElectionOutput::Send { to, note } => self.wishes.push_back(Wish::Notify(to, note)),
                    ElectionOutput::Elected { state, vote } => self.elected(state, vote),
                    ElectionOutput::NewerConfig(_) => {}
                }
                continue;
            }
            let wanted = match &mut self.part {
                Part::Leading(leader) => leader.poll_output().map(|output| self.leader_wants(output)),
                Part::Following { learner, .. } => {
                    learner.poll_output().map(|output| self.learner_wants(output))
                }
                _ => None,
            };
            if wanted.is_none() {
                return;
            }
        }
    }

    fn leader_wants(&mut self, output: LeaderOutput) {
        match output {
            LeaderOutput::Send { link, item } => self.tell_learner(link, item),
            LeaderOutput::Hangup { link, .. } => self.wishes.push_back(Wish::Send(link, Frame::Closed)),
            LeaderOutput::PersistAccepted(epoch) => self.ops.push_back(Op::Accepted(epoch)),
            LeaderOutput::PersistCurrent(epoch) => self.ops.push_back(Op::Current(epoch)),
            LeaderOutput::FindInLog { link, zxid } => self.ops.push_back(Op::Find { link, zxid }),
            LeaderOutput::Established { epoch } => {
                self.settle(PeerState::Leading, epoch);
                self.committed(self.end());
                self.wishes.push_back(Wish::Established(epoch));
            }
            LeaderOutput::Commit(zxid) => self.committed(zxid),
            LeaderOutput::StepDown(_) => self.give_up(),
            _ => {}
        }
    }

    fn tell_learner(&mut self, link: LinkId, item: ToLearner) {
        let frames = match item {
            ToLearner::Packet(packet) => vec![Frame::Packet(packet)],
            ToLearner::Log { after, upto } => {
                let entries = self.log.iter().filter(|p| p.zxid > after && p.zxid <= upto);
                let pair = |p: &Proposal| {
                    let proposal = Packet::with(PacketKind::Proposal, p.zxid, p.bytes.clone());
                    [proposal, Packet::bare(PacketKind::Commit, p.zxid)]
                };
                entries.flat_map(pair).map(Frame::Packet).collect()
            }
            ToLearner::Snapshot { zxid } => {
                let history = self.handed.iter().filter(|p| p.zxid <= zxid).cloned().collect();
                vec![Frame::Packet(Packet::bare(PacketKind::Snap, zxid)), Frame::Body(zxid, history)]
            }
        };
        if let Some(Frame::Packet(Packet { kind: PacketKind::LeaderInfo, zxid, .. })) = frames.first() {
            self.check(self.accepted >= zxid.epoch(), super::NEVER[2]);
        }
        self.wishes.extend(frames.into_iter().map(|frame| Wish::Send(link, frame)));
    }

    fn learner_wants(&mut self, output: LearnerOutput) {
        match output {
            LearnerOutput::Send(packet) => self.tell_leader(packet),
            LearnerOutput::PersistAccepted(epoch) => self.ops.push_back(Op::Accepted(epoch)),
            LearnerOutput::PersistCurrent(epoch) => self.ops.push_back(Op::Current(epoch)),
            LearnerOutput::Append(proposal) => {
                self.handed.push(proposal.clone());
                self.ops.push_back(Op::Append(proposal));
            }
            LearnerOutput::Truncate(zxid) => self.ops.push_back(Op::Truncate(zxid)),
            LearnerOutput::Install(_) => {
                let history = std::mem::take(&mut self.staged);
                self.ops.push_back(Op::Install(history));
            }
            LearnerOutput::Serve { epoch } => self.settle(PeerState::Following, epoch),
            LearnerOutput::Leave(_) => {
                if let Part::Following { link: Some(link), .. } = self.part {
                    self.wishes.push_back(Wish::Send(link, Frame::Closed));
                }
                self.give_up();
            }
            _ => {}
        }
    }

    fn tell_leader(&mut self, packet: Packet) {
        let holds = match packet.kind {
            PacketKind::Ack if packet.zxid.counter() == 0 => self.current >= packet.zxid.epoch(),
            PacketKind::Ack => self.end() >= packet.zxid,
            PacketKind::AckEpoch => {
                let Part::Following { learner, .. } = &self.part else { return };
                self.accepted >= learner.epoch() && self.end() >= packet.zxid
            }
            _ => true,
        };
        self.check(holds, super::NEVER[2]);
        if let Part::Following { link: Some(link), .. } = self.part {
            self.wishes.push_back(Wish::Send(link, Frame::Packet(packet)));
        }
    }

    fn settle(&mut self, state: PeerState, epoch: u32) {
        if let Some(vote) = self.vote {
            self.election.settle(state, Vote { peer_epoch: i64::from(epoch), ..vote });
        }
    }

    /// The leader's word that everything up to here is committed: clients are answered by it.
    fn committed(&mut self, upto: Zxid) {
        let told = self.told;
        let new = self.handed.iter().filter(|p| p.zxid > told && p.zxid <= upto).cloned().collect();
        self.told = told.max(upto);
        self.wishes.push_back(Wish::Committed(new));
    }
}
