//! From the directories to a state: the newest snapshot that holds, then the log behind it.
//!
//! # Invariants
//!
//! * A refusal changes nothing on the medium: everything is read and judged first, and only
//!   then cut, removed and synced.
//! * What recovery hands on is durable when it returns: a process that was killed may have left
//!   records that no sync covered yet.
//! * Nothing that a mark calls durable, or a damaged snapshot held, is missing from what is handed on.

mod check;
mod repair;
mod replay;

pub use check::{check_dirs, lock_dirs};

use super::error::{Notice, Result, StorageError, Trouble};
use super::install::discard;
use super::log::read::SegmentReader;
use super::log::write::LogRules;
use super::mark::{MarkSet, Marks};
use super::names::{self, Dirs, LogFile, SnapshotFile};
use super::snapshot::{
    SnapshotInfo, SnapshotVisitor, SnapshotWriter, ZxidDigest, looks_valid, read_snapshot,
};
use super::space::Room;
use super::store::Storage;
use crate::config::settings::{self, Compression};
use crate::disk::{Disk, Durable};
use crate::limits::SNAPSHOT_CANDIDATES;
use crate::txn::Record;
use crate::types::{Zxid, mutant};

/// How storage behaves: the keys of the configuration that concern it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The log's.
    pub log: LogRules,
    /// `snapshot.compression.method`.
    pub compression: Compression,
    /// `serializeLastProcessedZxid.enabled`.
    pub serialize_last_zxid: bool,
    /// `snapshot.trust.empty`.
    pub trust_empty_snapshot: bool,
    /// `datadir.autocreate`.
    pub datadir_autocreate: bool,
    /// `db.autocreate`.
    pub db_autocreate: bool,
    /// When the disk counts as full.
    pub room: Room,
}

impl Rules {
    /// From the configuration.
    pub fn of(s: &settings::Storage) -> Rules {
        Rules {
            log: LogRules {
                pre_alloc_size: s.pre_alloc_size,
                size_limit: s.txn_log_size_limit,
                force_sync: s.force_sync,
            },
            compression: s.snapshot_compression,
            serialize_last_zxid: s.serialize_last_processed_zxid,
            trust_empty_snapshot: s.snapshot_trust_empty,
            datadir_autocreate: s.datadir_autocreate,
            db_autocreate: s.db_autocreate,
            room: Room::default(),
        }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::of(&settings::Storage::default())
    }
}

/// An encoded snapshot of an empty database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fresh {
    /// Encoded sessions and ACL table.
    pub head: Vec<u8>,
    /// Encoded nodes and end mark.
    pub nodes: Vec<u8>,
    /// Digest trailer, with digests enabled.
    pub digest: Option<ZxidDigest>,
}

/// Builds the database. `begin` may come again after a snapshot that turned out to be damaged.
pub trait Loader: SnapshotVisitor {
    /// A snapshot follows: forget everything of an earlier attempt.
    fn begin(&mut self, snapshot: &SnapshotFile);
    /// The snapshot was read to its end and holds.
    fn loaded(&mut self, info: &SnapshotInfo) -> std::result::Result<(), String>;
    /// There is no snapshot: start with an empty database, and encode it.
    fn fresh(&mut self) -> Fresh;
    /// The next transaction behind the snapshot. An error text is blamed on the log.
    fn txn(&mut self, record: Record) -> std::result::Result<(), String>;
}

/// What recovery found.
pub struct Recovered<D: Disk> {
    /// Ready to append behind [`Recovered::last`].
    pub storage: Storage<D>,
    /// The last zxid of the database; -1 for an empty one that must not be trusted (it takes no
    /// part in votes before it has learned from a leader).
    pub last: Zxid,
    /// The proof that [`Recovered::last`] is durable: the licence for a vote.
    pub durable: Durable<Zxid>,
    /// More may have been promised than what was found: a member must not vote with it before it has
    /// learned from a leader.
    pub doubtful: bool,
    /// The snapshot it started from.
    pub snapshot: Option<SnapshotInfo>,
    /// Transactions replayed behind it.
    pub replayed: u64,
    /// Length of all log files, for the metrics.
    pub log_bytes: u64,
    /// What an operator may want to know.
    pub notices: Vec<Notice>,
}

/// Restores the database (`FileTxnSnapLog.restore`).
pub fn recover<D: Disk, L: Loader>(
    disk: &D,
    dirs: &Dirs,
    rules: &Rules,
    loader: &mut L,
) -> Result<Recovered<D>> {
    check_dirs(disk, dirs, rules)?;
    lock_dirs(disk, dirs)?;
    let examined = examine(disk, dirs, rules, loader)?;
    complete(disk, dirs, rules, examined)
}

