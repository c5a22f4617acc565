//! Storage as a whole, on a disk in memory.

mod damaged;
mod repeats;

use super::log::read::tests::entry;
use super::*;
use crate::disk::mem::{Fault, MemDisk};
use crate::disk::{Disk, DiskFile};
use crate::txn::Record;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode, encode_end, encode_head, encode_node};
use crate::types::{Acl, StatPersisted, Zxid};
use std::path::{Path, PathBuf};

/// A database that is the list of its zxids; a snapshot keeps it as one node per zxid.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
struct List {
    zxids: Vec<i64>,
    fresh: bool,
    base: Option<Zxid>,
}

impl SnapshotVisitor for List {
    fn head(&mut self, head: SnapshotHead) -> std::result::Result<(), String> {
        assert_eq!(head, SnapshotHead { sessions: vec![(7, 4000)], acls: vec![(1, vec![Acl::open()])] });
        Ok(())
    }
    fn node(&mut self, node: &SnapshotNode<'_>) -> std::result::Result<(), String> {
        self.zxids.push(node.stat.czxid);
        Ok(())
    }
}

impl Loader for List {
    fn begin(&mut self, _: &SnapshotFile) {
        *self = List::default();
    }
    fn loaded(&mut self, info: &SnapshotInfo) -> std::result::Result<(), String> {
        self.base = Some(info.zxid);
        Ok(())
    }
    fn fresh(&mut self) -> Fresh {
        self.fresh = true;
        Fresh { head: head(), nodes: nodes(&[]), digest: None }
    }
    fn txn(&mut self, record: Record) -> std::result::Result<(), String> {
        self.zxids.push(record.header.zxid.0);
        Ok(())
    }
}

fn head() -> Vec<u8> {
    let mut out = Vec::new();
    encode_head(&[(7, 4000)], &[(1, vec![Acl::open()])], &mut out);
    out
}

fn nodes(zxids: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    for z in zxids {
        let stat = StatPersisted { czxid: *z, ..StatPersisted::default() };
        let path = format!("/{z}");
        encode_node(&SnapshotNode { path: &path, data: Some(&[5; 100]), acl: 1, stat }, &mut out);
    }
    encode_end(&mut out);
    out
}

fn dirs() -> Dirs {
    Dirs::new(Path::new("/z"), Path::new("/z"))
}

fn rules() -> Rules {
    let room = Room { full_below: 0, good_from: 0, reserve: 0 };
    let log = LogRules { pre_alloc_size: 8192, size_limit: None, force_sync: true };
    Rules { log, room, ..Rules::default() }
}

fn open(disk: &MemDisk) -> Result<(List, Recovered<MemDisk>)> {
    let mut list = List::default();
    let r = recover(disk, &dirs(), &rules(), &mut list)?;
    assert_eq!(list.zxids.last().copied().unwrap_or(0), r.last.0);
    Ok((list, r))
}

fn batch(zxids: impl IntoIterator<Item = i64>) -> Vec<(Zxid, Vec<u8>)> {
    zxids.into_iter().map(|z| (Zxid(z), entry(z, 4))).collect()
}

fn append(storage: &mut Storage<MemDisk>, zxids: impl IntoIterator<Item = i64>) {
    let batch = batch(zxids);
    let a = storage.append(&batch).unwrap();
    assert_eq!((a.count, *a.upto.get()), (batch.len(), batch.last().unwrap().0));
}

fn snapshot(storage: &Storage<MemDisk>, upto: i64) {
    let mut w = storage.begin_snapshot(Zxid(upto), &head()).unwrap();
    w.chunk(&nodes(&(1..=upto).collect::<Vec<_>>())).unwrap();
    let digest = ZxidDigest { zxid: Zxid(upto), version: 2, digest: 99 };
    w.finish(Some(digest), Some(Zxid(upto))).unwrap();
}

