//! The DER that an AS-REQ is made of.
//!
//! # Invariants
//!
//! * What is written is DER: definite lengths, shortest form.

use super::super::der::tag;

/// An element.
pub(super) fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = inside.len();
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let zeroes = digits.iter().take_while(|&&b| b == 0).count();
            let digits = digits.get(zeroes..).unwrap_or_default();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend_from_slice(digits);
        }
    }
    out.extend_from_slice(inside);
    out
}

/// `[n]` around an element.
pub(super) fn field(n: u8, inside: Vec<u8>) -> Vec<u8> {
    element(tag::context(n), &inside)
}

/// A SEQUENCE of elements.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag::SEQUENCE, &parts.concat())
}

/// An INTEGER.
pub(super) fn integer(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let sign = if value < 0 { 0xff } else { 0 };
    // Leading bytes that only repeat the sign are left away.
    let spare = bytes
        .windows(2)
        .take_while(|pair| matches!(pair, [a, b] if *a == sign && (b & 0x80) == (sign & 0x80)))
        .count();
    element(tag::INTEGER, bytes.get(spare..).unwrap_or(&bytes))
}

/// A GeneralString.
pub(super) fn string(text: &str) -> Vec<u8> {
    element(tag::GENERAL_STRING, text.as_bytes())
}

/// An OCTET STRING.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(tag::OCTETS, bytes)
}

/// 32 flags as a BIT STRING.
pub(super) fn flags(bits: u32) -> Vec<u8> {
    let [a, b, c, d] = bits.to_be_bytes();
    element(tag::BIT_STRING, &[0, a, b, c, d])
}

/// PrincipalName of components separated by slashes.
pub(super) fn name(kind: i64, name: &str) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = name.split('/').map(string).collect();
    sequence(&[field(0, integer(kind)), field(1, sequence(&parts))])
}

/// KerberosTime of seconds since 1970.
pub(super) fn time(seconds: i64) -> Vec<u8> {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March make leap days the last of their year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let moved = (5 * of_year + 2) / 153;
    let day = of_year - (153 * moved + 2) / 5 + 1;
    let month = if moved < 10 { moved + 3 } else { moved - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    element(tag::TIME, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::super::der::Der;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for value in [0, 1, -1, 127, 128, 255, 256, 65_535, 0x7fff_ffff, -129] {
            assert_eq!(Der(&integer(value)).integer(), Some(value), "{value}");
        }
        assert_eq!(integer(127).len(), 3);
        for seconds in [0, 951_825_600, 1_795_173_081, 4_102_444_800] {
            assert_eq!(Der(&time(seconds)).time(), Some(seconds), "{seconds}");
        }
        for size in [0, 127, 128, 255, 256, 70_000] {
            assert_eq!(Der(&octets(&vec![7; size])).octets().map(<[u8]>::len), Some(size));
        }
    }
}
