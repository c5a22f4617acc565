//! What was logged, and what the state must be after each transaction of it.
//!
//! # Invariants
//!
//! * The reference is built from the very bytes that went to the log, one by one.

use oxkeeper::tree::{Changes, Tree, TreeConfig};
use oxkeeper::txn::{self, Record, Txn};
use oxkeeper::types::Zxid;
use std::collections::{BTreeMap, HashMap};

/// Every transaction since the beginning, and a tree that follows it.
pub struct History {
    config: TreeConfig,
    records: BTreeMap<i64, Record>,
    tree: Tree,
    sessions: HashMap<i64, i32>,
}

impl History {
    pub fn new(config: TreeConfig) -> History {
        History { config, records: BTreeMap::new(), tree: Tree::new(config), sessions: HashMap::new() }
    }

    /// The log was given these bytes. I6: without holes.
    pub fn appended(&mut self, zxid: Zxid, bytes: &[u8]) {
        let record = txn::decode(bytes).expect("I6: what is logged can be decoded");
        assert_eq!(record.header.zxid, zxid, "I6: an entry under a foreign zxid");
        let last = self.records.keys().next_back().copied().unwrap_or(0);
        assert_eq!(zxid.0, last + 1, "I6: a hole in the log");
        self.records.insert(zxid.0, record);
    }

    pub fn record(&self, zxid: i64) -> Option<&Record> {
        self.records.get(&zxid)
    }

    /// The reference right after `zxid`. Only forward.
    pub fn tree_at(&mut self, zxid: i64) -> &Tree {
        assert!(zxid >= self.tree.last_zxid().0, "I11: an answer from before an earlier one");
        while self.tree.last_zxid().0 < zxid {
            let next = self.tree.last_zxid().0 + 1;
            let record = self.records.get(&next).expect("I2: an answer from after the log's end");
            apply(&mut self.tree, &mut self.sessions, record);
        }
        &self.tree
    }

    /// A crash left everything up to `last`: the rest never happened. Rebuilds the reference
    /// from the very beginning (I8).
    pub fn crashed(&mut self, last: Zxid) -> (&mut Tree, &mut HashMap<i64, i32>) {
        self.records.split_off(&(last.0 + 1));
        (self.tree, self.sessions) = (Tree::new(self.config), HashMap::new());
        for record in self.records.values() {
            apply(&mut self.tree, &mut self.sessions, record);
        }
        (&mut self.tree, &mut self.sessions)
    }
}

fn apply(tree: &mut Tree, sessions: &mut HashMap<i64, i32>, record: &Record) {
    match record.txn {
        Txn::CreateSession { timeout } => {
            sessions.insert(record.header.client_id, timeout);
        }
        Txn::CloseSession { .. } => {
            sessions.remove(&record.header.client_id);
        }
        _ => {}
    }
    tree.apply(&record.header, &record.txn, &mut Changes::default());
    if let Some(d) = record.digest {
        assert_eq!(tree.digest(), d.digest, "I9: digest after {}", record.header.zxid);
    }
}

/// All znodes and ACLs, encoded: equal bytes, equal state.
pub fn dump(tree: &mut Tree, sessions: &HashMap<i64, i32>) -> Vec<u8> {
    let mut cursor = tree.begin_snapshot();
    let mut sessions: Vec<(i64, i32)> = sessions.iter().map(|(a, b)| (*a, *b)).collect();
    sessions.sort_unstable();
    let mut out = Vec::new();
    cursor.encode_head(&sessions, &mut Vec::new());
    out.extend(format!("{sessions:?}").bytes());
    let mut nodes = Vec::new();
    while tree.snapshot_chunk(&mut cursor, usize::MAX, &mut nodes) {}
    tree.end_snapshot(cursor);
    out.extend(by_path(&nodes));
    out
}

/// The order of siblings, and the numbers of ACLs, depend on history; the state does not.
fn by_path(nodes: &[u8]) -> Vec<u8> {
    let mut r = oxkeeper::jute::Reader::new(nodes);
    let mut lines = Vec::new();
    while let Some(node) = txn::snapshot::decode_node(&mut r).expect("our own encoding") {
        lines.push(format!("{} {:?} {:?}\n", node.path, node.data, node.stat));
    }
    lines.sort_unstable();
    lines.concat().into_bytes()
}
