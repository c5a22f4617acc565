//! A follower that serves observers in the leader's place (`ObserverMaster`).
//!
//! An observer is brought up from this follower's history and told of every commit that the follower hears of. What
//! it asks goes on to the leader over the follower's own connection, and answers come back in the order of asking.
//!
//! # Invariants
//!
//! * Observers alone are served, and only while this follower serves.
//! * From the moment a stream is chosen every commit goes to its observer.
//! * An observer that is ahead of this follower is turned away: it is never made to forget what was committed.
//! * An answer of the leader goes to whoever asked for it first; if that observer has gone, to nobody.

use super::{Learner, LearnerOutput, Stage};
use crate::limits::{LEADER_LINKS, RELAY_TOUCHES};
use crate::peer::payload::{PROTOCOL, encode_number};
use crate::peer::{Activation, Forwarded, LearnerInfo, Packet, PacketKind, Revalidation, Touch};
use crate::types::{Instant, LinkId, ServerId, SessionId, Zxid};
use crate::zab::choice::{Choice, choose, choose_by_log, stream};
use crate::zab::leader::ToLearner;
use crate::zab::peers::{Peer, Peers, Stage as At};
use crate::zab::types::{LogView, Proposal};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a follower that serves observers has to know of the configuration.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Send every observer a snapshot (`forceSnapshotSync`).
    pub force_snapshot: bool,
    /// May observers be brought up from the log on disk (`snapshotSizeFactor` not negative)?
    pub from_log: bool,
    /// `leader.maxConcurrentSnapSyncs`.
    pub max_snap_syncs: usize,
    /// `leader.maxConcurrentDiffSyncs`.
    pub max_diff_syncs: usize,
    /// Text of the newest configuration, for NEWLEADER.
    pub text: Arc<str>,
}

/// Observers, and what they wait for.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    config: RelayConfig,
    peers: Peers,
    /// Who asked for the syncs that the leader has not answered; `None` is this follower itself.
    syncs: VecDeque<Option<LinkId>>,
    /// Who asked about which session.
    renewals: BTreeMap<SessionId, VecDeque<Option<(LinkId, i32)>>>,
    /// Sessions that observers heard of since the leader was told last.
    touches: BTreeMap<SessionId, i32>,
    next_ping: Instant,
}

impl Relay {
    pub fn new(config: RelayConfig, now: Instant) -> Relay {
        Relay {
            config,
            peers: Peers::default(),
            syncs: VecDeque::new(),
            renewals: BTreeMap::new(),
            touches: BTreeMap::new(),
            next_ping: now,
        }
    }

    /// This follower asks for a sync.
    pub fn own_sync(&mut self) {
        self.syncs.push_back(None);
    }

    /// This follower asks about a session.
    pub fn own_renewal(&mut self, session: SessionId) {
        self.renewals.entry(session).or_default().push_back(None);
    }

    /// The oldest sync is answered: whose was it?
    pub fn sync_answered(&mut self) -> Option<LinkId> {
        self.syncs.pop_front().flatten()
    }

    /// The leader's word on a session: which observer asked? Its session was heard of with that.
    pub fn renewal_answered(&mut self, word: Revalidation) -> Option<LinkId> {
        let waiting = self.renewals.get_mut(&word.session)?;
        let first = waiting.pop_front().flatten();
        if waiting.is_empty() {
            self.renewals.remove(&word.session);
        }
        let (link, timeout) = first?;
        if word.valid {
            self.heard_of(&[Touch { session: word.session, timeout }]);
        }
        Some(link)
    }

    fn heard_of(&mut self, touches: &[Touch]) {
        for touch in touches {
            if self.touches.len() < RELAY_TOUCHES || self.touches.contains_key(&touch.session) {
                self.touches.insert(touch.session, touch.timeout);
            }
        }
    }

    /// Adds what observers heard of to what this follower did, for the leader.
    pub fn add_touches(&mut self, own: &[Touch]) -> Vec<Touch> {
        let mut all = std::mem::take(&mut self.touches);
        all.extend(own.iter().map(|touch| (touch.session, touch.timeout)));
        all.into_iter().map(|(session, timeout)| Touch { session, timeout }).collect()
    }

    /// When there is something to do; nothing without observers.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.peers.len() > 0).then_some(self.next_ping)
    }
}

impl Learner {
    /// Are observers served?
    pub fn serves_observers(&self) -> bool {
        self.relay.is_some() && self.stage == Stage::Serving
    }

    /// Observers' connections.
    pub fn observers(&self) -> Vec<LinkId> {
        self.relay.iter().flat_map(|relay| relay.peers.iter().map(|(link, _)| link)).collect()
    }

    /// How many observers have been told to serve.
    pub fn synced_observers(&self) -> usize {
        self.relay.as_ref().map_or(0, |relay| relay.peers.active().count())
    }

    /// Another configuration is in force, or was proposed: its version, and the newest one's text.
    pub fn set_configuration(&mut self, version: i64, text: Arc<str>) {
        self.config.config_version = version;
        if let Some(relay) = &mut self.relay {
            relay.config.text = text;
        }
    }

