//! One audit file, read from its first byte to its last: what fits the chain and what does not.
//!
//! # Invariants
//!
//! * Memory is bounded by the longest line, and that by [`AUDIT_LINE`].
//! * A file is sound only if each of its bytes is covered by a link that fits, or by a repair
//!   record that names exactly the bytes in front of it.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use sha2::{Digest as _, Sha256};

use super::chain::{Line, Link};
use crate::limits::{AUDIT_LINE, AUDIT_PROBLEMS};
use crate::types::decision::Operation;

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The line's bytes are not those that were written.
    Changed,
    /// It does not end with a chain field, or is no text.
    NoRecord,
    /// Records are missing in front of it: the first and the last number.
    Missing(u64, u64),
    /// Its number was there before: a line was put in, or lines changed places.
    OutOfOrder(u64),
    /// The file ends in the middle of this line.
    Cut,
    /// Records up to this number were written behind this line and are gone.
    CutBehind(u64),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Changed => f.write_str("changed: the line is not what was written"),
            Problem::NoRecord => f.write_str("changed: the line is no record of this chain"),
            Problem::Missing(one, last) if one == last => write!(f, "missing: record {one} in front of it"),
            Problem::Missing(from, to) => write!(f, "missing: records {from} to {to} in front of it"),
            Problem::OutOfOrder(number) => {
                write!(f, "out of order: record {number} stands before it already")
            }
            Problem::Cut => f.write_str("cut: the file ends in the middle of the line"),
            Problem::CutBehind(upto) => write!(f, "cut: records up to {upto} were written behind it"),
        }
    }
}

/// What a file turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The link in front of the first record, as that names it.
    pub previous: Option<Link>,
    /// The number of the first record.
    pub first: Option<u64>,
    /// The last record's link.
    pub last: Option<Link>,
    /// Lines of the file.
    pub lines: u64,
    /// Records that fit the chain.
    pub records: u64,
    /// Bytes up to the end of the last record.
    pub sound_bytes: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the bytes behind the last record, without a line end at their end.
    pub rest: Option<[u8; 32]>,
    /// Lines that a crash had cut and a restart marked.
    pub marked: Vec<u64>,
    /// What is wrong: line (from 1) and problem; at most [`AUDIT_PROBLEMS`].
    pub problems: Vec<(u64, Problem)>,
}

/// Where the reading stands.
struct Reader {
    scan: Scan,
    /// The link of the record in front, as it says itself.
    at: Option<Link>,
    /// Behind a record that did not fit: the link that it may have had instead.
    or_at: Option<Link>,
    /// Lines without a link since the last record.
    loose: Vec<(u64, Vec<u8>)>,
}

/// Reads a whole file.
///
/// # Errors
///
/// It cannot be read.
pub fn scan(mut input: impl BufRead) -> io::Result<Scan> {
    let mut reader = Reader { scan: Scan::default(), at: None, or_at: None, loose: Vec::new() };
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = u64::try_from(AUDIT_LINE).unwrap_or(u64::MAX);
        let read = input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        reader.scan.bytes += read as u64;
        reader.scan.lines += 1;
        reader.take(&line);
    }
    Ok(reader.finish())
}

impl Reader {
    fn wrong(&mut self, line: u64, problem: Problem) {
        if self.scan.problems.len() < AUDIT_PROBLEMS {
            self.scan.problems.push((line, problem));
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let number = self.scan.lines;
        let whole = bytes.strip_suffix(b"\n");
        match whole.and_then(Line::parse) {
            Some(line) => {
                self.loose_ends(&line);
                self.record(number, &line);
                self.scan.sound_bytes = self.scan.bytes;
            }
            None if self.loose.len() < 2 => self.loose.push((number, bytes.to_vec())),
            None => self.wrong(number, Problem::NoRecord),
        }
    }

    /// Lines without a link are fine if this record says that a crash left them.
    fn loose_ends(&mut self, line: &Line<'_>) {
        let loose = std::mem::take(&mut self.loose);
        if let [(number, bytes)] = loose.as_slice()
            && line.value("operation") == Some(Operation::AuditRepair.record_name())
            && line.value("cut") == Some(fragment(bytes.strip_suffix(b"\n").unwrap_or(bytes)).as_str())
        {
            self.scan.marked.push(*number);
            return;
        }
        for (number, _) in loose {
            self.wrong(number, Problem::NoRecord);
        }
    }

    fn record(&mut self, number: u64, line: &Line<'_>) {
        let Some(at) = self.at else {
            return self.first(number, line);
        };
        let fits = |link: &Link| line.follows(link);
        if fits(&at) || self.or_at.as_ref().is_some_and(fits) {
            self.scan.records += 1;
            self.go_on(line.link, None);
        } else if line.link.number <= at.number {
            self.wrong(number, Problem::OutOfOrder(line.link.number));
        } else if line.link.number > at.number + 1 {
            self.wrong(number, Problem::Missing(at.number + 1, line.link.number - 1));
            // Or nothing is missing and its number was changed.
            self.go_on(line.link, Some(Link { number: at.number + 1, ..line.link }));
        } else {
            self.wrong(number, Problem::Changed);
            // Either its record was changed, or its hash: the next line fits one of the two.
            self.go_on(line.link, Some(line.behind(&at)));
        }
    }

    /// The first record names the link in front of it.
    fn first(&mut self, number: u64, line: &Line<'_>) {
        let named = line.value("previous").and_then(Link::parse);
        self.scan.previous = named;
        self.scan.first = Some(line.link.number);
        match named {
            Some(previous) if line.follows(&previous) => self.scan.records += 1,
            Some(previous) => {
                self.wrong(number, Problem::Changed);
                return self.go_on(line.link, Some(line.behind(&previous)));
            }
            None if line.link.number > 1 => self.wrong(number, Problem::Missing(1, line.link.number - 1)),
            None => self.wrong(number, Problem::Changed),
        }
        self.go_on(line.link, None);
    }

    fn go_on(&mut self, link: Link, or: Option<Link>) {
        self.at = Some(link);
        self.or_at = or;
        self.scan.last = Some(link);
    }

    fn finish(mut self) -> Scan {
        let mut rest = Sha256::new();
        let count = self.loose.len();
        for (i, (number, bytes)) in std::mem::take(&mut self.loose).into_iter().enumerate() {
            let ended = bytes.strip_suffix(b"\n");
            rest.update(if i + 1 == count { ended.unwrap_or(&bytes) } else { &bytes });
            self.wrong(number, if ended.is_some() { Problem::NoRecord } else { Problem::Cut });
        }
        if count > 0 {
            self.scan.rest = Some(rest.finalize().into());
        }
        self.scan
    }
}

/// How a repair record names the bytes that a crash left: their number and SHA-256.
pub fn fragment(bytes: &[u8]) -> String {
    Link { number: bytes.len() as u64, hash: Sha256::digest(bytes).into() }.to_string()
}
