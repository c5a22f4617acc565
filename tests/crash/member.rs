//! A member's disk: what it wishes in a follower's and in a leader's session, in that order, and
//! what must hold after a crash at any moment of it.
//!
//! # Invariants
//!
//! * What was promised before stays promised: epochs never fall, what was acknowledged is there,
//!   unless a leader took it back.
//! * Who holds an epoch as its current one holds the whole history with which its leader began.

use crate::database::{dirs, entry, head, nodes, rules};
use crate::paths::{Done, Path, nothing, now};
use crate::verdict::{Adopted, Allowed, Expect, Trace};
use bytes::BytesMut;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::driver::{MemberRules, MemberWorker, SnapshotPolicy, SnapshotReceiver, start_member};
use oxkeeper::replica::{DiskDone, DiskOp};
use oxkeeper::storage::{Rules, StorageError};
use oxkeeper::tree::TreeConfig;
use oxkeeper::txn::snapshot::{SnapshotNode, encode_node};
use oxkeeper::types::{LinkId, StatPersisted, Zxid};
use oxkeeper::zab::Proposal;

const LINK: LinkId = LinkId(7);

pub fn all() -> Vec<Path> {
    let plain = |name, prepare, run| Path { name, prepare, run, rules: rules() };
    let mut bare = rules();
    bare.log.pre_alloc_size = 0;
    vec![
        plain("follower: diff", member, diff),
        plain("follower: truncated", member, |d, t| truncated(d, t, &rules())),
        Path {
            name: "follower: truncated, no padding",
            prepare: member,
            run: |d, t| truncated(d, t, &bare_rules()),
            rules: bare,
        },
        plain("follower: truncated, segments", segments, |d, t| truncated(d, t, &rules())),
        plain("follower: snapshot", member, snapshot),
        plain("follower: snapshot over segments", segments, snapshot),
        plain("follower: first snapshot", empty, first_snapshot),
        plain("follower: all wishes at once", member, at_once),
        plain("follower: interrupted, then again", member, again),
        plain("leader", member, leader),
    ]
}

fn bare_rules() -> Rules {
    let mut bare = rules();
    bare.log.pre_alloc_size = 0;
    bare
}

fn z(epoch: u32, counter: u32) -> i64 {
    Zxid::new(epoch, counter).0
}

/// 1 to `n` of an epoch.
fn first(epoch: u32, n: u32) -> Vec<i64> {
    (1..=n).map(|c| z(epoch, c)).collect()
}

struct Script<'a> {
    disk: &'a MemDisk,
    trace: &'a mut Trace,
    worker: MemberWorker<MemDisk>,
    /// What is durable and not taken back.
    history: Vec<i64>,
    epochs: (u32, u32),
    adopted: Option<Adopted>,
}

fn open(disk: &MemDisk, rules: &Rules) -> Result<MemberWorker<MemDisk>, StorageError> {
    let files = start_member(disk, &dirs(), rules, TreeConfig::default(), 4)?;
    let policy = SnapshotPolicy::new(&Default::default(), 1);
    let member = MemberRules { tree: TreeConfig::default(), window: 4, snapshot_size_factor: None };
    Ok(MemberWorker::new(files.start.storage, files.epochs, files.promises.last, policy, member))
}

