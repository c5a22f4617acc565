//! The words rows of the key table are written in.
//!
//! # Invariants
//!
//! * Plain data: what a word means is decided where it is read.

use std::fmt;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false` in any case.
    Bool,
    /// An integer; smaller values than `raise` are raised to it with a warning, as
    /// ZooKeeper does.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// Silently effective minimum.
        raise: Option<i64>,
    },
    /// A number with a fraction within these bounds.
    Float(f64, f64),
    /// One of these words; `exact` when case matters.
    Word {
        /// The words.
        of: &'static [&'static str],
        /// Whether case matters.
        exact: bool,
    },
    /// A Java class name standing for something built in.
    Class {
        /// Names that are understood.
        known: &'static [&'static str],
        /// Whether any other name is an error (else a warning).
        strict: bool,
    },
    /// Any text.
    Text,
    /// A path of the file system.
    Path,
    /// A host name or address.
    Host,
    /// Texts separated by commas.
    List,
    /// A text that is never printed.
    Secret,
    /// A `server.N` address list.
    Member,
    /// An environment variable.
    Environment,
}

/// How well Oxkeeper serves a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Does here what it does in ZooKeeper.
    Works,
    /// There is nothing here it could act on, for this reason.
    NoMeaning(&'static str),
    /// Stops the start when it is set to anything but its default, for this reason.
    Refused(&'static str),
    /// Read and checked, acted upon by work that is still to come.
    Later {
        /// Which work.
        work: Work,
        /// Whether ignoring it until then would be harmful, so that setting it stops the start.
        stops: bool,
    },
}

/// Work that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Several servers.
    Ensemble,
    /// TLS, Kerberos, SASL.
    Security,
    /// Packaging, admin server, metrics exposition, audit log.
    Operations,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Ensemble => "served by the ensemble work",
            Work::Security => "served by the security work",
            Work::Operations => "served by the operations work",
        })
    }
}

/// What part of the server a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Directories, ticks, kinds of nodes and sessions.
    Basic,
    /// Log, snapshots, purge.
    Storage,
    /// Client listeners and buffers.
    ClientNet,
    /// Limits on requests and connections.
    Throttling,
    /// ACLs and authentication providers.
    Acl,
    /// SASL of clients.
    SaslClient,
    /// TLS of clients.
    TlsClient,
    /// Members and election.
    Quorum,
    /// Observers.
    Observers,
    /// Dynamic reconfiguration.
    Reconfig,
    /// SASL between servers.
    SaslQuorum,
    /// TLS between servers.
    TlsQuorum,
    /// HTTP admin server.
    Admin,
    /// Metrics providers.
    Metrics,
    /// Audit log.
    Audit,
    /// Diagnosis and tests.
    Debug,
    /// Java's virtual machine and start scripts.
    Jvm,
}

impl Area {
    /// Heading of the area.
    pub fn title(self) -> &'static str {
        match self {
            Area::Basic => "Basic",
            Area::Storage => "Storage",
            Area::ClientNet => "Client connections",
            Area::Throttling => "Throttling",
            Area::Acl => "ACLs and authentication",
            Area::SaslClient => "SASL and Kerberos of clients",
            Area::TlsClient => "TLS of clients",
            Area::Quorum => "Ensemble",
            Area::Observers => "Observers",
            Area::Reconfig => "Reconfiguration",
            Area::SaslQuorum => "SASL between servers",
            Area::TlsQuorum => "TLS between servers",
            Area::Admin => "Admin server",
            Area::Metrics => "Metrics",
            Area::Audit => "Audit, secrets, rescue",
            Area::Debug => "Diagnosis",
            Area::Jvm => "Java and start scripts",
        }
    }
}