/// What a start would find; nothing was changed yet.
pub struct Examined {
    /// The snapshot it would start from.
    pub snapshot: Option<SnapshotInfo>,
    /// The last zxid it would have.
    pub last: Zxid,
    /// Transactions behind the snapshot.
    pub replayed: u64,
    /// What an operator may want to know.
    pub notices: Vec<Notice>,
    file: Option<SnapshotFile>,
    replay: replay::Replay,
    marks: Option<MarkSet>,
    installed: Option<Zxid>,
    /// An empty database, where there is neither snapshot nor log.
    fresh: Option<Fresh>,
}

/// Reads and judges everything that a start would, and changes nothing.
pub fn examine<D: Disk, L: Loader>(disk: &D, dirs: &Dirs, rules: &Rules, loader: &mut L) -> Result<Examined> {
    let mut notices = Vec::new();
    let mut marks = Marks::load(disk, dirs);
    let installed = installed(disk, dirs, marks.as_ref())?;
    let found = load_snapshot(disk, dirs, installed, loader, &mut notices)?;
    let mut logs = names::logs(disk, &dirs.log())?;
    if let Some(z) = installed {
        notices.push(Notice(format!("the installation of snapshot {z} was interrupted and is completed")));
        logs.clear();
        let number = marks.map_or(0, |m| m.number);
        marks = Some(MarkSet { number, floor: z, ..MarkSet::default() });
    }
    let mut fresh = None;
    if found.info.is_none() {
        if !logs.is_empty() && !rules.trust_empty_snapshot {
            return Err(no_snapshot(dirs));
        }
        fresh = Some(loader.fresh()).filter(|_| logs.is_empty());
    }
    let base = found.info.map(|i| i.zxid);
    let replay = replay::replay(disk, dirs, base, &logs, marks.as_ref(), loader, &mut notices)?;
    check_reach(dirs, &found, &replay, marks.as_ref())?;
    check_passed(disk, &found, &logs, replay.last)?;
    let (last, replayed) = (replay.last, replay.delivered);
    let Found { info: snapshot, file, .. } = found;
    Ok(Examined { snapshot, last, replayed, notices, file, replay, marks, installed, fresh })
}

/// Cuts, removes and syncs what the examination said, and opens the storage.
fn complete<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules, x: Examined) -> Result<Recovered<D>> {
    let Examined { snapshot, mut last, replayed, mut notices, .. } = x;
    let mut known = x.marks;
    if x.replay.doubtful {
        // Before the cut, which leaves nothing to doubt.
        let mut marks = Marks::new(disk.clone(), dirs.clone(), known.unwrap_or_default());
        marks.change(|m| m.doubtful = true);
        marks.settle()?;
        known = Some(marks.set().clone());
    }
    let doubtful = known.as_ref().is_some_and(|m| m.doubtful);
    let (mut set, synced) = repair::settle(disk, dirs, &x.replay, x.file.as_ref(), known, &mut notices)?;
    set.doubtful = doubtful;
    if let Some(z) = x.installed {
        set.doubtful = false;
        discard(disk, dirs, z)?;
        // Neither copy may ask for it again.
        let mut marks = Marks::new(disk.clone(), dirs.clone(), set);
        marks.settle()?;
        set = marks.set().clone();
    }
    if let Some(fresh) = x.fresh {
        last = start_fresh(disk, dirs, rules, &fresh)?;
    }
    repair::remove_initialize(disk, dirs)?;
    let log_bytes = x.replay.segments.iter().map(|s| s.len).sum();
    let storage = Storage::new(disk.clone(), dirs.clone(), rules.clone(), set, last);
    let durable = Durable::new(last, &synced);
    Ok(Recovered { storage, last, durable, doubtful, snapshot, replayed, log_bytes, notices })
}

/// The snapshot whose installation was interrupted after the old history had become void.
fn installed<D: Disk>(disk: &D, dirs: &Dirs, marks: Option<&MarkSet>) -> Result<Option<Zxid>> {
    let Some(zxid) = marks.and_then(|m| m.installing) else { return Ok(None) };
    let there = names::snapshots(disk, &dirs.snap())?.iter().any(|s| s.zxid == zxid);
    Ok(there.then_some(zxid))
}

fn no_snapshot(dirs: &Dirs) -> StorageError {
    StorageError {
        trouble: Trouble::Damage,
        what: format!(
            "{} has transaction logs, but {} has no valid snapshot",
            dirs.log().display(),
            dirs.snap().display()
        ),
        cure: "check dataDir and dataLogDir; restore a snapshot; only when upgrading from ZooKeeper 3.4 set \
               snapshot.trust.empty=true for one start; nothing was changed"
            .into(),
        place: None,
    }
}

#[derive(Default)]
struct Found {
    info: Option<SnapshotInfo>,
    file: Option<SnapshotFile>,
    /// Snapshots that were complete once and are damaged now, newest first.
    damaged: Vec<SnapshotFile>,
}

