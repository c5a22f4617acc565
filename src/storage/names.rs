//! Names of files and where they lie (`FileTxnSnapLog`, `Util`).
//!
//! # Invariants
//!
//! * Everything in a `version-2` folder is ZooKeeper's, by its names and formats; our own
//!   files lie in the folder `oxkeeper` beside it.
//! * A file under construction has a name that no ZooKeeper takes for a log or a snapshot.

use super::error::{Result, StorageError};
use crate::config::settings::Compression;
use crate::disk::Disk;
use crate::types::Zxid;
use std::path::{Path, PathBuf};

/// The four folders of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dirs {
    data: PathBuf,
    data_log: PathBuf,
}

impl Dirs {
    /// From `dataDir` and `dataLogDir` (the same when the key is absent).
    pub fn new(data_dir: &Path, data_log_dir: &Path) -> Dirs {
        Dirs { data: data_dir.to_owned(), data_log: data_log_dir.to_owned() }
    }

    /// Snapshots and epoch files.
    pub fn snap(&self) -> PathBuf {
        self.data.join("version-2")
    }

    /// Transaction logs.
    pub fn log(&self) -> PathBuf {
        self.data_log.join("version-2")
    }

    /// Our own files: marks and the reserve.
    pub fn own(&self) -> PathBuf {
        self.data_log.join("oxkeeper")
    }

    /// `dataDir` itself.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// `dataLogDir` itself.
    pub fn data_log(&self) -> &Path {
        &self.data_log
    }

    /// The file that lets an empty database be trusted once.
    pub fn initialize(&self) -> PathBuf {
        self.data_log.join("initialize")
    }

    /// Are snapshots and logs kept apart?
    pub fn are_separate(&self) -> bool {
        self.data != self.data_log
    }
}

/// `log.<hex zxid>`.
pub fn log_name(first: Zxid) -> String {
    format!("log.{:x}", first.0)
}

/// `snapshot.<hex zxid>[.gz|.snappy]`.
pub fn snapshot_name(zxid: Zxid, compression: Compression) -> String {
    let extension = match compression {
        Compression::None => "",
        Compression::Gzip => ".gz",
        Compression::Snappy => ".snappy",
    };
    format!("snapshot.{:x}{extension}", zxid.0)
}

/// Prefix of a file of ours that is not complete yet.
pub const UNDER_CONSTRUCTION: &str = "tmp.oxkeeper.";

/// The zxid in the name of a log; `None` for every other file.
pub fn log_zxid(name: &str) -> Option<Zxid> {
    hex(name.strip_prefix("log.")?)
}

/// The zxid and form in the name of a snapshot; `None` for every other file, ZooKeeper's
/// own unfinished ones (`.tmp`) among them.
pub fn snapshot_zxid(name: &str) -> Option<(Zxid, Compression)> {
    let rest = name.strip_prefix("snapshot.")?;
    let (digits, compression) = match rest.split_once('.') {
        None => (rest, Compression::None),
        Some((d, "gz")) => (d, Compression::Gzip),
        Some((d, "snappy")) => (d, Compression::Snappy),
        Some(_) => return None,
    };
    Some((hex(digits)?, compression))
}

/// Java prints negative numbers as their two's complement but does not read those back.
fn hex(digits: &str) -> Option<Zxid> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    i64::from_str_radix(digits, 16).ok().map(Zxid)
}

/// A snapshot in the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotFile {
    /// Last zxid that it is complete for.
    pub zxid: Zxid,
    /// Its form.
    pub compression: Compression,
    /// Its path.
    pub path: PathBuf,
}

/// A log in the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFile {
    /// The zxid in its name: that of its first record.
    pub first: Zxid,
    /// Its path.
    pub path: PathBuf,
}

/// Snapshots by name, newest first. Of two with the same zxid the plain one comes first.
pub fn snapshots<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<SnapshotFile>> {
    let mut found: Vec<SnapshotFile> = names(disk, dir)?
        .into_iter()
        .filter_map(|n| {
            let (zxid, compression) = snapshot_zxid(&n)?;
            Some(SnapshotFile { zxid, compression, path: dir.join(n) })
        })
        .collect();
    found.sort_by(|a, b| b.zxid.cmp(&a.zxid).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

/// Logs by name, oldest first.
pub fn logs<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<LogFile>> {
    let mut found: Vec<LogFile> = names(disk, dir)?
        .into_iter()
        .filter_map(|n| Some(LogFile { first: log_zxid(&n)?, path: dir.join(n) }))
        .collect();
    found.sort_by_key(|l| l.first);
    Ok(found)
}

/// The logs that may hold transactions after `zxid`: the newest whose name is not greater,
/// and all later ones (`FileTxnLog.getLogFiles`).
pub fn logs_after(logs: &[LogFile], zxid: Zxid) -> &[LogFile] {
    let older = logs.iter().take_while(|l| l.first <= zxid).count();
    logs.get(older.saturating_sub(1)..).unwrap_or(&[])
}

/// Names of the files in a folder.
pub fn names<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<String>> {
    let entries = disk.list(dir).map_err(|e| StorageError::io("cannot list", dir, &e))?;
    Ok(entries.into_iter().filter(|e| !e.is_dir).map(|e| e.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_zookeeper() {
        assert_eq!(log_name(Zxid::new(1, 0x2a)), "log.10000002a");
        assert_eq!(snapshot_name(Zxid(0), Compression::None), "snapshot.0");
        assert_eq!(snapshot_name(Zxid(255), Compression::Snappy), "snapshot.ff.snappy");
        assert_eq!(snapshot_zxid("snapshot.ff.gz"), Some((Zxid(255), Compression::Gzip)));
        assert_eq!(log_zxid("log.10000002a"), Some(Zxid::new(1, 0x2a)));
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in ["snapshot.5.tmp", "snapshot.", "snapshot.-1", "snapshot.5.gz.x", "snapshots.5", "myid"] {
            assert_eq!(snapshot_zxid(name), None, "{name}");
        }
        for name in ["log.", "log.5.x", "log.ffffffffffffffff", "blog.5", "log.5 "] {
            assert_eq!(log_zxid(name), None, "{name}");
        }
    }

    #[test]
    fn the_logs_after_a_snapshot_begin_with_the_one_that_may_reach_beyond_it() {
        let logs: Vec<LogFile> =
            [1, 10, 20].iter().map(|z| LogFile { first: Zxid(*z), path: PathBuf::new() }).collect();
        let firsts = |z: i64| logs_after(&logs, Zxid(z)).iter().map(|l| l.first.0).collect::<Vec<_>>();
        assert_eq!(firsts(0), [1, 10, 20]);
        assert_eq!(firsts(10), [10, 20]);
        assert_eq!(firsts(15), [10, 20]);
        assert_eq!(firsts(99), [20]);
    }
}
