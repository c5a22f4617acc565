//! Why TLS cannot be set up: the file or key at fault, the cause, the cure.
//!
//! # Invariants
//!
//! * Nothing here carries a password or a part of a key.

use std::fmt;
use std::path::{Path, PathBuf};

/// TLS cannot be set up as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// The file at fault, or the configuration.
    pub file: Option<PathBuf>,
    /// What is the matter.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl TlsError {
    /// The configuration is at fault.
    pub fn config(what: impl Into<String>, cure: impl Into<String>) -> TlsError {
        TlsError { file: None, what: what.into(), cure: cure.into() }
    }

    /// A file is at fault.
    pub fn file(file: &Path, what: impl Into<String>, cure: impl Into<String>) -> TlsError {
        TlsError { file: Some(file.to_owned()), what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "tls: {}: {}: {}", file.display(), self.what, self.cure),
            None => write!(f, "config: {}: {}", self.what, self.cure),
        }
    }
}

impl std::error::Error for TlsError {}
