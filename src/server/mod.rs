//! A running server: threads and queues around the driver, from start to end.
//!
//! ```text
//!   connections (tokio workers)          core thread            log thread
//!   front: reads answered here  --->  node: admit, apply  --->  worker: write, sync
//!   everything else in batches  <---  replies, events     <---  proofs
//!                                          | due                    ^ purge
//!                                          v                        |
//!                                     snapshot thread  -------------+
//! ```
//!
//! | module | |
//! |---|---|
//! | `start` | from settings to a serving server |
//! | `ports` | the client ports: bound, then opened |
//! | `stop` | from a signal or a failure to the end |
//! | [`front`] | the service behind the client listeners |
//! | [`core`], [`log`], [`snapshots`] | the threads |
//! | [`config_files`] | what reconfigurations write |
//! | `access` | names, demands and mechanisms of logins |
//! | [`logins`], `strangers`, `penalties` | logins, sessions without one, refusals by address |
//! | [`member`] | the edge of a member of an ensemble |
//! | [`queue`] | what lies between them |
//! | [`secure`] | TLS of the client ports |
//! | [`throttle`] | the request throttle |
//! | [`audit`] | between the node and the audit log |
//! | [`observer`] | what the node tells, as metrics, audit and log |
//! | [`rescue`] | super rights for a time, given by root |
//! | `warnings` | what is dangerous is said at every start |
//! | [`source`], [`status`], `gauges` | what four-letter words are told |
//!
//! # Invariants
//!
//! * A port in use, a refused configuration or a damaged directory ends the start with one
//!   sentence and its cure, and nothing was touched.
//! * Nothing is served before recovery is complete, and nothing after the storage failed.
//! * A panic of a vital thread ends the process: there is no half-alive server.

mod access;
pub mod audit;
pub mod config_files;
pub mod core;
pub mod front;
mod gauges;
pub mod log;
pub mod logins;
pub mod member;
pub mod observer;
mod penalties;
mod ports;
pub mod queue;
pub mod rescue;
pub mod secure;
pub mod sessions;
pub mod snapshots;
pub mod source;
mod start;
pub mod status;
mod stop;
mod strangers;
pub mod throttle;
mod warnings;

use tokio::sync::mpsc;
use tracing::{error, info};

use crate::config::Settings;
use crate::error::ExitCode;
use crate::os::signal::{Ending, Signals};
use crate::os::{notify, rlimit};
use crate::tls::fips;

/// Why a server did not start, or had to end.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The process's exit code, as ZooKeeper's.
    pub code: ExitCode,
    /// What happened and what to do about it, in one sentence.
    pub text: String,
}

impl Failure {
    fn new(code: ExitCode, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }
}

/// Runs a server until it is asked to end.
///
/// # Errors
///
/// It could not start, or its storage failed.
pub fn run(settings: Settings) -> Result<(), Failure> {
    start::refuse(&settings)?;
    if fips::FIPS {
        info!("{}", fips::NOTE);
    }
    warnings::protect(&settings);
    let system = |e: std::io::Error| Failure::new(ExitCode::Unexpected, format!("cannot start: {e}"));
    let open_files = rlimit::raise_open_files();
    let runtime = start::runtime().map_err(system)?;
    let inside = runtime.enter();
    let mut signals = Signals::new().map_err(system)?;
    let (failed, mut failures) = mpsc::unbounded_channel();
    let mut starting = start::Starting::listen(settings, open_files, failed)?;
    let failed_start = starting.failed();
    let recovery = starting.recovery();
    let recovered = runtime.block_on(async {
        tokio::select! {
            biased;
            signal = signals.ending() => Err(signal),
            recovered = recovery => Ok(recovered),
        }
    });
    let recovered = match recovered {
        Ok(Ok(recovered)) => recovered,
        Ok(Err(panicked)) => Err(Failure::new(ExitCode::Unexpected, panicked.to_string())),
        Err(signal) => {
            info!("{signal} during the start: nothing was served yet, the end");
            runtime.shutdown_background();
            return Ok(());
        }
    };
    let running = match recovered.and_then(|recovered| starting.serve(recovered)) {
        Ok(running) => running,
        Err(failure) => {
            failed_start();
            return Err(failure);
        }
    };
    notify::ready("serving");
    let outcome = runtime.block_on(async {
        tokio::select! {
            signal = signals.ending() => Ok(signal),
            failure = failures.recv() => Err(failure),
        }
    });
    drop(inside);
    conclude(outcome, running, runtime)
}

/// The end, for whatever reason.
fn conclude(
    outcome: Result<Ending, Option<Failure>>,
    running: stop::Running,
    runtime: tokio::runtime::Runtime,
) -> Result<(), Failure> {
    let result = match outcome {
        Ok(signal) => {
            info!("{signal}: ending; requests under way are finished first");
            Ok(())
        }
        Err(failure) => {
            Err(failure.unwrap_or_else(|| Failure::new(ExitCode::Unexpected, "bug: nobody serves")))
        }
    };
    notify::stopping();
    running.stop();
    runtime.shutdown_background();
    match &result {
        Ok(()) => info!("ended"),
        Err(failure) => error!("ended: {}", failure.text),
    }
    result
}
