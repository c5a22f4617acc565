//! A data directory that ZooKeeper 3.9.5 wrote, read back: digests, stats, replay.

use super::model::dump;
use super::quota::STATS_NAME;
use super::*;
use crate::jute::Reader;
use crate::txn::snapshot::{decode_head, decode_node};
use crate::txn::{self, Record};
use std::collections::BTreeSet;

const CFG: TreeConfig =
    TreeConfig { digest: true, extended_types: true, emulate_353_ttl: false, hash_seed: 1 };

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/java395/version-2/", $name)).as_slice()
    };
}

const SNAPSHOTS: [(i64, &[u8]); 5] = [
    (0, golden!("snapshot.0")),
    (0x117, golden!("snapshot.117")),
    (0x1a9, golden!("snapshot.1a9")),
    (0x2bd, golden!("snapshot.2bd")),
    (0x35d, golden!("snapshot.35d")),
];
const LOGS: [&[u8]; 4] = [golden!("log.1"), golden!("log.119"), golden!("log.1aa"), golden!("log.2bf")];

/// The records of all logs.
fn log() -> Vec<Record> {
    let mut records = Vec::new();
    for bytes in LOGS {
        let mut r = Reader::new(&bytes[16..]);
        loop {
            r.i64().unwrap();
            let len = r.i32().unwrap();
            if len == 0 {
                break;
            }
            records.push(txn::decode(r.take(len as usize).unwrap()).unwrap());
            r.u8().unwrap();
        }
    }
    records
}

/// The tree of a snapshot, (zxid, digest) of its trailer, and the encoded body.
fn load(zxid: i64, bytes: &[u8]) -> (Tree, (i64, i64), &[u8]) {
    let body = &bytes[16..];
    let mut r = Reader::new(body);
    let head = decode_head(&mut r).unwrap();
    let mut builder = TreeBuilder::new(CFG);
    for (id, list) in head.acls {
        builder.acl(id, list);
    }
    while let Some(node) = decode_node(&mut r).unwrap() {
        builder.node(&node).unwrap();
    }
    let body = &body[..body.len() - r.remaining()];
    r.take(8 + 5).unwrap(); // checksum and seal
    let trailer = (r.i64().unwrap(), {
        assert_eq!(r.i32(), Ok(txn::DIGEST_VERSION));
        r.i64().unwrap()
    });
    (builder.finish(Zxid(zxid)).unwrap(), trailer, body)
}

fn replay(tree: &mut Tree, records: &[Record], digests_from: i64) {
    let from = tree.last_zxid();
    for record in records.iter().filter(|r| r.header.zxid > from) {
        tree.apply(&record.header, &record.txn, &mut Changes::default());
        if record.header.zxid.0 >= digests_from {
            let Some(digest) = record.digest else { continue }; // errors have none
            assert_eq!(tree.digest(), digest.digest, "{:?}", record.header);
        }
    }
}

#[test]
fn the_log_replayed_from_nothing_has_javas_digest_after_every_transaction() {
    let records = log();
    let mut tree = Tree::new(CFG);
    replay(&mut tree, &records, 0);
    tree.check_shape();
    let kinds: BTreeSet<i32> = records.iter().map(|r| r.header.kind).collect();
    assert_eq!(kinds, BTreeSet::from([-11, -10, -1, 1, 2, 5, 7, 14, 15, 19, 21]));
    assert_eq!(tree.last_zxid(), Zxid(0x35d));
}

#[test]
fn snapshots_of_a_start_have_the_digest_of_their_trailer() {
    let records = log();
    for (zxid, bytes) in SNAPSHOTS.into_iter().filter(|(zxid, _)| [0x1a9, 0x35d].contains(zxid)) {
        let (tree, (at, digest), _) = load(zxid, bytes);
        assert_eq!((at, tree.digest()), (zxid, digest));
        let mut replayed = Tree::new(CFG);
        let upto: Vec<Record> = records.iter().filter(|r| r.header.zxid.0 <= zxid).cloned().collect();
        replay(&mut replayed, &upto, 0);
        assert_eq!(dump(&tree), dump(&replayed), "usage texts and ACLs included");
        assert_eq!(tree.node_count(), replayed.node_count());
        assert_eq!(tree.approximate_data_size() as i64, replayed.measure());
        tree.check_shape();
    }
}

#[test]
fn snapshots_beside_traffic_lead_to_the_same_tree() {
    let records = log();
    let mut straight = Tree::new(CFG);
    replay(&mut straight, &records, 0);
    for (zxid, bytes) in SNAPSHOTS {
        let (mut tree, (at, _), _) = load(zxid, bytes);
        replay(&mut tree, &records, at);
        assert_eq!(dump(&tree), dump(&straight), "from {zxid:x}");
    }
}

#[test]
fn what_we_write_of_it_is_what_java_wrote_but_for_the_order() {
    for (zxid, bytes) in SNAPSHOTS {
        let (mut tree, _, javas) = load(zxid, bytes);
        let sessions = decode_head(&mut Reader::new(javas)).unwrap().sessions;
        let mut cursor = tree.begin_snapshot();
        let mut ours = Vec::new();
        cursor.encode_head(&sessions, &mut ours);
        while tree.snapshot_chunk(&mut cursor, 1000, &mut ours) {}
        assert!(cursor.is_complete());
        tree.end_snapshot(cursor);
        assert_eq!(ours.len(), javas.len(), "{zxid:x}");
        assert_eq!(records_of(&ours), records_of(javas), "{zxid:x}");
    }
}

/// Every record of a body as text, sorted.
fn records_of(body: &[u8]) -> Vec<String> {
    let mut r = Reader::new(body);
    let head = decode_head(&mut r).unwrap();
    let mut all: Vec<String> = head.sessions.iter().map(|s| format!("{s:?}")).collect();
    all.extend(head.acls.iter().map(|a| format!("{a:?}")));
    while let Some(node) = decode_node(&mut r).unwrap() {
        all.push(format!("{node:?}"));
    }
    all.sort();
    all
}

#[test]
fn usage_is_what_java_counted() {
    let (tree, _, _) = load(SNAPSHOTS[4].0, SNAPSHOTS[4].1);
    for part in ["part1", "part2"] {
        let stats = tree.get(&format!("/zookeeper/quota/{part}/{STATS_NAME}")).unwrap();
        let text = String::from_utf8(stats.data().unwrap().to_vec()).unwrap();
        let nodes = tree.descendants(&format!("/{part}")).unwrap() + 1;
        assert!(text.starts_with(&format!("count={nodes},bytes=")), "{text}");
        let sums = tree.quota_sums();
        assert_eq!(sums[part].limits, Some((2000, 200_000)));
        assert_eq!(sums[part].usage.unwrap().0, nodes as i64);
    }
}
