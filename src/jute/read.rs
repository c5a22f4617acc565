//! The bounded reader: a window over bytes that already are in memory.
//!
//! # Invariants
//!
//! * A failed read consumes nothing that matters: the record is abandoned.

use super::JuteError;
use crate::limits::{LOSSY_STRING, VECTOR_AT_ONCE};
use std::borrow::Cow;

/// Reads jute fields from a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Is everything consumed?
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, unread.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes exactly `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], JuteError> {
        match self.rest.split_at_checked(n) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(JuteError::End { want: n, have: self.rest.len() }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], JuteError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(*head)
            }
            None => Err(JuteError::End { want: N, have: self.rest.len() }),
        }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, JuteError> {
        self.array::<1>().map(|b| b[0])
    }

    /// A boolean: any byte but 0 is true, as Java's `DataInput`.
    pub fn bool(&mut self) -> Result<bool, JuteError> {
        self.u8().map(|b| b != 0)
    }

    /// A 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, JuteError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, JuteError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length: -1 is `None`; other negative lengths and lengths past the input are errors.
    fn length(&mut self) -> Result<Option<usize>, JuteError> {
        let n = self.i32()?;
        if n == -1 {
            return Ok(None);
        }
        match usize::try_from(n) {
            Ok(len) if len <= self.rest.len() => Ok(Some(len)),
            _ => Err(JuteError::Length(n)),
        }
    }

    /// A byte buffer; `None` is null.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, JuteError> {
        match self.length()? {
            None => Ok(None),
            Some(n) => self.take(n).map(Some),
        }
    }

    /// A string; `None` is null. Malformed UTF-8 becomes U+FFFD, as in Java, up to
    /// [`LOSSY_STRING`] bytes: the replacement may be three times as long.
    pub fn string(&mut self) -> Result<Option<Cow<'a, str>>, JuteError> {
        let Some(bytes) = self.buffer()? else { return Ok(None) };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Cow::Borrowed(text))),
            Err(_) if bytes.len() <= LOSSY_STRING => Ok(Some(Cow::Owned(replaced(bytes)))),
            Err(_) => Err(JuteError::Text(bytes.len())),
        }
    }

    /// A string that may not be null; `what` names it in the error.
    pub fn required_string(&mut self, what: &'static str) -> Result<Cow<'a, str>, JuteError> {
        self.string()?.ok_or(JuteError::Null(what))
    }

    /// A vector; `None` is null. Each element must consume at least one byte. One of more than
    /// [`VECTOR_AT_ONCE`] elements is read to its end before room is made for it: `element` is
    /// then called twice for each.
    pub fn vector<T>(
        &mut self,
        mut element: impl FnMut(&mut Reader<'a>) -> Result<T, JuteError>,
    ) -> Result<Option<Vec<T>>, JuteError> {
        let Some(n) = self.length()? else { return Ok(None) };
        if n > VECTOR_AT_ONCE {
            let mut probe = self.clone();
            for _ in 0..n {
                element(&mut probe)?;
            }
        }
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(element(self)?);
        }
        Ok(Some(items))
    }
}

/// Text of malformed bytes as Java's `new String(bytes, UTF_8)`: as `String::from_utf8_lossy`,
/// but each surrogate written as three bytes (characters beyond the basic plane, as Java's clients
/// send them) becomes one U+FFFD, not three.
#[cold]
fn replaced(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while let Some(chunk) = bytes.utf8_chunks().next() {
        text.push_str(chunk.valid());
        let mut used = chunk.valid().len() + chunk.invalid().len();
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            used = match bytes.get(chunk.valid().len()..) {
                Some([0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]) => chunk.valid().len() + 3,
                Some([0xed, 0xa0..=0xbf, ..]) => chunk.valid().len() + 2,
                _ => used,
            };
        }
        bytes = bytes.get(used..).unwrap_or_default();
    }
    text
}
