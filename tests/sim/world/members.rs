//! Members as processes on machines: start, death, what they want.
//!
//! # Invariants
//!
//! * A process that died leaves its disk and its configuration files, nothing else; a configuration
//!   file lies on the same disk, and is not written while that fails.
//! * Outputs are carried out in the order in which they are polled.

use super::{Event, INIT_LIMIT, SYNC_LIMIT, TICK, World};
use crate::book::{id, who as who_of};
use crate::check::Seen;
use crate::heap::{MS, Time};
use crate::history;
use crate::net::{Port, Who};
use bytes::BytesMut;
use oxkeeper::config::quorum::Ensemble;
use oxkeeper::disk::Disk;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::driver::{
    MemberRules, MemberWorker, SnapshotJob, SnapshotPolicy, SnapshotReceiver, Spread, start_member,
};
use oxkeeper::replica::member::{
    Member, MemberConfig, MemberInput, MemberOutput, MemberStart, Role, RoleChange,
};
use oxkeeper::replica::{DiskDone, DiskOp, Shared};
use oxkeeper::types::{Instant, Now};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A machine: what outlives a process.
pub struct Machine {
    pub disk: MemDisk,
    /// Number of the current, or of the last, process.
    pub life: u32,
    pub process: Option<Process>,
    /// The dynamic configuration file, and the one of the next configuration.
    pub ensemble: Ensemble,
    pub next: Option<Ensemble>,
    /// Until then the process stands still.
    pub paused: Time,
    /// Its wall clock against the world's, ms.
    pub wall: i64,
    /// How much faster its monotonic clock goes than the world's, millionths.
    pub drift: i64,
    /// What every disk operation takes more.
    pub stall: Time,
    /// The process dies with the disk operation of this number.
    pub dies_at: Option<u64>,
    /// The disk fails from the operation of this number on.
    pub fails_at: Option<u64>,
    /// Disk latencies, seeds of policies.
    pub rng: Spread,
}

/// What dies with a process.
pub struct Process {
    pub member: Member,
    pub shared: Arc<Shared>,
    pub worker: MemberWorker<MemDisk>,
    pub job: Option<SnapshotJob<MemDisk>>,
    /// Handed over, not yet with the log thread.
    pub queue: Vec<DiskOp>,
    /// Carried out, not yet told.
    pub done: Vec<DiskDone>,
    /// Is the log thread busy?
    pub busy: bool,
    pub links: BTreeMap<u64, Link>,
    pub next_link: u64,
    /// When the earliest timer event fires.
    pub timer: Time,
}

/// An end of a connection between members.
pub struct Link {
    pub pipe: u64,
    pub peer: Who,
    pub inbox: BytesMut,
    pub receiver: Option<SnapshotReceiver<MemDisk>>,
    /// Was the member told of it?
    pub known: bool,
}

impl Machine {
    pub fn new(ensemble: Ensemble, seed: u64) -> Machine {
        Machine {
            disk: MemDisk::new(),
            life: 0,
            process: None,
            ensemble,
            next: None,
            paused: 0,
            wall: 0,
            drift: 0,
            stall: 0,
            dies_at: None,
            fails_at: None,
            rng: Spread::new(seed),
        }
    }

    /// Does an injected fault explain that the disk fails?
    fn disk_is_meant_to_fail(&self) -> bool {
        let reached = |at: Option<u64>| at.is_some_and(|at| self.disk.ops() >= at);
        reached(self.dies_at) || reached(self.fails_at)
    }

    /// No fault of the disk any more.
    pub fn heal_disk(&mut self) {
        (self.dies_at, self.fails_at) = (None, None);
        self.disk.heal();
        self.disk.set_capacity(None);
    }
}

/// Monotonic clocks of members start at this.
const MONO: Time = 10_000 * MS;
/// Wall time at the beginning of the world, ms since 1970.
const WALL: i64 = 1_700_000_000_000;

/// What a clock shows at a moment of the world, if it is `drift` millionths faster.
fn drifted(now: Time, drift: i64) -> Time {
    (i128::from(now) * i128::from(1_000_000 + drift) / 1_000_000) as Time
}

/// The first moment of the world at which that clock shows `shown`.
fn reached(shown: Time, drift: i64) -> Time {
    let rate = i128::from(1_000_000 + drift);
    Time::try_from((i128::from(shown) * 1_000_000 + rate - 1) / rate).unwrap_or(Time::MAX)
}

impl World {
    /// The clocks of a member.
    pub(super) fn now(&self, who: Who) -> Now {
        let now = self.heap.now();
        let Machine { wall, drift, .. } = self.machines[who];
        let wall_ms = WALL + (now / MS) as i64 + wall;
        Now { mono: Instant(MONO + drifted(now, drift)), wall_ms }
    }

