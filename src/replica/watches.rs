//! From changes to notifications.
//!
//! # Invariants
//!
//! * A connection is told only if its identities may read what the event is about, by the
//!   ACL that the change names; a one-shot watch is used up all the same.
//! * One event per connection and change: a deleted znode tells data and child watchers once.
//! * A notification is encoded once, whoever gets it.

use super::conn::Conn;
use super::observe::Event;
use super::shared::Shared;
use crate::auth::rules::event_bits;
use crate::auth::{Caller, any_of};
use crate::proto::event_frame;
use crate::tree::Change;
use crate::types::{ConnId, mutant};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Scratch space of deliveries, kept by the core.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    hits: Vec<ConnId>,
    frame: Vec<u8>,
}

impl Delivery {
    /// Tells everybody who watches, while the store is held; `touched` collects whom to wake.
    pub fn deliver(&mut self, shared: &Shared, changes: &[Change<'_>], touched: &mut Vec<Arc<Conn>>) {
        if mutant::on("event-lost") {
            return;
        }
        for change in changes {
            self.hits.clear();
            {
                let mut watches = shared.watches.lock();
                if watches.is_empty() {
                    return;
                }
                watches.trigger(change.kind, &change.path, &mut |conn| self.hits.push(conn));
            }
            if !self.hits.is_empty() {
                self.tell(shared, change, touched);
            }
        }
    }

    fn tell(&mut self, shared: &Shared, change: &Change<'_>, touched: &mut Vec<Arc<Conn>>) {
        self.frame.clear();
        event_frame(&mut self.frame, change.zxid, change.kind, &change.path);
        let conns = shared.conns.lock();
        let (mut told, mut withheld) = (0, 0);
        for id in &self.hits {
            let Some(conn) = conns.get(id) else { continue };
            let identities = conn.identities();
            let caller = Caller { providers: &shared.config.providers, identities: &identities };
            if !any_of(&change.acl, event_bits(change.kind), caller) && !mutant::on("event-unfiltered") {
                withheld += 1;
                continue;
            }
            told += 1;
            conn.push(|out| out.extend_from_slice(&self.frame));
            conn.stats.sent.fetch_add(1, Ordering::Relaxed);
            if conn.mark_touched() {
                touched.push(conn.clone());
            }
        }
        let bytes = told * self.frame.len();
        shared.note(&Event::Fired { kind: change.kind, told, withheld, bytes });
    }
}
