//! Why a command that works on files, archives and ensembles ended early: one type, one way to say it.
//!
//! # Invariants
//!
//! * A text names culprit, cause and cure; bytes from outside are escaped in it.

use crate::client::ClientError;
use crate::config::EXIT_BAD_CONFIG;
use crate::error::Culprit;
use crate::limits::QUOTED_INPUT;
use crate::storage::StorageError;
use std::fmt;
use std::io;
use std::path::Path;

/// What an archive has wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The member, or what else of the archive.
    pub member: String,
    /// First byte of the member that is wrong or missing.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Fault {
    /// A data directory.
    Storage(StorageError),
    /// An archive is not as it was written.
    Archive(Flaw),
    /// What was asked for makes no sense: what, and what would.
    Usage(String),
    /// A rule said no: cause and cure.
    Refused(String),
    /// A running ensemble.
    Client(ClientError),
    /// Nobody reads what is printed any more.
    Output(io::Error),
}

impl Fault {
    /// The archive is not as it was written.
    pub fn archive(member: &str, offset: u64, what: impl Into<String>) -> Fault {
        Fault::Archive(Flaw { member: plain(member), offset, what: what.into() })
    }

    /// The medium answered with an error.
    pub fn io(doing: &str, path: &Path, e: &io::Error) -> Fault {
        Fault::Storage(StorageError::io(doing, path, e))
    }

    /// The exit code of a command that ends so: 2 for a wrong usage, else `failed`.
    pub fn exit_code(&self, failed: i32) -> i32 {
        match self {
            Fault::Usage(_) => EXIT_BAD_CONFIG,
            _ => failed,
        }
    }

    /// Says it on standard error and returns the exit code.
    pub fn report(&self, command: &str, failed: i32) -> i32 {
        match self {
            Fault::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            other => eprintln!("oxkeeper {command}: {other}"),
        }
        self.exit_code(failed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Storage(e) => e.fmt(f),
            Fault::Archive(flaw) => write!(
                f,
                "{}: the archive is not as it was written: {} (member {}, offset {}). Cure: take another copy of \
                 it, or another backup; nothing was written",
                Culprit::Disk,
                flaw.what,
                flaw.member,
                flaw.offset
            ),
            Fault::Usage(what) => f.write_str(what),
            Fault::Refused(what) => write!(f, "{}: {what}", Culprit::Refused),
            Fault::Client(e) => e.fmt(f),
            Fault::Output(e) => write!(f, "cannot print: {e}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<StorageError> for Fault {
    fn from(e: StorageError) -> Fault {
        Fault::Storage(e)
    }
}

impl From<ClientError> for Fault {
    fn from(e: ClientError) -> Fault {
        Fault::Client(e)
    }
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Fault {
        Fault::Output(e)
    }
}

/// A text from outside, escaped and cut.
pub fn plain(text: &str) -> String {
    text.chars().take(QUOTED_INPUT).flat_map(char::escape_debug).collect()
}