    /// A process starts: recovery of production, then a member.
    pub(super) fn start(&mut self, who: Who) {
        if self.machines[who].process.is_some() {
            return;
        }
        let page = &self.book.pages[who];
        let mut rules = self.rules.clone();
        // A disk that was emptied is not to be trusted before it has learned.
        rules.db_autocreate = !page.wiped;
        let disk = self.machines[who].disk.clone();
        let window = self.plan.shape.window;
        let found = start_member(&disk, &self.dirs, &rules, self.replica.tree, window);
        let found = match found {
            Ok(found) => found,
            Err(_) if self.machines[who].disk_is_meant_to_fail() => return self.dies_again(who),
            Err(e) if page.damaged => {
                self.say(|| format!("{} refuses its disk: {e}", id(who)));
                return self.learn_anew(who);
            }
            Err(e) => panic!("I14: {} does not start after a mere crash: {e}", id(who)),
        };
        let last = found.start.last.0;
        let differences = found.start.differences.len();
        let least = if page.before.is_none() { page.durable } else { 0 };
        self.say(|| format!("{} starts with {}", id(who), found.start.last));
        let doubtful = found.start.doubtful;
        let recovered = &found.start.recovered;
        self.see(&Seen::Recovered { who, last, least, doubtful, found: recovered, differences });
        let promises = found.promises;
        self.settle_page(who, last);
        let (accepted, current) = (*promises.accepted.get(), *promises.current.get());
        self.see(&Seen::Epoch { who, accepted: true, epoch: accepted });
        self.book.pages[who].accepted = accepted;
        self.see(&Seen::Epoch { who, accepted: false, epoch: current });
        let page = &mut self.book.pages[who];
        (page.current, page.promised, page.reads) = (current, 0, false);
        (page.up, page.failed, page.role, page.serving) = (true, None, Role::Looking, false);
        page.doubtful = doubtful.then(|| self.heap.now());
        page.knows = false;
        page.epoch = page.current;
        let config = self.member_config(who);
        let policy = SnapshotPolicy::new(&self.settings.storage, self.machines[who].rng.below(u64::MAX));
        let rules = MemberRules {
            tree: self.replica.tree,
            window,
            snapshot_size_factor: Some(config.snapshot_size_factor),
        };
        let worker = MemberWorker::new(found.start.storage, found.epochs, promises.last, policy, rules);
        let (recovered, window) = (found.start.recovered, found.window);
        let start = MemberStart { recovered, doubtful, promises, window };
        let now = self.now(who);
        let member = Member::new(config, start, now, self.watcher.clone());
        let machine = &mut self.machines[who];
        machine.life += 1;
        machine.process = Some(Process {
            shared: member.shared(),
            member,
            worker,
            job: None,
            queue: Vec::new(),
            done: Vec::new(),
            busy: false,
            links: BTreeMap::new(),
            next_link: 0,
            timer: Time::MAX,
        });
        let life = machine.life;
        self.heap.after(TICK, Event::Look { who, life });
        self.drain(who);
    }

    /// The disk failed while the member was starting: it dies once more, or waits for its operator.
    fn dies_again(&mut self, who: Who) {
        let machine = &mut self.machines[who];
        let rng = &mut machine.rng;
        if machine.dies_at.take().is_some() {
            machine.disk = machine.disk.crash(&mut |n| rng.below(n as u64) as usize);
            self.heap.after(TICK, Event::Start { who });
        } else {
            self.book.pages[who].failed = Some(self.heap.now());
        }
    }

    /// A disk was refused for its damage: what the error's cure says, by an operator.
    fn learn_anew(&mut self, who: Who) {
        self.summary.refused += 1;
        self.empty(who);
        self.heap.after(TICK, Event::Start { who });
    }

    fn member_config(&mut self, who: Who) -> MemberConfig {
        let machine = &mut self.machines[who];
        let seed = machine.rng.below(u64::MAX);
        let mut replica = self.replica.clone();
        replica.server_id = who as u8 + 1;
        let mut config = MemberConfig::new(id(who), machine.ensemble.clone(), replica, seed);
        config.last_seen = machine.next.clone();
        config.tick = Duration::from_nanos(TICK);
        (config.init_limit, config.sync_limit) = (INIT_LIMIT, SYNC_LIMIT);
        config.window = self.plan.shape.window;
        config
    }

    /// What is on a disk is known again: after a start, a cut, an installation.
    pub(super) fn settle_page(&mut self, who: Who, last: i64) {
        let page = &mut self.book.pages[who];
        // A crash in the middle of a cut or an installation may have left the old log.
        if let Some(before) = page.before.take()
            && history::entry(&page.log, last).is_none()
            && history::entry(&before, last).is_some()
        {
            page.log = before;
        }
        let end = history::upto(&page.log, last);
        page.log.truncate(end);
        page.durable = last.max(0);
        page.delivered = page.delivered.min(last);
    }

