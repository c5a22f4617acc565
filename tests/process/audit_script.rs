//! Requests whose audit records are compared: one of everything, done and refused.

use oxkeeper::error::Code;
use oxkeeper::proto::{CreateKind, MultiOp, OpCode, Proof, Request};
use oxkeeper::types::{Acl, Id, perms};

use crate::wire::Wire;

/// A create.
pub fn create<'a>(kind: CreateKind, path: &'a str, flags: i32, acl: Vec<Acl>) -> Request<'a> {
    Request::Create { kind, path: path.into(), data: Some(b"data"), acl, flags }
}

/// A plain create, open to all.
pub fn plain(path: &str, flags: i32) -> Request<'_> {
    create(CreateKind::Create, path, flags, vec![Acl::open()])
}

/// A delete of any version.
pub fn delete(path: &str) -> Request<'_> {
    Request::Delete { path: path.into(), version: -1 }
}

/// A setData.
pub fn set(path: &str, version: i32) -> Request<'_> {
    Request::SetData { path: path.into(), data: Some(b"other"), version }
}

/// Asks and expects a code.
pub fn expect(wire: &mut Wire, op: OpCode, request: &Request<'_>, code: Code) {
    let reply = wire.request(op, request).expect("a reply");
    assert_eq!(reply.err, code.number(), "{op:?} {request:?}");
}

fn part(op: OpCode, request: Request<'_>) -> MultiOp<'_> {
    MultiOp { op, request }
}

/// addauth with the digest scheme.
pub fn login(wire: &mut Wire, proof: &str) {
    let auth = Request::Auth { scheme: "digest".into(), auth: Some(Proof(proof.as_bytes())) };
    expect(wire, OpCode::Auth, &auth, Code::Ok);
}

/// The script: two sessions, the second with an identity. Ends both.
pub fn run(port: u16) {
    let mut one = Wire::connect(port, 30_000).expect("a session");
    writes(&mut one);
    refusals(&mut one);
    multis(&mut one);
    expect(&mut one, OpCode::Create, &plain("/s/e1", 1), Code::Ok);
    expect(&mut one, OpCode::Create, &plain("/s/e2-", 3), Code::Ok);
    let mut two = Wire::connect(port, 30_000).expect("a session");
    login(&mut two, "bob:pässword");
    acls(&mut two);
    expect(&mut one, OpCode::SetData, &set("/s/mine", -1), Code::NoAuth);
    expect(&mut one, OpCode::Delete, &delete("/s/mine/below"), Code::NoAuth);
    two.close().expect("closed");
    one.close().expect("closed");
}

fn writes(wire: &mut Wire) {
    let open = || vec![Acl::open()];
    for (op, request) in [
        (OpCode::Create, plain("/s", 0)),
        (OpCode::Create2, create(CreateKind::Create2, "/s/two", 0, open())),
        (OpCode::Create, plain("/s/seq-", 2)),
        (OpCode::CreateContainer, create(CreateKind::Container, "/s/box", 4, open())),
        (OpCode::CreateTtl, create(CreateKind::Ttl(100_000), "/s/ttl", 5, open())),
        (OpCode::CreateTtl, create(CreateKind::Ttl(100_000), "/s/ttl-", 6, open())),
        (OpCode::SetData, set("/s/two", 0)),
        (OpCode::Delete, delete("/s/two")),
        (OpCode::Create, plain("/s/blank ? = , \\u0009 ü", 0)),
    ] {
        expect(wire, op, &request, Code::Ok);
    }
}

fn refusals(wire: &mut Wire) {
    for (op, request, code) in [
        (OpCode::Create, plain("/s", 0), Code::NodeExists),
        (OpCode::Create, plain("/none/x", 1), Code::NoNode),
        (OpCode::Create, plain("/s/.", 0), Code::BadArguments),
        (OpCode::SetData, set("/none", -1), Code::NoNode),
        (OpCode::SetData, set("/s", 77), Code::BadVersion),
        (OpCode::Delete, delete("/s"), Code::NotEmpty),
        (OpCode::Delete, delete("/none"), Code::NoNode),
    ] {
        expect(wire, op, &request, code);
    }
}

fn multis(wire: &mut Wire) {
    let ok = Request::Multi(vec![
        part(OpCode::Check, Request::Check { path: "/s".into(), version: -1 }),
        part(OpCode::Create, plain("/s/m1", 0)),
        part(OpCode::Create, plain("/s/m-", 2)),
        part(OpCode::SetData, set("/s/m1", -1)),
        part(OpCode::Delete, delete("/s/m1")),
    ]);
    expect(wire, OpCode::Multi, &ok, Code::Ok);
    let bad = Request::Multi(vec![
        part(OpCode::Create, plain("/s/m2", 0)),
        part(OpCode::Check, Request::Check { path: "/s".into(), version: 99 }),
        part(OpCode::Delete, delete("/s/m2")),
    ]);
    expect(wire, OpCode::Multi, &bad, Code::Ok);
}

fn acls(wire: &mut Wire) {
    let all = |scheme, id| vec![Acl { perms: perms::ALL, id: Id::new(scheme, id) }];
    expect(wire, OpCode::Create, &create(CreateKind::Create, "/s/mine", 0, all("auth", "")), Code::Ok);
    expect(wire, OpCode::Create, &plain("/s/mine/below", 0), Code::Ok);
    let acl = |path: &'static str, acl| Request::SetAcl { path: path.into(), acl, version: -1 };
    expect(wire, OpCode::SetAcl, &acl("/s/mine/below", all("ip", "127.0.0.0/8")), Code::Ok);
    expect(wire, OpCode::SetAcl, &acl("/s/mine/below", all("nonsense", "x")), Code::InvalidAcl);
    expect(wire, OpCode::SetAcl, &acl("/none", vec![Acl::read_only()]), Code::NoNode);
}
