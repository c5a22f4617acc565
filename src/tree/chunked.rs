//! A vector that grows by whole chunks: no element ever moves, growing never copies.
//!
//! # Invariants
//!
//! * Every chunk but the last is full; elements are only appended, their number only grows.

use std::ops::{Index, IndexMut};

const SHIFT: u32 = 10;
const CHUNK: usize = 1 << SHIFT;

/// Numbered elements.
#[derive(Debug)]
pub(super) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Chunked<T> {
    pub(super) fn new() -> Chunked<T> {
        Chunked { chunks: Vec::new() }
    }

    /// Appends; the element's number.
    pub(super) fn push(&mut self, element: T) -> u32 {
        let number = self.len();
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(element),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(element);
                self.chunks.push(chunk);
            }
        }
        number
    }

    /// Elements so far. Numbers are `u32`: 4 billion elements of any kind do not fit
    /// into the memory that they would need.
    pub(super) fn len(&self) -> u32 {
        match self.chunks.last() {
            None => 0,
            Some(last) => ((self.chunks.len() - 1) * CHUNK + last.len()) as u32,
        }
    }
}

impl<T> Index<u32> for Chunked<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u32) -> &T {
        &self.chunks[(number >> SHIFT) as usize][number as usize & (CHUNK - 1)]
    }
}

impl<T> IndexMut<u32> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.chunks[(number >> SHIFT) as usize][number as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_elements_across_chunks() {
        let mut c = Chunked::new();
        for i in 0..(3 * CHUNK as u32 + 5) {
            assert_eq!(c.push(i * 2), i);
        }
        assert_eq!(c.len(), 3 * CHUNK as u32 + 5);
        c[1024] = 7;
        assert_eq!((c[0], c[1023], c[1024], c[3076]), (0, 2046, 7, 6152));
    }
}
