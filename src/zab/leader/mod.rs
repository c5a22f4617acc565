//! A leader: opens an epoch, brings learners up, proposes, counts, commits (`Leader`, `LearnerHandler`).
//!
//! Discovery: a quorum says which epochs it accepted, the next one is written and told, a quorum
//! accepts it. Synchronisation: every learner is sent what it lacks, then NEWLEADER; a quorum of
//! acknowledgements establishes the leader. Broadcast: proposals to every learner whose stream has
//! begun, commits in order once a quorum holds them.
//!
//! # Invariants
//!
//! * The epoch is greater than any that a quorum has accepted, and written before it is told.
//! * A learner gets every proposal behind its sync stream, from the moment the stream is chosen.
//! * A transaction is committed once a quorum of every configuration that counted when it was
//!   proposed holds it durably; commits go in order and without a hole.
//! * Nothing is proposed before the leader is established, nor after the epoch's last zxid.
//! * The leader's own acknowledgement needs its own [`Durable`](crate::disk::Durable).

mod broadcast;
mod clock;
mod discovery;
mod handover;
mod io;
mod sync;

#[cfg(test)]
mod tests;

pub use io::{LeaderInput, LeaderOutput, ToLearner};

use super::peers::{self, Peer, Peers};
use super::quorum::Quorums;
use super::types::{Promises, Proposal};
use super::window::Window;
use crate::disk::Durable;
use crate::peer::{Packet, PacketKind, Revalidation};
use crate::types::{Instant, LinkId, ServerId, Zxid};
use handover::HandOver;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What a leader has to know of the configuration.
#[derive(Clone, Debug)]
pub struct LeaderConfig {
    /// Who this is.
    pub me: ServerId,
    /// tickTime.
    pub tick: Duration,
    /// initLimit, ticks.
    pub init_limit: u32,
    /// syncLimit, ticks.
    pub sync_limit: u32,
    /// Send every learner a snapshot (`forceSnapshotSync`).
    pub force_snapshot: bool,
    /// May learners be brought up from the log on disk (`snapshotSizeFactor` not negative)?
    pub from_log: bool,
    /// `leader.maxConcurrentSnapSyncs`: observers beyond it are turned away.
    pub max_snap_syncs: usize,
    /// `leader.maxConcurrentDiffSyncs`.
    pub max_diff_syncs: usize,
    /// `reconfigEnabled`.
    pub reconfig: bool,
    /// `leader.maxTimeToWaitForEpoch`: how long a voter that looks again is no reason to give up.
    pub disloyal_after: Option<Duration>,
}

/// How far a leader is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Waits for a quorum of accepted epochs.
    Gathering,
    /// Writes the new epoch.
    Accepting,
    /// Waits for a quorum that accepts it.
    Proposing,
    /// Waits for a quorum that has the history.
    Synchronising,
    /// Leads.
    Serving,
    /// Has stepped down: nothing leaves any more.
    Over,
}

/// A proposal that is not committed.
#[derive(Clone, Debug)]
struct Outstanding {
    proposal: Proposal,
    /// The configurations that counted when it was proposed.
    quorums: Quorums,
    /// The configuration that comes into force with it.
    activates: bool,
}

/// One member's time as the leader.
#[derive(Clone, Debug)]
pub struct Leader {
    config: LeaderConfig,
    quorums: Quorums,
    promises: Promises,
    stage: Stage,
    epoch: u32,
    peers: Peers,
    window: Window,
    outstanding: VecDeque<Outstanding>,
    proposed: Zxid,
    /// Syncs that wait for everything proposed before them.
    syncs: VecDeque<(Zxid, LinkId)>,
    /// Members whose epoch is known, and who accepted the new one.
    known: BTreeSet<ServerId>,
    accepted_by: BTreeSet<ServerId>,
    /// Members with a vote that wanted this one to lead.
    supporters: BTreeSet<ServerId>,
    /// Since when it leads.
    begun: Instant,
    /// Is the end of the stage: a quorum has to come before.
    stage_ends: Instant,
    next_half_tick: Instant,
    whole_tick: bool,
    /// Something changed that may let proposals be committed.
    stale: bool,
    hand_over: Option<HandOver>,
    /// Counts changes of who follows and of what counts.
    electorate: u64,
    out: VecDeque<LeaderOutput>,
}

impl Leader {
    /// Begins to lead, with the whole durable log as initial history: `window` ends where it ends.
    pub fn new(
        config: LeaderConfig,
        quorums: Quorums,
        promises: Promises,
        window: Window,
        now: Instant,
    ) -> Leader {
        let limit = config.tick * config.init_limit;
        let half = config.tick / 2;
        let mut leader = Leader {
            quorums,
            stage: Stage::Gathering,
            epoch: promises.accepted.get().saturating_add(1),
            promises,
            peers: Peers::default(),
            proposed: window.end(),
            window,
            outstanding: VecDeque::new(),
            syncs: VecDeque::new(),
            known: BTreeSet::from([config.me]),
            accepted_by: BTreeSet::new(),
            supporters: BTreeSet::new(),
            begun: now,
            stage_ends: now + limit,
            next_half_tick: now + half,
            whole_tick: false,
            stale: false,
            hand_over: None,
            electorate: 0,
            out: VecDeque::new(),
            config,
        };
        leader.gather(now);
        leader
    }

    /// Takes one input.
    pub fn handle(&mut self, input: LeaderInput, now: Instant) {
        if self.stage == Stage::Over {
            return;
        }
        match input {
            LeaderInput::Linked { link } => self.linked(link, now),
            LeaderInput::Packet { link, packet } => self.packet(link, packet, now),
            LeaderInput::Progress { link } => self.peers.heard(link, now),
            LeaderInput::LinkLost { link } => self.lost(link),
            LeaderInput::Accepted(epoch) => self.own_accepted(epoch, now),
            LeaderInput::Current(epoch) => self.own_current(epoch, now),
            LeaderInput::Logged(upto) => {
                self.promises.last = upto;
                self.stale = true;
            }
            LeaderInput::Found { link, view } => self.found(link, &view, now),
        }
    }

