//! Who watches what: the model's own tables.
//!
//! # Invariants
//! * A change tells a session once, whatever it registered for it.

use super::ask::{CHILDREN, CREATED, DELETED};
use std::collections::BTreeSet;

/// What is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Data,
    Child,
    Persistent,
    Recursive,
}

/// All watches.
#[derive(Default)]
pub struct Watching(BTreeSet<(usize, Kind, String)>);

impl Watching {
    pub fn add(&mut self, who: usize, kind: Kind, path: &str) {
        self.0.insert((who, kind, path.to_owned()));
    }

    pub fn forget(&mut self, who: usize) {
        self.0.retain(|(of, ..)| *of != who);
    }

    /// Does a session watch so (numbers of checkWatches)?
    pub fn has(&self, who: usize, number: i32, path: &str) -> bool {
        meant(number).iter().any(|kind| self.0.contains(&(who, *kind, path.to_owned())))
    }

    /// Ends the watches of this number; were there any?
    pub fn remove(&mut self, who: usize, number: i32, path: &str) -> bool {
        meant(number).iter().filter(|kind| self.0.remove(&(who, **kind, path.to_owned()))).count() > 0
    }

    /// Whom a change concerns, each once; one-shot watches are used up.
    pub fn fire(&mut self, event: i32, path: &str) -> BTreeSet<usize> {
        let data = event != CHILDREN;
        let child = event == CHILDREN || event == DELETED;
        let hit: Vec<(usize, Kind, String)> = self
            .0
            .iter()
            .filter(|(_, kind, at)| match kind {
                Kind::Data => data && at == path,
                Kind::Child => child && at == path,
                Kind::Persistent => at == path,
                Kind::Recursive => data && below(path, at),
            })
            .cloned()
            .collect();
        debug_assert!(event >= CREATED);
        for watch in &hit {
            if matches!(watch.1, Kind::Data | Kind::Child) {
                self.0.remove(watch);
            }
        }
        hit.into_iter().map(|(who, ..)| who).collect()
    }
}

fn meant(number: i32) -> &'static [Kind] {
    match number {
        1 => &[Kind::Child],
        2 => &[Kind::Data],
        3 => &[Kind::Data, Kind::Child, Kind::Persistent, Kind::Recursive],
        4 => &[Kind::Persistent],
        5 => &[Kind::Recursive],
        _ => &[],
    }
}

/// Is `path` the znode `top`, or below it?
fn below(path: &str, top: &str) -> bool {
    top == "/" || path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}