    pub(super) fn observer_linked(&mut self, link: LinkId, now: Instant) {
        match &mut self.relay {
            Some(relay) if self.stage == Stage::Serving && relay.peers.len() < LEADER_LINKS => {
                relay.peers.insert(link, Peer::fresh(now));
            }
            _ => self.hang_up(link, "this follower serves no observers now"),
        }
    }

    pub(super) fn observer_lost(&mut self, link: LinkId) {
        if let Some(relay) = &mut self.relay {
            relay.peers.remove(link);
        }
    }

    pub(super) fn observer_moves(&mut self, link: LinkId, now: Instant) {
        if let Some(relay) = &mut self.relay {
            relay.peers.heard(link, now);
        }
    }

    pub(super) fn observer_packet(&mut self, link: LinkId, packet: Packet, now: Instant) {
        self.observer_moves(link, now);
        let Some(stage) = self.relay.as_ref().and_then(|relay| relay.peers.stage(link)) else { return };
        let done = match stage {
            At::Fresh => self.observer_introduced(link, &packet),
            At::Asked => self.observer_registered(link, &packet, now),
            At::Syncing => self.observer_synced(link, &packet),
            At::Active => self.observer_asks(link, packet),
            At::Introduced | At::Waiting | At::Finding | At::Synced => {
                Err(format!("{:?} before it was asked for anything", packet.kind))
            }
        };
        if let Err(why) = done {
            self.hang_up(link, why);
        }
    }

    /// Its first packet: it is told the epoch of this follower's leader.
    fn observer_introduced(&mut self, link: LinkId, packet: &Packet) -> Result<(), String> {
        if packet.kind != PacketKind::ObserverInfo {
            return Err(format!("its first packet is {:?}: observers alone are served here", packet.kind));
        }
        let data = packet.data.clone().unwrap_or_default();
        let info = LearnerInfo::decode(&data).map_err(|e| e.to_string())?;
        if info.protocol < PROTOCOL {
            return Err(format!("it speaks protocol {:#x}, older than 3.4", info.protocol));
        }
        if info.config_version.is_some_and(|version| version > self.config.config_version) {
            return Err("it knows a later configuration".into());
        }
        let Some(relay) = &mut self.relay else { return Ok(()) };
        let server = info.server.unwrap_or_else(|| relay.peers.number());
        if server == self.config.me {
            return Err(format!("it calls itself {server}, as this member does"));
        }
        let older = relay.peers.others_of(server, link);
        if let Some(peer) = relay.peers.get_mut(link) {
            (peer.server, peer.observer, peer.stage) = (server, true, At::Asked);
        }
        for older in older {
            self.hang_up(older, format!("{server} connected again"));
        }
        let zxid = Zxid::new(self.epoch, 0);
        self.tell(link, Packet::with(PacketKind::LeaderInfo, zxid, encode_number(PROTOCOL)));
        Ok(())
    }

    /// ACKEPOCH: its stream is chosen.
    fn observer_registered(&mut self, link: LinkId, packet: &Packet, now: Instant) -> Result<(), String> {
        if packet.kind != PacketKind::AckEpoch {
            return Err(format!("{:?} instead of ACKEPOCH", packet.kind));
        }
        let (last, end) = (packet.zxid, self.window.end());
        if last > end && last.epoch() == self.epoch {
            return Err(format!("it is at {last} and ahead of this follower, which is at {end}"));
        }
        let Some(relay) = &mut self.relay else { return Ok(()) };
        let choice = match relay.config.force_snapshot {
            true => Choice::Snapshot,
            false => choose(&self.window, last, relay.config.from_log),
        };
        let Some(peer) = relay.peers.get_mut(link) else { return Ok(()) };
        peer.last = last;
        if choice == Choice::Look {
            peer.stage = At::Finding;
            self.out.push_back(LearnerOutput::FindInLog { link, zxid: last });
            return Ok(());
        }
        self.observer_stream(link, choice, None, now)
    }

    pub(super) fn found(&mut self, link: LinkId, view: &LogView, now: Instant) {
        let peer = self.relay.as_ref().and_then(|relay| relay.peers.get(link));
        let Some(last) = peer.filter(|p| p.stage == At::Finding).map(|p| p.last) else { return };
        if let Err(why) = self.observer_stream(link, choose_by_log(last, view), view.floor, now) {
            self.hang_up(link, why);
        }
    }

