//! `oxkeeper dump log|snapshot <file>`: what a file of the data directory holds, as the
//! reference's TxnLogToolkit and SnapshotFormatter print it, or as JSON, one object a line.
//!
//! # Invariants
//!
//! * Files are only read. What was printed before an error is what the file holds before it.

pub(super) mod log;
mod snapshot;

use crate::config::settings::Compression;
use crate::os::clock;
use crate::storage::SnapshotFile;
use crate::storage::names::snapshot_zxid;
use crate::types::Zxid;
use clap::{Args, Subcommand};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Print what a transaction log or a snapshot holds
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// The transactions of a log file
    Log {
        /// log.<zxid>
        file: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// The znodes and sessions of a snapshot, plain, gzip or snappy
    Snapshot {
        /// snapshot.<zxid>[.gz|.snappy]
        file: PathBuf,
        /// Print data (Base64) instead of its length
        #[arg(short = 'd', long)]
        data: bool,
        /// One JSON object a line
        #[arg(long, conflicts_with = "data")]
        json: bool,
        /// Names and sizes in the JSON of ncdu, as SnapshotFormatter -json prints them
        #[arg(long, conflicts_with_all = ["data", "json"])]
        ncdu: bool,
    },
}

/// Why a dump ended early.
#[derive(Debug)]
enum Stop {
    /// The file: a sentence.
    File(String),
    /// Nobody reads what is printed any more.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Stop {
        Stop::Output(e)
    }
}

/// Runs `oxkeeper dump`; returns the exit code.
pub fn run(args: &DumpArgs) -> i32 {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match &args.what {
        What::Log { file, json } => log::dump(file, *json, &mut out),
        What::Snapshot { file, ncdu: true, .. } => snapshot::ncdu(file, clock::wall_ms(), &mut out),
        What::Snapshot { file, data, json, ncdu: false } => snapshot::dump(file, *data, *json, &mut out),
    };
    match done.and_then(|()| out.flush().map_err(Stop::Output)) {
        Ok(()) => 0,
        Err(Stop::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(Stop::Output(e)) => {
            eprintln!("cannot print: {e}");
            1
        }
        Err(Stop::File(text)) => {
            let _ = out.flush();
            eprintln!("{text}");
            1
        }
    }
}

/// The snapshot that a path names. A name of another form is read as a plain one.
fn snapshot_file(path: &Path) -> SnapshotFile {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (zxid, compression) = snapshot_zxid(&name).unwrap_or_else(|| {
        let compression = match name.rsplit('.').next() {
            Some("gz") => Compression::Gzip,
            Some("snappy") => Compression::Snappy,
            _ => Compression::None,
        };
        (Zxid(-1), compression)
    });
    SnapshotFile { zxid, compression, path: path.to_owned() }
}

#[cfg(test)]
mod tests;
