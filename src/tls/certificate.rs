//! What is read out of a certificate beside its signature: subject, validity, serial number.
//!
//! # Invariants
//!
//! * Nothing here decides about trust: chains, signatures and names of hosts are rustls-webpki's.
//! * One certificate is one identity: its subject as a whole, never one of its parts.

use std::fmt::Write as _;

use super::der::{Der, Element, GENERALIZED_TIME, INTEGER, Malformed, SEQUENCE, UTC_TIME};
use super::name::{BadName, rfc2253};

/// Facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// X.509 version, from 1.
    pub version: u8,
    /// Contents of the subject's `SEQUENCE`.
    pub subject: &'a [u8],
    /// Contents of the issuer's `SEQUENCE`.
    pub issuer: &'a [u8],
    /// Contents of the serial number.
    pub serial: &'a [u8],
    /// First second of its validity, Unix time.
    pub not_before: i64,
    /// Last second of its validity, Unix time.
    pub not_after: i64,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate (RFC 5280, section 4.1).
    ///
    /// # Errors
    ///
    /// [`Malformed`] where it is none.
    pub fn read(der: &'a [u8]) -> Result<Certificate<'a>, Malformed> {
        let mut outer = Der(der);
        let mut certificate = outer.expect(SEQUENCE)?.inside();
        if !outer.is_empty() {
            return Err(Malformed);
        }
        let mut signed = certificate.expect(SEQUENCE)?.inside();
        let version = match signed.optional(0xa0) {
            // Counted from 0, and left out where it is 0.
            Some(number) => number.inside().expect(INTEGER)?.value.last().map_or(1, |n| n.saturating_add(1)),
            None => 1,
        };
        let serial = signed.expect(INTEGER)?.value;
        let _algorithm = signed.expect(SEQUENCE)?;
        let issuer = signed.expect(SEQUENCE)?.value;
        let mut validity = signed.expect(SEQUENCE)?.inside();
        let (not_before, not_after) = (time(validity.element()?)?, time(validity.element()?)?);
        let subject = signed.expect(SEQUENCE)?.value;
        Ok(Certificate { version, subject, issuer, serial, not_before, not_after })
    }

    /// Its identity: the subject in Java's RFC 2253 form.
    ///
    /// # Errors
    ///
    /// [`BadName`] for a subject that cannot be one.
    pub fn name(&self) -> Result<String, BadName> {
        rfc2253(self.subject)
    }

    /// Is it signed by its own subject, as far as names tell?
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Is it valid at this second of Unix time?
    pub fn is_valid_at(&self, seconds: i64) -> bool {
        (self.not_before..=self.not_after).contains(&seconds)
    }

    /// The serial number as `openssl` prints it.
    pub fn serial_text(&self) -> String {
        let digits = self.serial.iter().skip_while(|b| **b == 0);
        digits.fold(String::new(), |mut text, b| {
            let _ = write!(text, "{b:02X}");
            text
        })
    }
}

/// `UTCTime` or `GeneralizedTime` in the forms RFC 5280 allows, as Unix time.
fn time(element: Element<'_>) -> Result<i64, Malformed> {
    let digits = element.value.strip_suffix(b"Z").ok_or(Malformed)?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = number(digits, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => number(digits, 4)?,
        _ => return Err(Malformed),
    };
    let (month, rest) = number(rest, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    let (second, rest) = number(rest, 2)?;
    let in_range =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !rest.is_empty() || !in_range {
        return Err(Malformed);
    }
    Ok(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &[u8], n: usize) -> Result<(i64, &[u8]), Malformed> {
    let (digits, rest) = digits.split_at_checked(n).ok_or(Malformed)?;
    let value =
        digits.iter().try_fold(0i64, |sum, d| d.is_ascii_digit().then(|| sum * 10 + i64::from(d - b'0')));
    Ok((value.ok_or(Malformed)?, rest))
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_tells_its_name_validity_and_serial() {
        let mut params = rcgen::CertificateParams::new(vec!["zk1.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "client");
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 1, 1);
        params.serial_number = Some(vec![0x0a, 0xbc].into());
        let key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let read = Certificate::read(made.der()).unwrap();
        assert_eq!(read.name().unwrap(), "CN=client");
        assert_eq!((read.not_before, read.not_after), (1_709_164_800, 2_556_144_000));
        assert_eq!(read.serial_text(), "0ABC");
        assert_eq!(read.version, 3);
        assert!(read.is_self_issued() && read.is_valid_at(1_709_164_800) && !read.is_valid_at(1_709_164_799));
        for cut in [0, 1, 10, made.der().len() - 1] {
            assert_eq!(Certificate::read(&made.der()[..cut]), Err(Malformed));
        }
    }

    #[test]
    fn a_certificate_tells_its_version() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let mut der = made.der().to_vec();
        let at = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap();
        der[at + 4] = 0;
        assert_eq!(Certificate::read(&der).unwrap().version, 1);
        // Left out: the two sequences around it are five bytes shorter.
        der.drain(at..at + 5);
        for length in [2, at - 2] {
            let old = u16::from_be_bytes([der[length], der[length + 1]]);
            der[length..length + 2].copy_from_slice(&(old - 5).to_be_bytes());
        }
        assert_eq!(Certificate::read(&der).unwrap().version, 1);
    }

    #[test]
    fn dates_are_counted_by_the_gregorian_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(1900, 3, 1) - days(1900, 2, 28), 1);
        let at = |tag, value| time(Element { tag, value, whole: value });
        assert_eq!(at(UTC_TIME, b"700101000000Z"), Ok(0));
        assert_eq!(at(GENERALIZED_TIME, b"19700101000001Z"), Ok(1));
        for bad in
            [&b"700101000000"[..], b"7001010000Z", b"701301000000Z", b"70010100000xZ", b"7001010000000Z"]
        {
            assert_eq!(at(UTC_TIME, bad), Err(Malformed));
        }
    }
}
