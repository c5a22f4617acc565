//! The transaction log, bit for bit as `FileTxnLog` writes and reads it.
//!
//! A segment is a file `log.<zxid of its first record>`: a header of 16 bytes, records, zeros
//! of the preallocation. A record is the Adler-32 of its entry, the entry's length, the entry
//! and a closing byte.
//!
//! # Invariants
//!
//! * Zxids of consecutive records follow each other ([`follows`]); reader and writer check it.
//! * A record is either whole or it does not exist: nothing of a torn one is ever handed on.

pub mod around;
pub mod format;
pub mod iter;
pub mod read;
pub mod tail;
pub mod write;

use crate::types::Zxid;

/// May `next` stand directly behind `last`? The next counter of the same epoch, or the first
/// of a later epoch (counter 0 is NEWLEADER's, which is never logged).
pub fn follows(last: Zxid, next: Zxid) -> bool {
    last.next() == Some(next) || (next.epoch() > last.epoch() && next.counter() == 1)
}
