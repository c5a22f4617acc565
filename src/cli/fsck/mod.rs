//! `oxkeeper fsck <dataDir>`: reads every log and snapshot of a data directory, ours or Java's,
//! and says what is wrong where, and what a start would make of it.
//!
//! # Invariants
//!
//! * Without `--repair` nothing is changed. With it, everything that is removed or cut was copied
//!   before, and the copy is durable.
//! * Ends with 0 if nothing is damaged and a server would start, with 1 otherwise.

mod loader;
mod repair;

use super::progress::Progress;
use crate::disk::Disk;
use crate::os::disk::RealDisk;
use crate::storage::StorageError;
use crate::storage::names::{self, Dirs};
use crate::storage::recover::{Rules, examine, lock_dirs};
use crate::storage::verify::{Finding, LogReport, verify_log, verify_snapshot};
use crate::types::Zxid;
use clap::Args;
use loader::Load;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Verify the logs and snapshots of a data directory
#[derive(Debug, Clone, Args)]
pub struct FsckArgs {
    /// dataDir of the configuration
    #[arg(value_name = "DATADIR")]
    pub data_dir: PathBuf,
    /// dataLogDir of the configuration, where it is another one
    #[arg(long, value_name = "DIR")]
    pub data_log_dir: Option<PathBuf>,
    /// Cut the history at the first damage and remove damaged snapshots, so that a server starts.
    /// Loses what lies behind: in an ensemble rather empty the directory and let it learn anew
    #[arg(long, requires = "backup")]
    pub repair: bool,
    /// Where everything is copied before it is repaired; must not exist
    #[arg(long, value_name = "DIR")]
    pub backup: Option<PathBuf>,
}

/// Runs `oxkeeper fsck`; returns the exit code.
pub fn run(args: &FsckArgs) -> i32 {
    let log = args.data_log_dir.as_ref().unwrap_or(&args.data_dir);
    let dirs = Dirs::new(&args.data_dir, log);
    let mut out = io::stdout().lock();
    let backup = args.backup.as_deref().filter(|_| args.repair);
    match check(&RealDisk::new(), &dirs, backup, &mut out, &mut Progress::to_stderr()) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(Trouble::Storage(e)) => {
            eprintln!("{e}");
            e.exit_code().number()
        }
        Err(Trouble::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => 1,
        Err(Trouble::Output(e)) => {
            eprintln!("cannot print: {e}");
            1
        }
    }
}

/// Why a check ended early.
#[derive(Debug)]
enum Trouble {
    Storage(StorageError),
    Output(io::Error),
}

impl From<StorageError> for Trouble {
    fn from(e: StorageError) -> Trouble {
        Trouble::Storage(e)
    }
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Trouble {
        Trouble::Output(e)
    }
}

/// Checks, and repairs if there is a place for the backup. True if all is well (afterwards).
fn check<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    backup: Option<&Path>,
    out: &mut dyn Write,
    progress: &mut Progress,
) -> std::result::Result<bool, Trouble> {
    for dir in [dirs.snap(), dirs.log()] {
        if !disk.exists(&dir).map_err(|e| StorageError::io("cannot look for", &dir, &e))? {
            let what = format!("{} does not exist", dir.display());
            return Err(StorageError::directory(what, "name the dataDir of the configuration").into());
        }
    }
    if backup.is_some() {
        lock_dirs(disk, dirs)?;
    }
    let (mut whole, bases) = snapshots(disk, dirs, out, progress)?;
    whole &= logs(disk, dirs, &bases, out, progress)?;
    whole &= verdict(disk, dirs, out)?;
    match backup {
        Some(backup) if !whole => Ok(repair::repair(disk, dirs, backup, out)? && verdict(disk, dirs, out)?),
        Some(_) => {
            writeln!(out, "Nothing to repair.")?;
            Ok(true)
        }
        None => Ok(whole),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Are all of them whole? And the zxids of those that are.
fn snapshots<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    out: &mut dyn Write,
    progress: &mut Progress,
) -> std::result::Result<(bool, Vec<Zxid>), Trouble> {
    let (mut whole, mut bases) = (true, Vec::new());
    for snapshot in names::snapshots(disk, &dirs.snap())?.iter().rev() {
        progress.begin(&snapshot.path, 0);
        let mut load = Load::watched(progress);
        let report = verify_snapshot(disk, snapshot, &mut load)?;
        let label = name(&snapshot.path);
        match (&report.info, &report.finding) {
            (Some(i), _) => {
                bases.push(snapshot.zxid);
                let sessions = load.sessions;
                writeln!(out, "{label}: whole, {} znodes, {sessions} sessions, {} bytes", i.nodes, i.bytes)?;
            }
            (None, Finding::Interrupted(what)) => writeln!(out, "{label}: {what}; a start passes over it")?,
            (None, Finding::Damaged(e)) => {
                writeln!(out, "{label}: DAMAGED: {e}")?;
                whole = false;
            }
            (None, Finding::Whole) => {}
        }
    }
    Ok((whole, bases))
}

fn logs<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    bases: &[Zxid],
    out: &mut dyn Write,
    progress: &mut Progress,
) -> std::result::Result<bool, Trouble> {
    let mut whole = true;
    for log in names::logs(disk, &dirs.log())? {
        progress.begin(&log.path, 0);
        let report = verify_log(disk, &log.path, bases, &mut |at| progress.at(at))?;
        let label = name(&log.path);
        let content = content(&report);
        match &report.finding {
            Finding::Whole => writeln!(out, "{label}: whole, {content}")?,
            Finding::Interrupted(what) => writeln!(out, "{label}: {content}; {what}")?,
            Finding::Damaged(e) => {
                writeln!(out, "{label}: DAMAGED: {e}. Before it: {content}")?;
                whole = false;
            }
        }
    }
    Ok(whole)
}

fn content(r: &LogReport) -> String {
    let range = match (r.first, r.last) {
        (Some(a), Some(b)) => format!(" {a} to {b}"),
        _ => String::new(),
    };
    let bridged = r.bridged.map_or(String::new(), |(last, next)| {
        format!(" (those between {last} and {next} are in a snapshot)")
    });
    format!("{} transactions{range}{bridged}, {} of {} bytes", r.transactions, r.used, r.len)
}

/// What a start would make of it all.
fn verdict<D: Disk>(disk: &D, dirs: &Dirs, out: &mut dyn Write) -> std::result::Result<bool, Trouble> {
    let mut load = Load::new();
    match examine(disk, dirs, &Rules::default(), &mut load) {
        Ok(x) => {
            for n in &x.notices {
                writeln!(out, "note: {n}")?;
            }
            for d in load.differences() {
                writeln!(out, "note: {d}")?;
            }
            let from = x.snapshot.map_or("an empty database".into(), |s| format!("snapshot {}", s.zxid));
            writeln!(
                out,
                "A server starts from {from} and {} transactions: last zxid {}.",
                x.replayed, x.last
            )?;
            Ok(true)
        }
        Err(e) => {
            writeln!(out, "A server refuses to start: {e}")?;
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests;
