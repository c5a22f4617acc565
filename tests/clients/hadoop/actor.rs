//! A program of the test that is told what to do by lines and says what happens in lines (`Actor.java`).
//!
//! # Invariants
//! * Every wait is bounded, and its failure shows the end of the program's log.
//! * The process ends with its guard, by its process id.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything a program of ours does on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A running program.
pub struct Actor {
    name: String,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// What it said since [`Actor::mark`].
    heard: Vec<String>,
    log: PathBuf,
}

impl Actor {
    /// Starts it and waits until it is ready.
    pub fn start(name: &str, mut command: Command, dir: &Path) -> Actor {
        let log = dir.join(format!("{name}.log"));
        let errors = std::fs::File::options().create(true).append(true).open(&log).expect("its log");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut actor = Actor { name: name.to_owned(), child, input, lines, heard: Vec::new(), log };
        actor.hear("ready");
        actor
    }

    /// Tells it to do something.
    pub fn tell(&mut self, line: &str) {
        let told = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        told.unwrap_or_else(|e| panic!("{} cannot be told {line:?}: {e}\n{}", self.name, self.log_end()));
    }

    /// Waits for a line that begins with `wanted`; what stands behind that.
    pub fn hear(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{} did not say {wanted:?}, but {:?}\n{}", self.name, self.heard, self.log_end());
            };
            let rest = line.strip_prefix(wanted).map(|rest| rest.trim().to_owned());
            if let Some(why) = line.strip_prefix("fatal ").or(line.strip_prefix("failed ")) {
                panic!("{} failed: {why}\n{}", self.name, self.log_end());
            }
            self.heard.push(line);
            if let Some(rest) = rest {
                return rest;
            }
        }
    }

    /// Tells it to do something and waits for its answer.
    pub fn ask(&mut self, line: &str, wanted: &str) -> String {
        self.tell(line);
        self.hear(wanted)
    }

    /// Forgets what it said so far.
    pub fn mark(&mut self) {
        while self.lines.try_recv().is_ok() {}
        self.heard.clear();
    }

    /// It has not said a line since the mark that begins with one of these.
    pub fn never(&mut self, words: &[&str]) {
        self.heard.extend(self.lines.try_iter());
        let said = self.heard.iter().find(|line| words.iter().any(|word| line.starts_with(word)));
        assert!(said.is_none(), "{} said {:?}\n{}", self.name, self.heard, self.log_end());
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP: the process stands still until [`Actor::resume`].
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).unwrap_or_else(|e| panic!("{}: {e}", self.name));
    }

    fn log_end(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.kill();
    }
}
