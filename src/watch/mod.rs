//! One-shot, persistent and recursive watches.
//!
//! Two tables, as in ZooKeeper: one for data and existence, one for children. A watch
//! belongs to a connection and dies with it.
//!
//! # Invariants
//!
//! * A change tells a connection once, whatever it has registered for it.
//! * A one-shot watch is gone when it was told.
//! * Recursive watches stand in the data table only and never hear of children.

mod table;
#[cfg(test)]
mod tests;

use crate::proto::{EventKind, WatcherType};
use crate::types::ConnId;
use hashbrown::HashMap;
use table::Table;

/// What is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// One-shot, of getData and exists.
    Data,
    /// One-shot, of getChildren.
    Child,
    /// Stays: data and children of one node (addWatch mode 0).
    Persistent,
    /// Stays: data, creation and deletion of a node and all below (addWatch mode 1).
    Recursive,
}

/// Modes of one connection's watch on one path in one table.
mod mode {
    pub(super) const STANDARD: u8 = 1;
    pub(super) const PERSISTENT: u8 = 2;
    pub(super) const RECURSIVE: u8 = 4;
    pub(super) const ANY: u8 = 7;
}

/// Sizes of the data table, as `wchs` prints them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WatchSummary {
    /// Connections that are listed. As in ZooKeeper, one whose last one-shot watch fired
    /// stays listed until it removes a watch or closes.
    pub connections: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Pairs of connection and path.
    pub total: usize,
}

/// A connection that has watches, or had.
#[derive(Debug)]
struct Conn {
    id: ConnId,
    /// The round in which it was told last.
    told: u64,
    /// In how many tables is it listed?
    tables: u8,
}

/// All watches of a server.
#[derive(Debug)]
pub struct Watches {
    data: Table,
    child: Table,
    conns: Vec<Conn>,
    free: Vec<u32>,
    by_id: HashMap<ConnId, u32, foldhash::fast::FixedState>,
    round: u64,
}

impl Default for Watches {
    fn default() -> Watches {
        Watches::new()
    }
}

impl Watches {
    /// No watches; tables hashed with a constant seed.
    pub fn new() -> Watches {
        Watches::with_seed(0)
    }

    /// No watches; `seed` is entropy from the edge, so that nobody can prepare paths that collide.
    pub fn with_seed(seed: u64) -> Watches {
        Watches {
            data: Table::new(seed),
            child: Table::new(seed),
            conns: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed)),
            round: 0,
        }
    }

    /// Registers a watch; the same one twice is one.
    pub fn add(&mut self, conn: ConnId, path: &str, kind: WatchKind) {
        let slot = self.slot(conn);
        let (data, child) = match kind {
            WatchKind::Data => (mode::STANDARD, 0),
            WatchKind::Child => (0, mode::STANDARD),
            WatchKind::Persistent => (mode::PERSISTENT, mode::PERSISTENT),
            WatchKind::Recursive => (mode::RECURSIVE, 0),
        };
        let mut listed = 0;
        if data != 0 {
            listed += u8::from(self.data.add(slot, path, data));
        }
        if child != 0 {
            listed += u8::from(self.child.add(slot, path, child));
        }
        self.conns[slot as usize].tables += listed;
    }

    /// Is there a watch of this type (checkWatches)?
    pub fn check(&self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        let Some(&slot) = self.by_id.get(&conn) else { return false };
        let (data, child) = modes(kind);
        self.child.has(slot, path, child) || self.data.has(slot, path, data)
    }

    /// Removes the watches of this type (removeWatches); was there one?
    pub fn remove(&mut self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        let Some(&slot) = self.by_id.get(&conn) else { return false };
        let (data, child) = modes(kind);
        let from_child = self.child.remove(slot, path, child);
        let from_data = self.data.remove(slot, path, data);
        self.unlist(slot, from_child.1 as u8 + from_data.1 as u8);
        from_child.0 || from_data.0
    }

    /// Removes everything of a connection; costs as much as it has watches.
    pub fn remove_connection(&mut self, conn: ConnId) {
        let Some(&slot) = self.by_id.get(&conn) else { return };
        let listed = u8::from(self.data.remove_all(slot)) + u8::from(self.child.remove_all(slot));
        self.unlist(slot, listed);
    }

    /// Tells every connection that watches for this change, once, in a fixed order, and
    /// consumes its one-shot watches. A deletion consults both tables.
    pub fn trigger(&mut self, kind: EventKind, path: &str, hit: &mut dyn FnMut(ConnId)) {
        if self.is_empty() {
            return;
        }
        self.round += 1;
        let (round, conns) = (self.round, &mut self.conns);
        let mut tell = |slot: u32| {
            let conn = &mut conns[slot as usize];
            if conn.told != round {
                conn.told = round;
                hit(conn.id);
            }
        };
        match kind {
            EventKind::Created | EventKind::DataChanged => self.data.fire(path, &mut tell),
            EventKind::ChildrenChanged => self.child.fire(path, &mut tell),
            EventKind::Deleted => {
                self.data.fire(path, &mut tell);
                self.child.fire(path, &mut tell);
            }
        }
    }

    /// Is nothing watched at all?
    pub fn is_empty(&self) -> bool {
        self.data.len() == 0 && self.child.len() == 0
    }

    /// Watches in both tables (`watch_count`): pairs of connection and path.
    pub fn count(&self) -> usize {
        self.data.len() + self.child.len()
    }

    /// Sizes of the data table (`wchs`).
    pub fn summary(&self) -> WatchSummary {
        WatchSummary { connections: self.data.listed(), paths: self.data.paths(), total: self.data.len() }
    }

    /// Paths of the data table with their connections (`wchp`).
    pub fn by_path(&self) -> impl Iterator<Item = (&str, Vec<ConnId>)> + '_ {
        self.data.by_path().map(|(path, slots)| (path, slots.map(|s| self.conns[s as usize].id).collect()))
    }

    /// Connections of the data table with their paths (`wchc`).
    pub fn by_connection(&self) -> impl Iterator<Item = (ConnId, Vec<&str>)> + '_ {
        self.data.by_conn().map(|(slot, paths)| (self.conns[slot as usize].id, paths.collect()))
    }

    fn slot(&mut self, conn: ConnId) -> u32 {
        if let Some(&slot) = self.by_id.get(&conn) {
            return slot;
        }
        let record = Conn { id: conn, told: 0, tables: 0 };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.conns[slot as usize] = record;
                slot
            }
            None => {
                self.conns.push(record);
                self.conns.len() as u32 - 1
            }
        };
        self.by_id.insert(conn, slot);
        slot
    }

    /// A connection that no table lists any more is forgotten.
    fn unlist(&mut self, slot: u32, tables: u8) {
        let conn = &mut self.conns[slot as usize];
        conn.tables -= tables;
        if conn.tables == 0 {
            self.by_id.remove(&conn.id);
            self.free.push(slot);
        }
    }
}

/// Modes in (data table, child table) that a type of checkWatches and removeWatches means.
fn modes(kind: WatcherType) -> (u8, u8) {
    match kind {
        WatcherType::Children => (0, mode::STANDARD),
        WatcherType::Data => (mode::STANDARD, 0),
        WatcherType::Any => (mode::ANY, mode::ANY),
        WatcherType::Persistent => (mode::PERSISTENT, mode::PERSISTENT),
        WatcherType::PersistentRecursive => (mode::RECURSIVE, 0),
    }
}
