//! What was delivered, by anybody: the one history, and the state after each step of it.
//!
//! # Invariants
//!
//! * It only grows, at its end.
//! * The reference is built from the very bytes that members logged, one by one, from nothing.

use bytes::Bytes;
use oxkeeper::tree::{Changes, Tree, TreeConfig};
use oxkeeper::txn::{self, Record, Txn};
use oxkeeper::types::{Stat, Zxid};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A transaction as it stands in logs.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place.
    pub zxid: i64,
    /// Header, body, digest.
    pub bytes: Bytes,
    /// Hash over this one and all before it: equal chains, equal histories.
    pub chain: u64,
}

/// A log in memory, from the first transaction on.
pub type Log = Vec<Entry>;

/// Appends to a log.
pub fn push(log: &mut Log, zxid: i64, bytes: Bytes) {
    let mut hash = DefaultHasher::new();
    (log.last().map_or(0, |e| e.chain), zxid, &bytes).hash(&mut hash);
    log.push(Entry { zxid, bytes, chain: hash.finish() });
}

/// Position behind the last entry that is not above `zxid`.
pub fn upto(log: &Log, zxid: i64) -> usize {
    if log.last().is_some_and(|e| e.zxid <= zxid) {
        return log.len();
    }
    log.partition_point(|e| e.zxid <= zxid)
}

/// The entry of a zxid.
pub fn entry(log: &Log, zxid: i64) -> Option<&Entry> {
    log.get(upto(log, zxid).checked_sub(1)?).filter(|e| e.zxid == zxid)
}

/// Zxid of the last entry, 0 for an empty log.
pub fn last(log: &Log) -> i64 {
    log.last().map_or(0, |e| e.zxid)
}

/// What watchers of a node are told of a transaction.
pub mod told {
    #![allow(missing_docs)]
    pub const CREATED: u8 = 1;
    pub const DELETED: u8 = 2;
    pub const CHANGED: u8 = 4;
    pub const CHILDREN: u8 = 8;
}

/// A node after a transaction that concerned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Data.
    pub data: Option<Bytes>,
    /// Stat.
    pub stat: Stat,
    /// Names of children, ascending.
    pub children: Vec<String>,
}

/// One step in the life of a path.
#[derive(Clone, Debug)]
pub struct Version {
    /// After this transaction.
    pub zxid: i64,
    /// What the node is then, if it is there.
    pub state: Option<NodeState>,
    /// What its watchers were told ([`told`]).
    pub told: u8,
}

/// What is known of a delivered transaction.
pub struct Delivered {
    /// Decoded.
    pub record: Record,
    /// The reference's digest behind it.
    pub digest: i64,
    /// Do the twins of the multis exist together?
    pub twins: bool,
}

/// The one history.
pub struct History {
    /// The transactions.
    pub log: Log,
    /// What is known of each, by position.
    pub known: Vec<Delivered>,
    /// The reference behind the last of them.
    pub tree: Tree,
    /// Its sessions and time-outs.
    pub sessions: HashMap<i64, i32>,
    /// Sessions that were closed.
    pub closed: HashMap<i64, i64>,
    paths: HashMap<String, Vec<Version>>,
}

impl History {
    /// Nothing yet.
    pub fn new(config: TreeConfig) -> History {
        History {
            log: Log::new(),
            known: Vec::new(),
            tree: Tree::new(config),
            sessions: HashMap::new(),
            closed: HashMap::new(),
            paths: HashMap::new(),
        }
    }

    /// Zxid of the last delivered transaction.
    pub fn last(&self) -> i64 {
        last(&self.log)
    }

    /// Did the ensemble ever know this session?
    pub fn opened(&self, session: i64) -> bool {
        self.sessions.contains_key(&session) || self.closed.contains_key(&session)
    }

    /// The next transaction was delivered.
    pub fn deliver(&mut self, next: &Entry) -> Result<(), String> {
        let record =
            txn::decode(&next.bytes).map_err(|e| format!("I6: an entry that is no transaction: {e}"))?;
        let touched = touched(&record.txn, record.header.client_id, &self.tree);
        apply(&mut self.tree, &mut self.sessions, &record);
        if matches!(record.txn, Txn::CloseSession { .. }) {
            self.closed.entry(record.header.client_id).or_insert(next.zxid);
        }
        for (path, told) in touched {
            let state = state(&self.tree, &path);
            let list = self.paths.entry(path).or_default();
            match list.last_mut().filter(|v| v.zxid == next.zxid) {
                Some(same) => (same.state, same.told) = (state, same.told | told),
                None => list.push(Version { zxid: next.zxid, state, told }),
            }
        }
        self.log.push(next.clone());
        let twins = self.tree.find("/left").is_some() == self.tree.find("/right").is_some();
        self.known.push(Delivered { record, digest: self.tree.digest(), twins });
        Ok(())
    }

