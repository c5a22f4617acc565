//! `oxkeeper shell` and `oxkeeper status` beside zkCli.sh and zkServer.sh's own words.
//!
//! The same scripts go to Java's shell and to ours, each against a fresh Java ZooKeeper:
//! whatever differs is our shell's fault.
#[path = "../support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{Kind, Server, Spec, dirs::Dir, java, ox};

const LIMIT: Duration = Duration::from_secs(120);

/// What a run left: exit code, standard output, standard error.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(mut command: Command, input: &str) -> Ran {
    let dir = Dir::new("shell");
    let file = |name: &str| File::create(dir.path().join(name)).expect("a file");
    let script = dir.write("in", input);
    command.stdin(File::open(script).expect("the script"));
    command.stdout(file("out")).stderr(file("err")).env("HOME", dir.path());
    let mut child = command.spawn().expect("the command starts");
    let deadline = Instant::now() + LIMIT;
    let code = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status.code();
        }
        if Instant::now() > deadline {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            break None;
        }
        sleep(Duration::from_millis(20));
    };
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("text");
    Ran { code, out: read("out"), err: read("err") }
}

/// A transcript without what may differ: dates, session ids, build names and Java's own
/// chatter. Prompts are counted and events listed apart, because both shells print events from
/// another thread.
#[derive(Default, PartialEq, Debug)]
struct Transcript {
    lines: Vec<String>,
    events: Vec<String>,
    prompts: usize,
}

fn masked(text: &str) -> Transcript {
    const CHATTER: [&str; 4] =
        ["ServiceUtils", "org.jline", "creating a dumb terminal", "JLine support is disabled"];
    const VALUES: [&str; 4] = ["ctime = ", "mtime = ", "ephemeralOwner = 0x1", "ZooKeeper CLI version: "];
    let mut t = Transcript::default();
    for line in text.lines() {
        let mut line = line;
        while let Some((_, rest)) = line.strip_prefix("[zk: ").and_then(|rest| rest.split_once("] ")) {
            t.prompts += 1;
            line = rest;
        }
        if line.trim().is_empty() || line == "WATCHER::" || CHATTER.iter().any(|c| line.contains(c)) {
            continue;
        }
        let known = VALUES.iter().find_map(|v| line.find(v).map(|at| at + v.len()));
        let line = line.get(..known.unwrap_or(line.len())).unwrap_or(line);
        if line.starts_with("WatchedEvent") { &mut t.events } else { &mut t.lines }.push(line.to_owned());
    }
    t
}

fn same(what: &str, java: &str, ours: &str) {
    let (java, ours) = (masked(java), masked(ours));
    for (at, (j, o)) in java.lines.iter().zip(&ours.lines).enumerate() {
        assert_eq!(j, o, "{what}, line {at}");
    }
    assert_eq!(java, ours, "{what}");
}

fn shell(address: &str, args: &[&str]) -> Command {
    let mut command = ox::command(&["shell", "-server", address]);
    command.args(args);
    command
}

fn zkcli(address: &str, args: &[&str]) -> Command {
    let mut command = java::zkcli(Kind::Java395, address).expect("looked up before");
    command.args(args);
    command
}

fn fresh() -> Server {
    let spec = Spec::new().flag("-Dzookeeper.extendedTypesEnabled=true");
    java::start(&spec).expect("the server comes up")
}

#[test]
fn scripts_of_every_command_leave_the_transcript_of_zkcli() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    for name in ["tour.txt", "corners.txt"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/shell").join(name);
        let script = fs::read_to_string(path).expect("a script");
        // On a busy machine Java's `connect` is not connected yet when its next command runs.
        let mut tries = 0..3;
        while tries.next().is_some_and(|t| !transcripts(name, &script, t == 2)) {}
    }
}

/// Both transcripts of one script: are they equal? The last try says where they are not.
fn transcripts(name: &str, script: &str, last: bool) -> bool {
    let mut ran = Vec::new();
    // One server after the other on one port: addresses are part of the transcript.
    let port = support::ports::free();
    for make in [zkcli, shell] {
        let spec = Spec::new().flag("-Dzookeeper.extendedTypesEnabled=true").port(port);
        let server = java::start(&spec).expect("the server comes up");
        let script = script.replace("@SERVER@", &server.address());
        ran.push(run(make(&server.address(), &[]), &script));
    }
    let [java, ours] = &ran[..] else { unreachable!() };
    let equal = java.code == ours.code
        && masked(&java.out) == masked(&ours.out)
        && masked(&java.err) == masked(&ours.err);
    if last {
        assert_eq!(java.code, ours.code, "{name}");
        same(&format!("{name}, output"), &java.out, &ours.out);
        same(&format!("{name}, errors"), &java.err, &ours.err);
    }
    equal
}

#[test]
fn one_shot_commands_print_and_end_as_zkcli_does() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    let server = fresh();
    let address = server.address();
    let gone = format!("127.0.0.1:{}", support::ports::free());
    for (at, args) in [
        (&address, &["ls", "/"][..]),
        (&address, &["-waitforconnection", "get", "/nope"]),
        (&address, &["bogus", "x"]),
        (&address, &["set", "/c"]),
        (&address, &["delete", "/zookeeper"]),
        (&address, &["history"]),
        (&gone, &["ls", "/"]),
    ] {
        let (java, ours) = (run(zkcli(at, args), ""), run(shell(at, args), ""));
        assert_eq!(java.code, ours.code, "{args:?}");
        // A command that needs no server may end before the connection stands.
        let without_events = |text: &str| {
            let kept = text.lines().filter(|l| !l.starts_with("WATCHER") && !l.starts_with("WatchedEvent"));
            kept.collect::<Vec<_>>().join("\n")
        };
        same(&format!("{args:?}"), &without_events(&java.out), &without_events(&ours.out));
        same(&format!("{args:?}"), &java.err, &ours.err);
    }
    let json = run(shell(&address, &["--json", "ls", "/"]), "");
    assert_eq!(json.out, "{\"children\":[\"zookeeper\"]}\n");
    let json = run(shell(&address, &["--json", "get", "/nope"]), "");
    assert!(json.out.starts_with("{\"error\":{\"code\":\"NoNode\""), "{}", json.out);
    assert_eq!(json.code, Some(1));
}

#[test]
fn status_tells_the_mode_or_that_nothing_runs() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    let mut server = fresh();
    let config = server.config().to_str().expect("a plain path").to_owned();
    let status = || {
        let mut command = ox::command(&["status", &config]);
        command.env_remove("JMXDISABLE");
        run(command, "")
    };
    let port = server.port();
    let serving = status();
    let found = format!("Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.\n");
    assert_eq!(serving.out, format!("{found}Mode: standalone\n"));
    assert_eq!(serving.err, format!("ZooKeeper JMX enabled by default\nUsing config: {config}\n"));
    assert_eq!(serving.code, Some(0));
    server.stop();
    let stopped = status();
    assert_eq!(stopped.out, format!("{found}Error contacting service. It is probably not running.\n"));
    assert_eq!(stopped.code, Some(1));
}