fn version_2(disk: &MemDisk) -> Vec<String> {
    let mut n = names::names(disk, &dirs().log()).unwrap();
    n.sort();
    n
}

fn at(name: &str) -> PathBuf {
    dirs().log().join(name)
}

#[test]
fn a_first_start_leaves_snapshot_zero_and_history_survives_restarts() {
    let disk = MemDisk::new();
    let (list, mut r) = open(&disk).unwrap();
    assert!(list.fresh);
    assert_eq!(version_2(&disk), ["snapshot.0"]);
    append(&mut r.storage, 1..=3);
    append(&mut r.storage, 4..=5);
    let disk = disk.crash_losing_all();
    let (list, mut r) = open(&disk).unwrap();
    assert_eq!(list.zxids, [1, 2, 3, 4, 5]);
    append(&mut r.storage, 6..=6);
    assert_eq!(version_2(&disk), ["log.1", "log.6", "snapshot.0"]);
    assert_eq!(open(&disk.crash_losing_all()).unwrap().0.zxids, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_new_epoch_starts_at_one_and_gaps_are_refused() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, [1, 2]);
    let second = Zxid::new(3, 1).0;
    append(&mut r.storage, [second, second + 1]);
    let e = r.storage.append(&batch([second + 3])).unwrap_err();
    assert_eq!(e.trouble, Trouble::Bug);
    assert_eq!(r.storage.health(), Health::Failed);
    assert_eq!(open(&disk).unwrap().0.zxids, [1, 2, second, second + 1]);
}

#[test]
fn snapshots_shorten_the_replay_and_old_ones_step_in() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=10);
    snapshot(&r.storage, 10);
    r.storage.roll();
    append(&mut r.storage, 11..=12);
    let (list, r) = open(&disk).unwrap();
    assert_eq!((list.base, r.replayed), (Some(Zxid(10)), 2));
    assert_eq!(r.snapshot.unwrap().digest.unwrap().digest, 99);
    assert_eq!(r.snapshot.unwrap().last_zxid, Some(Zxid(10)));
    disk.damage(&at("snapshot.a"), |f| f[300] ^= 4);
    let (list, r) = open(&disk).unwrap();
    assert_eq!((list.base, list.zxids.len(), r.replayed), (Some(Zxid(0)), 12, 12));
    disk.remove(&at("log.1")).unwrap();
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(e.trouble, Trouble::Damage, "{e}");
}

#[test]
fn every_form_of_snapshot_comes_back() {
    use crate::config::settings::Compression::{Gzip, None, Snappy};
    for compression in [None, Gzip, Snappy] {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/z/version-2")).unwrap();
        let mut w = SnapshotWriter::begin(&disk, &dirs().snap(), Zxid(2000), &head(), compression).unwrap();
        w.chunk(&nodes(&(1..=2000).collect::<Vec<_>>())).unwrap();
        let file = w.finish(Option::None, Option::None).unwrap();
        let mut list = List::default();
        let info = snapshot::read_snapshot(&disk, file.get(), &mut list).unwrap();
        assert_eq!((info.nodes, list.zxids.len()), (2000, 2000), "{compression:?}");
        assert_eq!(open(&disk).unwrap().0.zxids.len(), 2000);
    }
}

#[test]
fn a_torn_tail_is_cut_and_damage_below_the_mark_is_refused() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=4);
    let end = r.storage.live_file_size();
    r.storage.settle().unwrap();
    // Behind the mark: the rest of a write that a crash interrupted.
    disk.damage(&at("log.1"), |f| f[16 + 4 * 49 + 3] = 9);
    let (list, r) = open(&disk).unwrap();
    assert_eq!((list.zxids.len(), r.notices.len()), (4, 1), "{:?}", r.notices);
    assert!(disk.open_read(&at("log.1")).unwrap().len().unwrap() < end, "cut");
    // Below it: damage, even in the last record.
    disk.damage(&at("log.1"), |f| f[16 + 3 * 49 + 20] ^= 1);
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(e.place.as_ref().map(|p| (p.offset, p.zxid)), Some((16 + 3 * 49, Some(Zxid(4)))), "{e}");
    assert!(e.to_string().contains("log.1"), "{e}");
}

