//! Damage under a running member: what its disk answers about a log that has lost a record.
//!
//! # Invariants
//!
//! * Nothing is cut, and nobody is told to cut, what a damaged record hides.

use crate::heap::MS;
use bytes::Bytes;
use oxkeeper::config::Settings;
use oxkeeper::disk::Disk;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::driver::{MemberRules, MemberWorker, SnapshotPolicy, start_member};
use oxkeeper::replica::{DiskDone, DiskOp, ReplicaConfig};
use oxkeeper::storage::{Dirs, Rules};
use oxkeeper::txn::{Record, Txn, TxnHeader, kind};
use oxkeeper::types::{LinkId, Zxid};
use oxkeeper::zab::Proposal;
use std::path::Path;

/// Zxids of a log in two segments.
const LAST: u32 = 40;

fn z(counter: u32) -> Zxid {
    Zxid::new(1, counter)
}

fn entry(counter: u32) -> DiskOp {
    let zxid = z(counter);
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::ERROR };
    let bytes = Bytes::from(Record { header, txn: Txn::Error { err: -1 }, digest: None }.to_bytes());
    DiskOp::Append(Proposal { zxid, bytes })
}

/// A worker whose first segment has a flipped bit in the record of zxid 10.
fn worker() -> MemberWorker<MemDisk> {
    let (disk, dirs) = (MemDisk::new(), Dirs::new(Path::new("/data"), Path::new("/data")));
    let settings = Settings::default();
    let tree = ReplicaConfig::standalone(&settings, MS).tree;
    let mut rules = Rules::of(&settings.storage);
    rules.log.pre_alloc_size = 4096;
    disk.create_dir_all(Path::new("/data")).expect("a disk in memory");
    let found = start_member(&disk, &dirs, &rules, tree, 5).expect("an empty disk");
    let member = MemberRules { tree, window: 5, snapshot_size_factor: Some(0.0) };
    let policy = SnapshotPolicy::new(&settings.storage, 1);
    let mut worker =
        MemberWorker::new(found.start.storage, found.epochs, found.promises.last, policy, member);
    let done = worker.handle(&mut (1..=LAST).map(entry).collect());
    assert!(matches!(done.last(), Some(DiskDone::Logged { durable: Some(d), .. }) if *d.get() == z(LAST)));
    let log = dirs.log().join("log.100000001");
    let each = (disk.state().read(&log).expect("a segment").iter().rposition(|b| *b != 0).expect("records")
        + 1
        - 16)
        / LAST as usize;
    assert!(disk.damage(&log, |bytes| bytes[16 + 9 * each + 20] ^= 1));
    worker
}

/// Does the disk refuse to cut behind a record that damage hides?
fn refuses_to_cut() -> bool {
    let done = worker().handle(&mut vec![DiskOp::Truncate(z(30))]);
    matches!(done.last(), Some(DiskDone::Failed(why)) if why.contains("checksum"))
}

/// Does it say nothing about a place that damage hides? Before the damage it still tells.
fn tells_nothing() -> bool {
    let ask = |counter| {
        let op = DiskOp::Find { link: LinkId(2), zxid: z(counter) };
        match worker().handle(&mut vec![op]).pop() {
            Some(DiskDone::Found { view, .. }) => view.floor,
            other => panic!("{other:?}"),
        }
    };
    ask(5) == Some(z(5)) && ask(9).is_none() && ask(30).is_none()
}

#[test]
fn nothing_is_cut_that_damage_hides() {
    assert!(refuses_to_cut());
}

#[test]
fn no_learner_is_told_to_cut_what_damage_hides() {
    assert!(tells_nothing());
}

#[cfg(feature = "mutants")]
#[test]
fn every_mutant_of_a_damaged_log_is_noticed() {
    use oxkeeper::types::mutant;
    mutant::here(Some("cut-at-damage"));
    let cut = refuses_to_cut();
    mutant::here(Some("neighbours-behind-damage"));
    let told = tells_nothing();
    mutant::here(None);
    assert!(!cut && !told, "cut-at-damage {cut}, neighbours-behind-damage {told}");
}
