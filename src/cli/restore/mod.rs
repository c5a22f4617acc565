//! `oxkeeper restore`: a data directory as it was at a point in time, or a part of the tree into a running ensemble.
//!
//! # Invariants
//!
//! * The archive is read whole and verified before anything is written.
//! * Existing data is never overwritten; with `--force` it is moved aside.
//! * Ends with 0 when everything was restored, with 1 when not, with 2 for a wrong usage.

mod point;
mod subtree;
mod whole;

use super::archive::{Pace, open, verify};
use super::directories::DataArgs;
use super::doctor::link::LinkArgs;
use super::fault::Fault;
use super::progress::Progress;
use crate::os::disk::RealDisk;
use crate::types::java::java_iso8601;
use clap::Args;
use point::At;
use std::path::PathBuf;
pub(super) use subtree::is_below;

/// Exit code of a restore that did not come to its end.
const FAILED: i32 = 1;

/// Restore a data directory to a point in time, or a subtree into a running ensemble
///
/// Stop the server first. All members of an ensemble are restored from the same archive to the same point; see the
/// operator's guide. With --subtree nothing is stopped: znodes are created through a client.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The archive: the directory or tar file of oxkeeper backup
    #[arg(long, value_name = "ARCHIVE")]
    pub from: PathBuf,
    /// The point: a zxid (0x...), a time (2026-11-20T08:14:32Z), or end
    #[arg(long, value_name = "POINT", default_value = "end")]
    at: At,
    /// Where to.
    #[command(flatten)]
    data: DataArgs,
    /// Move existing data aside instead of refusing
    #[arg(long, conflicts_with = "subtree")]
    force: bool,
    /// Write myid: the number of this member
    #[arg(long, value_name = "N", conflicts_with = "subtree")]
    myid: Option<u64>,
    /// An epoch that the ensemble has seen; the restored one will be above it
    #[arg(long, value_name = "N", conflicts_with = "subtree")]
    epoch: Option<u32>,
    /// Restore this znode and all below it into a running ensemble
    #[arg(long, value_name = "PATH")]
    subtree: Option<String>,
    /// Under this path instead of its own
    #[arg(long, value_name = "PATH", requires = "subtree")]
    to: Option<String>,
    /// Set data and ACLs of znodes that exist with others, instead of leaving them as they are
    #[arg(long, requires = "subtree")]
    overwrite: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// A system property, as of Java's command line (TLS, JAAS)
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    property: Vec<String>,
    /// The ensemble, and as whom.
    #[command(flatten)]
    link: LinkArgs,
}

/// Runs `oxkeeper restore`; returns the exit code.
pub fn run(args: &RestoreArgs) -> i32 {
    match restore(args) {
        Ok(true) => 0,
        Ok(false) => FAILED,
        Err(fault) => fault.report("restore", FAILED),
    }
}

/// True if everything was restored.
fn restore(args: &RestoreArgs) -> Result<bool, Fault> {
    if args.from.as_os_str() == "-" {
        let cure = "keep the stream in a file, or unpack it with tar -x into a directory, and name that";
        return Err(Fault::Usage(format!(
            "an archive is verified before anything is written from it: {cure}"
        )));
    }
    if args.subtree.is_some() && args.data.is_given() {
        return Err(Fault::Usage(
            "--subtree goes into a running ensemble: name --server, no data directory".into(),
        ));
    }
    let disk = RealDisk::new();
    let archive = open(&disk, &args.from)?;
    let mut progress = Progress::on_terminal();
    verify::verify(&archive, &mut Pace::new(None), &mut progress)?;
    let point = point::find(&archive, args.at)?;
    let when = point.time.map(|t| format!(", {} UTC", java_iso8601(t))).unwrap_or_default();
    println!("the point is {}{when}", point.zxid);
    match &args.subtree {
        Some(subtree) => subtree::restore(args, subtree, &archive, &point, &mut progress),
        None => whole::restore(args, &disk, &archive, &point, &mut progress).map(|()| true),
    }
}
