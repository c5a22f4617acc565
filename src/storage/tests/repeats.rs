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
            let report = verify_log(&disk, &at(&log_name(Zxid(file[0]))), &[], &mut |_| {}).unwrap();
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

/// Puts a snapshot of this zxid among the files.
fn snapshot_of(disk: &MemDisk, upto: i64) {
    let other = MemDisk::new();
    let (_, mut r) = open(&other).unwrap();
    super::append(&mut r.storage, 1..=upto);
    super::snapshot(&r.storage, upto);
    let path = at(&format!("snapshot.{upto:x}"));
    let _named = disk.replace(&path, &other.read_small(&path, 1 << 20).unwrap()).unwrap();
}

/// A learner of ZooKeeper's that is sent a snapshot goes on in the log file that it had.
#[test]
fn what_a_snapshot_covers_need_not_be_in_the_log() {
    let disk = logged(&[&[1, 2, 7, 8]]);
    assert!(open(&disk).is_err(), "nothing holds 3 to 6");
    snapshot_of(&disk, 6);
    let (list, mut recovered) = open(&disk).unwrap();
    assert_eq!((list.base, &list.zxids[..]), (Some(Zxid(6)), &[1, 2, 3, 4, 5, 6, 7, 8][..]));
    let report = |known: &[i64]| {
        let known: Vec<Zxid> = known.iter().map(|z| Zxid(*z)).collect();
        verify_log(&disk, &at("log.1"), &known, &mut |_| {}).unwrap()
    };
    assert!(matches!(report(&[0, 6]).finding, Finding::Whole));
    assert_eq!(report(&[0, 6]).bridged, Some((Zxid(2), Zxid(7))));
    for known in [&[][..], &[0], &[0, 1], &[5]] {
        assert!(matches!(report(known).finding, Finding::Damaged(_)), "{known:?}");
    }
    // A learner that is behind the gap is not sent what leaves it out.
    let mut behind = recovered.storage.read_after(Zxid(2)).unwrap();
    assert!(behind.next_entry().is_err());
    // And the history goes on behind it.
    super::append(&mut recovered.storage, 9..=10);
    drop(recovered);
    assert_eq!(open(&disk).unwrap().0.zxids, (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_snapshot_in_the_midst_of_a_gap_does_not_bridge_it() {
    for at in [1, 3, 5] {
        let disk = logged(&[&[1, 2, 7, 8]]);
        snapshot_of(&disk, at);
        assert!(open(&disk).is_err(), "a snapshot of {at}: what lies between it and 7 is nowhere");
    }
}
