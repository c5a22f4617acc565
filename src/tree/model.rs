//! A naive tree for tests: a map from full paths to nodes, with the same rules written
//! down as directly as possible, and the checks of a real tree against it.

use super::quota::{LIMITS_NAME, QUOTA_PATH, STATS_NAME};
use super::*;
use crate::error::Code;
use crate::proto::EventKind;
use crate::txn::{CreateTxn, Txn, TxnHeader, kind};
use crate::types::mode::CONTAINER_OWNER;
use crate::types::{Acl, Stat, StatPersisted};
use std::collections::{BTreeMap, BTreeSet};

/// A node of the model; also what is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plain {
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: Vec<Acl>,
    pub(super) stat: StatPersisted,
}

/// (kind, path, ACL) of a change.
pub(super) type Fired = (EventKind, String, Vec<Acl>);

/// Result of a transaction: code, stat, parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Done(pub(super) Code, pub(super) Option<Stat>, pub(super) Vec<(i32, Done)>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Model {
    /// The root is "".
    pub(super) nodes: BTreeMap<String, Plain>,
    limits: BTreeSet<String>,
    size: i64,
    /// Ephemerals of the session that is closed next, in the order in which they go.
    pub(super) order: Vec<String>,
}

fn cut(path: &str) -> Option<(&str, &str)> {
    let at = path.rfind('/')?;
    Some((&path[..at], &path[at + 1..]))
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

impl Model {
    pub(super) fn new() -> Model {
        let open = || Plain { data: Some(vec![]), acl: vec![Acl::open()], stat: StatPersisted::default() };
        let mut nodes = BTreeMap::new();
        for path in ["", "/zookeeper", "/zookeeper/quota"] {
            nodes.insert(path.to_owned(), open());
        }
        let mut config = open();
        config.acl = vec![Acl::read_only()];
        config.stat.aversion = -1;
        nodes.insert(CONFIG_PATH.to_owned(), config);
        Model { nodes, limits: BTreeSet::new(), size: 44, order: vec![] }
    }

    pub(super) fn children(&self, path: &str) -> Vec<String> {
        let is_child = |p: &&String| cut(p).is_some_and(|(parent, _)| parent == key(path));
        self.nodes.keys().filter(is_child).map(|p| cut(p).unwrap().1.to_owned()).collect()
    }

    pub(super) fn stat(&self, path: &str) -> Stat {
        let node = &self.nodes[key(path)];
        let (s, children) = (&node.stat, self.children(path).len() as i32);
        let extended = s.ephemeral_owner < 0;
        Stat {
            czxid: s.czxid,
            mzxid: s.mzxid,
            ctime: s.ctime,
            mtime: s.mtime,
            version: s.version,
            cversion: s.cversion * 2 - children,
            aversion: s.aversion,
            ephemeral_owner: if extended { 0 } else { s.ephemeral_owner },
            data_length: node.data.as_ref().map_or(0, |d| d.len() as i32),
            num_children: children,
            pzxid: s.pzxid,
        }
    }

    pub(super) fn digest(&self) -> i64 {
        let mut sum = 0i64;
        for (path, node) in self.nodes.iter().filter(|(p, _)| !p.starts_with("/zookeeper/")) {
            let mut bytes = path.clone().into_bytes();
            bytes.extend_from_slice(node.data.as_deref().unwrap_or_default());
            let s = &node.stat;
            for long in [s.czxid, s.mzxid, s.pzxid, s.ctime, s.mtime] {
                bytes.extend_from_slice(&long.to_be_bytes());
            }
            for int in [s.version, s.cversion, s.aversion] {
                bytes.extend_from_slice(&int.to_be_bytes());
            }
            bytes.extend_from_slice(&s.ephemeral_owner.to_be_bytes());
            sum = sum.wrapping_add(i64::from(crc32fast::hash(&bytes)));
        }
        sum
    }

    pub(super) fn apply(&mut self, h: &TxnHeader, txn: &Txn, fired: &mut Vec<Fired>) -> Done {
        let Txn::Multi(parts) = txn else { return self.one(h, h.kind, txn, fired) };
        let failed_at = parts.iter().position(|p| p.kind == kind::ERROR);
        let mut done = Done(Code::Ok, None, vec![]);
        for (i, part) in parts.iter().enumerate() {
            let (k, one) = match (&part.txn, failed_at) {
                (Txn::Error { .. }, _) => (-1, self.one(h, -1, &part.txn, fired)),
                (_, Some(at)) if i < at => (-1, Done(Code::Ok, None, vec![])),
                (_, Some(_)) => (-1, Done(Code::RuntimeInconsistency, None, vec![])),
                _ => (part.kind, self.one(h, part.kind, &part.txn, fired)),
            };
            if done.0 == Code::Ok {
                done.0 = one.0;
            }
            done.2.push((k, one));
        }
        done
    }

    fn one(&mut self, h: &TxnHeader, k: i32, txn: &Txn, fired: &mut Vec<Fired>) -> Done {
        let (code, stat) = match txn {
            Txn::Create(c) => {
                let (code, stat) = self.create(h, c, if c.ephemeral { h.client_id } else { 0 }, fired);
                (code, if k == kind::CREATE { None } else { stat })
            }
            Txn::CreateContainer(c) => self.create(h, c, CONTAINER_OWNER, fired),
            Txn::CreateTtl(c, ttl) => self.create(h, c, (0xff << 56) | ttl, fired),
            Txn::Delete { path } => (self.delete(h, path, fired), None),
            Txn::SetData { path, data, version } => self.set_data(h, path, data.as_deref(), *version, fired),
            Txn::SetAcl { path, acl, version } => match self.nodes.get_mut(key(path)) {
                None => (Code::NoNode, None),
                Some(node) => {
                    node.acl = acl.clone();
                    node.stat.aversion = *version;
                    (Code::Ok, Some(self.stat(path)))
                }
            },
            Txn::CloseSession { paths } => {
                for path in paths.iter().flatten() {
                    self.delete(h, path, fired);
                }
                for path in std::mem::take(&mut self.order) {
                    if self.nodes.get(&path).is_some_and(|n| n.stat.ephemeral_owner == h.client_id) {
                        self.delete(h, &path, fired);
                    }
                }
                (Code::Ok, None)
            }
            Txn::Error { err } => (Code::from_number(*err).unwrap(), None),
            _ => (Code::Ok, None),
        };
        Done(code, stat, vec![])
    }

    pub(super) fn ephemerals(&self, session: i64) -> Vec<String> {
        let mine = |(_, n): &(&String, &Plain)| n.stat.ephemeral_owner == session;
        self.nodes.iter().filter(mine).map(|(p, _)| p.clone()).collect()
    }

    fn create(
        &mut self,
        h: &TxnHeader,
        c: &CreateTxn,
        owner: i64,
        fired: &mut Vec<Fired>,
    ) -> (Code, Option<Stat>) {
        let zxid = h.zxid.0;
        let (parent, name) = cut(&c.path).unwrap();
        let exists = self.nodes.contains_key(&c.path);
        let Some(p) = self.nodes.get_mut(parent) else { return (Code::NoNode, None) };
        let parent_acl = p.acl.clone();
        let wanted = if c.parent_cversion == -1 { p.stat.cversion + 1 } else { c.parent_cversion };
        if wanted > p.stat.cversion {
            (p.stat.cversion, p.stat.pzxid) = (wanted, zxid);
        }
        if exists {
            self.nodes.get_mut(&c.path).unwrap().acl = c.acl.clone();
            if name == STATS_NAME {
                self.quota_created(parent, name);
            }
            return (Code::NodeExists, None);
        }
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: h.time,
            mtime: h.time,
            ephemeral_owner: owner,
            ..Default::default()
        };
        let data = c.data.as_ref().map(|d| d.to_vec());
        let bytes = data.as_ref().map_or(0, Vec::len) as i64;
        self.nodes.insert(c.path.clone(), Plain { data, acl: c.acl.clone(), stat });
        self.size += c.path.chars().count() as i64 + bytes;
        let stat = self.stat(&c.path);
        self.quota_created(parent, name);
        self.usage(&c.path, 1, bytes);
        fired.push((EventKind::Created, c.path.clone(), c.acl.clone()));
        fired.push((EventKind::ChildrenChanged, shown(parent).to_owned(), parent_acl));
        (Code::Ok, Some(stat))
    }

    fn delete(&mut self, h: &TxnHeader, path: &str, fired: &mut Vec<Fired>) -> Code {
        let Some((parent, _)) = cut(path).filter(|_| path != "/") else { return Code::NoNode };
        let Some(p) = self.nodes.get_mut(parent) else { return Code::NoNode };
        p.stat.pzxid = p.stat.pzxid.max(h.zxid.0);
        let parent_acl = p.acl.clone();
        let Some(node) = self.nodes.get(path) else { return Code::NoNode };
        let acl = node.acl.clone();
        let below: Vec<String> =
            self.nodes.keys().filter(|k| k.starts_with(&format!("{path}/")) || *k == path).cloned().collect();
        for gone in below.iter().rev() {
            let node = self.nodes.remove(gone).unwrap();
            let bytes = node.data.map_or(0, |d| d.len() as i64);
            self.size -= gone.chars().count() as i64 + bytes;
            if let Some(about) = gone.strip_prefix(QUOTA_PATH)
                && let Some((about, LIMITS_NAME)) = cut(about)
            {
                self.limits.remove(about);
            }
            self.usage(gone, -1, -bytes);
        }
        fired.push((EventKind::Deleted, path.to_owned(), acl));
        fired.push((EventKind::ChildrenChanged, shown(parent).to_owned(), parent_acl));
        Code::Ok
    }

    fn set_data(
        &mut self,
        h: &TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        fired: &mut Vec<Fired>,
    ) -> (Code, Option<Stat>) {
        let Some(node) = self.nodes.get_mut(key(path)) else { return (Code::NoNode, None) };
        let old = node.data.as_ref().map_or(0, |d| d.len() as i64);
        node.data = data.map(Vec::from);
        (node.stat.mtime, node.stat.mzxid, node.stat.version) = (h.time, h.zxid.0, version);
        let acl = node.acl.clone();
        let grown = data.map_or(0, |d| d.len() as i64) - old;
        let stat = self.stat(path);
        self.usage(path, 0, grown);
        self.size += grown;
        fired.push((EventKind::DataChanged, path.to_owned(), acl));
        (Code::Ok, Some(stat))
    }

    fn quota_created(&mut self, parent: &str, name: &str) {
        let Some(about) = parent.strip_prefix(QUOTA_PATH) else { return };
        if name == LIMITS_NAME && !about.is_empty() {
            self.limits.insert(about.to_owned());
        }
        if name == STATS_NAME {
            let (count, bytes) = self.measure_below(about);
            let stats = format!("{QUOTA_PATH}{about}/{STATS_NAME}");
            self.nodes.get_mut(&stats).unwrap().data = Some(format!("count={count},bytes={bytes}").into());
        }
    }

    /// Nodes and bytes at and below a path.
    pub(super) fn measure_below(&self, path: &str) -> (i64, i64) {
        let below = || self.nodes.iter().filter(|(p, _)| *p == path || p.starts_with(&format!("{path}/")));
        let bytes = below().map(|(_, n)| n.data.as_ref().map_or(0, |d| d.len() as i64)).sum();
        (below().count() as i64, bytes)
    }

    fn usage(&mut self, path: &str, count: i64, bytes: i64) {
        let covers = |q: &&String| path == *q || path.starts_with(&format!("{q}/"));
        let Some(quota) = self.limits.iter().filter(covers).max_by_key(|q| q.len()) else { return };
        let Some(stats) = self.nodes.get_mut(&format!("{QUOTA_PATH}{quota}/{STATS_NAME}")) else { return };
        let text = String::from_utf8(stats.data.clone().unwrap_or_default()).unwrap();
        let number = |key: &str| {
            let of_key = |pair: &str| pair.strip_prefix(key)?.trim_end_matches('=').parse::<i64>().ok();
            text.split([',', ';']).filter_map(of_key).next_back().unwrap_or(-1)
        };
        let (c, b) = (number("count=") + count, number("bytes=") + bytes);
        stats.data = Some(format!("count={c},bytes={b}").into());
    }

    /// Compares everything that a tree shows.
    pub(super) fn compare(&self, tree: &Tree) {
        assert_eq!(dump(tree), self.nodes);
        assert_eq!(tree.digest(), self.digest());
        assert_eq!(tree.node_count(), self.nodes.len() + 1);
        assert_eq!(tree.approximate_data_size() as i64, self.size);
        for path in self.nodes.keys() {
            let view = tree.get(path).unwrap();
            assert_eq!(view.stat(), self.stat(path), "{path}");
            let mut names: Vec<&str> = view.children().collect();
            names.sort_unstable();
            assert_eq!(names, self.children(path));
            assert_eq!(view.data_len(), view.data().map_or(0, <[u8]>::len));
            let below = self.nodes.keys().filter(|p| p.starts_with(&format!("{path}/"))).count();
            let own = usize::from(path.is_empty());
            assert_eq!(tree.descendants(path), Some(below + own), "{path:?}");
        }
        for session in 1..4 {
            let mut paths: Vec<String> = tree.ephemerals(session).collect();
            paths.sort();
            assert_eq!(paths, self.ephemerals(session));
        }
        assert_eq!(tree.ephemerals_count(), (1..4).map(|s| self.ephemerals(s).len()).sum::<usize>());
    }
}