impl<'a> Script<'a> {
    fn begin(
        disk: &'a MemDisk,
        trace: &'a mut Trace,
        rules: &Rules,
        history: Vec<i64>,
        epochs: (u32, u32),
    ) -> Result<Script<'a>, StorageError> {
        let all = history.len();
        trace.expect(
            0,
            Expect {
                histories: vec![Allowed { history: history.clone(), min: all }],
                epochs: Some(epochs),
                adopted: None,
            },
        );
        let worker = open(disk, rules)?;
        Ok(Script { disk, trace, worker, history, epochs, adopted: None })
    }

    /// Any of these, from now on.
    fn expect(&mut self, histories: Vec<Allowed>) {
        let (epochs, adopted) = (Some(self.epochs), self.adopted.clone());
        self.trace.expect(now(self.disk), Expect { histories, epochs, adopted });
    }

    fn exactly(&mut self) {
        let all = Allowed { history: self.history.clone(), min: self.history.len() };
        self.expect(vec![all]);
    }

    /// Hands wishes over; the answers, unless one of them is a failure or waits for room.
    fn ask(&mut self, ops: Vec<DiskOp>) -> Result<Vec<DiskDone>, StorageError> {
        let mut ops = ops;
        let done = self.worker.handle(&mut ops);
        for answer in &done {
            match answer {
                DiskDone::Failed(why) | DiskDone::NotTruncated(why) => return Err(StorageError::bug(why)),
                DiskDone::Logged { waiting, durable, .. } if *waiting > 0 || durable.is_none() => {
                    return Err(StorageError::bug("no room"));
                }
                _ => {}
            }
        }
        Ok(done)
    }

    fn accepted(&mut self, epoch: u32) -> Done {
        self.exactly();
        match &self.ask(vec![DiskOp::Accepted(epoch)])?[..] {
            [DiskDone::Accepted(proof)] => assert_eq!(*proof.get(), epoch),
            other => panic!("{other:?}"),
        }
        self.epochs.1 = epoch;
        self.exactly();
        Ok(())
    }

    /// The leader's history is complete: it is `history`.
    fn current(&mut self, epoch: u32) -> Done {
        self.adopted = Some(Adopted { epoch, history: self.history.clone() });
        self.exactly();
        match &self.ask(vec![DiskOp::Current(epoch)])?[..] {
            [DiskDone::Current(proof)] => assert_eq!(*proof.get(), epoch),
            other => panic!("{other:?}"),
        }
        self.epochs.0 = epoch;
        self.exactly();
        Ok(())
    }

    fn append(&mut self, zxids: Vec<i64>) -> Done {
        let min = self.history.len();
        self.history.extend(&zxids);
        self.expect(vec![Allowed { history: self.history.clone(), min }]);
        let last = self.history.last().copied();
        match &self.ask(appends(&zxids))?[..] {
            [DiskDone::Logged { durable: Some(proof), .. }] => assert_eq!(Some(proof.get().0), last),
            other => panic!("{other:?}"),
        }
        self.exactly();
        Ok(())
    }

    fn truncate(&mut self, to: i64) -> Done {
        let before = self.history.clone();
        self.history.retain(|zxid| *zxid <= to);
        let min = self.history.len();
        self.expect(vec![Allowed { history: before, min }]);
        match &self.ask(vec![DiskOp::Truncate(Zxid(to))])?[..] {
            [DiskDone::Reloaded { last, recovered, .. }] => {
                assert_eq!((last.get().0, recovered.tree.last_zxid().0), (to, to));
            }
            other => panic!("{other:?}"),
        }
        self.exactly();
        Ok(())
    }

    fn install(&mut self, history: Vec<i64>) -> Done {
        let old = Allowed { history: self.history.clone(), min: self.history.len() };
        let new = Allowed { history: history.clone(), min: history.len() };
        self.exactly();
        let zxid = Zxid(history.last().copied().unwrap_or(0));
        let (dir, tree) = (dirs().snap(), TreeConfig::default());
        let mut receiver = SnapshotReceiver::begin(self.disk, &dir, &rules(), tree, LINK, zxid)?;
        let (mut complete, mut buffer) = (false, BytesMut::new());
        for piece in body(&history).chunks(900) {
            buffer.extend_from_slice(piece);
            complete = receiver.feed(&mut buffer).map_err(|e| StorageError::bug(e.to_string()))?;
        }
        assert!(complete);
        let staged = receiver.finish().map_err(|e| StorageError::bug(e.to_string()))?;
        self.worker.stage(LINK, staged);
        self.expect(vec![old, new]);
        match &self.ask(vec![DiskOp::Install { link: LINK }])?[..] {
            [DiskDone::Reloaded { last, .. }] => assert_eq!(*last.get(), zxid),
            other => panic!("{other:?}"),
        }
        self.history = history;
        self.exactly();
        Ok(())
    }
}

fn appends(zxids: &[i64]) -> Vec<DiskOp> {
    let proposal = |zxid: &i64| {
        let (zxid, bytes) = entry(*zxid);
        DiskOp::Append(Proposal { zxid, bytes: bytes.into() })
    };
    zxids.iter().map(proposal).collect()
}

