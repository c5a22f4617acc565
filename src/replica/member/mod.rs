//! One member of an ensemble: election, leader or learner, and node, in one pure machine.
//!
//! ```text
//! Looking --elected--> Learning / Leading --role ends--> Settling --log settled--> Looking
//!    any --storage fails, stop--> Out
//! ```
//!
//! The edge (server or simulator) brings packets, proofs and time, drains [`Member::poll_output`]
//! and carries it out in order.
//!
//! # Invariants
//!
//! * While it looks, its tree is exactly what its log holds durably: at the end of a role the disk
//!   completes or gives up what it was handed, and the tree is taken to that point.
//! * Votes and acknowledgements are built from [`Promises`], which only the disk renews.
//! * A member whose storage failed, or whose log has no room, takes no part.
//! * A tree that differs from the ensemble's is learned anew before its member votes again.

mod config;
mod disk;
mod io;
mod leading;
mod learning;
mod looking;
mod masters;
mod outbox;
mod reconfig;
mod role;
mod snapshot;
mod status;
mod waiting;

#[cfg(test)]
mod tests;

pub use config::{MemberConfig, MemberStart};
pub use io::{LinkItem, MemberInput, MemberOutput};
pub use role::{Role, RoleChange};
pub use snapshot::OpenSnapshot;
pub use status::MemberStatus;

use super::{Conn, Event, Input, Node, Observe, Request, Shared, StorageState, ToLeader};
use crate::peer::PeerState;
use crate::types::{Instant, LinkId, Now, ServerId, Zxid};
use crate::zab::leader::Leader;
use crate::zab::membership::Membership;
use crate::zab::{Election, ElectionConfig, Promises, Proposal, Vote, Window};
use learning::Learning;
use masters::Masters;
use outbox::Outbox;
use std::collections::VecDeque;
use std::sync::Arc;
use waiting::Waiting;

/// What a member is doing.
#[derive(Debug)]
enum Phase {
    /// Elects. `read_only_at`: serve reads from then on. `trust_at`: nobody leads, so that the own
    /// tree, which differs, is as good as any.
    Looking { read_only_at: Option<Instant>, trust_at: Option<Instant> },
    /// An observer waits a moment before it looks again.
    Pausing { until: Instant },
    /// Follows.
    Learning(Box<Learning>),
    /// Leads.
    Leading(Box<Leader>),
    /// A role ended: the disk completes what it was handed. `reloading`: that was not the tree's
    /// state, the disk reads it anew.
    Settling { reloading: bool },
    /// Takes no part. `full`: until there is room again.
    Out { full: bool },
}

/// One member.
#[derive(Debug)]
pub struct Member {
    config: MemberConfig,
    node: Node,
    promises: Promises,
    membership: Membership,
    election: Election,
    phase: Phase,
    /// The vote that gave it its role.
    vote: Vote,
    /// What was committed of late; with the role while there is one.
    window: Window,
    /// What the last role logged behind it.
    tail: VecDeque<Proposal>,
    waiting: Waiting,
    outbox: Outbox,
    storage: StorageState,
    /// This leader has handed over for want of room, and leads again for want of others.
    gave_up_full: bool,
    /// The log could not be cut or may have lost its end, or the tree differs: ask the next leader for
    /// a snapshot.
    relearn: bool,
    /// The leader that was left last, if it had not let this member serve.
    left: Option<ServerId>,
    stopping: bool,
    /// Somebody waits for the outcome of a hand-over.
    transfer_asked: bool,
    /// Client requests that wait while the leadership is handed over.
    held: VecDeque<Input>,
    dialled: u64,
    /// Whom an observer tries next.
    masters: Masters,
    random: u64,
    /// The role that a reconfiguration designates, to take when this one has ended.
    designated: Option<(PeerState, Vote)>,
    /// What the node knows of who follows.
    stood: Option<u64>,
    appends: Vec<Proposal>,
    syncs: Vec<LinkId>,
    to_leader: Vec<ToLeader>,
}

impl Member {
    /// A member that goes on with what recovery found, and looks for a leader.
    pub fn new(config: MemberConfig, start: MemberStart, now: Now, observer: Arc<dyn Observe>) -> Member {
        let MemberStart { recovered, doubtful, promises, window } = start;
        let membership = Membership::new(
            config.me,
            &config.ensemble,
            config.last_seen.as_ref(),
            config.replica.reconfig_enabled,
            config.observer,
        );
        let election = ElectionConfig {
            me: config.me,
            votes: !config.observer,
            reconfig: config.replica.reconfig_enabled,
            multi_address: config.multi_address,
            finalize_wait: config.finalize_wait,
            min_interval: config.min_notification,
            max_interval: config.max_notification,
        };
        // Nothing is committed of a database that is not to be trusted.
        let end = (*promises.last.get()).max(Zxid::ZERO);
        let mut member = Member {
            node: Node::member(config.replica.clone(), recovered, now, observer),
            election: Election::new(election, membership.quorums()),
            phase: Phase::Settling { reloading: false },
            vote: Vote { leader: ServerId::NOBODY, zxid: Zxid::ZERO, peer_epoch: -1, election_epoch: -1 },
            window: Window::new(config.window, end, window),
            tail: VecDeque::new(),
            waiting: Waiting::default(),
            outbox: Outbox::default(),
            storage: StorageState::Good,
            gave_up_full: false,
            relearn: doubtful,
            left: None,
            stopping: false,
            transfer_asked: false,
            held: VecDeque::new(),
            dialled: 0,
            masters: Masters::default(),
            random: config.seed,
            designated: None,
            stood: None,
            appends: Vec::new(),
            syncs: Vec::new(),
            to_leader: Vec::new(),
            promises,
            membership,
            config,
        };
        member.install_config();
        member.look("the server starts", now);
        member.work(now);
        member
    }

