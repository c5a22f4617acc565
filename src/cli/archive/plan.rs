//! What a backup takes from a data directory, while its server runs: read and judged, nothing copied yet.
//!
//! # Invariants
//!
//! * Nothing of the directory is changed.
//! * Everything taken was read whole, and the log that it comes from was synced afterwards: a backup never
//!   holds a transaction that its server could still lose.
//! * Files stay open from here on: a purge meanwhile takes nothing away.

use super::manifest::{FOLDER, FileSums, LogMember, RecordedDigest, SnapshotMember, Z};
use super::sums::{Pace, Sums, copy};
use super::walk::{Step, walk};
use crate::cli::fault::Fault;
use crate::disk::{Disk, DiskFile};
use crate::limits::SNAPSHOT_CANDIDATES;
use crate::storage::log::follows;
use crate::storage::log::format::{self, FRAME};
use crate::storage::names::{self, Dirs, LogFile, SnapshotFile, log_name};
use crate::storage::snapshot::{SnapshotInfo, SnapshotVisitor, find_valid, read_snapshot};
use crate::storage::{StorageError, Trouble};
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::txn::{self, TxnDigest};
use crate::types::Zxid;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A member that is ready to be copied.
pub struct Piece<D: Disk> {
    file: D::File,
    path: PathBuf,
    /// Bytes that stand before those of the file.
    head: Vec<u8>,
    /// Where in the file its bytes lie: from, length.
    extents: Vec<(u64, u64)>,
    /// What it must turn out to be; `None` where the file itself was verified and never changes.
    expected: Option<FileSums>,
    /// Its name in the archive.
    pub name: String,
}

impl<D: Disk> Piece<D> {
    /// Length in the archive.
    pub fn size(&self) -> u64 {
        self.head.len() as u64 + self.extents.iter().map(|(_, len)| len).sum::<u64>()
    }

    /// Copies it and returns its checksums.
    pub fn copy(
        &self,
        pace: &mut Pace,
        to: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<FileSums, Fault> {
        let mut sums = Sums::default();
        sums.take(&self.head);
        if !self.head.is_empty() {
            to(&self.head)?;
        }
        for (at, len) in &self.extents {
            copy(&self.file, &self.path, *at, *len, pace, &mut |bytes| {
                sums.take(bytes);
                to(bytes)
            })?;
        }
        let found = sums.finish(self.name.clone());
        match &self.expected {
            Some(expected) if *expected != found => Err(Fault::Refused(format!(
                "{} was cut or written anew while it was read; run the backup again",
                self.path.display()
            ))),
            _ => Ok(found),
        }
    }
}

/// Everything that a backup takes.
pub struct Plan<D: Disk> {
    /// Snapshots, oldest first. Their checksums are known once they are copied.
    pub snapshots: Vec<(SnapshotMember, Piece<D>)>,
    /// Pieces of the log, oldest first.
    pub logs: Vec<(LogMember, Piece<D>)>,
    /// The last digest that the log records.
    pub digest: Option<RecordedDigest>,
    /// What an operator may want to know.
    pub notices: Vec<String>,
}

/// Where an earlier backup ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its last transaction.
    pub last: Zxid,
    /// The checksum of that one, if it is in the archive.
    pub checksum: Option<u32>,
}

/// Plans a first backup: the newest snapshot and the log behind it, or with `all` every snapshot and log.
pub fn first<D: Disk>(disk: &D, dirs: &Dirs, all: bool, pace: &mut Pace) -> Result<Plan<D>, Fault> {
    let mut notices = Vec::new();
    let snapshots = snapshots(disk, dirs, all, pace, &mut notices)?;
    let oldest = snapshots.first().map(|(s, _)| s.zxid.0).unwrap_or_default();
    let mut taken = logs(disk, dirs, oldest, None, pace)?;
    taken.notices.splice(0..0, notices);
    let plan = Plan { snapshots, ..taken };
    let reach = plan.snapshots.iter().filter_map(|(s, _)| Some(s.reach?.0)).max();
    let last = plan.logs.last().map_or(oldest, |(l, _)| l.last.0);
    match reach {
        Some(reach) if reach > last && !plan.logs.is_empty() => Err(Fault::Refused(format!(
            "a snapshot reaches to {reach}, the logs only to {last}: the snapshot was being written; run the backup again"
        ))),
        _ => Ok(plan),
    }
}

