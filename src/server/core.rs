//! The core thread: owns the node, takes everything that waits, hands on what came of it.
//!
//! # Invariants
//!
//! * The clock is read once a batch, and each touched connection is woken once a batch. Where they
//!   are few, their answers are sent here: a synchronous client does not wait for a second thread.
//! * What the node wants logged leaves in zxid order, and nothing else writes the log.
//! * Few transactions that find the log at rest are written here; the core then waits for the
//!   disk as their clients do, and what comes meanwhile is the next batch.
//! * When the storage has failed nothing is served any more: connections are closed, and
//!   what was not durable is answered by nobody.

use std::sync::Arc;
use std::time::Duration;

use tracing::error;

use super::beat::Beat;
use super::desk::storage_is;
use super::front::Front;
use super::log::{Log, LogWork};
use super::queue::{Queue, Taken};
use super::restore::{Restored, Restoring};
use super::throttle::RequestThrottle;
use crate::disk::Disk;
use crate::driver::Completion;
use crate::limits::{CORE_TICK_MS, INLINE_APPENDS, SENT_BY_CORE};
use crate::net::links::Charge;
use crate::net::{Kill, LargeGuard};
use crate::os::clock;
use crate::peer::Packet;
use crate::replica::member::MemberInput;
use crate::replica::{Conn, DiskDone, Input, Node, StorageState};
use crate::types::{Instant, LinkId, Now};
use crate::zab::Proposal;

/// What the core is told.
pub enum CoreMessage {
    /// By a connection.
    Input(Input),
    /// By a connection: its request, just handed in, takes so much of the budget of large
    /// requests until everything of it is answered.
    Large(Arc<Conn>, LargeGuard),
    /// By the log: what an append achieved.
    Logged(Completion),
    /// By the disk of a member: it has looked at `count` wishes, and answers some.
    Disk {
        /// Wishes that it was handed.
        count: usize,
        /// What it has carried out, of these and of earlier ones.
        answers: Vec<DiskDone>,
    },
    /// By the edge of a member.
    Member(MemberInput),
    /// By a link of a member: packets, in order.
    Packets {
        /// The link.
        link: LinkId,
        /// What came.
        packets: Vec<Packet>,
        /// Holds the link back until it is dropped.
        charge: Charge,
    },
    /// By an administrator: this state takes the place of the present one.
    Restore(Box<Restoring>),
    /// By the server: finish what is under way, then end.
    Finish,
}

/// What the core thread owns.
pub struct Core<D: Disk> {
    /// The node.
    pub node: Node,
    /// What comes in.
    pub inbox: Arc<Queue<CoreMessage>>,
    /// The log.
    pub log: Arc<Log<D>>,
    /// The way to the snapshot thread: a snapshot is due.
    pub snapshots: Arc<Queue<()>>,
    /// In front of the node.
    pub throttle: RequestThrottle,
    /// Where connections are.
    pub front: Arc<Front>,
    /// Told once, when the storage has failed, why.
    pub on_failure: Box<dyn FnMut(String) + Send>,
}

/// The loop's state beside what it owns.
struct Run<D: Disk> {
    core: Core<D>,
    beat: Beat,
    /// Transactions that the log has and has not written.
    in_log: u64,
    large: Vec<(Arc<Conn>, LargeGuard)>,
    storage: StorageState,
    restoring: Option<Box<Restoring>>,
    finishing: bool,
    failed: bool,
}

impl<D: Disk> Core<D> {
    /// Works until it is told to finish, or the inbox is closed.
    pub fn run(self) {
        let beat = Beat::new(Arc::clone(&self.front.metrics), self.node.last_proposed());
        let mut run = Run {
            core: self,
            beat,
            in_log: 0,
            large: Vec::new(),
            storage: StorageState::Good,
            restoring: None,
            finishing: false,
            failed: false,
        };
        let mut batch = Vec::new();
        let mut appends = Vec::new();
        let mut work = Vec::new();
        let mut touched = Vec::new();
        loop {
            let asleep = clock::mono();
            let patience = run.patience(asleep);
            match run.core.inbox.take(&mut batch, Some(patience)) {
                Taken::Closed => return,
                Taken::Nothing => run.beat.slept(asleep, patience),
                Taken::Some => {}
            }
            let now = clock::now();
            run.core.front.pulse.beat(now.mono);
            let messages = batch.len();
            for message in batch.drain(..) {
                run.handle(message, now);
            }
            run.core.throttle.advance(&mut run.core.node, now);
            // While nothing is served sessions stand still; the tracker then gives back the time.
            if !run.core.front.is_suspended() && run.core.node.poll_timeout() <= now.mono {
                run.core.node.handle_timeout(now);
            }
            run.beat.handled(messages, now.mono, run.core.node.last_proposed(), true);
            run.hand_on(&mut appends, &mut work, &mut touched);
            run.restore(now);
            if run.is_finished() {
                return;
            }
        }
    }
}

