//! One run: clients, node, storage and a disk, driven by one random stream.
//!
//! # Invariants
//!
//! * Nothing but the seed decides; time moves only when the world says so.
//! * Entries handed to the log complete later or never: a crash may come in between.

use super::check::{self, Answer};
use super::client::Client;
use super::history::{History, dump};
use oxkeeper::config::Settings;
use oxkeeper::disk::Durable;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::driver::{Branch, SnapshotJob, SnapshotPolicy, Spread, Worker, start};
use oxkeeper::jute::Reader;
use oxkeeper::proto::{ConnectRequest, ConnectResponse, ReplyHeader};
use oxkeeper::replica::{
    Accepted, Conn, Event, Input, Node, Observe, ReplicaConfig, SessionEvent, Shared, StorageState, Wake,
    accept,
};
use oxkeeper::storage::{Dirs, Room, Rules};
use oxkeeper::types::{ConnId, Instant, Now, Zxid};
use oxkeeper::zab::Proposal;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a run shall be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    pub seed: u64,
    /// Events before the liveness phase.
    pub events: usize,
    /// Crash right after this event.
    pub crash_at: Option<usize>,
    /// Crash at random.
    pub crashes: bool,
    /// Full disks, pauses, clock jumps.
    pub faults: bool,
    pub print: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub acknowledged: u64,
    pub transactions: u64,
    pub crashes: u64,
    pub snapshots: u64,
    pub expired: u64,
    pub full: u64,
    pub simulated_ms: u64,
    /// Hash over everything that left the node.
    pub trace: u64,
}

impl Summary {
    pub fn add(&mut self, o: &Summary) {
        self.acknowledged += o.acknowledged;
        self.transactions += o.transactions;
        self.crashes += o.crashes;
        self.snapshots += o.snapshots;
        self.expired += o.expired;
        self.full += o.full;
        self.simulated_ms += o.simulated_ms;
        self.trace ^= o.trace;
    }
}

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

