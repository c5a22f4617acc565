//! One child process: its output in a file, its end by its pid.
//!
//! # Invariants
//! * A process started here does not outlive its guard: SIGTERM first, SIGKILL when that is not enough.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How often a running process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A running child.
pub struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with no input and both outputs appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        command.stdin(Stdio::null());
        Self::start_with_input(command, log)
    }

    /// Starts `command` with the input that it has, and both outputs appended to `log`.
    pub fn start_with_input(mut command: Command, log: &Path) -> io::Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let err = out.try_clone()?;
        let child = command.stdout(out).stderr(err).spawn()?;
        Ok(Self { child, log: log.to_path_buf(), ended: None })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map_or_else(|e| e.to_string(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits for its end for at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < deadline {
            sleep(LOOK);
        }
        self.ended
    }

    /// Sends `signal`; a process that is gone is left alone.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGTERM, then SIGKILL if it has not ended within ten seconds.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(GRACE).or_else(|| self.kill())
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if self.ended().is_none() {
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
        self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs `command` to its end, input from `input`, both outputs in one text; killed after `limit`.
///
/// # Errors
/// Says what the command was and what it printed when it did not end in time.
pub fn run(
    mut command: Command,
    input: Option<&Path>,
    limit: Duration,
) -> Result<(ExitStatus, String), String> {
    let named = format!("{:?}", command.get_program());
    let fail = |e: io::Error| format!("{named}: {e}");
    let out = tempfile::NamedTempFile::new().map_err(fail)?;
    let stdin = match input {
        Some(path) => Stdio::from(File::open(path).map_err(fail)?),
        None => Stdio::null(),
    };
    let stdout = File::options().append(true).open(out.path()).map_err(fail)?;
    let stderr = stdout.try_clone().map_err(fail)?;
    let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().map_err(fail)?;
    let mut process = Process { child, log: out.path().to_path_buf(), ended: None };
    match process.wait(limit) {
        Some(status) => Ok((status, process.log())),
        None => Err(format!("{named} did not end within {limit:?}; it printed:\n{}", process.log())),
    }
}
