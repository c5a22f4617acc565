//! What a run shall be: everything that decides it.
//!
//! # Invariants
//!
//! * Equal plans give equal runs, to the last byte of the trace.
//! * A plan without a schedule of its own draws it from the seed.

use crate::clients::Mix;
use crate::faults::Fault;
use crate::heap::{MS, SECOND, Time};
use oxkeeper::driver::Spread;
use std::collections::BTreeSet;

/// The shape of the world.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Members that vote at the beginning.
    pub voters: usize,
    /// Members that observe.
    pub observers: usize,
    /// Do reconfigurations happen?
    pub reconfigures: bool,
    /// Clients.
    pub clients: usize,
    /// Requests that a client keeps under way.
    pub depth: usize,
    /// Mean time between a client's requests.
    pub think: Time,
    /// Mean delay of the network.
    pub way: Time,
    /// Mean time of a sync.
    pub sync: Time,
    /// What clients ask.
    pub mix: Mix,
    /// `snapCount`.
    pub snap_count: u32,
    /// `commitLogCount`.
    pub window: usize,
    /// Transactions that are left to the first epoch's counter, if the world begins near its end.
    pub left: Option<u32>,
    /// Do the clocks of members drift, each by up to a twentieth?
    pub drifts: bool,
    /// `localSessionsEnabled` and `localSessionsUpgradingEnabled`.
    pub local: bool,
    /// `readonlymode.enabled`, and clients that would read where nobody leads.
    pub read_only: bool,
    /// `linearizableSync`.
    pub linear: bool,
}

impl Shape {
    /// All members.
    pub fn members(&self) -> usize {
        self.voters + self.observers
    }

    /// Drawn from the seed: every run has a shape of its own.
    pub fn draw(seed: u64) -> Shape {
        let mut rng = Spread::new(seed ^ 0x5a4e);
        let voters = [3, 3, 3, 3, 5, 5, 7][rng.below(7) as usize];
        let observers = [0, 0, 1, 2][rng.below(4) as usize];
        let clients = 3 + rng.below(3) as usize;
        Shape {
            voters,
            observers,
            reconfigures: rng.below(4) == 0,
            clients,
            depth: [1, 1, 4][rng.below(3) as usize],
            // Ten to thirty requests a second over all clients.
            think: clients as Time * SECOND / (10 + rng.below(20)),
            way: [MS / 10, MS, 5 * MS][rng.below(3) as usize],
            sync: [MS / 5, 2 * MS, 10 * MS][rng.below(3) as usize],
            mix: Mix { writes: 50 + rng.below(40), watches: rng.below(50), registers: 2 + rng.below(5) },
            snap_count: [20, 60, 100_000][rng.below(3) as usize],
            window: [5, 20, 500][rng.below(3) as usize],
            left: (rng.below(10) == 0).then(|| rng.below(200) as u32),
            drifts: rng.below(3) == 0,
            linear: rng.below(2) == 0,
            local: false,
            read_only: false,
        }
        .with_modes(&mut rng)
    }

    /// A server that only reads has no sessions to give but local ones.
    fn with_modes(self, rng: &mut Spread) -> Shape {
        let local = rng.below(3) == 0;
        Shape { local, read_only: local && rng.below(3) != 0, ..self }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// The world.
    pub shape: Shape,
    /// Virtual time of the phase with faults.
    pub length: Time,
    /// The schedule; `None` draws it.
    pub faults: Option<Vec<Fault>>,
    /// Is the trace printed?
    pub print: bool,
    /// The only checker that is on.
    pub only: Option<u8>,
    /// Checkers that are off.
    pub off: BTreeSet<u8>,
    /// One of so many promises is held against a recovered crash image.
    pub image_every: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Plan {
        Plan {
            seed,
            shape: Shape::draw(seed),
            length: 116 * SECOND,
            faults: None,
            print: false,
            only: None,
            off: BTreeSet::new(),
            image_every: 64,
        }
    }

    /// Its schedule.
    pub fn schedule(&self) -> Vec<Fault> {
        let draw = || crate::faults::draw(self.seed, &self.shape, 5 * SECOND, self.length);
        self.faults.clone().unwrap_or_else(draw)
    }
}
