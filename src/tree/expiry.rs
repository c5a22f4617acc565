//! Which containers and TTL nodes may be deleted (`ContainerManager`).
//!
//! # Invariants
//!
//! * A candidate is only a proposal: admission checks it again, against all that is outstanding.
//! * One step looks at a bounded number of nodes; millions of TTL nodes stop nobody.

use super::Tree;
use crate::types::Owner;

/// Where a scan of containers and TTL nodes stands.
#[derive(Clone, Debug, Default)]
pub struct ExpiryScan {
    containers_done: bool,
    next: u32,
}

impl Tree {
    /// Containers that had children and have none, and TTL nodes without children whose
    /// time is over. `wall_ms` is the wall clock; `never_used_ms` other than 0 also gives
    /// containers that had no child for so long. At most `limit` paths.
    pub fn expiry_candidates(&self, wall_ms: i64, never_used_ms: i64, limit: usize) -> Vec<String> {
        let mut scan = ExpiryScan::default();
        let mut found = Vec::new();
        while self.expiry_step(&mut scan, usize::MAX, wall_ms, never_used_ms, &mut found) {}
        found.truncate(limit);
        found
    }

    /// One step of such a scan over at most `nodes` nodes; appends to `found`. False at the end.
    pub fn expiry_step(
        &self,
        scan: &mut ExpiryScan,
        nodes: usize,
        wall_ms: i64,
        never_used_ms: i64,
        found: &mut Vec<String>,
    ) -> bool {
        let start = scan.next;
        let stopped = if scan.containers_done {
            self.visit(self.owners.ttls_from(start), nodes, wall_ms, never_used_ms, found)
        } else {
            self.visit(self.owners.containers_from(start), nodes, wall_ms, never_used_ms, found)
        };
        match stopped {
            Some(next) => scan.next = next,
            None if scan.containers_done => return false,
            None => (scan.containers_done, scan.next) = (true, 0),
        }
        true
    }

    /// Looks at the first `nodes` of `ids`; the first one that is left, if any.
    fn visit(
        &self,
        mut ids: impl Iterator<Item = u32>,
        nodes: usize,
        wall_ms: i64,
        never_used_ms: i64,
        found: &mut Vec<String>,
    ) -> Option<u32> {
        for id in ids.by_ref().take(nodes) {
            if self.expired(id, wall_ms, never_used_ms) {
                found.push(self.store.path(id));
            }
        }
        ids.next()
    }

    fn expired(&self, id: u32, wall_ms: i64, never_used_ms: i64) -> bool {
        if !self.store.children(id).is_empty() {
            return false;
        }
        let node = self.store.node(id);
        let unchanged = wall_ms.saturating_sub(node.mtime);
        match self.cfg.owner(node.owner) {
            Owner::Container if node.cversion > 0 => true,
            Owner::Container => never_used_ms != 0 && unchanged > never_used_ms,
            Owner::Ttl(ttl) => ttl != 0 && unchanged > ttl,
            Owner::Persistent | Owner::Session(_) => false,
        }
    }
}
