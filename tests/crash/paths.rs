//! The scripts: one for every way in which storage writes.

use crate::database::{dirs, entry, head, nodes, open, rules, snapshot};
use crate::verdict::{Allowed, Expect, Trace};
use oxkeeper::config::settings::Compression;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::disk::{Disk, DiskFile};
use oxkeeper::storage::{Epochs, Rules, Storage, StorageError, Tail};
use oxkeeper::types::Zxid;
use std::path::Path as FilePath;

/// How a script ended.
pub type Done = Result<(), StorageError>;

/// One way of writing.
pub struct Path {
    pub name: &'static str,
    /// Makes what is there before; durable.
    pub prepare: fn(&MemDisk),
    /// The script; every operation of it is a moment to crash.
    pub run: fn(&MemDisk, &mut Trace) -> Done,
    pub rules: Rules,
}

/// All of them, those of members among them.
pub fn every() -> Vec<Path> {
    all().into_iter().chain(crate::member::all()).collect()
}

/// Those of the storage by itself.
pub fn all() -> Vec<Path> {
    let plain = |name, prepare, run| Path { name, prepare, run, rules: rules() };
    let mut small = rules();
    small.log.size_limit = Some(1500);
    let mut bare = rules();
    bare.log.pre_alloc_size = 0;
    let mut asked = rules();
    asked.db_autocreate = false;
    vec![
        plain("first start", nothing, |d, t| first_start(d, t, &rules())),
        Path {
            name: "first start, initialize",
            prepare: initialize,
            run: |d, t| {
                let mut r = rules();
                r.db_autocreate = false;
                first_start(d, t, &r)
            },
            rules: asked,
        },
        plain("append", started, append),
        plain("group commit", started, group_commit),
        Path { name: "group commit, no padding", prepare: started, run: group_commit, rules: bare },
        plain("roll", started, roll),
        Path { name: "roll by size", prepare: started, run: roll_by_size, rules: small },
        plain("preallocate", started, preallocate),
        plain("snapshot beside appends", started, snapshots),
        Path {
            name: "snapshots, gzip",
            prepare: started,
            run: |d, t| snapshots_as(d, t, &gzip()),
            rules: gzip(),
        },
        Path {
            name: "snapshots, snappy",
            prepare: started,
            run: |d, t| snapshots_as(d, t, &snappy()),
            rules: snappy(),
        },
        plain("epochs", started, epochs),
        plain("purge", many_snapshots, purge),
        plain("truncate", many_snapshots, truncate),
        plain("truncate within a segment", one_segment, truncate),
        plain("install a snapshot", many_snapshots, install),
        plain("install behind the log", many_snapshots, install_later),
        plain("restart behind a torn write", torn, restart),
        plain("takeover of a Java directory", java, takeover),
        plain("full disk", started, full_disk),
    ]
}

// What is there before.

pub fn nothing(disk: &MemDisk) {
    for d in ["/data", "/log"] {
        disk.create_dir_all(FilePath::new(d)).unwrap();
    }
    let _ = disk.sync_dir(FilePath::new("/")).unwrap();
}

fn initialize(disk: &MemDisk) {
    nothing(disk);
    disk.create_new(&dirs().initialize()).unwrap();
    let _ = disk.sync_dir(dirs().data_log()).unwrap();
}

/// A server that holds 1..=3 in its log.
fn started(disk: &MemDisk) {
    nothing(disk);
    let (_, mut r) = open(disk, &rules()).unwrap();
    put(&mut r.storage, 1..=3).unwrap();
    r.storage.settle().unwrap();
}

/// Five segments of four transactions, a snapshot behind each.
fn many_snapshots(disk: &MemDisk) {
    nothing(disk);
    let (_, mut r) = open(disk, &rules()).unwrap();
    for round in 0..5 {
        put(&mut r.storage, round * 4 + 1..=round * 4 + 4).unwrap();
        take_snapshot(&r.storage, round * 4 + 4).unwrap();
        r.storage.roll();
    }
    r.storage.settle().unwrap();
}

