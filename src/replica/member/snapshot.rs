//! A snapshot on its way to a learner: a point in time that ends by itself.
//!
//! # Invariants
//!
//! * Whoever drops it lets go of the point in time, also when the link is lost half-way.

use crate::replica::{Shared, SnapshotTask};
use crate::types::Zxid;
use std::sync::Arc;

/// A point in time of the tree, and where to read it.
#[derive(Debug)]
pub struct OpenSnapshot {
    shared: Arc<Shared>,
    task: Option<SnapshotTask>,
}

impl OpenSnapshot {
    /// Fixes the state as it is now.
    pub fn begin(shared: &Arc<Shared>) -> OpenSnapshot {
        OpenSnapshot { task: Some(shared.begin_snapshot()), shared: shared.clone() }
    }

    /// Its parts, for a sender that ends it by itself; `None` when it has ended.
    pub fn into_parts(mut self) -> Option<(Arc<Shared>, SnapshotTask)> {
        let task = self.task.take()?;
        Some((self.shared.clone(), task))
    }

    /// The last transaction in it.
    pub fn zxid(&self) -> Zxid {
        self.task.as_ref().map_or(Zxid::ZERO, SnapshotTask::zxid)
    }
}

impl Drop for OpenSnapshot {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.shared.end_snapshot(task);
        }
    }
}
