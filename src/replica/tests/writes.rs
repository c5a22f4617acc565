//! Writes: multi, limits, reaping, ACLs; and that admission and apply agree.

use super::*;
use proptest::prelude::*;

#[test]
fn a_multi_is_all_or_nothing() {
    let mut w = World::plain();
    let c = w.connect();
    let ops = vec![
        MultiOp { op: OpCode::Create, request: create("/m", 0) },
        MultiOp { op: OpCode::Create, request: create("/m/s-", 2) },
        MultiOp { op: OpCode::Delete, request: Request::Delete { path: "/nope".into(), version: -1 } },
        MultiOp { op: OpCode::Delete, request: Request::Delete { path: "/m".into(), version: -1 } },
    ];
    let (header, body) = w.ask(&c, OpCode::Multi, &Request::Multi(ops.clone()));
    assert_eq!(header.err, 0);
    let mut r = Reader::new(&body);
    for want in [0, 0, Code::NoNode.number(), Code::RuntimeInconsistency.number()] {
        let h = crate::proto::MultiHeader::decode(&mut r).unwrap();
        assert_eq!((h.kind, h.done, h.err), (-1, false, want));
        assert_eq!(r.i32().unwrap(), want);
    }
    assert!(w.shared.store().tree.find("/m").is_none());
    let (_, body) = w.ask(&c, OpCode::Multi, &Request::Multi(ops[..2].to_vec()));
    let mut r = Reader::new(&body);
    assert_eq!(crate::proto::MultiHeader::decode(&mut r).unwrap().kind, 1);
    assert_eq!(r.string().unwrap().as_deref(), Some("/m"));
    assert_eq!(crate::proto::MultiHeader::decode(&mut r).unwrap().kind, 1);
    assert_eq!(r.string().unwrap().as_deref(), Some("/m/s-0000000000"));
}

#[test]
fn a_full_disk_refuses_growth_and_lets_deletes_and_reads_through() {
    let mut w = World::plain();
    let c = w.connect();
    w.create(&c, "/a", 0);
    w.node.handle_storage(StorageState::Full);
    assert_eq!(w.create(&c, "/b", 0), Code::SystemError.number());
    assert_eq!(w.ask(&c, OpCode::SetData, &set("/a", b"x")).0.err, Code::SystemError.number());
    assert_eq!(w.ask(&c, OpCode::GetData, &get("/a", false)).0.err, 0);
    let delete = Request::Delete { path: "/a".into(), version: -1 };
    assert_eq!(w.ask(&c, OpCode::Delete, &delete).0.err, 0);
    w.node.handle_storage(StorageState::Good);
    assert_eq!(w.create(&c, "/b", 0), 0);
}

#[test]
fn container_and_ttl_nodes_are_reaped() {
    let mut w = World::plain();
    let c = w.connect();
    let acl = vec![Acl::open()];
    let kinds = [(CreateKind::Container, "/c", 4), (CreateKind::Ttl(50), "/t", 5)];
    for (kind, path, flags) in kinds {
        let request = Request::Create { kind, path: path.into(), data: None, acl: acl.clone(), flags };
        assert_eq!(w.ask(&c, kind.op(), &request).0.err, 0);
    }
    w.create(&c, "/c/child", 0);
    w.ask(&c, OpCode::Delete, &Request::Delete { path: "/c/child".into(), version: -1 });
    w.now.mono = Instant::from_millis(70_000);
    w.now.wall_ms += 70_000;
    w.node.handle_timeout(w.now);
    w.now.mono = Instant::from_millis(70_100);
    w.node.handle_timeout(w.now);
    w.sync();
    assert!(w.shared.store().tree.find("/c").is_none());
    assert!(w.shared.store().tree.find("/t").is_none());
}

#[test]
fn acl_masking_and_any_of() {
    let mut w = World::plain();
    let (a, b) = (w.connect(), w.connect());
    w.ask(&a, OpCode::Auth, &Request::Auth { scheme: "digest".into(), auth: Some(Proof(b"bob:pw")) });
    let list = vec![
        Acl { perms: perms::ALL, id: Id::new("auth", "") },
        Acl { perms: perms::READ, id: Id::new("world", "anyone") },
    ];
    let request =
        Request::Create { kind: CreateKind::Create2, path: "/x".into(), data: None, acl: list, flags: 0 };
    assert_eq!(w.ask(&a, OpCode::Create2, &request).0.err, 0);
    let (_, body) = w.ask(&b, OpCode::GetAcl, &Request::GetAcl { path: "/x".into() });
    let seen = records::read_acls(&mut Reader::new(&body)).unwrap();
    assert_eq!(seen[0].id, Id::new("digest", "bob:x"));
    let (_, body) = w.ask(&a, OpCode::GetAcl, &Request::GetAcl { path: "/x".into() });
    let seen = records::read_acls(&mut Reader::new(&body)).unwrap();
    assert!(seen[0].id.id.starts_with("bob:") && seen[0].id.id.len() > 8);
}

/// A small vocabulary of writes that collide often.
fn arbitrary_write() -> impl Strategy<Value = (OpCode, Request<'static>)> {
    let path = prop_oneof![
        Just("/a"),
        Just("/b"),
        Just("/a/x"),
        Just("/a/y"),
        Just("/a/x/z"),
        Just("/"),
        Just("/zookeeper/q"),
        Just("/a/s-")
    ];
    let single = (path, 0u8..7, 0i32..5, -1i32..3).prop_map(|(path, what, flags, version)| {
        let request = match what {
            0..=2 => create(path, flags),
            3 => Request::Delete { path: path.into(), version },
            4 => Request::SetData { path: path.into(), data: Some(b"data"), version },
            5 => Request::SetAcl { path: path.into(), acl: vec![Acl::open(), Acl::read_only()], version },
            _ => Request::Check { path: path.into(), version },
        };
        let op = match what {
            0..=2 => OpCode::Create,
            3 => OpCode::Delete,
            4 => OpCode::SetData,
            5 => OpCode::SetAcl,
            _ => OpCode::Check,
        };
        (op, request)
    });
    let multi = proptest::collection::vec(single.clone(), 0..5).prop_map(|parts| {
        let ops = parts.into_iter().filter(|(op, _)| *op != OpCode::SetAcl);
        let ops = ops.map(|(op, request)| MultiOp { op, request }).collect();
        (OpCode::Multi, Request::Multi(ops))
    });
    prop_oneof![4 => single.prop_filter("check stands in multis alone", |(op, _)| *op != OpCode::Check), 1 => multi]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is under way: what admission expects is what applying makes, digest by digest.
    #[test]
    fn admission_and_apply_agree(writes in proptest::collection::vec((arbitrary_write(), any::<bool>()), 1..60)) {
        let mut w = World::plain();
        let c = w.connect();
        for (i, ((op, request), sync)) in writes.iter().enumerate() {
            w.now.wall_ms += 1;
            w.send(&c, i as i32 + 1, *op, request);
            if *sync {
                w.sync();
            }
        }
        w.sync();
        let replies = w.frames(&c);
        prop_assert_eq!(replies.len(), writes.len());
        let xids: Vec<i32> = headers(&replies).iter().map(|(xid, _)| *xid).collect();
        prop_assert_eq!(xids, (1..=writes.len() as i32).collect::<Vec<_>>());
        let notes = w.notes.0.lock();
        prop_assert!(notes.is_empty(), "{:?}", notes);
    }
}
