//! What a data directory holds, read by the production recovery from a copy.
//!
//! # Invariants
//! * Two states are equal when znodes (path, data, stat, ACL), sessions and digest are.

use std::collections::BTreeMap;
use std::path::Path;

use oxkeeper::driver;
use oxkeeper::jute::Reader;
use oxkeeper::os::disk::RealDisk;
use oxkeeper::storage::{Dirs, Rules};
use oxkeeper::tree::TreeConfig;
use oxkeeper::txn::snapshot::decode_node;

use super::check::{Faults, Last};
use super::load::ROOT;

/// A znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Data, as text where it is one.
    pub data: Option<String>,
    /// Stat and ACL, for comparing.
    pub rest: String,
    /// Transaction of the creation.
    pub czxid: i64,
    /// Transaction of the last change of data.
    pub mzxid: i64,
    /// Version of the data.
    pub version: i32,
    /// Session that owns it, 0 for none.
    pub owner: i64,
}

/// The state of one member.
#[derive(Clone, Debug)]
pub struct State {
    /// The last transaction.
    pub zxid: i64,
    /// The tree's digest.
    pub digest: i64,
    /// Znodes by path.
    pub nodes: BTreeMap<String, Node>,
    /// Sessions and their time-outs.
    pub sessions: BTreeMap<i64, i32>,
    /// Digests in the log that differ from the state rebuilt.
    pub differences: Vec<String>,
}

impl State {
    /// Recovers a copy of `dir`.
    ///
    /// # Errors
    /// Why it cannot be recovered.
    pub fn read(dir: &Path) -> Result<State, String> {
        let copy = tempfile::tempdir().map_err(|e| e.to_string())?;
        copy_dir(dir, copy.path()).map_err(|e| format!("{}: {e}", dir.display()))?;
        let config = TreeConfig { extended_types: true, ..TreeConfig::default() };
        let dirs = Dirs::new(copy.path(), copy.path());
        let start = driver::start(&RealDisk::new(), &dirs, &Rules::default(), config);
        let start = start.map_err(|e| format!("{}: {e}", dir.display()))?;
        let differences = start.differences.iter().map(|d| format!("{d:?}")).collect();
        let mut tree = start.recovered.tree;
        let mut cursor = tree.begin_snapshot();
        let acls: BTreeMap<i64, String> =
            cursor.acls().iter().map(|(id, list)| (*id, format!("{:?}", &list[..]))).collect();
        let mut bytes = Vec::new();
        while tree.snapshot_chunk(&mut cursor, usize::MAX, &mut bytes) {}
        tree.end_snapshot(cursor);
        let mut nodes = BTreeMap::new();
        let mut r = Reader::new(&bytes);
        while !r.is_empty()
            && let Some(node) = decode_node(&mut r).map_err(|e| e.to_string())?
        {
            let acl = acls.get(&node.acl).cloned().unwrap_or_else(|| node.acl.to_string());
            let (czxid, mzxid, mut version) = (node.stat.czxid, node.stat.mzxid, node.stat.version);
            // Every server writes this node for itself, at the time of its start and without a
            // transaction: its directory has it from the first snapshot after that on.
            let own = node.path == "/zookeeper/config" && mzxid == 0;
            let data = node.data.filter(|_| !own).map(|d| String::from_utf8_lossy(d).into_owned());
            if own {
                version = 0;
            }
            let rest = if own { acl } else { format!("{:?} {acl}", node.stat) };
            let owner = node.stat.ephemeral_owner;
            nodes.insert(node.path.to_owned(), Node { data, rest, czxid, mzxid, version, owner });
        }
        let sessions = start.recovered.sessions.into_iter().collect();
        Ok(State { zxid: tree.last_zxid().0, digest: tree.digest(), nodes, sessions, differences })
    }

    /// The znodes of the load, for the checker.
    pub fn last(&self) -> BTreeMap<String, Last> {
        let below = self.nodes.iter().filter(|(path, _)| path.starts_with(&format!("{ROOT}/")));
        let last = |n: &Node| Last {
            value: n.data.clone().unwrap_or_default(),
            mzxid: n.mzxid,
            czxid: n.czxid,
            version: n.version,
        };
        below.map(|(path, node)| (path.clone(), last(node))).collect()
    }
}

/// What differs between members; nothing is right.
pub fn compare(states: &[(u64, State)]) -> Faults {
    let mut faults = Faults::new();
    for (id, state) in states {
        faults.extend(state.differences.iter().map(|d| format!("server {id}: digest: {d}")));
    }
    let Some(((first, a), rest)) = states.split_first() else { return faults };
    for (id, b) in rest {
        let pair = format!("servers {first} and {id}");
        if (a.zxid, a.digest) != (b.zxid, b.digest) {
            faults.push(format!("{pair}: 0x{:x} {:x}, 0x{:x} {:x}", a.zxid, a.digest, b.zxid, b.digest));
        }
        if a.sessions != b.sessions {
            faults.push(format!("{pair}: sessions {:x?}, {:x?}", a.sessions, b.sessions));
        }
        let paths: std::collections::BTreeSet<&String> = a.nodes.keys().chain(b.nodes.keys()).collect();
        let differ = paths.into_iter().filter(|path| a.nodes.get(*path) != b.nodes.get(*path));
        for path in differ.take(5) {
            faults.push(format!("{pair}: {path}: {:?}, {:?}", a.nodes.get(path), b.nodes.get(path)));
        }
    }
    faults
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
