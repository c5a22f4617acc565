//! A learner: follows a leader, with or without a vote (`Learner`, `Follower`, `Observer`).
//!
//! It says who it is, accepts the leader's epoch, is brought to the leader's history, adopts the
//! epoch, acknowledges, and from then on logs, acknowledges and applies what comes.
//!
//! # Invariants
//!
//! * ACKEPOCH leaves after `acceptedEpoch` is durable, and names the durable end of the log.
//! * The ACK of NEWLEADER leaves after everything that came before NEWLEADER, and then
//!   `currentEpoch`, is durable; no other ACK leaves before it.
//! * The ACK of a proposal leaves after the proposal is durable; every proposal gets its own, in
//!   order, as Java's leaders count them one by one.
//! * A proposal that does not follow the last one ends the connection; one that came before is
//!   taken for a duplicate only until the leader said UPTODATE.
//! * Commits go in order, each of the oldest proposal that is not committed.

mod broadcast;
mod io;
mod register;
mod relay;
mod sync;

#[cfg(test)]
mod relay_tests;
#[cfg(test)]
mod tests;

pub use io::{LearnerInput, LearnerOutput};
pub use relay::RelayConfig;

use super::types::{Promises, Proposal};
use super::window::Window;
use crate::config::quorum::Ensemble;
use crate::limits::LEARNER_HELD_BYTES;
use crate::peer::{Forwarded, Packet, PacketKind, Touch};
use crate::types::{Id, Instant, ServerId, Zxid};
use relay::Relay;
use std::collections::VecDeque;
use std::time::Duration;

/// What a learner has to know of the configuration.
#[derive(Clone, Debug)]
pub struct LearnerConfig {
    /// Who this is.
    pub me: ServerId,
    /// Without a vote.
    pub observer: bool,
    /// Version of the configuration in force.
    pub config_version: i64,
    /// tickTime.
    pub tick: Duration,
    /// initLimit, ticks.
    pub init_limit: u32,
    /// syncLimit, ticks.
    pub sync_limit: u32,
    /// `reconfigEnabled`.
    pub reconfig: bool,
    /// The own history is not to be trusted: ask for all of it, which a log that ends with -1 does.
    pub relearn: bool,
    /// Serve observers in the leader's place (`observerMasterPort`); never by an observer.
    pub relay: Option<RelayConfig>,
}

/// How far a learner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Connects, or waits for LEADERINFO.
    Registering,
    /// Writes the accepted epoch. `counts`: it was accepted just now.
    Accepting { counts: bool },
    /// Waits for DIFF, TRUNC or SNAP.
    Registered,
    /// The snapshot's body comes.
    Receiving,
    /// The disk cuts or installs. `to`: where the leader wants the cut.
    Reloading { to: Option<Zxid> },
    /// Takes what it lacks.
    Syncing,
    /// NEWLEADER came; history and epoch are being written.
    Adopting {
        /// The last transaction before NEWLEADER.
        end: Zxid,
    },
    /// Acknowledged NEWLEADER, waits for UPTODATE.
    Waiting,
    /// Serves.
    Serving,
    /// Has left.
    Over,
}

/// One member's time as a learner.
#[derive(Clone, Debug)]
pub struct Learner {
    config: LearnerConfig,
    promises: Promises,
    stage: Stage,
    epoch: u32,
    heard: Instant,
    /// The last transaction that was appended, durable or not.
    last: Zxid,
    window: Window,
    uncommitted: VecDeque<Proposal>,
    /// Proposals that are not acknowledged.
    to_ack: VecDeque<Zxid>,
    /// Packets that wait for the disk.
    held: VecDeque<Packet>,
    held_bytes: usize,
    /// The configuration that NEWLEADER named.
    seen: Option<Box<Ensemble>>,
    /// Told as committed.
    told: Zxid,
    /// Observers that are served here.
    relay: Option<Relay>,
    out: VecDeque<LearnerOutput>,
}