/// Every node of a tree.
pub(super) fn dump(tree: &Tree) -> BTreeMap<String, Plain> {
    let mut all = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let view = tree.get(&path).unwrap();
        open.extend(view.children().map(|name| format!("{path}/{name}")));
        let data = view.data().map(Vec::from);
        all.insert(path, Plain { data, acl: view.acl().to_vec(), stat: view.persisted() });
    }
    all
}

impl Tree {
    /// Checks what the parts of a tree know of each other.
    pub(super) fn check_shape(&self) {
        let mut uses: BTreeMap<u32, u64> = BTreeMap::new();
        let mut digest = 0i64;
        let mut owned = 0;
        self.store.check_shape(|id| {
            let node = self.store.node(id);
            *uses.entry(node.acl).or_default() += 1;
            if !node.excluded {
                let path = self.store.path(id);
                assert_eq!(node.digest, digest::of(&path, self.store.data(id), &node.stat()));
                digest = digest.wrapping_add(i64::from(node.digest));
            }
            owned += usize::from(node.owner != 0);
        });
        assert_eq!(self.digest, digest);
        assert_eq!(self.acls.uses(), uses);
        let extended = self.owners.containers_from(0).count() + self.owners.ttls_from(0).count();
        assert_eq!(self.owners.ephemeral_count() + extended, owned);
    }
}
