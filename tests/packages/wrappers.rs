//! `zkServer.sh` beside ZooKeeper's own, word for word.
//!
//! Debian's script is that of ZooKeeper's releases but for a few lines about Cygwin and AIX; it drives a Java
//! ZooKeeper 3.9.5 here.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::need;
use crate::support::dirs::Dir;
use crate::support::server::Kind;
use crate::support::{fourlw, java, ox, ports};

/// Java's script, whose text is ZooKeeper's.
const JAVAS: &str = "/usr/share/zookeeper/bin/zkServer.sh";
/// A script may take so long, seconds.
const LIMIT: &str = "60";

/// An installation: scripts, configuration, data, logs.
struct Home {
    dir: Dir,
    kind: Kind,
    port: u16,
}

/// What a script printed and ended with, without what differs from run to run.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    code: Option<i32>,
    out: String,
    err: String,
}

pub(crate) fn wrappers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/wrappers")
}

impl Home {
    fn new(kind: Kind) -> Result<Home, String> {
        let dir = Dir::new("wrappers");
        let port = ports::free();
        let home = Home { dir, kind, port };
        let data = home.dir.path().join("data");
        let zoo = format!(
            "tickTime=2000\n  dataDir = {}  \nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             4lw.commands.whitelist=srvr\n",
            data.display()
        );
        home.dir.write("conf/zoo.cfg", &zoo);
        if kind == Kind::Java395 {
            let script = fs::read_to_string(JAVAS).map_err(|e| format!("{JAVAS}: {e}"))?;
            let path = home.dir.write("bin/zkServer.sh", &script);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
            // What zkEnv.sh of a release sets, with the jars of the cache.
            let environment = format!(
                "if [ $# -gt 1 ] && [ \"--config\" = \"$1\" ]; then shift; ZOOCFGDIR=$1; shift; fi\n\
                 ZOOCFG=\"$ZOOCFGDIR/zoo.cfg\"\nJAVA=java\nCLASSPATH='{}'\nSERVER_JVMFLAGS='-Xmx128m -XX:TieredStopAtLevel=1'\n",
                java::classpath(kind)?
            );
            home.dir.write("bin/zkEnv.sh", &environment);
        }
        Ok(home)
    }

    fn script(&self) -> PathBuf {
        match self.kind {
            Kind::Java395 => self.dir.path().join("bin/zkServer.sh"),
            _ => wrappers().join("zkServer.sh"),
        }
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Transcript {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", LIMIT, "bash"]).arg(self.script()).args(args);
        command.env("ZOOCFGDIR", self.dir.path().join("conf")).env("OXKEEPER", ox::binary());
        command.env("ZOO_LOG_DIR", self.dir.path().join("logs")).env("USER", "me").env("LC_ALL", "C");
        for name in ["JMXDISABLE", "JMXPORT", "JVMFLAGS", "SERVER_JVMFLAGS", "CLIENT_JVMFLAGS", "ZOOCFG"] {
            command.env_remove(name);
        }
        let done = command.envs(env.iter().copied()).output().expect("the script runs");
        let text = |bytes: &[u8]| self.same(&String::from_utf8_lossy(bytes));
        Transcript { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
    }

    /// Without paths, ports and process ids.
    fn same(&self, text: &str) -> String {
        let script = self.script().display().to_string();
        let home = self.dir.path().display().to_string();
        let text = text.replace(&script, "SCRIPT").replace(&home, "HOME");
        let text = text.replace(&self.port.to_string(), "PORT");
        match self.pid() {
            Some(pid) => text.replace(&format!("process {pid}."), "process PID."),
            None => text,
        }
    }

    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.dir.path().join("data/zookeeper_server.pid")).ok()?.trim().parse().ok()
    }

    /// Waits until it serves, or does not any more.
    fn wait(&self, serves: bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while fourlw::serves(self.port) != serves {
            assert!(Instant::now() < deadline, "{:?} serves: {}", self.kind, !serves);
            sleep(Duration::from_millis(50));
        }
        while !serves && TcpListener::bind(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{:?} holds its port", self.kind);
            sleep(Duration::from_millis(50));
        }
    }

