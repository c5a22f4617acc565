//! A decision as a line of ZooKeeper's audit log (`AuditEvent`).
//!
//! # Invariants
//!
//! * Fields stand in ZooKeeper's order, separated by tabs: session, user, ip,
//!   operation, znode, znode_type, acl, result; absent ones are left out.
//! * One event is one line and its fields stay apart: control characters of a
//!   path or a name are written as `\uXXXX`.

use std::fmt::Write as _;

use crate::types::decision::{Decision, Outcome};
use crate::types::java::java_ip;
use crate::types::{Acl, CreateMode, perms};

/// The line, without its end; none for what ZooKeeper does not audit.
pub fn line(decision: &Decision<'_>) -> Option<String> {
    let operation = decision.operation.audit_name()?;
    let mut line = String::with_capacity(160);
    let mut field = |key: &str, value: &str| {
        line.push_str(key);
        line.push('=');
        push_escaped(&mut line, value);
        line.push('\t');
    };
    let who = &decision.who;
    if let Some(session) = who.session {
        field("session", &session.to_string());
    }
    if let Some(user) = who.user {
        field("user", user);
    }
    if let Some(address) = who.address {
        field("ip", &java_ip(address));
    }
    field("operation", operation);
    if let Some(path) = decision.path {
        field("znode", path);
    }
    if let Some(mode) = decision.mode {
        field("znode_type", znode_type(mode));
    }
    if let Some(acl) = decision.acl {
        field("acl", &acl_text(acl));
    }
    line.push_str("result=");
    line.push_str(result(decision.outcome));
    Some(line)
}

/// Is the event logged as an error (`Slf4jAuditLogger`)?
pub fn is_error(decision: &Decision<'_>) -> bool {
    result(decision.outcome) == "failure"
}

/// ZooKeeper knows no difference between refused and impossible.
fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "success",
        Outcome::Denied | Outcome::Failed => "failure",
        Outcome::Invoked => "invoked",
    }
}

/// The name of a create mode in lower case.
fn znode_type(mode: CreateMode) -> &'static str {
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

/// `scheme:id:perms` of every entry, without separators (`ZKUtil.aclToString`).
fn acl_text(acl: &[Acl]) -> String {
    let mut text = String::new();
    for entry in acl {
        let _ = write!(text, "{}:{}:", entry.id.scheme, entry.id.id);
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
    text
}

fn push_escaped(line: &mut String, value: &str) {
    for c in value.chars() {
        if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
            let _ = write!(line, "\\u{:04x}", c as u32);
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::types::decision::{Operation, Who};
    use crate::types::{Id, SessionId};

    /// Lines of a Java ZooKeeper 3.9.5 without the logger's prefix.
    const JAVA: &str = include_str!("../../tests/data/audit.txt");

    fn who(session: i64) -> Who<'static> {
        Who {
            session: Some(SessionId(session)),
            user: Some("127.0.0.1"),
            address: Some([127, 0, 0, 1].into()),
        }
    }

    #[test]
    fn lines_are_those_of_zookeeper() {
        let (one, two) = (0x0100_001e_7c71_0000, 0x0100_001e_7c71_0001);
        let account = Who { user: Some("root"), ..Who::default() };
        let done = |who, operation| Decision::new(who, operation, Code::Ok, 0);
        let failed = |session, operation, code| Decision::new(who(session), operation, code, 0);
        let with = |mode, decision| Decision { mode: Some(mode), ..decision };
        let created = |path| done(who(one), Operation::Create).at(path);
        let exists = failed(one, Operation::Create, Code::NodeExists);
        let open = [Acl::open()];
        let gone = |path| {
            let expired = Who { session: Some(SessionId(one)), ..account };
            done(expired, Operation::EphemeralDelete).at(path)
        };
        let decisions = [
            done(account, Operation::ServerStart),
            with(CreateMode::Persistent, created("/ns")),
            with(CreateMode::Ephemeral, created("/ns/e1")),
            with(CreateMode::Ephemeral, created("/ns/e2")),
            with(CreateMode::Ephemeral, exists.at("/ns/e2")),
            Decision { acl: Some(&open), ..done(who(one), Operation::SetAcl).at("/ns") },
            done(who(two), Operation::Create).at("/m0000000001"), // sequential, in a multi
            done(who(two), Operation::SetData).at("/ns"),
            failed(two, Operation::Delete, Code::NoNode).at("/nothing"),
            failed(two, Operation::Delete, Code::NoNode).at("/m0000000003"),
            done(who(two), Operation::SetData).at("/ns"),
            failed(two, Operation::Multi, Code::NoNode),
            gone("/ns/e1"),
            gone("/ns/e2"),
            Decision { outcome: Outcome::Invoked, ..done(account, Operation::ServerStop) },
        ];
        let ours: Vec<_> = decisions.iter().filter_map(line).collect();
        let javas: Vec<_> = JAVA.lines().collect();
        assert_eq!(ours, javas);
    }

    #[test]
    fn reads_are_not_audited_as_in_zookeeper() {
        assert_eq!(line(&Decision::new(who(1), Operation::GetData, Code::NoAuth, 0).at("/a")), None);
    }

    #[test]
    fn a_name_cannot_forge_a_field_or_a_line() {
        let decision = Decision::new(who(1), Operation::Create, Code::BadArguments, 0);
        let text = line(&decision.at("/a\tresult=success\n/b\u{2028}")).expect("a line");
        assert_eq!(text.lines().count(), 1);
        assert_eq!(text.split('\t').count(), 6);
        assert!(text.ends_with("znode=/a\\u0009result=success\\u000a/b\\u2028\tresult=failure"));
    }

    #[test]
    fn acl_entries_follow_each_other_without_separators() {
        let acl = [
            Acl { perms: perms::READ | perms::ADMIN, id: Id::new("ip", "10.0.0.0/8") },
            Acl { perms: perms::ALL, id: Id::new("sasl", "a@B") },
        ];
        assert_eq!(acl_text(&acl), "ip:10.0.0.0/8:rasasl:a@B:cdrwa");
    }
}
