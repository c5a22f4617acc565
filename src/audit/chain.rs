//! The hash chain through the records of audit files.
//!
//! Every line of a file ends with a field `chain=<number>:<hash>`. The hash is SHA-256 over
//! the hash of the line before (32 bytes) and every byte of the line in front of the hash.
//!
//! # Invariants
//!
//! * Numbers count up by one, over files and restarts.
//! * Whoever knows one link and the bytes of a line knows the next link; nothing else goes in.
//! * The chain shows changes to whoever keeps a later link. Who can rewrite all files and
//!   every copy of the last link can make a new chain: the server's own log holds links too.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::layout::Layout;

/// Where a chain stands: the number of a record, and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Number of the record, from 1; 0 before the first.
    pub number: u64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

impl Link {
    /// Before the first record.
    pub const START: Link = Link { number: 0, hash: [0; 32] };

    /// Reads `<number>:<hash>`.
    pub fn parse(text: &str) -> Option<Link> {
        let (number, hash) = text.split_once(':')?;
        let plain = number.bytes().all(|b| b.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
        // Each byte is tested: reading numbers lets a sign pass, and `+a` is not what was written for `0a`.
        let digits = hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !plain || hash.len() != 64 || !digits {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hash.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Link { number: number.parse().ok()?, hash: bytes })
    }

    /// The link of the next record, and the end of its line; `front` is the line up to the hash.
    fn after(&self, front: &[u8]) -> Link {
        let hash = Sha256::new().chain_update(self.hash).chain_update(front).finalize();
        Link { number: self.number.saturating_add(1), hash: hash.into() }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.number)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What stands between a record and its number, and behind its hash.
const fn field(layout: Layout) -> (&'static str, &'static str) {
    match layout {
        Layout::Java => ("\tchain=", ""),
        Layout::Mrs => ("?chain=", ""),
        Layout::Json => (",\"chain\":\"", "\"}"),
    }
}

/// Makes a record the next one of the chain behind `last`: appends the line with its end to
/// `out`, and moves `last` on.
pub fn append(out: &mut Vec<u8>, layout: Layout, record: &str, last: &mut Link) {
    let (before, behind) = field(layout);
    let record = match layout {
        Layout::Json => record.strip_suffix('}').unwrap_or(record),
        Layout::Java | Layout::Mrs => record,
    };
    let start = out.len();
    out.extend_from_slice(record.as_bytes());
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(format!("{}:", last.number.saturating_add(1)).as_bytes());
    let link = last.after(out.get(start..).unwrap_or_default());
    let text = link.to_string();
    let hash = text.split_once(':').map_or("", |(_, hash)| hash);
    out.extend_from_slice(hash.as_bytes());
    out.extend_from_slice(behind.as_bytes());
    out.push(b'\n');
    *last = link;
}

/// A line of an audit file, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The record without its chain field.
    pub record: &'a str,
    /// What the line says of itself.
    pub link: Link,
    front: &'a str,
    layout: Layout,
}

impl<'a> Line<'a> {
    /// Takes a line apart; none if it does not end with a chain field, or is no text.
    pub fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let line = std::str::from_utf8(line).ok()?;
        [Layout::Java, Layout::Mrs, Layout::Json].into_iter().find_map(|layout| {
            let (before, behind) = field(layout);
            let inner = line.strip_suffix(behind)?;
            let at = inner.rfind(before)?;
            let text = inner.get(at + before.len()..)?;
            let link = Link::parse(text)?;
            let front = inner.get(..inner.len().checked_sub(64)?)?;
            Some(Line { record: inner.get(..at)?, link, front, layout })
        })
    }

    /// What its link must be if it follows `last`.
    pub fn behind(&self, last: &Link) -> Link {
        last.after(self.front.as_bytes())
    }

    /// Is it the untouched successor of `last`?
    pub fn follows(&self, last: &Link) -> bool {
        self.behind(last) == self.link
    }

    /// The value of a field that only the server's own records have.
    pub fn value(&self, key: &str) -> Option<&'a str> {
        let separator = match self.layout {
            Layout::Java => '\t',
            Layout::Mrs => '?',
            Layout::Json => {
                let name = format!("\"{key}\":\"");
                let at = self.record.find(&name)?;
                return self.record.get(at + name.len()..)?.split('"').next();
            }
        };
        // Time and level stand in front of the first field.
        let of = |part: &'a str| {
            let part = part.rsplit_once(['|', ' ']).map_or(part, |(_, field)| field);
            part.strip_prefix(key)?.strip_prefix('=')
        };
        self.record.split(separator).find_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUTS: [Layout; 3] = [Layout::Java, Layout::Mrs, Layout::Json];

    fn records(layout: Layout) -> Vec<String> {
        let texts = ["one", "two", "three"];
        texts
            .map(|t| if layout == Layout::Json { format!("{{\"a\":\"{t}\"}}") } else { format!("a={t}") })
            .into()
    }

    #[test]
    fn lines_are_taken_apart_and_follow_each_other() {
        for layout in LAYOUTS {
            let (mut out, mut last) = (Vec::new(), Link::START);
            records(layout).iter().for_each(|record| append(&mut out, layout, record, &mut last));
            let mut link = Link::START;
            for (line, text) in out.split(|b| *b == b'\n').zip(["one", "two", "three"]) {
                let line = Line::parse(line).expect("a line");
                assert!(line.follows(&link), "{layout:?} {text}");
                assert_eq!(line.value("a"), Some(text));
                assert!(!line.follows(&Link { number: link.number + 1, ..link }));
                assert!(!line.follows(&Link { hash: [1; 32], ..link }));
                link = line.link;
            }
            assert_eq!((link, link.number), (last, 3));
            if layout == Layout::Json {
                let first = out.split(|b| *b == b'\n').next().expect("a line");
                assert!(serde_json::from_slice::<serde_json::Value>(first).is_ok());
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        for layout in LAYOUTS {
            let (mut out, mut last) = (Vec::new(), Link::START);
            append(&mut out, layout, &records(layout)[0], &mut last);
            out.pop();
            for at in 0..out.len() {
                for flip in 1..=255 {
                    let mut line = out.clone();
                    line[at] ^= flip;
                    let fits = Line::parse(&line).is_some_and(|l| l.follows(&Link::START));
                    assert!(!fits, "{layout:?}: byte {at} ^ {flip}");
                }
            }
        }
    }

    #[test]
    fn links_are_read_strictly() {
        let text = Link { number: 7, hash: [0xab; 32] }.to_string();
        assert_eq!(Link::parse(&text).map(|l| l.number), Some(7));
        assert_eq!(Link::parse(&Link::START.to_string()), Some(Link::START));
        let hash = "ab".repeat(32);
        for bad in ["", "7", "7:", "07:", "+7:", ":"].map(|n| format!("{n}{hash}")) {
            assert_eq!(Link::parse(&bad).filter(|_| bad != format!("7:{hash}")), None, "{bad}");
        }
        assert_eq!(Link::parse(&text.to_uppercase()), None);
        assert_eq!(Link::parse(&format!("{text}0")), None);
        let signed = Link { number: 7, hash: [0x0a; 32] }.to_string().replacen("0a", "+a", 1);
        assert_eq!(Link::parse(&signed), None);
    }
}
