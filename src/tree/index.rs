//! From (parent, name) to a node's number.
//!
//! # Invariants
//!
//! * An entry is a node's number and 32 bits of its key's hash; keys are compared where
//!   they lie, and only when those bits agree.
//! * The index is cut into shards, each growing by itself from the bits it keeps: no
//!   single write pays for the whole tree, and growing reads no names.
//! * The hash is seeded, so that a client cannot prepare names that collide.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Shards, a power of two: with 10 million nodes one growth moves 10 thousand entries.
const SHARDS: usize = 1024;

/// The hash of a key: 32 bits choose the shard, 32 are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    fn shard(self) -> usize {
        (self.0 >> 32) as usize & (SHARDS - 1)
    }

    fn tag(self) -> u32 {
        self.0 as u32
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u32,
    tag: u32,
}

/// A table takes bits from both ends of its hash: both ends are the tag.
fn spread(tag: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(tag)
}

#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<HashTable<Entry>>,
    state: FixedState,
}

impl Index {
    pub(super) fn new(seed: u64) -> Index {
        Index { shards: (0..SHARDS).map(|_| HashTable::new()).collect(), state: FixedState::with_seed(seed) }
    }

    #[inline]
    pub(super) fn hash(&self, parent: u32, name: &[u8]) -> KeyHash {
        let mut h = self.state.build_hasher();
        h.write_u32(parent);
        h.write(name);
        KeyHash(h.finish())
    }

    /// The number among those of this hash for which `is` holds.
    #[inline]
    pub(super) fn find(&self, hash: KeyHash, is: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = hash.tag();
        let found = self.shards[hash.shard()].find(spread(tag), |e| e.tag == tag && is(e.number));
        found.map(|e| e.number)
    }

    /// Adds a number that is not there.
    pub(super) fn insert(&mut self, hash: KeyHash, number: u32) {
        let entry = Entry { number, tag: hash.tag() };
        self.shards[hash.shard()].insert_unique(spread(entry.tag), entry, |e| spread(e.tag));
    }

    pub(super) fn remove(&mut self, hash: KeyHash, number: u32) {
        let found = self.shards[hash.shard()].find_entry(spread(hash.tag()), |e| e.number == number);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// Makes room for exactly these hashes.
    pub(super) fn reserve(&mut self, hashes: &[KeyHash]) {
        let mut counts = vec![0usize; SHARDS];
        for hash in hashes {
            counts[hash.shard()] += 1;
        }
        for (shard, more) in self.shards.iter_mut().zip(counts) {
            shard.reserve(more, |e| spread(e.tag));
        }
    }
}

#[cfg(test)]
impl Index {
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }
}