#[test]
fn without_marks_only_a_last_record_can_be_torn() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=4);
    for m in ["mark.0", "mark.1"] {
        disk.remove(&dirs().own().join(m)).unwrap();
    }
    let java = MemDisk::with(disk.state());
    java.damage(&at("log.1"), |f| f[16 + 3 * 49 + 20] ^= 1);
    assert_eq!(open(&java).unwrap().0.zxids, [1, 2, 3]);
    disk.damage(&at("log.1"), |f| f[16 + 49 + 20] ^= 1);
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(e.place.as_ref().map(|p| (p.offset, p.zxid)), Some((65, Some(Zxid(2)))), "{e}");
}

#[test]
fn an_interrupted_group_commit_with_a_hole_is_cut_where_the_segment_is_ours() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=2);
    r.storage.settle().unwrap();
    append(&mut r.storage, 3..=6);
    disk.damage(&at("log.1"), |f| f[16 + 3 * 49..16 + 4 * 49].fill(0));
    assert_eq!(open(&disk).unwrap().0.zxids, [1, 2, 3]);
}

#[test]
fn a_missing_log_is_noticed_and_an_emptied_folder_is_not() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=2);
    r.storage.settle().unwrap();
    let empty = MemDisk::with(disk.state());
    disk.remove(&at("log.1")).unwrap();
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert!(e.cure.contains("/z/oxkeeper"), "{e}");
    for n in version_2(&empty) {
        empty.remove(&at(&n)).unwrap();
    }
    assert!(open(&empty).unwrap().0.fresh);
}

#[test]
fn what_zookeeper_cut_or_wrote_overrides_the_marks() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=4);
    r.storage.settle().unwrap();
    disk.damage(&at("log.1"), |f| f.truncate(16 + 2 * 49));
    assert_eq!(open(&disk).unwrap().0.zxids, [1, 2]);
}

#[test]
fn an_empty_database_is_trusted_by_rule_only() {
    let no = Rules { db_autocreate: false, ..rules() };
    let disk = MemDisk::new();
    let r = recover(&disk, &dirs(), &no, &mut List::default()).unwrap();
    assert_eq!((r.last, version_2(&disk).len()), (Zxid(-1), 0));
    disk.create_new(&dirs().initialize()).unwrap();
    let r = recover(&disk, &dirs(), &no, &mut List::default()).unwrap();
    assert_eq!((r.last, version_2(&disk).len()), (Zxid(0), 1));
    assert!(!disk.exists(&dirs().initialize()).unwrap());
    let disk = MemDisk::new();
    let e = recover(&disk, &dirs(), &Rules { datadir_autocreate: false, ..rules() }, &mut List::default());
    assert_eq!(e.map(|_| ()).unwrap_err().exit_code().number(), 3);
}

#[test]
fn logs_without_a_snapshot_need_the_operators_word() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=2);
    disk.remove(&at("snapshot.0")).unwrap();
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert!(e.cure.contains("snapshot.trust.empty"), "{e}");
    let mut list = List::default();
    recover(&disk, &dirs(), &Rules { trust_empty_snapshot: true, ..rules() }, &mut list).unwrap();
    assert_eq!(list.zxids, [1, 2]);
}

#[test]
fn separate_directories_hold_only_their_own() {
    let disk = MemDisk::new();
    let dirs = Dirs::new(Path::new("/data"), Path::new("/log"));
    let mut r = recover(&disk, &dirs, &rules(), &mut List::default()).unwrap();
    r.storage.append(&batch([1])).unwrap();
    assert!(disk.exists(Path::new("/log/version-2/log.1")).unwrap());
    assert!(disk.exists(Path::new("/data/version-2/snapshot.0")).unwrap());
    disk.create_new(Path::new("/data/version-2/log.5")).unwrap();
    let e = recover(&disk, &dirs, &rules(), &mut List::default()).map(|_| ()).unwrap_err();
    assert_eq!((e.trouble, e.exit_code().number()), (Trouble::Directory, 3));
}

