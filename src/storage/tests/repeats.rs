//! Records that ZooKeeper's followers log again.

use super::super::log::format::{frame, header};
use super::super::log::read::tests::entry;
use super::super::names::log_name;
use super::super::verify::{Finding, verify_log};
use super::{at, dirs, open};
use crate::disk::mem::MemDisk;
use crate::disk::{Disk, DiskFile};
use crate::types::Zxid;

/// A directory of ZooKeeper's whose logs hold these records, in this order.
fn logged(files: &[&[i64]]) -> MemDisk {
    let entries: Vec<Vec<Vec<u8>>> =
        files.iter().map(|zxids| zxids.iter().map(|z| entry(*z, 4)).collect()).collect();
    written(files, &entries)
}

fn written(files: &[&[i64]], entries: &[Vec<Vec<u8>>]) -> MemDisk {
    let disk = MemDisk::new();
    drop(open(&disk).unwrap()); // the first start, which leaves a snapshot of nothing
    for (zxids, entries) in files.iter().zip(entries) {
        let mut bytes = header().to_vec();
        for entry in entries {
            frame(entry, &mut bytes);
        }
        bytes.resize(bytes.len() + 512, 0);
        let mut file = disk.create_new(&at(&log_name(Zxid(zxids[0])))).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        let _synced = file.sync().unwrap();
    }
    let _synced = disk.sync_dir(&dirs().log()).unwrap();
    disk
}

#[test]
fn what_was_logged_again_counts_once() {
    for (files, last) in [
        (&[&[1, 2, 3, 1][..]][..], 3),
        (&[&[1, 2, 3, 2, 3, 4]], 4),
        (&[&[1, 2, 3, 1, 4, 5]], 5),
        (&[&[1, 2, 3], &[2, 3, 4]], 4),
        (&[&[1, 2, 3, 3, 4]], 4),
    ] {
        let disk = logged(files);
        let (list, recovered) = open(&disk).unwrap_or_else(|e| panic!("{files:?}: {e}"));
        assert_eq!(list.zxids, (1..=last).collect::<Vec<_>>(), "{files:?}");
        assert!(!recovered.notices.is_empty(), "{files:?}: it is said");
        let mut behind = recovered.storage.read_after(Zxid(1)).unwrap();
        let mut read = vec![1];
        while let Some((zxid, _)) = behind.next_entry().unwrap() {
            read.push(zxid.0);
        }
        assert_eq!(read, list.zxids, "{files:?}: a learner is sent each once");
        for file in files {
            let report = verify_log(&disk, &at(&log_name(Zxid(file[0]))), &mut |_| {}).unwrap();
            assert!(matches!(report.finding, Finding::Whole), "{files:?}");
        }
    }
}

#[test]
fn other_bytes_under_a_known_zxid_are_damage() {
    let files: &[&[i64]] = &[&[1, 2, 3, 2]];
    let disk = written(files, &[vec![entry(1, 4), entry(2, 4), entry(3, 4), entry(2, 9)]]);
    assert!(open(&disk).is_err());
    assert!(open(&logged(&[&[1, 2, 3, 5]])).is_err(), "a gap stays damage");
    assert!(open(&logged(&[&[1, 2, 3, 1, 5]])).is_err(), "also behind a repetition");
}
