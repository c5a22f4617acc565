//! Thousands of scripted operations: each recorded exactly once with its result, over many
//! files, and every changed byte is found.
//!
//! `OXKEEPER_AUDIT_OPERATIONS` sets how many; the default is what `make test` runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oxkeeper::audit::verify::verify;
use oxkeeper::error::Code;
use oxkeeper::proto::{CreateKind, MultiOp, OpCode, Proof, Request};
use oxkeeper::types::{Acl, Id, perms};

use crate::audit_script::{create, delete, plain, set};
use crate::support::dirs::Dir;
use crate::support::ox;
use crate::support::server::Spec;
use crate::wire::Wire;

/// Session, operation, znode (empty without), result.
type Record = (String, String, String, String);

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// What was done, and what has to be recorded of it.
struct Script {
    wire: Wire,
    expected: Vec<Record>,
    done: usize,
}

impl Script {
    fn expect(&mut self, operation: &str, znode: &str, ok: bool) {
        let result = if ok { "success" } else { "failure" };
        let session = format!("0x{:x}", self.wire.session);
        self.expected.push((session, operation.to_owned(), znode.to_owned(), result.to_owned()));
    }

    /// One request that becomes one record.
    fn one(&mut self, op: OpCode, request: &Request<'_>, operation: &str, znode: &str) {
        let code = self.wire.request(op, request).expect("a reply").err;
        self.expect(operation, znode, code == 0);
        self.done += 1;
    }

    fn multi(&mut self, n: usize, fails: bool) {
        let (a, b) = (format!("/t/m{n}a"), format!("/t/m{n}b"));
        let part = |op, request| MultiOp { op, request };
        let mut ops = vec![
            part(OpCode::Create, plain(&a, 0)),
            part(OpCode::Create, plain(&b, 0)),
            part(OpCode::SetData, set(&a, 0)),
            part(OpCode::Delete, delete(&b)),
        ];
        if fails {
            ops.push(part(OpCode::Check, Request::Check { path: "/none".into(), version: 0 }));
        }
        let reply = self.wire.request(OpCode::Multi, &Request::Multi(ops)).expect("a reply");
        assert_eq!(reply.err, 0);
        if fails {
            self.expect("multiOperation", "", false);
        } else {
            for (operation, znode) in [("create", &a), ("create", &b), ("setData", &a), ("delete", &b)] {
                self.expect(operation, znode, true);
            }
        }
        self.done += 1;
    }

    fn step(&mut self, dice: &mut Dice, n: usize) {
        let some = format!("/t/{}", dice.next(n.max(1)));
        let new = format!("/t/{n}");
        match dice.next(12) {
            0..=4 => self.one(OpCode::Create, &plain(&new, (n % 2) as i32), "create", &new),
            5 => self.one(OpCode::Create, &plain(&some, 0), "create", &some),
            6 => self.one(OpCode::SetData, &set(&some, -1), "setData", &some),
            7 => self.one(OpCode::Delete, &delete(&some), "delete", &some),
            8 => {
                let acl = Request::SetAcl { path: some.as_str().into(), acl: vec![Acl::open()], version: -1 };
                self.one(OpCode::SetAcl, &acl, "setAcl", &some);
            }
            9 => self.multi(n, dice.next(3) == 0),
            10 => {
                let read = Request::GetData { path: "/closed".into(), watch: false };
                self.one(OpCode::GetData, &read, "getData", "/closed");
            }
            _ => self.one(OpCode::SetData, &set("/closed", -1), "setData", "/closed"),
        }
    }

    /// Another session takes over: its login, and the end of the one before.
    fn renew(self, port: u16, n: usize) -> Script {
        let Script { wire, mut expected, done } = self;
        let session = format!("0x{:x}", wire.session);
        wire.close().expect("closed");
        expected.push((session, "sessionClose".to_owned(), String::new(), "success".to_owned()));
        let mut script = Script::open(port, expected, done + 2);
        let proof = format!("user{n}:password");
        let auth = Request::Auth { scheme: "digest".into(), auth: Some(Proof(proof.as_bytes())) };
        script.one(OpCode::Auth, &auth, "authenticate", "");
        script
    }

    fn open(port: u16, expected: Vec<Record>, done: usize) -> Script {
        let wire = Wire::connect(port, 60_000).expect("a session");
        let mut script = Script { wire, expected, done };
        script.expect("sessionOpen", "", true);
        script
    }
}