/// Plans a further backup into an archive that ends with `known`: the log behind it, and with `anew` the newest
/// snapshot. Where the log no longer reaches back so far, a newer snapshot bridges the gap.
pub fn further<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    known: Known,
    have: Zxid,
    anew: bool,
    pace: &mut Pace,
) -> Result<Plan<D>, Fault> {
    // Snapshots are read before the log: it reaches at least as far as they do, and no gap lies between.
    let mut notices = Vec::new();
    let mut newest = if anew { snapshots(disk, dirs, false, pace, &mut notices)? } else { Vec::new() };
    let mut plan = logs(disk, dirs, known.last, Some(known), pace)?;
    let gap = plan.logs.first().is_some_and(|(first, _)| !follows(known.last, first.first.0));
    // A member that learned everything from the leader may have a snapshot alone.
    let newer =
        || Ok::<_, Fault>(names::snapshots(disk, &dirs.snap())?.first().is_some_and(|s| s.zxid > known.last));
    if !anew && (gap || plan.logs.is_empty() && newer()?) {
        newest = snapshots(disk, dirs, false, pace, &mut notices)?;
        plan = logs(disk, dirs, known.last, Some(known), pace)?;
    }
    plan.snapshots = newest.into_iter().filter(|(s, _)| s.zxid.0 > have).collect();
    plan.notices.extend(notices);
    if let Some((first, _)) = plan.logs.first().filter(|_| gap) {
        let (from, to) = (known.last, first.first.0);
        let bridged =
            plan.snapshots.last().is_some_and(|(s, _)| s.zxid >= first.first || follows(s.zxid.0, to));
        if !bridged {
            return Err(Fault::Refused(format!(
                "the server's logs begin with {to}, this backup ends with {from}, and no newer snapshot bridges that; \
                 begin a new backup directory, and run backups more often than autopurge purges"
            )));
        }
        plan.notices.push(format!(
            "the logs between {from} and {to} were purged before they were backed up: no point in time between them \
             can be restored; run backups more often than autopurge purges"
        ));
    }
    Ok(plan)
}

/// Verified snapshots, oldest first: all, or the newest alone.
fn snapshots<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    all: bool,
    pace: &mut Pace,
    notices: &mut Vec<String>,
) -> Result<Vec<(SnapshotMember, Piece<D>)>, Fault> {
    let mut found: Vec<(SnapshotMember, Piece<D>)> = Vec::new();
    for snapshot in find_valid(disk, &dirs.snap(), SNAPSHOT_CANDIDATES)? {
        if found.last().is_some_and(|(s, _)| s.zxid.0 == snapshot.zxid) {
            continue; // the same one in another form
        }
        // Open before it is verified: what was verified is what will be copied.
        let open = disk.open_read(&snapshot.path);
        let file = open.map_err(|e| Fault::io("cannot open", &snapshot.path, &e))?;
        let mut reach = Reach { pace, zxid: snapshot.zxid };
        match read_snapshot(disk, &snapshot, &mut reach) {
            Ok(info) => {
                let seen = reach.zxid;
                found.push(taken(file, snapshot, &info, seen)?);
                if !all {
                    break;
                }
            }
            Err(e) if e.trouble == Trouble::Damage => {
                notices.push(format!("a snapshot was passed over: {e}"))
            }
            Err(e) => return Err(e.into()),
        }
    }
    if found.is_empty() {
        let what = format!("{} has no whole snapshot", dirs.snap().display());
        let cure = "name dataDir and dataLogDir as the configuration does; let the server take a snapshot (restart it)";
        return Err(StorageError::directory(what, cure).into());
    }
    found.reverse();
    Ok(found)
}

fn taken<D: Disk>(
    file: D::File,
    snapshot: SnapshotFile,
    info: &SnapshotInfo,
    seen: Zxid,
) -> Result<(SnapshotMember, Piece<D>), Fault> {
    let len = file.len().map_err(|e| Fault::io("cannot read", &snapshot.path, &e))?;
    let name = snapshot.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name = format!("{FOLDER}{name}");
    let sums = FileSums { name: name.clone(), size: len, sha256: String::new(), blocks: Vec::new() };
    let told = info.last_zxid.or(info.digest.map(|d| d.zxid));
    let member = SnapshotMember {
        file: sums,
        zxid: Z(snapshot.zxid),
        reach: told.map(|z| Z(z.max(seen))),
        znodes: info.nodes,
    };
    let extents = vec![(0, len)];
    let piece = Piece { file, path: snapshot.path, head: Vec::new(), extents, expected: None, name };
    Ok((member, piece))
}

/// The last zxid of which a node of a snapshot tells.
pub struct Reach<'p> {
    pace: &'p mut Pace,
    zxid: Zxid,
}

impl SnapshotVisitor for Reach<'_> {
    fn head(&mut self, _: SnapshotHead) -> Result<(), String> {
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        let s = &node.stat;
        self.zxid = self.zxid.max(Zxid(s.czxid.max(s.mzxid).max(s.pzxid)));
        self.pace.by(node.path.len() + node.data.map_or(0, <[u8]>::len) + 80);
        Ok(())
    }
}

