//! Logs and snapshots that Java servers wrote: read as Java's own listings say, written again to the same bytes, and
//! replayed to the digests that Java recorded.

use crate::golden::files;
use oxkeeper::config::settings::Compression;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::driver::start;
use oxkeeper::storage::log::format;
use oxkeeper::storage::log::read::SegmentReader;
use oxkeeper::storage::names::{log_zxid, logs, snapshots};
use oxkeeper::storage::snapshot::read_snapshot;
use oxkeeper::storage::{Dirs, Rules, SnapshotVisitor, SnapshotWriter};
use oxkeeper::tree::TreeConfig;
use oxkeeper::txn::snapshot::{SnapshotHead, SnapshotNode, encode_end, encode_head, encode_node};
use oxkeeper::txn::{self, DIGEST_VERSION, Record, kind};
use oxkeeper::types::{StatPersisted, Zxid};
use std::fs;
use std::path::{Path, PathBuf};

const HOME: &str = "/z";

/// A recorded data directory, on a disk in memory.
struct Recorded {
    name: String,
    dir: PathBuf,
    disk: MemDisk,
    dirs: Dirs,
}

impl Recorded {
    fn all() -> Vec<Recorded> {
        files("disk").into_iter().map(Recorded::load).collect()
    }

    fn load(dir: PathBuf) -> Recorded {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (disk, dirs) = (MemDisk::new(), Dirs::new(Path::new(HOME), Path::new(HOME)));
        disk.create_dir_all(&dirs.log()).expect("a folder");
        for entry in fs::read_dir(&dir).expect("the recording").map(|e| e.expect("an entry").path()) {
            if entry.extension().is_some_and(|e| e == "txt") {
                continue;
            }
            let path = dirs.log().join(entry.file_name().expect("a name"));
            let bytes = fs::read(&entry).expect("a file");
            disk.create_new(&path).expect("a new file").write_all_at(&bytes, 0).expect("room");
        }
        Recorded { name, dir, disk, dirs }
    }

    /// Java's own listing of a file.
    fn listing(&self, file: &Path) -> String {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        fs::read_to_string(self.dir.join(format!("{name}.txt"))).expect("a listing")
    }

    fn bytes(&self, file: &Path) -> Vec<u8> {
        self.disk.read_small(file, 1 << 20).expect("a small file")
    }

    fn logs(&self) -> Vec<PathBuf> {
        logs(&self.disk, &self.dirs.log()).expect("a folder").into_iter().map(|l| l.path).collect()
    }

    fn has_digests(&self) -> bool {
        !self.name.ends_with("no-digest") && !self.name.starts_with("java-3.4")
    }
}

fn records(disk: &MemDisk, log: &Path) -> Vec<(Record, Vec<u8>)> {
    let mut reader = SegmentReader::open(disk, log).expect("a log");
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry().expect("readable") {
        let record = txn::decode(entry.bytes).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
        assert_eq!(record.header.zxid, entry.zxid);
        all.push((record, entry.bytes.to_vec()));
    }
    assert_eq!(reader.end().and_then(|e| e.flaw), None, "{}", log.display());
    all
}

/// The name of a transaction type in Java's listings.
fn listed(kind: i32) -> &'static str {
    match kind {
        kind::CREATE_SESSION => "createSession",
        kind::CLOSE_SESSION => "closeSession",
        kind::ERROR => "error",
        kind::CREATE => "create",
        kind::CREATE2 => "create2",
        kind::CREATE_TTL => "createTTL",
        kind::CREATE_CONTAINER => "createContainer",
        kind::DELETE => "delete",
        kind::SET_DATA => "setData",
        kind::SET_ACL => "setACL",
        kind::MULTI => "multi",
        other => panic!("type {other} in a recording"),
    }
}

/// The head of each transaction as Java's LogFormatter prints it: from `session` to the type
/// (3.8 spells one of them in its own way).
fn heads(listing: &str) -> Vec<String> {
    let head = |line: &str| {
        let at = line.find(" session 0x")?;
        let words: Vec<&str> = line[at..].split_whitespace().take(7).collect();
        Some(words.join(" ").replace("createTtl", "createTTL"))
    };
    listing.lines().filter_map(head).collect()
}