fn one_segment(disk: &MemDisk) {
    nothing(disk);
    let (_, mut r) = open(disk, &rules()).unwrap();
    put(&mut r.storage, 1..=10).unwrap();
    put(&mut r.storage, 11..=20).unwrap();
    r.storage.settle().unwrap();
}

/// 1..=3 durable, 4..=9 torn in the middle of a group commit.
fn torn(disk: &MemDisk) {
    started(disk);
    let (_, mut r) = open(disk, &rules()).unwrap();
    put(&mut r.storage, 4..=4).unwrap();
    put(&mut r.storage, 5..=9).unwrap();
    let first = 16 + entry(4).1.len() + 13;
    disk.damage(&dirs().log().join("log.4"), |f| f[first + 100..first + 400].fill(0));
    settle_all(disk);
}

/// What Java leaves: no marks, a snapshot, a log whose last write is torn, an older one whose
/// torn tail was followed by a restart.
fn java(disk: &MemDisk) {
    nothing(disk);
    {
        let (_, mut r) = open(disk, &rules()).unwrap();
        put(&mut r.storage, 1..=4).unwrap();
        take_snapshot(&r.storage, 2).unwrap();
        r.storage.roll();
        put(&mut r.storage, 5..=7).unwrap();
        r.storage.roll();
        put(&mut r.storage, 8..=9).unwrap();
    }
    for mark in ["mark.0", "mark.1"] {
        disk.remove(&dirs().own().join(mark)).unwrap();
    }
    let end = |zxids: std::ops::RangeInclusive<i64>| 16 + zxids.map(|z| entry(z).1.len() + 13).sum::<usize>();
    let rest = entry(8).1;
    disk.damage(&dirs().log().join("log.5"), |f| {
        f[end(5..=7) + 12..end(5..=7) + 40].copy_from_slice(&rest[..28])
    });
    disk.damage(&dirs().log().join("log.8"), |f| f[end(8..=9)..end(8..=9) + 30].fill(3));
    settle_all(disk);
}

/// Everything that is there becomes durable.
fn settle_all(disk: &MemDisk) {
    for dir in [dirs().log(), dirs().snap(), dirs().own()] {
        for e in disk.list(&dir).unwrap().iter().filter(|e| !e.is_dir) {
            let _ = disk.open_write(&dir.join(&e.name)).unwrap().sync().unwrap();
        }
        let _ = disk.sync_dir(&dir).unwrap();
    }
}

// Pieces of scripts.

fn put(storage: &mut Storage<MemDisk>, zxids: std::ops::RangeInclusive<i64>) -> Result<(), StorageError> {
    let batch: Vec<_> = zxids.map(entry).collect();
    let mut rest = &batch[..];
    while !rest.is_empty() {
        let done = storage.append(rest)?;
        rest = &rest[done.count..];
    }
    Ok(())
}

fn take_snapshot(storage: &Storage<MemDisk>, upto: i64) -> Result<(), StorageError> {
    let zxids: Vec<i64> = (1..=upto).collect();
    snapshot(storage.begin_snapshot(Zxid(upto), &head())?, &zxids)
}

pub fn now(disk: &MemDisk) -> usize {
    disk.history().len()
}

/// Between `min` and `max` of the numbers from 1 on.
fn between(min: i64, max: i64) -> Expect {
    let allowed = Allowed { history: (1..=max).collect(), min: min as usize };
    Expect { histories: vec![allowed], ..Expect::default() }
}

/// Appends batches and notes what each may leave and what it promised.
fn append_noting(
    disk: &MemDisk,
    storage: &mut Storage<MemDisk>,
    trace: &mut Trace,
    sizes: &[i64],
) -> Result<(), StorageError> {
    for size in sizes {
        let last = storage.last().0;
        trace.expect(now(disk), between(last, last + size));
        put(storage, last + 1..=last + size)?;
        trace.expect(now(disk), between(last + size, last + size));
    }
    Ok(())
}

// Scripts.

fn first_start(disk: &MemDisk, trace: &mut Trace, rules: &Rules) -> Done {
    trace.expect(0, between(0, 0));
    let (_, mut r) = open(disk, rules)?;
    assert_eq!(r.last, Zxid(0));
    append_noting(disk, &mut r.storage, trace, &[1, 2])?;
    Ok(())
}

