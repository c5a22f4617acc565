//! Damaged snapshots that older ones must not stand in for.

use super::super::error::Trouble;
use super::super::install::Tail;
use super::{append, at, head, nodes, open, snapshot};
use crate::disk::mem::MemDisk;
use crate::types::Zxid;

/// The first transaction of the next epoch: it follows whatever an epoch ended with.
const NEXT: i64 = (1 << 32) + 1;

/// A disk up to 5, a leader's snapshot of 9 in place of its log, and the next epoch's first transaction.
fn installed() -> MemDisk {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=5);
    snapshot(&r.storage, 5);
    let mut w = r.storage.begin_snapshot(Zxid(9), &head()).unwrap();
    w.chunk(&nodes(&(1..=9).collect::<Vec<_>>())).unwrap();
    assert_eq!(*r.storage.install(w, Tail::default()).unwrap().get(), Zxid(9));
    append(&mut r.storage, [NEXT, NEXT + 1]);
    disk.crash_losing_all()
}

#[test]
fn no_older_snapshot_stands_in_for_a_damaged_one_that_a_leader_sent() {
    let disk = installed();
    let mut all: Vec<i64> = (1..=9).collect();
    all.extend([NEXT, NEXT + 1]);
    assert_eq!(open(&disk).unwrap().0.zxids, all);
    disk.damage(&at("snapshot.9"), |f| f[300] ^= 4);
    let before = disk.state();
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(e.trouble, Trouble::Damage, "{e}");
    assert!(e.to_string().contains("snapshot.9"), "{e}");
    assert_eq!(disk.state().read(&at("snapshot.9")), before.read(&at("snapshot.9")));
}

/// A snapshot of what was applied before the own disk had it, and the log lost its end: nothing was
/// promised by it, but what came later builds on it.
#[test]
fn no_older_snapshot_stands_in_where_the_log_lacks_what_led_to_a_damaged_one() {
    let disk = MemDisk::new();
    let (_, mut r) = open(&disk).unwrap();
    append(&mut r.storage, 1..=7);
    snapshot(&r.storage, 9);
    let (list, mut r) = open(&disk).unwrap();
    assert_eq!(list.base, Some(Zxid(9)));
    append(&mut r.storage, [NEXT]);
    disk.damage(&at("snapshot.9"), |f| f[300] ^= 4);
    let e = open(&disk).map(|_| ()).unwrap_err();
    assert_eq!(e.trouble, Trouble::Damage, "{e}");
}
