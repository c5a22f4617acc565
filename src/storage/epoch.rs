//! `acceptedEpoch` and `currentEpoch`: what a server has promised to leaders.
//!
//! # Invariants
//!
//! * Neither ever decreases, and the current one is never greater than the accepted one, in any
//!   state that a crash may leave: the accepted one is written first.
//! * An epoch is promised only with the [`Durable`] that its write returned.

use super::error::{Result, StorageError};
use super::names::Dirs;
use crate::disk::{Disk, Durable};
use crate::limits::SMALL_FILE_BYTES;
use crate::types::Zxid;
use std::path::PathBuf;

/// Both epochs of this server and where they are kept.
pub struct Epochs<D: Disk> {
    disk: D,
    dirs: Dirs,
    current: u32,
    accepted: u32,
}

const CURRENT: &str = "currentEpoch";
const ACCEPTED: &str = "acceptedEpoch";

impl<D: Disk> Epochs<D> {
    /// Reads both; missing ones are made from the epoch of the last zxid
    /// (`QuorumPeer.loadDataBase`).
    pub fn load(disk: &D, dirs: &Dirs, last: Zxid) -> Result<Epochs<D>> {
        // A database that is not trusted has zxid -1: no epoch yet.
        let of_zxid = if last.0 < 0 { 0 } else { last.epoch() };
        let mut epochs = Epochs { disk: disk.clone(), dirs: dirs.clone(), current: 0, accepted: 0 };
        let accepted = epochs.read(ACCEPTED)?;
        let current = epochs.read(CURRENT)?;
        let mut known = current.unwrap_or(of_zxid);
        let mut write_current = current.is_none();
        if of_zxid > known {
            // ZooKeeper died between its temporary file and the rename.
            known = epochs.read("currentEpoch.tmp")?.filter(|t| *t >= of_zxid).ok_or_else(|| {
                StorageError::directory(
                    format!("currentEpoch is {known}, but the last transaction {last} is of epoch {of_zxid}"),
                    "the snapshots or logs come from another server or a later time: restore all of the data \
                     directory from one source, or empty it to learn everything from the leader",
                )
            })?;
            write_current = true;
        }
        epochs.accepted = accepted.unwrap_or(of_zxid.max(known));
        if epochs.accepted < known {
            return Err(StorageError::directory(
                format!("acceptedEpoch is {} and less than currentEpoch {known}", epochs.accepted),
                "restore both files from one source; nothing was changed",
            ));
        }
        if accepted.is_none() {
            let _durable = epochs.write(ACCEPTED, epochs.accepted)?;
        }
        if write_current {
            let _durable = epochs.write(CURRENT, known)?;
        }
        epochs.current = known;
        Ok(epochs)
    }

    /// The epoch of the leader whose history this server holds.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The last epoch that this server has promised to take part in.
    pub fn accepted(&self) -> u32 {
        self.accepted
    }

    /// Promises an epoch.
    pub fn set_accepted(&mut self, epoch: u32) -> Result<Durable<u32>> {
        if epoch < self.accepted {
            return Err(StorageError::bug(format!(
                "acceptedEpoch would fall from {} to {epoch}",
                self.accepted
            )));
        }
        let durable = self.write(ACCEPTED, epoch)?;
        self.accepted = epoch;
        Ok(durable)
    }

    /// Adopts the history of an epoch. The history itself must be durable before.
    pub fn set_current(&mut self, epoch: u32) -> Result<Durable<u32>> {
        if epoch < self.current || epoch > self.accepted {
            let (c, a) = (self.current, self.accepted);
            return Err(StorageError::bug(format!(
                "currentEpoch {c} cannot become {epoch} while {a} is accepted"
            )));
        }
        let durable = self.write(CURRENT, epoch)?;
        self.current = epoch;
        Ok(durable)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dirs.snap().join(name)
    }

    fn read(&self, name: &str) -> Result<Option<u32>> {
        let path = self.path(name);
        let io = |e: std::io::Error| StorageError::io("cannot read", &path, &e);
        if !self.disk.exists(&path).map_err(io)? {
            return Ok(None);
        }
        let bytes = self.disk.read_small(&path, SMALL_FILE_BYTES).map_err(io)?;
        // First line, no blanks: what `Long.parseLong` takes.
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or(&[]);
        let number = std::str::from_utf8(line).ok().and_then(|t| t.trim_end_matches('\r').parse().ok());
        number.map(Some).ok_or_else(|| StorageError::damage(&path, 0, None, "the file holds no epoch"))
    }

    fn write(&self, name: &str, epoch: u32) -> Result<Durable<u32>> {
        let path = self.path(name);
        let synced = self.disk.replace(&path, epoch.to_string().as_bytes());
        let synced = synced.map_err(|e| StorageError::io("cannot write", &path, &e))?;
        Ok(Durable::new(epoch, &synced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskFile;
    use crate::disk::mem::MemDisk;
    use std::path::Path;

    fn with(files: &[(&str, &str)]) -> (MemDisk, Dirs) {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/z/version-2")).unwrap();
        for (name, text) in files {
            let path = Path::new("/z/version-2").join(name);
            disk.create_new(&path).unwrap().write_all_at(text.as_bytes(), 0).unwrap();
        }
        (disk, Dirs::new(Path::new("/z"), Path::new("/z")))
    }

    fn load(files: &[(&str, &str)], last: Zxid) -> Result<(u32, u32)> {
        let (disk, dirs) = with(files);
        Epochs::load(&disk, &dirs, last).map(|e| (e.current(), e.accepted()))
    }

    #[test]
    fn missing_files_are_made_from_the_last_zxid() {
        let (disk, dirs) = with(&[]);
        Epochs::load(&disk, &dirs, Zxid::new(4, 9)).unwrap();
        assert_eq!(disk.read_small(Path::new("/z/version-2/currentEpoch"), 9).unwrap(), b"4");
        assert_eq!(disk.read_small(Path::new("/z/version-2/acceptedEpoch"), 9).unwrap(), b"4");
    }

    #[test]
    fn the_rules_of_zookeeper_hold() {
        assert_eq!(load(&[("currentEpoch", "3"), ("acceptedEpoch", "5")], Zxid::new(3, 1)), Ok((3, 5)));
        assert!(load(&[("currentEpoch", "3"), ("acceptedEpoch", "2")], Zxid::new(3, 1)).is_err());
        assert!(load(&[("currentEpoch", "3"), ("acceptedEpoch", "4")], Zxid::new(4, 1)).is_err());
        let tmp = [("currentEpoch", "3"), ("currentEpoch.tmp", "4"), ("acceptedEpoch", "4")];
        assert_eq!(load(&tmp, Zxid::new(4, 1)), Ok((4, 4)));
        assert!(load(&[("currentEpoch", "x")], Zxid(0)).is_err());
    }

    #[test]
    fn promises_never_go_back_and_order_is_kept() {
        let (disk, dirs) = with(&[]);
        let mut e = Epochs::load(&disk, &dirs, Zxid(0)).unwrap();
        assert!(e.set_current(1).is_err(), "not accepted yet");
        assert_eq!(*e.set_accepted(2).unwrap().get(), 2);
        assert_eq!(*e.set_current(2).unwrap().get(), 2);
        assert!(e.set_accepted(1).is_err());
        assert!(e.set_current(1).is_err());
    }
}
