//! X.500 names in the form of Java's `X500Principal.getName()`: RFC 2253, the id of scheme `x509`.
//!
//! # Invariants
//!
//! * For every name that is taken the text is Java's to the byte: ACLs store it.
//! * Different names have different texts. Names for which that does not hold (text that is
//!   no UTF-8 or has a NUL, where Java's form loses what it was) are refused as ambiguous, and so
//!   is the empty name.

use std::fmt;
use std::fmt::Write as _;

use super::der::{Der, Malformed, OID, SEQUENCE, SET};
use crate::limits::X509_NAME_BYTES;

/// Attributes that RFC 2253 gives a keyword, by the contents of their OID.
const KEYWORDS: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// Tags that Java prints as text: UTF8, Printable, T61, IA5, General, BMP strings.
const TEXT_TAGS: [u8; 6] = [0x0c, 0x13, 0x14, 0x16, 0x1b, 0x1e];

/// Why a name cannot be an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// No DER of a name.
    Malformed,
    /// There is no attribute at all.
    Empty,
    /// Longer than [`X509_NAME_BYTES`].
    TooLong,
    /// Its text could stand for another name, too.
    Ambiguous,
}

impl From<Malformed> for BadName {
    fn from(_: Malformed) -> BadName {
        BadName::Malformed
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadName::Malformed => "the subject is malformed",
            BadName::Empty => "the subject is empty",
            BadName::TooLong => "the subject is too long",
            BadName::Ambiguous => "the subject has text that is no UTF-8 or contains a NUL",
        })
    }
}

/// The text of a name; `contents` are those of its outer `SEQUENCE`.
///
/// # Errors
///
/// [`BadName`] for names that cannot be an identity.
pub fn rfc2253(contents: &[u8]) -> Result<String, BadName> {
    if contents.len() > X509_NAME_BYTES {
        return Err(BadName::TooLong);
    }
    let mut parts = Vec::new();
    let mut names = Der(contents);
    while !names.is_empty() {
        parts.push(relative(names.expect(SET)?.inside())?);
    }
    if parts.is_empty() {
        return Err(BadName::Empty);
    }
    parts.reverse(); // the certificate begins with the country, the text with the common name
    Ok(parts.join(","))
}

/// One relative name: attributes joined by plus signs, in the order of the certificate.
fn relative(mut attributes: Der<'_>) -> Result<String, BadName> {
    let mut text = String::new();
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(SEQUENCE)?.inside();
        let oid = attribute.expect(OID)?.value;
        let value = attribute.element()?;
        if !attribute.is_empty() {
            return Err(BadName::Malformed);
        }
        if !text.is_empty() {
            text.push('+');
        }
        match KEYWORDS.iter().find(|(known, _)| *known == oid) {
            Some((_, keyword)) => {
                text.push_str(keyword);
                text.push('=');
                if TEXT_TAGS.contains(&value.tag) {
                    escaped(value.value, &mut text)?;
                } else {
                    hex(value.whole, &mut text);
                }
            }
            None => {
                dotted(oid, &mut text)?;
                text.push('=');
                hex(value.whole, &mut text);
            }
        }
    }
    if text.is_empty() { Err(BadName::Malformed) } else { Ok(text) }
}

/// A value as text. Java reads the bytes of every kind of string as UTF-8.
fn escaped(bytes: &[u8], into: &mut String) -> Result<(), BadName> {
    let value = std::str::from_utf8(bytes).map_err(|_| BadName::Ambiguous)?;
    if value.contains('\0') {
        return Err(BadName::Ambiguous);
    }
    let space = |c: &char| matches!(c, ' ' | '\r');
    let lead = value.chars().take_while(space).count();
    let trail = value.chars().count() - value.chars().rev().take_while(space).count();
    for (i, c) in value.chars().enumerate() {
        if i < lead || i >= trail || matches!(c, ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\') {
            into.push('\\');
        }
        into.push(c);
    }
    Ok(())
}

fn hex(bytes: &[u8], into: &mut String) {
    into.push('#');
    for byte in bytes {
        let _ = write!(into, "{byte:02x}"); // a String takes everything
    }
}