#[test]
fn a_failed_sync_latches_and_the_record_is_never_promised() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, [1]);
    disk.fail_at(disk.ops() + 2, Fault::Io, false);
    assert_eq!(r.storage.append(&batch([2])).unwrap_err().trouble, Trouble::Failed);
    assert_eq!(r.storage.health(), Health::Failed);
    assert!(r.storage.append(&batch([2])).is_err(), "latched although the disk is well again");
    assert_eq!(r.storage.last(), Zxid(1));
}

/// The process starts anew on the system that saw the sync fail: what that shows of the record is not on the medium.
#[test]
fn what_a_failed_sync_left_is_written_again_before_it_is_promised() {
    for marks_are_there in [true, false] {
        let disk = MemDisk::new();
        let (_, mut r) = open(&disk).unwrap();
        append(&mut r.storage, [1]);
        disk.fail_at(disk.ops() + 2, Fault::Io, false);
        assert!(r.storage.append(&batch([2])).is_err());
        drop(r);
        if !marks_are_there {
            for mark in ["mark.0", "mark.1"].map(|m| dirs().own().join(m)) {
                disk.remove(&mark).unwrap();
            }
        }
        let (list, r) = open(&disk).unwrap();
        assert_eq!(list.zxids, [1, 2], "the system still shows it");
        drop(r);
        let disk = disk.crash_losing_all();
        assert_eq!(open(&disk).unwrap().0.zxids, [1, 2], "recovery said that it is durable");
    }
}

#[test]
fn a_full_disk_stalls_an_append_and_takes_it_later() {
    let disk = MemDisk::new();
    let mut list = List::default();
    let room = Room { full_below: 3000, good_from: 6000, reserve: 2000 };
    let mut r = recover(&disk, &dirs(), &Rules { room, ..rules() }, &mut list).unwrap();
    disk.set_capacity(Some(40_000));
    assert_eq!(r.storage.check_space(), Health::Good);
    let mut next = 1;
    let stalled = loop {
        match r.storage.append(&batch(next..next + 5)) {
            Ok(_) => next += 5,
            Err(e) => break e,
        }
    };
    assert!(stalled.is_full() && next > 300, "{next} {stalled}");
    assert_eq!(r.storage.health(), Health::Full);
    disk.set_capacity(Some(100_000));
    assert_eq!(r.storage.check_space(), Health::Good);
    append(&mut r.storage, next..next + 5);
    assert_eq!(open(&disk.crash_losing_all()).unwrap().1.last, Zxid(next + 4));
}

#[test]
fn truncation_is_exact_and_takes_later_snapshots_along() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    for round in 0..4 {
        append(&mut r.storage, round * 5 + 1..=round * 5 + 5);
        snapshot(&r.storage, round * 5 + 5);
        r.storage.roll();
    }
    assert_eq!(*r.storage.truncate(Zxid(8)).unwrap().get(), Zxid(8));
    let (list, mut r) = open(&disk.crash_losing_all()).unwrap();
    assert_eq!(list.zxids, (1..=8).collect::<Vec<_>>());
    append(&mut r.storage, [Zxid::new(1, 1).0]);
}

#[test]
fn an_installed_snapshot_replaces_logs_of_another_history() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=20);
    let mut w = r.storage.begin_snapshot(Zxid(9), &head()).unwrap();
    w.chunk(&nodes(&(1..=9).collect::<Vec<_>>())).unwrap();
    assert_eq!(*r.storage.install(w, Tail::default()).unwrap().get(), Zxid(9));
    append(&mut r.storage, 10..=11);
    let (list, _) = open(&disk.crash_losing_all()).unwrap();
    assert_eq!(list.zxids, (1..=11).collect::<Vec<_>>());
}

