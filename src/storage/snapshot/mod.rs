//! Snapshots, bit for bit as `FileSnap` and `SnapStream` write and read them.
//!
//! A snapshot is a header, the encoded sessions, ACLs and nodes (which this room passes through
//! as bytes; `txn::snapshot` knows them), a checksum with a seal, then two optional trailers
//! with checksums and seals of their own: the digest and the last processed zxid.
//!
//! # Invariants
//!
//! * A name that ZooKeeper takes for a snapshot only ever belongs to a complete, synced file.
//! * Checksums cover the uncompressed bytes.
//! * A reader hands on nodes before it has seen the checksum: only after its `Ok` are they true.

pub mod pack;
pub mod read;
pub mod unpack;
pub mod write;

pub use read::{SnapshotInfo, SnapshotVisitor, read_snapshot};
pub use write::SnapshotWriter;

use super::error::{Result, StorageError};
use super::names::{SnapshotFile, snapshots};
use crate::config::settings::Compression;
use crate::disk::{Disk, DiskFile};
use crate::types::Zxid;
use std::path::Path;

/// "ZKSN".
pub const MAGIC: [u8; 4] = *b"ZKSN";
/// The only version there is.
pub const VERSION: i32 = 2;
/// The seal behind a checksum: the string "/".
pub const SEAL: [u8; 5] = [0, 0, 0, 1, b'/'];
/// First bytes of a gzip stream.
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// First bytes of a snappy stream as snappy-java frames it.
pub const SNAPPY_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// The digest trailer (`DataTree.ZxidDigest`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZxidDigest {
    /// The zxid after which the digest was taken; 0 before the first transaction.
    pub zxid: Zxid,
    /// Algorithm.
    pub version: i32,
    /// The tree's digest.
    pub digest: i64,
}

/// The header: magic, version, database id -1.
pub fn header() -> [u8; 16] {
    let mut h = [0xff; 16];
    h[..4].copy_from_slice(&MAGIC);
    h[4..8].copy_from_slice(&VERSION.to_be_bytes());
    h
}

/// ZooKeeper's quick test whether a file can be a snapshot: the seal at the end of a plain one,
/// the magic at the start of a compressed one.
pub fn looks_valid<D: Disk>(disk: &D, path: &Path, compression: Compression) -> Result<bool> {
    let io = |e: std::io::Error| StorageError::io("cannot read", path, &e);
    let file = disk.open_read(path).map_err(io)?;
    match compression {
        Compression::None => {
            let len = file.len().map_err(io)?;
            if len < 10 {
                return Ok(false);
            }
            let mut end = [0; SEAL.len()];
            let n = file.read_at(&mut end, len - SEAL.len() as u64).map_err(io)?;
            Ok(n == SEAL.len() && end == SEAL)
        }
        Compression::Gzip => starts_with(&file, &GZIP_MAGIC).map_err(io),
        Compression::Snappy => starts_with(&file, &SNAPPY_MAGIC).map_err(io),
    }
}

fn starts_with<F: DiskFile>(file: &F, magic: &[u8]) -> std::io::Result<bool> {
    let mut start = vec![0; magic.len()];
    let n = file.read_at(&mut start, 0)?;
    Ok(n == magic.len() && start == magic)
}

/// Up to `n` snapshots that pass the quick test, newest first. Files that cannot be read do not.
pub fn find_valid<D: Disk>(disk: &D, dir: &Path, n: usize) -> Result<Vec<SnapshotFile>> {
    let all = snapshots(disk, dir)?;
    Ok(all
        .into_iter()
        .filter(|s| looks_valid(disk, &s.path, s.compression).unwrap_or(false))
        .take(n)
        .collect())
}
