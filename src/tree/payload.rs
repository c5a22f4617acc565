//! Where names and data lie: byte strings in slots of fitting size.
//!
//! A name and its data are one byte string. Strings up to [`SMALL_MAX`] bytes live in
//! slots of a size class, many slots to a chunk of bytes; longer ones have a box each.
//! A slot costs no header: what is known of it (class, number, length) is in its node.
//!
//! # Invariants
//!
//! * A chunk whose last slot is freed gives its memory back, but one per class.
//! * A free slot of a chunk holds the number of the next free one in its first two bytes.

/// Longest string in a slot of a class.
pub(super) const SMALL_MAX: usize = 2048;
/// Class of strings of length 0: they lie nowhere.
const NOTHING: u8 = 0;
/// Class of strings with a box of their own.
const BOXED: u8 = 255;
/// Number of the last size class.
const LAST: u8 = 80;
/// Aim of a chunk's size, bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// "No slot" in a chunk's free list.
const NONE: u16 = u16::MAX;

/// The place of a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) class: u8,
    pub(super) slot: u32,
}

/// The class for strings of `len` bytes: steps of 8, 16, 32, 64 bytes.
fn class_of(len: usize) -> u8 {
    let class = match len {
        0 => 0,
        1..=256 => len.div_ceil(8),
        257..=512 => 32 + (len - 256).div_ceil(16),
        513..=1024 => 48 + (len - 512).div_ceil(32),
        1025..=SMALL_MAX => 64 + (len - 1024).div_ceil(64),
        _ => return BOXED,
    };
    class as u8
}

/// Bytes of a slot of `class` (1..=[`LAST`]).
fn size_of_class(class: u8) -> usize {
    let c = usize::from(class);
    match class {
        0..=32 => c * 8,
        33..=48 => 256 + (c - 32) * 16,
        49..=64 => 512 + (c - 48) * 32,
        _ => 1024 + (c - 64) * 64,
    }
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    live: u16,
    /// Slots that were ever handed out; those above are free without being listed.
    used: u16,
    free: u16,
    /// In its class's list of open chunks?
    listed: bool,
}

