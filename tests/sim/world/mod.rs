//! The world: members, disks, network, clients and faults on one heap of events.
//!
//! # Invariants
//!
//! * Nothing but the plan decides; time moves only from event to event.
//! * Members are driven through the face that production drives, and nothing else.
//! * Whatever leaves a member was seen by the checkers before it arrives anywhere.

mod begin;
mod disks;
mod injected;
mod links;
mod live;
mod members;
mod wires;

use crate::book::Book;
use crate::check::{Checks, Seen, View};
use crate::clients::Client;
use crate::faults::{Fault, What};
use crate::heap::{Heap, MS, SECOND, Time};
use crate::history::{Delivered, History};
use crate::net::{Net, Who};
use crate::outcome::Summary;
use crate::plan::Plan;
use members::Machine;
use oxkeeper::config::Settings;
use oxkeeper::config::quorum::{Ensemble, Member as Line, MemberAddress, Role as Part};
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::driver::{Spread, start_member};
use oxkeeper::replica::ReplicaConfig;
use oxkeeper::replica::{Event as Told, Observe, SessionEvent};
use oxkeeper::storage::{Dirs, Room, Rules};
use oxkeeper::txn::Txn;
use oxkeeper::types::Zxid;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wires::Wire;

/// tickTime of all members.
pub const TICK: Time = SECOND;
/// initLimit, ticks.
pub const INIT_LIMIT: u32 = 10;
/// syncLimit, ticks.
pub const SYNC_LIMIT: u32 = 5;

/// Something to come.
pub enum Event {
    /// A process starts.
    Start { who: Who },
    /// A member's timer.
    Timer { who: Who, life: u32 },
    /// A notification arrives.
    Note { from: Who, to: Who, life: u32, bytes: Vec<u8> },
    /// An election connection is gone.
    PeerLost { at: Who, peer: Who, life: u32 },
    /// A connection to a quorum port is made, or not.
    Dialled { from: Who, to: Who, link: u64, life: u32 },
    /// Bytes arrive at an end of a connection; `None`: it ended.
    Bytes { pipe: u64, end: usize, bytes: Option<Vec<u8>> },
    /// A connection could not be made.
    Refused { who: Who, link: u64, life: u32 },
    /// The log thread takes what piled up.
    Work { who: Who, life: u32 },
    /// The log thread tells what it did.
    Done { who: Who, life: u32 },
    /// The log thread looks after the disk.
    Look { who: Who, life: u32 },
    /// The snapshot thread goes on.
    Step { who: Who, life: u32 },
    /// A client looks what it has to do.
    Client { number: usize },
    /// A client's frame arrives; `None`: its connection ended.
    Frame { wire: u64, body: Option<Vec<u8>> },
    /// A server's frames arrive. `last`: where its tree ended.
    Frames { wire: u64, bytes: Vec<u8>, close: bool, last: i64 },
    /// A fault begins.
    Fault(usize),
    /// A fault ends.
    Over(usize),
    /// Checkers look at the whole.
    Tick,
}

/// What members tell about themselves, as far as the world needs it.
pub struct Watcher {
    expired: AtomicU64,
    /// Is a member's own word on its digest a violation?
    digests: bool,
}

