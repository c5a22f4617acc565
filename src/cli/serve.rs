//! `oxkeeper serve`: runs a server in the foreground.
//!
//! # Invariants
//!
//! * Exit codes are ZooKeeper's: 0 ended as asked, 2 bad invocation or configuration, 3 data
//!   directory, 1 anything else.
//! * Findings about the configuration are logged before anything is touched; no secret is.

use std::path::PathBuf;

use clap::Args;
use tracing::{error, info, warn};

use super::configuration::ConfigArgs;
use crate::config::{EXIT_BAD_CONFIG, Findings, Loaded, Severity};
use crate::kerberos::use_krb5_conf;
use crate::os::log::{Format, LogFile, LogOptions, install};
use crate::server;

/// Run a server in the foreground
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// What to serve.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// error, warn, info, debug, trace, or target=level pairs between commas
    #[arg(long, value_name = "LEVEL", env = "OXKEEPER_LOG", default_value = "info")]
    pub log_level: String,
    /// How log lines look; by default text, or journald's own under systemd
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// Log into this file instead of standard error
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Begin a new log file at this size
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_file_size: u64,
    /// Older log files that are kept
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub log_file_count: u32,
}

impl ServeArgs {
    fn log_options(&self) -> LogOptions {
        let file = self.log_file.clone().map(|path| LogFile {
            path,
            max_bytes: self.log_file_size.saturating_mul(1 << 20),
            keep: self.log_file_count,
        });
        LogOptions { level: self.log_level.clone(), format: self.log_format, file }
    }
}

/// Runs `oxkeeper serve`; returns the exit code.
pub fn run(args: &ServeArgs) -> i32 {
    // Before the first thread: the Kerberos library is told its krb5.conf by the environment alone.
    let loaded = args.config.load();
    let krb5_conf = loaded.settings.as_ref().and_then(|settings| settings.auth.krb5_conf.as_deref());
    let chosen = krb5_conf.map_or(Ok(()), use_krb5_conf);
    let log = match install(&args.log_options()) {
        Ok(log) => log,
        Err(why) => {
            eprintln!("oxkeeper serve: {why}");
            return EXIT_BAD_CONFIG;
        }
    };
    let code = match chosen {
        Ok(()) => serve(loaded),
        Err(why) => {
            error!("{why}");
            EXIT_BAD_CONFIG
        }
    };
    log.flush();
    code
}

fn serve(loaded: Loaded) -> i32 {
    say(&loaded.findings);
    let Some(settings) = loaded.settings else {
        error!("the configuration has errors; nothing was started (`oxkeeper check` shows every key)");
        return EXIT_BAD_CONFIG;
    };
    match server::run(settings) {
        Ok(()) => 0,
        Err(failure) => {
            error!("{}", failure.text);
            failure.code.number()
        }
    }
}

fn say(findings: &Findings) {
    for finding in &findings.0 {
        match finding.severity {
            Severity::Error => error!("{finding}"),
            Severity::Warning => warn!("{finding}"),
            Severity::Note => info!("{finding}"),
        }
    }
}
