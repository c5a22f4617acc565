//! The core thread of a member: owns it, takes everything that waits, hands on what came of it.
//!
//! # Invariants
//!
//! * What a batch has for other members leaves before the disk is waited for: all logs sync side
//!   by side.
//! * Wishes to the disk leave in the order in which the member made them.
//! * Clients are served only while the member's role says so; when it ends, connections do.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::disk::{DiskWork, MemberDisk};
use super::edge::Edge;
use crate::disk::Disk;
use crate::driver::Branch;
use crate::error::ExitCode;
use crate::limits::{CORE_TICK_MS, INLINE_APPENDS, SENT_BY_CORE};
use crate::net::{Kill, LargeGuard};
use crate::os::clock;
use crate::replica::member::{Member, MemberInput, MemberOutput, Role};
use crate::replica::{Conn, DiskDone, DiskOp, StorageState};
use crate::server::beat::Beat;
use crate::server::core::CoreMessage;
use crate::server::desk::storage_is;
use crate::server::front::Front;
use crate::server::queue::{Queue, Taken};
use crate::server::throttle::RequestThrottle;
use crate::types::{Instant, Now};

/// What the core thread of a member owns.
pub struct MemberCore<D: Disk> {
    /// The member.
    pub member: Member,
    /// What comes in.
    pub inbox: Arc<Queue<CoreMessage>>,
    /// Its disk.
    pub disk: Arc<MemberDisk<D>>,
    /// Told when the member has taken over a history from the disk.
    pub branch: Branch,
    /// The way to the snapshot thread: a snapshot is due.
    pub snapshots: Arc<Queue<()>>,
    /// In front of the member.
    pub throttle: RequestThrottle,
    /// Where connections are.
    pub front: Arc<Front>,
    /// The way to other members.
    pub edge: Edge<D>,
    /// Told once, when the member cannot go on, why.
    pub on_failure: Box<dyn FnMut(ExitCode, String) + Send>,
}

struct Run<D: Disk> {
    core: MemberCore<D>,
    beat: Beat,
    /// Wishes of this batch.
    ops: Vec<DiskOp>,
    /// Wishes that the disk thread has and has not looked at.
    under_way: usize,
    large: Vec<(Arc<Conn>, LargeGuard)>,
    storage: StorageState,
    finishing: bool,
    failed: bool,
}

impl<D: Disk + Sync> MemberCore<D> {
    /// Works until it is told to finish, or the inbox is closed.
    pub fn run(self) {
        let beat = Beat::new(Arc::clone(&self.front.metrics), self.member.node().last_proposed());
        let mut run = Run {
            core: self,
            beat,
            ops: Vec::new(),
            under_way: 0,
            large: Vec::new(),
            storage: StorageState::Good,
            finishing: false,
            failed: false,
        };
        let (mut batch, mut touched) = (Vec::new(), Vec::new());
        run.hand_on(&mut touched);
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
            run.core.throttle.advance(&mut run.core.member, now);
            if run.core.member.poll_timeout() <= now.mono {
                run.core.member.timeout(now);
            }
            let leads = run.core.member.role() == Role::Leading;
            run.beat.handled(messages, now.mono, run.core.member.node().last_proposed(), leads);
            run.hand_on(&mut touched);
            if run.is_finished() {
                return;
            }
        }
    }
}

impl<D: Disk + Sync> Run<D> {
    /// How long nothing has to be done.
    fn patience(&self, now: Instant) -> Duration {
        let tick = Duration::from_millis(CORE_TICK_MS);
        self.core.member.poll_timeout().since(now).min(tick)
    }

    fn handle(&mut self, message: CoreMessage, now: Now) {
        match message {
            CoreMessage::Input(input) => self.core.throttle.offer(&mut self.core.member, input, now),
            CoreMessage::Large(conn, guard) => self.large.push((conn, guard)),
            CoreMessage::Member(input) => {
                self.core.edge.ending |= matches!(input, MemberInput::Stop);
                self.core.edge.learners.note(&input);
                self.core.member.handle(input, now);
            }
            CoreMessage::Packets { link, packets, charge } => {
                self.core.edge.learners.received(link, packets.len());
                for packet in packets {
                    self.core.edge.figures.received(packet.kind);
                    self.core.member.handle(MemberInput::Packet { link, packet }, now);
                }
                drop(charge);
            }
            CoreMessage::Disk { count, answers } => {
                self.under_way = self.under_way.saturating_sub(count);
                self.done(answers, now);
            }
            CoreMessage::Logged(_) => {}
            // A member's state is the ensemble's: nobody restores it here.
            CoreMessage::Restore(restoring) => drop(restoring.refuse("this is a member of an ensemble")),
            CoreMessage::Finish => self.finishing = true,
        }
    }

