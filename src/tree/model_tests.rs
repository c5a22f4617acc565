//! Random transactions against the naive tree of `model`.

use super::model::{Done, Fired, Model, Plain, dump};
use super::quota::{LIMITS_NAME, QUOTA_PATH, STATS_NAME};
use super::*;
use crate::error::Code;
use crate::jute::Reader;
use crate::txn::snapshot::{SnapshotNode, decode_head, decode_node};
use crate::txn::{CreateTxn, SubTxn, Txn, TxnHeader, kind};
use crate::types::{Acl, Id, perms};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

const CFG: TreeConfig =
    TreeConfig { digest: true, extended_types: true, emulate_353_ttl: false, hash_seed: 7 };

fn any_path() -> impl Strategy<Value = String> {
    let name = || prop_oneof![8 => "[ab]", 1 => Just("é\u{20ac}".to_owned())];
    let plain = vec(name(), 1..4).prop_map(|names| format!("/{}", names.join("/")));
    let quota = vec("[ab]", 0..3)
        .prop_map(|names| names.iter().fold(QUOTA_PATH.to_owned(), |path, name| format!("{path}/{name}")));
    let leaf = prop_oneof![Just(""), Just(LIMITS_NAME), Just(STATS_NAME)];
    let quota =
        (quota, leaf).prop_map(|(dir, leaf)| if leaf.is_empty() { dir } else { format!("{dir}/{leaf}") });
    prop_oneof![8 => plain, 2 => quota]
}

fn any_acl() -> impl Strategy<Value = Vec<Acl>> {
    let digest = Acl { perms: perms::READ, id: Id::new("digest", "u:x") };
    prop_oneof![
        4 => Just(vec![Acl::open()]),
        1 => Just(vec![Acl::read_only(), digest.clone()]),
        1 => Just(vec![digest]),
        1 => Just(vec![]),
    ]
}

fn any_data() -> impl Strategy<Value = Option<Bytes>> {
    prop_oneof![
        1 => Just(None),
        4 => (0usize..40).prop_map(|n| Some(Bytes::from(vec![b'x'; n]))),
        1 => (0usize..5000).prop_map(|n| Some(Bytes::from(vec![b'y'; n]))),
        1 => Just(Some(Bytes::from_static(b"count=5,bytes=9"))),
    ]
}

fn any_create() -> impl Strategy<Value = CreateTxn> {
    (any_path(), any_data(), any_acl(), any::<bool>(), -1i32..6).prop_map(
        |(path, data, acl, ephemeral, parent_cversion)| CreateTxn {
            path,
            data,
            acl,
            ephemeral,
            parent_cversion,
        },
    )
}

fn any_part() -> impl Strategy<Value = (i32, Txn)> {
    prop_oneof![
        6 => (any_create(), any::<bool>()).prop_map(|(c, two)| {
            (if two { kind::CREATE2 } else { kind::CREATE }, Txn::Create(c))
        }),
        1 => any_create().prop_map(|c| (kind::CREATE_CONTAINER, Txn::CreateContainer(c))),
        1 => (any_create(), 1i64..99).prop_map(|(c, ttl)| (kind::CREATE_TTL, Txn::CreateTtl(c, ttl))),
        4 => any_path().prop_map(|path| (kind::DELETE, Txn::Delete { path })),
        4 => (any_path(), any_data(), -1i32..9).prop_map(|(path, data, version)| {
            (kind::SET_DATA, Txn::SetData { path, data, version })
        }),
        1 => (any_path(), -1i32..9).prop_map(|(path, version)| (kind::CHECK, Txn::Check { path, version })),
    ]
}

fn any_txn() -> impl Strategy<Value = (i32, Txn)> {
    let part = || prop_oneof![9 => any_part(), 1 => Just((kind::ERROR, Txn::Error { err: -101 }))];
    let multi = vec(part(), 0..4).prop_map(|parts| {
        (kind::MULTI, Txn::Multi(parts.into_iter().map(|(kind, txn)| SubTxn { kind, txn }).collect()))
    });
    prop_oneof![
        16 => any_part(),
        2 => multi,
        2 => (any_path(), any_acl(), -1i32..9).prop_map(|(path, acl, version)| {
            (kind::SET_ACL, Txn::SetAcl { path, acl, version })
        }),
        1 => proptest::option::of(vec(any_path(), 0..3)).prop_map(|paths| {
            (kind::CLOSE_SESSION, Txn::CloseSession { paths })
        }),
        1 => Just((kind::SET_DATA, Txn::SetData { path: "/".into(), data: None, version: 3 })),
        1 => Just((kind::ERROR, Txn::Error { err: -110 })),
    ]
}

/// Transactions with their session and the step of the zxid (replays step back).
type History = Vec<((i32, Txn), i64, i64)>;

