//! Transaction ids: epoch in the upper, counter in the lower 32 bits.
//!
//! # Invariants
//!
//! * Order of zxids is the order of transactions; comparison is signed, as Java's.

use std::fmt;

/// A ZooKeeper transaction id. Signed as on the wire; real ids are positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The state before any transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// Builds a zxid from its two halves.
    pub const fn new(epoch: u32, counter: u32) -> Zxid {
        Zxid((((epoch as u64) << 32) | counter as u64) as i64)
    }

    /// The leader's epoch.
    pub const fn epoch(self) -> u32 {
        ((self.0 as u64) >> 32) as u32
    }

    /// The position within the epoch; 0 is reserved for NEWLEADER.
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The following zxid of the same epoch, `None` when the counter is used up
    /// (the leader must step down and open a new epoch).
    pub const fn next(self) -> Option<Zxid> {
        if self.counter() == u32::MAX { None } else { Some(Zxid(self.0 + 1)) }
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zxid(0x{:x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_survive_and_the_counter_never_carries_into_the_epoch() {
        let z = Zxid::new(7, 9);
        assert_eq!((z.epoch(), z.counter()), (7, 9));
        assert_eq!(z.next(), Some(Zxid::new(7, 10)));
        assert_eq!(Zxid::new(7, u32::MAX).next(), None);
        assert_eq!(format!("{z}"), "0x700000009");
    }
}
