//! Bytes of a segment: header, record frame, the size rule of the preallocation.
//!
//! # Invariants
//!
//! * Equal to `FileTxnLog` and `FilePadding` of 3.9.5 to the byte.

use crate::limits::LOG_ENTRY_MIN_BYTES;
use crate::types::{Zxid, mutant};

/// Bytes of the header: magic, version, database id.
pub const HEADER: usize = 16;
/// Bytes of a record besides its entry: checksum, length, closing byte.
pub const FRAME: usize = 13;
/// Bytes before the entry.
pub const FRAME_HEAD: usize = 12;
/// "ZKLG".
pub const MAGIC: [u8; 4] = *b"ZKLG";
/// The only version there is. Readers of the reference do not look at it.
pub const VERSION: i32 = 2;
/// The closing byte of a record.
pub const END: u8 = b'B';

/// The header of a segment.
pub fn header() -> [u8; HEADER] {
    let mut h = [0; HEADER];
    h[..4].copy_from_slice(&MAGIC);
    h[4..8].copy_from_slice(&VERSION.to_be_bytes());
    h
}

/// Appends a record and returns its checksum.
pub fn frame(entry: &[u8], out: &mut Vec<u8>) -> u32 {
    let sum = simd_adler32::adler32(&entry);
    out.reserve(entry.len() + FRAME);
    out.extend_from_slice(&u64::from(sum).to_be_bytes());
    out.extend_from_slice(&(entry.len() as u32).to_be_bytes());
    out.extend_from_slice(entry);
    out.push(END);
    sum
}

/// The zxid inside an entry (behind session id and xid).
pub fn entry_zxid(entry: &[u8]) -> Option<Zxid> {
    let bytes = entry.get(12..20)?;
    Some(Zxid(i64::from_be_bytes(bytes.try_into().ok()?)))
}

/// The type inside an entry (behind zxid and time).
pub fn entry_kind(entry: &[u8]) -> Option<i32> {
    let bytes = entry.get(28..32)?;
    Some(i32::from_be_bytes(bytes.try_into().ok()?))
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed<'a> {
    /// A whole record: its checksum and entry.
    Record(u32, &'a [u8]),
    /// A length of zero and a checksum of zero, or no bytes at all: the end.
    End,
    /// More bytes are needed: so many in all.
    More(usize),
    /// No record.
    Flaw(Flaw),
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// The file ends inside it.
    Short,
    /// The length cannot be one.
    Length,
    /// The checksum is not that of the entry.
    Checksum,
    /// The closing byte is missing.
    Unclosed,
    /// A checksum without an entry.
    Empty,
}

impl Flaw {
    /// For error texts.
    pub fn text(self) -> &'static str {
        match self {
            Flaw::Short => "the file ends inside a record",
            Flaw::Length => "a record has an impossible length",
            Flaw::Checksum => "the checksum of a record does not match",
            Flaw::Unclosed => "a record is not closed",
            Flaw::Empty => "a checksum stands without its record",
        }
    }
}

/// Parses one record at the start of `bytes`; `left` is how many bytes the file has from there.
pub fn parse(bytes: &[u8], left: u64) -> Parsed<'_> {
    if left == 0 {
        return Parsed::End;
    }
    if left < FRAME_HEAD as u64 {
        // Rests of the preallocation shorter than a frame are the end, too.
        let Some(rest) = bytes.get(..left as usize) else { return Parsed::More(left as usize) };
        return if rest.iter().all(|b| *b == 0) { Parsed::End } else { Parsed::Flaw(Flaw::Short) };
    }
    let Some((head, body)) = bytes.split_first_chunk::<FRAME_HEAD>() else {
        return Parsed::More(FRAME_HEAD);
    };
    let [s0, s1, s2, s3, c0, c1, c2, c3, l0, l1, l2, l3] = *head;
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    let sum = u64::from_be_bytes([s0, s1, s2, s3, c0, c1, c2, c3]);
    let len = match usize::try_from(length) {
        Ok(0) if sum == 0 => return Parsed::End,
        Ok(0) => return Parsed::Flaw(Flaw::Empty),
        Ok(n) if n < LOG_ENTRY_MIN_BYTES => return Parsed::Flaw(Flaw::Length),
        Ok(n) => n,
        Err(_) => return Parsed::Flaw(Flaw::Length),
    };
    if (len + FRAME) as u64 > left {
        return Parsed::Flaw(Flaw::Short);
    }
    let (Some(entry), Some(end)) = (body.get(..len), body.get(len)) else {
        return Parsed::More(len + FRAME);
    };
    if *end != END {
        return Parsed::Flaw(Flaw::Unclosed);
    }
    let ours = simd_adler32::adler32(&entry);
    let same = sum == u64::from(ours) || mutant::on("record-sum-ignored");
    if same { Parsed::Record(ours, entry) } else { Parsed::Flaw(Flaw::Checksum) }
}

/// How long the file shall be before something is written at `pos`
/// (`FilePadding.calculateFileSizeWithPadding`).
pub fn padded_size(pos: u64, size: u64, step: u64) -> u64 {
    if step == 0 || pos + 4096 < size {
        return size;
    }
    if pos > size {
        let grown = pos + step;
        grown - grown % step
    } else {
        size + step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_file_is_as_long_as_javas() {
        let step = 64 << 20;
        assert_eq!(padded_size(16, 16, step), 67_108_880);
        assert_eq!(padded_size(67_104_784, 67_108_880, step), 2 * step + 16);
        assert_eq!(padded_size(67_104_783, 67_108_880, step), 67_108_880);
        assert_eq!(padded_size(67_200_000, 67_108_880, step), 2 * step);
        assert_eq!(padded_size(500, 100, 0), 100);
    }

    #[test]
    fn a_record_is_framed_as_java_frames_it() {
        let mut out = Vec::new();
        frame(&[1; 40], &mut out);
        assert_eq!(&out[..12], &[0, 0, 0, 0, 0x03, 0x5c, 0x00, 0x29, 0, 0, 0, 40]);
        assert_eq!((out.len(), out[52]), (53, b'B'));
    }

    proptest! {
        #[test]
        fn a_record_comes_back_and_no_single_flip_goes_unseen(
            entry in proptest::collection::vec(any::<u8>(), 32..200), at in 0usize..300, bit in 0u8..8,
        ) {
            let mut out = Vec::new();
            frame(&entry, &mut out);
            let left = out.len() as u64;
            prop_assert!(matches!(parse(&out, left), Parsed::Record(_, e) if e == entry));
            let at = at % out.len();
            out[at] ^= 1 << bit;
            prop_assert!(!matches!(parse(&out, left), Parsed::Record(..)));
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), more in 0u64..1000) {
            let _ = parse(&bytes, bytes.len() as u64 + more);
        }
    }
}
