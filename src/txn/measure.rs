//! How long the records of a snapshot are, told from a beginning of their bytes: for whoever takes
//! them from a connection, where the end may not have come yet.
//!
//! # Invariants
//!
//! * A record that is said to be whole is decoded from exactly so many bytes.
//! * What is missing is never less than one byte: asking again without more bytes is pointless.

use super::snapshot::{END_MARK, encode_signature};

/// How many bytes the record at the front has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Measure {
    /// So many, and all of them are there.
    Whole(usize),
    /// At least so many, and they are not all there yet.
    More(usize),
    /// No record begins here.
    Bad(String),
}

/// Walks over the fields of a record.
struct Tape<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Tape<'_> {
    /// The count or length that stands here; null counts as nothing, as in Java's loops.
    fn length(&mut self) -> Result<usize, Measure> {
        let field = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<4>());
        let Some(field) = field else { return Err(Measure::More(self.at + 4)) };
        let n = i32::from_be_bytes(*field);
        self.at += 4;
        if n < -1 {
            return Err(Measure::Bad(format!("an impossible length of {n}")));
        }
        Ok(usize::try_from(n).unwrap_or(0))
    }

    /// A string or buffer.
    fn text(&mut self) -> Result<(), Measure> {
        self.at += self.length()?;
        Ok(())
    }

    fn access_list(&mut self) -> Result<(), Measure> {
        for _ in 0..self.length()? {
            self.at += 4;
            self.text()?;
            self.text()?;
        }
        Ok(())
    }

    fn node(&mut self) -> Result<(), Measure> {
        const ACL_AND_STAT: usize = 8 + 60;
        self.text()?;
        if self.bytes.get(4..self.at) == Some(END_MARK.as_bytes()) {
            return Ok(());
        }
        self.text()?;
        self.at += ACL_AND_STAT;
        Ok(())
    }
}

fn measure(bytes: &[u8], from: usize, walk: impl FnOnce(&mut Tape<'_>) -> Result<(), Measure>) -> Measure {
    let mut tape = Tape { bytes, at: from };
    match walk(&mut tape) {
        Err(measure) => measure,
        Ok(()) if tape.at <= bytes.len() => Measure::Whole(tape.at),
        Ok(()) => Measure::More(tape.at),
    }
}

/// The count in front of sessions and of the ACL table.
pub fn count(bytes: &[u8]) -> Measure {
    measure(bytes, 0, |tape| tape.length().map(drop))
}

/// A session.
pub fn session(bytes: &[u8]) -> Measure {
    measure(bytes, 12, |_| Ok(()))
}

/// An entry of the ACL table.
pub fn acl(bytes: &[u8]) -> Measure {
    measure(bytes, 8, |tape| tape.access_list())
}

/// A node, or the end mark.
pub fn node(bytes: &[u8]) -> Measure {
    measure(bytes, 0, |tape| tape.node())
}

/// The signature behind the end mark, which has one form only.
pub fn signature(bytes: &[u8]) -> Measure {
    let mut expected = Vec::new();
    encode_signature(&mut expected);
    if bytes.starts_with(&expected) {
        Measure::Whole(expected.len())
    } else if expected.starts_with(bytes) {
        Measure::More(expected.len())
    } else {
        Measure::Bad("its signature is missing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{SnapshotNode, encode_end, encode_head, encode_node};
    use super::*;
    use crate::types::{Acl, StatPersisted};

    /// Every beginning of a record says that more is needed, the whole one its length.
    fn measured(record: &[u8], measure: fn(&[u8]) -> Measure) {
        for end in 0..record.len() {
            match measure(&record[..end]) {
                Measure::More(need) => assert!(need > end, "{end}: {need}"),
                other => panic!("{end} of {}: {other:?}", record.len()),
            }
        }
        let mut longer = record.to_vec();
        longer.extend([0xff; 20]);
        assert_eq!(measure(record), Measure::Whole(record.len()));
        assert_eq!(measure(&longer), Measure::Whole(record.len()));
    }

    #[test]
    fn every_record_is_measured_as_it_is_written() {
        let mut head = Vec::new();
        encode_head(&[(5, 4000)], &[(3, vec![Acl::open(), Acl::open()])], &mut head);
        measured(&head[..4], count);
        measured(&head[4..16], session);
        measured(&head[16..20], count);
        measured(&head[20..], acl);
        let stat = StatPersisted::default();
        for (path, data) in [("", None), ("/a/b", Some(&b"data"[..]))] {
            let mut bytes = Vec::new();
            encode_node(&SnapshotNode { path, data, acl: 1, stat }, &mut bytes);
            measured(&bytes, node);
        }
        let mut end = Vec::new();
        encode_end(&mut end);
        measured(&end, node);
        let mut mark = Vec::new();
        encode_signature(&mut mark);
        measured(&mark, signature);
    }

    #[test]
    fn impossible_lengths_and_signatures_are_bad() {
        assert!(matches!(count(&[0xff, 0xff, 0xff, 0xf0]), Measure::Bad(_)));
        assert!(matches!(node(&[0x80, 0, 0, 0, 0]), Measure::Bad(_)));
        assert!(matches!(signature(b"\0\0\0\x0aBenWasThere"), Measure::Bad(_)));
        assert_eq!(count(&[0xff; 4]), Measure::Whole(4), "null counts as nothing");
        assert_eq!(node(&[0x7f, 0xff, 0xff, 0xff]), Measure::More(0x7fff_ffff + 8));
    }
}
