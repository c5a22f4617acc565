//! Every rule of the table, enforced: alone and as a part, with every set of permissions.

use super::*;
use crate::auth::rules::{PartOf, Rule, part_of, rule};
use crate::proto::MultiHeader;

const ME: &str = "me:hash";

/// A request of `op` that is about `/vault`: the znode itself, or a child of it.
fn request(op: OpCode) -> Option<Request<'static>> {
    let (vault, child) = ("/vault".into(), "/vault/child".into());
    let new = |kind, flags| {
        let acl = vec![Acl::open()];
        Request::Create { kind, path: "/vault/new".into(), data: None, acl, flags }
    };
    Some(match op {
        OpCode::Create => new(CreateKind::Create, 0),
        OpCode::Create2 => new(CreateKind::Create2, 0),
        OpCode::CreateContainer => new(CreateKind::Container, 4),
        OpCode::CreateTtl => new(CreateKind::Ttl(1000), 5),
        OpCode::Delete => Request::Delete { path: child, version: -1 },
        OpCode::Exists => Request::Exists { path: vault, watch: false },
        OpCode::GetData => get("/vault", false),
        OpCode::SetData => set("/vault", b"x"),
        OpCode::GetAcl => Request::GetAcl { path: vault },
        OpCode::SetAcl => Request::SetAcl { path: vault, acl: vec![Acl::open()], version: -1 },
        OpCode::GetChildren => Request::GetChildren { path: vault, watch: false, with_stat: false },
        OpCode::GetChildren2 => Request::GetChildren { path: vault, watch: false, with_stat: true },
        OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: vault },
        OpCode::Check => Request::Check { path: vault, version: -1 },
        _ => return None,
    })
}

/// A world where whoever holds [`ME`] has exactly `granted` on `/vault`.
fn vault(granted: i32) -> (World, Arc<Conn>) {
    let mut w = World::new(|config| {
        config.providers.digest = Some(crate::auth::DigestAlgorithm::Sha1);
    });
    let owner = w.connect();
    owner.add_identities(vec![Id::new("super", "")]);
    assert_eq!((w.create(&owner, "/vault", 0), w.create(&owner, "/vault/child", 0)), (0, 0));
    let acl = vec![Acl { perms: granted, id: Id::new("digest", ME) }];
    let set = Request::SetAcl { path: "/vault".into(), acl, version: -1 };
    assert_eq!(w.ask(&owner, OpCode::SetAcl, &set).0.err, 0);
    let me = w.connect();
    me.add_identities(vec![Id::new("digest", ME)]);
    (w, me)
}

/// The code of the first part's result.
fn part_code(body: &[u8]) -> i32 {
    let mut r = Reader::new(body);
    let header = MultiHeader::decode(&mut r).unwrap();
    if header.kind == -1 { r.i32().unwrap() } else { 0 }
}

#[test]
fn what_the_table_asks_for_is_enough_and_nothing_less_is() {
    let mut tried = 0;
    for op in OpCode::ALL.iter().copied() {
        let bits = rule(op).bits();
        let Some(request) = request(op) else {
            // What is not tried here asks for no list of a znode, or is not served alone.
            let elsewhere = matches!(rule(op), Rule::Config(_) | Rule::PerPart | Rule::ServerOnly);
            assert!(bits == 0 || elsewhere, "{op:?} has a rule and no test");
            continue;
        };
        for granted in 0..32 {
            let wanted = if granted & bits != 0 { 0 } else { -102 };
            if op != OpCode::Check {
                let (mut w, me) = vault(granted);
                assert_eq!(w.ask(&me, op, &request).0.err, wanted, "{op:?} with {granted}");
                tried += 1;
            }
            let (whole, wrap): (_, fn(_) -> _) = match part_of(op) {
                PartOf::Multi => (OpCode::Multi, Request::Multi),
                PartOf::MultiRead => (OpCode::MultiRead, Request::MultiRead),
                PartOf::Nothing => continue,
            };
            let (mut w, me) = vault(granted);
            let (header, body) = w.ask(&me, whole, &wrap(vec![MultiOp { op, request: request.clone() }]));
            assert_eq!((header.err, part_code(&body)), (0, wanted), "{op:?} as a part with {granted}");
            tried += 1;
        }
    }
    assert!(tried > 500);
}

#[test]
fn parts_that_belong_elsewhere_refuse_the_whole() {
    let (mut w, me) = vault(perms::ALL);
    let part = |op: OpCode| MultiOp { op, request: request(op).unwrap() };
    let mixed = Request::Multi(vec![part(OpCode::SetData), part(OpCode::GetData)]);
    assert_eq!(w.ask(&me, OpCode::Multi, &mixed).0.err, -5);
    let mixed = Request::MultiRead(vec![part(OpCode::GetData), part(OpCode::SetData)]);
    assert_eq!(w.ask(&me, OpCode::MultiRead, &mixed).0.err, -5);
}

#[test]
fn hashes_are_seen_by_who_may_change_the_list() {
    for granted in 1..32 {
        let (mut w, me) = vault(granted);
        let (header, body) = w.ask(&me, OpCode::GetAcl, &request(OpCode::GetAcl).unwrap());
        if header.err != 0 {
            continue;
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(text.contains(ME), granted & perms::ADMIN != 0, "{granted}");
    }
}

#[test]
fn ephemerals_are_those_of_the_session_alone() {
    let (mut w, me) = vault(perms::ALL);
    let other = w.connect();
    assert_eq!((w.create(&me, "/mine", 1), w.create(&other, "/theirs", 1)), (0, 0));
    let all = Request::GetEphemerals { prefix: "/".into() };
    let (_, body) = w.ask(&me, OpCode::GetEphemerals, &all);
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(text.contains("/mine") && !text.contains("/theirs"));
}