#[test]
fn purge_keeps_what_the_kept_snapshots_need() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    for round in 0..5 {
        append(&mut r.storage, round * 2 + 1..=round * 2 + 2);
        snapshot(&r.storage, round * 2 + 2);
        r.storage.roll();
    }
    let removed = r.storage.purge(1).unwrap();
    assert_eq!(removed.len(), 5, "{removed:?}");
    assert_eq!(version_2(&disk), ["log.5", "log.7", "log.9", "snapshot.6", "snapshot.8", "snapshot.a"]);
    assert_eq!(open(&disk).unwrap().0.zxids.len(), 10);
}

#[test]
fn history_is_read_back_without_holes_or_not_at_all() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=5);
    r.storage.roll();
    append(&mut r.storage, 6..=9);
    let read = |s: &Storage<MemDisk>, after: i64| -> Result<Vec<i64>> {
        let mut it = s.read_after(Zxid(after))?;
        let mut got = Vec::new();
        while let Some((z, _)) = it.next_entry()? {
            got.push(z.0);
        }
        Ok(got)
    };
    assert_eq!(read(&r.storage, 0).unwrap().len(), 9);
    assert_eq!(read(&r.storage, 5).unwrap(), [6, 7, 8, 9]);
    assert!(read(&r.storage, 9).unwrap().is_empty());
    disk.remove(&at("log.1")).unwrap();
    assert_eq!(read(&r.storage, 5).unwrap(), [6, 7, 8, 9]);
    assert_eq!(read(&r.storage, 3).unwrap_err().trouble, Trouble::Unavailable);
}

#[test]
fn segments_roll_by_size_and_long_batches_are_taken_in_parts() {
    let disk = MemDisk::new();
    let mut rules = rules();
    rules.log.size_limit = Some(1000);
    let mut r = recover(&disk, &dirs(), &rules, &mut List::default()).unwrap();
    append(&mut r.storage, 1..=30);
    append(&mut r.storage, 31..=32);
    assert_eq!(version_2(&disk), ["log.1", "log.1f", "snapshot.0"]);
    let big: Vec<_> = (33..36).map(|z| (Zxid(z), entry(z, crate::limits::LOG_BATCH_BYTES / 2))).collect();
    let a = r.storage.append(&big).unwrap();
    assert_eq!((a.count, *a.upto.get()), (1, Zxid(33)));
}

#[test]
fn without_force_sync_an_interrupted_write_is_cut_as_well() {
    let disk = MemDisk::new();
    let mut rules = rules();
    rules.log.force_sync = false;
    let mut r = recover(&disk, &dirs(), &rules, &mut List::default()).unwrap();
    append(&mut r.storage, 1..=2);
    append(&mut r.storage, 3..=6);
    let torn = MemDisk::with(disk.state());
    torn.damage(&at("log.1"), |f| f[16 + 3 * 49..16 + 4 * 49].fill(0));
    let mut list = List::default();
    recover(&torn, &dirs(), &rules, &mut list).unwrap();
    assert_eq!(list.zxids, [1, 2, 3]);
    torn.damage(&at("log.1"), |f| f.fill(0));
    assert_eq!(open(&torn).unwrap().0.zxids, [0; 0], "nothing was promised to be durable");
}

#[test]
fn an_empty_database_that_is_not_trusted_takes_its_first_transaction() {
    let disk = MemDisk::new();
    let no = Rules { db_autocreate: false, ..rules() };
    let mut r = recover(&disk, &dirs(), &no, &mut List::default()).unwrap();
    assert_eq!((r.last, r.storage.last()), (Zxid(-1), Zxid(0)));
    append(&mut r.storage, [1]);
}