    /// A life by the script, from the first question to the end.
    fn life(&self) -> Vec<(&'static str, Transcript)> {
        let mut told = Vec::new();
        let mut run = |what: &'static str, args: &[&str], env: &[(&str, &str)]| {
            told.push((what, self.run(args, env)));
        };
        run("nothing asked", &[], &[]);
        run("nonsense asked", &["begin"], &[("JMXDISABLE", "true")]);
        run("no data yet", &["start"], &[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")]);
        run("stop of nothing", &["stop"], &[]);
        run("status of nothing", &["status"], &[]);
        run("start", &["start"], &[]);
        self.wait(true);
        run("start of what runs", &["start"], &[]);
        run("status", &["status"], &[]);
        run("status without JMX", &["status"], &[("JMXDISABLE", "true")]);
        run("restart", &["restart"], &[]);
        self.wait(true);
        run("stop", &["stop"], &[]);
        self.wait(false);
        run("status after the end", &["status"], &[]);
        told
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.pid().is_some() {
            self.run(&["stop"], &[]);
        }
    }
}

#[test]
fn a_life_by_zk_server_sh_is_told_as_zookeepers_script_tells_it() {
    let javas = need!("transcripts of zkServer.sh", Home::new(Kind::Java395));
    let expected = javas.life();
    let said = |what: &str| &expected.iter().find(|(name, _)| *name == what).expect("a step").1;
    // The control: what is compared is what scripts scrape.
    assert_eq!(said("start").out, "Starting zookeeper ... STARTED\n");
    assert_eq!(said("start of what runs").out, "Starting zookeeper ... already running as process PID.\n");
    assert!(said("status").out.ends_with("Mode: standalone\n"), "{:?}", said("status"));
    assert_eq!(said("status of nothing").code, Some(1));
    drop(javas);
    let ours = Home::new(Kind::Oxkeeper).expect("an installation");
    for ((what, expected), (_, got)) in expected.iter().zip(ours.life()) {
        // The reason that Oxkeeper adds to a status that failed is a line of its own.
        let got = match got.code {
            Some(1) if what.starts_with("status") => {
                let kept = got.err.lines().filter(|line| expected.err.contains(line));
                Transcript { err: kept.map(|line| format!("{line}\n")).collect(), ..got }
            }
            _ => got,
        };
        assert_eq!(got, *expected, "{what}");
    }
}

#[test]
fn what_cannot_start_is_said_at_once() {
    let home = Home::new(Kind::Oxkeeper).expect("an installation");
    home.dir.write("conf/zoo.cfg", &format!("dataDir={}/data\nclientPort=x\n", home.dir.path().display()));
    let begun = Instant::now();
    let told = home.run(&["start"], &[]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), "Starting zookeeper ... FAILED TO START\n"));
    assert!(begun.elapsed() < Duration::from_secs(30));
    let log = fs::read_dir(home.dir.path().join("logs")).expect("logs").flatten();
    let log: String = log.map(|file| fs::read_to_string(file.path()).expect("text")).collect();
    assert!(log.contains("clientPort"), "the reason is in the logs: {log}");
    let told = home.run(&["stop"], &[]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Stopping zookeeper ... STOPPED\n"));
}

#[test]
fn the_printed_command_starts_the_server_and_config_names_a_directory() {
    let home = Home::new(Kind::Oxkeeper).expect("an installation");
    home.dir.write("conf/logging", "level=debug\n");
    fs::create_dir_all(home.dir.path().join("logs")).expect("a directory");
    let conf = home.dir.path().join("conf").display().to_string();
    let told = home.run(&["--config", &conf, "print-cmd"], &[("ZOOCFGDIR", "/nowhere")]);
    assert_eq!(told.code, Some(0));
    assert_eq!(told.err, "ZooKeeper JMX enabled by default\nUsing config: HOME/conf/zoo.cfg\n");
    assert!(told.out.ends_with(".out\" 2>&1 < /dev/null\n"), "{}", told.out);
    let line = told.out.replace("HOME", &home.dir.path().display().to_string());
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("exec {line}"));
    let mut server = crate::support::process::Process::start(command, &home.dir.path().join("sh"))
        .expect("the command runs");
    home.wait(true);
    server.stop();
    let log = fs::read_dir(home.dir.path().join("logs")).expect("logs").flatten();
    let log: String = log.map(|file| fs::read_to_string(file.path()).expect("text")).collect();
    assert!(log.contains("serving") && log.contains("DEBUG"), "level of conf/logging: {log}");
    // Another file of the directory, or anywhere.
    let named = home.run(&["print-cmd", "other.cfg"], &[]);
    assert!(named.out.contains("HOME/conf/other.cfg"), "{}", named.out);
    let absolute = home.run(&["print-cmd", "/etc/other.cfg"], &[]);
    assert!(absolute.out.contains(" \"/etc/other.cfg\""), "{}", absolute.out);
    let version = home.run(&["version"], &[]);
    assert!(version.out.starts_with("Apache ZooKeeper, version 3.9.5-oxkeeper-"), "{}", version.out);
}

#[test]
fn a_server_in_the_foreground_is_the_script_itself() {
    let home = Home::new(Kind::Oxkeeper).expect("an installation");
    let mut command = Command::new("bash");
    command.arg(home.script()).arg("start-foreground");
    command.env("ZOOCFGDIR", home.dir.path().join("conf")).env("OXKEEPER", ox::binary());
    let log = home.dir.path().join("log");
    let mut server = crate::support::process::Process::start(command, &log).expect("started");
    home.wait(true);
    let comm = fs::read_to_string(format!("/proc/{}/comm", server.pid())).expect("a process");
    assert_eq!(comm.trim(), "oxkeeper");
    assert_eq!(server.stop().and_then(|status| status.code()), Some(0));
}
