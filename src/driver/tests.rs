//! A member's disk, by its wishes and answers.

use super::*;
use crate::disk::mem::{Fault, MemDisk};
use crate::disk::{Disk, Durable};
use crate::replica::{DiskDone, DiskOp, StorageState};
use crate::storage::{Dirs, Room, Rules};
use crate::tree::TreeConfig;
use crate::txn::{CreateTxn, Record, Txn, TxnHeader, kind};
use crate::types::{Acl, LinkId, Zxid};
use crate::zab::Proposal;
use bytes::BytesMut;
use std::path::Path;

const LINK: LinkId = LinkId(3);
/// Znodes of an empty tree, as ZooKeeper counts them.
const EMPTY: usize = 5;

fn dirs() -> Dirs {
    Dirs::new(Path::new("/data"), Path::new("/log"))
}

fn rules() -> Rules {
    let mut rules = Rules { room: Room { full_below: 0, good_from: 0, reserve: 0 }, ..Rules::default() };
    rules.log.pre_alloc_size = 4096;
    rules
}

fn member_rules() -> MemberRules {
    MemberRules { tree: TreeConfig::default(), window: 4, snapshot_size_factor: Some(0.33) }
}

struct Rig {
    disk: MemDisk,
    worker: MemberWorker<MemDisk>,
    start: MemberStart,
}

/// What a start found, beside what the worker took.
struct MemberStart {
    znodes: usize,
    window: Vec<i64>,
    promises: crate::zab::Promises,
}

fn open(disk: &MemDisk) -> Rig {
    for dir in ["/data", "/log"] {
        disk.create_dir_all(Path::new(dir)).unwrap();
    }
    let found = start_member(disk, &dirs(), &rules(), TreeConfig::default(), 4).unwrap();
    let policy = SnapshotPolicy::new(&Default::default(), 1);
    let start = MemberStart {
        znodes: found.start.recovered.tree.node_count(),
        window: found.window.iter().map(|p| p.zxid.0).collect(),
        promises: found.promises,
    };
    let last = found.promises.last;
    let worker = MemberWorker::new(found.start.storage, found.epochs, last, policy, member_rules());
    Rig { disk: disk.clone(), worker, start }
}

