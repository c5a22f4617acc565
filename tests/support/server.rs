//! A running standalone server of either kind, and what it is started with.
//!
//! # Invariants
//! * A [`Server`] answered `srvr` with its mode before it was handed out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::dirs::Dir;
use super::process::Process;
use super::{fourlw, ports};

/// How long a server may take from its start to its first `srvr` answer.
const START: Duration = Duration::from_secs(60);

/// Which server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache ZooKeeper 3.9.5, the reference.
    Java395,
    /// Apache ZooKeeper 3.8.6, the last of its line.
    Java386,
    /// Apache ZooKeeper 3.7.2, the last of its line.
    Java372,
    /// Apache ZooKeeper 3.6.4, the last of its line.
    Java364,
    /// Apache ZooKeeper 3.5.10, the last of its line.
    Java3510,
    /// Debian's ZooKeeper 3.8.0.
    Debian380,
    /// Apache ZooKeeper 3.4.14, the oldest whose data is read; only its server runs on new Java versions.
    Java3414,
    /// Apache ZooKeeper 3.4.12, the oldest client.
    Client3412,
    /// This project's binary.
    Oxkeeper,
}

/// What a server is started with. The default serves on a free port from a fresh directory.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Lines added to zoo.cfg; one that sets a key of the defaults replaces it.
    pub cfg: Vec<String>,
    /// `-Dname=value` flags.
    pub flags: Vec<String>,
    /// An existing data directory; otherwise a fresh one is made.
    pub data_dir: Option<PathBuf>,
    /// A fixed client port; otherwise a free one is taken.
    pub port: Option<u16>,
    /// Heap of a Java server in MiB; 0 means 256.
    pub heap_mib: u32,
    /// Start a Java server as tuned for production instead of for a quick start (for measurements).
    pub full_jit: bool,
    /// Environment variables of an Oxkeeper server.
    pub env: Vec<(String, String)>,
}

impl Spec {
    /// A spec with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a zoo.cfg line.
    #[must_use]
    pub fn cfg(mut self, line: &str) -> Self {
        self.cfg.push(line.to_owned());
        self
    }

    /// Adds a `-Dname=value` flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Serves from an existing data directory.
    #[must_use]
    pub fn data_dir(mut self, dir: &Path) -> Self {
        self.data_dir = Some(dir.to_path_buf());
        self
    }

    /// Serves on this client port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The text of zoo.cfg.
    pub fn zoo_cfg(&self, data_dir: &Path, port: u16) -> String {
        let defaults = [
            "tickTime=2000".to_owned(),
            format!("dataDir={}", data_dir.display()),
            format!("clientPort={port}"),
            "clientPortAddress=127.0.0.1".to_owned(),
            "admin.enableServer=false".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "maxClientCnxns=0".to_owned(),
        ];
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let own: Vec<_> = self.cfg.iter().map(|line| key(line)).collect();
        let kept = defaults.into_iter().filter(|line| !own.contains(&key(line)));
        kept.chain(self.cfg.iter().cloned()).map(|line| line + "\n").collect()
    }
}

/// A running standalone server.
pub struct Server {
    kind: Kind,
    port: u16,
    data_dir: PathBuf,
    config: PathBuf,
    process: Process,
    home: Dir,
}

impl Server {
    /// Starts a server of `kind`.
    ///
    /// # Errors
    /// Why the machine has no such server, or the log of one that did not come up.
    pub fn start(kind: Kind, spec: &Spec) -> Result<Self, String> {
        let mut server = Self::launch(kind, spec)?;
        let deadline = Instant::now() + START;
        while !fourlw::serves(server.port) {
            if let Some(status) = server.process.ended() {
                return Err(format!("{kind:?} ended with {status}:\n{}", server.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("{kind:?} does not serve after {START:?}:\n{}", server.log()));
            }
            sleep(Duration::from_millis(30));
        }
        Ok(server)
    }

    /// Starts the process and does not wait until it serves (for starts that are refused).
    ///
    /// # Errors
    /// Why the machine has no such server.
    pub fn launch(kind: Kind, spec: &Spec) -> Result<Self, String> {
        let home = Dir::new("server");
        let port = spec.port.unwrap_or_else(ports::free);
        let data_dir = spec.data_dir.clone().unwrap_or_else(|| home.path().join("data"));
        std::fs::create_dir_all(&data_dir).map_err(|e| format!("{}: {e}", data_dir.display()))?;
        let config = home.write("zoo.cfg", &spec.zoo_cfg(&data_dir, port));
        let command = command(kind, spec, &config)?;
        let process =
            Process::start(command, &home.path().join("log")).map_err(|e| format!("{kind:?}: {e}"))?;
        Ok(Self { kind, port, data_dir, config, process, home })
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its client port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its client address, as clients take it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Its zoo.cfg.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its directory for whatever a test wants to keep beside.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGTERM and its exit status; SIGKILL after ten seconds.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.process.stop()
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.process.kill()
    }

    /// SIGSTOP: the process stands still until [`Server::resume`].
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// A four-letter word's answer.
    pub fn ask(&self, word: &str) -> String {
        fourlw::ask(self.port, word).unwrap_or_else(|e| format!("{word}: {e}"))
    }
}

fn command(kind: Kind, spec: &Spec, config: &Path) -> Result<Command, String> {
    match kind {
        Kind::Oxkeeper => Ok(super::ox::serve_command(spec, config)),
        java => super::java::serve_command(java, spec, config),
    }
}
