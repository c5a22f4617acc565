//! The network between members: who reaches whom, on which port, and how long it takes.
//!
//! Connections are streams: bytes arrive in order or not at all. A cut direction holds what is
//! sent into it (the sender's kernel repeats it) until it heals or the connection ends.
//!
//! # Invariants
//!
//! * Within one direction of one connection nothing overtakes.
//! * A connection that ends has delivered a prefix of what was sent.

use crate::heap::{MS, Time};
use oxkeeper::driver::Spread;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Number of a member in the world, from 0. Its server id is one more.
pub type Who = usize;

/// The two ports between members.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Port {
    /// Notifications.
    Election,
    /// Leader and learners.
    Quorum,
}

/// A connection between a learner and a leader.
pub struct Pipe {
    /// Who dialled, and its number for the link.
    pub dialler: (Who, u64),
    /// Who accepted, and its number.
    pub acceptor: (Who, u64),
    /// Lives of the two processes when it was made: a restart ends it.
    pub lives: (u32, u32),
    /// Is an end still open? (dialler's, acceptor's)
    pub open: [bool; 2],
    /// When the last bytes of each direction arrive (from dialler, from acceptor).
    pub last: [Time; 2],
    /// History behind the snapshot that it carries, for the observer.
    pub snapshot: Option<crate::history::Log>,
    /// What a cut holds back; `None` is the end of the stream.
    pub held: [VecDeque<Option<Vec<u8>>>; 2],
}

/// Who reaches whom.
pub struct Net {
    /// Directions that are cut.
    cut: BTreeSet<(Who, Who, Port)>,
    /// Extra delay of a direction.
    slow: BTreeMap<(Who, Who), Time>,
    /// Connections by number.
    pub pipes: BTreeMap<u64, Pipe>,
    next: u64,
    /// Mean of a message's way, beyond the shortest.
    pub mean: Time,
    /// Newest notification that waits for a cut to heal.
    pub waiting: BTreeMap<(Who, Who), Vec<u8>>,
    /// Arrival of the last notification of a direction.
    pub last_note: BTreeMap<(Who, Who), Time>,
    rng: Spread,
}

/// Shortest way of a message.
const SHORTEST: Time = MS / 20;

impl Net {
    /// All connected; `mean` is the mean delay beyond the shortest.
    pub fn new(seed: u64, mean: Time) -> Net {
        Net {
            cut: BTreeSet::new(),
            slow: BTreeMap::new(),
            pipes: BTreeMap::new(),
            next: 0,
            mean,
            waiting: BTreeMap::new(),
            last_note: BTreeMap::new(),
            rng: Spread::new(seed),
        }
    }

    /// Does a message of `from` reach `to` now?
    pub fn reaches(&self, from: Who, to: Who, port: Port) -> bool {
        !self.cut.contains(&(from, to, port))
    }

    /// Cuts a direction.
    pub fn cut(&mut self, from: Who, to: Who, port: Port) {
        self.cut.insert((from, to, port));
    }

    /// Heals a direction.
    pub fn heal(&mut self, from: Who, to: Who, port: Port) {
        self.cut.remove(&(from, to, port));
    }

    /// Heals and speeds up everything.
    pub fn heal_all(&mut self) {
        self.cut.clear();
        self.slow.clear();
    }

    /// Adds to every message's way from one member to another; 0 takes it back.
    pub fn slow(&mut self, from: Who, to: Who, extra: Time) {
        match extra {
            0 => self.slow.remove(&(from, to)),
            _ => self.slow.insert((from, to), extra),
        };
    }

    /// Draws a message's way: exponential, as queues in a switch make it.
    pub fn way(&mut self, from: Who, to: Who) -> Time {
        let extra = self.slow.get(&(from, to)).copied().unwrap_or(0);
        SHORTEST + exponential(&mut self.rng, self.mean) + extra
    }

    /// A new connection.
    pub fn connect(&mut self, dialler: (Who, u64), acceptor: (Who, u64), lives: (u32, u32)) -> u64 {
        self.next += 1;
        let pipe = Pipe {
            dialler,
            acceptor,
            lives,
            open: [true; 2],
            last: [0; 2],
            snapshot: None,
            held: [VecDeque::new(), VecDeque::new()],
        };
        self.pipes.insert(self.next, pipe);
        self.next
    }

    /// Forgets connections that are closed at both ends.
    pub fn sweep(&mut self) {
        self.pipes.retain(|_, p| p.open != [false; 2]);
    }

    /// Connections with an end at a member.
    pub fn pipes_at(&self, who: Who) -> Vec<u64> {
        let at = |p: &Pipe| p.dialler.0 == who || p.acceptor.0 == who;
        self.pipes.iter().filter(|(_, p)| at(p)).map(|(n, _)| *n).collect()
    }
}

impl Pipe {
    /// The end of a member: 0 dialled, 1 accepted.
    pub fn end(&self, who: Who) -> usize {
        usize::from(self.dialler.0 != who)
    }

    /// Member and link number at an end.
    pub fn at(&self, end: usize) -> (Who, u64) {
        if end == 0 { self.dialler } else { self.acceptor }
    }

    /// The process's life at an end.
    pub fn life(&self, end: usize) -> u32 {
        if end == 0 { self.lives.0 } else { self.lives.1 }
    }
}

/// An exponential draw with a mean, at most twenty times it.
pub fn exponential(rng: &mut Spread, mean: Time) -> Time {
    let unit = (rng.below(1 << 30) + 1) as f64 / (1u64 << 30) as f64;
    ((-unit.ln() * mean as f64) as Time).min(mean.saturating_mul(20))
}
