//! Directories as values: read from the file system into a disk in memory, and as a summary.

use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::driver::{Start, start};
use oxkeeper::replica::Recovered;
use oxkeeper::storage::{Dirs, Rules};
use oxkeeper::tree::TreeConfig;
use oxkeeper::types::{Acl, StatPersisted, Zxid};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a copy lies on its disk.
pub fn dirs() -> Dirs {
    Dirs::new(Path::new("/z"), Path::new("/z"))
}

/// Copies the files of `from` for which `want` says so into `version-2` of a disk in memory.
pub fn copy(from: &Path, want: impl Fn(&str) -> bool) -> MemDisk {
    let disk = MemDisk::new();
    disk.create_dir_all(&dirs().log()).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if file.is_file() && want(&name) {
            let bytes = fs::read(&file).unwrap();
            disk.create_new(&dirs().log().join(&name)).unwrap().write_all_at(&bytes, 0).unwrap();
        }
    }
    disk
}

/// Recovers a disk as a server with TTL nodes would.
pub fn recover(disk: &MemDisk, rules: &Rules) -> Start<MemDisk> {
    let config = TreeConfig { extended_types: true, ..TreeConfig::default() };
    start(disk, &dirs(), rules, config).unwrap_or_else(|e| panic!("{e}"))
}

/// A node as it is compared.
pub type Node = (Option<Vec<u8>>, StatPersisted, Vec<Acl>);

/// Everything that must survive a change of server.
#[derive(PartialEq, Eq, Debug)]
pub struct Summary {
    pub last: Zxid,
    pub digest: i64,
    pub sessions: BTreeMap<i64, i32>,
    pub nodes: BTreeMap<String, Node>,
}

/// The summary of a recovered state.
pub fn summary(recovered: &Recovered) -> Summary {
    let tree = &recovered.tree;
    let mut nodes = BTreeMap::new();
    let mut todo = vec![String::from("/")];
    while let Some(path) = todo.pop() {
        let node = tree.get(&path).unwrap();
        let parent = if path == "/" { "" } else { &path };
        todo.extend(node.children().map(|c| format!("{parent}/{c}")));
        let acl = node.acl().to_vec();
        nodes.insert(path, (node.data().map(<[u8]>::to_vec), node.persisted(), acl));
    }
    let sessions = recovered.sessions.iter().map(|(id, t)| (*id, *t)).collect();
    Summary { last: tree.last_zxid(), digest: tree.digest(), sessions, nodes }
}

/// The state in `version-2` of a data directory.
pub fn state_of(data_dir: &Path) -> Summary {
    let disk = copy(&data_dir.join("version-2"), |_| true);
    let start = recover(&disk, &Rules::default());
    assert!(start.differences.is_empty(), "digests: {:?}", start.differences);
    summary(&start.recovered)
}

/// The recorded directories of Java servers.
pub fn recorded() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk");
    let mut found: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|d| d.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 7, "{found:?}");
    found
}
