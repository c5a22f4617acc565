//! Keeps the machine's other processes out of the rows that are about latency.
//!
//! On a small shared machine the tail of a latency is somebody else's work: an echo server
//! shows the same. While such a row runs, the generator and the server under test, whichever
//! it is, stand in the real-time class, which needs the right to do so.
//!
//! # Invariants
//!
//! * Both servers and the generator get the same class, by the same command, for the same rows.
//! * The ordinary class comes back when the row ends, however it ends.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The generator and one server in the real-time class, until dropped.
pub struct Alone {
    pids: Vec<u32>,
}

impl Alone {
    /// Raises every thread of this process and of `server`; without the right nothing happens.
    pub fn with(server: u32) -> Self {
        let pids = vec![std::process::id(), server];
        if !possible() {
            return Self { pids: Vec::new() };
        }
        for pid in &pids {
            change(&["-a", "-r", "-p", "5"], *pid);
        }
        Self { pids }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
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

/// One call of chrt (util-linux) for all threads of a process.
fn change(options: &[&str], pid: u32) -> bool {
    let mut command = Command::new("chrt");
    command.args(options).arg(pid.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