fn any_history(n: usize) -> impl Strategy<Value = History> {
    let step = prop_oneof![9 => Just(1i64), 1 => -5i64..3];
    vec((any_txn(), 1i64..4, step), 1..n)
}

/// Headers of a history, in order.
fn headers(history: &History) -> Vec<TxnHeader> {
    let mut zxid = 9;
    let header = |((kind, _), session, step): &((i32, Txn), i64, i64)| {
        zxid = (zxid + step).max(1);
        TxnHeader { client_id: *session, cxid: 0, zxid: Zxid(zxid), time: 5000 + zxid, kind: *kind }
    };
    history.iter().map(header).collect()
}

fn done(a: &Applied) -> Done {
    Done(a.code, a.stat, a.parts.iter().map(|(k, a)| (*k, done(a))).collect())
}

/// Applies to both and compares results and changes.
fn step(tree: &mut Tree, model: &mut Model, h: &TxnHeader, txn: &Txn) {
    // The order of ephemerals that no list names is each tree's own.
    model.order = tree.ephemerals(h.client_id).collect();
    let mut changes = Changes::default();
    let applied = tree.apply(h, txn, &mut changes);
    let mut fired: Vec<Fired> = Vec::new();
    assert_eq!(done(&applied), model.apply(h, txn, &mut fired), "{txn:?}");
    let ours: Vec<Fired> =
        changes.all.iter().map(|c| (c.kind, c.path.clone().into_owned(), c.acl.to_vec())).collect();
    assert_eq!(ours, fired, "{txn:?}");
    assert!(changes.all.iter().all(|c| c.zxid == h.zxid));
}

/// A snapshot under way: its bytes so far, and what the tree was at its begin.
type Open = (SnapshotCursor, Vec<u8>, BTreeMap<String, Plain>, i64);

/// What a snapshot's bytes contain.
fn decode(cursor: &SnapshotCursor, bytes: &[u8]) -> Tree {
    let mut head = Vec::new();
    cursor.encode_head(&[(5, 4000)], &mut head);
    let head = decode_head(&mut Reader::new(&head)).unwrap();
    assert_eq!(head.sessions, [(5, 4000)]);
    let mut builder = TreeBuilder::new(CFG);
    for (id, list) in head.acls {
        builder.acl(id, list);
    }
    let mut r = Reader::new(bytes);
    let mut nodes = 0;
    while let Some(node) = decode_node(&mut r).unwrap() {
        builder.node(&node).unwrap();
        nodes += 1;
    }
    assert!(r.is_empty());
    assert_eq!((nodes, builder.unknown_acls()), (cursor.nodes(), 0));
    builder.finish(cursor.zxid()).unwrap()
}

/// Nodes without what a load counts anew.
fn without_usage(mut nodes: BTreeMap<String, Plain>) -> BTreeMap<String, Plain> {
    for (path, node) in &mut nodes {
        if path.ends_with(STATS_NAME) {
            node.data = None;
        }
    }
    nodes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_gives_the_same_as_the_naive_tree(history in any_history(60)) {
        let (mut tree, mut model) = (Tree::new(CFG), Model::new());
        for (h, ((_, txn), _, _)) in headers(&history).iter().zip(&history) {
            step(&mut tree, &mut model, h, txn);
        }
        model.compare(&tree);
        tree.check_shape();
    }

    #[test]
    fn a_snapshot_is_the_tree_of_its_begin_whatever_goes_on(
        history in any_history(120),
        begins in vec(0usize..120, 1..4),
        chunk in 1usize..2000,
        pace in 1usize..6,
    ) {
        let (mut tree, mut model) = (Tree::new(CFG), Model::new());
        let mut open: Vec<Open> = Vec::new();
        let mut finished = Vec::new();
        for (i, (h, ((_, txn), _, _))) in headers(&history).iter().zip(&history).enumerate() {
            for _ in begins.iter().filter(|b| **b == i) {
                let cursor = tree.begin_snapshot();
                open.push((cursor, Vec::new(), dump(&tree), tree.digest()));
            }
            step(&mut tree, &mut model, h, txn);
            if i % pace == 0 && !open.is_empty() {
                let turn = i % open.len();
                let (cursor, out, _, _) = &mut open[turn];
                if !tree.snapshot_chunk(cursor, chunk, out) {
                    let (cursor, out, nodes, digest) = open.swap_remove(turn);
                    finished.push((decode(&cursor, &out), nodes, digest, cursor.is_complete()));
                    tree.end_snapshot(cursor);
                }
            }
        }
        for (mut cursor, mut out, nodes, digest) in open {
            while tree.snapshot_chunk(&mut cursor, chunk, &mut out) {}
            finished.push((decode(&cursor, &out), nodes, digest, cursor.is_complete()));
            tree.end_snapshot(cursor);
        }
        for (loaded, nodes, digest, complete) in finished {
            prop_assert!(complete);
            prop_assert_eq!(loaded.digest(), digest);
            prop_assert_eq!(without_usage(dump(&loaded)), without_usage(nodes));
            loaded.check_shape();
        }
        model.compare(&tree);
        tree.check_shape();
    }

    #[test]
    fn a_fuzzy_snapshot_and_its_log_give_the_tree_without_the_crash(
        before in vec(any_txn(), 0..30),
        during in vec((any_txn(), 1i64..4), 1..150),
        pace in 1usize..20,
    ) {
        let mut live = Tree::new(CFG);
        let mut zxid = 0;
        for (_, txn) in &before {
            commit(&mut live, &mut zxid, 1, txn);
        }
        let mut fuzzy = Fuzzy::new(&live);
        let since = live.last_zxid();
        let mut log = Vec::new();
        for (i, ((_, txn), session)) in during.iter().enumerate() {
            log.extend(commit(&mut live, &mut zxid, *session, txn));
            if i % pace == 0 {
                fuzzy.write_one(&live);
            }
        }
        while fuzzy.write_one(&live) {}
        let mut loaded = fuzzy.builder.finish(since).unwrap();
        for (h, txn) in &log {
            loaded.apply(h, txn, &mut Changes::default());
        }
        prop_assert_eq!(without_usage(dump(&loaded)), without_usage(dump(&live)));
        prop_assert_eq!(loaded.digest(), live.digest());
        prop_assert_eq!(loaded.node_count(), live.node_count());
        loaded.check_shape();
    }
}