#[test]
fn logs_of_java_are_read_as_java_lists_them_and_written_to_the_same_bytes() {
    let mut kinds = std::collections::BTreeSet::new();
    for dir in Recorded::all() {
        for log in dir.logs() {
            let place = format!("{} {}", dir.name, log.display());
            let records = records(&dir.disk, &log);
            let mut again = format::header().to_vec();
            let mut shown = Vec::new();
            for (record, entry) in &records {
                let h = &record.header;
                let what = listed(h.kind);
                shown.push(format!(
                    "session {:#x} cxid {:#x} zxid {:#x} {what}",
                    h.client_id, h.cxid, h.zxid.0
                ));
                // A failed operation changes nothing, and says nothing of the tree.
                let digest = (dir.has_digests() && h.kind != kind::ERROR).then_some(DIGEST_VERSION);
                assert_eq!(record.digest.map(|d| d.version), digest, "{place} {h:?}");
                assert_eq!(&record.to_bytes(), entry, "{place} {h:?}");
                format::frame(&record.to_bytes(), &mut again);
                kinds.insert(h.kind);
            }
            assert_eq!(shown, heads(&dir.listing(&log)), "{place}");
            assert_eq!(again, dir.bytes(&log), "{place}");
            let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
            assert_eq!(log_zxid(&name), records.first().map(|(r, _)| r.header.zxid), "{place}");
        }
    }
    assert_eq!(kinds.len(), 11, "every type of transaction: {kinds:?}");
}

#[derive(Default)]
struct Collected {
    head: SnapshotHead,
    nodes: Vec<(String, Option<Vec<u8>>, i64, StatPersisted)>,
}

impl SnapshotVisitor for Collected {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        self.head = head;
        Ok(())
    }

    fn node(&mut self, n: &SnapshotNode<'_>) -> Result<(), String> {
        self.nodes.push((n.path.to_owned(), n.data.map(<[u8]>::to_vec), n.acl, n.stat));
        Ok(())
    }
}

/// One znode as Java's SnapshotFormatter lists it, dates (seconds only) left out.
fn listed_nodes(listing: &str) -> Vec<String> {
    let dates = |line: &&str| !line.starts_with("ctime") && !line.starts_with("mtime");
    let mut nodes: Vec<String> = listing
        .split("----\n")
        .filter(|part| part.starts_with('/'))
        .map(|part| part.lines().map(str::trim).filter(|l| dates(l)).collect::<Vec<_>>().join("\n"))
        .collect();
    nodes.sort();
    nodes
}

