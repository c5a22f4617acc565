//! A simulated client: what it asked, what it was told, what it may rely on.
//!
//! # Invariants
//!
//! * It believes only frames; a lost connection leaves its requests without an answer.
//! * It keeps a session as ZooKeeper's clients do: pings after a third of the time-out, another
//!   server after two thirds of silence, its watches set again behind every connect.

mod draw;

pub use draw::Mix;

use crate::heap::{MS, SECOND, Time};
use crate::history::told;
use crate::net::Who;
use oxkeeper::driver::Spread;
use oxkeeper::error::Code;
use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{ConnectRequest, OpCode, ReplyHeader, Request, SetWatches, xid};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Write { op: OpCode, path: String },
    Get { path: String, watch: bool },
    Exists { path: String, watch: bool },
    Children { path: String, watch: bool },
    AddWatch { path: String, kind: Kind },
    Sync,
    Ping,
    SetWatches,
    Close,
}

/// Something under way.
#[derive(Clone, Debug)]
pub struct Sent {
    pub xid: i32,
    pub ask: Ask,
    /// The greatest zxid that was acknowledged to anybody before it was asked.
    pub floor: i64,
    /// When.
    pub at: Time,
}

/// Kinds of watches, by what they are told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Of a node's data, or of its coming.
    Data,
    Child,
    Persistent,
    Recursive,
}

impl Kind {
    /// What it is told of its own path.
    pub fn tells(self) -> u8 {
        match self {
            Kind::Data => told::CREATED | told::DELETED | told::CHANGED,
            Kind::Child => told::CHILDREN | told::DELETED,
            Kind::Persistent => told::CREATED | told::DELETED | told::CHANGED | told::CHILDREN,
            Kind::Recursive => told::CREATED | told::DELETED | told::CHANGED,
        }
    }

    /// What an event's number tells.
    pub fn told(event: i32) -> u8 {
        [0, told::CREATED, told::DELETED, told::CHANGED, told::CHILDREN]
            .get(event as usize)
            .copied()
            .unwrap_or(0)
    }

    /// Is an event of this number meant for it?
    pub fn takes(self, event: i32) -> bool {
        self.tells() & Kind::told(event) != 0
    }

    fn stays(self) -> bool {
        matches!(self, Kind::Persistent | Kind::Recursive)
    }
}

/// A watch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Watch {
    pub path: String,
    pub kind: Kind,
}

impl Watch {
    /// Is an event about this path meant for it?
    pub fn covers(&self, path: &str) -> bool {
        let below =
            || path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('/') || self.path == "/");
        self.path == path || (self.kind == Kind::Recursive && below())
    }
}

/// How far a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No connection; it dials when its time comes.
    Away,
    /// Asked for a session.
    Connecting,
    /// Holds a session.
    There,
}

pub struct Client {
    pub number: usize,
    pub phase: Phase,
    /// Number of its connection in the world.
    pub wire: u64,
    /// The member it is connected to, or was last.
    pub at: Who,
    /// Session and password, once it has one.
    pub session: Option<(i64, Vec<u8>)>,
    pub timeout: i32,
    pub last_zxid: i64,
    pub sent: VecDeque<Sent>,
    /// Watches, and the zxid up to which nothing was to be told.
    pub watches: BTreeMap<Watch, i64>,
    /// When it last heard of its server, and when it last sent.
    pub heard: Time,
    pub spoke: Time,
    /// When it asks next.
    pub asks_at: Time,
    next_xid: i32,
    versions: BTreeMap<String, i32>,
    owned: Vec<String>,
    made: u32,
    pub rng: Spread,
    /// Does it now and then look for a server that only reads?
    pub peeks: bool,
    /// It looks for one with this connection, as another handle beside its session.
    pub peeking: bool,
    /// It found one, and stays until then.
    pub reads_only: bool,
    pub peek_until: Time,
    /// Does a sync answer for everything that was acknowledged before it?
    pub linear: bool,
    /// What was acknowledged to anybody before the last sync of this connection was asked.
    pub synced: i64,
    /// Writes that were acknowledged to it.
    pub acknowledged: u64,
}

impl Client {
    pub fn new(number: usize, seed: u64, timeout: i32) -> Client {
        Client {
            number,
            phase: Phase::Away,
            wire: 0,
            at: 0,
            session: None,
            timeout,
            last_zxid: 0,
            sent: VecDeque::new(),
            watches: BTreeMap::new(),
            heard: 0,
            spoke: 0,
            asks_at: 0,
            next_xid: 0,
            versions: BTreeMap::new(),
            owned: Vec::new(),
            made: 0,
            rng: Spread::new(seed),
            peeks: false,
            peeking: false,
            reads_only: false,
            peek_until: 0,
            linear: false,
            synced: 0,
            acknowledged: 0,
        }
    }

    /// The first frame of a connection, without its length.
    pub fn connect(&mut self, at: Who, wire: u64, now: Time) -> Vec<u8> {
        (self.at, self.wire, self.heard, self.spoke) = (at, wire, now, now);
        self.phase = Phase::Connecting;
        self.peeking = self.peeks && self.rng.below(3) == 0;
        let held = self.session.clone().filter(|_| !self.peeking);
        let (session_id, password) = held.unwrap_or((0, vec![0; 16]));
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: if self.peeking { 0 } else { self.last_zxid },
            timeout: self.timeout,
            session_id,
            password,
            read_only: Some(self.peeking),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        frame.split_off(4)
    }

