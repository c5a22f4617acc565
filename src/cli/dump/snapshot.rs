//! Znodes and sessions of a snapshot as text and as JSON.
//!
//! # Invariants
//!
//! * The text equals SnapshotFormatter's, in UTC, but for the order of children, which is
//!   sorted here and that of a hash table there.
//! * Nothing is printed of a snapshot whose checksum does not hold.

use super::log::{acl_json, hex};
use super::{Stop, snapshot_file};
use crate::os::disk::RealDisk;
use crate::storage::snapshot::{SnapshotVisitor, read_snapshot};
use crate::tree::{NodeView, Tree, TreeBuilder, TreeConfig};
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::types::java::java_date;
use crate::types::{StatPersisted, Zxid};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use std::io::Write;
use std::path::Path;

struct Load {
    tree: TreeBuilder,
    sessions: Vec<(i64, i32)>,
}

impl SnapshotVisitor for Load {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        self.sessions = head.sessions;
        for (id, list) in head.acls {
            self.tree.acl(id, list);
        }
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        self.tree.node(node).map_err(|e| e.to_string())
    }
}

/// Sessions: ids and time-outs, ms.
type Sessions = Vec<(i64, i32)>;

/// The tree and the sessions of a snapshot, and the zxid that it stands for.
fn load(path: &Path) -> Result<(Tree, Sessions, Zxid), Stop> {
    let config = TreeConfig { extended_types: true, ..TreeConfig::default() };
    let mut load = Load { tree: TreeBuilder::new(config), sessions: Vec::new() };
    let file = snapshot_file(path);
    let info = read_snapshot(&RealDisk::new(), &file, &mut load).map_err(|e| Stop::File(e.to_string()))?;
    let tree = load.tree.finish(info.zxid).map_err(|e| Stop::File(format!("{}: {e}", path.display())))?;
    Ok((tree, load.sessions, info.zxid))
}

/// Prints names and sizes as ncdu reads them (`SnapshotFormatter.printSnapshotJson`).
pub(super) fn ncdu(path: &Path, now_ms: i64, out: &mut dyn Write) -> Result<(), Stop> {
    /// What is printed next.
    enum Step {
        Node(String),
        Close,
    }
    let (tree, _, _) = load(path)?;
    let program = json!({ "progname": "SnapshotFormatter.java", "progver": "0.01", "timestamp": now_ms });
    write!(out, "[1,0,{program}")?;
    let mut inode = 0u64;
    let mut todo = vec![Step::Node(String::from("/"))];
    while let Some(step) = todo.pop() {
        let Step::Node(path) = step else {
            write!(out, "]")?;
            continue;
        };
        let Some(node) = tree.get(&path) else { continue };
        inode += 1;
        let name = path.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty());
        let name = json!(name.unwrap_or("/"));
        let mut children: Vec<&str> = node.children().collect();
        let open = if children.is_empty() { "" } else { "[" };
        let len = node.data_len();
        write!(out, ",{open}{{\"name\":{name},\"asize\":{len},\"dsize\":{len},\"dev\":0,\"ino\":{inode}}}")?;
        if children.is_empty() {
            continue;
        }
        todo.push(Step::Close);
        children.sort_unstable_by(|a, b| b.cmp(a));
        let parent = if path == "/" { "" } else { path.as_str() };
        todo.extend(children.iter().map(|c| Step::Node(format!("{parent}/{c}"))));
    }
    Ok(write!(out, "]")?)
}

/// Prints a whole snapshot.
pub(super) fn dump(path: &Path, data: bool, as_json: bool, out: &mut dyn Write) -> Result<(), Stop> {
    let (tree, mut sessions, at) = load(path)?;
    sessions.sort_unstable();
    if as_json {
        for (id, timeout) in &sessions {
            writeln!(out, "{}", json!({ "session": hex(*id), "timeout": timeout }))?;
        }
        return walk(&tree, &mut |path, node| Ok(writeln!(out, "{}", object(path, node))?));
    }
    writeln!(out, "ZNode Details (count={}):", tree.node_count())?;
    let mut last = at;
    walk(&tree, &mut |path, node| {
        let stat = node.persisted();
        last = last.max(Zxid(stat.mzxid.max(stat.pzxid)));
        Ok(text(path, node, &stat, data, out)?)
    })?;
    writeln!(out, "----\nSession Details (sid, timeout, ephemeralCount):")?;
    for (id, timeout) in &sessions {
        writeln!(out, "{:#016x}, {timeout}, {}", id, tree.ephemerals(*id).count())?;
    }
    writeln!(out, "----\nLast zxid: 0x{:x}", last.0)?;
    Ok(())
}

/// Visits all nodes, parents first, children in order of their names.
fn walk(tree: &Tree, visit: &mut dyn FnMut(&str, &NodeView<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut todo = vec![String::from("/")];
    while let Some(path) = todo.pop() {
        let Some(node) = tree.get(&path) else { continue };
        visit(&path, &node)?;
        let mut children: Vec<&str> = node.children().collect();
        children.sort_unstable_by(|a, b| b.cmp(a));
        let parent = if path == "/" { "" } else { path.as_str() };
        todo.extend(children.iter().map(|c| format!("{parent}/{c}")));
    }
    Ok(())
}

fn text(
    path: &str,
    node: &NodeView<'_>,
    stat: &StatPersisted,
    data: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(out, "----\n{path}")?;
    writeln!(out, "  cZxid = {:#016x}\n  ctime = {}", stat.czxid, java_date(stat.ctime))?;
    writeln!(out, "  mZxid = {:#016x}\n  mtime = {}", stat.mzxid, java_date(stat.mtime))?;
    writeln!(out, "  pZxid = {:#016x}\n  cversion = {}", stat.pzxid, stat.cversion)?;
    writeln!(out, "  dataVersion = {}\n  aclVersion = {}", stat.version, stat.aversion)?;
    writeln!(out, "  ephemeralOwner = {:#016x}", stat.ephemeral_owner)?;
    if data {
        writeln!(out, "  data = {}", BASE64.encode(node.data().unwrap_or(&[])))
    } else {
        writeln!(out, "  dataLength = {}", node.data_len())
    }
}

fn object(path: &str, node: &NodeView<'_>) -> serde_json::Value {
    let stat = node.persisted();
    json!({
        "path": path,
        "data": node.data().map(|d| BASE64.encode(d)),
        "acl": acl_json(node.acl()),
        "cZxid": hex(stat.czxid), "ctime": stat.ctime, "mZxid": hex(stat.mzxid), "mtime": stat.mtime,
        "pZxid": hex(stat.pzxid), "cversion": stat.cversion, "dataVersion": stat.version,
        "aclVersion": stat.aversion, "ephemeralOwner": hex(stat.ephemeral_owner),
    })
}