    /// Takes one input.
    pub fn handle(&mut self, input: MemberInput, now: Now) {
        match input {
            MemberInput::Client(input) => self.client(input, now),
            MemberInput::Notification { from, note } => {
                if let Phase::Leading(leader) = &mut self.phase
                    && note.state == PeerState::Looking
                    && leader.voter_looks(from, now.mono)
                {
                    self.node.note(&Event::LeftByVoter);
                }
                if !matches!(self.phase, Phase::Out { .. }) {
                    self.election.handle(from, &note, now.mono);
                }
            }
            MemberInput::PeerLost(peer) => self.election.lost(peer, now.mono),
            MemberInput::Disk(done) => self.disk(done, now),
            MemberInput::Transfer { to } => self.transfer(to, now),
            MemberInput::Stop => self.stop(now),
            link => self.link(link, now),
        }
        self.work(now);
    }

    fn client(&mut self, input: Input, now: Now) {
        let handing_over = matches!(&self.phase, Phase::Leading(leader) if leader.is_handing_over());
        match input {
            Input::Gone { .. } => self.node.handle(input, now),
            _ if handing_over => self.held.push_back(input),
            _ => self.node.handle(input, now),
        }
    }

    /// Whatever concerns the connections between leader and learners.
    fn link(&mut self, input: MemberInput, now: Now) {
        match &self.phase {
            Phase::Leading(_) => self.leader_link(input, now),
            Phase::Learning(_) => self.learner_link(input, now),
            _ => {
                if let Some(link) = self.waiting.take(input) {
                    self.outbox.hang_up(link, "too many learners wait for a leader".into());
                }
            }
        }
    }

    /// Works until nobody has anything more to say.
    fn work(&mut self, now: Now) {
        loop {
            let role = match &self.phase {
                Phase::Leading(_) => self.work_leading(now),
                Phase::Learning(_) => self.work_learning(now),
                _ => false,
            };
            let election = self.work_election(now);
            if !role && !election {
                break;
            }
        }
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Now) {
        match &mut self.phase {
            Phase::Leading(leader) => {
                leader.timeout(now.mono);
                if !leader.is_handing_over() {
                    self.node.handle_timeout(now);
                }
            }
            Phase::Learning(_) => {
                self.learning_timeout(now);
                self.node.handle_timeout(now);
            }
            Phase::Looking { .. } => {
                self.election.timeout(now.mono);
                self.looking_timeout(now);
            }
            Phase::Pausing { until } if now.mono >= *until => self.election_begins(now),
            Phase::Pausing { .. } | Phase::Settling { .. } | Phase::Out { .. } => {}
        }
        self.work(now);
    }

    /// When to call [`Member::timeout`] at the latest.
    pub fn poll_timeout(&self) -> Instant {
        let never = Instant(u64::MAX);
        match &self.phase {
            Phase::Leading(leader) if leader.is_handing_over() => leader.poll_timeout(),
            Phase::Leading(leader) => leader.poll_timeout().min(self.node.poll_timeout()),
            Phase::Learning(l) => l.poll_timeout().min(self.node.poll_timeout()),
            Phase::Looking { read_only_at, trust_at } => {
                let election = self.election.poll_timeout().unwrap_or(never);
                let own = read_only_at.unwrap_or(never).min(trust_at.unwrap_or(never));
                election.min(own).min(self.node.poll_timeout())
            }
            Phase::Pausing { until } => *until,
            Phase::Settling { .. } | Phase::Out { .. } => never,
        }
    }

    /// The next wish; packets to one link are joined until all else is drained.
    pub fn poll_output(&mut self) -> Option<MemberOutput> {
        self.outbox.pop()
    }

    /// The replicated state machine.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// What connection tasks share with the node.
    pub fn shared(&self) -> Arc<Shared> {
        self.node.shared()
    }

    /// The connections to wake since the last call, each once.
    pub fn take_touched(&mut self, into: &mut Vec<Arc<Conn>>) {
        self.node.take_touched(into);
    }

    /// Requests and transactions that are not worked off.
    pub fn in_process(&self) -> usize {
        self.node.in_process() + self.held.len()
    }

    /// A request is dropped in front of the node, and with it its connection.
    pub fn abandon(&mut self, request: Request) {
        self.node.abandon(request);
    }

    /// How the storage is, as the disk said last.
    pub fn storage_state(&self) -> StorageState {
        self.storage
    }

    /// What this member holds durably.
    pub fn promises(&self) -> &Promises {
        &self.promises
    }

    /// The configurations that count.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// What it does now.
    pub fn role(&self) -> Role {
        match &self.phase {
            Phase::Looking { .. } | Phase::Pausing { .. } | Phase::Settling { .. } => Role::Looking,
            Phase::Learning(l) if l.observer => Role::Observing,
            Phase::Learning(_) => Role::Following,
            Phase::Leading(_) => Role::Leading,
            Phase::Out { .. } => Role::Out,
        }
    }

    fn tell_role(&mut self, leader: Option<ServerId>, epoch: u32, serving: bool, why: impl Into<String>) {
        let change = RoleChange { role: self.role(), leader, epoch, serving, why: why.into() };
        self.outbox.push(MemberOutput::Role(change));
    }

    /// A number below `bound`; 0 for a bound of 0 (SplitMix64 over the seed of the edge).
    fn draw(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}