fn create(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 5, cxid: 1, zxid, time: 9, kind: kind::CREATE };
    let body = CreateTxn {
        path: format!("/{:x}", zxid.0),
        data: Some(vec![7; 100].into()),
        acl: vec![Acl::open()],
        ephemeral: false,
        parent_cversion: -1,
    };
    let record = Record { header, txn: Txn::Create(body), digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

fn appends(zxids: impl IntoIterator<Item = Zxid>) -> Vec<DiskOp> {
    zxids.into_iter().map(|z| DiskOp::Append(create(z))).collect()
}

fn epoch(e: u32, counters: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = Zxid> {
    counters.map(move |c| Zxid::new(e, c))
}

impl Rig {
    fn ask(&mut self, ops: impl IntoIterator<Item = DiskOp>) -> Vec<DiskDone> {
        self.worker.handle(&mut ops.into_iter().collect())
    }

    fn last(&self) -> Zxid {
        self.worker.storage().last()
    }
}

#[test]
fn wishes_are_answered_in_order_and_appends_together() {
    let mut rig = open(&MemDisk::new());
    assert_eq!(rig.start.znodes, EMPTY);
    let mut ops = vec![DiskOp::Accepted(1)];
    ops.extend(appends(epoch(1, 1..=3)));
    ops.push(DiskOp::Current(1));
    ops.extend(appends(epoch(1, 4..=5)));
    ops.push(DiskOp::Settle);
    let before = rig.disk.ops();
    match &rig.ask(ops)[..] {
        [
            DiskDone::Accepted(accepted),
            DiskDone::Logged { durable: Some(first), written: (3, _), state: StorageState::Good, .. },
            DiskDone::Current(current),
            DiskDone::Logged { durable: Some(second), written: (2, _), waiting: 0, .. },
            DiskDone::Settled { last },
        ] => {
            assert_eq!((*accepted.get(), *current.get()), (1, 1));
            assert_eq!((*first.get(), *second.get()), (Zxid::new(1, 3), Zxid::new(1, 5)));
            assert_eq!(last.get(), second.get());
        }
        other => panic!("{other:?}"),
    }
    assert!(rig.disk.ops() > before);
    let again = open(&rig.disk.crash_losing_all());
    assert_eq!(*again.start.promises.last.get(), Zxid::new(1, 5));
    assert_eq!((*again.start.promises.current.get(), *again.start.promises.accepted.get()), (1, 1));
    assert_eq!(again.start.window, epoch(1, 2..=5).map(|z| z.0).collect::<Vec<_>>());
}

#[test]
fn a_truncation_hands_back_the_database_of_that_point() {
    let mut rig = open(&MemDisk::new());
    rig.ask(appends(epoch(1, 1..=9)));
    let branch = rig.worker.branch();
    let mut done = rig.ask([DiskOp::Truncate(Zxid::new(1, 6))]);
    match done.pop() {
        Some(DiskDone::Reloaded { last, recovered, window }) => {
            assert_eq!(*last.get(), Zxid::new(1, 6));
            assert_eq!(
                (recovered.tree.last_zxid(), recovered.tree.node_count()),
                (Zxid::new(1, 6), EMPTY + 6)
            );
            assert_eq!(window.last().map(|p| p.zxid), Some(Zxid::new(1, 6)));
            assert_eq!(window.last(), Some(&create(Zxid::new(1, 6))));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(branch.number(), None, "the node has not taken it over");
    assert!(matches!(rig.ask(appends(epoch(2, 1..=1)))[..], [DiskDone::Logged { durable: Some(_), .. }]));
    // A point that is in no log: the end of it is what lies before.
    match rig.ask([DiskOp::Truncate(Zxid::new(2, 0))]).pop() {
        Some(DiskDone::Reloaded { last, .. }) => assert_eq!(*last.get(), Zxid::new(1, 6)),
        other => panic!("{other:?}"),
    }
}

/// A snapshot of `zxids` as a leader sends it.
fn sent(zxids: impl IntoIterator<Item = Zxid>) -> (Vec<u8>, Zxid) {
    let mut rig = open(&MemDisk::new());
    rig.ask([DiskOp::Accepted(9)]);
    rig.ask(appends(zxids));
    let found = start_member(&rig.disk, &dirs(), &rules(), TreeConfig::default(), 0).unwrap();
    let now = Default::default();
    let config = crate::replica::ReplicaConfig::standalone(&Default::default(), 0);
    let node = crate::replica::Node::new(
        config,
        found.start.recovered,
        now,
        std::sync::Arc::new(crate::replica::Silent),
    );
    let shared = node.shared();
    let mut sender = SnapshotSender::new(shared.clone(), shared.begin_snapshot());
    let zxid = sender.zxid();
    let mut bytes = Vec::new();
    while sender.chunk(300, &mut bytes).unwrap() {}
    (bytes, zxid)
}

fn receiver(rig: &Rig, zxid: Zxid) -> SnapshotReceiver<MemDisk> {
    receiver_of(rig, LINK, zxid)
}

fn receiver_of(rig: &Rig, link: LinkId, zxid: Zxid) -> SnapshotReceiver<MemDisk> {
    let dir = dirs().snap();
    SnapshotReceiver::begin(&rig.disk, &dir, &rules(), TreeConfig::default(), link, zxid).unwrap()
}

#[test]
fn a_snapshot_replaces_everything_once_it_is_installed() {
    let (bytes, zxid) = sent(epoch(4, 1..=20));
    let mut rig = open(&MemDisk::new());
    rig.ask([DiskOp::Accepted(1)]);
    rig.ask(appends(epoch(1, 1..=9)));
    for (step, link) in [1, 7, 64, 100_000].into_iter().zip(1..) {
        let mut receiver = receiver_of(&rig, LinkId(link), zxid);
        let mut buffer = BytesMut::new();
        let mut complete = false;
        for piece in bytes.chunks(step) {
            assert!(!complete);
            buffer.extend_from_slice(piece);
            complete = receiver.feed(&mut buffer).unwrap();
        }
        assert!(complete && buffer.is_empty(), "in steps of {step}");
        assert_eq!(receiver.bytes(), bytes.len() as u64);
        // Nothing of it counts yet.
        let seen = open(&rig.disk.crash_losing_all());
        assert_eq!(*seen.start.promises.last.get(), Zxid::new(1, 9));
        rig.worker.stage(LinkId(link), receiver.finish().unwrap());
    }
    match rig.ask([DiskOp::Install { link: LinkId(4) }]).pop() {
        Some(DiskDone::Reloaded { last, recovered, window }) => {
            assert_eq!(*last.get(), zxid);
            assert_eq!((recovered.tree.last_zxid(), recovered.tree.node_count()), (zxid, EMPTY + 20));
            assert!(window.is_empty());
        }
        other => panic!("{other:?}"),
    }
    rig.ask([DiskOp::Accepted(4)]);
    rig.ask(appends(epoch(4, 21..=22)));
    let again = open(&rig.disk.crash_losing_all());
    assert_eq!((*again.start.promises.last.get(), again.start.znodes), (Zxid::new(4, 22), EMPTY + 22));
    assert_eq!((*again.start.promises.current.get(), *again.start.promises.accepted.get()), (0, 4));
}

/// A member that only lost its connection would ask the next leader, and the next, for what its disk
/// does not take.
#[test]
fn a_disk_that_does_not_take_a_snapshot_that_comes_promises_nothing_more() {
    for (fault, failed) in [(Fault::Io, true), (Fault::NoSpace, false)] {
        let mut rig = open(&MemDisk::new());
        rig.disk.fail_at(rig.disk.ops() + 1, fault, false);
        let (dir, zxid) = (dirs().snap(), Zxid::new(4, 20));
        let begun = SnapshotReceiver::begin(&rig.disk, &dir, &rules(), TreeConfig::default(), LINK, zxid);
        let Err(e) = begun else { panic!("its file was made") };
        rig.worker.not_received(e);
        let told = rig.worker.check();
        assert_eq!(told.iter().any(|d| matches!(d, DiskDone::Failed(_))), failed, "{told:?}");
        assert_eq!(rig.worker.handle(&mut vec![DiskOp::Accepted(4)]).is_empty(), failed);
    }
}

/// An installed snapshot stands alone: what lies before it cannot be rebuilt.
#[test]
fn a_truncation_below_an_installed_snapshot_changes_nothing() {
    let (bytes, zxid) = sent(epoch(4, 1..=20));
    let mut rig = open(&MemDisk::new());
    let mut receiver = receiver(&rig, zxid);
    assert_eq!(receiver.feed(&mut BytesMut::from(&bytes[..])), Ok(true));
    rig.worker.stage(LINK, receiver.finish().unwrap());
    rig.ask([DiskOp::Accepted(4), DiskOp::Install { link: LINK }]);
    rig.ask(appends(epoch(4, 21..=25)));
    let before = rig.disk.state();
    match &rig.ask([DiskOp::Truncate(Zxid::new(4, 10))])[..] {
        [DiskDone::NotTruncated(why)] => assert!(why.contains("0x40000000a"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.disk.state().names, before.names);
    // Above it the logs reach.
    match rig.ask([DiskOp::Truncate(Zxid::new(4, 22))]).pop() {
        Some(DiskDone::Reloaded { last, .. }) => assert_eq!(*last.get(), Zxid::new(4, 22)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_of_a_history_that_was_cut_meanwhile_gets_no_name() {
    let mut rig = open(&MemDisk::new());
    rig.ask([DiskOp::Accepted(1)]);
    rig.ask(appends(epoch(1, 1..=9)));
    let found =
        start_member(&rig.disk.crash_losing_all(), &dirs(), &rules(), TreeConfig::default(), 0).unwrap();
    let config = crate::replica::ReplicaConfig::standalone(&Default::default(), 0);
    let silent = std::sync::Arc::new(crate::replica::Silent);
    let node = crate::replica::Node::new(config, found.start.recovered, Default::default(), silent);
    let (branch, dir) = (rig.worker.branch(), dirs().snap());
    let names = || crate::storage::names::snapshots(&rig.disk, &dir).unwrap().len();
    let before = names();
    let mut job = SnapshotJob::begin(&node.shared(), &rig.disk, &dir, &rules(), &branch).unwrap();
    while job.step(100).unwrap() {}
    rig.worker.handle(&mut vec![DiskOp::Truncate(Zxid::new(1, 6))]);
    assert!(job.finish().is_err());
    assert_eq!(names(), before);
    assert!(
        SnapshotJob::begin(&node.shared(), &rig.disk, &dir, &rules(), &branch).is_err(),
        "not taken over"
    );
    branch.adopt();
    let mut job = SnapshotJob::begin(&node.shared(), &rig.disk, &dir, &rules(), &branch).unwrap();
    while job.step(100).unwrap() {}
    assert!(job.finish().is_ok());
}

#[test]
fn what_is_no_snapshot_is_refused_and_leaves_nothing_behind() {
    let (bytes, zxid) = sent(epoch(1, 1..=5));
    let rig = open(&MemDisk::new());
    let names = || crate::storage::names::names(&rig.disk, &dirs().snap()).unwrap();
    let before = names();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x80;
        let mut receiver = receiver(&rig, zxid);
        // Contents of znodes have no checksum of their own here; structure has its bounds.
        let _ = receiver.feed(&mut BytesMut::from(&bad[..]));
    }
    let mut short = receiver(&rig, zxid);
    assert_eq!(short.feed(&mut BytesMut::from(&bytes[..bytes.len() - 1])), Ok(false));
    assert!(matches!(short.finish(), Err(NotReceived::Peer(_))));
    let mut huge = receiver(&rig, zxid);
    let claim = [0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    assert!(matches!(huge.feed(&mut BytesMut::from(&claim[..])), Err(NotReceived::Peer(_))));
    drop(huge);
    assert_eq!(names(), before);
}

#[test]
fn what_stands_behind_the_signature_is_left_to_the_caller() {
    let (mut bytes, zxid) = sent(epoch(1, 1..=5));
    bytes.extend_from_slice(b"next packet");
    let rig = open(&MemDisk::new());
    let mut buffer = BytesMut::from(&bytes[..]);
    let mut receiver = receiver(&rig, zxid);
    assert_eq!(receiver.feed(&mut buffer), Ok(true));
    assert_eq!(&buffer[..], b"next packet");
}

#[test]
fn the_place_of_a_learner_is_found_in_the_log() {
    let mut rig = open(&MemDisk::new());
    rig.ask(appends(epoch(1, 1..=9)));
    rig.ask(appends(epoch(3, 1..=2)));
    let mut view = |zxid: Zxid| match rig.ask([DiskOp::Find { link: LINK, zxid }]).pop() {
        Some(DiskDone::Found { link: LINK, view }) => (view.floor, view.next),
        other => panic!("{other:?}"),
    };
    let (a, b) = (Zxid::new(1, 4), Zxid::new(1, 5));
    assert_eq!(view(a), (Some(a), Some(b)));
    assert_eq!(view(Zxid::ZERO), (Some(Zxid::ZERO), Some(Zxid::new(1, 1))));
    assert_eq!(view(Zxid::new(1, 20)), (Some(Zxid::new(1, 9)), Some(Zxid::new(3, 1))));
    assert_eq!(view(Zxid::new(3, 2)), (Some(Zxid::new(3, 2)), None));
    assert_eq!(view(Zxid::new(9, 0)), (Some(Zxid::new(3, 2)), None));
}

#[test]
fn while_there_is_no_room_everything_waits_and_settling_gives_it_up() {
    let mut rig = open(&MemDisk::new());
    rig.ask(appends(epoch(1, 1..=2)));
    rig.disk.set_capacity(Some(rig.disk.used() + 200));
    let mut ops = appends(epoch(1, 3..=60));
    ops.push(DiskOp::Accepted(7));
    match &rig.ask(ops)[..] {
        [.., DiskDone::Logged { state: StorageState::Full, waiting, .. }] => assert!(*waiting > 0),
        other => panic!("{other:?}"),
    }
    let reached = rig.last();
    match &rig.ask([DiskOp::Settle])[..] {
        [DiskDone::Settled { last }] => assert_eq!(*last.get(), reached),
        other => panic!("{other:?}"),
    }
    rig.disk.set_capacity(None);
    let done = rig.worker.check();
    assert!(done.iter().all(|d| !matches!(d, DiskDone::Accepted(_))), "it was given up");
    assert!(is_room_told(&done), "{done:?}");
    let next = reached.next().unwrap();
    let done = rig.ask(appends([next]));
    assert!(matches!(&done[..], [DiskDone::Logged { durable: Some(d), .. }] if *d.get() == next), "{done:?}");
}

/// Is the last word that there is room?
fn is_room_told(done: &[DiskDone]) -> bool {
    matches!(done, [.., DiskDone::Logged { state: StorageState::Good, waiting: 0, .. }])
}

#[test]
fn an_epoch_that_found_no_room_and_was_given_up_is_followed_by_the_word_that_there_is_room() {
    let mut rig = open(&MemDisk::new());
    rig.ask(appends(epoch(1, 1..=2)));
    let full =
        |done: &[DiskDone]| matches!(done, [DiskDone::Logged { state: StorageState::Full, waiting: 1, .. }]);
    rig.disk.set_capacity(Some(rig.disk.used()));
    let done = rig.ask([DiskOp::Accepted(7)]);
    assert!(full(&done), "{done:?}");
    let done = rig.worker.check();
    assert!(full(&done), "{done:?}");
    rig.ask([DiskOp::Settle]);
    rig.disk.set_capacity(None);
    let done = rig.worker.check();
    assert!(is_room_told(&done), "the log itself never was full: {done:?}");
    let done = rig.worker.check();
    assert!(done.is_empty(), "once: {done:?}");
    // Not given up: it is written when there is room, and that is told, too.
    rig.disk.set_capacity(Some(rig.disk.used()));
    rig.ask([DiskOp::Accepted(8)]);
    rig.disk.set_capacity(None);
    let done = rig.worker.check();
    assert!(matches!(done[0], DiskDone::Accepted(_)) && is_room_told(&done), "{done:?}");
}

#[test]
fn after_a_failure_nothing_is_promised() {
    let mut rig = open(&MemDisk::new());
    rig.ask(appends(epoch(1, 1..=2)));
    rig.disk.fail_at(rig.disk.ops() + 1, crate::disk::mem::Fault::Io, false);
    let promised = |done: &[DiskDone]| -> Vec<Durable<u32>> {
        let of = |d: &DiskDone| match d {
            DiskDone::Accepted(d) | DiskDone::Current(d) => Some(*d),
            _ => None,
        };
        done.iter().filter_map(of).collect()
    };
    let done = rig.ask([DiskOp::Accepted(3), DiskOp::Current(3)]);
    assert!(matches!(done[..], [DiskDone::Failed(_)]), "{done:?}");
    let mut later = appends(epoch(1, 3..=3));
    later.push(DiskOp::Accepted(4));
    assert!(promised(&rig.ask(later)).is_empty());
    assert_eq!(rig.last(), Zxid::new(1, 2));
}
