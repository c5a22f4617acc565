//! Where a server's data is: by its configuration, or named directly.
//!
//! # Invariants
//!
//! * A directory that is named and missing is an error, never an empty one.

use super::configuration::OnDisk;
use super::fault::Fault;
use crate::config::{Invocation, Request, load};
use crate::storage::Dirs;
use clap::Args;
use std::path::PathBuf;

/// Where the data is.
#[derive(Debug, Clone, Default, Args)]
pub struct DataArgs {
    /// zoo.cfg of the server: its dataDir and dataLogDir are used
    #[arg(long, value_name = "ZOO_CFG", conflicts_with = "data_dir")]
    pub config: Option<PathBuf>,
    /// dataDir of the server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// dataLogDir of the server, where it is another one
    #[arg(long, value_name = "DIR", requires = "data_dir")]
    pub data_log_dir: Option<PathBuf>,
}

impl DataArgs {
    /// Was anything named?
    pub fn is_given(&self) -> bool {
        self.config.is_some() || self.data_dir.is_some()
    }

    /// The directories, whether they exist or not.
    ///
    /// # Errors
    ///
    /// Nothing was named, or the configuration names no directories.
    pub fn dirs(&self) -> Result<Dirs, Fault> {
        match (&self.config, &self.data_dir) {
            (Some(config), _) => {
                let request = Request { invocation: Invocation::File(config.clone()), ..Request::file("") };
                let Some((data, log)) = load(&request, &OnDisk).directories else {
                    let what = format!("{} names no dataDir", config.display());
                    return Err(Fault::Usage(format!(
                        "{what}: oxkeeper check {} says why",
                        config.display()
                    )));
                };
                Ok(Dirs::new(&data, &log))
            }
            (None, Some(data)) => Ok(Dirs::new(data, self.data_log_dir.as_ref().unwrap_or(data))),
            (None, None) => Err(Fault::Usage("name the data: --config zoo.cfg, or --data-dir".to_owned())),
        }
    }
}
