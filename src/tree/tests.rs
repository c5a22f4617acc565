//! Behaviour of the tree, case by case. The models are in `model_tests`.

use super::*;
use crate::error::Code;
use crate::proto::EventKind;
use crate::txn::{CreateTxn, SubTxn, Txn, TxnHeader, kind};
use crate::types::{Acl, Stat};
use bytes::Bytes;

fn tree() -> Tree {
    Tree::new(TreeConfig { extended_types: true, ..TreeConfig::default() })
}

fn header(zxid: i64, session: i64, kind: i32) -> TxnHeader {
    TxnHeader { client_id: session, cxid: 1, zxid: Zxid(zxid), time: 1000 + zxid, kind }
}

fn create(path: &str, data: &str, parent_cversion: i32) -> Txn {
    Txn::Create(CreateTxn {
        path: path.into(),
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        acl: vec![Acl::open()],
        ephemeral: false,
        parent_cversion,
    })
}

fn apply(tree: &mut Tree, zxid: i64, kind: i32, txn: &Txn) -> Applied {
    tree.apply(&header(zxid, 7, kind), txn, &mut Changes::default())
}

fn stat(tree: &Tree, path: &str) -> Stat {
    tree.get(path).unwrap().stat()
}

#[test]
fn a_fresh_tree_is_javas() {
    let t = tree();
    assert_eq!(t.digest(), 0x51c6_d660);
    assert_eq!(t.node_count(), 5);
    assert_eq!(t.approximate_data_size(), 44);
    assert_eq!(stat(&t, "/").cversion, -1);
    assert_eq!(stat(&t, "/zookeeper").cversion, -2);
    let config = t.get(CONFIG_PATH).unwrap();
    assert_eq!((config.acl_id(), config.persisted().aversion), (1, -1));
    assert_eq!(config.acl()[..], [Acl::read_only()]);
    assert_eq!(t.get("/").unwrap().acl_id(), -1);
    assert_eq!(t.descendants("/"), Some(3));
    assert_eq!(t.get("").unwrap().id(), t.get("/").unwrap().id());
}

#[test]
fn paths_that_are_none_lead_nowhere() {
    let mut t = tree();
    apply(&mut t, 1, kind::CREATE, &create("/a", "", 1));
    for path in ["a", "/a/", "//a", "/a//", "/b", "/a/b", "zookeeper"] {
        assert!(t.find(path).is_none(), "{path}");
    }
    assert!(t.find("/a").is_some());
}

#[test]
fn stats_count_as_in_java() {
    let mut t = tree();
    let done = apply(&mut t, 1, kind::CREATE2, &create("/a", "xy", 1));
    let fresh =
        Stat { czxid: 1, mzxid: 1, pzxid: 1, ctime: 1001, mtime: 1001, data_length: 2, ..Stat::default() };
    assert_eq!(done.stat, Some(fresh));
    assert_eq!(apply(&mut t, 2, kind::CREATE, &create("/a/b", "", 1)).stat, None);
    apply(&mut t, 3, kind::CREATE, &create("/a/c", "", 2));
    apply(&mut t, 4, kind::DELETE, &Txn::Delete { path: "/a/b".into() });
    let a = stat(&t, "/a");
    assert_eq!((a.cversion, a.num_children, a.pzxid, a.mzxid), (3, 1, 4, 1));
    let set = Txn::SetData { path: "/a".into(), data: None, version: 1 };
    let done = apply(&mut t, 5, kind::SET_DATA, &set);
    assert_eq!(done.stat.unwrap().version, 1);
    assert_eq!(t.get("/a").unwrap().data(), None);
    assert_eq!((stat(&t, "/a").mtime, stat(&t, "/a").pzxid, stat(&t, "/a").data_length), (1005, 4, 0));
    assert_eq!(t.last_zxid(), Zxid(5));
}

#[test]
fn a_replayed_create_only_raises() {
    let mut t = tree();
    apply(&mut t, 5, kind::CREATE, &create("/a", "new", 9));
    let raised = t.get("/").unwrap().persisted();
    assert_eq!((raised.cversion, raised.pzxid), (9, 5));
    let mut again = create("/a", "old", 3);
    if let Txn::Create(c) = &mut again {
        c.acl = vec![Acl::read_only()];
    }
    assert_eq!(apply(&mut t, 6, kind::CREATE, &again).code, Code::NodeExists);
    assert_eq!(t.get("/").unwrap().persisted(), raised);
    assert_eq!(t.get("/a").unwrap().acl()[..], [Acl::read_only()]);
    assert_eq!(t.get("/a").unwrap().data(), Some(&b"new"[..]));
    apply(&mut t, 7, kind::CREATE, &create("/a", "old", 10));
    let p = t.get("/").unwrap().persisted();
    assert_eq!((p.cversion, p.pzxid), (10, 7));
    assert_eq!(apply(&mut t, 8, kind::DELETE, &Txn::Delete { path: "/gone".into() }).code, Code::NoNode);
    assert_eq!(t.get("/").unwrap().persisted().pzxid, 8, "a delete that came too late still moves pzxid");
    assert_eq!(apply(&mut t, 8, kind::DELETE, &Txn::Delete { path: "/".into() }).code, Code::NoNode);
}

