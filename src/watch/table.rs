//! One table of watches: by path to find whom to tell, by connection to forget them.
//!
//! # Invariants
//!
//! * A watch stands in the list of its path, in that of its connection, and in the index
//!   by both; it knows its place in the two lists, so that removing it costs the same
//!   however many there are.
//! * A path without watches is not kept.

use super::mode;
use crate::types::mutant;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// One connection's watch on one path.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    path: u32,
    conn: u32,
    at_path: u32,
    at_conn: u32,
    modes: u8,
}

#[derive(Debug, Default)]
struct Path {
    text: Box<str>,
    watches: Vec<u32>,
}

#[derive(Debug, Default)]
struct Conn {
    listed: bool,
    watches: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Table {
    state: FixedState,
    watches: Vec<Watch>,
    free_watches: Vec<u32>,
    paths: Vec<Path>,
    free_paths: Vec<u32>,
    conns: Vec<Conn>,
    by_text: HashTable<u32>,
    by_pair: HashTable<u32>,
    listed: usize,
    /// Watches with the recursive mode: without any, ancestors are not looked at.
    recursive: usize,
}

impl Table {
    pub(super) fn new(seed: u64) -> Table {
        Table {
            state: FixedState::with_seed(seed),
            watches: Vec::new(),
            free_watches: Vec::new(),
            paths: Vec::new(),
            free_paths: Vec::new(),
            conns: Vec::new(),
            by_text: HashTable::new(),
            by_pair: HashTable::new(),
            listed: 0,
            recursive: 0,
        }
    }

    /// Pairs of connection and path.
    pub(super) fn len(&self) -> usize {
        self.by_pair.len()
    }

    /// Paths that are watched.
    pub(super) fn paths(&self) -> usize {
        self.by_text.len()
    }

    /// Connections that are listed.
    pub(super) fn listed(&self) -> usize {
        self.listed
    }

    /// Adds modes; was the connection not listed before?
    pub(super) fn add(&mut self, conn: u32, text: &str, modes: u8) -> bool {
        let path = self.path_of(text);
        let watch = match self.pair(path, conn) {
            Some(watch) => watch,
            None => self.new_watch(path, conn),
        };
        let w = &mut self.watches[watch as usize];
        if modes & !w.modes & mode::RECURSIVE != 0 {
            self.recursive += 1;
        }
        w.modes |= modes;
        let c = &mut self.conns[conn as usize];
        let first = !c.listed;
        c.listed = true;
        self.listed += usize::from(first);
        first
    }

    /// Has the connection a watch on the path with one of these modes?
    pub(super) fn has(&self, conn: u32, text: &str, modes: u8) -> bool {
        modes != 0 && self.lookup(conn, text).is_some_and(|w| self.watches[w as usize].modes & modes != 0)
    }

    /// Takes modes away: (was there one, is the connection not listed any more).
    pub(super) fn remove(&mut self, conn: u32, text: &str, modes: u8) -> (bool, bool) {
        let Some(watch) = self.lookup(conn, text) else { return (false, false) };
        if self.watches[watch as usize].modes & modes == 0 {
            return (false, false);
        }
        self.take_modes(watch, modes);
        (true, self.unlist_if_empty(conn))
    }

    /// Forgets a connection; was it listed?
    pub(super) fn remove_all(&mut self, conn: u32) -> bool {
        let Some(c) = self.conns.get(conn as usize) else { return false };
        if !c.listed {
            return false;
        }
        while let Some(&watch) = self.conns[conn as usize].watches.last() {
            self.take_modes(watch, mode::ANY);
        }
        self.unlist_if_empty(conn)
    }

    /// Tells the watchers of a path, and recursive watchers of its ancestors. One-shot
    /// watches are consumed.
    pub(super) fn fire(&mut self, text: &str, tell: &mut dyn FnMut(u32)) {
        if let Some(path) = self.find_path(text) {
            let mut i = 0;
            while let Some(&watch) = self.paths[path as usize].watches.get(i) {
                let w = self.watches[watch as usize];
                tell(w.conn);
                let stays = mutant::on("one-shot-stays");
                if w.modes & mode::STANDARD != 0 && !stays {
                    self.take_modes(watch, mode::STANDARD);
                }
                // A watch that is gone has left its place to the last one.
                i += usize::from(w.modes != mode::STANDARD || stays);
            }
        }
        if self.recursive == 0 {
            return;
        }
        let mut at = text;
        while let Some(parent) = parent(at) {
            if let Some(path) = self.find_path(parent) {
                for &watch in &self.paths[path as usize].watches {
                    let w = &self.watches[watch as usize];
                    if w.modes & mode::RECURSIVE != 0 {
                        tell(w.conn);
                    }
                }
            }
            at = parent;
        }
    }

