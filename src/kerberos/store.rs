//! The keytab as it is now: read again when the file has changed.
//!
//! # Invariants
//!
//! * A keytab that was replaced is seen by the next login, without a restart.
//! * A file that cannot be read any more is an error of now, not a memory of what it held.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::errors::KerberosError;
use super::keytab::{self, Keytab};

/// What tells one state of a file from another: device, inode, length, time of change.
type Mark = (u64, u64, u64, i64, i64);

/// A keytab file and what it held when it was last looked at.
pub(super) struct KeytabFile {
    path: PathBuf,
    seen: Mutex<Option<(Mark, Arc<Keytab>)>>,
}

impl KeytabFile {
    /// Reads it for the first time.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no keytab.
    pub fn open(path: &Path) -> Result<KeytabFile, KerberosError> {
        let file = KeytabFile { path: path.to_path_buf(), seen: Mutex::new(None) };
        let cure =
            "check path, owner and mode (the server's user must be able to read it), and that it is a keytab";
        file.now().map_err(|why| KerberosError::config(why, cure))?;
        Ok(file)
    }

    /// What it holds now.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, with its path.
    pub fn now(&self) -> Result<Arc<Keytab>, String> {
        let named = |why: &dyn std::fmt::Display| format!("keytab {}: {why}", self.path.display());
        let found = mark(&fs::metadata(&self.path).map_err(|e| named(&e))?);
        if let Some((mark, keytab)) = &*self.seen.lock()
            && *mark == found
        {
            return Ok(Arc::clone(keytab));
        }
        let keytab = Arc::new(keytab::read(&self.path).map_err(|e| named(&e))?);
        *self.seen.lock() = Some((found, Arc::clone(&keytab)));
        Ok(keytab)
    }
}

fn mark(data: &Metadata) -> Mark {
    (data.dev(), data.ino(), data.len(), data.ctime(), data.ctime_nsec())
}
