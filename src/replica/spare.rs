//! Memory of transactions that are over, for the next ones: a pipeline of writes asks the allocator
//! for nothing that it had a moment ago.
//!
//! # Invariants
//!
//! * What is kept is bounded: lists, paths, and the length of each.
//! * Nothing of an old transaction is seen in a new one: what is handed out is empty, or the path asked for.

use crate::limits::{PARTS_KEPT, PATH_KEPT, PATHS_KEPT};
use crate::txn::{SubTxn, Txn};

/// Empty lists and used paths.
#[derive(Default)]
pub(super) struct Spare {
    lists: Vec<Vec<SubTxn>>,
    paths: Vec<String>,
}

impl Spare {
    /// An empty list for the parts of a multi.
    pub(super) fn list(&mut self) -> Vec<SubTxn> {
        self.lists.pop().unwrap_or_default()
    }

    /// This path, in memory of an old one.
    pub(super) fn path(&mut self, path: &str) -> String {
        let Some(mut old) = self.paths.pop() else { return path.to_owned() };
        old.clear();
        old.push_str(path);
        old
    }

    /// A transaction is over.
    pub(super) fn take_back(&mut self, txn: Txn) {
        match txn {
            Txn::Multi(mut parts) => {
                for part in parts.drain(..) {
                    self.take_path(part.txn);
                }
                if parts.capacity() <= PARTS_KEPT && self.lists.len() < PARTS_KEPT {
                    self.lists.push(parts);
                }
            }
            other => self.take_path(other),
        }
    }

    fn take_path(&mut self, txn: Txn) {
        if let Txn::SetData { path, .. } | Txn::Delete { path } | Txn::Check { path, .. } = txn
            && self.paths.len() < PATHS_KEPT
            && path.capacity() <= PATH_KEPT
        {
            self.paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn::kind;

    fn set(path: &str) -> SubTxn {
        let txn = Txn::SetData { path: path.to_owned(), data: None, version: 1 };
        SubTxn { kind: kind::SET_DATA, txn }
    }

    #[test]
    fn what_is_over_serves_again_and_shows_nothing_of_the_old() {
        let mut spare = Spare::default();
        let long = set("/a/long/path");
        let Txn::SetData { path, .. } = &long.txn else { unreachable!("a set") };
        let place = path.as_ptr();
        let mut list = Vec::with_capacity(8);
        list.push(long);
        spare.take_back(Txn::Multi(list));
        assert!(spare.list().is_empty());
        let path = spare.path("/b");
        assert_eq!((path.as_str(), path.as_ptr()), ("/b", place));
        assert_eq!(spare.path("/c"), "/c");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spare = Spare::default();
        spare.take_back(Txn::Multi((0..PATHS_KEPT + 9).map(|i| set(&format!("/{i}"))).collect()));
        assert_eq!((spare.paths.len(), spare.lists.len()), (PATHS_KEPT, 0));
        spare.paths.clear();
        spare.take_back(Txn::Delete { path: "x".repeat(PATH_KEPT + 1) });
        assert!(spare.paths.is_empty());
        for _ in 0..PARTS_KEPT + 9 {
            spare.take_back(Txn::Multi(Vec::with_capacity(2)));
        }
        assert_eq!(spare.lists.len(), PARTS_KEPT);
    }
}
