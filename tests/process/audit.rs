//! The audit log of a running server.
//!
//! # Invariants
//!
//! * "As ZooKeeper" is compared with a Java server that ran the same script.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oxkeeper::audit::verify::verify;
use oxkeeper::error::Code;
use oxkeeper::proto::{OpCode, Request};

use crate::audit_script::{self, delete, expect, login, plain, set};
use crate::support::server::{Server, Spec};
use crate::support::{java, ox, process};
use crate::wire::Wire;
use crate::{need, support};

/// What ZooKeeper records.
const JAVAS: [&str; 9] = [
    "create",
    "delete",
    "setData",
    "setAcl",
    "multiOperation",
    "reconfig",
    "ephemeralZNodeDeletionOnSessionCloseOrExpire",
    "serverStart",
    "serverStop",
];

fn audited() -> Spec {
    Spec::new().cfg("audit.enable=true").flag("-Dzookeeper.extendedTypesEnabled=true")
}

/// Records of a log whose lines have `mark` in front of them; session ids replaced by their
/// order of appearance, and only what ZooKeeper records.
fn records(log: &str, mark: &str) -> Vec<String> {
    let mut sessions: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for record in log.lines().filter_map(|line| line.split_once(mark)).map(|(_, record)| record) {
        let fields: Vec<String> = record
            .split('\t')
            .map(|field| match field.strip_prefix("session=") {
                Some(id) => {
                    let at = sessions.iter().position(|s| s == id).unwrap_or_else(|| {
                        sessions.push(id.to_owned());
                        sessions.len() - 1
                    });
                    format!("session={at}")
                }
                None => field.to_owned(),
            })
            .collect();
        let operation = fields.iter().find_map(|f| f.strip_prefix("operation=")).unwrap_or_default();
        if JAVAS.contains(&operation) {
            out.push(fields.join("\t"));
        }
    }
    out
}

fn script(server: &mut Server, mark: &str) -> Vec<String> {
    audit_script::run(server.port());
    server.stop();
    records(&server.log(), mark)
}

#[test]
fn what_zookeeper_records_is_recorded_as_zookeeper_does_it() {
    let java_spec = audited().flag("-Dzookeeper.audit.enable=true");
    let mut java = need!("audit records of Java", java::start(&java_spec));
    let javas = script(&mut java, " Slf4jAuditLogger - ");
    let mut ours = ox::start(&audited()).expect("a server");
    let ours = script(&mut ours, " audit: ");
    assert!(javas.len() > 30, "Java wrote {} records:\n{}", javas.len(), java.log());
    // The hash of a digest entry is not written here; no entry of this script has one.
    assert_eq!(ours, javas);
}

fn in_file(name: &str) -> (support::dirs::Dir, PathBuf) {
    let home = support::dirs::Dir::new(name);
    let path = home.path().join("audit.log");
    (home, path)
}

fn with_file(path: &Path, layout: &str) -> Spec {
    audited().cfg(&format!("audit.file={}", path.display())).cfg(&format!("audit.layout={layout}"))
}

#[test]
fn files_hold_every_record_in_every_layout_and_verify() {
    for layout in ["java", "mrs", "json"] {
        let (home, path) = in_file("audit");
        let mut server = ox::start(&with_file(&path, layout)).expect("a server");
        audit_script::run(server.port());
        server.stop();
        let text = std::fs::read_to_string(&path).expect("a file");
        // Two logins of sessions, one of bob, two ends, two ephemerals, one denied delete and set.
        for (what, times) in [("sessionOpen", 2), ("authenticate", 1), ("sessionClose", 2), ("serverStop", 1)]
        {
            assert_eq!(text.matches(what).count(), times, "{layout}: {what}\n{text}");
        }
        assert!(!text.contains("ssword"), "{layout}: a password is in the audit log");
        let mut verdict = ox::command(&["audit", "verify"]);
        verdict.arg(home.path());
        let (status, said) = process::run(verdict, None, Duration::from_secs(60)).expect("ran");
        assert!(status.success() && said.contains("the chain is whole"), "{said}");
    }
}

