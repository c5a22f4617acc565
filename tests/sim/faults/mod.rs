//! Faults: a schedule that is drawn before the run, so that it can be shortened afterwards.
//!
//! # Invariants
//!
//! * The schedule depends on nothing but its seed and the shape of the world; the run depends on
//!   it only through the faults, so that a shorter schedule replays as exactly.
//! * Every fault ends before the liveness phase.

mod draw;
mod shrink;

pub use draw::draw;
pub use shrink::shrink;

use crate::heap::{SECOND, Time};
use crate::net::{Port, Who};
use std::fmt;

/// A fault, when it comes, and for how long.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// When.
    pub at: Time,
    /// For how long, where it has a length.
    pub lasts: Time,
    /// What.
    pub what: What,
}

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// A process dies, at once or in the middle of the n-th disk operation from then on.
    Crash { who: Who, op: Option<u64> },
    /// Whoever leads then dies.
    CrashLeader,
    /// All processes die at one instant.
    PowerCut,
    /// A process stands still.
    Pause { who: Who },
    /// Whoever leads then stands still.
    PauseLeader,
    /// Directions are cut, on one port or on both.
    Cut { directions: Vec<(Who, Who)>, port: Option<Port> },
    /// The connections of a member end, a prefix delivered.
    Reset { who: Who },
    /// A direction is slow.
    Slow { from: Who, to: Who, extra: Time },
    /// The wall clock jumps, ms.
    Wall { who: Who, ms: i64 },
    /// The disk has no room.
    Full { who: Who },
    /// The disk fails from its n-th operation on; an operator replaces nothing but starts it again.
    DiskFails { who: Who, op: u64 },
    /// Every disk operation takes longer.
    Stall { who: Who, extra: Time },
    /// The process dies and its disk is emptied.
    Wipe { who: Who },
    /// A bit of a file of the log, or of a snapshot, flips; the process dies with it, or lives on.
    Flip { who: Who, log: bool, dies: bool },
    /// Clients lose their connections.
    Disconnect,
    /// The leader is asked to hand over.
    Transfer { to: Option<Who> },
    /// A member leaves the ensemble, or joins it, by a client's request.
    Reconfigure { joins: Option<Who>, leaves: Option<Who>, observer: bool },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |t: Time| t as f64 / SECOND as f64;
        write!(f, "{:9.3} s, {:7.3} s long: {:?}", s(self.at), s(self.lasts), self.what)
    }
}
