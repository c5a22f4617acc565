//! Jute: ZooKeeper's serialization, bounded.
//!
//! # Invariants
//!
//! * Every length is checked against what is left of the input before anything is
//!   allocated, and long vectors are read to their end before room is made for them:
//!   a malformed record never costs more than its own frame plus 64 KiB.
//! * Null and empty stay distinct for buffers, strings and vectors (length -1 and 0).
//! * Strings are written as Java writes them: characters beyond the basic plane as
//!   two three-byte surrogates; they are read as Java reads them: malformed bytes,
//!   those surrogates too, become U+FFFD.

mod read;
pub mod records;
mod write;

pub use read::Reader;
pub use write::{Length, Sink, Writer};

use std::fmt;

/// Why bytes are no record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JuteError {
    /// The input ends inside a field.
    End {
        /// Bytes that the field needs.
        want: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// A length is negative (other than -1 for null) or larger than the rest of the input.
    Length(i32),
    /// A field that may not be null is.
    Null(&'static str),
    /// A field has a value that its record does not allow.
    Value(&'static str, i64),
    /// A string of this many bytes has malformed UTF-8 and is longer than
    /// [`crate::limits::LOSSY_STRING`].
    Text(usize),
}

impl fmt::Display for JuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JuteError::End { want, have } => write!(f, "record ends early: {want} bytes needed, {have} left"),
            JuteError::Length(n) => write!(f, "unreasonable length {n}"),
            JuteError::Null(what) => write!(f, "{what} is null"),
            JuteError::Value(what, n) => write!(f, "{what} has the impossible value {n}"),
            JuteError::Text(n) => write!(f, "a string of {n} bytes is not UTF-8"),
        }
    }
}

impl std::error::Error for JuteError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn null_and_empty_stay_distinct() {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.buffer(None);
        w.buffer(Some(b""));
        w.string(Some(""));
        w.string(None);
        let mut r = Reader::new(&out);
        assert_eq!(r.buffer(), Ok(None));
        assert_eq!(r.buffer(), Ok(Some(&b""[..])));
        assert_eq!(r.string().unwrap().as_deref(), Some(""));
        assert_eq!(r.string(), Ok(None));
        assert!(r.is_empty());
    }

    #[test]
    fn a_huge_length_is_refused_before_it_allocates() {
        let mut out = Vec::new();
        Writer::new(&mut out).i32(i32::MAX);
        assert_eq!(Reader::new(&out).buffer(), Err(JuteError::Length(i32::MAX)));
        let neg = (-2i32).to_be_bytes();
        assert_eq!(Reader::new(&neg).buffer(), Err(JuteError::Length(-2)));
        assert_eq!(Reader::new(&neg).vector(|r| r.i32()), Err(JuteError::Length(-2)));
    }

    #[test]
    fn a_long_vector_that_breaks_off_is_refused_before_room_is_made() {
        let n = 1000i32;
        let mut out = n.to_be_bytes().to_vec();
        out.resize(out.len() + 3999, 0);
        let mut calls = 0;
        let mut r = Reader::new(&out);
        let read = r.vector(|r| {
            calls += 1;
            r.i32()
        });
        assert_eq!(read, Err(JuteError::End { want: 4, have: 3 }));
        assert_eq!(calls, 1000, "each element was looked at once: nothing was kept");
        out.push(0);
        assert_eq!(Reader::new(&out).vector(|r| r.i32()), Ok(Some(vec![0; 1000])));
    }

    #[test]
    fn malformed_text_is_replaced_as_java_does_up_to_a_length() {
        use crate::limits::LOSSY_STRING;
        let mut out = Vec::new();
        Writer::new(&mut out).buffer(Some(b"a\xffb"));
        assert_eq!(Reader::new(&out).string().unwrap().as_deref(), Some("a\u{fffd}b"));
        for (n, taken) in [(LOSSY_STRING, true), (LOSSY_STRING + 1, false)] {
            let mut out = Vec::new();
            Writer::new(&mut out).buffer(Some(&vec![0xff; n]));
            assert_eq!(Reader::new(&out).string().is_ok(), taken);
        }
    }

    #[test]
    fn strings_beyond_the_basic_plane_are_surrogate_pairs() {
        let mut out = Vec::new();
        Writer::new(&mut out).string(Some("a\u{1f600}b"));
        assert_eq!(&out, &[0, 0, 0, 8, b'a', 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80, b'b']);
    }

    #[test]
    fn malformed_text_is_replaced_as_in_java() {
        for (bytes, text) in [
            (&b"a\xed\xa0\xbd\xed\xb8\x80b"[..], "a\u{fffd}\u{fffd}b"),
            (b"\xed\xa0\xbd", "\u{fffd}"),
            (b"\xed\xa0x", "\u{fffd}x"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\x9f\xbf", "\u{d7ff}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\xe2\x82x", "\u{fffd}x"),
            (b"\xe0\x80\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf0\x9f\x98", "\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xc3", "\u{fffd}"),
        ] {
            let mut out = Vec::new();
            Writer::new(&mut out).buffer(Some(bytes));
            assert_eq!(Reader::new(&out).string().unwrap().as_deref(), Some(text), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn scalars_and_strings_round_trip(a: i32, b: i64, c: bool, s in "\\PC{0,20}", v in proptest::collection::vec(any::<i64>(), 0..9)) {
            let plain: String = s.chars().filter(|c| (*c as u32) < 0x10000).collect();
            let mut out = Vec::new();
            let mut w = Writer::new(&mut out);
            w.i32(a); w.i64(b); w.bool(c); w.string(Some(&plain));
            w.vector(&v, |w, x| w.i64(*x));
            let mut r = Reader::new(&out);
            prop_assert_eq!(r.i32().unwrap(), a);
            prop_assert_eq!(r.i64().unwrap(), b);
            prop_assert_eq!(r.bool().unwrap(), c);
            let back = r.string().unwrap();
            prop_assert_eq!(back.as_deref(), Some(plain.as_str()));
            prop_assert_eq!(r.vector(|r| r.i64()).unwrap(), Some(v));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut r = Reader::new(&bytes);
            let _ = r.vector(|r| r.string().map(|s| s.map(|s| s.into_owned())));
            let _ = r.buffer();
            let _ = r.i64();
        }
    }
}
