//! A bounded reader of DER: tag, length, value, one after the other.
//!
//! It is for looking at certificates and key stores; signatures and chains are judged by
//! rustls-webpki.
//!
//! # Invariants
//!
//! * Total and without allocation: malformed input ends in [`Malformed`].
//! * Lengths are definite and minimal, tags are single bytes, as in every certificate and store.

use std::fmt;

/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub const OID: u8 = 0x06;
/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;
/// `UTCTime`.
pub const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub const GENERALIZED_TIME: u8 = 0x18;

/// The input is no DER of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed DER")
    }
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its tag with class and the constructed bit.
    pub tag: u8,
    /// Its contents.
    pub value: &'a [u8],
    /// All of it, header included.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub fn inside(&self) -> Der<'a> {
        Der(self.value)
    }

    /// Does it consist of elements?
    pub fn is_constructed(&self) -> bool {
        self.tag & 0x20 != 0
    }
}

/// A reader over the elements of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    /// Is everything read?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element, whatever it is.
    ///
    /// # Errors
    ///
    /// [`Malformed`] at the end and for every form that DER forbids.
    pub fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let input = self.0;
        let [tag, first, rest @ ..] = input else { return Err(Malformed) };
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, header) = match first {
            0..=0x7f => (usize::from(*first), 2),
            0x81..=0x84 => {
                let bytes = usize::from(first & 0x7f);
                let digits = rest.get(..bytes).ok_or(Malformed)?;
                let length = digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
                if digits.first() == Some(&0) || length < 0x80 {
                    return Err(Malformed);
                }
                (length, 2 + bytes)
            }
            _ => return Err(Malformed),
        };
        let end = header.checked_add(length).ok_or(Malformed)?;
        let whole = input.get(..end).ok_or(Malformed)?;
        let value = whole.get(header..).ok_or(Malformed)?;
        self.0 = input.get(end..).ok_or(Malformed)?;
        Ok(Element { tag: *tag, value, whole })
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    ///
    /// [`Malformed`], also for another tag; then nothing is read.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let mut ahead = *self;
        let element = ahead.element()?;
        if element.tag != tag {
            return Err(Malformed);
        }
        *self = ahead;
        Ok(element)
    }

    /// The next element, if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        self.expect(tag).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_read_and_other_forms_refused() {
        let mut der = Der(&[0x30, 3, 2, 1, 5, 4, 0]);
        let sequence = der.expect(SEQUENCE).unwrap();
        assert!(sequence.is_constructed());
        assert_eq!(sequence.inside().expect(INTEGER).unwrap().value, [5]);
        assert_eq!(der.expect(INTEGER), Err(Malformed));
        assert_eq!(der.optional(OCTET_STRING).unwrap().whole, [4, 0]);
        assert!(der.is_empty());
        for bad in [&[][..], &[2], &[2, 2, 0], &[2, 0x80, 0, 0], &[2, 0x81, 5, 0], &[0x1f, 1, 0], &[2, 0x85]]
        {
            assert_eq!(Der(bad).element(), Err(Malformed), "{bad:?}");
        }
        let mut long = vec![4, 0x81, 0x80];
        long.extend([7; 0x80]);
        assert_eq!(Der(&long).element().unwrap().value.len(), 0x80);
    }

    proptest! {
        #[test]
        fn any_bytes_end_somewhere(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut der = Der(&bytes);
            let mut read = 0;
            while let Ok(element) = der.element() {
                read += element.whole.len();
            }
            prop_assert!(read <= bytes.len());
        }
    }
}
