//! `acceptedEpoch` and `currentEpoch`: what a server has promised to leaders.
//!
//! # Invariants
//!
//! * Neither ever decreases, and the current one is never greater than the accepted one, in any
//!   state that a crash may leave: the accepted one is written first.
//! * The log may end in a later epoch than the current one: a crash between a leader's history and
//!   the epoch file leaves that. Such a server votes with its current epoch, as it has not adopted
//!   the later history as a whole. It never ends behind the accepted epoch.
//! * An epoch is promised only with the [`Durable`] that its write returned, or the sync at the load.

use super::error::{Result, StorageError};
use super::names::Dirs;
use crate::disk::{Disk, DiskFile, Durable};
use crate::limits::SMALL_FILE_BYTES;
use crate::types::{Zxid, mutant};
use std::path::PathBuf;

/// Both epochs of this server and where they are kept.
pub struct Epochs<D: Disk> {
    files: Files<D>,
    current: Durable<u32>,
    accepted: Durable<u32>,
}

const CURRENT: &str = "currentEpoch";
const ACCEPTED: &str = "acceptedEpoch";

impl<D: Disk> Epochs<D> {
    /// Reads both and makes sure that what was read is durable; missing ones are made from the epoch
    /// of the last zxid (`QuorumPeer.loadDataBase`).
    pub fn load(disk: &D, dirs: &Dirs, last: Zxid) -> Result<Epochs<D>> {
        // A database that is not trusted has zxid -1: no epoch yet.
        let of_zxid = if last.0 < 0 { 0 } else { last.epoch() };
        let files = Files { disk: disk.clone(), dirs: dirs.clone() };
        let accepted = files.read(ACCEPTED)?;
        let current = files.read(CURRENT)?;
        let mut known = current.unwrap_or(of_zxid);
        let mut write_current = current.is_none();
        // An interrupted synchronisation: the later epoch was accepted, and not adopted yet.
        let interrupted = accepted.is_some_and(|a| a >= of_zxid);
        // A temporary file may be torn: then it says nothing.
        let adopted = files.read("currentEpoch.tmp").ok().flatten();
        let adopted = adopted.filter(|t| *t >= of_zxid && accepted.is_none_or(|a| *t <= a));
        if of_zxid > known
            && let Some(adopted) = adopted
        {
            // It died between its temporary file and the rename; the history was complete before.
            (known, write_current) = (adopted, true);
        } else if of_zxid > known && !interrupted {
            return Err(StorageError::directory(
                format!("currentEpoch is {known}, but the last transaction {last} is of epoch {of_zxid}"),
                "the snapshots or logs come from another server or a later time: restore all of the data \
                 directory from one source, or empty it to learn everything from the leader",
            ));
        }
        let promised = accepted.unwrap_or(of_zxid.max(known));
        if promised < known {
            return Err(StorageError::directory(
                format!("acceptedEpoch is {promised} and less than currentEpoch {known}"),
                "restore both files from one source; nothing was changed",
            ));
        }
        let promised = if mutant::on("accepted-forgotten") { known } else { promised };
        let write = |name, epoch, anew| if anew { files.write(name, epoch) } else { files.sync(name, epoch) };
        let accepted = write(ACCEPTED, promised, accepted.is_none())?;
        let current = write(CURRENT, known, write_current)?;
        Ok(Epochs { files, current, accepted })
    }

    /// The epoch of the leader whose history this server holds.
    pub fn current(&self) -> u32 {
        *self.current.get()
    }

    /// The last epoch that this server has promised to take part in.
    pub fn accepted(&self) -> u32 {
        *self.accepted.get()
    }

    /// Proofs of both: current, accepted.
    pub fn promised(&self) -> (Durable<u32>, Durable<u32>) {
        (self.current, self.accepted)
    }

    /// Promises an epoch.
    pub fn set_accepted(&mut self, epoch: u32) -> Result<Durable<u32>> {
        let known = self.accepted();
        if epoch < known {
            return Err(StorageError::bug(format!("acceptedEpoch would fall from {known} to {epoch}")));
        }
        self.accepted = self.files.write(ACCEPTED, epoch)?;
        Ok(self.accepted)
    }

    /// Adopts the history of an epoch. The history itself must be durable before.
    pub fn set_current(&mut self, epoch: u32) -> Result<Durable<u32>> {
        let (current, accepted) = (self.current(), self.accepted());
        if epoch < current || epoch > accepted {
            return Err(StorageError::bug(format!(
                "currentEpoch {current} cannot become {epoch} while {accepted} is accepted"
            )));
        }
        self.current = self.files.write(CURRENT, epoch)?;
        Ok(self.current)
    }
}

struct Files<D: Disk> {
    disk: D,
    dirs: Dirs,
}

impl<D: Disk> Files<D> {
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
        if mutant::on("epoch-unsynced") {
            let text = epoch.to_string();
            let again = self
                .disk
                .exists(&path)
                .and_then(|there| if there { self.disk.remove(&path) } else { Ok(()) });
            let made = again.and_then(|()| self.disk.create_new(&path));
            let mut file = made.map_err(|e| StorageError::io("cannot write", &path, &e))?;
            file.write_all_at(text.as_bytes(), 0).map_err(|e| StorageError::io("cannot write", &path, &e))?;
            return Ok(Durable::new(epoch, &file.sync_waived()));
        }
        let synced = self.disk.replace(&path, epoch.to_string().as_bytes());
        let synced = synced.map_err(|e| StorageError::io("cannot write", &path, &e))?;
        Ok(Durable::new(epoch, &synced))
    }

    /// What was read may have been renamed by a process that was killed before its sync.
    fn sync(&self, name: &str, epoch: u32) -> Result<Durable<u32>> {
        let path = self.path(name);
        let io = |e: std::io::Error| StorageError::io("cannot sync", &path, &e);
        let _contents = self.disk.open_read(&path).map_err(io)?.sync().map_err(io)?;
        let synced = self.disk.sync_dir(&self.dirs.snap()).map_err(io)?;
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
        assert!(load(&[("currentEpoch", "3"), ("acceptedEpoch", "3")], Zxid::new(4, 1)).is_err());
        assert!(load(&[("currentEpoch", "3")], Zxid::new(4, 1)).is_err(), "nothing was accepted");
        let interrupted = [("currentEpoch", "3"), ("acceptedEpoch", "5")];
        assert_eq!(load(&interrupted, Zxid::new(4, 1)), Ok((3, 5)), "not adopted yet");
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