fn load_snapshot<D: Disk, L: Loader>(
    disk: &D,
    dirs: &Dirs,
    newest: Option<Zxid>,
    loader: &mut L,
    notices: &mut Vec<Notice>,
) -> Result<Found> {
    let mut found = Found::default();
    let mut first_error = None;
    let candidates = names::snapshots(disk, &dirs.snap())?;
    let candidates = candidates.into_iter().filter(|s| newest.is_none_or(|n| s.zxid <= n));
    for snapshot in candidates.take(SNAPSHOT_CANDIDATES) {
        match load_one(disk, &snapshot, loader) {
            Ok(None) => {
                notices
                    .push(Notice(format!("{} is not complete and was passed over", snapshot.path.display())));
            }
            Ok(Some(info)) => {
                found.info = Some(info);
                found.file = Some(snapshot);
                return Ok(found);
            }
            Err(e) if e.trouble == Trouble::Bug => return Err(e),
            Err(e) => {
                notices.push(Notice(format!("a snapshot cannot be used, trying an older one: {e}")));
                first_error.get_or_insert(e);
                found.damaged.push(snapshot);
            }
        }
    }
    match first_error {
        Some(e) => Err(e),
        None => Ok(found),
    }
}

/// Loads a snapshot; `None` if it never was complete.
fn load_one<D: Disk, L: Loader>(
    disk: &D,
    snapshot: &SnapshotFile,
    loader: &mut L,
) -> Result<Option<SnapshotInfo>> {
    if !looks_valid(disk, &snapshot.path, snapshot.compression)? {
        return Ok(None);
    }
    loader.begin(snapshot);
    let info = read_snapshot(disk, snapshot, loader)?;
    let told = loader.loaded(&info);
    told.map_err(|e| StorageError::damage(&snapshot.path, 0, Some(info.zxid), e))?;
    Ok(Some(info))
}

/// What is known to have been there must have been reached.
fn check_reach(dirs: &Dirs, found: &Found, replay: &replay::Replay, marks: Option<&MarkSet>) -> Result<()> {
    let last = replay.last;
    if let Some(s) = found.damaged.first().filter(|s| s.zxid > last) {
        let what =
            format!("the newest snapshot is damaged, and the older ones with the logs reach only {last}");
        return Err(StorageError::damage(&s.path, 0, Some(s.zxid), what));
    }
    let counts = replay.marks_count && !mutant::on("damage-cut");
    if let Some(m) = marks.filter(|m| counts && m.floor > last) {
        let what = format!("history was durable up to {}, but snapshots and logs reach only {last}", m.floor);
        return Err(StorageError::damage(&dirs.log(), 0, last.next(), what).cured_by(marked_cure(dirs)));
    }
    Ok(())
}

/// What a damaged snapshot held must stand in the logs. One that a leader sent replaced them, and a log
/// may lack what was applied before its own disk had it: then the next epoch's first record would
/// follow the older snapshot's state as if nothing had been between them.
fn check_passed<D: Disk>(disk: &D, found: &Found, logs: &[LogFile], last: Zxid) -> Result<()> {
    let behind = found.damaged.iter().filter(|s| s.zxid <= last && !mutant::on("damaged-snapshot-skipped"));
    for s in behind {
        if !stands(disk, logs, s.zxid)? {
            let what = "the snapshot is damaged, and the logs do not hold what led to it";
            return Err(StorageError::damage(&s.path, 0, Some(s.zxid), what));
        }
    }
    Ok(())
}

/// Is the transaction in the logs? An epoch's beginning never is: there it is enough that its log was
/// not replaced.
fn stands<D: Disk>(disk: &D, logs: &[LogFile], zxid: Zxid) -> Result<bool> {
    let Some(log) = names::logs_after(logs, zxid).first().filter(|l| l.first <= zxid) else {
        return Ok(false);
    };
    if zxid.counter() == 0 {
        return Ok(true);
    }
    let mut reader = SegmentReader::open(disk, &log.path)?;
    while let Some(entry) = reader.next_entry()? {
        if entry.zxid == zxid {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The cure where marks contradict the files.
pub(crate) fn marked_cure(dirs: &Dirs) -> String {
    format!(
        "restore the data directory from another member or a backup; if an older copy was put there on purpose, \
         remove {} and start again; nothing was changed",
        dirs.own().display()
    )
}

/// Nothing was there: writes `snapshot.0` if an empty database may be trusted.
fn start_fresh<D: Disk>(disk: &D, dirs: &Dirs, rules: &Rules, fresh: &Fresh) -> Result<Zxid> {
    let path = dirs.initialize();
    let asked = disk.exists(&path).map_err(|e| StorageError::io("cannot look for", &path, &e))?;
    if !asked && !rules.db_autocreate && !mutant::on("emptied-disk-trusted") {
        return Ok(Zxid(-1));
    }
    let mut writer = SnapshotWriter::begin(disk, &dirs.snap(), Zxid::ZERO, &fresh.head, rules.compression)?;
    writer.chunk(&fresh.nodes)?;
    let _durable = writer.finish(fresh.digest, rules.serialize_last_zxid.then_some(Zxid::ZERO))?;
    Ok(Zxid::ZERO)
}
