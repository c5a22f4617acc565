//! `--perf`: where a server's time goes during a row, as Linux `perf` samples it.
//!
//! # Invariants
//!
//! * A run under `perf` is for looking, not for judging: its figures are printed
//!   and never written to the report.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Functions below this share of the samples are left out.
const LIMIT: &str = "0.7";

/// A profiler attached to a server.
pub struct Profiler {
    child: Child,
    file: PathBuf,
}

impl Profiler {
    /// Attaches to `pid`; the samples are kept below `dir` under the row's name.
    pub fn attach(pid: u32, dir: &Path, id: &str) -> io::Result<Self> {
        let file = dir.join(format!("perf-{id}.data"));
        let child = Command::new("perf")
            .args(["record", "-q", "-F", "1999", "-p", &pid.to_string(), "-o"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| io::Error::other(format!("perf does not start (package linux-perf): {e}")))?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self { child, file })
    }

    /// Detaches and prints where the time went.
    pub fn report(mut self) -> io::Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::INT)?;
        }
        self.child.wait()?;
        for sort in ["comm", "symbol,dso"] {
            let output = Command::new("perf")
                .args(["report", "--stdio", "-q", "--no-children", "--percent-limit", LIMIT])
                .args(["--sort", sort, "-i"])
                .arg(&self.file)
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            for line in text.lines().filter(|l| !l.trim().is_empty()).take(45) {
                println!("      {}", line.trim_end());
            }
            println!();
        }
        println!("      samples: {}", self.file.display());
        Ok(())
    }
}