fn append(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let (_, mut r) = open(disk, &rules())?;
    append_noting(disk, &mut r.storage, trace, &[1, 1, 1, 1])?;
    r.storage.settle()?;
    append_noting(disk, &mut r.storage, trace, &[1, 1])?;
    Ok(())
}

fn group_commit(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let mut rules = rules();
    rules.log.pre_alloc_size = 16 << 10;
    let (_, mut r) = open(disk, &rules)?;
    append_noting(disk, &mut r.storage, trace, &[6, 9, 3])?;
    r.storage.settle()?;
    append_noting(disk, &mut r.storage, trace, &[8])?;
    Ok(())
}

fn roll(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let (_, mut r) = open(disk, &rules())?;
    for _ in 0..4 {
        append_noting(disk, &mut r.storage, trace, &[3])?;
        r.storage.roll();
    }
    Ok(())
}

fn roll_by_size(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let mut rules = rules();
    rules.log.size_limit = Some(1500);
    let (_, mut r) = open(disk, &rules)?;
    append_noting(disk, &mut r.storage, trace, &[4, 4, 5, 2])?;
    Ok(())
}

fn preallocate(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let (_, mut r) = open(disk, &rules())?;
    // Crosses the end of the preallocation several times, once by more than a step.
    append_noting(disk, &mut r.storage, trace, &[20, 20, 60, 10])?;
    Ok(())
}

fn gzip() -> Rules {
    Rules { compression: Compression::Gzip, ..rules() }
}

fn snappy() -> Rules {
    Rules { compression: Compression::Snappy, ..rules() }
}

fn snapshots(disk: &MemDisk, trace: &mut Trace) -> Done {
    snapshots_as(disk, trace, &rules())
}

fn snapshots_as(disk: &MemDisk, trace: &mut Trace, rules: &Rules) -> Done {
    trace.expect(0, between(3, 3));
    let (_, mut r) = open(disk, rules)?;
    append_noting(disk, &mut r.storage, trace, &[2])?;
    r.storage.roll();
    let mut writer = r.storage.begin_snapshot(Zxid(5), &head())?;
    let body = nodes(&[1, 2, 3, 4, 5]);
    let (one, two) = body.split_at(body.len() / 2);
    writer.chunk(one)?;
    append_noting(disk, &mut r.storage, trace, &[2])?;
    writer.chunk(two)?;
    writer.finish(None, Some(Zxid(5)))?;
    append_noting(disk, &mut r.storage, trace, &[1])?;
    take_snapshot(&r.storage, 8)?;
    append_noting(disk, &mut r.storage, trace, &[1])?;
    Ok(())
}

fn epochs(disk: &MemDisk, trace: &mut Trace) -> Done {
    let promised =
        |e: &Epochs<MemDisk>| Expect { epochs: Some((e.current(), e.accepted())), ..between(3, 3) };
    trace.expect(0, Expect { epochs: Some((0, 0)), ..between(3, 3) });
    let (_, r) = open(disk, &rules())?;
    let mut e = Epochs::load(disk, &dirs(), r.last)?;
    trace.expect(now(disk), promised(&e));
    for epoch in [1, 2, 5] {
        e.set_accepted(epoch)?;
        trace.expect(now(disk), promised(&e));
        e.set_current(epoch)?;
        trace.expect(now(disk), promised(&e));
    }
    Ok(())
}

fn purge(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(20, 20));
    let (_, mut r) = open(disk, &rules())?;
    assert!(r.storage.purge(3)?.len() >= 5);
    append_noting(disk, &mut r.storage, trace, &[1])?;
    take_snapshot(&r.storage, 21)?;
    r.storage.roll();
    append_noting(disk, &mut r.storage, trace, &[1])?;
    r.storage.purge(3)?;
    Ok(())
}

