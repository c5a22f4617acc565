//! Writes one snapshot, beside traffic, at the pace of its caller.
//!
//! # Invariants
//!
//! * The file has a name of ours until contents and length are durable; only then the name of
//!   a snapshot, and only after the sync of the folder a [`Durable`] says so.
//! * A writer that is dropped before its end leaves nothing behind.

use super::pack::Packer;
use super::{SEAL, ZxidDigest, header};
use crate::config::settings::Compression;
use crate::disk::{Disk, DiskFile, Durable};
use crate::limits::{SNAPSHOT_SYNC_BYTES, SNAPSHOT_WRITE_BUFFER};
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{SnapshotFile, UNDER_CONSTRUCTION, snapshot_name};
use crate::types::Zxid;
use simd_adler32::Adler32;
use std::path::{Path, PathBuf};

/// A snapshot under construction.
pub struct SnapshotWriter<D: Disk> {
    disk: D,
    dir: PathBuf,
    zxid: Zxid,
    compression: Compression,
    tmp: PathBuf,
    file: D::File,
    packer: Packer,
    sum: Adler32,
    at: u64,
    synced_to: u64,
    complete: bool,
}

impl<D: Disk> SnapshotWriter<D> {
    /// Begins the snapshot `snapshot.<zxid>` in `dir` (a `version-2` folder). `head` is the
    /// encoded sessions and ACL table.
    pub fn begin(
        disk: &D,
        dir: &Path,
        zxid: Zxid,
        head: &[u8],
        compression: Compression,
    ) -> Result<SnapshotWriter<D>> {
        let mut writer = SnapshotWriter::beside(disk, dir, zxid, "", compression)?;
        writer.chunk(head)?;
        Ok(writer)
    }

    /// As [`SnapshotWriter::begin`], with nothing written yet but the header. `tag` keeps files under
    /// construction apart that will have the same name: those that several links bring.
    pub fn beside(
        disk: &D,
        dir: &Path,
        zxid: Zxid,
        tag: &str,
        compression: Compression,
    ) -> Result<SnapshotWriter<D>> {
        let tmp = dir.join(format!("{UNDER_CONSTRUCTION}{tag}{}", snapshot_name(zxid, compression)));
        let io = |e: std::io::Error| StorageError::io("cannot make a snapshot", &tmp, &e);
        if disk.exists(&tmp).map_err(io)? {
            disk.remove(&tmp).map_err(io)?;
        }
        let file = disk.create_new(&tmp).map_err(io)?;
        let mut writer = SnapshotWriter {
            disk: disk.clone(),
            dir: dir.to_owned(),
            zxid,
            compression,
            tmp,
            file,
            packer: Packer::new(compression),
            sum: Adler32::new(),
            at: 0,
            synced_to: 0,
            complete: false,
        };
        writer.chunk(&header())?;
        Ok(writer)
    }

    /// The zxid in its name.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Bytes of the file that are written so far (what is still collected not counted).
    pub fn written(&self) -> u64 {
        self.at
    }

    /// Takes encoded nodes; the last chunk ends with the end mark.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.write(bytes);
        self.packer.put(bytes).map_err(|e| StorageError::io("cannot pack", &self.tmp, &e))?;
        if self.packer.ready().len() >= SNAPSHOT_WRITE_BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is ready. Syncs now and then: a long queue of unsynced pages would stand
    /// before the next sync of the log.
    fn flush(&mut self) -> Result<()> {
        let io = |doing: &str, path: &Path, e: &std::io::Error| StorageError::io(doing, path, e);
        let ready = self.packer.ready();
        if ready.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(ready, self.at).map_err(|e| io("cannot write", &self.tmp, &e))?;
        self.at += ready.len() as u64;
        ready.clear();
        if self.at - self.synced_to >= SNAPSHOT_SYNC_BYTES {
            let _so_far = self.file.sync().map_err(|e| io("cannot sync", &self.tmp, &e))?;
            self.synced_to = self.at;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        let sum = u64::from(self.sum.finish());
        self.chunk(&sum.to_be_bytes())?;
        self.chunk(&SEAL)
    }

    /// Seals the snapshot, makes it durable and gives it its name. `digest` is absent with
    /// `digest.enabled=false`, `last_zxid` with `serializeLastProcessedZxid.enabled=false`.
    pub fn finish(
        mut self,
        digest: Option<ZxidDigest>,
        last_zxid: Option<Zxid>,
    ) -> Result<Durable<SnapshotFile>> {
        self.seal()?;
        if let Some(d) = digest {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&d.zxid.0.to_be_bytes());
            bytes[8..12].copy_from_slice(&d.version.to_be_bytes());
            bytes[12..].copy_from_slice(&d.digest.to_be_bytes());
            self.chunk(&bytes)?;
            self.seal()?;
        }
        if let Some(z) = last_zxid {
            self.chunk(&z.0.to_be_bytes())?;
            self.seal()?;
        }
        self.packer.finish().map_err(|e| StorageError::io("cannot pack", &self.tmp, &e))?;
        self.flush()?;
        let _contents = self.file.sync().map_err(|e| StorageError::io("cannot sync", &self.tmp, &e))?;
        let path = self.dir.join(snapshot_name(self.zxid, self.compression));
        self.disk.rename(&self.tmp, &path).map_err(|e| StorageError::io("cannot name", &path, &e))?;
        self.complete = true;
        let synced =
            self.disk.sync_dir(&self.dir).map_err(|e| StorageError::io("cannot sync", &self.dir, &e))?;
        Ok(Durable::new(SnapshotFile { zxid: self.zxid, compression: self.compression, path }, &synced))
    }
}

impl<D: Disk> Drop for SnapshotWriter<D> {
    fn drop(&mut self) {
        if !self.complete {
            // Best effort: the next start removes it as well.
            let _ = self.disk.remove(&self.tmp);
        }
    }
}