    /// A process dies. `image`: the machine loses power, too.
    pub(super) fn die(&mut self, who: Who, power: bool) {
        let machine = &mut self.machines[who];
        let Some(process) = machine.process.take() else { return };
        if power {
            let rng = &mut machine.rng;
            machine.disk = machine.disk.crash(&mut |n| rng.below(n as u64) as usize);
        }
        machine.heal_disk();
        drop(process);
        let page = &mut self.book.pages[who];
        (page.up, page.serving, page.role, page.reads) = (false, false, Role::Looking, false);
        self.say(|| format!("{} dies", id(who)));
        self.break_pipes(who);
        self.break_wires(who, power);
        for peer in 0..self.machines.len() {
            if peer != who && self.net.reaches(who, peer, Port::Election) {
                let (wait, life) = (self.net.way(who, peer), self.machines[peer].life);
                self.heap.after(wait, Event::PeerLost { at: peer, peer: who, life });
            }
        }
    }

    pub(super) fn timer(&mut self, who: Who) {
        let now = self.now(who);
        let Some(p) = &mut self.machines[who].process else { return };
        p.timer = Time::MAX;
        if p.member.poll_timeout() <= now.mono {
            p.member.timeout(now);
        }
        self.drain(who);
    }

    /// Tells a member something and carries out what it wants.
    pub(super) fn tell(&mut self, who: Who, input: MemberInput) {
        let now = self.now(who);
        if let Some(p) = &mut self.machines[who].process {
            p.member.handle(input, now);
            self.drain(who);
        }
    }

    /// Carries out everything that a member wants.
    pub(super) fn drain(&mut self, who: Who) {
        loop {
            let Some(p) = &mut self.machines[who].process else { return };
            let Some(output) = p.member.poll_output() else { break };
            match output {
                MemberOutput::Notify { to, note } => self.notify(who, who_of(to), &note),
                MemberOutput::Dial { link, to, .. } => self.dial(who, link.0, who_of(to)),
                MemberOutput::Send { link, item } => self.send(who, link.0, item),
                MemberOutput::Hangup { link, why } => {
                    self.say(|| format!("{} hangs up {link}: {why}", id(who)));
                    self.hang_up(who, link.0);
                }
                MemberOutput::Disk(op) => self.hand_over(who, op),
                MemberOutput::Role(change) => self.role(who, &change),
                MemberOutput::NewConfig { ensemble, active } => self.new_config(who, ensemble, active),
                MemberOutput::Transferred(result) => {
                    self.say(|| format!("{} hands over: {result:?}", id(who)));
                }
            }
        }
        self.deliver(who);
        self.collect(who);
        self.set_timer(who);
    }

    fn set_timer(&mut self, who: Who) {
        let (now, life) = (self.heap.now(), self.machines[who].life);
        let drift = self.machines[who].drift;
        let Some(p) = &mut self.machines[who].process else { return };
        let at = reached(p.member.poll_timeout().0.saturating_sub(MONO), drift).max(now);
        if at < p.timer {
            p.timer = at;
            self.heap.at(at, Event::Timer { who, life });
        }
    }

    fn role(&mut self, who: Who, change: &RoleChange) {
        self.say(|| {
            let RoleChange { role, leader, epoch, serving, why } = change;
            format!("{} is {role:?} of {leader:?} in epoch {epoch}, serving {serving}: {why}", id(who))
        });
        // What it applied before its role ended it served.
        self.deliver(who);
        self.see(&Seen::Role { who, change });
        let page = &mut self.book.pages[who];
        (page.role, page.epoch) = (change.role, change.epoch);
        page.serving = change.serving && change.role != Role::Looking;
        page.reads = change.serving && change.role == Role::Looking;
        page.leader = change.leader.map(who_of);
        if change.role == Role::Leading && change.serving {
            self.book.leaders.insert(change.epoch, who);
        }
    }

    fn new_config(&mut self, who: Who, ensemble: Ensemble, active: bool) {
        self.say(|| format!("{}: configuration {:x}, active {active}", id(who), ensemble.version));
        let known = self.book.ensembles.iter().any(|e| e.version == ensemble.version);
        if !known {
            self.book.ensembles.insert(0, ensemble.clone());
            self.book.ensembles.sort_by_key(|e| std::cmp::Reverse(e.version));
            self.summary.reconfigurations += 1;
        }
        let machine = &mut self.machines[who];
        // A file that cannot be written is no reason to stop: its member starts with the older one.
        let folder = Path::new("/conf");
        let written = machine.disk.create_dir_all(folder);
        if let Err(e) = written.and_then(|()| machine.disk.replace(&folder.join("dynamic"), b"").map(drop)) {
            return self.say(|| format!("{} cannot write its configuration: {e}", id(who)));
        }
        match active {
            true => (machine.ensemble, machine.next) = (ensemble, None),
            false => machine.next = Some(ensemble),
        }
    }
}

#[test]
fn a_timer_fires_when_its_clock_has_reached_it_and_not_before() {
    for drift in [-50_000, -1, 0, 7, 50_000] {
        for shown in [0, 1, 999, 1_000_003, 120_000_000_000] {
            let at = reached(shown, drift);
            assert!(drifted(at, drift) >= shown, "{shown} {drift}");
            assert!(at == 0 || drifted(at - 1, drift) < shown, "{shown} {drift}");
        }
    }
    assert_eq!(reached(u64::MAX - 1, -50_000), Time::MAX, "never is never");
}
