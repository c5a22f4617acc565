//! Keeps the machine's other processes out of the rows that are about latency.
//!
//! On a small shared machine the tail of a latency is somebody else's work: an echo server
//! shows the same. While such a row runs, the generator and the server under test, whichever
//! it is, stand in the real-time class, which needs the right to do so. And no processor sleeps:
//! a virtual one that halts is lent to others by its host and comes back late, so each is kept
//! busy by a process of the idle class, which gives way to everybody at once.
//!
//! # Invariants
//!
//! * Both servers and the generator get the same class, by the same command, for the same rows. A thread that made
//!   itself nicer than others stays behind them.
//! * The ordinary class comes back when the row ends, however it ends; what keeps processors awake
//!   ends then, and by itself when this process is gone.

use std::os::unix::process::parent_id;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The generator and one server in the real-time class, until dropped.
pub struct Alone {
    pids: Vec<u32>,
    awake: Vec<Child>,
}

impl Alone {
    /// Raises the threads of this process and of `server`; without the right nothing happens.
    pub fn with(server: u32) -> Self {
        let pids = vec![std::process::id(), server];
        if !possible() {
            return Self { pids: Vec::new(), awake: Vec::new() };
        }
        let awake = keep_awake();
        for pid in &pids {
            for thread in threads(*pid) {
                change(&["-r", "-p", "5"], thread);
            }
        }
        Self { pids, awake }
    }
}

/// The threads of a process that did not make themselves nicer.
fn threads(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let is_nice = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        // Behind the name in brackets: state is field 3, niceness field 19.
        let niceness = text.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(16));
        niceness.is_some_and(|n| n.parse::<i32>().is_ok_and(|n| n > 0))
    };
    let usual = entries.flatten().filter(|entry| !is_nice(entry.path()));
    usual.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
}

/// One process of the idle class for each processor.
fn keep_awake() -> Vec<Child> {
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let start = |cpu: usize| {
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), "chrt", "-i", "0"]).arg(&own).arg("--awake");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    };
    (0..cpus).filter_map(|cpu| start(cpu).ok()).collect()
}

/// What such a process does, until its parent is gone.
pub fn stay_awake() {
    let parent = parent_id();
    while parent_id() == parent {
        for _ in 0..100_000 {
            std::hint::spin_loop();
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        for child in &mut self.awake {
            let _ = child.kill();
            let _ = child.wait();
        }
        for pid in &self.pids {
            change(&["-a", "-o", "-p", "0"], *pid);
        }
    }
}

/// May this process take the class?
pub fn possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| {
        let tried = Command::new("chrt").args(["-r", "5", "true"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

/// A command of the ordinary class, whatever class its parent has.
pub fn ordinary(program: &std::path::Path) -> Command {
    if !possible() {
        return Command::new(program);
    }
    let mut command = Command::new("chrt");
    command.args(["-o", "0"]).arg(program);
    command
}

/// One call of chrt (util-linux) for all threads of a process.
fn change(options: &[&str], pid: u32) -> bool {
    let mut command = Command::new("chrt");
    command.args(options).arg(pid.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