    /// The connection is gone; the session is not.
    pub fn lose_connection(&mut self) {
        self.phase = Phase::Away;
        self.wire = 0;
        self.sent.clear();
        (self.peeking, self.reads_only, self.synced) = (false, false, 0);
    }

    /// The session is gone, and all that belonged to it.
    pub fn lose_session(&mut self) {
        self.session = None;
        self.watches.clear();
        self.owned.clear();
    }

    /// The server only reads: what is found there says nothing about what its session may rely on.
    pub fn welcomed_to_read(&mut self, now: Time) {
        (self.phase, self.reads_only, self.heard) = (Phase::There, true, now);
        self.peek_until = now + (1 + self.rng.below(4)) * SECOND;
    }

    /// Its session stands; the frame that sets its watches again, if it has some.
    pub fn welcomed(&mut self, session: i64, password: &[u8], now: Time) -> Option<Vec<u8>> {
        self.session = Some((session, password.to_vec()));
        self.phase = Phase::There;
        self.heard = now;
        if self.watches.is_empty() {
            return None;
        }
        let of = |kind: Kind| -> Vec<Cow<'static, str>> {
            let these = self.watches.keys().filter(|w| w.kind == kind);
            these.map(|w| Cow::Owned(w.path.clone())).collect()
        };
        // A watch on what was not there is an exist watch; which one it is the versions tell.
        let (data, exist) = of(Kind::Data).into_iter().partition(|p| self.versions.contains_key(p.as_ref()));
        let request = Request::SetWatches(SetWatches {
            relative_zxid: self.last_zxid,
            data,
            exist,
            child: of(Kind::Child),
            persistent: of(Kind::Persistent),
            recursive: of(Kind::Recursive),
        });
        Some(self.frame(OpCode::SetWatches2, &request, Ask::SetWatches, 0, now))
    }

    /// A ping.
    pub fn ping(&mut self, now: Time) -> Vec<u8> {
        self.frame(OpCode::Ping, &Request::Ping, Ask::Ping, 0, now)
    }

    /// Was its server silent for too long?
    pub fn is_left_alone(&self, now: Time) -> bool {
        now > self.heard + Time::from(self.timeout.unsigned_abs()) * MS * 2 / 3
    }

    /// Has it been silent itself for so long that a ping is due?
    pub fn is_quiet(&self, now: Time) -> bool {
        now > self.spoke + Time::from(self.timeout.unsigned_abs()) * MS / 4
    }

    fn frame(&mut self, op: OpCode, request: &Request<'_>, ask: Ask, floor: i64, now: Time) -> Vec<u8> {
        let number = match ask {
            Ask::Ping => xid::PING,
            Ask::SetWatches => xid::SET_WATCHES,
            _ => {
                self.next_xid += 1;
                self.next_xid
            }
        };
        self.spoke = now;
        self.sent.push_back(Sent { xid: number, ask, floor, at: now });
        let mut body = Vec::new();
        let mut w = Writer::new(&mut body);
        w.i32(number);
        w.i32(op.number());
        request.encode_record(&mut body);
        body
    }

    /// The oldest request is answered: what it may rely on from now on. True for a write that
    /// was acknowledged.
    pub fn answered(&mut self, sent: &Sent, header: &ReplyHeader, body: &[u8]) -> bool {
        let at = header.zxid.0;
        if self.reads_only {
            return false;
        }
        if header.xid != xid::PING {
            self.last_zxid = self.last_zxid.max(at);
        }
        let ok = header.err == 0;
        let missing = header.err == Code::NoNode.number();
        match &sent.ask {
            Ask::Get { path, watch } | Ask::Exists { path, watch } => {
                let exists = matches!(sent.ask, Ask::Exists { .. });
                match ok {
                    true => self.saw(path, body, exists),
                    false => drop(self.versions.remove(path)),
                }
                if *watch && (ok || (exists && missing)) {
                    self.watch(path, Kind::Data, at);
                }
            }
            Ask::Children { path, watch: true } if ok => self.watch(path, Kind::Child, at),
            Ask::AddWatch { path, kind } if ok => self.watch(path, *kind, at),
            Ask::Sync if ok && self.linear => self.synced = self.synced.max(sent.floor),
            Ask::SetWatches => self.watches.values_mut().for_each(|since| *since = at.max(*since)),
            Ask::Write { op, path } if ok => {
                if matches!(op, OpCode::Create | OpCode::Create2) && path.starts_with("/q/") {
                    let name = Reader::new(body).string().ok().flatten();
                    self.owned.extend(name.map(Cow::into_owned));
                }
                self.acknowledged += 1;
                return true;
            }
            _ => {}
        }
        false
    }

    fn watch(&mut self, path: &str, kind: Kind, since: i64) {
        self.watches.entry(Watch { path: path.to_owned(), kind }).or_insert(since);
    }

    /// Remembers a version for conditional writes.
    fn saw(&mut self, path: &str, body: &[u8], stat_only: bool) {
        let mut r = Reader::new(body);
        if !stat_only {
            let _data = r.buffer();
        }
        if let Ok(stat) = oxkeeper::jute::records::read_stat(&mut r) {
            self.versions.insert(path.to_owned(), stat.version);
        }
    }

    /// It is told of a change: one-shot watches are used up.
    pub fn told(&mut self, zxid: i64, event: i32, path: &str) {
        if event == 2 {
            self.versions.remove(path);
        }
        self.watches.retain(|w, since| {
            if !w.kind.takes(event) || !w.covers(path) {
                return true;
            }
            *since = zxid.max(*since);
            w.kind.stays()
        });
    }
}