    /// Queues the whole stream and NEWLEADER.
    fn observer_stream(
        &mut self,
        link: LinkId,
        choice: Choice,
        floor: Option<Zxid>,
        now: Instant,
    ) -> Result<(), String> {
        // What is not durable is not readable from the log.
        let unreadable = floor.is_some() && *self.promises.last.get() < self.window.start();
        let choice = if unreadable { Choice::Snapshot } else { choice };
        let snapshot = matches!(choice, Choice::Snapshot | Choice::Look);
        let Some(relay) = &mut self.relay else { return Ok(()) };
        let limit = if snapshot { relay.config.max_snap_syncs } else { relay.config.max_diff_syncs };
        if relay.peers.syncing(snapshot) >= limit {
            return Err(format!("{limit} observers are being brought up already"));
        }
        if let Some(peer) = relay.peers.get_mut(link) {
            (peer.stage, peer.snapshot, peer.heard) = (At::Syncing, snapshot, now);
        }
        let text = Bytes::copy_from_slice(relay.config.text.as_bytes());
        // A snapshot is of what is applied: everything that is committed, by then.
        self.tell_committed();
        for item in stream(&self.window, choice, floor) {
            self.out.push_back(LearnerOutput::ToObserver { link, item });
        }
        self.tell(link, Packet::with(PacketKind::NewLeader, Zxid::new(self.epoch, 0), text));
        Ok(())
    }

    /// The acknowledgement of NEWLEADER: it may serve.
    fn observer_synced(&mut self, link: LinkId, packet: &Packet) -> Result<(), String> {
        if packet.kind != PacketKind::Ack || packet.zxid != Zxid::new(self.epoch, 0) {
            return Err(format!("{:?} {} instead of the ACK of NEWLEADER", packet.kind, packet.zxid));
        }
        if let Some(peer) = self.relay.as_mut().and_then(|relay| relay.peers.get_mut(link)) {
            peer.stage = At::Active;
        }
        self.tell(link, Packet::bare(PacketKind::UpToDate, Zxid(-1)));
        Ok(())
    }

    /// What an observer says in service: most of it is the leader's to hear.
    fn observer_asks(&mut self, link: LinkId, packet: Packet) -> Result<(), String> {
        let Some(relay) = &mut self.relay else { return Ok(()) };
        let data = packet.data.clone().unwrap_or_default();
        match packet.kind {
            // The second acknowledgement of NEWLEADER.
            PacketKind::Ack => {}
            PacketKind::Ping => {
                let touches = Touch::decode_list(&data).map_err(|e| e.to_string())?;
                relay.heard_of(&touches);
            }
            PacketKind::Revalidate => {
                let touch = Touch::decode(&data).map_err(|e| e.to_string())?;
                relay.renewals.entry(touch.session).or_default().push_back(Some((link, touch.timeout)));
                self.send(Packet::with(PacketKind::Revalidate, Zxid(-1), touch.encode()));
            }
            PacketKind::Request => {
                if Forwarded::decode(&data).map_err(|e| e.to_string())?.is_sync() {
                    relay.syncs.push_back(Some(link));
                }
                self.send(Packet { zxid: Zxid(-1), ..packet });
            }
            other => return Err(format!("{other:?} is no observer's to send")),
        }
        Ok(())
    }

    /// A transaction is committed: every observer whose stream has begun is told.
    pub(super) fn inform_observers(&mut self, proposal: &Proposal, designated: Option<ServerId>) {
        let Some(relay) = &self.relay else { return };
        let packet = match designated {
            None => Packet::with(PacketKind::Inform, proposal.zxid, proposal.bytes.clone()),
            Some(leader) => {
                let activation = Activation { leader, txn: proposal.bytes.clone() };
                Packet::with(PacketKind::InformAndActivate, proposal.zxid, activation.encode())
            }
        };
        let told: Vec<LinkId> =
            relay.peers.iter().filter(|(_, p)| p.stage >= At::Syncing).map(|(link, _)| link).collect();
        for link in told {
            self.tell(link, packet.clone());
        }
    }

    /// Passes an answer of the leader on.
    pub(super) fn answer_observer(&mut self, link: LinkId, packet: Packet) {
        if self.relay.as_ref().is_some_and(|relay| relay.peers.stage(link).is_some()) {
            self.tell(link, packet);
        }
    }

    /// Pings, and gives up observers that are silent.
    pub(super) fn relay_timeout(&mut self, now: Instant) {
        let (tick, end) = (self.config.tick, self.window.end());
        let limit =
            |stage| tick * if stage == At::Active { self.config.sync_limit } else { self.config.init_limit };
        let Some(relay) = self.relay.as_mut().filter(|relay| now >= relay.next_ping) else { return };
        relay.next_ping = now + tick / 2;
        let silent = |p: &Peer| p.stage != At::Finding && now.since(p.heard) >= limit(p.stage);
        let gone: Vec<LinkId> = relay.peers.iter().filter(|(_, p)| silent(p)).map(|(link, _)| link).collect();
        for link in gone {
            self.hang_up(link, "it is silent");
        }
        let active = self.relay.iter().flat_map(|relay| relay.peers.at(At::Active)).collect::<Vec<_>>();
        for link in active {
            self.tell(link, Packet::bare(PacketKind::Ping, end));
        }
    }

    fn tell(&mut self, link: LinkId, packet: Packet) {
        self.out.push_back(LearnerOutput::ToObserver { link, item: ToLearner::Packet(packet) });
    }

    fn hang_up(&mut self, link: LinkId, why: impl Into<String>) {
        self.observer_lost(link);
        self.out.push_back(LearnerOutput::HangUp { link, why: why.into() });
    }
}