    /// The disk has answered.
    fn done(&mut self, answers: Vec<DiskDone>, now: Now) {
        for answer in answers {
            let (mut state, mut reloaded, mut failure) = (None, false, None);
            match &answer {
                DiskDone::Logged { snapshot_due, state: is, .. } => {
                    state = Some(*is);
                    if *snapshot_due {
                        self.core.snapshots.push(());
                    }
                }
                DiskDone::Reloaded { .. } => reloaded = true,
                // The member learns everything anew.
                DiskDone::NotTruncated(why) => warn!("{why}"),
                DiskDone::Kept(Ok(path)) => error!("the evidence of the difference is in {}", path.display()),
                DiskDone::Kept(Err(why)) => warn!("the evidence of the difference is not kept: {why}"),
                DiskDone::Failed(why) => failure = Some((ExitCode::Unexpected, why.clone())),
                _ => {}
            }
            self.core.member.handle(MemberInput::Disk(answer), now);
            if reloaded {
                self.core.branch.adopt();
            }
            if let Some(state) = state {
                storage_is(&mut self.storage, state);
            }
            if let Some((code, why)) = failure {
                self.fail(code, why);
            }
        }
    }

    /// Nothing can be promised any more.
    fn fail(&mut self, code: ExitCode, why: String) {
        if !std::mem::replace(&mut self.failed, true) {
            self.core.front.metrics.unrecoverable_error_count.inc();
            error!("{why}");
            error!("nothing can be promised any more, this member leaves the ensemble");
            self.core.front.stop();
            self.core.front.kill_all(Kill::NotServing);
            (self.core.on_failure)(code, why);
        }
    }

    /// What came of a batch goes to links, disk and connections.
    fn hand_on(&mut self, touched: &mut Vec<Arc<Conn>>) {
        loop {
            while let Some(output) = self.core.member.poll_output() {
                match output {
                    MemberOutput::Disk(op) => {
                        if let DiskOp::Append(proposal) = &op {
                            self.core.edge.figures.logged(proposal.bytes.len());
                        }
                        self.ops.push(op);
                    }
                    output => self.core.edge.carry_out(output),
                }
            }
            self.beat.handed_over();
            if self.ops.is_empty() || !self.work_now() {
                break;
            }
        }
        self.under_way += self.ops.len();
        if !self.ops.is_empty() {
            let now = clock::mono();
            let mut work: Vec<_> = self.ops.drain(..).map(|op| DiskWork::Op(op, now)).collect();
            self.core.disk.inbox.push_all(&mut work);
        }
        self.core.edge.flush(&self.core.member);
        self.core.member.take_touched(touched);
        if touched.len() <= SENT_BY_CORE {
            self.beat.sends(touched.len(), || touched.drain(..).for_each(|conn| conn.send()));
        } else {
            touched.drain(..).for_each(|conn| conn.wake());
        }
        if !self.large.is_empty() {
            self.large.retain(|(conn, _)| conn.in_flight() > 0);
        }
    }

    /// Carries out wishes here; true when they were few, the disk was idle, and they are answered.
    fn work_now(&mut self) -> bool {
        let few = self.ops.len() <= INLINE_APPENDS;
        let appends = self.ops.iter().all(|op| matches!(op, DiskOp::Append(_)));
        if !(few && appends && self.under_way == 0 && self.core.inbox.is_empty()) {
            return false;
        }
        let Some(answers) = self.core.disk.work_now(&mut self.ops) else { return false };
        let now = clock::now();
        self.done(answers, now);
        self.core.throttle.advance(&mut self.core.member, now); // there is room again
        true
    }

    /// Nothing is under way, and nothing more may come.
    fn is_finished(&self) -> bool {
        let idle = self.core.member.in_process() == 0 && self.core.throttle.is_empty();
        self.finishing && (idle || self.failed || !self.core.front.has_role())
    }
}
