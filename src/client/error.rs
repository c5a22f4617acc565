//! What can go wrong for a client: who did it, and what helps.
//!
//! # Invariants
//!
//! * Every error has a culprit and, where ZooKeeper has one, its error code.

use crate::error::{Code, Culprit};
use crate::jute::JuteError;
use crate::types::path::PathError;
use std::fmt;

/// Why a request, or a whole session, failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientError {
    /// The server answered with an error code.
    Refused {
        /// Its code.
        code: Code,
        /// The znode that was asked for, as the caller named it; empty if there is none.
        path: String,
    },
    /// A multi was refused as a whole; nothing of it happened.
    Multi {
        /// Position of the operation that failed, from 0.
        index: usize,
        /// Its code.
        code: Code,
        /// Its znode.
        path: String,
    },
    /// The connection went away before the reply: whether the request took effect is unknown.
    ConnectionLost(String),
    /// No server could be reached, or none took the session; nothing was sent.
    Unreachable(String),
    /// The ensemble dropped the session, with its ephemeral znodes and watches.
    SessionExpired,
    /// An identity was refused; the session is over.
    AuthFailed(String),
    /// This handle's session was closed by its owner.
    Closed,
    /// The path is no znode path.
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: PathError,
    },
    /// Settings or connect string are wrong.
    Config(String),
    /// The server sent something that the protocol does not allow.
    Protocol(String),
}

impl ClientError {
    /// ZooKeeper's code for this failure, the one that Java's client would throw.
    pub fn code(&self) -> Code {
        match self {
            ClientError::Refused { code, .. } | ClientError::Multi { code, .. } => *code,
            ClientError::ConnectionLost(_) | ClientError::Unreachable(_) | ClientError::Protocol(_) => {
                Code::ConnectionLoss
            }
            ClientError::SessionExpired | ClientError::Closed => Code::SessionExpired,
            ClientError::AuthFailed(_) => Code::AuthFailed,
            ClientError::Path { .. } | ClientError::Config(_) => Code::BadArguments,
        }
    }

    /// Who has to act.
    pub fn culprit(&self) -> Culprit {
        match self {
            ClientError::Refused { .. } | ClientError::Multi { .. } => Culprit::Refused,
            ClientError::Protocol(_) | ClientError::ConnectionLost(_) | ClientError::Unreachable(_) => {
                Culprit::Peer
            }
            ClientError::AuthFailed(_) | ClientError::Config(_) => Culprit::Config,
            ClientError::SessionExpired | ClientError::Closed | ClientError::Path { .. } => Culprit::Client,
        }
    }

    /// The same failure seen from a request about `path`.
    pub fn about(self, path: &str) -> ClientError {
        match self {
            ClientError::Refused { code, .. } => ClientError::Refused { code, path: path.to_owned() },
            other => other,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.culprit())?;
        match self {
            ClientError::Refused { code, path } if path.is_empty() => write!(f, "{code:?}"),
            ClientError::Refused { code, path } => write!(f, "{code:?} for {path}"),
            ClientError::Multi { index, code, path } => {
                write!(f, "nothing was done: operation {index} of the multi failed with {code:?} for {path}")
            }
            ClientError::ConnectionLost(why) => {
                write!(
                    f,
                    "connection lost ({why}); the request may or may not have taken effect, read before you repeat it"
                )
            }
            ClientError::Unreachable(why) => write!(f, "{why}; check that a server runs there and serves"),
            ClientError::SessionExpired => f.write_str(
                "the session expired; open a new one and create its ephemeral znodes and watches again",
            ),
            ClientError::AuthFailed(why) => {
                write!(f, "authentication failed ({why}); check scheme and credentials, then connect anew")
            }
            ClientError::Closed => f.write_str("this session was closed; connect anew"),
            ClientError::Path { path, problem } => write!(f, "{path:?} is no znode path: {problem:?}"),
            ClientError::Config(why) => f.write_str(why),
            ClientError::Protocol(why) => {
                write!(f, "the server broke the protocol: {why}; is this a ZooKeeper port?")
            }
        }
    }
}

impl std::error::Error for ClientError {}

impl From<JuteError> for ClientError {
    fn from(e: JuteError) -> ClientError {
        ClientError::Protocol(format!("undecodable reply, {e}"))
    }
}
