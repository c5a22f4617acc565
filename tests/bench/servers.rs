//! Starts and stops the servers that are compared, with the same configuration.
//!
//! # Invariants
//!
//! * A server lives in a directory of its own below the benchmark's base
//!   directory, which is removed when the [`Running`] is dropped.
//! * A child that was started is waited for, whatever happens.
//! * Syncing is never switched off.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A kind of server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Apache ZooKeeper on a JVM.
    Java,
    /// The server under test.
    Oxkeeper,
    /// The smallest thing that speaks the protocol: see `floor.rs`.
    Floor,
}

impl Kind {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Oxkeeper => "Oxkeeper",
            Self::Floor => "echo floor",
        }
    }
}

/// Where the programs are.
#[derive(Clone)]
pub struct Programs {
    /// Class path of the Java server.
    pub class_path: String,
    /// What the Java server calls itself, for the report.
    pub java_version: String,
    /// The server under test.
    pub oxkeeper: PathBuf,
    /// Directory below which data directories are made.
    pub base: PathBuf,
}

/// JVM options: a heap that no row fills, everything else as shipped.
pub const JVM: &[&str] = &["-Xmx3g"];

/// How long a server may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a server may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Console logging at INFO, as both distributions ship it, in both loggers' words.
const LOG4J: &str = "log4j.rootLogger=INFO, C\nlog4j.appender.C=org.apache.log4j.ConsoleAppender\n\
    log4j.appender.C.layout=org.apache.log4j.PatternLayout\n\
    log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %-5p [%t:%C{1}@%L] - %m%n\n";
const LOGBACK: &str = "<configuration><appender name=\"C\" class=\"ch.qos.logback.core.ConsoleAppender\">\
    <encoder><pattern>%d{ISO8601} %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder></appender>\
    <root level=\"INFO\"><appender-ref ref=\"C\"/></root></configuration>\n";

impl Programs {
    /// Finds the Java server: the cache that the set-up script fills first, then
    /// Debian's package.
    pub fn find(oxkeeper: PathBuf, base: PathBuf) -> io::Result<Self> {
        let cache = std::env::var_os("OXKEEPER_CACHE")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/oxkeeper")));
        let jars = cache.map(|c| c.join("java/zookeeper-3.9.5")).filter(|d| d.is_dir());
        let debian = Path::new("/usr/share/java/zookeeper.jar");
        let (class_path, java_version) = match jars {
            Some(dir) => (format!("{}/*", dir.display()), "Apache ZooKeeper 3.9.5".to_string()),
            None if debian.is_file() => {
                (debian.display().to_string(), "Apache ZooKeeper 3.8.0 (Debian)".to_string())
            }
            None => return Err(io::Error::other("no Java ZooKeeper found: run packaging/setup.sh")),
        };
        fs::create_dir_all(&base)?;
        Ok(Self { class_path, java_version, oxkeeper, base })
    }
}

/// A running server.
pub struct Running {
    /// Which kind it is.
    pub kind: Kind,
    /// Where it listens.
    pub addr: SocketAddr,
    /// From the start of the process until `srvr` showed a mode.
    pub start: Duration,
    /// Its data directory.
    pub data: PathBuf,
    dir: PathBuf,
    child: Child,
}

/// Prepares an empty data directory for `kind`; returns the run directory.
pub fn prepare(programs: &Programs, kind: Kind) -> io::Result<PathBuf> {
    let name = format!("{}-{}", kind.name().replace(' ', "-"), std::process::id());
    let dir = programs.base.join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(dir.join("data/version-2"))?;
    Ok(dir)
}

/// Starts `kind` on a fresh directory. `extra` is appended to its `zoo.cfg`.
pub fn start(programs: &Programs, kind: Kind, extra: &str) -> io::Result<Running> {
    let dir = prepare(programs, kind)?;
    start_in(programs, kind, dir, extra)
}

/// Starts `kind` on a prepared directory.
pub fn start_in(programs: &Programs, kind: Kind, dir: PathBuf, extra: &str) -> io::Result<Running> {
    launch(programs, kind, dir, extra, &[])
}

/// As [`start`], with options for the JVM where there is one.
pub fn start_with(programs: &Programs, kind: Kind, extra: &str, jvm: &[String]) -> io::Result<Running> {
    let dir = prepare(programs, kind)?;
    launch(programs, kind, dir, extra, jvm)
}

/// A port that was free a moment ago.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn launch(programs: &Programs, kind: Kind, dir: PathBuf, extra: &str, jvm: &[String]) -> io::Result<Running> {
    let port = free_port()?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let data = dir.join("data");
    let config = dir.join("zoo.cfg");
    let text = format!(
        "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
         maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{extra}",
        data.display()
    );
    fs::write(&config, text)?;
    let log = File::create(dir.join("server.log"))?;
    let mut command = command(programs, kind, &dir, &config, port, jvm)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let begun = Instant::now();
    let child =
        command.spawn().map_err(|e| io::Error::other(format!("{} does not start: {e}", kind.name())))?;
    let mut running = Running { kind, addr, start: Duration::ZERO, data, dir, child };
    running.wait_until_serving(begun)?;
    running.start = begun.elapsed();
    Ok(running)
}

/// The command line of a server; its log settings are written into `dir`.
pub fn command(
    programs: &Programs,
    kind: Kind,
    dir: &Path,
    config: &Path,
    port: u16,
    jvm: &[String],
) -> io::Result<Command> {
    Ok(match kind {
        Kind::Java => {
            fs::write(dir.join("log4j.properties"), LOG4J)?;
            fs::write(dir.join("logback.xml"), LOGBACK)?;
            let mut c = Command::new("java");
            c.args(JVM).args(jvm).arg("-cp").arg(format!("{}:{}", dir.display(), programs.class_path));
            c.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
            c
        }
        Kind::Oxkeeper => {
            let mut c = Command::new(&programs.oxkeeper);
            c.arg("serve").arg(config);
            c
        }
        Kind::Floor => {
            let mut c = Command::new(std::env::current_exe()?);
            c.arg("--floor").arg(port.to_string()).arg(dir.join("data/floor.log"));
            c
        }
    })
}

impl Running {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_serving(&mut self, begun: Instant) -> io::Result<()> {
        loop {
            if self.serves() {
                return Ok(());
            }
            let died = self.child.try_wait()?;
            if died.is_some() || begun.elapsed() > START_LIMIT {
                let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
                let mut tail: Vec<&str> = log.lines().rev().take(5).collect();
                tail.reverse();
                let what = if died.is_some() { "ended at once" } else { "does not serve" };
                let text = format!("{} {what}:\n{}", self.kind.name(), tail.join("\n"));
                return Err(io::Error::other(text));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether `srvr` shows a mode.
    fn serves(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.addr) else { return false };
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.write_all(b"srvr").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains("Mode:")
    }

    fn terminate(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > STOP_LIMIT {
                eprintln!("  {} did not end within {STOP_LIMIT:?}: killed", self.kind.name());
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.terminate().is_err() {
            // Nothing left to ask of it but to go.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Data of a benchmark: a left-over directory is a nuisance, not an error.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
