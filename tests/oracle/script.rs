//! Scripts: what is sent, by which session, in which order.
//!
//! # Invariants
//! * A script names nothing that a server chooses: zxids are relative to the script's start, sessions
//!   are numbered slots. So the same script means the same to two servers.

use std::fmt;

/// Sessions of a script.
pub const SLOTS: usize = 4;

/// A piece of a request body.
#[derive(Clone, PartialEq, Debug)]
pub enum Piece {
    /// As it is.
    Bytes(Vec<u8>),
    /// A zxid, relative to the script's start.
    Zxid(i64),
}

/// One request frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// The xid.
    pub xid: i32,
    /// Op code number, known or not.
    pub op: i32,
    /// The record.
    pub body: Vec<Piece>,
    /// A length field other than the true one: the frame's end.
    pub length: Option<i32>,
    /// For people.
    pub text: String,
}

impl Frame {
    /// Does a server close the connection behind its answer? Op codes that clients may not send, and
    /// lengths that no frame has.
    pub fn ends_connection(&self) -> bool {
        self.length.is_some() || matches!(self.op, 13 | 0 | -1 | 10 | 23 | 99 | 108 | i32::MAX)
    }

    /// The frame's bytes when the script's zxids start at `base`.
    pub fn bytes(&self, base: i64) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.xid.to_be_bytes());
        body.extend_from_slice(&self.op.to_be_bytes());
        for piece in &self.body {
            match piece {
                Piece::Bytes(bytes) => body.extend_from_slice(bytes),
                Piece::Zxid(relative) => body.extend_from_slice(&(base + relative).to_be_bytes()),
            }
        }
        if let Some(length) = self.length {
            return length.to_be_bytes().to_vec();
        }
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        frame
    }
}

/// How a connection begins.
#[derive(Clone, PartialEq, Debug)]
pub enum Connect {
    /// With a new session.
    New,
    /// With the slot's own session, its connection still open or not.
    Renew,
    /// With the session of another slot.
    Steal(usize),
    /// With the slot's session id and a wrong password.
    WrongPassword,
    /// With a session id that no server ever gave.
    Unknown,
    /// With bytes that are no connect request.
    Garbage(Vec<u8>),
}

/// One step.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// Opens a connection.
    Connect {
        /// Whose.
        slot: usize,
        /// How.
        how: Connect,
        /// Time-out to ask for, ms.
        timeout: i32,
        /// The read-only byte, if it is sent.
        read_only: Option<bool>,
        /// Last zxid seen, relative to the script's start; `None` is 0.
        seen: Option<i64>,
    },
    /// Sends frames in one go and reads all replies.
    Burst {
        /// Who.
        slot: usize,
        /// What.
        frames: Vec<Frame>,
    },
    /// Cuts the connection; the session lives.
    Drop {
        /// Whose.
        slot: usize,
    },
    /// Cuts the connection and waits until the server has expired the session.
    Expire {
        /// Whose.
        slot: usize,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Connect { slot, how, timeout, read_only, seen } => {
                write!(f, "S{slot} connect {how:?} timeout={timeout} read_only={read_only:?} seen={seen:?}")
            }
            Step::Burst { slot, frames } => {
                for frame in frames {
                    write!(f, "S{slot} > xid={} {}; ", frame.xid, frame.text)?;
                }
                Ok(())
            }
            Step::Drop { slot } => write!(f, "S{slot} drops its connection"),
            Step::Expire { slot } => write!(f, "S{slot} falls silent until it expires"),
        }
    }
}

/// A script.
#[derive(Clone, PartialEq, Debug)]
pub struct Script {
    /// What it was made from.
    pub seed: u64,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// A request that servers are meant to answer differently, sent by a session of its own when
    /// everything else is compared: what it does to a server is not.
    pub finale: Option<Finale>,
}

/// The end of a script.
#[derive(Clone, PartialEq, Debug)]
pub enum Finale {
    /// A request.
    Request(Frame),
    /// A second connection that wants the session with a wrong password.
    WrongPassword,
}

impl Finale {
    /// The request, if it is one.
    pub fn frame(&self) -> Option<&Frame> {
        match self {
            Finale::Request(frame) => Some(frame),
            Finale::WrongPassword => None,
        }
    }
}

impl Script {
    /// Requests in it.
    pub fn requests(&self) -> usize {
        self.steps.iter().map(|s| if let Step::Burst { frames, .. } = s { frames.len() } else { 1 }).sum()
    }

    /// Its smallest parts: a step, or a frame of a burst.
    pub fn atoms(&self) -> Vec<(usize, usize)> {
        let mut atoms = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let parts = if let Step::Burst { frames, .. } = step { frames.len() } else { 1 };
            atoms.extend((0..parts).map(|part| (at, part)));
        }
        atoms.extend(self.finale.iter().map(|_| (self.steps.len(), 0)));
        atoms
    }

    /// The script of only these atoms (sorted).
    pub fn keep(&self, atoms: &[(usize, usize)]) -> Script {
        let mut steps = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let parts: Vec<usize> = atoms.iter().filter(|(s, _)| *s == at).map(|(_, p)| *p).collect();
            match step {
                _ if parts.is_empty() => {}
                Step::Burst { slot, frames } => {
                    let frames = parts.iter().filter_map(|p| frames.get(*p).cloned()).collect();
                    steps.push(Step::Burst { slot: *slot, frames });
                }
                step => steps.push(step.clone()),
            }
        }
        let finale = self.finale.clone().filter(|_| atoms.contains(&(self.steps.len(), 0)));
        Script { seed: self.seed, steps, finale }
    }
}
