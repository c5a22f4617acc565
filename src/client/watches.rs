//! Watches that a session has set: which events it expects, and what to set again.
//!
//! # Invariants
//!
//! * Paths are the server's (chroot included).
//! * A one-shot watch is forgotten by the event that it waited for.

use super::event::{EventType, KeeperState, WatchedEvent};
use crate::limits::CLIENT_SET_WATCHES_BYTES;
use crate::proto::{AddWatchMode, OpCode, Request, SetWatches, WatcherType};
use std::borrow::Cow;
use std::collections::HashSet;

/// What a reply does to the table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// A data watch, set if the request succeeded.
    Data(String),
    /// exists with a watch: a data watch if the znode exists, an exist watch if it does not.
    Exists(String),
    /// A child watch.
    Child(String),
    /// A persistent watch.
    Add(String, AddWatchMode),
    /// Watches to forget; `local`: even if the server says no.
    Remove {
        /// Server's path.
        path: String,
        /// Which.
        kind: WatcherType,
        /// Forget them even when the server could not be asked.
        local: bool,
    },
}

/// The table.
#[derive(Debug, Default)]
pub struct Watches {
    data: HashSet<String>,
    exist: HashSet<String>,
    child: HashSet<String>,
    persistent: HashSet<String>,
    recursive: HashSet<String>,
}

impl Watches {
    /// Registers what a successful request asked for. `found`: did the znode exist?
    pub fn set(&mut self, effect: Effect, found: bool) {
        match effect {
            Effect::Data(path) => {
                self.data.insert(path);
            }
            Effect::Exists(path) => {
                if found { &mut self.data } else { &mut self.exist }.insert(path);
            }
            Effect::Child(path) => {
                self.child.insert(path);
            }
            Effect::Add(path, AddWatchMode::Persistent) => {
                self.persistent.insert(path);
            }
            Effect::Add(path, AddWatchMode::PersistentRecursive) => {
                self.recursive.insert(path);
            }
            Effect::None | Effect::Remove { .. } => {}
        }
    }

    /// Forgets watches; the types of the removal events that follow, in Java's order.
    pub fn remove(&mut self, path: &str, kind: WatcherType) -> Vec<EventType> {
        let any = kind == WatcherType::Any;
        let mut removed = Vec::new();
        if (any || kind == WatcherType::Children) && self.child.remove(path) {
            removed.push(EventType::ChildWatchRemoved);
        }
        if any || kind == WatcherType::Data {
            let (data, exist) = (self.data.remove(path), self.exist.remove(path));
            if data || exist {
                removed.push(EventType::DataWatchRemoved);
            }
        }
        let mut persistent = (any || kind == WatcherType::Persistent) && self.persistent.remove(path);
        persistent |= (any || kind == WatcherType::PersistentRecursive) && self.recursive.remove(path);
        if persistent {
            removed.push(EventType::PersistentWatchRemoved);
        }
        removed
    }

    /// Consumes one-shot watches for a notification; true if anybody waits for it.
    pub fn fire(&mut self, kind: EventType, path: &str) -> bool {
        let one_shot = match kind {
            EventType::NodeCreated | EventType::NodeDataChanged => {
                self.data.remove(path) | self.exist.remove(path)
            }
            EventType::NodeChildrenChanged => self.child.remove(path),
            EventType::NodeDeleted => {
                self.data.remove(path) | self.exist.remove(path) | self.child.remove(path)
            }
            _ => false,
        };
        let persistent = self.persistent.contains(path);
        // Child events of descendants are none of a recursive watch's business.
        let recursive = kind != EventType::NodeChildrenChanged && self.covers(path);
        one_shot || persistent || recursive
    }

    fn covers(&self, path: &str) -> bool {
        if self.recursive.is_empty() {
            return false;
        }
        let mut at = path;
        loop {
            if self.recursive.contains(at) {
                return true;
            }
            match crate::types::path::split(at) {
                Some((parent, _)) => at = parent,
                None => return false,
            }
        }
    }

