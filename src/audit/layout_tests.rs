//! Records as lines, compared with lines of the reference.

use super::*;
use crate::error::Code;
use crate::types::decision::{Operation, Part, Who};
use crate::types::{Id, SessionId, Zxid};

/// Lines of a Java ZooKeeper 3.9.5 without the logger's prefix.
const JAVA: &str = include_str!("../../tests/data/audit.txt");

fn who(session: i64) -> Who<'static> {
    Who {
        session: Some(SessionId(session)),
        user: Some("127.0.0.1"),
        address: Some([127, 0, 0, 1].into()),
        ..Who::default()
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
    let ours: Vec<_> = decisions.iter().map(|d| Layout::Java.event(d)).collect();
    let javas: Vec<_> = JAVA.lines().collect();
    assert_eq!(ours, javas);
}

#[test]
fn reads_are_recorded_when_they_are_refused() {
    let read = |code| Decision::new(who(1), Operation::GetData, code, 0).at("/a");
    assert!(!read(Code::Ok).is_audited() && !read(Code::NoNode).is_audited());
    let denied = read(Code::NoAuth);
    assert!(denied.is_audited());
    assert!(Layout::Java.event(&denied).ends_with("operation=getData\tznode=/a\tresult=failure"));
}

#[test]
fn a_name_cannot_forge_a_field_or_a_line() {
    let name = "/a\tresult=success\n/b\u{2028}?result=success\"}\u{7f}";
    let decision = Decision::new(who(1), Operation::Create, Code::BadArguments, 0).at(name);
    let java = Layout::Java.line(&decision);
    assert_eq!((java.lines().count(), java.split('\t').count()), (1, 6));
    let shown = "znode=/a\\u0009result=success\\u000a/b\\u2028?result=success\"}\\u007f\tresult=failure";
    assert!(java.ends_with(shown), "{java}");
    let mrs = Layout::Mrs.line(&decision);
    assert_eq!((mrs.lines().count(), mrs.split('?').count()), (1, 7));
    assert!(mrs.contains("\\u003fresult=success") && mrs.ends_with("?result=failure"), "{mrs}");
    let json = Layout::Json.line(&decision);
    assert!(json.lines().count() == 1 && !json.contains(is_control), "{json}");
    let read: serde_json::Value = serde_json::from_str(&json).expect("an object");
    assert_eq!((&read["znode"], &read["result"]), (&name.into(), &"failure".into()));
}

#[test]
fn the_layout_of_mrs_is_that_of_its_manual() {
    let who = Who {
        session: Some(SessionId(0x1200_0007_553b_4903)),
        user: Some("10.177.223.78,zkcli/hadoop.hadoop.com@HADOOP.COM"),
        address: Some([10, 177, 223, 78].into()),
        ..Who::default()
    };
    let created =
        Decision { mode: Some(CreateMode::Persistent), ..Decision::new(who, Operation::Create, Code::Ok, 0) };
    let line = Layout::Mrs.line(&created.at("/test1"));
    let event = "session=0x12000007553b4903?user=10.177.223.78,zkcli/hadoop.hadoop.com@HADOOP.COM\
                 ?ip=10.177.223.78?operation=create znode?target=ZooKeeperServer?znode=/test1?result=success";
    assert_eq!(line, format!("1970-01-01 00:00:00,000 | INFO  | audit | {event}"));
}

#[test]
fn json_tells_everything_and_no_hash() {
    let bob = [Id::new("ip", "10.0.0.1"), Id::new("digest", "bob:aGFzaA==")];
    let (before, after) = ([Acl::open()], [Acl { perms: perms::ALL, id: bob[1].clone() }]);
    let mut decision = Decision::new(who(1), Operation::SetAcl, Code::Ok, 0).at("/a");
    decision.who.identities = &bob;
    decision.who.principal = Some("bob@R");
    decision = Decision {
        acl: Some(&after),
        acl_before: Some(&before),
        acl_after: Some(&after),
        zxid: Some(Zxid(0x1f)),
        extra: &[("reason", "NAME_REALM")],
        ..decision
    };
    let json = Layout::Json.event(&decision);
    assert!(!json.contains("aGFzaA"), "{json}");
    let read: serde_json::Value = serde_json::from_str(&json).expect("an object");
    assert_eq!(read["identities"], serde_json::json!(["ip:10.0.0.1", "digest:bob:x"]));
    assert_eq!(read["acl_before"], serde_json::json!(["world:anyone:cdrwa"]));
    assert_eq!(read["acl_after"], serde_json::json!(["digest:bob:x:cdrwa"]));
    assert_eq!((&read["principal"], &read["zxid"]), (&"bob@R".into(), &"0x1f".into()));
    assert_eq!((&read["reason"], &read["time"]), (&"NAME_REALM".into(), &"1970-01-01T00:00:00.000Z".into()));
    assert!(!Layout::Java.event(&decision).contains("aGFzaA"));
}

#[test]
fn a_failed_multi_tells_its_parts_in_json() {
    let parts = [
        Part { operation: Operation::Create, path: "/a", code: Code::Ok },
        Part { operation: Operation::Check, path: "/b", code: Code::BadVersion },
    ];
    let failed = Decision { parts: &parts, ..Decision::new(who(1), Operation::Multi, Code::BadVersion, 0) };
    let read: serde_json::Value = serde_json::from_str(&Layout::Json.event(&failed)).expect("an object");
    assert_eq!(read["parts"][1], serde_json::json!({"operation": "check", "znode": "/b", "code": -103}));
}

#[test]
fn acl_entries_follow_each_other_without_separators() {
    let acl = [
        Acl { perms: perms::READ | perms::ADMIN, id: Id::new("ip", "10.0.0.0/8") },
        Acl { perms: perms::ALL, id: Id::new("sasl", "a@B") },
    ];
    let decision = Decision { acl: Some(&acl), ..Decision::new(who(1), Operation::SetAcl, Code::Ok, 0) };
    assert!(Layout::Java.event(&decision).contains("\tacl=ip:10.0.0.0/8:rasasl:a@B:cdrwa\t"));
}
