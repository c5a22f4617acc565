//! Recorded directories of Java servers (`tests/data/disk`).

use crate::files::{Summary, copy, dirs, recorded, recover, summary};
use oxkeeper::config::settings::Compression;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::storage::log::read::SegmentReader;
use oxkeeper::storage::log::write::LogWriter;
use oxkeeper::storage::mark::MarkSet;
use oxkeeper::storage::names::{logs, snapshots};
use oxkeeper::storage::snapshot::read_snapshot;
use oxkeeper::storage::space::Space;
use oxkeeper::storage::{Dirs, LogRules, Room, Rules, SnapshotFile, SnapshotVisitor, SnapshotWriter};
use oxkeeper::txn::snapshot::{SnapshotHead, SnapshotNode, encode_end, encode_head, encode_node};
use oxkeeper::types::Zxid;
use std::path::Path;

fn is_data(name: &str) -> bool {
    !name.ends_with(".txt")
}

fn label(dir: &Path) -> String {
    dir.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_directory_of_java_recovers_to_the_tree_of_its_digests() {
    for dir in recorded() {
        let disk = copy(&dir, is_data);
        let start = recover(&disk, &Rules::default());
        assert!(start.differences.is_empty(), "{}: {:?}", label(&dir), start.differences);
        let last = logs(&disk, &dirs().log()).unwrap().pop().unwrap();
        assert!(start.last > last.first && start.notices.is_empty(), "{}: {:?}", label(&dir), start.notices);
        let s = summary(&start.recovered);
        assert!(s.nodes.contains_key("/a/eph") && !s.nodes.contains_key("/gone"), "{}", label(&dir));
    }
}

#[test]
fn a_snapshot_and_the_log_behind_it_make_what_the_whole_log_makes() {
    for dir in recorded() {
        let all: Summary = summary(&recover(&copy(&dir, is_data), &Rules::default()).recovered);
        let only_logs = copy(&dir, |n| n.starts_with("log.") && is_data(n));
        let rules = Rules { trust_empty_snapshot: true, ..Rules::default() };
        let from_logs = summary(&recover(&only_logs, &rules).recovered);
        assert_eq!(all, from_logs, "{}", label(&dir));
    }
}

#[test]
fn logs_are_written_again_to_the_same_bytes() {
    for dir in recorded() {
        let java = copy(&dir, is_data);
        for log in logs(&java, &dirs().log()).unwrap() {
            let mut reader = SegmentReader::open(&java, &log.path).unwrap();
            let mut entries = Vec::new();
            while let Some(e) = reader.next_entry().unwrap() {
                entries.push((e.zxid, e.bytes.to_vec()));
            }
            let ours = MemDisk::new();
            ours.create_dir_all(&dirs().log()).unwrap();
            let rules = LogRules { pre_alloc_size: 64 << 20, size_limit: None, force_sync: true };
            let before = Zxid(log.first.0 - 1);
            let mut writer = LogWriter::new(ours.clone(), dirs(), rules, MarkSet::default(), before);
            let mut space =
                Space::new(ours.clone(), dirs(), Room { full_below: 0, good_from: 0, reserve: 0 });
            writer.append(&entries, &mut space).unwrap();
            assert_eq!(writer.live_file_size(), 67_108_880, "the first preallocation is as long as Java's");
            let expected = java.read_small(&log.path, 1 << 20).unwrap();
            let mut got = vec![0; expected.len()];
            ours.open_read(&log.path).unwrap().read_at(&mut got, 0).unwrap();
            assert_eq!(got, expected, "{}", log.path.display());
        }
    }
}

/// Encodes again what it reads.
#[derive(Default)]
struct Again {
    head: Vec<u8>,
    nodes: Vec<u8>,
}

impl SnapshotVisitor for Again {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        encode_head(&head.sessions, &head.acls, &mut self.head);
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        encode_node(node, &mut self.nodes);
        Ok(())
    }
}

#[test]
fn snapshots_are_written_again_to_the_same_bytes() {
    let mut forms = Vec::new();
    for dir in recorded() {
        let java = copy(&dir, is_data);
        for snapshot in snapshots(&java, &dirs().snap()).unwrap() {
            let mut again = Again::default();
            let info = read_snapshot(&java, &snapshot, &mut again).unwrap();
            encode_end(&mut again.nodes);
            let ours = MemDisk::new();
            let there = Dirs::new(Path::new("/o"), Path::new("/o"));
            ours.create_dir_all(&there.snap()).unwrap();
            let form = snapshot.compression;
            let mut writer =
                SnapshotWriter::begin(&ours, &there.snap(), snapshot.zxid, &again.head, form).unwrap();
            writer.chunk(&again.nodes).unwrap();
            let file = writer.finish(info.digest, info.last_zxid).unwrap();
            let bytes = |disk: &MemDisk, file: &SnapshotFile| disk.read_small(&file.path, 1 << 20).unwrap();
            // Two packers need not agree on a byte; what they pack must be the same.
            if form != Compression::None {
                let mut back = Again::default();
                assert_eq!(read_snapshot(&ours, file.get(), &mut back).unwrap(), info);
            } else {
                assert_eq!(bytes(&ours, file.get()), bytes(&java, &snapshot), "{}", snapshot.path.display());
            }
            forms.push((form, info.digest.is_some(), info.last_zxid.is_some()));
        }
    }
    for form in [Compression::None, Compression::Gzip, Compression::Snappy] {
        assert!(forms.iter().any(|f| f.0 == form), "{form:?} is among the recorded ones");
    }
    assert!(forms.contains(&(Compression::None, true, true)), "3.9: both trailers");
    assert!(forms.iter().any(|f| !f.1), "without a digest");
    assert!(forms.iter().any(|f| !f.2), "without the last zxid");
}