#[test]
fn a_multi_with_an_error_does_nothing() {
    let mut t = tree();
    let before = t.digest();
    let part = |kind, txn| SubTxn { kind, txn };
    let multi = Txn::Multi(vec![
        part(kind::CREATE, create("/a", "", 1)),
        part(kind::ERROR, Txn::Error { err: -101 }),
        part(kind::DELETE, Txn::Delete { path: "/zookeeper/config".into() }),
    ]);
    let done = apply(&mut t, 1, kind::MULTI, &multi);
    let codes: Vec<_> = done.parts.iter().map(|(k, a)| (*k, a.code)).collect();
    assert_eq!(codes, [(-1, Code::Ok), (-1, Code::NoNode), (-1, Code::RuntimeInconsistency)]);
    assert_eq!((done.code, t.digest(), t.last_zxid()), (Code::NoNode, before, Zxid(1)));
    let multi =
        Txn::Multi(vec![part(kind::CREATE, create("/a", "", 1)), part(kind::CREATE2, create("/a/b", "", 1))]);
    let done = apply(&mut t, 2, kind::MULTI, &multi);
    assert_eq!(done.parts[1].1.stat.unwrap().czxid, 2);
    assert_eq!((done.code, t.node_count()), (Code::Ok, 7));
}

#[test]
fn a_closed_session_loses_the_listed_paths_first() {
    let mut t = tree();
    for (i, name) in ["/e1", "/e2", "/e3"].iter().enumerate() {
        let mut txn = create(name, "", i as i32 + 1);
        if let Txn::Create(c) = &mut txn {
            c.ephemeral = true;
        }
        apply(&mut t, 1 + i as i64, kind::CREATE, &txn);
    }
    assert_eq!(t.ephemerals_count(), 3);
    assert_eq!(stat(&t, "/e1").ephemeral_owner, 7);
    let close = Txn::CloseSession { paths: Some(vec!["/e2".into(), "/nothing".into()]) };
    let mut changes = Changes::default();
    t.apply(&header(9, 7, kind::CLOSE_SESSION), &close, &mut changes);
    let fired: Vec<_> = changes.all.iter().map(|c| (c.kind, &*c.path)).collect();
    let (deleted, children) = (EventKind::Deleted, EventKind::ChildrenChanged);
    assert_eq!(fired[..4], [(deleted, "/e2"), (children, "/"), (deleted, "/e1"), (children, "/")]);
    assert_eq!((t.ephemerals_count(), t.ephemeral_sessions().count(), t.node_count()), (0, 0, 5));
}

#[test]
fn containers_and_ttl_nodes_become_candidates() {
    let mut t = tree();
    let plain = |path: &str| CreateTxn { path: path.into(), parent_cversion: -1, ..CreateTxn::default() };
    apply(&mut t, 1, kind::CREATE_CONTAINER, &Txn::CreateContainer(plain("/c")));
    apply(&mut t, 2, kind::CREATE_TTL, &Txn::CreateTtl(plain("/t"), 50));
    assert_eq!((stat(&t, "/c").ephemeral_owner, stat(&t, "/t").ephemeral_owner), (0, 0));
    assert!(t.expiry_candidates(1052, 0, 10).is_empty());
    assert_eq!(t.expiry_candidates(1053, 0, 10), ["/t"]);
    assert_eq!(t.expiry_candidates(1053, 51, 10), ["/c", "/t"]);
    assert_eq!(t.expiry_candidates(1053, 51, 1), ["/c"]);
    apply(&mut t, 3, kind::CREATE, &create("/c/x", "", 1));
    assert_eq!(t.expiry_candidates(1000, 1, 10), [""; 0]);
    apply(&mut t, 4, kind::DELETE, &Txn::Delete { path: "/c/x".into() });
    assert_eq!(t.expiry_candidates(0, 0, 10), ["/c"]);
}

#[test]
fn digests_are_logged_every_128_transactions() {
    let mut t = tree();
    for zxid in 1..=300 {
        apply(&mut t, zxid, kind::ERROR, &Txn::Error { err: -101 });
    }
    let d = t.digest();
    assert_eq!(t.digest_log().collect::<Vec<_>>(), [(Zxid(128), d), (Zxid(256), d)]);
}