impl<D: Disk> Run<D> {
    /// How long nothing has to be done.
    fn patience(&self, now: Instant) -> Duration {
        let tick = Duration::from_millis(CORE_TICK_MS);
        if self.core.front.is_suspended() {
            return tick;
        }
        self.core.node.poll_timeout().since(now).min(tick)
    }

    fn handle(&mut self, message: CoreMessage, now: Now) {
        match message {
            CoreMessage::Input(input) => self.core.throttle.offer(&mut self.core.node, input, now),
            CoreMessage::Large(conn, guard) => self.large.push((conn, guard)),
            CoreMessage::Logged(completion) => self.logged(&completion, now),
            CoreMessage::Restore(restoring) => {
                // Nothing new comes, and what is under way finds its end.
                self.core.front.restores(true);
                self.restoring = Some(restoring);
            }
            // A standalone server has no other members.
            CoreMessage::Disk { .. } | CoreMessage::Member(_) | CoreMessage::Packets { .. } => {}
            CoreMessage::Finish => self.finishing = true,
        }
    }

    fn logged(&mut self, completion: &Completion, now: Now) {
        self.in_log = self.in_log.saturating_sub(completion.written.0);
        if let Some(durable) = &completion.durable {
            self.core.node.handle_durable(durable, now);
        }
        if completion.snapshot_due {
            self.core.snapshots.push(());
        }
        self.storage_is(completion.state);
    }

    fn storage_is(&mut self, state: StorageState) {
        if !storage_is(&mut self.storage, state) {
            return;
        }
        self.core.node.handle_storage(state);
        if state == StorageState::Failed && !self.failed {
            self.failed = true;
            self.core.front.metrics.unrecoverable_error_count.inc();
            let why = self.core.log.failure().unwrap_or_default();
            error!("{why}");
            error!("nothing can be promised any more, serving stops");
            self.core.front.stop();
            self.core.front.kill_all(Kill::NotServing);
            (self.core.on_failure)(why);
        }
    }

    /// Replaces the state as soon as nothing is under way.
    fn restore(&mut self, now: Now) {
        let Some(restoring) = self.restoring.take() else { return };
        let quiet = self.in_log == 0 && self.core.node.in_process() == 0 && self.core.throttle.is_empty();
        let outcome = match quiet {
            _ if self.failed => restoring.refuse("the disk failed"),
            true => restoring.carry_out(&mut self.core.node, now),
            false if restoring.is_late() => {
                restoring.refuse("requests are under way that do not end: ask again")
            }
            false => return self.restoring = Some(restoring),
        };
        if outcome == Restored::Failed {
            return self.storage_is(StorageState::Failed);
        }
        self.core.front.restores(false);
    }

    /// What came of a batch goes to the log and to the connections.
    fn hand_on(
        &mut self,
        appends: &mut Vec<Proposal>,
        work: &mut Vec<LogWork>,
        touched: &mut Vec<Arc<Conn>>,
    ) {
        loop {
            self.core.node.take_appends(appends);
            self.beat.handed_over();
            if appends.is_empty() || !self.log_now(appends) {
                break;
            }
        }
        if !appends.is_empty() {
            let now = clock::mono();
            work.extend(appends.drain(..).map(|proposal| LogWork::Append(proposal, now)));
        }
        self.core.log.inbox.push_all(work);
        self.core.node.take_touched(touched);
        if touched.len() <= SENT_BY_CORE {
            self.beat.sends(touched.len(), || touched.drain(..).for_each(|conn| conn.send()));
        } else {
            touched.drain(..).for_each(|conn| conn.wake());
        }
        if !self.large.is_empty() {
            self.large.retain(|(conn, _)| conn.in_flight() > 0);
        }
    }

    /// Hands transactions to the log; true when they were few and are written already.
    fn log_now(&mut self, appends: &mut Vec<Proposal>) -> bool {
        let at_rest = self.in_log == 0 && self.core.inbox.is_empty();
        self.in_log += appends.len() as u64;
        if !at_rest || appends.len() > INLINE_APPENDS {
            return false;
        }
        let Some(completion) = self.core.log.append_now(appends) else { return false };
        let now = clock::now();
        self.logged(&completion, now);
        self.core.throttle.advance(&mut self.core.node, now); // there is room again
        true
    }

    /// Nothing is under way, and nothing more may come.
    fn is_finished(&self) -> bool {
        let idle = self.core.node.in_process() == 0 && self.core.throttle.is_empty();
        self.finishing && (idle || self.failed)
    }
}
