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

impl Code {
    /// What it means to whoever gets it, and what to do.
    pub const fn explained(self) -> (&'static str, &'static str) {
        match self {
            Code::Ok => ("the request was done", "nothing"),
            Code::SystemError => {
                ("the server met a condition that it does not know", "look into the server's log")
            }
            Code::RuntimeInconsistency => (
                "this part of a multi was not tried: an earlier one failed",
                "look at the part that has another code",
            ),
            Code::DataInconsistency => {
                ("the server's data contradict themselves", "look into the server's log; oxkeeper fsck")
            }
            Code::ConnectionLoss => (
                "the connection went away before the reply: the request may or may not have been done",
                "read before you repeat it; check that the server runs and serves, and jute.maxbuffer",
            ),
            Code::MarshallingError => {
                ("the request cannot be decoded", "update the client; check jute.maxbuffer on both sides")
            }
            Code::Unimplemented => (
                "the operation is not known here, or is switched off",
                "TTL znodes: extendedTypesEnabled=true; otherwise use a client of a release up to 3.9",
            ),
            Code::OperationTimeout => (
                "the client waited for too long (set by the client itself)",
                "look at the server's load: mntr",
            ),
            Code::BadArguments => ("the path, flag, time to live or member is none", "correct the request"),
            Code::UnknownSession => ("the session is not known any more", "open a new session"),
            Code::NewConfigNoQuorum => (
                "too few members of the new configuration are in step",
                "wait until they follow: oxkeeper status, then repeat it",
            ),
            Code::ReconfigInProgress => {
                ("another change of the ensemble is under way", "repeat it when that one is done")
            }
            Code::NoNode => (
                "there is no such znode, or its parent is missing",
                "create it; a chroot stands in front of the path",
            ),
            Code::NoAuth => (
                "the ACL does not allow it",
                "oxkeeper acl can <principal> <permission> <path> says which entry decides",
            ),
            Code::BadVersion => {
                ("somebody else changed it since it was read", "read it again, then repeat the change")
            }
            Code::NoChildrenForEphemerals => {
                ("an ephemeral znode cannot have children", "create it below a persistent one")
            }
            Code::NodeExists => (
                "the znode exists already",
                "use the one that is there; a sequential name: the counter of a restored parent is behind",
            ),
            Code::NotEmpty => ("the znode has children", "delete them first: deleteall"),
            Code::SessionExpired => (
                "nothing was heard of the session for longer than its time-out, or it was closed",
                "open a new session and create its ephemeral znodes and watches again; look for long pauses of client, network or disk",
            ),
            Code::InvalidAcl => (
                "the ACL is empty, or an entry names a scheme that is not configured or an id that is none",
                "correct the entry; for sasl configure authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            ),
            Code::AuthFailed => (
                "the identity was refused; the connection ends",
                "the server's log line has the reason code; see below",
            ),
            Code::SessionMoved => {
                ("the session lives on another server since", "reconnect; clients do so by themselves")
            }
            Code::NotReadOnly => (
                "the server is without a quorum and serves reads alone",
                "wait for the quorum; oxkeeper status on each member",
            ),
            Code::EphemeralOnLocalSession => {
                ("a local session cannot own an ephemeral znode", "localSessionsUpgradingEnabled=true")
            }
            Code::NoWatcher => ("there is no such watch", "nothing: it fired, or was never set"),
            Code::ReconfigDisabled => {
                ("changes of the ensemble are switched off", "reconfigEnabled=true on every member")
            }
            Code::SessionClosedRequireSaslAuth => (
                "a login is required before anything else",
                "configure the client's login: oxkeeper doctor jaas",
            ),
            Code::QuotaExceeded => (
                "a hard quota does not allow it",
                "listquota <path>; delete something, or raise it: setquota",
            ),
            Code::ThrottledOp => (
                "the request waited for too long behind others",
                "fewer requests at once; look at the top talkers",
            ),
        }
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

impl ExitCode {
    /// Every exit code.
    pub const ALL: [ExitCode; 9] = [
        ExitCode::Finished,
        ExitCode::Unexpected,
        ExitCode::Invocation,
        ExitCode::DataDir,
        ExitCode::AdminServer,
        ExitCode::Snapshot,
        ExitCode::UnmatchedCommit,
        ExitCode::QuorumPacket,
        ExitCode::QuorumPort,
    ];

    /// What it means, and what to do.
    pub const fn explained(self) -> (&'static str, &'static str) {
        match self {
            ExitCode::Finished => ("the server ended as it was asked to", "nothing"),
            ExitCode::Unexpected => (
                "something without a code of its own",
                "the last line of the log names culprit, cause and cure",
            ),
            ExitCode::Invocation => {
                ("command line or configuration are wrong; nothing was touched", "oxkeeper check <zoo.cfg>")
            }
            ExitCode::DataDir => (
                "a data directory is missing, not writable, or belongs to somebody else",
                "correct dataDir, dataLogDir or their owner",
            ),
            ExitCode::AdminServer => {
                ("the admin server cannot start", "correct the admin.* keys, or free the port")
            }
            ExitCode::Snapshot => ("a snapshot cannot be written", "free some space, check the disk"),
            ExitCode::UnmatchedCommit => (
                "the leader committed something else than what was proposed",
                "start it again: it learns from the leader",
            ),
            ExitCode::QuorumPacket => (
                "the leader sent what it cannot have meant, or a truncation failed",
                "start it again; if it repeats, restore the member",
            ),
            ExitCode::QuorumPort => {
                ("quorum or election port cannot be bound", "free the port, or correct the server lines")
            }
        }
    }
}