    /// What is known of a transaction.
    pub fn at(&self, zxid: i64) -> Option<&Delivered> {
        let place = upto(&self.log, zxid).checked_sub(1)?;
        (self.log[place].zxid == zxid).then(|| &self.known[place])
    }

    /// The digest that a tree after `zxid` must have; `None` before the first transaction.
    pub fn digest_at(&self, zxid: i64) -> Option<i64> {
        upto(&self.log, zxid).checked_sub(1).map(|place| self.known[place].digest)
    }

    /// The node of a path after `zxid`; the outer `None`: no transaction concerned it before.
    pub fn node_at(&self, path: &str, zxid: i64) -> Option<Option<&NodeState>> {
        let list = self.paths.get(path)?;
        let place = list.partition_point(|v| v.zxid <= zxid).checked_sub(1)?;
        Some(list[place].state.as_ref())
    }

    /// The first transaction behind `after` of which watchers of a path are told one of `kinds`.
    pub fn next_told(&self, path: &str, after: i64, kinds: u8) -> Option<i64> {
        let list = self.paths.get(path)?;
        let from = list.partition_point(|v| v.zxid <= after);
        list[from..].iter().find(|v| v.told & kinds != 0).map(|v| v.zxid)
    }

    /// Is something of these kinds told of a path at exactly this transaction?
    pub fn told_at(&self, path: &str, zxid: i64) -> u8 {
        let Some(list) = self.paths.get(path) else { return 0 };
        let place = list.partition_point(|v| v.zxid < zxid);
        list.get(place).filter(|v| v.zxid == zxid).map_or(0, |v| v.told)
    }
}

/// A node as it stands in a tree.
pub fn state(tree: &Tree, path: &str) -> Option<NodeState> {
    tree.get(path).map(|node| {
        let mut children: Vec<String> = node.children().map(str::to_owned).collect();
        children.sort_unstable();
        NodeState { data: node.data().map(Bytes::copy_from_slice), stat: node.stat(), children }
    })
}

/// The state that a log makes, from nothing.
pub fn replay(log: &[Entry], config: TreeConfig) -> (Tree, HashMap<i64, i32>) {
    let (mut tree, mut sessions) = (Tree::new(config), HashMap::new());
    for e in log {
        let record = txn::decode(&e.bytes).expect("I6: what is logged can be decoded");
        apply(&mut tree, &mut sessions, &record);
    }
    (tree, sessions)
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
}

/// Paths that a transaction concerns, and what watchers of each are told.
fn touched(txn: &Txn, session: i64, before: &Tree) -> Vec<(String, u8)> {
    let mut out = Vec::new();
    match txn {
        Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c) => {
            out.push((c.path.clone(), told::CREATED));
            out.push((parent(&c.path), told::CHILDREN));
        }
        Txn::Delete { path } => {
            out.push((path.clone(), told::DELETED));
            out.push((parent(path), told::CHILDREN));
        }
        Txn::SetData { path, .. } => out.push((path.clone(), told::CHANGED)),
        Txn::SetAcl { path, .. } => out.push((path.clone(), 0)),
        Txn::CloseSession { .. } => {
            let owned: BTreeSet<String> = before.ephemerals(session).collect();
            for path in owned {
                out.push((parent(&path), told::CHILDREN));
                out.push((path, told::DELETED));
            }
        }
        Txn::Multi(parts) if !parts.iter().any(|p| matches!(p.txn, Txn::Error { .. })) => {
            out.extend(parts.iter().flat_map(|p| touched(&p.txn, session, before)));
        }
        _ => {}
    }
    out
}

fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
    }
}

/// All znodes and sessions but the configuration's node, as text: equal texts, equal states.
pub fn dump(tree: &Tree, sessions: &HashMap<i64, i32>) -> String {
    let mut open = vec!["/".to_owned()];
    let mut lines = Vec::new();
    while let Some(path) = open.pop() {
        let Some(node) = tree.get(&path) else { continue };
        for child in node.children() {
            open.push(if path == "/" { format!("/{child}") } else { format!("{path}/{child}") });
        }
        if path != oxkeeper::tree::CONFIG_PATH {
            lines.push(format!("{path} {:?} {:?} {:?}\n", node.data(), node.persisted(), node.acl()));
        }
    }
    lines.sort_unstable();
    let mut sessions: Vec<_> = sessions.iter().collect();
    sessions.sort_unstable();
    lines.push(format!("{sessions:?}"));
    lines.concat()
}

/// A zxid as people read it.
pub fn z(zxid: i64) -> Zxid {
    Zxid(zxid)
}