/// An OID as numbers with dots.
fn dotted(oid: &[u8], into: &mut String) -> Result<(), BadName> {
    if oid.last().is_none_or(|last| last & 0x80 != 0) {
        return Err(BadName::Malformed);
    }
    let mut first = true;
    let mut arc: u64 = 0;
    for byte in oid {
        if arc == 0 && *byte == 0x80 {
            return Err(BadName::Malformed); // a padded number
        }
        if arc >> 56 != 0 {
            return Err(BadName::TooLong);
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        let (head, tail) =
            if first { (Some((arc / 40).min(2)), arc - 40 * (arc / 40).min(2)) } else { (None, arc) };
        if let Some(head) = head {
            let _ = write!(into, "{head}");
        }
        let _ = write!(into, ".{tail}");
        (first, arc) = (false, 0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, u8::try_from(value.len()).unwrap()];
        out.extend(value);
        out
    }

    fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[tlv(OID, oid), tlv(tag, value)].concat())
    }

    fn name(parts: &[&[Vec<u8>]]) -> Vec<u8> {
        parts.iter().flat_map(|p| tlv(SET, &p.concat())).collect()
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];

    #[test]
    fn names_are_reversed_escaped_and_joined() {
        let der = name(&[
            &[attribute(&[0x55, 4, 6], 0x13, b"DE")],
            &[attribute(O, 0x0c, b" A, B+C "), attribute(&[0x55, 4, 11], 0x0c, "Zo\u{eb}".as_bytes())],
            &[attribute(CN, 0x0c, b"#x=\"y\"<z>;\\")],
        ]);
        let text = rfc2253(&der).unwrap();
        assert_eq!(text, "CN=\\#x\\=\\\"y\\\"\\<z\\>\\;\\\\,O=\\ A\\, B\\+C\\ +OU=Zo\u{eb},C=DE");
    }

    #[test]
    fn attributes_without_keyword_are_numbers_and_hex() {
        let mail = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
        let der = name(&[&[attribute(&mail, 0x16, b"a@b")], &[attribute(CN, 0x02, &[7])]]);
        assert_eq!(rfc2253(&der).unwrap(), "CN=#020107,1.2.840.113549.1.9.1=#1603614062");
        let far = name(&[&[attribute(&[0x88, 0x37, 3], 0x0c, b"x")]]);
        assert_eq!(rfc2253(&far).unwrap(), "2.999.3=#0c0178");
        assert_eq!(rfc2253(&name(&[&[attribute(CN, 0x0c, b"")]])).unwrap(), "CN=");
        assert_eq!(rfc2253(&name(&[&[attribute(CN, 0x0c, b"  ")]])).unwrap(), "CN=\\ \\ ");
    }

    #[test]
    fn what_could_be_two_names_is_refused() {
        assert_eq!(rfc2253(&[]), Err(BadName::Empty));
        for bytes in [&b"a\0b"[..], &[0xff], &[0, b'a']] {
            assert_eq!(rfc2253(&name(&[&[attribute(CN, 0x1e, bytes)]])), Err(BadName::Ambiguous));
        }
        assert_eq!(rfc2253(&vec![0; X509_NAME_BYTES + 1]), Err(BadName::TooLong));
        assert_eq!(rfc2253(&tlv(SET, &[])), Err(BadName::Malformed));
        assert_eq!(rfc2253(&name(&[&[attribute(&[0x80], 0x0c, b"x")]])), Err(BadName::Malformed));
        assert_eq!(rfc2253(&name(&[&[attribute(&[1, 0x80, 1], 0x0c, b"x")]])), Err(BadName::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = rfc2253(&bytes);
        }

        #[test]
        fn different_values_have_different_texts(a in "[ -~\r]{0,12}", b in "[ -~\r]{0,12}") {
            let text = |v: &str| rfc2253(&name(&[&[attribute(CN, 0x0c, v.as_bytes())]])).unwrap();
            prop_assert_eq!(a == b, text(&a) == text(&b));
        }
    }
}
