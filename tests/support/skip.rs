//! The record of what was not run.
//!
//! # Invariants
//! * A skipped part leaves a line in the file that `make test` prints at its end, so that nobody
//!   mistakes a green run for a complete one.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// The file `make test` prints: `OXKEEPER_NOT_RUN`, or `not-run.txt` in cargo's directory for tests.
pub fn list() -> PathBuf {
    match std::env::var_os("OXKEEPER_NOT_RUN") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("not-run.txt"),
    }
}

/// Records that `part` did not run, and why. The caller returns from its test right after.
pub fn not_run(part: &str, why: &str) {
    let line = format!("not run: {part}: {why}\n");
    eprint!("{line}");
    let file = OpenOptions::new().create(true).append(true).open(list());
    if let Ok(mut file) = file {
        // One short write: lines of rings that run side by side do not mix.
        let _ = file.write_all(line.as_bytes());
    }
}

/// Unwraps what the machine may not have, or records the part as not run and returns from the test (`use crate::need;`).
#[macro_export]
macro_rules! need {
    ($part:expr, $had:expr) => {
        match $had {
            Ok(value) => value,
            Err(why) => {
                $crate::support::skip::not_run($part, &why);
                return;
            }
        }
    };
}
