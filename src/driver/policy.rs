//! When it is time for a snapshot (`SyncRequestProcessor.shouldSnapshot`).
//!
//! # Invariants
//!
//! * The next snapshot is due after a random half to all of snapCount transactions, or of
//!   snapSizeLimitInKb of log: members of an ensemble do not all snapshot at once.

use crate::config::settings;

/// A small generator for the spread (SplitMix64): its seed is entropy from the edge, so that
/// the simulator can repeat what it drew.
#[derive(Clone, Debug)]
pub struct Spread(u64);

impl Spread {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Spread {
        Spread(seed)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

/// Counts what was logged since the last snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotPolicy {
    count_limit: u64,
    size_limit: Option<u64>,
    spread: Spread,
    count: u64,
    bytes: u64,
    count_due: u64,
    size_due: u64,
}

impl SnapshotPolicy {
    /// `snapCount` and `snapSizeLimitInKb`, and a seed for the spread.
    pub fn new(s: &settings::Storage, seed: u64) -> SnapshotPolicy {
        let mut policy = SnapshotPolicy {
            count_limit: u64::from(s.snap_count).max(2),
            size_limit: s.snap_size_limit,
            spread: Spread::new(seed),
            count: 0,
            bytes: 0,
            count_due: 0,
            size_due: 0,
        };
        policy.restart();
        policy
    }

    /// So much was logged. Is a snapshot due? Then counting starts anew.
    pub fn logged(&mut self, transactions: u64, bytes: u64) -> bool {
        self.count += transactions;
        self.bytes += bytes;
        let due = self.count >= self.count_due || (self.size_limit.is_some() && self.bytes >= self.size_due);
        if due {
            self.restart();
        }
        due
    }

    fn restart(&mut self) {
        (self.count, self.bytes) = (0, 0);
        let half = self.count_limit / 2;
        self.count_due = half + self.spread.below(half.max(1)) + 1;
        let half = self.size_limit.unwrap_or(0) / 2;
        self.size_due = half + self.spread.below(half.max(1)) + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_between_half_and_all_of_the_limit() {
        let s = settings::Storage { snap_count: 1000, snap_size_limit: Some(1 << 20), ..Default::default() };
        for seed in 0..200 {
            let mut p = SnapshotPolicy::new(&s, seed);
            let first = (1u64..).find(|_| p.logged(1, 1)).unwrap();
            assert!((500..=1001).contains(&first), "seed {seed}: {first}");
            let mut p = SnapshotPolicy::new(&s, seed);
            let first = (1u64..).find(|_| p.logged(0, 4096)).unwrap() * 4096;
            assert!(((1 << 19)..=(1 << 20) + 8192).contains(&first), "seed {seed}: {first}");
        }
    }
}
