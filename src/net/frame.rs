//! Frames in a stream of bytes: four bytes of length, then the body.
//!
//! # Invariants
//!
//! * A length is judged before a byte is kept for its body.
//! * What is kept grows with the bytes that arrive, never with the announced length,
//!   and never beyond the frame under way plus one read.

/// What the front of a stream is.
#[derive(Debug, PartialEq, Eq)]
pub enum Front<'a> {
    /// A whole frame: its body, and the bytes that it takes with its length.
    Frame(&'a [u8], usize),
    /// More bytes are needed: so many for the frame in all, 4 while its length is unknown.
    Partial(usize),
    /// The length is negative or above the limit.
    BadLength(i32),
}

/// Looks at the front of `bytes`; bodies may have up to `limit` bytes.
#[inline]
pub fn front(bytes: &[u8], limit: usize) -> Front<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return Front::Partial(4);
    };
    let length = i32::from_be_bytes(*head);
    match usize::try_from(length) {
        Ok(n) if n <= limit => match rest.get(..n) {
            Some(body) => Front::Frame(body, n + 4),
            None => Front::Partial(n + 4),
        },
        _ => Front::BadLength(length),
    }
}

/// Bytes that were read and could not be used yet: a frame that is not complete,
/// or frames that have to wait. Without such bytes it owns no memory.
#[derive(Default, Debug)]
pub struct Leftover {
    bytes: Vec<u8>,
    used: usize,
}

impl Leftover {
    /// What waits.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.used == self.bytes.len()
    }

    /// The first `n` bytes are done with.
    pub fn consume(&mut self, n: usize) {
        self.used = self.bytes.len().min(self.used + n);
        if self.is_empty() {
            *self = Leftover::default();
        }
    }

    /// Adds bytes that just arrived. `whole` is the size of the frame under way, a
    /// bound for growing by doubling.
    pub fn extend(&mut self, arrived: &[u8], whole: usize) {
        if arrived.is_empty() {
            return;
        }
        if self.used > 0 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        let need = self.bytes.len() + arrived.len();
        if need > self.bytes.capacity() {
            let target = need.max(self.bytes.len().saturating_mul(2).min(whole));
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(arrived);
    }

    /// Memory held, bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_judged_before_its_body_arrives() {
        let limit = 10;
        assert_eq!(front(&[], limit), Front::Partial(4));
        assert_eq!(front(&[0, 0, 0], limit), Front::Partial(4));
        assert_eq!(front(&[0, 0, 0, 10], limit), Front::Partial(14));
        assert_eq!(front(&[0, 0, 0, 11], limit), Front::BadLength(11));
        assert_eq!(front(&[0xff, 0xff, 0xff, 0xff], limit), Front::BadLength(-1));
        assert_eq!(front(&[0, 0, 0, 0, 9], limit), Front::Frame(&[], 4));
        assert_eq!(front(&[0, 0, 0, 2, 7, 8, 9], limit), Front::Frame(&[7, 8], 6));
    }

    #[test]
    fn leftovers_grow_with_what_arrives_and_end_without_memory() {
        let mut left = Leftover::default();
        let whole = 1 << 20;
        left.extend(&[0, 16, 0, 0, 1], whole);
        assert!(left.capacity() < 64);
        let chunk = vec![3; 1000];
        let mut arrived = 5;
        while arrived < whole {
            let n = chunk.len().min(whole - arrived);
            left.extend(&chunk[..n], whole);
            arrived += n;
            assert!(left.capacity() <= (2 * arrived).min(whole), "{} for {arrived}", left.capacity());
        }
        left.consume(whole - 1);
        assert_eq!(left.bytes(), [3]);
        left.consume(1);
        assert_eq!((left.capacity(), left.is_empty()), (0, true));
    }
}