/// The objects of a JSON audit log.
fn objects(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

#[test]
fn json_tells_lists_before_and_after_denials_and_reads() {
    let (_home, path) = in_file("audit-json");
    let mut server = ox::start(&with_file(&path, "json")).expect("a server");
    let mut wire = Wire::connect(server.port(), 30_000).expect("a session");
    login(&mut wire, "bob:secret");
    let acl = |perms| {
        let id = oxkeeper::types::Id::new("auth", "");
        vec![oxkeeper::types::Acl { perms, id }]
    };
    expect(
        &mut wire,
        OpCode::Create,
        &audit_script::create(oxkeeper::proto::CreateKind::Create, "/m", 0, acl(31)),
        Code::Ok,
    );
    expect(
        &mut wire,
        OpCode::SetAcl,
        &Request::SetAcl { path: "/m".into(), acl: acl(2), version: -1 },
        Code::Ok,
    );
    expect(&mut wire, OpCode::GetData, &Request::GetData { path: "/m".into(), watch: false }, Code::NoAuth);
    expect(&mut wire, OpCode::Exists, &Request::Exists { path: "/gone".into(), watch: false }, Code::NoNode);
    server.stop();
    let objects = objects(&path);
    let find = |operation: &str| objects.iter().find(|o| o["operation"] == operation).expect("a record");
    let (create, set_acl, denied) = (find("create"), find("setAcl"), find("getData"));
    assert_eq!(create["identities"], serde_json::json!(["ip:127.0.0.1", "digest:bob:x"]));
    assert_eq!((&create["user"], &create["znode_type"]), (&"127.0.0.1,bob".into(), &"persistent".into()));
    assert_eq!(create["acl_after"], serde_json::json!(["digest:bob:x:cdrwa"]));
    assert_eq!(set_acl["acl_before"], serde_json::json!(["digest:bob:x:cdrwa"]));
    assert_eq!(set_acl["acl_after"], serde_json::json!(["digest:bob:x:w"]));
    assert_eq!(
        (&denied["znode"], &denied["outcome"], &denied["code"]),
        (&"/m".into(), &"denied".into(), &(-102).into())
    );
    assert!(
        !objects.iter().any(|o| o["operation"] == "exists"),
        "a read that is not refused is not recorded"
    );
}

fn verify_whole(path: &Path) {
    let report = verify(&[path.to_owned()]).expect("read");
    assert_eq!(report.findings, []);
}

#[test]
fn no_reply_leaves_before_its_record_and_none_while_the_file_cannot_be_written() {
    let (home, _) = in_file("audit-required");
    let folder = home.path().join("records");
    std::fs::create_dir(&folder).expect("made");
    let path = folder.join("audit.log");
    let spec = with_file(&path, "json").cfg("audit.required=true").cfg("audit.file.maxSizeMB=1");
    let mut server = ox::start(&spec).expect("a server");
    let mut wire = Wire::connect(server.port(), 30_000).expect("a session");
    for n in 0..50 {
        let name = format!("/n{n}");
        expect(&mut wire, OpCode::Create, &plain(&name, 0), Code::Ok);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(&format!("\"znode\":\"{name}\"")), "the reply was there before the record");
    }
    // Denials and failures wait for their records as well.
    expect(&mut wire, OpCode::Delete, &delete("/none"), Code::NoNode);
    assert!(std::fs::read_to_string(&path).expect("a file").contains("\"znode\":\"/none\""));
    // The next rotation finds no directory.
    let away = home.path().join("away");
    std::fs::rename(&folder, &away).expect("renamed");
    let long = format!("/{}", "x".repeat(200_000));
    let begun = Instant::now();
    while wire.request(OpCode::SetData, &set(&long, -1)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "served without an audit file");
    }
    let refused = Wire::connect(server.port(), 30_000);
    assert!(refused.is_err(), "a session was opened without an audit file");
    assert!(server.log().contains("nothing is served until it can"), "{}", server.log());
    std::fs::rename(&away, &folder).expect("renamed");
    let mut again = loop {
        match Wire::connect(server.port(), 30_000) {
            Ok(wire) => break wire,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(120), "not served again"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    expect(&mut again, OpCode::Create, &plain("/again", 0), Code::Ok);
    server.stop();
    verify_whole(&folder);
}

#[test]
fn an_audit_file_that_cannot_be_opened_refuses_the_start() {
    let spec = audited().cfg("audit.file=/dev/null/audit.log");
    let mut server = Server::launch(support::server::Kind::Oxkeeper, &spec).expect("launched");
    let status = server.process().wait(Duration::from_secs(60)).expect("ended");
    assert_eq!(status.code(), Some(2));
    assert!(server.log().contains("audit.file"), "{}", server.log());
}

#[test]
fn the_chain_goes_on_over_kill_9_and_restart() {
    let (home, path) = in_file("audit-kill");
    let data = home.path().join("data");
    let spec = with_file(&path, "java").data_dir(&data);
    for round in 0..4 {
        let mut server = ox::start(&spec).expect("a server");
        let mut wire = Wire::connect(server.port(), 30_000).expect("a session");
        for n in 0..20 {
            expect(&mut wire, OpCode::Create, &plain(&format!("/{round}-{n}"), 0), Code::Ok);
        }
        server.kill();
    }
    verify_whole(&path);
    let starts = std::fs::read_to_string(&path).expect("a file").matches("serverStart").count();
    assert_eq!(starts, 4);
}
