//! Session ids and their passwords (`SessionTrackerImpl.initializeNextSessionId`,
//! `ZooKeeperServer.generatePasswd`).
//!
//! # Invariants
//!
//! * Every member derives the same password from an id: that is what lets a session move.

use crate::limits::PASSWORD_LENGTH;
use crate::types::SessionId;

/// Hands out session ids: server id in the top byte, start time below, then counting.
#[derive(Clone, Debug)]
pub struct IdSource {
    next: i64,
}

impl IdSource {
    /// `start_ms` is a time that no earlier run of this server began at (wall clock of the start).
    pub fn new(server: u8, start_ms: i64) -> IdSource {
        let time = ((start_ms as u64) << 24) >> 8;
        IdSource { next: (u64::from(server) << 56 | time) as i64 }
    }

    /// The next id; never 0, which means "no session".
    pub fn next_id(&mut self) -> SessionId {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        if id == 0 { self.next_id() } else { SessionId(id) }
    }
}

/// The password of a session: 16 bytes of `java.util.Random` seeded from the id.
pub fn password(id: SessionId) -> [u8; PASSWORD_LENGTH] {
    const SECRET: i64 = 0xB341_5C00;
    let mut random = JavaRandom::new(id.0 ^ SECRET);
    let mut out = [0u8; PASSWORD_LENGTH];
    for chunk in out.chunks_mut(4) {
        let word = random.next_i32().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    out
}

/// The 48-bit linear congruential generator that the JDK documents.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> JavaRandom {
        JavaRandom((seed as u64 ^ Self::MULTIPLIER) & Self::MASK)
    }

    fn next_i32(&mut self) -> i32 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xB) & Self::MASK;
        (self.0 >> 16) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_javas() {
        let want =
            [0xc6, 0x66, 0x87, 0x16, 0xdb, 0xd7, 0x19, 0x7d, 0x14, 0x76, 0xd4, 0x0b, 0x1c, 0x87, 0x9e, 0xb3];
        assert_eq!(password(SessionId(0x100000ea9fc0000)), want);
    }

    #[test]
    fn ids_count_up_below_the_server_byte() {
        let mut ids = IdSource::new(1, 1_700_000_000_000);
        let (a, b) = (ids.next_id(), ids.next_id());
        assert_eq!(b.0, a.0 + 1);
        assert_eq!(a.0 >> 56, 1);
        let later = IdSource::new(1, 1_700_000_000_001).next_id();
        assert!(later > a);
        assert_eq!(IdSource::new(0, 0).next_id(), SessionId(1));
    }
}
