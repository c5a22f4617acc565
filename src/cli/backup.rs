//! `oxkeeper backup`: a running server's snapshots and transaction log into an archive, and archives verified.
//!
//! The server is not asked: its files are read while it writes them, up to the last whole record, which is
//! synced before the backup claims it. ZooKeeper's directories are read as well.
//!
//! # Invariants
//!
//! * The data directories are only read; reading is paced and leaves the cache to the server.
//! * Ends with 0 when the archive is complete and durable, with 1 when not, with 2 for a wrong usage.

use super::archive::manifest::{Manifest, RecordedDigest, Source};
use super::archive::plan::{self, Known, Plan};
use super::archive::{Pace, folder, open, tape, verify};
use super::directories::DataArgs;
use super::fault::Fault;
use super::progress::Progress;
use crate::disk::Disk;
use crate::limits::{BACKUP_ATTEMPTS, BACKUP_BYTES_PER_SECOND, BACKUP_NICENESS, SMALL_FILE_BYTES};
use crate::os::clock;
use crate::os::disk::RealDisk;
use crate::storage::Dirs;
use crate::storage::names;
use crate::types::Zxid;
use crate::types::java::java_iso8601;
use clap::{Args, Subcommand};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Exit code of a backup that is not complete.
const FAILED: i32 = 1;

/// Back up a server's data while it runs: snapshot and transaction log
///
/// Into a new directory: the newest snapshot and the log behind it. Into the directory of an earlier backup: the
/// log since then. With --to - a tar stream on standard output. An archive holds data and password digests: keep it
/// as safe as the server's own disk.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Whose data.
    #[command(flatten)]
    data: DataArgs,
    /// Directory of the backup; - for a tar stream on standard output
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// In a first backup: every snapshot and log that is there, to go back to any point they reach
    #[arg(long)]
    all: bool,
    /// In a further backup: the newest snapshot as well, which shortens a restore
    #[arg(long)]
    snapshot: bool,
    /// MiB a second that are read at most; 0: as fast as it goes
    #[arg(long, value_name = "MIB", default_value_t = BACKUP_BYTES_PER_SECOND >> 20)]
    rate: u64,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Read an archive whole: every checksum, every record, every znode
    Verify {
        /// Directory or tar file
        archive: PathBuf,
    },
}

/// Runs `oxkeeper backup`; returns the exit code.
pub fn run(args: &BackupArgs) -> i32 {
    let done = match &args.what {
        Some(What::Verify { archive }) => check(archive),
        None => backup(args),
    };
    match done {
        Ok(()) => 0,
        Err(fault) => fault.report("backup", FAILED),
    }
}

fn check(path: &Path) -> Result<(), Fault> {
    let archive = open(&RealDisk::new(), path)?;
    verify::verify(&archive, &mut Pace::new(None), &mut Progress::on_terminal())?;
    let mut out = io::stdout().lock();
    describe(&archive.manifest, &mut out)?;
    writeln!(out, "whole: every checksum and record holds")?;
    Ok(())
}

/// What an archive holds, for people.
pub(super) fn describe(m: &Manifest, out: &mut dyn Write) -> Result<(), Fault> {
    let bytes: u64 = m.files().map(|f| f.size).sum();
    writeln!(out, "made {} by {}, {bytes} bytes", m.made, m.by)?;
    for s in &m.snapshots {
        writeln!(out, "snapshot {}: {} znodes", s.zxid.0, s.znodes)?;
    }
    for l in &m.logs {
        let from = java_iso8601(l.first_time);
        let to = java_iso8601(l.latest_time);
        let (first, last, count) = (l.first.0, l.last.0, l.transactions);
        writeln!(out, "log {first} to {last}: {count} transactions, {from} to {to} UTC")?;
    }
    if let Some(RecordedDigest { zxid, digest, .. }) = &m.digest {
        writeln!(out, "digest {digest} at {}", zxid.0)?;
    }
    Ok(())
}

fn backup(args: &BackupArgs) -> Result<(), Fault> {
    let Some(to) = &args.to else {
        return Err(Fault::Usage("name where to: --to DIR, or --to - for a tar stream".to_owned()));
    };
    let dirs = args.data.dirs()?;
    let disk = RealDisk::new();
    for dir in [dirs.snap(), dirs.log()] {
        if !disk.exists(&dir).map_err(|e| Fault::io("cannot look for", &dir, &e))? {
            return Err(Fault::Usage(format!(
                "{} does not exist: name the dataDir of the configuration",
                dir.display()
            )));
        }
    }
    // A server beside goes first; where that is not allowed the pace alone has to do.
    let own = rustix::process::getpriority_process(None).unwrap_or(0);
    let _ = rustix::process::setpriority_process(None, BACKUP_NICENESS.max(own));
    let rate = Some(args.rate << 20).filter(|r| *r > 0);
    let mut pace = Pace::new(rate);
    if to.as_os_str() == "-" {
        return stream(&disk, &dirs, args.all, &mut pace);
    }
    into_folder(&disk, &dirs, to, args, &mut pace)
}

fn stream(disk: &RealDisk, dirs: &Dirs, all: bool, pace: &mut Pace) -> Result<(), Fault> {
    let plan = planned(disk, dirs, &mut || plan::first(disk, dirs, all, pace))?;
    let notices = plan.notices.clone();
    let manifest = Manifest::new(now(), source(disk, dirs));
    let seconds = u64::try_from(clock::wall_ms() / 1000).unwrap_or(0);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = tape::write(manifest, plan, seconds, pace, &mut Progress::on_terminal(), &mut out)?;
    say(&notices, &done, &done.snapshots.iter().map(|s| s.zxid.0).collect::<Vec<_>>(), &mut io::stderr())
}