impl Learner {
    /// Begins to follow, with the whole durable log as history: `window` ends where it ends.
    pub fn new(config: LearnerConfig, promises: Promises, window: Window, now: Instant) -> Learner {
        let relay = config.relay.clone().filter(|_| !config.observer);
        Learner {
            relay: relay.map(|relay| Relay::new(relay, now)),
            config,
            stage: Stage::Registering,
            epoch: 0,
            heard: now,
            last: *promises.last.get(),
            told: window.end(),
            promises,
            window,
            uncommitted: VecDeque::new(),
            to_ack: VecDeque::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            seen: None,
            out: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, input: LearnerInput, now: Instant) {
        if self.stage == Stage::Over {
            return;
        }
        let done = match input {
            LearnerInput::Linked => {
                self.register(now);
                Ok(())
            }
            LearnerInput::Packet(packet) => {
                self.heard = now;
                self.arrived(packet)
            }
            LearnerInput::Progress => {
                self.heard = now;
                Ok(())
            }
            LearnerInput::SnapshotReceived(zxid) => self.snapshot_received(zxid),
            LearnerInput::Accepted(epoch) => {
                self.promises.accepted = epoch;
                self.epoch_written(now)
            }
            LearnerInput::Current(epoch) => {
                self.promises.current = epoch;
                self.adopted(now);
                Ok(())
            }
            LearnerInput::Logged(upto) => {
                self.promises.last = upto;
                self.adopted(now);
                self.acknowledge();
                Ok(())
            }
            LearnerInput::Reloaded { last, window } => self.reloaded(last, window, now),
            LearnerInput::NotTruncated(why) => Err(format!("the log could not be cut: {why}")),
            of_an_observer => {
                self.of_an_observer(of_an_observer, now);
                Ok(())
            }
        };
        if let Err(why) = done {
            self.leave(why);
        }
    }

    fn of_an_observer(&mut self, input: LearnerInput, now: Instant) {
        match input {
            LearnerInput::ObserverLinked { link } => self.observer_linked(link, now),
            LearnerInput::Observer { link, packet } => self.observer_packet(link, packet, now),
            LearnerInput::ObserverMoves { link } => self.observer_moves(link, now),
            LearnerInput::ObserverLost { link } => self.observer_lost(link),
            LearnerInput::Found { link, view } => self.found(link, &view, now),
            _ => {}
        }
    }

    /// A packet: at once, or once the disk is done with what is before it.
    fn arrived(&mut self, packet: Packet) -> Result<(), String> {
        if !self.is_held() {
            return self.packet(packet);
        }
        self.held_bytes += packet.data.as_ref().map_or(0, bytes::Bytes::len) + size_of::<Packet>();
        self.held.push_back(packet);
        if self.held_bytes > LEARNER_HELD_BYTES {
            return Err("the leader sent more than can be held while the own disk is busy".into());
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Accepting { .. } | Stage::Receiving | Stage::Reloading { .. })
    }

    /// The disk is done: what was held, until it is busy again.
    fn release(&mut self) -> Result<(), String> {
        while !self.is_held() && self.stage != Stage::Over {
            let Some(packet) = self.held.pop_front() else {
                self.held_bytes = 0;
                return Ok(());
            };
            self.packet(packet)?;
        }
        Ok(())
    }

    fn packet(&mut self, packet: Packet) -> Result<(), String> {
        match self.stage {
            Stage::Registering => self.leader_info(&packet),
            Stage::Registered => self.sync_begins(&packet),
            Stage::Syncing | Stage::Adopting { .. } | Stage::Waiting => self.before_service(packet),
            Stage::Serving => self.in_service(packet),
            Stage::Accepting { .. } | Stage::Receiving | Stage::Reloading { .. } | Stage::Over => Ok(()),
        }
    }

    /// When [`Learner::timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            // The own disk is at work: the leader loses patience by itself.
            Stage::Accepting { .. } | Stage::Reloading { .. } | Stage::Over => None,
            Stage::Serving => {
                let silent = self.heard + self.config.tick * self.config.sync_limit;
                let relay = self.relay.as_ref().and_then(Relay::poll_timeout);
                Some(relay.map_or(silent, |at| at.min(silent)))
            }
            _ => Some(self.heard + self.config.tick * self.config.init_limit),
        }
    }

    /// Leaves a silent leader; pings observers.
    pub fn timeout(&mut self, now: Instant) {
        let (limit, name) = match self.stage {
            Stage::Accepting { .. } | Stage::Reloading { .. } | Stage::Over => return,
            Stage::Serving => (self.config.sync_limit, "syncLimit"),
            _ => (self.config.init_limit, "initLimit"),
        };
        if now >= self.heard + self.config.tick * limit {
            return self.leave(format!("the leader was silent for {name}"));
        }
        if self.stage == Stage::Serving {
            self.relay_timeout(now);
        }
    }

    /// The next wish.
    pub fn poll_output(&mut self) -> Option<LearnerOutput> {
        if self.out.is_empty() {
            self.tell_committed();
        }
        self.out.pop_front()
    }

    /// Answers a ping: sessions that were heard of since the last one.
    pub fn pong(&mut self, zxid: Zxid, touches: &[Touch]) {
        let data = match &mut self.relay {
            Some(relay) => Touch::encode_list(&relay.add_touches(touches)),
            None => Touch::encode_list(touches),
        };
        self.send(Packet::with(PacketKind::Ping, zxid, data));
    }

    /// Forwards a client's request.
    pub fn request(&mut self, request: &Forwarded, auth: Vec<Id>) {
        if let Some(relay) = self.relay.as_mut().filter(|_| request.is_sync()) {
            relay.own_sync();
        }
        let data = Some(request.encode());
        self.send(Packet { kind: PacketKind::Request, zxid: Zxid(-1), data, auth });
    }

    /// Asks whether a session lives.
    pub fn revalidate(&mut self, touch: Touch) {
        if let Some(relay) = &mut self.relay {
            relay.own_renewal(touch.session);
        }
        self.send(Packet::with(PacketKind::Revalidate, Zxid(-1), touch.encode()));
    }

    /// The leader's epoch; 0 before it is known.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Are clients served?
    pub fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// The phase, as ZooKeeper names it.
    pub fn phase_name(&self) -> &'static str {
        match self.stage {
            Stage::Registering | Stage::Accepting { .. } | Stage::Registered => "discovery",
            Stage::Serving | Stage::Over => "broadcast",
            _ => "synchronization",
        }
    }

    /// Ends: what was committed of late, then what was logged and is not known to be committed.
    pub fn into_history(self) -> (Window, VecDeque<Proposal>) {
        (self.window, self.uncommitted)
    }

    fn send(&mut self, packet: Packet) {
        if self.stage != Stage::Over {
            self.tell_committed();
            self.out.push_back(LearnerOutput::Send(packet));
        }
    }

    fn leave(&mut self, why: String) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.out.push_back(LearnerOutput::Leave(why));
        }
    }
}