    /// The next wish.
    pub fn poll_output(&mut self) -> Option<LeaderOutput> {
        if self.out.is_empty() && std::mem::take(&mut self.stale) {
            self.commit_ready();
        }
        self.out.pop_front()
    }

    /// The epoch that is led, or will be.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Is the leader established?
    pub fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// The configurations that count now.
    pub fn quorums(&self) -> &Quorums {
        &self.quorums
    }

    /// Last committed transaction.
    pub fn committed(&self) -> Zxid {
        self.window.end()
    }

    /// Learners that have been told to serve: who they are, whether they observe, how far they are.
    pub fn learners(&self) -> impl Iterator<Item = (LinkId, ServerId, bool, Zxid)> {
        self.peers.active().map(|(link, p)| (link, p.server, p.observer, p.acked))
    }

    /// The learner's stream: is a snapshot part of it, and how many of its kind are under way? `None` when
    /// none is.
    pub fn sync_of(&self, link: LinkId) -> Option<(bool, usize)> {
        let peer = self.peers.get(link).filter(|p| p.stage == peers::Stage::Syncing)?;
        Some((peer.snapshot, self.peers.syncing(peer.snapshot)))
    }

    /// Streams under way, with or without a snapshot.
    pub fn syncs(&self, snapshot: bool) -> usize {
        self.peers.syncing(snapshot)
    }

    /// A learner with a vote that acknowledges proposals, and what it holds as far as it has said.
    pub fn acked(&self, link: LinkId) -> Option<(ServerId, Zxid)> {
        let peer = self.peers.get(link).filter(|p| p.stage >= peers::Stage::Synced && !p.observer)?;
        Some((peer.server, peer.acked))
    }

    /// Voters, the leader included, that would form a quorum with these if they hold the same:
    /// who is up to date as far as the leader knows.
    pub fn synced(&self) -> BTreeSet<ServerId> {
        let with_vote = self.peers.active().filter(|(_, p)| !p.observer).map(|(_, p)| p.server);
        with_vote.chain([self.config.me]).collect()
    }

    /// Ends: what was committed of late, then what was proposed and is not committed.
    pub fn into_history(self) -> (Window, VecDeque<Proposal>) {
        (self.window, self.outstanding.into_iter().map(|o| o.proposal).collect())
    }

    /// The phase, as ZooKeeper names it.
    pub fn phase_name(&self) -> &'static str {
        match self.stage {
            Stage::Gathering | Stage::Accepting | Stage::Proposing => "discovery",
            Stage::Synchronising => "synchronization",
            Stage::Serving | Stage::Over => "broadcast",
        }
    }

    /// Every learner's connection.
    pub fn links(&self) -> Vec<LinkId> {
        self.peers.iter().map(|(link, _)| link).collect()
    }

    /// Syncs of learners that wait for a commit.
    pub fn pending_syncs(&self) -> usize {
        self.syncs.len()
    }

    /// Other configurations count from now on: for what is proposed next.
    pub fn set_quorums(&mut self, quorums: Quorums) {
        self.quorums = quorums;
        self.electorate += 1;
        self.stale = true;
    }

    /// Another number whenever [`Leader::synced`] or [`Leader::quorums`] may be others.
    pub fn electorate(&self) -> u64 {
        self.electorate
    }

    /// The leader's word on a session, for the learner that asked.
    pub fn revalidated(&mut self, link: LinkId, word: Revalidation) {
        self.send(link, Packet::with(PacketKind::Revalidate, Zxid(-1), word.encode()));
    }

    fn packet(&mut self, link: LinkId, packet: Packet, now: Instant) {
        self.peers.heard(link, now);
        let Some(stage) = self.peers.stage(link) else { return };
        let done = match stage {
            peers::Stage::Fresh => self.introduced(link, &packet, now),
            peers::Stage::Asked => self.epoch_accepted(link, &packet, now),
            peers::Stage::Syncing => self.newleader_acked(link, &packet, now),
            peers::Stage::Synced | peers::Stage::Active => self.hear_learner(link, packet, now),
            peers::Stage::Introduced | peers::Stage::Waiting | peers::Stage::Finding => {
                Err(format!("{:?} before it was asked for anything", packet.kind))
            }
        };
        if let Err(why) = done {
            self.hang_up(link, why);
        }
    }

    fn send(&mut self, link: LinkId, packet: Packet) {
        self.out.push_back(LeaderOutput::Send { link, item: ToLearner::Packet(packet) });
    }

    fn hang_up(&mut self, link: LinkId, why: impl Into<String>) {
        if self.peers.remove(link).is_some() {
            self.out.push_back(LeaderOutput::Hangup { link, why: why.into() });
        }
        self.forget(link);
    }

    fn lost(&mut self, link: LinkId) {
        self.peers.remove(link);
        self.forget(link);
    }

    fn forget(&mut self, link: LinkId) {
        self.electorate += 1;
        self.syncs.retain(|(_, waiting)| *waiting != link);
        self.hand_over_lost(link);
    }

    fn step_down(&mut self, why: impl Into<String>) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.out.push_back(LeaderOutput::StepDown(why.into()));
        }
    }

    fn peer(&mut self, link: LinkId) -> Option<&mut Peer> {
        self.peers.get_mut(link)
    }

    /// Proof of the end of the own log.
    fn own_end(&self) -> Durable<Zxid> {
        self.promises.last
    }
}
