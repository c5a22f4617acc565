//! Reads the configuration a command line names, from the real file system.
//!
//! # Invariants
//!
//! * No file is read further than its bound, and nothing is written.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Files, Invocation, Loaded, Request, load};

/// Where a server's configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// zoo.cfg, or: port dataDir [tickTime [maxClientCnxns]]
    #[arg(value_name = "ZOO_CFG", num_args = 1..=4, required = true)]
    pub config: Vec<OsString>,
    /// A system property, as of Java's command line; beats environment and zoo.cfg
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    pub property: Vec<String>,
}

impl ConfigArgs {
    /// Loads what is named, with this process's environment.
    pub fn load(&self) -> Loaded {
        load(&self.request(), &OnDisk)
    }

    /// What is named.
    pub fn request(&self) -> Request {
        let invocation = match self.config.as_slice() {
            [file] => Invocation::File(PathBuf::from(file)),
            arguments => {
                let text = |a: &OsString| a.to_string_lossy().into_owned();
                Invocation::Arguments(arguments.iter().map(text).collect())
            }
        };
        let readable =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Request {
            invocation,
            properties: self.property.clone(),
            environment: std::env::vars_os().filter_map(readable).collect(),
        }
    }
}

/// The real file system.
#[derive(Debug, Clone, Copy)]
pub struct OnDisk;

impl Files for OnDisk {
    fn read(&self, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zoo.cfg");
        assert_eq!(OnDisk.read(&path, 10), Ok(None));
        std::fs::write(&path, "0123456789abc").unwrap();
        assert_eq!(OnDisk.read(&path, 10), Ok(Some(b"0123456789a".to_vec())));
        assert!(OnDisk.read(folder.path(), 10).is_err());
    }

    #[test]
    fn one_argument_is_a_file_and_several_are_javas_other_form() {
        let args = |config: &[&str]| ConfigArgs {
            config: config.iter().map(OsString::from).collect(),
            property: vec!["a=b".to_owned()],
        };
        assert_eq!(args(&["a"]).request().invocation, Invocation::File(PathBuf::from("a")));
        let several = args(&["1", "/d"]).request();
        assert_eq!(several.invocation, Invocation::Arguments(vec!["1".to_owned(), "/d".to_owned()]));
        assert_eq!(several.properties, ["a=b"]);
    }
}
