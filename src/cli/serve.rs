//! `oxkeeper serve`: runs a server in the foreground.
//!
//! # Invariants
//!
//! * Exit codes are ZooKeeper's: 0 ended as asked, 2 bad invocation or configuration, 3 data
//!   directory, 1 anything else.
//! * At SIGHUP what can change is read again; the process serves on whatever is found.
//! * Findings about the configuration are logged before anything is touched; no secret is.

use std::path::PathBuf;

use clap::Args;
use tracing::{error, info, warn};

use super::configuration::ConfigArgs;
use super::logging::{self, Logging};
use crate::config::report::{KeyReport, differences};
use crate::config::{EXIT_BAD_CONFIG, Findings, Loaded, Severity};
use crate::kerberos::use_krb5_conf;
use crate::os::log::{Format, LogFile, LogGuard, LogOptions, install};
use crate::server;
use crate::server::reload::Fresh;

/// Run a server in the foreground
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// What to serve.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// A file of key=value lines that says the same as the flags below, which win over it; its level is read again
    /// at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub logging: Option<PathBuf>,
    /// error, warn, info, debug, trace, or target=level pairs between commas [default: info]
    #[arg(long, value_name = "LEVEL", env = "OXKEEPER_LOG")]
    pub log_level: Option<String>,
    /// How log lines look; by default text, or journald's own under systemd
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// Log into this file instead of standard error
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Begin a new log file at this size [default: 64]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub log_file_size: Option<u64>,
    /// Older log files that are kept [default: 10]
    #[arg(long, value_name = "N")]
    pub log_file_count: Option<u32>,
}

/// Size of a log file where nobody says, MiB, and how many older ones are kept.
const LOG_FILE: (u64, u32) = (64, 10);

impl ServeArgs {
    fn logging(&self) -> Result<Logging, String> {
        self.logging.as_deref().map_or_else(|| Ok(Logging::default()), logging::read)
    }

    fn log_options(&self) -> Result<LogOptions, String> {
        let file = self.logging()?;
        let megabytes = self.log_file_size.or(file.file_size).unwrap_or(LOG_FILE.0);
        let log_file = self.log_file.clone().or(file.file.clone()).map(|path| LogFile {
            path,
            max_bytes: megabytes.saturating_mul(1 << 20),
            keep: self.log_file_count.or(file.file_count).unwrap_or(LOG_FILE.1),
        });
        Ok(LogOptions { level: self.level(&file), format: self.log_format.or(file.format), file: log_file })
    }

    fn level(&self, file: &Logging) -> String {
        self.log_level.clone().or_else(|| file.level.clone()).unwrap_or_else(|| "info".to_owned())
    }

    /// The configuration and the log level as they are now; `before` is what the keys were.
    fn again(&self, before: &mut Vec<KeyReport>, log: &LogGuard) -> Fresh {
        let level = self.logging().map(|file| self.level(&file));
        match level.and_then(|level| log.set_level(&level).map_err(|e| e.to_string())) {
            Ok(()) => {}
            Err(why) => warn!("reload: {why}; the log level stays"),
        }
        let loaded = self.config.load();
        say(&loaded.findings);
        if loaded.settings.is_none() {
            return Fresh { settings: None, changed: Vec::new() };
        }
        let changed = differences(before, &loaded.keys);
        *before = loaded.keys;
        Fresh { settings: loaded.settings, changed }
    }
}

/// Runs `oxkeeper serve`; returns the exit code.
pub fn run(args: &ServeArgs) -> i32 {
    // Before the first thread: the Kerberos library is told its krb5.conf by the environment alone.
    let loaded = args.config.load();
    let krb5_conf = loaded.settings.as_ref().and_then(|settings| settings.auth.krb5_conf.as_deref());
    let chosen = krb5_conf.map_or(Ok(()), use_krb5_conf);
    let installed = args.log_options().and_then(|options| install(&options).map_err(|why| why.to_string()));
    let log = match installed {
        Ok(log) => log,
        Err(why) => {
            eprintln!("oxkeeper serve: {why}");
            return EXIT_BAD_CONFIG;
        }
    };
    let code = match chosen {
        Ok(()) => serve(args, loaded, &log),
        Err(why) => {
            error!("{why}");
            EXIT_BAD_CONFIG
        }
    };
    log.flush();
    code
}

fn serve(args: &ServeArgs, loaded: Loaded, log: &LogGuard) -> i32 {
    say(&loaded.findings);
    let Some(settings) = loaded.settings else {
        error!("the configuration has errors; nothing was started (`oxkeeper check` shows every key)");
        return EXIT_BAD_CONFIG;
    };
    let mut keys = loaded.keys;
    match server::run(settings, &mut || args.again(&mut keys, log)) {
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
