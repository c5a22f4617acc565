//! Directories that clean up after themselves.
//!
//! # Invariants
//! * With `OXKEEPER_KEEP` set, or while a test panics, the directory stays and its path is printed.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary directory of one test.
pub struct Dir(Option<TempDir>);

impl Dir {
    /// A fresh directory whose name starts with `name`.
    pub fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("oxkeeper-{name}-")).tempdir();
        Self(Some(dir.expect("a temporary directory can be made")))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("held until dropped").path()
    }

    /// Writes a file below it and returns its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a directory can be made");
        }
        std::fs::write(&path, content).expect("a file can be written");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let keep = std::thread::panicking() || std::env::var_os("OXKEEPER_KEEP").is_some();
        if let Some(dir) = self.0.take().filter(|_| keep) {
            eprintln!("kept for a look: {}", dir.keep().display());
        }
    }
}
