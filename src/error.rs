//! ZooKeeper's error codes and the culprit behind each refusal.
//!
//! # Invariants
//!
//! * One table maps causes to codes; codes are those of `KeeperException.Code`.

use std::fmt;

/// Error codes that a server can put into a reply header (`KeeperException.Code`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(i32)]
pub enum Code {
    /// Success.
    Ok = 0,
    /// Boundary of the system errors; an unexpected condition of the server.
    SystemError = -1,
    /// A multi's sub operation after the failing one.
    RuntimeInconsistency = -2,
    /// A data inconsistency was found.
    DataInconsistency = -3,
    /// Client-side only.
    ConnectionLoss = -4,
    /// The request could not be decoded.
    MarshallingError = -5,
    /// Unknown op code, or a feature that is switched off.
    Unimplemented = -6,
    /// Client-side only.
    OperationTimeout = -7,
    /// Bad path, flag, TTL or reconfiguration text.
    BadArguments = -8,
    /// The session is not tracked.
    UnknownSession = -12,
    /// No quorum of the new configuration is in sync.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is pending.
    ReconfigInProgress = -14,
    /// The znode, or its parent, does not exist.
    NoNode = -101,
    /// The ACL denies it.
    NoAuth = -102,
    /// Version, ACL version or configuration version differs.
    BadVersion = -103,
    /// Ephemeral znodes have no children.
    NoChildrenForEphemerals = -108,
    /// The znode exists.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session is closing or unknown.
    SessionExpired = -112,
    /// Empty list, unknown scheme or invalid id.
    InvalidAcl = -114,
    /// Authentication failed; the connection closes.
    AuthFailed = -115,
    /// The session belongs to another server.
    SessionMoved = -118,
    /// Write or sync on a read-only server.
    NotReadOnly = -119,
    /// Ephemeral create on a local session.
    EphemeralOnLocalSession = -120,
    /// No such watch.
    NoWatcher = -121,
    /// Reconfiguration is disabled.
    ReconfigDisabled = -123,
    /// A request before the required authentication.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota is exceeded.
    QuotaExceeded = -125,
    /// The request waited too long in the throttle.
    ThrottledOp = -127,
}

impl Code {
    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The code of a number; `None` for numbers that ZooKeeper does not define here.
    pub fn from_number(n: i32) -> Option<Code> {
        ALL.iter().copied().find(|c| c.number() == n)
    }
}

/// Every code, in descending order of number.
pub const ALL: &[Code] = &[
    Code::Ok,
    Code::SystemError,
    Code::RuntimeInconsistency,
    Code::DataInconsistency,
    Code::ConnectionLoss,
    Code::MarshallingError,
    Code::Unimplemented,
    Code::OperationTimeout,
    Code::BadArguments,
    Code::UnknownSession,
    Code::NewConfigNoQuorum,
    Code::ReconfigInProgress,
    Code::NoNode,
    Code::NoAuth,
    Code::BadVersion,
    Code::NoChildrenForEphemerals,
    Code::NodeExists,
    Code::NotEmpty,
    Code::SessionExpired,
    Code::InvalidAcl,
    Code::AuthFailed,
    Code::SessionMoved,
    Code::NotReadOnly,
    Code::EphemeralOnLocalSession,
    Code::NoWatcher,
    Code::ReconfigDisabled,
    Code::SessionClosedRequireSaslAuth,
    Code::QuotaExceeded,
    Code::ThrottledOp,
];

/// Who has to act. Every error text of the server starts from one of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Culprit {
    /// A client sent something it should not.
    Client,
    /// Another member of the ensemble did.
    Peer,
    /// The storage medium, or what lies on it.
    Disk,
    /// The operator's configuration.
    Config,
    /// Nobody is wrong; a rule said no.
    Refused,
    /// We are: an invariant of the server does not hold.
    Bug,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Culprit::Client => "client",
            Culprit::Peer => "peer",
            Culprit::Disk => "disk",
            Culprit::Config => "config",
            Culprit::Refused => "refused",
            Culprit::Bug => "bug",
        })
    }
}

/// Exit codes of the process (`ExitCode` of the reference), so that scripts keep working.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum ExitCode {
    /// Ended as asked.
    Finished = 0,
    /// Anything without a code of its own, a damaged database among them.
    Unexpected = 1,
    /// Bad command line or configuration.
    Invocation = 2,
    /// A data directory is missing, foreign or not writable.
    DataDir = 3,
    /// The admin server cannot start.
    AdminServer = 4,
    /// A snapshot cannot be written.
    Snapshot = 10,
    /// A COMMIT does not match the oldest pending proposal.
    UnmatchedCommit = 12,
    /// An unexpected packet of the leader, or a truncation that failed.
    QuorumPacket = 13,
    /// The quorum or election port cannot be bound.
    QuorumPort = 14,
}

impl ExitCode {
    /// The number for the operating system.
    pub const fn number(self) -> i32 {
        self as i32
    }
}
