//! What the log of a standalone server and the disk of a member have in common: figures of what is written, rest,
//! purging, and what an operator is told of the room.
//!
//! # Invariants
//!
//! * While something is written the desk is busy, whoever writes.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{error, info, warn};

use super::flush;
use crate::config::settings;
use crate::metrics::Metrics;
use crate::os::clock;
use crate::replica::StorageState;
use crate::types::Instant;

/// The desk of one log.
pub struct Desk {
    /// How the log is kept.
    pub settings: settings::Storage,
    metrics: Arc<Metrics>,
    busy: AtomicBool,
    unsettled: AtomicBool,
}

impl Desk {
    /// At rest.
    pub fn new(metrics: Arc<Metrics>, settings: settings::Storage) -> Desk {
        Desk { settings, metrics, busy: AtomicBool::new(false), unsettled: AtomicBool::new(false) }
    }

    /// Does `work`, which writes so many transactions and syncs; measured unless it writes none. `since`:
    /// when those that waited for a thread were handed over.
    pub fn work<T>(&self, transactions: usize, since: &[Instant], work: impl FnOnce() -> T) -> T {
        let begun = clock::mono();
        self.busy.store(true, Ordering::Relaxed);
        let done = work();
        self.busy.store(false, Ordering::Relaxed);
        self.unsettled.store(true, Ordering::Relaxed);
        if transactions > 0 {
            flush::measure(&self.metrics, &self.settings, transactions, begun, since);
        }
        done
    }

    /// Is something written right now?
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Was something written since the last call, so that durable marks are to be made exact?
    pub fn settles(&self) -> bool {
        self.unsettled.swap(false, Ordering::Relaxed)
    }

    /// Says what a purge removed.
    pub fn purged<W: Display, E: Display>(removed: Result<Vec<W>, E>) {
        match removed {
            Ok(removed) => removed.iter().for_each(|what| info!("purge: {what}")),
            Err(why) => error!("purge: {why}"),
        }
    }
}

/// The storage is in this state now; false if it was before. What changes for clients is said.
pub fn storage_is(before: &mut StorageState, now: StorageState) -> bool {
    if std::mem::replace(before, now) == now {
        return false;
    }
    match now {
        StorageState::Good => info!("disk: there is room again; everything is served"),
        StorageState::Full => warn!(
            "disk: no room for the transaction log; creates and growing writes are refused, \
             reads, deletes and closes go on: free some space"
        ),
        StorageState::Failed => {}
    }
    true
}
