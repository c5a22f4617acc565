//! Room on the medium: when growth is to be refused, and the reserve that lets deletes and
//! closes be logged even then.
//!
//! # Invariants
//!
//! * The state changes with a distance between both limits, so that it does not flutter.
//! * The reserve is given up only when the log could not grow otherwise, and is made again
//!   only when the disk is good again.

use super::names::Dirs;
use crate::disk::{Disk, DiskFile};
use crate::limits::{DISK_FULL_BELOW, DISK_GOOD_FROM, DISK_RESERVE};
use std::path::PathBuf;

/// How the medium is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Health {
    /// Everything is taken.
    #[default]
    Good,
    /// What makes the database grow is refused; all else goes on. Recovers by itself.
    Full,
    /// A write or sync failed: nothing is promised any more.
    Failed,
}

/// Bounds of the policy, bytes; [`Room::default`] is the production's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Full below so much.
    pub full_below: u64,
    /// Good again from so much.
    pub good_from: u64,
    /// Size of the reserve.
    pub reserve: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { full_below: DISK_FULL_BELOW, good_from: DISK_GOOD_FROM, reserve: DISK_RESERVE }
    }
}

/// Watches the medium of the log.
pub struct Space<D: Disk> {
    disk: D,
    dirs: Dirs,
    room: Room,
    full: bool,
    reserve: bool,
}

impl<D: Disk> Space<D> {
    /// Starts as good; the first check tells.
    pub fn new(disk: D, dirs: Dirs, room: Room) -> Space<D> {
        let reserve = disk.exists(&dirs.own().join(RESERVE)).unwrap_or(false);
        Space { disk, dirs, room, full: false, reserve }
    }

    /// Is growth to be refused?
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Looks at both media and decides anew. A medium that cannot be asked counts as it did.
    pub fn check(&mut self) {
        let log = self.disk.space(&self.dirs.log()).map(|s| s.free);
        let snap = self.disk.space(&self.dirs.snap()).map(|s| s.free);
        let (Ok(log), Ok(snap)) = (log, snap) else { return };
        let free = log.min(snap);
        let kept = if self.reserve { 0 } else { self.room.reserve };
        if self.full {
            self.full = free < self.room.good_from + kept;
        } else {
            self.full = free < self.room.full_below;
        }
        if !self.full && !self.reserve && free >= self.room.good_from + kept {
            self.reserve = self.make_reserve().is_ok();
        }
    }

    /// Would the medium still be good with so many bytes less? If it cannot be asked: yes.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        let free = self.disk.space(&self.dirs.log()).map_or(u64::MAX, |s| s.free);
        free >= bytes.saturating_add(self.room.good_from)
    }

    /// The log met a full medium: says so, and gives the reserve up. True if there was one.
    pub fn give_up_reserve(&mut self) -> bool {
        self.full = true;
        let had = self.reserve && self.disk.remove(&self.path()).is_ok();
        self.reserve = false;
        had
    }

    fn path(&self) -> PathBuf {
        self.dirs.own().join(RESERVE)
    }

    fn make_reserve(&self) -> std::io::Result<()> {
        if self.room.reserve == 0 {
            return Ok(());
        }
        let own = self.dirs.own();
        if !self.disk.exists(&own)? {
            self.disk.create_dir_all(&own)?;
        }
        let made = self.disk.create_new(&self.path()).and_then(|mut f| f.preallocate(self.room.reserve));
        if made.is_err() {
            let _ = self.disk.remove(&self.path());
        }
        made
    }
}

const RESERVE: &str = "reserve";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::mem::MemDisk;
    use std::path::Path;

    #[test]
    fn the_state_has_a_distance_and_the_reserve_comes_back() {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/z/version-2")).unwrap();
        let dirs = Dirs::new(Path::new("/z"), Path::new("/z"));
        let room = Room { full_below: 100, good_from: 200, reserve: 50 };
        let mut space = Space::new(disk.clone(), dirs, room);
        let mut at = |capacity: u64| {
            disk.set_capacity(Some(capacity));
            space.check();
            (space.full, space.reserve)
        };
        assert_eq!(at(1000), (false, true));
        assert_eq!(at(150 + 50), (false, true), "between the limits it stays good");
        assert_eq!(at(99 + 50), (true, true));
        assert_eq!(at(199 + 50), (true, true), "and stays full");
        assert_eq!(at(200 + 50), (false, true));
        assert!(space.give_up_reserve());
        assert!(!space.give_up_reserve());
        disk.set_capacity(Some(249));
        space.check();
        assert_eq!((space.full, space.reserve), (true, false));
        disk.set_capacity(Some(250));
        space.check();
        assert_eq!((space.full, space.reserve), (false, true));
    }
}
