//! A decision as one line of the audit log, in three layouts.
//!
//! # Invariants
//!
//! * One record is one line, and its fields stay apart: control characters, and in the
//!   layout of MRS the separator `?`, are written as `\uXXXX` wherever a peer chose the text.
//! * What ZooKeeper records is recorded in its layout as `AuditEvent` prints it, to the byte;
//!   but the hash of a digest entry in an ACL is written as `x`.
//! * A line holds no data of a znode, no password and no token.

use std::fmt::Write as _;

use super::json;
use crate::types::decision::{Decision, Operation, Outcome};
use crate::types::java::{java_ip, java_iso8601};
use crate::types::{Acl, CreateMode, perms};

/// How records look (`audit.layout`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// ZooKeeper's: `key=value` between tabs.
    #[default]
    Java,
    /// FusionInsight MRS's: `key=value` between question marks.
    Mrs,
    /// One JSON object a line.
    Json,
}

impl Layout {
    /// The layout of that name.
    pub fn from_name(name: &str) -> Option<Layout> {
        Some(match name {
            "java" => Layout::Java,
            "mrs" => Layout::Mrs,
            "json" => Layout::Json,
            _ => return None,
        })
    }

    /// The record without time and level: what goes into the server's own log.
    pub fn event(self, decision: &Decision<'_>) -> String {
        match self {
            Layout::Java => Fields::new('\t').event(decision),
            Layout::Mrs => Fields::new('?').event(decision),
            Layout::Json => json::event(decision),
        }
    }

    /// The whole line of a file, without its end: time and level, as ZooKeeper's sample
    /// configuration and as MRS lay them out, then the record.
    pub fn line(self, decision: &Decision<'_>) -> String {
        let time = java_iso8601(decision.wall_ms);
        let level = if is_error(decision) { "ERROR" } else { "INFO" };
        let event = self.event(decision);
        match self {
            Layout::Java => format!("{time} {level} audit.Slf4jAuditLogger: {event}"),
            Layout::Mrs => format!("{time} | {level:<5} | audit | {event}"),
            Layout::Json => event,
        }
    }
}

/// Is the event logged as an error (`Slf4jAuditLogger`)?
pub fn is_error(decision: &Decision<'_>) -> bool {
    result(decision.outcome) == "failure"
}

/// ZooKeeper knows no difference between refused and impossible.
pub(super) fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "success",
        Outcome::Denied | Outcome::Failed => "failure",
        Outcome::Invoked => "invoked",
    }
}

/// The name of a create mode in lower case.
pub(super) fn znode_type(mode: CreateMode) -> &'static str {
    match mode {
        CreateMode::Persistent => "persistent",
        CreateMode::Ephemeral => "ephemeral",
        CreateMode::PersistentSequential => "persistent_sequential",
        CreateMode::EphemeralSequential => "ephemeral_sequential",
        CreateMode::Container => "container",
        CreateMode::PersistentTtl => "persistent_with_ttl",
        CreateMode::PersistentSequentialTtl => "persistent_sequential_with_ttl",
    }
}

/// One entry as `scheme:id:perms`.
pub(super) fn push_entry(text: &mut String, entry: &Acl) {
    let id = shown_id(&entry.id.scheme, &entry.id.id);
    let _ = write!(text, "{}:{id}:", entry.id.scheme);
    let letters = [
        (perms::CREATE, 'c'),
        (perms::DELETE, 'd'),
        (perms::READ, 'r'),
        (perms::WRITE, 'w'),
        (perms::ADMIN, 'a'),
    ];
    let given = letters.iter().filter(|(bit, _)| entry.perms & bit != 0);
    text.extend(given.map(|(_, letter)| letter));
}

/// An id as it may be shown: passwords can be guessed from the hash of a digest.
pub(super) fn shown_id<'a>(scheme: &str, id: &'a str) -> std::borrow::Cow<'a, str> {
    match id.split_once(':') {
        Some((user, _)) if scheme == "digest" => format!("{user}:x").into(),
        _ => id.into(),
    }
}

/// A line of fields between separators.
struct Fields {
    separator: char,
    line: String,
}

impl Fields {
    fn new(separator: char) -> Fields {
        Fields { separator, line: String::with_capacity(192) }
    }

    fn put(&mut self, key: &str, value: &str) {
        if !self.line.is_empty() {
            self.line.push(self.separator);
        }
        self.line.push_str(key);
        self.line.push('=');
        for c in value.chars() {
            if c == self.separator || is_control(c) {
                let _ = write!(self.line, "\\u{:04x}", c as u32);
            } else {
                self.line.push(c);
            }
        }
    }

    /// Fields in ZooKeeper's order: session, user, ip, operation, znode, znode_type, acl,
    /// result; absent ones are left out. What ZooKeeper does not record tells more, before
    /// the result.
    fn event(mut self, decision: &Decision<'_>) -> String {
        let java = decision.operation.audit_name().is_some();
        let mrs = self.separator == '?';
        let who = &decision.who;
        if let Some(session) = who.session {
            self.put("session", &session.to_string());
        }
        if let Some(user) = who.user {
            self.put("user", user);
        }
        if let Some(address) = who.address {
            self.put("ip", &java_ip(address));
        }
        self.put(
            "operation",
            if mrs { mrs_name(decision.operation) } else { decision.operation.record_name() },
        );
        if mrs {
            self.put("target", "ZooKeeperServer");
        }
        if let Some(path) = decision.path {
            self.put("znode", path);
        }
        if let Some(mode) = decision.mode.filter(|_| decision.mode_in_java && !mrs) {
            self.put("znode_type", znode_type(mode));
        }
        if let Some(acl) = decision.acl {
            let mut text = String::new();
            acl.iter().for_each(|entry| push_entry(&mut text, entry));
            self.put("acl", &text);
        }
        if !java {
            if let Some(principal) = who.principal {
                self.put("principal", principal);
            }
            decision.extra.iter().for_each(|(key, value)| self.put(key, value));
        }
        self.put("result", result(decision.outcome));
        self.line
    }
}

/// What MRS calls an operation: its manual shows `create znode`; the other operations on
/// znodes are called likewise.
fn mrs_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create znode",
        Operation::Delete => "delete znode",
        Operation::SetData => "setData znode",
        Operation::SetAcl => "setAcl znode",
        other => other.record_name(),
    }
}

/// Characters that end lines, or make a terminal do more than print.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || c == '\u{2028}' || c == '\u{2029}'
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
