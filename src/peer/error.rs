//! Why bytes of a member are not what the protocol allows.
//!
//! # Invariants
//!
//! * Numbers are quoted, text never: what a stranger sends does not reach the log by an error.

use std::fmt;

/// Bytes that no member sends: the connection that brought them is to be closed, nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadPacket {
    /// A packet of a kind that does not exist.
    Kind(i32),
    /// A length (of what) is negative or beyond its bound.
    Length(&'static str, i64),
    /// Something has a form that its kind does not allow.
    Form(&'static str),
    /// The first number of an election connection is no known protocol version.
    Version(i64),
}

impl fmt::Display for BadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPacket::Kind(n) => write!(f, "{n} is no kind of packet"),
            BadPacket::Length(what, n) => write!(f, "{what} of the unreasonable length {n}"),
            BadPacket::Form(what) => write!(f, "{what}"),
            BadPacket::Version(n) => write!(f, "unknown protocol version {n}"),
        }
    }
}

impl std::error::Error for BadPacket {}
