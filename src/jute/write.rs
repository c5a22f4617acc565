//! The writer: appends big-endian fields to a byte sink.
//!
//! # Invariants
//!
//! * What it writes, Java's `BinaryInputArchive` reads, and the other way round.

use bytes::BytesMut;

/// Where bytes go: a vector for frames, a checksumming file for snapshots.
pub trait Sink {
    /// Appends bytes. Sinks that can fail keep the first error and report it at the end.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for BytesMut {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Length(pub usize);

impl Sink for Length {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Writes jute fields to a sink.
pub struct Writer<'a, S: Sink + ?Sized> {
    out: &'a mut S,
}

impl<'a, S: Sink + ?Sized> Writer<'a, S> {
    /// Appends to `out`.
    pub fn new(out: &'a mut S) -> Writer<'a, S> {
        Writer { out }
    }

    /// Raw bytes without a length.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, v: u8) {
        self.out.put(&[v]);
    }

    /// A boolean.
    #[inline]
    pub fn bool(&mut self, v: bool) {
        self.u8(u8::from(v));
    }

    /// A 32-bit integer.
    #[inline]
    pub fn i32(&mut self, v: i32) {
        self.out.put(&v.to_be_bytes());
    }

    /// A 64-bit integer.
    #[inline]
    pub fn i64(&mut self, v: i64) {
        self.out.put(&v.to_be_bytes());
    }

    /// A length or count. Everything we write is far below 2^31 (frames and files are bounded).
    #[inline]
    pub fn length(&mut self, n: usize) {
        self.i32(i32::try_from(n).unwrap_or(i32::MAX));
    }

    /// A byte buffer, `None` is null.
    #[inline]
    pub fn buffer(&mut self, v: Option<&[u8]>) {
        match v {
            None => self.i32(-1),
            Some(b) => {
                self.length(b.len());
                self.out.put(b);
            }
        }
    }

    /// A buffer of that length, written by `body`.
    #[inline]
    pub fn framed(&mut self, length: Length, body: impl FnOnce(&mut S)) {
        self.length(length.0);
        body(self.out);
    }

    /// A string, `None` is null.
    #[inline]
    pub fn string(&mut self, v: Option<&str>) {
        match v {
            None => self.i32(-1),
            Some(s) if s.bytes().all(|b| b < 0xf0) => {
                self.length(s.len());
                self.out.put(s.as_bytes());
            }
            Some(s) => self.surrogates(s),
        }
    }

    /// Characters beyond the basic plane take six bytes, as Java's jute writes them.
    #[cold]
    fn surrogates(&mut self, s: &str) {
        let mut bytes = Vec::with_capacity(s.len() * 3 / 2);
        for c in s.chars() {
            let mut units = [0u16; 2];
            let units = c.encode_utf16(&mut units);
            if units.len() == 1 {
                let mut utf8 = [0u8; 4];
                bytes.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            } else {
                for &u in units.iter() {
                    bytes.push(0xe0 | (u >> 12) as u8);
                    bytes.push(0x80 | ((u >> 6) & 0x3f) as u8);
                    bytes.push(0x80 | (u & 0x3f) as u8);
                }
            }
        }
        self.length(bytes.len());
        self.out.put(&bytes);
    }

    /// A vector of records.
    pub fn vector<T>(&mut self, items: &[T], mut element: impl FnMut(&mut Writer<'a, S>, &T)) {
        self.length(items.len());
        for item in items {
            element(self, item);
        }
    }
}
