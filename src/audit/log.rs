//! The audit log (`audit.enable`): to a file, or into the server's own log.
//!
//! # Invariants
//!
//! * A line is written whole before the next one begins.
//! * A log that cannot be written is reported once and counted; requests go on,
//!   as in ZooKeeper.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::line::{is_error, line};
use crate::types::decision::{Decision, DecisionSink};
use crate::types::java::java_iso8601;

/// The target of audit events in the server's own log.
pub const TARGET: &str = "audit";

/// Writes decisions that ZooKeeper audits, in its layout.
pub struct AuditLog {
    file: Option<Mutex<File>>,
    lost: AtomicU64,
}

impl AuditLog {
    /// Audit events go into the server's own log under [`TARGET`], failures as
    /// errors, the rest as information.
    pub fn to_server_log() -> Self {
        Self { file: None, lost: AtomicU64::new(0) }
    }

    /// Audit events are appended to the file at `path`, each line with time and
    /// level before it, as ZooKeeper's sample configuration lays them out.
    ///
    /// # Errors
    ///
    /// The file cannot be opened: the configuration names a wrong place.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Some(Mutex::new(file)), lost: AtomicU64::new(0) })
    }

    /// Events that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    fn append(&self, file: &Mutex<File>, decision: &Decision<'_>, line: &str) {
        let level = if is_error(decision) { "ERROR" } else { "INFO" };
        let time = java_iso8601(decision.wall_ms);
        let text = format!("{time} {level} audit.Slf4jAuditLogger: {line}\n");
        if let Err(error) = file.lock().write_all(text.as_bytes())
            && self.lost.fetch_add(1, Relaxed) == 0
        {
            tracing::error!(%error, "the audit log cannot be written: events are lost; check its disk");
        }
    }
}

impl DecisionSink for AuditLog {
    fn decided(&self, decision: &Decision<'_>) {
        let Some(line) = line(decision) else {
            return;
        };
        match &self.file {
            Some(file) => self.append(file, decision, &line),
            None if is_error(decision) => tracing::error!(target: TARGET, "{line}"),
            None => tracing::info!(target: TARGET, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::types::decision::{Operation, Sinks, Who};

    fn decision(code: Code) -> Decision<'static> {
        let who = Who { user: Some("zk"), ..Who::default() };
        Decision::new(who, Operation::Delete, code, 1_795_162_472_007).at("/a")
    }

    #[test]
    fn a_file_gets_one_line_per_event_after_what_was_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("zookeeper_audit.log");
        std::fs::write(&path, "before\n").expect("a file");
        let log = AuditLog::to_file(&path).expect("a log");
        log.decided(&decision(Code::Ok));
        log.decided(&Decision::new(Who::default(), Operation::Exists, Code::Ok, 0));
        log.decided(&decision(Code::NoAuth));
        let text = std::fs::read_to_string(&path).expect("a text");
        let prefix = "2026-11-20 08:14:32,007";
        assert_eq!(
            text,
            format!(
                "before\n\
                 {prefix} INFO audit.Slf4jAuditLogger: user=zk\toperation=delete\tznode=/a\tresult=success\n\
                 {prefix} ERROR audit.Slf4jAuditLogger: user=zk\toperation=delete\tznode=/a\tresult=failure\n"
            )
        );
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_or_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(AuditLog::to_file(&directory.path().join("no/such/place")).is_err());
        let full = AuditLog::to_file(Path::new("/dev/full")).expect("a device");
        full.decided(&decision(Code::Ok));
        full.decided(&decision(Code::Ok));
        assert_eq!(full.lost(), 2);
    }

    #[test]
    fn several_sinks_take_the_same_decision() {
        let directory = tempfile::tempdir().expect("a directory");
        let paths = ["one", "two"].map(|name| directory.path().join(name));
        let logs = paths.iter().map(|path| AuditLog::to_file(path).expect("a log"));
        let sinks = Sinks(logs.map(|log| Box::new(log) as Box<dyn DecisionSink>).collect());
        sinks.decided(&decision(Code::Ok));
        for path in &paths {
            assert_eq!(std::fs::read_to_string(path).expect("a text").lines().count(), 1);
        }
    }
}