#[derive(Default)]
struct Watcher {
    expired: AtomicU64,
}
impl Observe for Watcher {
    fn note(&self, event: &Event<'_>) {
        match event {
            Event::DigestMismatch { .. } => panic!("I9: {event:?}"),
            Event::Session { what: SessionEvent::Expired, .. } => {
                self.expired.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// What is on its way between node and disk.
struct Log {
    worker: Worker<MemDisk>,
    /// With the worker, not yet written.
    handed: Option<Vec<Proposal>>,
    /// Written; the proof is on its way.
    proven: Option<(Option<Durable<Zxid>>, StorageState, bool)>,
}

pub struct World {
    plan: Plan,
    rng: Spread,
    disk: MemDisk,
    dirs: Dirs,
    rules: Rules,
    settings: Settings,
    config: ReplicaConfig,
    node: Node,
    shared: Arc<Shared>,
    log: Log,
    job: Option<SnapshotJob<MemDisk>>,
    appends: Vec<Proposal>,
    clients: Vec<Client>,
    history: History,
    watcher: Arc<Watcher>,
    now: Now,
    next_conn: u64,
    /// I2: the largest zxid that any client was told.
    told: i64,
    full: bool,
    hash: DefaultHasher,
    summary: Summary,
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.session.tick_time = 1000;
    s.session.min_session_timeout = 2000;
    s.session.max_session_timeout = 20_000;
    s.storage.snap_count = 60;
    s.storage.pre_alloc_size = 4096;
    s
}

impl World {
    pub fn new(plan: Plan) -> World {
        let mut rng = Spread::new(plan.seed);
        let settings = settings();
        let config = ReplicaConfig::standalone(&settings, 7);
        let disk = MemDisk::new();
        let dirs = Dirs::new(Path::new("/data"), Path::new("/data"));
        let mut rules = Rules::of(&settings.storage);
        rules.room = Room { full_below: 8 << 10, good_from: 16 << 10, reserve: 4 << 10 };
        let now = Now { mono: Instant::from_millis(10_000), wall_ms: 1_700_000_000_000 };
        let watcher = Arc::new(Watcher::default());
        let found = start(&disk, &dirs, &rules, config.tree).expect("a fresh disk");
        let node = Node::new(config.clone(), found.recovered, now, watcher.clone());
        let policy = SnapshotPolicy::new(&settings.storage, rng.below(u64::MAX));
        let worker = Worker::new(found.storage, policy);
        World {
            shared: node.shared(),
            history: History::new(config.tree),
            clients: (0..4).map(|_| Client::default()).collect(),
            log: Log { worker, handed: None, proven: None },
            job: None,
            appends: Vec::new(),
            next_conn: 0,
            told: 0,
            full: false,
            hash: DefaultHasher::new(),
            summary: Summary::default(),
            plan,
            rng,
            disk,
            dirs,
            rules,
            settings,
            config,
            node,
            watcher,
            now,
        }
    }

    pub fn run(mut self) -> Summary {
        for event in 0..self.plan.events {
            self.event();
            if self.plan.crash_at == Some(event) || (self.plan.crashes && self.rng.below(200) == 0) {
                self.crash();
            }
        }
        self.live();
        self.summary.expired = self.watcher.expired.load(Ordering::Relaxed);
        self.summary.transactions = self.node.last_proposed().0 as u64;
        self.summary.simulated_ms = self.now.mono.millis() - 10_000;
        self.summary.trace = self.hash.finish();
        self.summary
    }

    /// One thing happens.
    fn event(&mut self) {
        match self.rng.below(100) {
            0..=54 => self.client_acts(),
            55..=69 => self.hand_over(),
            70..=84 => self.prove(),
            85..=90 => self.snapshot_step(),
            91..=96 => self.time_passes(),
            97 => self.connection_breaks(),
            _ if self.plan.faults => self.fault(),
            _ => {}
        }
        self.collect();
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.plan.print {
            println!("{:>8} ms {}", self.now.mono.millis(), what());
        }
    }

    fn client_acts(&mut self) {
        let i = self.rng.below(self.clients.len() as u64) as usize;
        if self.clients[i].conn.is_none() {
            self.dial(i);
        } else if !self.clients[i].connecting && self.clients[i].session.is_some() {
            let body = self.clients[i].ask(&mut self.rng);
            self.say(|| format!("client {i}: {:?}", self.clients[i].sent.back()));
            self.feed(i, &body);
        }
    }

    fn dial(&mut self, i: usize) {
        self.next_conn += 1;
        let peer = "10.0.0.1:5000".parse().expect("an address");
        let conn = Conn::new(ConnId(self.next_conn), peer, false, self.now, Box::new(NoWake));
        let c = &mut self.clients[i];
        c.conn = Some(conn);
        c.connecting = true;
        let (session_id, password) = c.session.clone().unwrap_or((0, vec![0; 16]));
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: c.last_zxid,
            timeout: 4000,
            session_id,
            password,
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.feed(i, &frame[4..]);
    }

    fn feed(&mut self, i: usize, body: &[u8]) {
        let Some(conn) = self.clients[i].conn.clone() else { return };
        let now = Now { mono: self.now.mono, wall_ms: self.now.wall_ms };
        match accept(&self.shared, &conn, body, now.mono, now, false) {
            Accepted::Answered => {}
            Accepted::ToCore(input) => self.node.handle(input, now),
            Accepted::Close(why) => panic!("a good client is refused: {why}"),
            Accepted::Sasl { .. } => panic!("nobody logs in here"),
            Accepted::Finish => {}
        }
        self.take_appends();
    }

    fn take_appends(&mut self) {
        let from = self.appends.len();
        self.node.take_appends(&mut self.appends);
        for a in &self.appends[from..] {
            self.history.appended(a.zxid, &a.bytes);
        }
    }

    /// The log thread takes what piled up.
    fn hand_over(&mut self) {
        if self.log.handed.is_none() && self.log.proven.is_none() && !self.appends.is_empty() {
            self.log.handed = Some(std::mem::take(&mut self.appends));
        }
        // Writing and telling are two moments: a crash may come in between.
        if self.rng.below(2) == 0 {
            self.write();
        }
    }

    fn write(&mut self) {
        if let Some(mut batch) = self.log.handed.take() {
            let done = self.log.worker.append(&mut batch);
            self.log.proven = Some((done.durable, done.state, done.snapshot_due));
        }
    }

    fn prove(&mut self) {
        self.write();
        let Some((durable, state, due)) = self.log.proven.take() else { return };
        self.node.handle_storage(state);
        if let Some(proof) = durable {
            self.say(|| format!("durable up to {}", proof.get()));
            self.node.handle_durable(&proof, self.now);
        }
        if due && self.job.is_none() {
            let dir = self.dirs.snap();
            self.job =
                SnapshotJob::begin(&self.shared, &self.disk, &dir, &self.rules, &Branch::default()).ok();
        }
    }

    fn snapshot_step(&mut self) {
        let Some(mut job) = self.job.take() else { return };
        match job.step(64) {
            Ok(true) => self.job = Some(job),
            Ok(false) => {
                if let Ok(done) = job.finish() {
                    self.summary.snapshots += 1;
                    self.say(|| format!("snapshot {}", done.get().zxid));
                    if self.rng.below(3) == 0 {
                        let _ = self.log.worker.purge(3);
                    }
                }
            }
            Err(_) => {}
        }
    }

    fn time_passes(&mut self) {
        let ms = 1 + self.rng.below(700);
        self.now.mono = self.now.mono + Duration::from_millis(ms);
        self.now.wall_ms += ms as i64;
        // Some clients ping in time, some do not.
        for i in 0..self.clients.len() {
            if self.rng.below(3) != 0 && !self.clients[i].connecting && self.clients[i].conn.is_some() {
                let body = self.clients[i].ping();
                self.feed(i, &body);
            }
        }
        if self.node.poll_timeout() <= self.now.mono {
            self.node.handle_timeout(self.now);
            self.take_appends();
        }
        self.check_disk();
    }

    /// The log thread looks after the disk when it has nothing else to do.
    fn check_disk(&mut self) {
        if self.log.handed.is_none() && self.log.proven.is_none() {
            let done = self.log.worker.check();
            self.full = done.state == StorageState::Full;
            self.log.proven = Some((done.durable, done.state, done.snapshot_due));
        }
    }

    fn connection_breaks(&mut self) {
        let i = self.rng.below(self.clients.len() as u64) as usize;
        self.lose(i);
    }

    fn lose(&mut self, i: usize) {
        if let Some(conn) = self.clients[i].conn.clone() {
            self.clients[i].lose_connection();
            self.node.handle(Input::Gone { conn }, self.now);
            self.take_appends();
        }
    }

    fn fault(&mut self) {
        match self.rng.below(4) {
            0 => self.now.wall_ms += self.rng.below(7_200_000) as i64 - 3_600_000,
            1 => {
                // The process stood still: no session may expire for it.
                let expired = self.watcher.expired.load(Ordering::Relaxed);
                self.now.mono = self.now.mono + Duration::from_secs(100);
                self.node.handle_timeout(self.now);
                self.take_appends();
                assert_eq!(
                    self.watcher.expired.load(Ordering::Relaxed),
                    expired,
                    "I10: a pause expired a session"
                );
            }
            2 if !self.full => {
                let room = 1024 + self.rng.below(20 << 10);
                let used: u64 = self.disk.used();
                self.disk.set_capacity(Some(used + room));
                self.summary.full += 1;
            }
            _ => self.disk.set_capacity(None),
        }
    }

    /// Takes and checks everything that left the node.
    fn collect(&mut self) {
        let mut answers = Vec::new();
        let mut closed = Vec::new();
        for i in 0..self.clients.len() {
            let (frames, close) = self.clients[i].frames();
            for frame in frames {
                (i, &frame).hash(&mut self.hash);
                if std::mem::take(&mut self.clients[i].connecting) {
                    self.connected(i, &frame);
                    continue;
                }
                let mut r = Reader::new(&frame);
                let header = ReplyHeader::decode(&mut r).expect("a header");
                answers.push(Answer { client: i, header, body: r.rest().to_vec() });
            }
            if close {
                closed.push(i);
            }
        }
        answers.sort_by_key(|a| a.header.zxid);
        for a in &answers {
            self.told = self.told.max(a.header.zxid.0);
            if check::answer(&mut self.clients[a.client], &mut self.history, a) {
                self.summary.acknowledged += 1;
            }
        }
        self.check_promise(!answers.is_empty());
        for i in closed {
            self.closed(i);
        }
    }

    fn connected(&mut self, i: usize, frame: &[u8]) {
        let response = ConnectResponse::decode(frame).expect("a connect response");
        self.say(|| format!("client {i}: session 0x{:x}", response.session_id));
        let c = &mut self.clients[i];
        c.session = (response.session_id != 0).then(|| (response.session_id, response.password.to_vec()));
    }

    /// The server closed the connection: after a close, an expiry, or a refusal.
    fn closed(&mut self, i: usize) {
        let over = {
            let session = self.clients[i].session.as_ref().map_or(0, |(id, _)| *id);
            !self.shared.store().sessions.contains_key(&session)
        };
        self.lose(i);
        if over {
            self.clients[i].session = None;
        }
    }

    /// I4: at the instant an answer is out, the disk that a crash would leave now recovers to a
    /// state that contains it.
    fn check_promise(&mut self, answered: bool) {
        if !answered || self.rng.below(16) != 0 {
            return;
        }
        let image = self.disk.crash_losing_all();
        let found = start(&image, &self.dirs, &self.rules, self.config.tree).expect("I4: the image recovers");
        assert!(found.last.0 >= self.told, "I4: told {:#x}, durable {}", self.told, found.last);
    }

    fn crash(&mut self) {
        self.summary.crashes += 1;
        self.say(|| "crash".into());
        self.job = None;
        let rng = &mut self.rng;
        let disk = self.disk.crash(&mut |n| rng.below(n as u64) as usize);
        self.disk = disk;
        let found = start(&self.disk, &self.dirs, &self.rules, self.config.tree)
            .unwrap_or_else(|e| panic!("I14: recovery refuses after a mere crash: {e}"));
        assert!(found.last.0 >= self.told, "I2: told {:#x}, recovered {}", self.told, found.last);
        assert!(found.differences.is_empty(), "I9: {:?}", found.differences);
        self.now.mono = self.now.mono + Duration::from_millis(500);
        self.now.wall_ms += 500;
        let node = Node::new(self.config.clone(), found.recovered, self.now, self.watcher.clone());
        let policy = SnapshotPolicy::new(&self.settings.storage, self.rng.below(u64::MAX));
        self.log = Log { worker: Worker::new(found.storage, policy), handed: None, proven: None };
        self.appends.clear();
        self.shared = node.shared();
        self.node = node;
        let (tree, sessions) = self.history.crashed(found.last);
        {
            let mut store = self.shared.store_mut();
            let held = store.sessions.clone();
            assert!(dump(&mut store.tree, &held) == dump(tree, sessions), "I8: recovery is not replay");
        }
        for c in &mut self.clients {
            c.lose_connection();
        }
        self.full = false;
    }

    /// I15: without faults everything under way is answered.
    fn live(&mut self) {
        self.disk.set_capacity(None);
        for _ in 0..200 {
            self.hand_over();
            self.prove();
            self.check_disk();
            self.prove();
            self.snapshot_step();
            self.collect();
        }
        for (i, c) in self.clients.iter().enumerate() {
            let open = c.conn.as_ref().is_some_and(|conn| conn.in_flight() > 0);
            assert!(!open && !c.connecting, "I15: client {i} waits for ever: {:?}", c.sent);
        }
        assert_eq!(self.shared.outstanding(), 0, "I15");
    }
}
