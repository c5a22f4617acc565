//! The table of ACL lists (`ReferenceCountedACLCache`).
//!
//! Most nodes share a few lists, so a node keeps a slot number. The ids that snapshots
//! carry are Java's: counted up from 1, never reused, -1 for the open list that only
//! the first nodes of a tree have.
//!
//! # Invariants
//!
//! * An entry's uses are the nodes that have its slot; the last one gone, the entry goes.
//! * Slot 0 is the open list with id -1 and stays.
//! * Lists are equal only in the same order, as in Java.

use crate::types::Acl;
use hashbrown::HashMap;
use std::sync::Arc;

/// A shared ACL list.
pub type AclList = Arc<[Acl]>;

/// Id of the open list, `world:anyone` with all permissions, that stands in no table.
pub const OPEN_ACL_ID: i64 = -1;
/// Slot of the open list.
pub(super) const OPEN_SLOT: u32 = 0;

#[derive(Debug)]
struct Entry {
    id: i64,
    list: AclList,
    uses: u64,
}

#[derive(Debug)]
pub(super) struct AclTable {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_list: HashMap<AclList, u32>,
    by_id: HashMap<i64, u32>,
    /// The highest id given so far.
    last_id: i64,
    /// The slot that was interned last: creates come in runs with the same list.
    recent: u32,
    open: AclList,
}

impl AclTable {
    pub(super) fn new() -> AclTable {
        let open: AclList = Arc::from([Acl::open()]);
        let first = Entry { id: OPEN_ACL_ID, list: open.clone(), uses: 0 };
        AclTable {
            entries: vec![Some(first)],
            free: Vec::new(),
            by_list: HashMap::new(),
            by_id: HashMap::new(),
            last_id: 0,
            recent: OPEN_SLOT,
            open,
        }
    }

    /// The list in a slot.
    #[inline]
    pub(super) fn list(&self, slot: u32) -> &AclList {
        self.entries[slot as usize].as_ref().map_or(&self.open, |e| &e.list)
    }

    /// The id of a slot.
    pub(super) fn id(&self, slot: u32) -> i64 {
        self.entries[slot as usize].as_ref().map_or(OPEN_ACL_ID, |e| e.id)
    }

    /// The slot of a list, one use more. A new list gets the next id.
    pub(super) fn intern(&mut self, list: &[Acl]) -> u32 {
        let slot = match self.slot_of(list) {
            Some(slot) => slot,
            None => {
                self.last_id += 1;
                self.add(self.last_id, Arc::from(list))
            }
        };
        self.recent = slot;
        self.hold(slot);
        slot
    }

    fn slot_of(&self, list: &[Acl]) -> Option<u32> {
        if self.recent != OPEN_SLOT
            && let Some(Some(e)) = self.entries.get(self.recent as usize)
            && *e.list == *list
        {
            return Some(self.recent);
        }
        self.by_list.get(list).copied()
    }

    fn add(&mut self, id: i64, list: AclList) -> u32 {
        let entry = Some(Entry { id, list: list.clone(), uses: 0 });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.by_list.insert(list, slot);
        self.by_id.insert(id, slot);
        slot
    }

    /// One use more.
    pub(super) fn hold(&mut self, slot: u32) {
        if let Some(Some(e)) = self.entries.get_mut(slot as usize) {
            e.uses += 1;
        }
    }

    /// One use less; the last one removes the entry.
    pub(super) fn release(&mut self, slot: u32) {
        if let Some(Some(e)) = self.entries.get_mut(slot as usize) {
            e.uses = e.uses.saturating_sub(1);
            if e.uses == 0 && slot != OPEN_SLOT {
                self.remove(slot);
            }
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) else { return };
        // Two ids may have had equal lists in a snapshot: the text leads to one of them.
        if self.by_list.get(&entry.list) == Some(&slot) {
            self.by_list.remove(&entry.list);
        }
        self.by_id.remove(&entry.id);
        self.free.push(slot);
        if self.recent == slot {
            self.recent = OPEN_SLOT;
        }
    }

