//! The state of a data directory or an archive at a transaction, as much of it as is wanted: the znodes that are
//! asked for are rebuilt, all others only pass by.
//!
//! # Invariants
//!
//! * Memory is that of the znodes that are wanted, not of the tree.
//! * What is rebuilt is what a server would have: the same transactions applied by the same code.

use super::archive::walk::walk;
use super::fault::Fault;
use super::progress::Progress;
use crate::disk::Disk;
use crate::storage::names::{self, Dirs, LogFile, SnapshotFile};
use crate::storage::snapshot::{SnapshotVisitor, find_valid, read_snapshot};
use crate::storage::{StorageError, Trouble};
use crate::tree::{Changes, NodeView, Tree, TreeBuilder, TreeConfig};
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::txn::{self, Record, SubTxn, Txn, kind};
use crate::types::{Acl, Zxid};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Where a state begins and ends.
#[derive(Clone, Debug)]
pub struct Base {
    /// The snapshot.
    pub snapshot: SnapshotFile,
    /// The segments behind it, oldest first.
    pub logs: Vec<LogFile>,
    /// The last transaction that counts; `None`: all of them.
    pub until: Option<Zxid>,
}

impl Base {
    /// The newest state of a data directory, whether its server runs or not.
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or has no whole snapshot.
    pub fn newest<D: Disk>(disk: &D, dirs: &Dirs) -> Result<Base, Fault> {
        let logs = names::logs(disk, &dirs.log())?;
        let mut damage = None;
        for snapshot in find_valid(disk, &dirs.snap(), crate::limits::SNAPSHOT_CANDIDATES)? {
            match read_snapshot(disk, &snapshot, &mut Nobody) {
                Ok(_) => {
                    let logs = names::logs_after(&logs, snapshot.zxid).to_vec();
                    return Ok(Base { snapshot, logs, until: None });
                }
                Err(e) if e.trouble == Trouble::Damage => damage = damage.or(Some(e)),
                Err(e) => return Err(e.into()),
            }
        }
        let none = || {
            let what = format!("{} has no whole snapshot", dirs.snap().display());
            StorageError::directory(what, "name the dataDir of a server, or an archive of oxkeeper backup")
        };
        Err(damage.unwrap_or_else(none).into())
    }
}

struct Nobody;

impl SnapshotVisitor for Nobody {
    fn head(&mut self, _: SnapshotHead) -> Result<(), String> {
        Ok(())
    }