fn into_folder(
    disk: &RealDisk,
    dirs: &Dirs,
    root: &Path,
    args: &BackupArgs,
    pace: &mut Pace,
) -> Result<(), Fault> {
    let _ours = occupy(root)?;
    let (mut manifest, plan) = match folder::manifest(disk, root)? {
        Some(manifest) => {
            let checksum =
                manifest.logs.last().filter(|l| l.last.0 == manifest.last()).map(|l| l.last_checksum);
            let known = Known { last: manifest.last(), checksum };
            let have = manifest.snapshots.last().map(|s| s.zxid.0).unwrap_or_default();
            let plan =
                planned(disk, dirs, &mut || plan::further(disk, dirs, known, have, args.snapshot, pace))?;
            (manifest, plan)
        }
        None => {
            begin(root)?;
            let plan = planned(disk, dirs, &mut || plan::first(disk, dirs, args.all, pace))?;
            (Manifest::new(now(), Source::default()), plan)
        }
    };
    let notices = plan.notices.clone();
    let snapshots: Vec<Zxid> = plan.snapshots.iter().map(|(s, _)| s.zxid.0).collect();
    let about = (now(), source(disk, dirs));
    folder::add(disk, root, &mut manifest, about, plan, pace, &mut Progress::on_terminal())?;
    match std::fs::remove_file(root.join(BEGUN)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(Fault::io("cannot remove a file in", root, &e));
        }
        _ => {}
    }
    say(&notices, &manifest, &snapshots, &mut io::stdout())
}

/// Plans; once more if the server purged a file meanwhile.
fn planned(
    disk: &RealDisk,
    dirs: &Dirs,
    plan: &mut dyn FnMut() -> Result<Plan<RealDisk>, Fault>,
) -> Result<Plan<RealDisk>, Fault> {
    for _ in 1..BACKUP_ATTEMPTS {
        let before = names::logs(disk, &dirs.log())?.first().map(|l| l.first);
        let snapshots = names::snapshots(disk, &dirs.snap())?.last().map(|s| s.zxid);
        match plan() {
            Ok(plan) => return Ok(plan),
            Err(e) => {
                let logs_now = names::logs(disk, &dirs.log())?.first().map(|l| l.first);
                let snapshots_now = names::snapshots(disk, &dirs.snap())?.last().map(|s| s.zxid);
                if (logs_now, snapshots_now) == (before, snapshots) {
                    return Err(e);
                }
            }
        }
    }
    plan()
}

fn say(notices: &[String], m: &Manifest, snapshots: &[Zxid], out: &mut dyn Write) -> Result<(), Fault> {
    for n in notices {
        eprintln!("note: {n}");
    }
    for zxid in snapshots {
        writeln!(out, "snapshot {zxid}")?;
    }
    let from = m.snapshots.first().map(|s| s.zxid.0).unwrap_or_default();
    writeln!(out, "the backup holds {from} to {}", m.last())?;
    Ok(())
}

/// Stands in the directory of a first backup until its manifest does.
const BEGUN: &str = ".oxkeeper-backup-begun";

/// A directory that holds something else is not made a backup; one that an interrupted first run left is.
fn begin(root: &Path) -> Result<(), Fault> {
    let begun = root.join(BEGUN);
    if begun.exists() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(root).map_err(|e| Fault::io("cannot list", root, &e))?;
    if let Some(entry) = entries.next() {
        let entry = entry.map_err(|e| Fault::io("cannot list", root, &e))?;
        let name = super::fault::plain(&entry.file_name().to_string_lossy());
        let root = root.display();
        return Err(Fault::Usage(format!(
            "{root} is no backup and not empty ({name}): name a new directory"
        )));
    }
    File::create(&begun).map(drop).map_err(|e| Fault::io("cannot make", &begun, &e))
}

/// Makes the directory and keeps other runs off it until the end.
fn occupy(root: &Path) -> Result<File, Fault> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root);
    made.map_err(|e| Fault::io("cannot make", root, &e))?;
    let folder = File::open(root).map_err(|e| Fault::io("cannot open", root, &e))?;
    match rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Fault::Refused(format!(
            "another backup into {} is under way: wait for its end",
            root.display()
        ))),
        Err(e) => Err(Fault::io("cannot lock", root, &e.into())),
    }
}

/// What stands beside the data; a file that is missing or says nothing is left out.
fn source(disk: &RealDisk, dirs: &Dirs) -> Source {
    let line = |path: PathBuf| {
        let bytes = disk.read_small(&path, SMALL_FILE_BYTES).ok()?;
        Some(String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned())
    };
    let epoch = |name: &str| line(dirs.snap().join(name))?.parse().ok();
    Source {
        myid: line(dirs.data().join("myid")).filter(|id| id.parse::<u64>().is_ok()),
        current_epoch: epoch("currentEpoch"),
        accepted_epoch: epoch("acceptedEpoch"),
    }
}

/// The wall clock as RFC 3339 in UTC, to the second.
fn now() -> String {
    let text = java_iso8601(clock::wall_ms());
    format!("{}Z", text.split(',').next().unwrap_or_default().replacen(' ', "T", 1))
}
