//! Load by real clients in processes of their own, each of which writes its history.
//!
//! # Invariants
//! * Every client does one thing after the other and records each; nothing is tried twice.
//! * A load ends when the file `<history>.stop` appears, or with its process.
//! * Each value and each path is written once, whatever the number of loads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::history::History;
use super::site::Site;
use crate::support::process::Process;
use crate::support::{Kind, cache, java};

/// Who makes the load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Our own client.
    Rust,
    /// kazoo.
    Kazoo,
    /// Java's own client of 3.9.5.
    Java,
}

/// The znode below which every load works.
pub const ROOT: &str = "/load";
/// Znodes that are set and read.
pub const KEYS: usize = 8;
/// How long a load may take to end.
const STOP: Duration = Duration::from_secs(60);
/// How long a load may take until its first acknowledged write.
const FIRST: Duration = Duration::from_secs(60);

/// What a load is started with.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Clients, each with a session of its own.
    pub clients: usize,
    /// Pause between two operations of a client.
    pub pause: Duration,
    /// Session time-out.
    pub session: Duration,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { clients: 3, pause: Duration::from_millis(3), session: Duration::from_secs(60) }
    }
}

/// A running load.
pub struct Load {
    process: Process,
    file: PathBuf,
    by: By,
}

impl Load {
    /// Starts a load on these servers (`host:port`). Client n of it prefers server n.
    ///
    /// # Errors
    /// Why this machine cannot make it, or that nothing was acknowledged within a minute.
    pub fn start(by: By, site: &Site, servers: &[String], shape: &Shape, dir: &Path) -> Result<Load, String> {
        let mut load = Load::begin(by, site, servers, shape, dir)?;
        let deadline = Instant::now() + FIRST;
        while load.so_far().acknowledged() == 0 {
            if load.process.ended().is_some() || Instant::now() > deadline {
                return Err(format!("nothing was acknowledged to {by:?}:\n{}", load.process.log()));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(load)
    }

    /// As [`Load::start`], without waiting for the first write.
    ///
    /// # Errors
    /// Why this machine cannot make it.
    pub fn begin(by: By, site: &Site, servers: &[String], shape: &Shape, dir: &Path) -> Result<Load, String> {
        let name =
            format!("{by:?}-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).to_lowercase();
        let file = dir.join(format!("{name}.history"));
        let args = [
            name.clone(),
            servers.join(","),
            shape.clients.to_string(),
            shape.pause.as_millis().to_string(),
            shape.session.as_millis().to_string(),
            file.display().to_string(),
        ];
        let mut command = match by {
            By::Rust => super::clients::command(&args),
            By::Kazoo => {
                let mut command = Command::new(cache::kazoo_python()?);
                command.arg(source("load.py")).args(&args);
                command
            }
            By::Java => java_command(site, &args)?,
        };
        command.envs(site.env());
        if by != By::Java {
            command.envs(super::clients::login_env(site));
        }
        let log = dir.join(format!("{name}.log"));
        let process = Process::start(command, &log).map_err(|e| format!("{name}: {e}"))?;
        Ok(Load { process, file, by })
    }

    /// Who makes it.
    pub fn by(&self) -> By {
        self.by
    }

    /// What it recorded so far; half a line at the end is left out.
    pub fn so_far(&self) -> History {
        History::read(&self.file).unwrap_or_default()
    }

    /// Ends it: every client finishes what it is doing.
    ///
    /// # Errors
    /// It did not end, or ended in trouble: what it printed.
    pub fn stop(mut self) -> Result<History, String> {
        std::fs::write(stop_file(&self.file), "").map_err(|e| e.to_string())?;
        match self.process.wait(STOP) {
            Some(status) if status.success() => History::read(&self.file),
            other => Err(format!("the load by {:?} ended with {other:?}:\n{}", self.by, self.process.log())),
        }
    }
}

static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// The file whose appearance ends the load that writes `history`.
pub fn stop_file(history: &Path) -> PathBuf {
    PathBuf::from(format!("{}.stop", history.display()))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/ensemble").join(name)
}

fn java_command(site: &Site, args: &[String]) -> Result<Command, String> {
    let mut command = java::java(Kind::Java395)?;
    if let Some(jaas) = site.client_jaas() {
        command.arg(format!("-Djava.security.auth.login.config={}", jaas.display()));
        command.args(site.realm().map(|r| r.java_flags()).unwrap_or_default());
    }
    command.arg("-Doxkeeper.log=OFF").arg(source("Load.java")).args(args);
    Ok(command)
}
