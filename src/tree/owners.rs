//! Nodes that somebody or something will delete: ephemerals by session, containers,
//! nodes with a time to live.
//!
//! # Invariants
//!
//! * A live node stands here exactly as its owner field says ([`Owner`]).
//! * Everything iterates in order of sessions and node numbers: same history, same order.

use crate::types::Owner;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Owners {
    ephemerals: BTreeMap<i64, BTreeSet<u32>>,
    ephemeral_count: usize,
    containers: BTreeSet<u32>,
    ttls: BTreeSet<u32>,
}

impl Owners {
    pub(super) fn add(&mut self, id: u32, owner: Owner) {
        match owner {
            Owner::Persistent => {}
            Owner::Session(session) => {
                if self.ephemerals.entry(session).or_default().insert(id) {
                    self.ephemeral_count += 1;
                }
            }
            Owner::Container => {
                self.containers.insert(id);
            }
            Owner::Ttl(_) => {
                self.ttls.insert(id);
            }
        }
    }

    pub(super) fn remove(&mut self, id: u32, owner: Owner) {
        match owner {
            Owner::Persistent => {}
            Owner::Session(session) => {
                if let Some(set) = self.ephemerals.get_mut(&session) {
                    self.ephemeral_count -= usize::from(set.remove(&id));
                    if set.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Owner::Container => {
                self.containers.remove(&id);
            }
            Owner::Ttl(_) => {
                self.ttls.remove(&id);
            }
        }
    }

    pub(super) fn of_session(&self, session: i64) -> impl Iterator<Item = u32> + '_ {
        self.ephemerals.get(&session).into_iter().flatten().copied()
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = i64> + '_ {
        self.ephemerals.keys().copied()
    }

    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemeral_count
    }

    pub(super) fn containers_from(&self, id: u32) -> impl Iterator<Item = u32> + '_ {
        self.containers.range(id..).copied()
    }

    pub(super) fn ttls_from(&self, id: u32) -> impl Iterator<Item = u32> + '_ {
        self.ttls.range(id..).copied()
    }
}
