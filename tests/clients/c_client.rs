//! The C client's own command line (`cli_mt`), with its watches: the same transcript on both servers.
//!
//! # Invariants
//! * A command is sent only after the output of the one before has come to rest, so that the client's two
//!   threads hardly mix; what each of them prints is compared for itself.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::need;
use crate::support::dirs::Dir;
use crate::support::{Kind, Server, Spec, cache, java};
use crate::transcript::{Transcript, difference};

/// An output that has not grown for so long has come to rest.
const REST: Duration = Duration::from_millis(80);
/// A command that prints nothing is given so long.
const SILENCE: Duration = Duration::from_millis(400);

/// Runs the script with `client` against `address`; the output of both streams.
fn run(client: &Path, address: &str, script: &str) -> std::io::Result<String> {
    let dir = Dir::new("cli");
    let out = dir.path().join("out");
    let log = File::options().create(true).append(true).open(&out)?;
    let mut command = Command::new(client);
    command.args(["-h", address]).env("LC_ALL", "C");
    let mut child = command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let size = || fs::metadata(&out).map_or(0, |m| m.len());
    rest(size, 0);
    let mut stdin = child.stdin.take();
    for line in script.lines() {
        let before = size();
        if let Some(input) = &mut stdin {
            // A client that has ended closes the pipe; the transcript shows where.
            if input.write_all(format!("{line}\n").as_bytes()).is_err() {
                break;
            }
        }
        rest(size, before);
    }
    drop(stdin);
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other("cli_mt did not end"));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(String::from_utf8_lossy(&fs::read(&out)?).into_owned())
}

/// Waits until the output has grown beyond `before` and come to rest, or stays silent.
fn rest(size: impl Fn() -> u64, before: u64) {
    let start = Instant::now();
    let (mut last, mut since) = (size(), Instant::now());
    loop {
        sleep(Duration::from_millis(5));
        let now = size();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let limit = if last > before { REST } else { SILENCE };
        if since.elapsed() >= limit && start.elapsed() >= limit {
            return;
        }
    }
}

/// What the client's first thread prints, beside the thread that prints replies.
const FIRST_THREAD: [&str; 7] =
    ["    ", "Creating [", "Path must", "Error ", "session Id", "Quitting", "Invalid"];

/// Takes the session apart: replies, watch events, and at the end what the first thread said.
/// Children come in no promised order, so they are sorted.
fn transcript(output: &str) -> Transcript {
    let mut transcript = Transcript { lines: Vec::new(), events: Vec::new() };
    let mut first: Vec<String> = Vec::new();
    let mut children: Vec<String> = Vec::new();
    for line in output.lines() {
        if line.starts_with('\t') && !line.contains('=') {
            children.push(line.to_owned());
            continue;
        }
        children.sort();
        transcript.lines.append(&mut children);
        if line.starts_with("Watcher ") {
            transcript.events.push(line.to_owned());
        } else if FIRST_THREAD.iter().any(|start| line.starts_with(start)) {
            first.push(masked(line));
        } else if !line.starts_with("time = ") {
            transcript.lines.push(masked(line));
        }
    }
    transcript.lines.append(&mut first);
    transcript
}

fn masked(line: &str) -> String {
    let keys = ["\tctime = ", "\tmtime=", "\tephemeralOwner = ", "session Id = ", "Got a new session id: "];
    match keys.iter().find(|key| line.starts_with(**key)) {
        Some(key) if !line.ends_with("1970") && !line.ends_with("= 0") => format!("{key}*"),
        _ => line.to_owned(),
    }
}

fn session(kind: Kind, client: &Path, script: &str) -> Transcript {
    let spec = Spec::new().flag("-Dzookeeper.extendedTypesEnabled=true");
    let server = Server::start(kind, &spec).expect("the server comes up");
    transcript(&run(client, &server.address(), script).expect("cli_mt runs"))
}

#[test]
fn every_command_of_the_c_client_prints_the_same() {
    let part = "C client";
    let client = need!(part, cache::c_client());
    need!(part, java::classpath(Kind::Java395));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/c_client/commands.txt");
    let script = fs::read_to_string(path).expect("the script is in the repository");
    let (control, ours) = thread::scope(|scope| {
        let control = scope.spawn(|| session(Kind::Java395, &client, &script));
        let ours = session(crate::OURS, &client, &script);
        (control.join().expect("the control ran"), ours)
    });
    let text = control.lines.join("\n");
    for line in ["name = /c/es-0000000002", "/c: rc = -111", "rc = -110", "value_len"] {
        assert!(text.contains(line), "the script reaches {line:?}:\n{text}");
    }
    assert_eq!(control.events.len(), 11, "{:?}", control.events);
    for (name, control, ours) in
        [("lines", &control.lines, &ours.lines), ("events", &control.events, &ours.events)]
    {
        assert!(control == ours, "{name} {}", difference(control, ours).unwrap_or_default());
    }
}
