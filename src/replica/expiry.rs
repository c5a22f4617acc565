//! What happens by itself: silent sessions end, empty containers and old TTL nodes go.
//!
//! # Invariants
//!
//! * Expiry is a transaction like any other; nothing of the ensemble disappears on its own. A learner
//!   keeps the time of its local sessions alone.
//! * Deletes of one scan are spread out, so that a large one does not crowd out clients.

use super::node::Node;
use super::observe::{Event, SessionEvent};
use super::pipeline::Source;
use super::role::Role;
use crate::limits::REAPED_AT_ONCE;
use crate::txn::kind;
use crate::types::{Instant, Now, SessionId};
use std::collections::VecDeque;
use std::time::Duration;

/// The scan for containers and TTL nodes (`ContainerManager`).
#[derive(Debug)]
pub(super) struct Reaper {
    next_scan: Instant,
    next_delete: Instant,
    due: VecDeque<String>,
}

impl Reaper {
    pub fn new(now: Instant, interval: Duration) -> Reaper {
        Reaper { next_scan: now + interval, next_delete: now, due: VecDeque::new() }
    }

    /// When it wants to be called.
    pub fn next(&self) -> Instant {
        if self.due.is_empty() { self.next_scan } else { self.next_delete }
    }
}

impl Node {
    /// Expires sessions whose time is over, of those that this server keeps the time of.
    pub(super) fn expire_sessions(&mut self, now: Now) {
        let gone = {
            let mut sessions = self.shared.sessions.lock();
            if sessions.next_look() > now.mono {
                return;
            }
            sessions.expire(now.mono)
        };
        for id in gone {
            let conn = self.holders.get(&id).map(|conn| &**conn);
            self.shared.note(&Event::Session { id, what: SessionEvent::Expired, conn });
            if !self.end_local(id) && matches!(self.role, Role::Alone | Role::Leading(_)) {
                self.close_session(id, 0, Source::Own, None, now);
            }
        }
    }

    /// Finds and deletes what containers and TTLs leave behind.
    pub(super) fn reap(&mut self, now: Now) {
        let config = &self.shared.config;
        let (interval, spacing, never_used) =
            (config.container_interval, config.container_spacing, config.container_never_used_ms);
        if self.reaper.due.is_empty() && now.mono >= self.reaper.next_scan {
            let found = self.shared.store().tree.expiry_candidates(now.wall_ms, never_used, REAPED_AT_ONCE);
            self.reaper.due = found.into();
            self.reaper.next_scan = now.mono + interval;
            self.reaper.next_delete = now.mono;
        }
        while now.mono >= self.reaper.next_delete {
            let Some(path) = self.reaper.due.pop_front() else { return };
            self.reaper.next_delete = self.reaper.next_delete + spacing;
            self.delete_container(&path, now);
        }
    }

    fn delete_container(&mut self, path: &str, now: Now) {
        let made = self.with_admission(SessionId::NONE, 0, now, |admission| {
            admission.delete_container(path).map(|part| {
                debug_assert_eq!(part.kind, kind::DELETE_CONTAINER);
                admission.admit_own(part.kind, part.txn)
            })
        });
        if let Some(record) = made.flatten() {
            self.propose(record, Source::Own, None, now);
        }
    }
}
