//! The few constructions of DER that Kerberos messages are made of.
//!
//! # Invariants
//!
//! * Total: whatever the bytes are, the answer is a value or `None`, and nothing is allocated.
//! * Lengths are definite and at most four bytes long, as RFC 4120 demands of DER.

/// A reader over the elements of one level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub &'a [u8]);

/// Tags that are looked for.
pub(super) mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTETS: u8 = 0x04;
    pub const OID: u8 = 0x06;
    pub const GENERAL_STRING: u8 = 0x1b;
    pub const TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    /// `[APPLICATION n]`, constructed.
    pub const fn application(n: u8) -> u8 {
        0x60 | n
    }
    /// `[n]`, constructed.
    pub const fn context(n: u8) -> u8 {
        0xa0 | n
    }
}

impl<'a> Der<'a> {
    /// The next element: its tag and what it holds.
    pub fn element(&mut self) -> Option<(u8, Der<'a>)> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, &b| length << 8 | usize::from(b)), rest)
            }
            _ => return None,
        };
        let (inside, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, Der(inside)))
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<Der<'a>> {
        self.element().filter(|(found, _)| *found == tag).map(|(_, inside)| inside)
    }

    /// The next element if it has this tag; otherwise nothing is taken.
    pub fn optional(&mut self, tag: u8) -> Option<Der<'a>> {
        let mut ahead = *self;
        let inside = ahead.expect(tag)?;
        *self = ahead;
        Some(inside)
    }

    /// An integer of up to 32 bits, signed or not.
    pub fn integer(&mut self) -> Option<i64> {
        let digits = self.expect(tag::INTEGER)?.0;
        let (&first, _) = digits.split_first()?;
        let start = if first & 0x80 == 0 { 0 } else { -1 };
        (digits.len() <= 5).then(|| digits.iter().fold(start, |n: i64, &b| n << 8 | i64::from(b)))
    }

    /// A string, which Kerberos has as bytes.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(tag::GENERAL_STRING).map(|inside| inside.0)
    }

    /// A byte string.
    pub fn octets(&mut self) -> Option<&'a [u8]> {
        self.expect(tag::OCTETS).map(|inside| inside.0)
    }

    /// A KerberosTime (`YYYYMMDDHHMMSSZ`), seconds of Unix time.
    pub fn time(&mut self) -> Option<i64> {
        let text: &[u8; 15] = self.expect(tag::TIME)?.0.try_into().ok()?;
        let (digits, zone) = text.split_at(14);
        if zone != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut number = digits.iter().map(|b| i64::from(b - b'0'));
        let mut take = |n: usize| (0..n).fold(0, |sum, _| sum * 10 + number.next().unwrap_or(0));
        let (year, month, day) = (take(4), take(2), take(2));
        let (hour, minute, second) = (take(2), take(2), take(2));
        Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// Days since 1970 of a day of the Gregorian calendar (years that begin in March make leap days the last).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_in_turn_and_never_past_their_end() {
        let mut der = Der(&[0x30, 0x03, 0x02, 0x01, 0x05, 0x04, 0x81, 0x01, 0x07]);
        let mut inside = der.expect(tag::SEQUENCE).unwrap();
        assert_eq!(inside.integer(), Some(5));
        assert!(der.optional(tag::OID).is_none());
        assert_eq!(der.octets(), Some(&[7][..]));
        assert!(der.element().is_none());
        for bad in
            [&[0x30][..], &[0x30, 0x05, 0x01], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x04, 0x82, 1]]
        {
            assert!(Der(bad).element().is_none(), "{bad:?}");
        }
        assert_eq!(Der(&[0x02, 0x01, 0xff]).integer(), Some(-1));
        assert_eq!(Der(&[0x02, 0x05, 0, 0xff, 0xff, 0xff, 0xff]).integer(), Some(0xffff_ffff));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |text: &str| Der(&[&[tag::TIME, 15][..], text.as_bytes()].concat()).time();
        assert_eq!(at("19700101000000Z"), Some(0));
        assert_eq!(at("20000229120000Z"), Some(951_825_600));
        assert_eq!(at("20261120111121Z"), Some(1_795_173_081));
        assert_eq!(at("2026112011112xZ"), None);
        assert_eq!(at("20261120111121+"), None);
    }
}