/// A snapshot as it stands on a link.
fn body(history: &[i64]) -> Vec<u8> {
    let mut bytes = head();
    let root = SnapshotNode { path: "", data: None, acl: 1, stat: StatPersisted::default() };
    encode_node(&root, &mut bytes);
    bytes.extend(nodes(history));
    bytes.extend(b"\0\0\0\x0aBenWasHere");
    bytes
}

// What is there before.

/// (1, 1) to (1, 9) in one segment, epoch 1.
fn member(disk: &MemDisk) {
    prepare(disk, false);
}

/// The same in three segments.
fn segments(disk: &MemDisk) {
    prepare(disk, true);
}

fn prepare(disk: &MemDisk, roll: bool) {
    nothing(disk);
    // The first snapshot is the ring's own, empty one.
    crate::database::open(disk, &rules()).unwrap();
    let mut worker = open(disk, &rules()).unwrap();
    worker.handle(&mut vec![DiskOp::Accepted(1), DiskOp::Current(1)]);
    for part in first(1, 9).chunks(3) {
        worker.handle(&mut appends(part));
        if roll {
            worker = open(disk, &rules()).unwrap();
        }
    }
    worker.settle();
}

/// A member that has just been started for the first time.
fn empty(disk: &MemDisk) {
    nothing(disk);
    crate::database::open(disk, &rules()).unwrap();
    open(disk, &rules()).unwrap().settle();
}

// Sessions.

/// The leader's history at the begin of epoch 3, for one that holds (1, 1) to (1, 6).
fn of_leader() -> Vec<i64> {
    [first(1, 6), first(2, 2)].concat()
}

/// The leader has more of the same.
fn diff(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), first(1, 9), (1, 1))?;
    s.accepted(3)?;
    s.append(vec![z(1, 10), z(2, 1)])?;
    s.append(vec![z(2, 2)])?;
    s.current(3)?;
    s.append(first(3, 2))?;
    s.append(vec![z(3, 3)])
}

/// (1, 7) to (1, 9) were never committed.
fn truncated(disk: &MemDisk, trace: &mut Trace, rules: &Rules) -> Done {
    let mut s = Script::begin(disk, trace, rules, first(1, 9), (1, 1))?;
    s.accepted(3)?;
    s.truncate(z(1, 6))?;
    s.append(first(2, 2))?;
    s.current(3)?;
    s.append(first(3, 2))
}

fn snapshot(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), first(1, 9), (1, 1))?;
    s.accepted(3)?;
    s.install(of_leader())?;
    s.append(vec![z(2, 3)])?;
    s.current(3)?;
    s.append(first(3, 2))
}

fn first_snapshot(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), Vec::new(), (0, 0))?;
    s.accepted(3)?;
    s.install(of_leader())?;
    s.current(3)?;
    s.append(first(3, 2))
}

/// Everything is asked for before anything is answered: the order alone must keep it right.
fn at_once(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), first(1, 9), (1, 1))?;
    let leaders = of_leader();
    let all = [leaders.clone(), first(3, 2)].concat();
    let mut ops = vec![DiskOp::Accepted(3), DiskOp::Truncate(Zxid(z(1, 6)))];
    ops.extend(appends(&first(2, 2)));
    ops.push(DiskOp::Current(3));
    ops.extend(appends(&first(3, 2)));
    s.adopted = Some(Adopted { epoch: 3, history: leaders });
    let old = Allowed { history: first(1, 9), min: 6 };
    s.expect(vec![old, Allowed { history: all.clone(), min: 6 }]);
    s.ask(ops)?;
    (s.history, s.epochs) = (all, (3, 3));
    s.exactly();
    Ok(())
}

/// The leader goes before its history is complete, and another one takes that part back.
fn again(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), first(1, 9), (1, 1))?;
    s.accepted(3)?;
    s.append(vec![z(2, 1)])?;
    s.exactly();
    s.worker = open(disk, &rules())?;
    s.accepted(4)?;
    s.truncate(z(1, 9))?;
    s.append(vec![z(1, 10)])?;
    s.current(4)?;
    s.append(first(4, 1))
}

fn leader(disk: &MemDisk, trace: &mut Trace) -> Done {
    let mut s = Script::begin(disk, trace, &rules(), first(1, 9), (1, 1))?;
    s.accepted(2)?;
    s.current(2)?;
    s.append(first(2, 3))?;
    s.append(vec![z(2, 4)])
}