    fn node(&mut self, _: &SnapshotNode<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// Says which znodes are wanted (by path, the root's is `/`), and takes those that are not.
pub trait Wanted {
    /// Shall it be rebuilt? Where it is, all of its ancestors must be.
    fn wants(&self, path: &str) -> bool;
    /// May a transaction of this path change what is wanted?
    fn concerns(&self, path: &str) -> bool;
    /// A znode that is not wanted, as the snapshot has it.
    fn pass(&mut self, node: &SnapshotNode<'_>, acl: &[Acl]) -> Result<(), String>;
}

/// Rebuilds what is wanted; the tree and the last transaction that was applied.
pub fn rebuild<D: Disk, W: Wanted>(
    disk: &D,
    base: &Base,
    wanted: &mut W,
    progress: &mut Progress,
) -> Result<(Tree, Zxid), Fault> {
    let config = TreeConfig { digest: false, extended_types: true, ..TreeConfig::default() };
    let mut load = Load { tree: TreeBuilder::new(config), acls: HashMap::new(), wanted, nodes: 0, progress };
    let info = read_snapshot(disk, &base.snapshot, &mut load)?;
    let Load { tree, wanted, progress, .. } = load;
    let damaged = |e: String| StorageError::damage(&base.snapshot.path, 0, Some(info.zxid), e);
    let mut tree = tree.finish(info.zxid).map_err(|e| damaged(e.to_string()))?;
    let (mut last, mut applied) = (info.zxid, 0);
    walk(disk, &base.logs, base.snapshot.zxid, &mut |step| {
        let zxid = step.entry.zxid;
        if zxid <= base.snapshot.zxid {
            return Ok(ControlFlow::Continue(()));
        }
        if base.until.is_some_and(|until| zxid > until) {
            return Ok(ControlFlow::Break(()));
        }
        let path = base.logs.get(step.segment).map(|l| l.path.clone()).unwrap_or_default();
        let record = txn::decode(step.entry.bytes)
            .map_err(|e| StorageError::damage(&path, step.entry.offset, Some(zxid), e.to_string()))?;
        if let Some(record) = filtered(record, wanted) {
            tree.apply(&record.header, &record.txn, &mut Changes::default());
        }
        (last, applied) = (zxid, applied + 1);
        progress.count(applied, "transactions");
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((tree, last))
}

/// Visits every znode of a rebuilt tree, parents before children.
///
/// # Errors
///
/// Those of `visit`; the first ends it.
pub fn each(
    tree: &Tree,
    visit: &mut dyn FnMut(String, &NodeView<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut todo = vec![String::from("/")];
    while let Some(path) = todo.pop() {
        let Some(node) = tree.get(&path) else { continue };
        let above = if path == "/" { "" } else { path.as_str() };
        todo.extend(node.children().map(|c| format!("{above}/{c}")));
        visit(path, &node)?;
    }
    Ok(())
}

/// The part of a transaction that concerns what is wanted.
fn filtered<W: Wanted>(record: Record, wanted: &W) -> Option<Record> {
    let txn = match record.txn {
        // With a failed part nothing of it happened.
        Txn::Multi(parts) if parts.iter().any(|p| p.kind == kind::ERROR) => return None,
        Txn::Multi(parts) => {
            let mine: Vec<SubTxn> = parts
                .into_iter()
                .filter(|p| path(&p.txn).is_some_and(|path| wanted.concerns(path)))
                .collect();
            if mine.is_empty() {
                return None;
            }
            Txn::Multi(mine)
        }
        Txn::CloseSession { paths } => Txn::CloseSession {
            paths: paths.map(|all| all.into_iter().filter(|path| wanted.concerns(path)).collect()),
        },
        other => {
            if !path(&other).is_some_and(|path| wanted.concerns(path)) {
                return None;
            }
            other
        }
    };
    Some(Record { txn, ..record })
}

/// The znode of a simple transaction that changes one.
fn path(txn: &Txn) -> Option<&str> {
    match txn {
        Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c) => Some(&c.path),
        Txn::Delete { path } | Txn::SetData { path, .. } | Txn::SetAcl { path, .. } => Some(path),
        _ => None,
    }
}

struct Load<'a, W> {
    tree: TreeBuilder,
    acls: HashMap<i64, Vec<Acl>>,
    wanted: &'a mut W,
    nodes: u64,
    progress: &'a mut Progress,
}

impl<W: Wanted> SnapshotVisitor for Load<'_, W> {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        for (id, list) in head.acls {
            self.tree.acl(id, list.clone());
            self.acls.insert(id, list);
        }
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        self.nodes += 1;
        self.progress.count(self.nodes, "znodes");
        let path = if node.path.is_empty() { "/" } else { node.path };
        if self.wanted.wants(path) {
            return self.tree.node(node).map_err(|e| e.to_string());
        }
        let open = [Acl::open()];
        // An id that the table lacks is set by the log: then the znode is wanted, or gives nobody anything.
        let acl = match node.acl {
            crate::tree::OPEN_ACL_ID => &open[..],
            id => self.acls.get(&id).map(Vec::as_slice).unwrap_or_default(),
        };
        self.wanted.pass(node, acl)
    }
}

/// The znodes that the transactions of a base touch, with all of their ancestors.
#[derive(Default)]
pub struct Touched {
    paths: HashSet<String>,
    /// Sessions that ended without a list of their znodes (logs of 3.5 and older).
    ended: HashSet<i64>,
}

impl Touched {
    /// Collects them: memory is that of the log's paths.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn by<D: Disk>(disk: &D, base: &Base) -> Result<Touched, Fault> {
        let mut touched = Touched::default();
        walk(disk, &base.logs, base.snapshot.zxid, &mut |step| {
            let zxid = step.entry.zxid;
            if base.until.is_some_and(|until| zxid > until) {
                return Ok(ControlFlow::Break(()));
            }
            if zxid > base.snapshot.zxid
                && let Ok(record) = txn::decode(step.entry.bytes)
            {
                touched.txn(record.header.client_id, &record.txn);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        touched.add("/");
        if !touched.ended.is_empty() {
            read_snapshot(disk, &base.snapshot, &mut Ephemerals(&mut touched))?;
        }
        Ok(touched)
    }

    fn txn(&mut self, session: i64, txn: &Txn) {
        match txn {
            Txn::Multi(parts) => parts.iter().for_each(|p| self.txn(session, &p.txn)),
            Txn::CloseSession { paths: Some(paths) } => paths.iter().for_each(|p| self.add(p)),
            Txn::CloseSession { paths: None } => drop(self.ended.insert(session)),
            other => {
                if let Some(path) = path(other) {
                    self.add(path);
                }
            }
        }
    }

    fn add(&mut self, path: &str) {
        let mut path = path;
        while !self.paths.contains(path) {
            self.paths.insert(path.to_owned());
            match path.rfind('/') {
                Some(0) | None => path = "/",
                Some(at) => path = path.get(..at).unwrap_or("/"),
            }
        }
    }

    /// Is the znode among them?
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }
}

/// Finds the znodes of sessions that ended without a list of them.
struct Ephemerals<'t>(&'t mut Touched);

impl SnapshotVisitor for Ephemerals<'_> {
    fn head(&mut self, _: SnapshotHead) -> Result<(), String> {
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        if self.0.ended.contains(&node.stat.ephemeral_owner) {
            self.0.add(node.path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_brings_its_ancestors() {
        let mut t = Touched::default();
        t.txn(7, &Txn::Delete { path: "/a/b/c".into() });
        t.txn(7, &Txn::CloseSession { paths: Some(vec!["/e".into()]) });
        for (path, has) in
            [("/", true), ("/a", true), ("/a/b", true), ("/a/b/c", true), ("/e", true), ("/b", false)]
        {
            assert_eq!(t.has(path), has, "{path}");
        }
    }
}