fn truncate(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(20, 20));
    let (_, mut r) = open(disk, &rules())?;
    trace.expect(now(disk), between(6, 20));
    let last = r.storage.truncate(Zxid(6))?;
    assert_eq!(*last.get(), Zxid(6));
    trace.expect(now(disk), between(6, 6));
    append_noting(disk, &mut r.storage, trace, &[2])?;
    Ok(())
}

/// A leader's history that left ours behind 9: 1..=9, then 1 of epoch 3.
fn other_history() -> Vec<i64> {
    let mut h: Vec<i64> = (1..=9).collect();
    h.push(Zxid::new(3, 1).0);
    h
}

fn install(disk: &MemDisk, trace: &mut Trace) -> Done {
    let old = between(20, 20).histories;
    trace.expect(0, Expect { histories: old.clone(), ..Expect::default() });
    let (_, mut r) = open(disk, &rules())?;
    let new = Allowed { history: (1..=9).collect(), min: 9 };
    let either = vec![old[0].clone(), new.clone()];
    trace.expect(now(disk), Expect { histories: either, ..Expect::default() });
    let mut writer = r.storage.begin_snapshot(Zxid(9), &head())?;
    writer.chunk(&nodes(&new.history))?;
    assert_eq!(*r.storage.install(writer, Tail::default())?.get(), Zxid(9));
    trace.expect(now(disk), Expect { histories: vec![new], ..Expect::default() });
    append_noting(disk, &mut r.storage, trace, &[2])?;
    Ok(())
}

fn install_later(disk: &MemDisk, trace: &mut Trace) -> Done {
    let old = between(20, 20).histories;
    trace.expect(0, Expect { histories: old.clone(), ..Expect::default() });
    let (_, mut r) = open(disk, &rules())?;
    let new = Allowed { history: other_history(), min: 10 };
    let either = vec![old[0].clone(), new.clone()];
    trace.expect(now(disk), Expect { histories: either, ..Expect::default() });
    let last = Zxid::new(3, 1);
    let mut writer = r.storage.begin_snapshot(last, &head())?;
    writer.chunk(&nodes(&new.history))?;
    let tail = Tail { digest: None, last_zxid: Some(last) };
    assert_eq!(*r.storage.install(writer, tail)?.get(), last);
    trace.expect(now(disk), Expect { histories: vec![new.clone()], ..Expect::default() });
    let mut more = new;
    more.history.push(last.0 + 1);
    trace.expect(now(disk), Expect { histories: vec![more.clone()], ..Expect::default() });
    put(&mut r.storage, last.0 + 1..=last.0 + 1)?;
    more.min += 1;
    trace.expect(now(disk), Expect { histories: vec![more], ..Expect::default() });
    Ok(())
}

fn restart(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(4, 9));
    let (found, mut r) = open(disk, &rules())?;
    let last = found.zxids.len() as i64;
    trace.expect(now(disk), between(last, last));
    append_noting(disk, &mut r.storage, trace, &[2, 1])?;
    Ok(())
}

fn takeover(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(9, 9));
    let (_, mut r) = open(disk, &rules())?;
    append_noting(disk, &mut r.storage, trace, &[3])?;
    take_snapshot(&r.storage, 12)?;
    r.storage.roll();
    append_noting(disk, &mut r.storage, trace, &[2])?;
    r.storage.settle()?;
    Ok(())
}

fn full_disk(disk: &MemDisk, trace: &mut Trace) -> Done {
    trace.expect(0, between(3, 3));
    let mut rules = rules();
    rules.room.full_below = 2000;
    rules.room.good_from = 6000;
    rules.room.reserve = 4000;
    let (_, mut r) = open(disk, &rules)?;
    disk.set_capacity(Some(48_000));
    r.storage.check_space();
    let mut stalls = 0;
    while stalls < 2 {
        let last = r.storage.last().0;
        trace.expect(now(disk), between(last, last + 12));
        match put(&mut r.storage, last + 1..=last + 12) {
            Ok(()) => trace.expect(now(disk), between(last + 12, last + 12)),
            Err(e) if e.is_full() => {
                stalls += 1;
                disk.set_capacity(Some(48_000 + stalls * 60_000));
                r.storage.check_space();
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
