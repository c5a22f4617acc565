//! What goes wrong with a data directory: who is to blame, where it lies, what to do.
//!
//! # Invariants
//!
//! * A text names the culprit, the file, and for damage the offset and the zxid that was
//!   expected there; it ends with a cure.
//! * Every error maps to an exit code of the reference.

use crate::disk::is_full;
use crate::error::{Culprit, ExitCode};
use crate::types::Zxid;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where in a data directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// First byte that is wrong.
    pub offset: u64,
    /// The zxid that is, or should be, there.
    pub zxid: Option<Zxid>,
}

/// What kind of trouble, for those who have to decide and not only to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The medium or its quota is full; nothing was promised and a later attempt may succeed.
    Full,
    /// The medium failed; the storage latches.
    Failed,
    /// What lies on the medium is not what was written.
    Damage,
    /// The directory is missing, foreign, unreadable or in disorder.
    Directory,
    /// The request cannot be served from what is here (a truncation below the oldest snapshot).
    Unavailable,
    /// Our own mistake.
    Bug,
}

/// An error of storage. Cheap to clone: it latches and is told to many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageError {
    /// Its kind.
    pub trouble: Trouble,
    /// What happened.
    pub what: String,
    /// What the operator can do.
    pub cure: String,
    /// Where, if it lies in a file.
    pub place: Option<Place>,
}

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, StorageError>;

impl StorageError {
    /// The medium answered with an error.
    pub fn io(doing: &str, path: &Path, e: &io::Error) -> StorageError {
        let text = e.to_string();
        let named = text.contains(&*path.to_string_lossy());
        let what =
            if named { format!("{doing}: {text}") } else { format!("{doing} {}: {text}", path.display()) };
        let (trouble, cure) = match e.kind() {
            _ if is_full(e) => (Trouble::Full, "free some space; the server goes on by itself"),
            io::ErrorKind::PermissionDenied => {
                (Trouble::Directory, "give the user of the server access to the data directories")
            }
            io::ErrorKind::NotFound => {
                (Trouble::Directory, "check dataDir and dataLogDir of the configuration")
            }
            _ => (Trouble::Failed, "check the disk and its file system (dmesg), then start again"),
        };
        StorageError { trouble, what, cure: cure.into(), place: None }
    }

    /// Bytes on the medium are wrong.
    pub fn damage(file: &Path, offset: u64, zxid: Option<Zxid>, what: impl Into<String>) -> StorageError {
        StorageError {
            trouble: Trouble::Damage,
            what: what.into(),
            cure: DAMAGE_CURE.into(),
            place: Some(Place { file: file.to_owned(), offset, zxid }),
        }
    }

    /// The directories are not as they must be.
    pub fn directory(what: impl Into<String>, cure: impl Into<String>) -> StorageError {
        StorageError { trouble: Trouble::Directory, what: what.into(), cure: cure.into(), place: None }
    }

    /// What is asked for is not here.
    pub fn unavailable(what: impl Into<String>) -> StorageError {
        let cure = "take a snapshot from the leader".into();
        StorageError { trouble: Trouble::Unavailable, what: what.into(), cure, place: None }
    }

    /// An invariant of ours does not hold.
    pub fn bug(what: impl Into<String>) -> StorageError {
        let cure = "report it with the log of the server; nothing was written".into();
        StorageError { trouble: Trouble::Bug, what: what.into(), cure, place: None }
    }

    /// Adds the position in the file that the text names.
    pub fn at(mut self, offset: u64) -> StorageError {
        use std::fmt::Write;
        let _ = write!(self.what, " (at offset {offset})");
        self
    }

    /// Of a sync: what it should have covered may be gone, so "full" is no excuse to try again.
    pub fn final_even_if_full(mut self) -> StorageError {
        self.trouble = Trouble::Failed;
        self
    }

    /// Says something else than the usual cure.
    pub fn cured_by(mut self, cure: impl Into<String>) -> StorageError {
        self.cure = cure.into();
        self
    }

    /// Who has to act.
    pub fn culprit(&self) -> Culprit {
        match self.trouble {
            Trouble::Full | Trouble::Failed | Trouble::Damage => Culprit::Disk,
            Trouble::Directory => Culprit::Config,
            Trouble::Unavailable => Culprit::Refused,
            Trouble::Bug => Culprit::Bug,
        }
    }

    /// With which code a start ends that meets this.
    pub fn exit_code(&self) -> ExitCode {
        match self.trouble {
            Trouble::Directory => ExitCode::DataDir,
            _ => ExitCode::Unexpected,
        }
    }

    /// Is the medium merely full?
    pub fn is_full(&self) -> bool {
        self.trouble == Trouble::Full
    }
}

const DAMAGE_CURE: &str = "restore the data directory from another member or a backup, or let \
     `oxkeeper fsck` show what is left of it; nothing was changed";

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.culprit(), self.what)?;
        if let Some(p) = &self.place {
            write!(f, " ({}, offset {}", p.file.display(), p.offset)?;
            if let Some(z) = p.zxid {
                write!(f, ", zxid {z}")?;
            }
            f.write_str(")")?;
        }
        write!(f, ". Cure: {}", self.cure)
    }
}

impl std::error::Error for StorageError {}

/// Something that recovery or a purge did and an operator may want to know; for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice(pub String);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