/// Pieces of the log that may hold transactions behind `after`; those that `known` has are left out.
fn logs<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    after: Zxid,
    known: Option<Known>,
    pace: &mut Pace,
) -> Result<Plan<D>, Fault> {
    let all = names::logs(disk, &dirs.log())?;
    let segments = names::logs_after(&all, after).to_vec();
    let mut files = Vec::with_capacity(segments.len());
    for s in &segments {
        files.push(Some(disk.open_read(&s.path).map_err(|e| Fault::io("cannot open", &s.path, &e))?));
    }
    let mut taking = Taking {
        known,
        seen_below: false,
        met: false,
        last: None,
        open: None,
        done: Vec::new(),
        digest: None,
    };
    let end = walk(disk, &segments, after, &mut |step| {
        pace.by(step.entry.bytes.len() + FRAME);
        taking.step(step, &segments)?;
        Ok(ControlFlow::Continue(()))
    })?;
    if let (Some(Some(newest)), Some(log)) = (files.last_mut(), segments.last()) {
        // Whole is not yet durable: it is from here on.
        match newest.sync() {
            Err(e) if e.kind() != io::ErrorKind::ReadOnlyFilesystem => {
                return Err(Fault::io("cannot sync", &log.path, &e));
            }
            _ => {}
        }
    }
    taking.judge()?;
    taking.close();
    let mut logs = Vec::new();
    for built in taking.done {
        let (Some(file), Some(log)) =
            (files.get_mut(built.segment).and_then(Option::take), segments.get(built.segment))
        else {
            return Err(StorageError::bug("a piece of the log without its segment").into());
        };
        let name = built.member.file.name.clone();
        let expected = Some(built.member.file.clone());
        let head = format::header().to_vec();
        logs.push((
            built.member,
            Piece { file, path: log.path.clone(), head, extents: built.extents, expected, name },
        ));
    }
    Ok(Plan { snapshots: Vec::new(), logs, digest: taking.digest, notices: end.into_iter().collect() })
}

/// A piece under construction.
struct Building {
    segment: usize,
    member: LogMember,
    sums: Sums,
    extents: Vec<(u64, u64)>,
}

struct Built {
    segment: usize,
    member: LogMember,
    extents: Vec<(u64, u64)>,
}

/// Makes one piece of each segment.
struct Taking {
    known: Option<Known>,
    /// A transaction before the known one was seen: the known one must be there.
    seen_below: bool,
    /// The known one was seen.
    met: bool,
    last: Option<Zxid>,
    open: Option<Building>,
    done: Vec<Built>,
    digest: Option<RecordedDigest>,
}

impl Taking {
    fn step(&mut self, step: &Step<'_>, segments: &[LogFile]) -> Result<(), StorageError> {
        let entry = &step.entry;
        self.last = Some(entry.zxid);
        if let Some(known) = self.known.filter(|k| entry.zxid <= k.last) {
            self.seen_below |= entry.zxid < known.last;
            if entry.zxid == known.last {
                self.met = known.checksum.is_none_or(|sum| sum == entry.checksum);
                self.seen_below |= !self.met;
            }
            return Ok(());
        }
        let path = segments.get(step.segment).map(|s| s.path.as_path()).unwrap_or(std::path::Path::new(""));
        let record = txn::decode(entry.bytes)
            .map_err(|e| StorageError::damage(path, entry.offset, Some(entry.zxid), e.to_string()))?;
        if self.open.as_ref().is_some_and(|o| o.segment != step.segment) {
            self.close();
        }
        let open =
            self.open.get_or_insert_with(|| Building::new(step.segment, entry.zxid, record.header.time));
        open.add(step, record.header.time);
        if let Some(TxnDigest { version, digest }) = record.digest {
            self.digest = Some(RecordedDigest {
                zxid: Z(entry.zxid),
                version,
                digest: format!("0x{:x}", digest as u64),
            });
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.member.file = open.sums.finish(open.member.file.name);
            self.done.push(Built { segment: open.segment, member: open.member, extents: open.extents });
        }
    }

    /// Is this the history that the archive begins?
    fn judge(&self) -> Result<(), Fault> {
        let Some(known) = self.known else { return Ok(()) };
        let cure = "begin a new backup directory for it";
        if self.seen_below && !self.met {
            return Err(Fault::Refused(format!(
                "the server's history is not that of this backup: {} is not in it as it was backed up (transactions \
                 that were never committed were taken back, or this is another server); {cure}",
                known.last
            )));
        }
        Ok(())
    }
}

impl Building {
    fn new(segment: usize, first: Zxid, time: i64) -> Building {
        let mut sums = Sums::default();
        sums.take(&format::header());
        let name = format!("{FOLDER}{}", log_name(first));
        let member = LogMember {
            file: FileSums { name, size: 0, sha256: String::new(), blocks: Vec::new() },
            first: Z(first),
            last: Z(first),
            transactions: 0,
            first_time: time,
            latest_time: time,
            last_checksum: 0,
        };
        Building { segment, member, sums, extents: Vec::new() }
    }

    fn add(&mut self, step: &Step<'_>, time: i64) {
        let mut frame = Vec::with_capacity(step.entry.bytes.len() + FRAME);
        format::frame(step.entry.bytes, &mut frame);
        self.sums.take(&frame);
        let (from, len) = (step.entry.offset, step.end - step.entry.offset);
        match self.extents.last_mut() {
            Some((at, so_far)) if *at + *so_far == from => *so_far += len,
            _ => self.extents.push((from, len)),
        }
        let m = &mut self.member;
        (m.last, m.last_checksum) = (Z(step.entry.zxid), step.entry.checksum);
        m.latest_time = m.latest_time.max(time);
        m.transactions += 1;
    }
}