    /// The setWatches requests that restore this table on a new connection, split so that
    /// each stays well below a frame. The older op serves servers before 3.6.
    pub fn restore(&self, relative_zxid: i64) -> Vec<(OpCode, Vec<u8>)> {
        let mut parts: Vec<SetWatches<'_>> = Vec::new();
        let mut size = usize::MAX;
        let lists = [&self.data, &self.exist, &self.child, &self.persistent, &self.recursive];
        for (list, paths) in lists.into_iter().enumerate() {
            for path in paths {
                if size.saturating_add(path.len() + 4) > CLIENT_SET_WATCHES_BYTES {
                    parts.push(SetWatches { relative_zxid, ..SetWatches::default() });
                    size = 0;
                }
                size += path.len() + 4;
                let Some(part) = parts.last_mut() else { continue };
                let target = match list {
                    0 => &mut part.data,
                    1 => &mut part.exist,
                    2 => &mut part.child,
                    3 => &mut part.persistent,
                    _ => &mut part.recursive,
                };
                target.push(Cow::Borrowed(path.as_str()));
            }
        }
        parts.into_iter().map(encode).collect()
    }
}

fn encode(part: SetWatches<'_>) -> (OpCode, Vec<u8>) {
    let old = part.persistent.is_empty() && part.recursive.is_empty();
    let mut record = Vec::new();
    Request::SetWatches(part).encode_record(&mut record);
    if old {
        record.truncate(record.len() - 8); // the two empty lists that only setWatches2 has
        (OpCode::SetWatches, record)
    } else {
        (OpCode::SetWatches2, record)
    }
}

/// The event that tells the owner of a removed watch.
pub fn removal_event(kind: EventType, state: KeeperState, path: &str) -> WatchedEvent {
    WatchedEvent { state, kind, path: Some(path.to_owned()), zxid: -1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Reader;

    #[test]
    fn one_shot_watches_fire_once_and_persistent_ones_stay() {
        let mut w = Watches::default();
        w.set(Effect::Data("/a".into()), true);
        w.set(Effect::Exists("/b".into()), false);
        w.set(Effect::Child("/a".into()), true);
        w.set(Effect::Add("/p".into(), AddWatchMode::PersistentRecursive), true);
        assert!(!w.fire(EventType::NodeDataChanged, "/other"));
        assert!(w.fire(EventType::NodeDataChanged, "/a"));
        assert!(!w.fire(EventType::NodeDataChanged, "/a"));
        assert!(w.fire(EventType::NodeDeleted, "/a"), "child watch");
        assert!(w.fire(EventType::NodeCreated, "/b"));
        assert!(w.fire(EventType::NodeCreated, "/p/q/r"));
        assert!(w.fire(EventType::NodeCreated, "/p/q/r"));
        assert!(!w.fire(EventType::NodeChildrenChanged, "/p/q"));
    }

    #[test]
    fn removal_names_what_was_removed() {
        let mut w = Watches::default();
        w.set(Effect::Data("/a".into()), true);
        w.set(Effect::Exists("/a".into()), false);
        w.set(Effect::Child("/a".into()), true);
        w.set(Effect::Add("/a".into(), AddWatchMode::Persistent), true);
        assert_eq!(w.remove("/a", WatcherType::Children), [EventType::ChildWatchRemoved]);
        assert_eq!(
            w.remove("/a", WatcherType::Any),
            [EventType::DataWatchRemoved, EventType::PersistentWatchRemoved]
        );
        assert!(w.remove("/a", WatcherType::Any).is_empty());
    }

    #[test]
    fn watches_are_restored_in_frames_of_bounded_size() {
        let mut w = Watches::default();
        assert!(w.restore(5).is_empty());
        for i in 0..20_000 {
            w.set(Effect::Data(format!("/some/rather/long/path/{i}")), true);
        }
        let frames = w.restore(5);
        assert!(frames.len() > 2);
        let mut total = 0;
        for (op, record) in &frames {
            assert_eq!(*op, OpCode::SetWatches);
            assert!(record.len() <= CLIENT_SET_WATCHES_BYTES + 64);
            let Ok(Request::SetWatches(s)) = Request::decode(*op, &mut Reader::new(record)) else { panic!() };
            assert_eq!(s.relative_zxid, 5);
            total += s.data.len();
        }
        assert_eq!(total, 20_000);
        let mut w = Watches::default();
        w.set(Effect::Add("/p".into(), AddWatchMode::Persistent), true);
        assert_eq!(w.restore(1).first().map(|f| f.0), Some(OpCode::SetWatches2));
    }
}