    /// Takes a list with its id from a snapshot, unused so far. The id -1 is not stored
    /// in snapshots and is left alone.
    pub(super) fn load(&mut self, id: i64, list: Vec<Acl>) {
        if id == OPEN_ACL_ID {
            return;
        }
        self.last_id = self.last_id.max(id);
        if let Some(&slot) = self.by_id.get(&id) {
            self.remove(slot);
        }
        self.add(id, Arc::from(list));
    }

    /// The slot of an id of a snapshot, one use more; `None` when the table lacks it.
    pub(super) fn hold_id(&mut self, id: i64) -> Option<u32> {
        let slot = if id == OPEN_ACL_ID { OPEN_SLOT } else { *self.by_id.get(&id)? };
        self.hold(slot);
        Some(slot)
    }

    /// Removes what no node uses.
    pub(super) fn purge_unused(&mut self) {
        for slot in 1..self.entries.len() as u32 {
            if self.entries[slot as usize].as_ref().is_some_and(|e| e.uses == 0) {
                self.remove(slot);
            }
        }
    }

    /// Nodes whose list is one of those that `is` picks.
    pub(super) fn count_where(&self, is: impl Fn(&[Acl]) -> bool) -> u64 {
        self.entries.iter().flatten().filter(|e| is(&e.list)).map(|e| e.uses).sum()
    }

    /// Every stored list with its id, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &AclList)> {
        self.entries.iter().skip(1).flatten().map(|e| (e.id, &e.list))
    }

    /// The id of every slot, for a snapshot that reads slots of this moment later.
    pub(super) fn ids(&self) -> Vec<i64> {
        self.entries.iter().map(|e| e.as_ref().map_or(OPEN_ACL_ID, |e| e.id)).collect()
    }

    /// Lists in the table, the open one not counted (`aclCacheSize`).
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
impl AclTable {
    /// Uses by slot, where there are any.
    pub(super) fn uses(&self) -> std::collections::BTreeMap<u32, u64> {
        let used = |(slot, e): (u32, &Option<Entry>)| Some((slot, e.as_ref()?.uses));
        (0u32..).zip(&self.entries).filter_map(used).filter(|(_, uses)| *uses > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(perms: i32) -> Vec<Acl> {
        vec![Acl { perms, ..Acl::open() }]
    }

    #[test]
    fn ids_count_up_and_are_not_used_again() {
        let mut t = AclTable::new();
        let a = t.intern(&list(1));
        let b = t.intern(&list(31));
        assert_eq!((t.id(a), t.id(b)), (1, 2), "an explicit open list has an id of its own");
        assert_eq!(t.intern(&list(1)), a);
        t.release(a);
        assert_eq!(t.len(), 2);
        t.release(a);
        assert_eq!(t.len(), 1);
        let again = t.intern(&list(1));
        assert_eq!(t.id(again), 3);
        assert_eq!(t.list(again)[0].perms, 1);
    }

    #[test]
    fn the_open_list_stays() {
        let mut t = AclTable::new();
        t.release(OPEN_SLOT);
        t.release(OPEN_SLOT);
        assert_eq!(t.id(OPEN_SLOT), OPEN_ACL_ID);
        assert_eq!(t.len(), 0);
        assert_eq!(t.list(OPEN_SLOT)[..], [Acl::open()]);
    }

    #[test]
    fn a_loaded_table_goes_on_after_its_highest_id_and_drops_what_nobody_uses() {
        let mut t = AclTable::new();
        t.load(7, list(1));
        t.load(5, list(2));
        t.load(9, list(1));
        assert!(t.hold_id(7).is_some() && t.hold_id(5).is_some());
        assert_eq!(t.hold_id(8), None);
        t.purge_unused();
        assert_eq!(t.iter().map(|(id, _)| id).collect::<Vec<_>>(), vec![7, 5]);
        let new = t.intern(&list(4));
        assert_eq!(t.id(new), 10);
    }
}