#[test]
fn what_a_snapshot_kept_is_free_again_after_its_end() {
    let mut t = tree();
    apply(&mut t, 1, kind::CREATE, &create("/p", "", 1));
    let mut zxid = 1;
    let mut round = |t: &mut Tree| {
        for i in 0..1000 {
            zxid += 1;
            apply(t, zxid, kind::CREATE, &create(&format!("/p/{i}"), "data", -1));
        }
        let mut cursor = t.begin_snapshot();
        for i in 0..1000 {
            zxid += 1;
            apply(t, zxid, kind::DELETE, &Txn::Delete { path: format!("/p/{i}") });
        }
        let mut out = Vec::new();
        while t.snapshot_chunk(&mut cursor, 500, &mut out) {}
        assert_eq!(cursor.nodes(), 4 + 1 + 1000);
        t.end_snapshot(cursor);
        for _ in 0..100 {
            zxid += 1;
            apply(t, zxid, kind::ERROR, &Txn::Error { err: -1 });
        }
    };
    round(&mut t);
    let numbers = t.store.numbers();
    for _ in 0..5 {
        round(&mut t);
    }
    assert_eq!(t.store.numbers(), numbers);
    t.check_shape();
}

#[test]
fn a_cursor_of_another_tree_gives_nothing() {
    let (mut old, mut new) = (tree(), tree());
    let mut cursor = old.begin_snapshot();
    let other = new.begin_snapshot();
    let mut out = Vec::new();
    assert!(!new.snapshot_chunk(&mut cursor, 1 << 20, &mut out));
    assert!(out.is_empty() && !cursor.is_complete());
    new.end_snapshot(cursor);
    assert!(old.snapshots_active() == 1 && new.snapshots_active() == 1);
    new.end_snapshot(other);
}

fn quota(t: &mut Tree, limits: &str) {
    let paths = ["/q", "/zookeeper/quota/q", "/zookeeper/quota/q/zookeeper_limits"];
    for (i, path) in paths.iter().enumerate() {
        let data = if i == 2 { limits } else { "" };
        apply(t, i as i64 + 1, kind::CREATE, &create(path, data, -1));
    }
    apply(t, 4, kind::CREATE, &create("/q/a", "12345", -1));
    apply(t, 5, kind::CREATE, &create("/zookeeper/quota/q/zookeeper_stats", "count=9,bytes=9", -1));
}

#[test]
fn usage_is_counted_when_its_node_comes_and_followed_from_then_on() {
    let mut t = tree();
    quota(&mut t, "count=2,bytes=8=;countHardLimit=3");
    let usage = |t: &Tree| {
        let node = t.get("/zookeeper/quota/q/zookeeper_stats").unwrap();
        (String::from_utf8(node.data().unwrap().to_vec()).unwrap(), node.stat().version)
    };
    assert_eq!(usage(&t), ("count=2,bytes=5".to_owned(), 0));
    apply(&mut t, 6, kind::CREATE, &create("/q/a/b", "123", -1));
    let set = Txn::SetData { path: "/q".into(), data: Some(Bytes::from_static(b"77")), version: 1 };
    apply(&mut t, 7, kind::SET_DATA, &set);
    assert_eq!(usage(&t), ("count=3,bytes=10".to_owned(), 0));
    apply(&mut t, 8, kind::DELETE, &Txn::Delete { path: "/q/a/b".into() });
    assert_eq!(usage(&t).0, "count=2,bytes=7");
    apply(&mut t, 9, kind::DELETE, &Txn::Delete { path: "/zookeeper/quota/q/zookeeper_limits".into() });
    apply(&mut t, 10, kind::CREATE, &create("/q/z", "123", -1));
    assert_eq!(usage(&t).0, "count=2,bytes=7", "without limits nobody counts");
}

#[test]
fn hard_limits_refuse_and_soft_ones_only_tell() {
    let mut t = tree();
    quota(&mut t, "count=2,bytes=8=;countHardLimit=3");
    assert_eq!(t.quota_check("/q/n", 4, 1), Ok(()));
    let soft = t.quota_excess("/q/n", 4, 1);
    assert_eq!(soft.len(), 1);
    assert_eq!((soft[0].kind, soft[0].hard, soft[0].usage, soft[0].limit), (QuotaKind::Bytes, false, 9, 8));
    apply(&mut t, 6, kind::CREATE, &create("/q/n", "", -1));
    let hard = t.quota_check("/q/n/m", 0, 1).unwrap_err();
    assert_eq!((hard.kind, hard.usage, hard.limit), (QuotaKind::Count, 4, 3));
    assert_eq!((hard.namespace.as_str(), hard.quota_path.as_str()), ("q", "/q"));
    assert_eq!(t.quota_check("/q/n", 100, 0), Ok(()), "the soft limit of bytes does not refuse");
    assert_eq!(t.quota_check("/other", 1 << 40, 1), Ok(()));
    let sums = &t.quota_sums()["q"];
    assert_eq!((sums.limits, sums.usage), (Some((3, 8)), Some((3, 5))));
}

#[test]
fn the_configuration_can_be_set_without_a_transaction() {
    let mut t = tree();
    let digest = t.digest();
    t.install_config(b"server.1=a:1:2", Zxid(0x100000000), 55);
    let node = t.get(CONFIG_PATH).unwrap();
    assert_eq!(node.data(), Some(&b"server.1=a:1:2"[..]));
    assert_eq!((node.stat().version, node.stat().mzxid, node.stat().mtime), (-1, 0x100000000, 55));
    assert_eq!((t.digest(), t.last_zxid()), (digest, Zxid::ZERO));
}
