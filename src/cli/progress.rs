//! How far a long command has come: one line on standard error, about once a second.
//!
//! # Invariants
//!
//! * Nothing depends on it: a line that cannot be printed changes nothing.

use crate::os::clock;
use crate::types::Instant;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// Says how far a long reading has come.
pub struct Progress {
    to: Option<Box<dyn Write>>,
    what: String,
    said: Instant,
    shown: bool,
}

impl Progress {
    /// On standard error, whatever that is.
    pub fn to_stderr() -> Progress {
        Progress::new(Some(Box::new(io::stderr())))
    }

    /// On standard error if somebody sits before it: for commands that run by timers.
    pub fn on_terminal() -> Progress {
        if io::stderr().is_terminal() { Progress::to_stderr() } else { Progress::silent() }
    }

    /// Nowhere.
    pub fn silent() -> Progress {
        Progress::new(None)
    }

    fn new(to: Option<Box<dyn Write>>) -> Progress {
        Progress { to, what: String::new(), said: clock::mono(), shown: false }
    }

    /// A file begins.
    pub fn begin(&mut self, file: &Path, at: u64) {
        self.what = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.at(at);
    }

    /// So many bytes of the file are done.
    pub fn at(&mut self, at: u64) {
        if self.is_due() {
            self.say(format!("{}: {} MiB  ", self.what, at >> 20));
        }
    }

    /// So many of something are done.
    pub fn count(&mut self, done: u64, what: &str) {
        if self.is_due() {
            self.say(format!("{done} {what}  "));
        }
    }

    fn is_due(&self) -> bool {
        self.to.is_some() && clock::mono().since(self.said) >= Duration::from_secs(1)
    }

    fn say(&mut self, text: String) {
        self.said = clock::mono();
        self.shown = true;
        if let Some(to) = self.to.as_mut() {
            // Nobody has to read this.
            let _ = write!(to, "\r{text}").and_then(|()| to.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(to) = self.to.as_mut().filter(|_| self.shown) {
            let _ = writeln!(to);
        }
    }
}