/// A login with a scheme that is not offered is refused, and its connection ends.
fn refused_login(port: u16, expected: &mut Vec<Record>) {
    let mut wire = Wire::connect(port, 60_000).expect("a session");
    let session = format!("0x{:x}", wire.session);
    let auth = Request::Auth { scheme: "nonsense".into(), auth: Some(Proof(b"x")) };
    assert_eq!(wire.request(OpCode::Auth, &auth).expect("a reply").err, Code::AuthFailed.number());
    expected.push((session.clone(), "sessionOpen".to_owned(), String::new(), "success".to_owned()));
    expected.push((session, "authenticate".to_owned(), String::new(), "failure".to_owned()));
}

/// Records of all files, oldest first, without the audit log's own and the server's.
fn recorded(folder: &Path) -> Vec<Record> {
    let mut all: BTreeMap<u64, Record> = BTreeMap::new();
    for path in files(folder) {
        for line in std::fs::read_to_string(&path).expect("text").lines() {
            let object: serde_json::Value = serde_json::from_str(line).expect("an object");
            let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
            let number = text("chain").split(':').next().and_then(|n| n.parse().ok()).expect("a number");
            let record = (text("session"), text("operation"), text("znode"), text("result"));
            // Ephemerals go with their session by the server's own hand: how many is compared, not when.
            let own =
                ["auditFile", "serverStart", "serverStop", "ephemeralZNodeDeletionOnSessionCloseOrExpire"];
            if !own.contains(&record.1.as_str()) {
                all.insert(number, record);
            }
        }
    }
    all.into_values().collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a directory").flatten().map(|e| e.path());
    entries.filter(|p| p.extension().is_none_or(|e| e != "head")).collect()
}

fn operations() -> usize {
    std::env::var("OXKEEPER_AUDIT_OPERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

#[test]
fn every_operation_is_recorded_once_and_every_changed_byte_is_found() {
    let home = Dir::new("audit-many");
    let folder = home.path().join("audit");
    std::fs::create_dir(&folder).expect("made");
    let spec = Spec::new()
        .cfg("audit.enable=true")
        .cfg("audit.layout=json")
        .cfg("audit.file.maxSizeMB=1")
        .cfg("audit.file.maxCount=1000")
        .cfg("forceSync=no")
        .cfg(&format!("audit.file={}", folder.join("audit.log").display()));
    let mut server = ox::start(&spec).expect("a server");
    let mut script = Script::open(server.port(), Vec::new(), 1);
    let closed = vec![Acl { perms: perms::READ, id: Id::new("ip", "10.255.255.255") }];
    script.one(OpCode::Create, &plain("/t", 0), "create", "/t");
    script.one(OpCode::Create, &create(CreateKind::Create, "/closed", 0, closed), "create", "/closed");
    let (mut dice, wanted) = (Dice(9), operations());
    let mut n = 0;
    while script.done < wanted {
        script.step(&mut dice, n);
        n += 1;
        if n % 500 == 0 {
            refused_login(server.port(), &mut script.expected);
            script.done += 2;
            script = script.renew(server.port(), n);
        }
    }
    let Script { mut expected, done, wire } = script;
    let session = format!("0x{:x}", wire.session);
    wire.close().expect("closed");
    expected.push((session, "sessionClose".to_owned(), String::new(), "success".to_owned()));
    server.stop();
    let records = recorded(&folder);
    let expired = |r: &&Record| r.1 != "sessionExpire";
    let ours: Vec<&Record> = records.iter().filter(expired).collect();
    for (at, (found, wanted)) in ours.iter().zip(&expected).enumerate() {
        assert_eq!(*found, wanted, "record {at}");
    }
    assert_eq!(ours.len(), expected.len());
    let whole = verify(std::slice::from_ref(&folder)).expect("read");
    assert_eq!(whole.findings, []);
    eprintln!("{done} operations, {} records in {} files", whole.records, whole.files);
    flips(&folder, &mut dice);
}

/// Changes a byte at a time, each in another place, and puts it back.
fn flips(folder: &Path, dice: &mut Dice) {
    let files = files(folder);
    for _ in 0..40 {
        let file = &files[dice.next(files.len())];
        let mut bytes = std::fs::read(file).expect("bytes");
        let (at, flip) = (dice.next(bytes.len()), 1 + dice.next(255) as u8);
        bytes[at] ^= flip;
        std::fs::write(file, &bytes).expect("written");
        let found = verify(&[folder.to_owned()]).expect("read").findings;
        assert!(found.iter().any(|f| f.file == *file), "byte {at} ^ {flip} of {}: {found:?}", file.display());
        bytes[at] ^= flip;
        std::fs::write(file, &bytes).expect("written");
    }
    assert_eq!(verify(&[folder.to_owned()]).expect("read").findings, []);
}
