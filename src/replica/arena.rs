//! Many short byte strings in few allocations.
//!
//! # Invariants
//!
//! * A string is never changed after it was handed out, whatever is made behind it.
//! * A piece of memory lives as long as one of its strings: for strings that soon go.

use crate::limits::ARENA_BYTES;
use bytes::{Bytes, BytesMut};

/// Where strings are made, one behind the other.
#[derive(Debug)]
pub(super) struct Arena {
    room: BytesMut,
}

impl Arena {
    /// Without memory.
    pub fn new() -> Arena {
        Arena { room: BytesMut::new() }
    }

    /// A string of about `expected` bytes, as `write` makes it.
    pub fn make(&mut self, expected: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        if expected > ARENA_BYTES / 4 {
            let mut own = BytesMut::with_capacity(expected);
            write(&mut own);
            return own.freeze();
        }
        if self.room.capacity() < expected {
            // Not what is left and more behind it: that would be copied.
            self.room = BytesMut::with_capacity(ARENA_BYTES);
        }
        write(&mut self.room);
        self.room.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_size_stay_as_they_were_made() {
        let mut arena = Arena::new();
        let sizes = [0, 1, 1000, ARENA_BYTES / 4, ARENA_BYTES / 4 + 1, 3 * ARENA_BYTES, 17];
        let made: Vec<(Vec<u8>, Bytes)> = (0..400usize)
            .map(|i| {
                let wanted = vec![i as u8; sizes[i % sizes.len()]];
                // A guess may be wrong either way.
                let expected = [wanted.len(), wanted.len() / 2, wanted.len() * 2][i % 3];
                let bytes = arena.make(expected, |out| out.extend_from_slice(&wanted));
                (wanted, bytes)
            })
            .collect();
        made.iter().for_each(|(wanted, bytes)| assert_eq!(wanted, bytes));
    }

    #[test]
    fn short_strings_share_their_memory() {
        let mut arena = Arena::new();
        let mut make = |byte: u8| arena.make(100, |out| out.extend_from_slice(&[byte; 100]));
        let (one, two) = (make(1), make(2));
        assert_eq!(one.as_ptr().wrapping_add(100), two.as_ptr());
    }
}