    /// Paths with their connections.
    pub(super) fn by_path(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = u32> + '_)> + '_ {
        self.paths.iter().filter(|p| !p.watches.is_empty()).map(|p| {
            let conns = p.watches.iter().map(|&w| self.watches[w as usize].conn);
            (&*p.text, conns)
        })
    }

    /// Listed connections with their paths.
    pub(super) fn by_conn(&self) -> impl Iterator<Item = (u32, impl Iterator<Item = &str> + '_)> + '_ {
        self.conns.iter().zip(0u32..).filter(|(c, _)| c.listed).map(|(c, slot)| {
            let paths = c.watches.iter().map(|&w| &*self.paths[self.watches[w as usize].path as usize].text);
            (slot, paths)
        })
    }

    fn hash_text(state: &FixedState, text: &str) -> u64 {
        let mut h = state.build_hasher();
        h.write(text.as_bytes());
        h.finish()
    }

    fn hash_pair(state: &FixedState, path: u32, conn: u32) -> u64 {
        let mut h = state.build_hasher();
        h.write_u64(u64::from(path) << 32 | u64::from(conn));
        h.finish()
    }

    fn find_path(&self, text: &str) -> Option<u32> {
        if self.by_text.is_empty() {
            return None;
        }
        let hash = Self::hash_text(&self.state, text);
        self.by_text.find(hash, |&p| *self.paths[p as usize].text == *text).copied()
    }

    fn pair(&self, path: u32, conn: u32) -> Option<u32> {
        let hash = Self::hash_pair(&self.state, path, conn);
        let is = |&w: &u32| {
            let w = &self.watches[w as usize];
            (w.path, w.conn) == (path, conn)
        };
        self.by_pair.find(hash, is).copied()
    }

    fn lookup(&self, conn: u32, text: &str) -> Option<u32> {
        self.pair(self.find_path(text)?, conn)
    }

    fn path_of(&mut self, text: &str) -> u32 {
        if let Some(path) = self.find_path(text) {
            return path;
        }
        let record = Path { text: text.into(), watches: Vec::new() };
        let path = match self.free_paths.pop() {
            Some(path) => {
                self.paths[path as usize] = record;
                path
            }
            None => {
                self.paths.push(record);
                self.paths.len() as u32 - 1
            }
        };
        let (state, paths) = (&self.state, &self.paths);
        let rehash = |&p: &u32| Self::hash_text(state, &paths[p as usize].text);
        self.by_text.insert_unique(Self::hash_text(state, text), path, rehash);
        path
    }

    fn new_watch(&mut self, path: u32, conn: u32) -> u32 {
        if self.conns.len() <= conn as usize {
            self.conns.resize_with(conn as usize + 1, Conn::default);
        }
        let (on_path, of_conn) =
            (&mut self.paths[path as usize].watches, &mut self.conns[conn as usize].watches);
        let (at_path, at_conn) = (on_path.len() as u32, of_conn.len() as u32);
        let record = Watch { path, conn, at_path, at_conn, modes: 0 };
        let watch = match self.free_watches.pop() {
            Some(watch) => {
                self.watches[watch as usize] = record;
                watch
            }
            None => {
                self.watches.push(record);
                self.watches.len() as u32 - 1
            }
        };
        on_path.push(watch);
        of_conn.push(watch);
        let (state, watches) = (&self.state, &self.watches);
        let rehash = |&w: &u32| Self::hash_pair(state, watches[w as usize].path, watches[w as usize].conn);
        self.by_pair.insert_unique(Self::hash_pair(state, path, conn), watch, rehash);
        watch
    }

    /// Takes modes from a watch; without modes it goes.
    fn take_modes(&mut self, watch: u32, modes: u8) {
        let w = &mut self.watches[watch as usize];
        if w.modes & modes & mode::RECURSIVE != 0 {
            self.recursive -= 1;
        }
        w.modes &= !modes;
        if w.modes == 0 {
            self.drop_watch(watch);
        }
    }

    fn drop_watch(&mut self, watch: u32) {
        let w = self.watches[watch as usize];
        let hash = Self::hash_pair(&self.state, w.path, w.conn);
        if let Ok(entry) = self.by_pair.find_entry(hash, |&n| n == watch) {
            entry.remove();
        }
        let list = &mut self.conns[w.conn as usize].watches;
        list.swap_remove(w.at_conn as usize);
        if let Some(&moved) = list.get(w.at_conn as usize) {
            self.watches[moved as usize].at_conn = w.at_conn;
        }
        let list = &mut self.paths[w.path as usize].watches;
        list.swap_remove(w.at_path as usize);
        if let Some(&moved) = list.get(w.at_path as usize) {
            self.watches[moved as usize].at_path = w.at_path;
        }
        if self.paths[w.path as usize].watches.is_empty() {
            self.drop_path(w.path);
        }
        self.free_watches.push(watch);
    }

    fn drop_path(&mut self, path: u32) {
        let hash = Self::hash_text(&self.state, &self.paths[path as usize].text);
        if let Ok(entry) = self.by_text.find_entry(hash, |&p| p == path) {
            entry.remove();
        }
        self.paths[path as usize] = Path::default();
        self.free_paths.push(path);
    }

    fn unlist_if_empty(&mut self, conn: u32) -> bool {
        let c = &mut self.conns[conn as usize];
        if !c.listed || !c.watches.is_empty() {
            return false;
        }
        *c = Conn::default();
        self.listed -= 1;
        true
    }
}

/// The parent of a path; the root has none.
fn parent(path: &str) -> Option<&str> {
    if path.len() <= 1 {
        return None;
    }
    Some(match path.rfind('/')? {
        0 => "/",
        at => &path[..at],
    })
}