/// Admits a transaction as a leader would: only what is valid now, with the versions of
/// now; applies it and gives the log's entry.
fn commit(tree: &mut Tree, zxid: &mut i64, session: i64, txn: &Txn) -> Option<(TxnHeader, Txn)> {
    let (kind, txn) = admit(tree, session, txn)?;
    *zxid += 1;
    let h = TxnHeader { client_id: session, cxid: 0, zxid: Zxid(*zxid), time: 9000 + *zxid, kind };
    let applied = tree.apply(&h, &txn, &mut Changes::default());
    assert_eq!(applied.code, Code::Ok, "{txn:?}");
    Some((h, txn))
}

fn admit(tree: &Tree, session: i64, txn: &Txn) -> Option<(i32, Txn)> {
    let mut txn = txn.clone();
    let kind = match &mut txn {
        Txn::Create(c) => {
            admit_create(tree, c)?;
            kind::CREATE2
        }
        Txn::CreateContainer(c) => {
            admit_create(tree, c)?;
            kind::CREATE_CONTAINER
        }
        Txn::CreateTtl(c, _) => {
            admit_create(tree, c)?;
            kind::CREATE_TTL
        }
        Txn::Delete { path } => {
            let special = ["/", "/zookeeper", QUOTA_PATH, CONFIG_PATH].contains(&path.as_str());
            tree.get(path).filter(|n| n.child_count() == 0 && !special)?;
            kind::DELETE
        }
        Txn::SetData { path, version, .. } => {
            *version = tree.get(path)?.persisted().version + 1;
            kind::SET_DATA
        }
        Txn::SetAcl { path, version, .. } => {
            *version = tree.get(path)?.persisted().aversion + 1;
            kind::SET_ACL
        }
        Txn::CloseSession { paths } => {
            *paths = Some(tree.ephemerals(session).collect());
            kind::CLOSE_SESSION
        }
        _ => return None,
    };
    Some((kind, txn))
}

fn admit_create(tree: &Tree, c: &mut CreateTxn) -> Option<()> {
    let (parent, _) = crate::types::path::split(&c.path)?;
    let parent = tree.get(parent)?;
    if matches!(parent.owner(), Owner::Session(_)) || tree.find(&c.path).is_some() {
        return None;
    }
    c.parent_cversion = parent.persisted().cversion + 1;
    Some(())
}

/// Java's way to write a snapshot: each node as it is when its turn comes, its children
/// by the names it has then.
struct Fuzzy {
    builder: TreeBuilder,
    open: Vec<String>,
}

impl Fuzzy {
    fn new(tree: &Tree) -> Fuzzy {
        let mut builder = TreeBuilder::new(CFG);
        for (id, list) in tree.acls.iter() {
            builder.acl(id, list.to_vec());
        }
        Fuzzy { builder, open: vec![String::new()] }
    }

    fn write_one(&mut self, tree: &Tree) -> bool {
        let Some(path) = self.open.pop() else { return false };
        if let Some(view) = tree.get(&path) {
            let (data, acl, stat) = (view.data(), view.acl_id(), view.persisted());
            self.builder.node(&SnapshotNode { path: &path, data, acl, stat }).unwrap();
            self.open.extend(view.children().map(|name| format!("{path}/{name}")));
        }
        true
    }
}