fn shown_nodes(nodes: &Collected, with_data: bool) -> Vec<String> {
    use base64::Engine;
    let mut shown: Vec<String> = nodes
        .nodes
        .iter()
        .map(|(path, data, _, s)| {
            let path: String = if path.is_empty() { "/".into() } else { path.replace(|c: char| !c.is_ascii(), "?") };
            let bytes = data.as_deref().unwrap_or_default();
            let data = if with_data {
                format!("data = {}", base64::engine::general_purpose::STANDARD.encode(bytes))
            } else if data.is_none() {
                "no data".to_owned()
            } else {
                format!("dataLength = {}", bytes.len())
            };
            format!(
                "{path}\ncZxid = {:#016x}\nmZxid = {:#016x}\npZxid = {:#016x}\ncversion = {}\ndataVersion = {}\n\
                 aclVersion = {}\nephemeralOwner = {:#016x}\n{}",
                s.czxid,
                s.mzxid,
                s.pzxid,
                s.cversion,
                s.version,
                s.aversion,
                s.ephemeral_owner,
                data.trim_end()
            )
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn snapshots_of_java_are_read_as_java_lists_them_and_written_to_the_same_bytes() {
    let mut compressions = Vec::new();
    for dir in Recorded::all() {
        for file in snapshots(&dir.disk, &dir.dirs.snap()).expect("a folder") {
            let place = format!("{} {}", dir.name, file.path.display());
            let mut all = Collected::default();
            let info = read_snapshot(&dir.disk, &file, &mut all).unwrap_or_else(|e| panic!("{place}: {e}"));
            let listing = dir.listing(&file.path);
            assert_eq!(shown_nodes(&all, listing.contains("data = ")), listed_nodes(&listing), "{place}");
            assert_eq!(info.nodes, all.nodes.len() as u64, "{place}");
            for (id, timeout) in &all.head.sessions {
                assert!(listing.contains(&format!("{id:#x}, {timeout}, ")), "{place}: session {id:#x}");
            }
            assert_eq!(info.digest.is_some(), dir.has_digests(), "{place}");
            assert_eq!(info.last_zxid.is_some(), dir.name.starts_with("java-3.9"), "{place}");
            if file.compression == Compression::None {
                assert_eq!(written(&all, &info, &file.path), dir.bytes(&file.path), "{place}");
            }
            compressions.push(file.compression);
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
        assert!(compressions.contains(&compression), "{compression:?}");
    }
}

fn written(all: &Collected, info: &oxkeeper::storage::SnapshotInfo, path: &Path) -> Vec<u8> {
    let (disk, folder) = (MemDisk::new(), path.parent().expect("a folder"));
    disk.create_dir_all(folder).expect("a folder");
    let mut head = Vec::new();
    let acls: Vec<_> = all.head.acls.iter().map(|(id, list)| (*id, list.as_slice())).collect();
    encode_head(&all.head.sessions, &acls, &mut head);
    let mut w = SnapshotWriter::begin(&disk, folder, info.zxid, &head, Compression::None).expect("a writer");
    let mut nodes = Vec::new();
    for (path, data, acl, stat) in &all.nodes {
        encode_node(&SnapshotNode { path, data: data.as_deref(), acl: *acl, stat: *stat }, &mut nodes);
    }
    encode_end(&mut nodes);
    w.chunk(&nodes).expect("room");
    w.finish(info.digest, info.last_zxid).expect("room");
    disk.read_small(path, 1 << 20).expect("the snapshot")
}

fn tree() -> TreeConfig {
    TreeConfig { extended_types: true, ..TreeConfig::default() }
}

/// From the newest snapshot and the log behind it, and from the first transaction on: to the digest that Java noted
/// with its last transaction.
#[test]
fn directories_of_java_are_taken_over_with_its_digests() {
    for dir in Recorded::all() {
        let last_log = dir.logs().pop().expect("a log");
        let (last, _) = records(&dir.disk, &last_log).pop().expect("a record");
        let found = start(&dir.disk, &dir.dirs, &Rules::default(), tree())
            .unwrap_or_else(|e| panic!("{}: {e}", dir.name));
        assert_eq!(found.last, last.header.zxid, "{}", dir.name);
        assert!(found.differences.is_empty(), "{}: {:?}", dir.name, found.differences);
        let from_snapshot = found.recovered.tree.digest();
        if let Some(d) = last.digest {
            assert_eq!(from_snapshot, d.digest, "{}", dir.name);
        }
        // A second copy without snapshots.
        let dir = Recorded::load(dir.dir);
        for file in snapshots(&dir.disk, &dir.dirs.snap()).expect("a folder") {
            dir.disk.remove(&file.path).expect("removed");
        }
        let rules = Rules { trust_empty_snapshot: true, ..Rules::default() };
        let found =
            start(&dir.disk, &dir.dirs, &rules, tree()).unwrap_or_else(|e| panic!("{}: {e}", dir.name));
        assert_eq!(found.snapshot, None);
        assert_eq!(found.replayed, u64::try_from(last.header.zxid.0).expect("positive"), "{}", dir.name);
        assert!(found.differences.is_empty(), "{}: {:?}", dir.name, found.differences);
        assert_eq!(found.recovered.tree.digest(), from_snapshot, "{}", dir.name);
        assert_eq!(found.recovered.tree.last_zxid(), Zxid(last.header.zxid.0), "{}", dir.name);
    }
}
