//! The znodes of a data directory or an archive, in order.
//!
//! # Invariants
//!
//! * Znodes that the log behind the snapshot does not touch go from the snapshot straight to the sorter; those it
//!   touches are rebuilt. Memory is that of the log's paths.

use super::row::{Kind, Numbers, Row};
use super::sort::{Sorted, Sorter};
use crate::cli::archive::{Pace, open, verify};
use crate::cli::fault::Fault;
use crate::cli::past::{Base, Touched, Wanted, each, rebuild};
use crate::cli::progress::Progress;
use crate::disk::Disk;
use crate::os::disk::RealDisk;
use crate::storage::Dirs;
use crate::txn::snapshot::SnapshotNode;
use crate::types::{Acl, Owner, StatPersisted};
use std::path::{Path, PathBuf};

/// The znodes of what lies at `path`: a data directory, or a backup.
pub fn znodes(
    path: &Path,
    log: Option<&Path>,
    tmp: PathBuf,
    progress: &mut Progress,
) -> Result<Sorted, Fault> {
    let disk = RealDisk::new();
    let backup = path.is_file() || crate::cli::archive::open::is_folder(&disk, path)?;
    if backup {
        let archive = open(&disk, path)?;
        verify::verify(&archive, &mut Pace::new(None), progress)?;
        return of(&archive.disk, &Base::newest(&archive.disk, &archive.dirs)?, tmp, progress);
    }
    let dirs = Dirs::new(path, log.unwrap_or(path));
    for dir in [dirs.snap(), dirs.log()] {
        if !dir.is_dir() {
            let what = format!("{} does not exist", dir.display());
            return Err(Fault::Usage(format!(
                "{what}: name a dataDir, a backup, or an ensemble as host:port"
            )));
        }
    }
    of(&disk, &Base::newest(&disk, &dirs)?, tmp, progress)
}

fn of<D: Disk>(disk: &D, base: &Base, tmp: PathBuf, progress: &mut Progress) -> Result<Sorted, Fault> {
    let touched = Touched::by(disk, base)?;
    let mut rest = Rest { touched, sorter: Sorter::new(tmp), failed: None };
    let rebuilt = rebuild(disk, base, &mut rest, progress);
    let Rest { mut sorter, failed, .. } = rest;
    if let Some(fault) = failed {
        return Err(fault);
    }
    let (tree, _) = rebuilt?;
    each(&tree, &mut |path, node| {
        let kind = Kind::from(node.owner());
        sorter.put(Row::new(path, kind, node.data(), node.acl(), numbers(&node.persisted())))
    })?;
    sorter.finish()
}

fn numbers(s: &StatPersisted) -> Numbers {
    Numbers {
        czxid: s.czxid,
        mzxid: s.mzxid,
        pzxid: s.pzxid,
        ctime: s.ctime,
        mtime: s.mtime,
        version: s.version,
        aversion: s.aversion,
    }
}

/// Takes the znodes that the log does not touch.
struct Rest {
    touched: Touched,
    sorter: Sorter,
    failed: Option<Fault>,
}

impl Wanted for Rest {
    fn wants(&self, path: &str) -> bool {
        self.touched.has(path)
    }

    fn concerns(&self, _: &str) -> bool {
        true
    }

    fn pass(&mut self, node: &SnapshotNode<'_>, acl: &[Acl]) -> Result<(), String> {
        let kind = Kind::from(Owner::decode(node.stat.ephemeral_owner, true, false));
        let row = Row::new(node.path.to_owned(), kind, node.data, acl, numbers(&node.stat));
        self.sorter.put(row).map_err(|fault| {
            let what = fault.to_string();
            self.failed = Some(fault);
            what
        })
    }
}