impl Observe for Watcher {
    fn note(&self, event: &Told<'_>) {
        match event {
            Told::DigestMismatch { .. } if self.digests => panic!("I9: a member says so itself: {event:?}"),
            Told::Session { what: SessionEvent::Expired, .. } => {
                self.expired.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// The world.
pub struct World {
    plan: Plan,
    schedule: Vec<Fault>,
    heap: Heap<Event>,
    rng: Spread,
    net: Net,
    machines: Vec<Machine>,
    clients: Vec<Client>,
    wires: BTreeMap<u64, Wire>,
    next_wire: u64,
    /// The network between clients and members, and the clients' dice.
    outside: Spread,
    book: Book,
    history: History,
    checks: Checks,
    watcher: Arc<Watcher>,
    settings: Settings,
    replica: ReplicaConfig,
    rules: Rules,
    dirs: Dirs,
    /// The greatest zxid that was acknowledged to anybody.
    floor: i64,
    /// Do clients ask?
    asking: bool,
    promises: u64,
    hash: DefaultHasher,
    summary: Summary,
}

fn settings(plan: &Plan) -> Settings {
    let mut s = Settings::default();
    s.session.tick_time = i32::try_from(TICK / MS).unwrap_or(1000);
    s.session.min_session_timeout = 2000;
    s.session.max_session_timeout = 20_000;
    s.storage.snap_count = plan.shape.snap_count;
    s.storage.pre_alloc_size = 4096;
    s.quorum.reconfig_enabled = true;
    s.auth.skip_acl = true;
    s
}

/// The configuration of the beginning: voters first, then observers.
fn ensemble(plan: &Plan) -> Ensemble {
    let mut e = Ensemble::default();
    for who in 0..plan.shape.members() {
        let role = if who < plan.shape.voters { Part::Participant } else { Part::Observer };
        e.members.insert(who as u64 + 1, line(who, role));
    }
    e
}

/// Is this invariant checked?
fn checks(plan: &Plan, number: u8) -> bool {
    plan.only.is_none_or(|n| n == number) && !plan.off.contains(&number)
}

/// A member's line.
pub fn line(who: Who, role: Part) -> Line {
    let host = format!("10.0.0.{}", who + 1);
    let addresses = vec![MemberAddress { host, quorum_port: 2888, election_port: 3888 }];
    let client = oxkeeper::config::quorum::ClientAddress { host: "0.0.0.0".to_owned(), port: 2181 };
    Line { addresses, role, client: Some(client) }
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(plan: Plan) -> World {
        let settings = settings(&plan);
        let mut rules = Rules::of(&settings.storage);
        rules.room = Room { full_below: 8 << 10, good_from: 16 << 10, reserve: 4 << 10 };
        let mut replica = ReplicaConfig::standalone(&settings, plan.seed);
        (replica.local_sessions, replica.local_sessions_upgrade) = (plan.shape.local, plan.shape.local);
        (replica.read_only_mode, replica.linearizable_sync) = (plan.shape.read_only, plan.shape.linear);
        let ensemble = ensemble(&plan);
        let mut seeds = Spread::new(plan.seed);
        let mut seed = || seeds.below(u64::MAX);
        let clients = (0..plan.shape.clients)
            .map(|n| Client::new(n, seed(), [3000, 4000, 8000][seed() as usize % 3]))
            .collect();
        let members = plan.shape.members();
        let left = plan.shape.left;
        let mut world = World {
            schedule: plan.schedule(),
            heap: Heap::new(),
            rng: Spread::new(seed()),
            net: Net::new(seed(), plan.shape.way),
            machines: (0..members).map(|_| Machine::new(ensemble.clone(), seed())).collect(),
            clients,
            wires: BTreeMap::new(),
            next_wire: 0,
            outside: Spread::new(seed()),
            book: Book::new(members, ensemble),
            history: History::new(replica.tree),
            checks: Checks::new(plan.only, plan.off.clone()),
            watcher: Arc::new(Watcher { expired: AtomicU64::new(0), digests: checks(&plan, 9) }),
            dirs: Dirs::new(Path::new("/data"), Path::new("/data")),
            floor: 0,
            asking: true,
            promises: 0,
            hash: DefaultHasher::new(),
            summary: Summary::default(),
            plan,
            settings,
            replica,
            rules,
        };
        for c in &mut world.clients {
            (c.peeks, c.linear) = (world.plan.shape.read_only && c.number < 2, world.plan.shape.linear);
        }
        if world.plan.shape.drifts {
            let mut rng = Spread::new(world.plan.seed ^ 0xc10c);
            world.machines.iter_mut().for_each(|m| m.drift = rng.below(100_001) as i64 - 50_000);
        }
        if let Some(left) = left {
            world.begin_at(Zxid::new(1, u32::MAX - 1 - left));
        }
        world
    }

    /// Runs the plan: a phase with faults, then one in which everything has to come back.
    pub fn run(mut self) -> Summary {
        for who in 0..self.machines.len() {
            let wait = self.rng.below(300 * MS);
            self.heap.after(wait, Event::Start { who });
        }
        for number in 0..self.clients.len() {
            let wait = self.outside.below(SECOND);
            self.heap.after(wait, Event::Client { number });
        }
        for n in 0..self.schedule.len() {
            self.heap.at(self.schedule[n].at, Event::Fault(n));
        }
        self.heap.after(TICK, Event::Tick);
        self.until(self.plan.length);
        self.live();
        self.summary.expired = self.watcher.expired.load(Ordering::Relaxed);
        if self.plan.shape.local {
            let opens = |d: &&Delivered| matches!(d.record.txn, Txn::CreateSession { .. });
            self.summary.upgrades = self.history.known.iter().filter(opens).count() as u64;
        }
        self.summary.transactions = self.history.log.len() as u64;
        self.summary.simulated_ms = self.heap.now() / MS;
        self.summary.acknowledged = self.acknowledged();
        self.summary.leaders = self.book.leaders.len() as u64;
        self.summary.trace = self.hash.finish();
        self.summary
    }

    fn until(&mut self, end: Time) {
        while let Some(event) = self.heap.next(end) {
            self.summary.steps += 1;
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        // A process that stands still takes nothing; it all waits for it.
        if let Some(who) = self.home(&event)
            && self.machines[who].paused > self.heap.now()
        {
            self.heap.at(self.machines[who].paused, event);
            return;
        }
        self.heap.now().hash(&mut self.hash);
        match event {
            Event::Start { who } => self.start(who),
            Event::Timer { who, life } if self.alive(who, life) => self.timer(who),
            Event::Note { from, to, life, bytes } if self.alive(to, life) => self.note(from, to, &bytes),
            Event::PeerLost { at, peer, life } if self.alive(at, life) => self.peer_lost(at, peer),
            Event::Dialled { from, to, link, life } if self.alive(from, life) => self.dialled(from, to, link),
            Event::Bytes { pipe, end, bytes } => self.arrive(pipe, end, bytes),
            Event::Refused { who, link, life } if self.alive(who, life) => {
                self.link_down(who, link, "refused");
            }
            Event::Work { who, life } if self.alive(who, life) => self.work(who),
            Event::Done { who, life } if self.alive(who, life) => self.done(who),
            Event::Look { who, life } if self.alive(who, life) => self.look(who),
            Event::Step { who, life } if self.alive(who, life) => self.step(who),
            Event::Client { number } => self.client(number),
            Event::Frame { wire, body } => self.frame(wire, body),
            Event::Frames { wire, bytes, close, last } => self.frames(wire, &bytes, close, last),
            Event::Fault(n) => self.fault(n),
            Event::Over(n) => self.over(n),
            Event::Tick => {
                self.see(&Seen::Tick);
                let oldest = self.clients.iter().filter_map(|c| c.sent.front()).map(|s| s.at).min();
                let waits = oldest.map_or(0, |at| (self.heap.now() - at) / MS);
                self.summary.longest_wait_ms = self.summary.longest_wait_ms.max(waits);
                self.net.sweep();
                self.heap.after(TICK, Event::Tick);
            }
            _ => {} // of a life that is over
        }
    }

    /// Whose process takes an event.
    fn home(&self, event: &Event) -> Option<Who> {
        match event {
            Event::Timer { who, .. }
            | Event::Refused { who, .. }
            | Event::Work { who, .. }
            | Event::Done { who, .. }
            | Event::Look { who, .. }
            | Event::Step { who, .. } => Some(*who),
            Event::Note { to, .. } => Some(*to),
            Event::PeerLost { at, .. } => Some(*at),
            Event::Dialled { to, .. } => Some(*to),
            Event::Bytes { pipe, end, .. } => self.net.pipes.get(pipe).map(|p| p.at(*end).0),
            Event::Frame { wire, .. } => self.wires.get(wire).map(|w| w.who),
            _ => None,
        }
    }

    fn alive(&self, who: Who, life: u32) -> bool {
        self.machines[who].life == life && self.machines[who].process.is_some()
    }

    /// Prints a line of the trace, if somebody wants it.
    fn say(&self, what: impl FnOnce() -> String) {
        if self.plan.print {
            println!("{:>10.3} ms {}", self.heap.now() as f64 / MS as f64, what());
        }
    }

    /// Shows something to the checkers.
    fn see(&mut self, seen: &Seen<'_>) {
        let view =
            View { book: &self.book, history: &self.history, now: self.heap.now(), tick: TICK, image: None };
        if let Err(what) = self.checks.see(&view, seen) {
            panic!("{what}");
        }
    }

    /// As [`World::see`], now and then with the crash image of this instant.
    fn see_promise(&mut self, seen: &Seen<'_>) {
        self.promises += 1;
        // What a damaged disk leaves is looked at when it is recovered.
        let damaged = matches!(seen, Seen::Sent { who, .. } if self.book.pages[*who].damaged);
        if damaged || !self.promises.is_multiple_of(self.plan.image_every) {
            return self.see(seen);
        }
        self.summary.images += 1;
        let (dirs, rules, tree) = (&self.dirs, &self.rules, self.replica.tree);
        let recover = |disk: &MemDisk| -> Result<i64, String> {
            let found = start_member(&disk.crash_losing_all(), dirs, rules, tree, 0);
            found.map(|f| f.start.last.0).map_err(|e| format!("the image does not recover: {e}"))
        };
        let view = View {
            book: &self.book,
            history: &self.history,
            now: self.heap.now(),
            tick: TICK,
            image: Some(&recover),
        };
        if let Err(what) = self.checks.see(&view, seen) {
            panic!("{what}");
        }
    }

    /// A member's tree went on: what it serves becomes history.
    fn deliver(&mut self, who: Who) {
        let page = &self.book.pages[who];
        if !page.serving {
            return;
        }
        let Some(process) = &self.machines[who].process else { return };
        let shared = process.shared.clone();
        let last = shared.store().tree.last_zxid().0;
        if last == page.delivered {
            return;
        }
        self.see(&Seen::Delivering { who, upto: last });
        let from = crate::history::upto(&self.book.pages[who].log, self.history.last());
        let to = crate::history::upto(&self.book.pages[who].log, last);
        for place in from..to {
            let next = self.book.pages[who].log[place].clone();
            if let Err(what) = self.history.deliver(&next) {
                panic!("{what}");
            }
            self.say(|| {
                format!("history: {} {:?}", Zxid(next.zxid), self.history.known.last().map(|k| &k.record))
            });
        }
        self.book.pages[who].delivered = last;
        self.see(&Seen::Delivered { who, tree: &shared.store().tree });
    }

    /// The schedule's fault.
    fn what(&self, n: usize) -> What {
        self.schedule[n].what.clone()
    }

    /// Writes that clients were told of.
    fn acknowledged(&self) -> u64 {
        self.clients.iter().map(|c| c.acknowledged).sum()
    }
}
