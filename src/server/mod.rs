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
//! | `desk` | what the logs of both kinds of servers have in common |
//! | [`config_files`] | what reconfigurations write |
//! | `access` | names, demands and mechanisms of logins |
//! | [`logins`], `strangers`, `penalties` | logins, sessions without one, refusals by address |
//! | [`member`] | the edge of a member of an ensemble |
//! | [`queue`] | what lies between them |
//! | [`secure`] | TLS of the client ports |
//! | [`throttle`] | the request throttle |
//! | [`audit`] | between the node and the audit log |
//! | [`admin`] | the HTTP admin server |
//! | [`restore`] | snapshots on demand, out and in |
//! | [`observer`], `measures` | what the node tells, as metrics, audit and log |
//! | `beat`, `flush` | what the core's batches and the log's appends cost, as metrics |
//! | [`rescue`] | super rights for a time, given by root |
//! | `warnings` | what is dangerous is said at every start |
//! | [`source`], [`status`], `gauges` | what four-letter words are told |
//! | [`herald`] | what the service manager is told |
//! | [`reload`] | what SIGHUP takes over |
//! | [`scrape`] | what Prometheus is told |
//!
//! # Invariants
//!
//! * A port in use, a refused configuration or a damaged directory ends the start with one
//!   sentence and its cure, and nothing was touched.
//! * Nothing is served before recovery is complete, and nothing after the storage failed.
//! * A panic of a vital thread ends the process: there is no half-alive server.

mod access;
pub mod admin;
pub mod audit;
mod beat;
pub mod config_files;
pub mod core;
mod desk;
mod flush;
pub mod front;
mod gauges;
pub mod herald;
pub mod log;
pub mod logins;
mod measures;
pub mod member;
pub mod observer;
mod penalties;
mod ports;
pub mod queue;
pub mod reload;
pub mod rescue;
pub mod restore;
pub mod scrape;
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

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config::Settings;
use crate::error::ExitCode;
use crate::os::notify::Notify;
use crate::os::rlimit;
use crate::os::signal::{Asked, Ending, Signals};
use crate::tls::fips;
use reload::Fresh;

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

/// Runs a server until it is asked to end. `again` reads the configuration anew, at SIGHUP.
///
/// # Errors
///
/// It could not start, or its storage failed.
pub fn run(settings: Settings, again: &mut dyn FnMut() -> Fresh) -> Result<(), Failure> {
    start::refuse(&settings)?;
    let notify = Notify::from_environment().map(Arc::new);
    let manager = Manager { notify, with_quorum: settings.safety.ready_with_quorum };
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
    if manager.notify.as_ref().is_some_and(|notify| !starting.front.pulse.feed(notify)) {
        warn!("the service manager's watchdog is too hasty for a server at rest: set WatchdogSec=10 or more");
    }
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
    let mut running = match recovered.and_then(|recovered| starting.serve(recovered)) {
        Ok(running) => running,
        Err(failure) => {
            failed_start();
            return Err(failure);
        }
    };
    let outcome = until_the_end(&runtime, &mut running, &mut signals, &mut failures, &manager, again);
    drop(inside);
    conclude(outcome, running, runtime, manager.notify.as_deref())
}

/// The service manager, and when it is told that the server is ready.
struct Manager {
    notify: Option<Arc<Notify>>,
    with_quorum: bool,
}

/// Serves until a signal or a failure ends it; a SIGHUP does not.
fn until_the_end(
    runtime: &tokio::runtime::Runtime,
    running: &mut stop::Running,
    signals: &mut Signals,
    failures: &mut mpsc::UnboundedReceiver<Failure>,
    manager: &Manager,
    again: &mut dyn FnMut() -> Fresh,
) -> Result<Ending, Option<Failure>> {
    if let Some(notify) = &manager.notify {
        let told = herald::tell(Arc::clone(&running.front), Arc::clone(notify), manager.with_quorum);
        running.tasks.push(tokio::spawn(told));
    }
    loop {
        let asked = runtime.block_on(async {
            tokio::select! {
                asked = signals.next() => Ok(asked),
                failure = failures.recv() => Err(failure),
            }
        });
        match asked? {
            Asked::Reload => reload(running, manager, again),
            Asked::End(signal) => return Ok(signal),
        }
    }
}

/// Takes over what can change, on this thread, which serves nobody.
fn reload(running: &stop::Running, manager: &Manager, again: &mut dyn FnMut() -> Fresh) {
    info!("SIGHUP: keys, keytab and configuration are read again");
    let was_ready = !manager.with_quorum || running.front.serving().is_some();
    let notify = manager.notify.as_deref().filter(|_| was_ready);
    if let Some(notify) = notify {
        notify.reloading();
    }
    reload::apply(&running.front, running.gate.as_deref(), &again());
    if let Some(notify) = notify {
        notify.ready(&herald::status(&running.front));
    }
}

/// The end, for whatever reason.
fn conclude(
    outcome: Result<Ending, Option<Failure>>,
    running: stop::Running,
    runtime: tokio::runtime::Runtime,
    notify: Option<&Notify>,
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
    if let Some(notify) = notify {
        notify.stopping(match &result {
            Ok(()) => "ending: leadership, requests under way, connections",
            Err(failure) => &failure.text,
        });
    }
    running.stop();
    runtime.shutdown_background();
    match &result {
        Ok(()) => info!("ended"),
        Err(failure) => error!("ended: {}", failure.text),
    }
    result
}