impl Chunk {
    fn vacant(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[derive(Debug)]
struct Class {
    size: usize,
    /// Slots of a chunk, as a power of two.
    shift: u32,
    chunks: Vec<Chunk>,
    /// Every chunk with memory and a free slot, each once; full and vacant ones may
    /// still stand here and are struck when they come up.
    open: Vec<u32>,
    /// Numbers of chunks that gave their memory back.
    vacant: Vec<u32>,
}

impl Class {
    fn new(class: u8) -> Class {
        let size = size_of_class(class).max(8);
        let shift = (CHUNK_BYTES / size).ilog2();
        Class { size, shift, chunks: Vec::new(), open: Vec::new(), vacant: Vec::new() }
    }

    fn slots(&self) -> u16 {
        1 << self.shift
    }

    fn alloc(&mut self) -> u32 {
        let number = self.open_chunk();
        let size = self.size;
        let chunk = &mut self.chunks[number as usize];
        let slot = if chunk.free == NONE {
            chunk.used += 1;
            chunk.used - 1
        } else {
            let slot = chunk.free;
            let at = usize::from(slot) * size;
            chunk.free = u16::from_le_bytes([chunk.bytes[at], chunk.bytes[at + 1]]);
            slot
        };
        chunk.live += 1;
        number << self.shift | u32::from(slot)
    }

    /// A chunk with a free slot.
    fn open_chunk(&mut self) -> u32 {
        let slots = self.slots();
        while let Some(&number) = self.open.last() {
            let chunk = &mut self.chunks[number as usize];
            if !chunk.vacant() && chunk.live < slots {
                return number;
            }
            chunk.listed = false;
            self.open.pop();
        }
        let bytes = vec![0; self.size << self.shift].into_boxed_slice();
        let chunk = Chunk { bytes, live: 0, used: 0, free: NONE, listed: true };
        let number = match self.vacant.pop() {
            Some(n) => {
                self.chunks[n as usize] = chunk;
                n
            }
            None => {
                self.chunks.push(chunk);
                self.chunks.len() as u32 - 1
            }
        };
        self.open.push(number);
        number
    }

    fn free(&mut self, slot: u32) {
        let number = slot >> self.shift;
        let inner = (slot & (u32::from(self.slots()) - 1)) as u16;
        let chunk = &mut self.chunks[number as usize];
        let at = usize::from(inner) * self.size;
        chunk.bytes[at..at + 2].copy_from_slice(&chunk.free.to_le_bytes());
        chunk.free = inner;
        chunk.live -= 1;
        if !chunk.listed {
            chunk.listed = true;
            self.open.push(number);
        }
        if chunk.live == 0 && self.open.len() > 1 {
            chunk.bytes = Box::default();
            (chunk.used, chunk.free) = (0, NONE);
            self.vacant.push(number);
        }
    }
}

/// All strings of a tree.
#[derive(Debug)]
pub(super) struct Payloads {
    /// One per class: an array, so that a read needs no step through a vector.
    classes: [Class; LAST as usize + 1],
    boxed: Vec<Box<[u8]>>,
    boxed_free: Vec<u32>,
}

impl Payloads {
    pub(super) fn new() -> Payloads {
        Payloads {
            classes: std::array::from_fn(|c| Class::new(c as u8)),
            boxed: Vec::new(),
            boxed_free: Vec::new(),
        }
    }

    /// Stores `head` followed by `tail`.
    pub(super) fn store(&mut self, head: &[u8], tail: &[u8]) -> Place {
        let len = head.len() + tail.len();
        let class = class_of(len);
        if class == BOXED {
            let mut bytes = Vec::with_capacity(len);
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(tail);
            return Place { class, slot: self.store_boxed(bytes.into_boxed_slice()) };
        }
        if class == NOTHING {
            return Place { class, slot: 0 };
        }
        let place = Place { class, slot: self.classes[usize::from(class)].alloc() };
        let bytes = self.get_mut(place, len);
        let (a, b) = bytes.split_at_mut(head.len());
        a.copy_from_slice(head);
        b.copy_from_slice(tail);
        place
    }

    fn store_boxed(&mut self, bytes: Box<[u8]>) -> u32 {
        match self.boxed_free.pop() {
            Some(slot) => {
                self.boxed[slot as usize] = bytes;
                slot
            }
            None => {
                self.boxed.push(bytes);
                self.boxed.len() as u32 - 1
            }
        }
    }

    /// Would a string of `len` bytes lie in the same place as one of `old` bytes?
    pub(super) fn fits(old: usize, len: usize) -> bool {
        let class = class_of(len);
        class == class_of(old) && (class != BOXED || old == len)
    }

    /// The string of `len` bytes at a place.
    #[inline]
    pub(super) fn get(&self, place: Place, len: usize) -> &[u8] {
        match place.class {
            NOTHING => &[],
            BOXED => &self.boxed[place.slot as usize],
            class => {
                let c = &self.classes[usize::from(class)];
                let at = (place.slot & ((1 << c.shift) - 1)) as usize * c.size;
                &c.chunks[(place.slot >> c.shift) as usize].bytes[at..at + len]
            }
        }
    }

    pub(super) fn get_mut(&mut self, place: Place, len: usize) -> &mut [u8] {
        match place.class {
            NOTHING => &mut [],
            BOXED => &mut self.boxed[place.slot as usize],
            class => {
                let c = &mut self.classes[usize::from(class)];
                let at = (place.slot & ((1 << c.shift) - 1)) as usize * c.size;
                &mut c.chunks[(place.slot >> c.shift) as usize].bytes[at..at + len]
            }
        }
    }

    /// Gives a place back.
    pub(super) fn free(&mut self, place: Place) {
        match place.class {
            NOTHING => {}
            BOXED => {
                self.boxed[place.slot as usize] = Box::default();
                self.boxed_free.push(place.slot);
            }
            class => self.classes[usize::from(class)].free(place.slot),
        }
    }

    /// Bytes of chunks and boxes that are held, for tests and measurements.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let chunks: usize = self.classes.iter().flat_map(|c| &c.chunks).map(|c| c.bytes.len()).sum();
        chunks + self.boxed.iter().map(|b| b.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_length_fits_its_class_with_little_waste() {
        for len in 1..=SMALL_MAX {
            let size = size_of_class(class_of(len));
            assert!(size >= len && size - len < 64 && (size - len) * 8 <= len.max(64), "{len}: {size}");
        }
        assert_eq!(class_of(SMALL_MAX), LAST);
        assert_eq!(class_of(SMALL_MAX + 1), BOXED);
    }

    #[test]
    fn memory_comes_back_when_all_is_freed() {
        let mut p = Payloads::new();
        let places: Vec<Place> = (0..10_000).map(|_| p.store(b"name", &[7; 100])).collect();
        let full = p.held();
        assert!(full > 10_000 * 104 && full < 10_000 * 104 * 11 / 10, "{full}");
        for place in &places {
            p.free(*place);
        }
        assert!(p.held() <= CHUNK_BYTES, "{}", p.held());
        let again = p.store(b"name", &[8; 100]);
        assert_eq!(p.get(again, 104)[4..], [8; 100]);
        assert!(p.held() <= CHUNK_BYTES);
    }

    proptest! {
        #[test]
        fn strings_stay_what_they_were(ops in proptest::collection::vec((0usize..40, 0usize..3000, any::<u8>()), 1..200)) {
            let mut p = Payloads::new();
            let mut model: Vec<Option<(Place, Vec<u8>)>> = vec![None; 40];
            for (i, len, fill) in ops {
                if let Some((place, _)) = model[i].take() {
                    p.free(place);
                } else {
                    let bytes = vec![fill; len];
                    let (a, b) = bytes.split_at(len / 3);
                    model[i] = Some((p.store(a, b), bytes));
                }
                for (place, bytes) in model.iter().flatten() {
                    prop_assert_eq!(p.get(*place, bytes.len()), &bytes[..]);
                }
            }
        }
    }
}
