//! Which history the files of a member belong to: a leader may replace it under a snapshot that
//! is being written of the old one.
//!
//! # Invariants
//!
//! * A snapshot that was begun before a truncation or an installation never gets its name after it.
//! * Between that and the moment when the node has taken the new database over none is begun.

use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

#[derive(Debug, Default)]
struct State {
    number: u64,
    /// The files have been replaced, the node's tree has not.
    ahead: bool,
}

/// Shared by the worker that replaces history and by those who write snapshots.
#[derive(Clone, Debug, Default)]
pub struct Branch(Arc<Mutex<State>>);

/// Keeps everybody else from naming a snapshot, or replacing history, while it lives.
#[derive(Debug)]
pub struct Held<'a>(MutexGuard<'a, State>);

impl Held<'_> {
    /// From here on the files belong to another history than the node's tree.
    pub(super) fn replace(&mut self) {
        self.0.number += 1;
        self.0.ahead = true;
    }
}

impl Branch {
    /// The node has taken over what the files hold.
    pub fn adopt(&self) {
        self.0.lock().ahead = false;
    }

    /// The number of the history that the tree shows; `None` while the files are ahead of it.
    pub(super) fn number(&self) -> Option<u64> {
        let state = self.0.lock();
        (!state.ahead).then_some(state.number)
    }

    /// Waits for whoever holds it.
    pub(super) fn hold(&self) -> Held<'_> {
        Held(self.0.lock())
    }

    /// As [`Branch::hold`], if the history is still that of `number`.
    pub(super) fn hold_if(&self, number: u64) -> Option<Held<'_>> {
        let state = self.0.lock();
        (state.number == number).then_some(Held(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_before_the_history_was_replaced_is_not_named() {
        let branch = Branch::default();
        let begun = branch.number().unwrap();
        assert!(branch.hold_if(begun).is_some());
        branch.hold().replace();
        assert!(branch.hold_if(begun).is_none());
        assert_eq!(branch.number(), None, "the tree is still the old one");
        branch.adopt();
        assert!(branch.number().is_some_and(|n| n != begun));
    }
}
