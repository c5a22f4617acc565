//! The hashes of RFC 2831, section 2.1.2.1, for `md5-sess` and `auth`.
//!
//! # Invariants
//!
//! * MD5 comes from OpenSSL: where that runs in FIPS mode, there is none, and the exchange fails.

use openssl::hash::{Hasher, MessageDigest};
use std::fmt;
use zeroize::Zeroize;

/// MD5 is not to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMd5;

/// `H(user:realm:password)`: all that a server needs, as good as the password for this realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1([u8; 16]);

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Ha1 {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Ha1 {
    /// Of a user. Each part is hashed as ISO 8859-1 where it can be, as UTF-8 otherwise (section 2.1.2.1).
    pub fn of(user: &str, realm: &str, password: &str) -> Result<Ha1, NoMd5> {
        let mut password = octets(password);
        let hash = md5(&[&octets(user), b":", &octets(realm), b":", &password]);
        password.zeroize();
        Ok(Ha1(hash?))
    }
}

/// The bytes of a text for [`Ha1::of`].
fn octets(text: &str) -> Vec<u8> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    latin.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// What both sides have said, but for the password.
pub struct Said<'a> {
    /// The server's nonce, as text.
    pub nonce: &'a [u8],
    /// The client's.
    pub cnonce: &'a [u8],
    /// `digest-uri` as the client wrote it.
    pub uri: &'a [u8],
    /// `authzid`, which is hashed where it is given.
    pub authzid: Option<&'a [u8]>,
}

/// The only nonce count there is: a nonce serves once.
pub const NC: &str = "00000001";

impl Said<'_> {
    /// `response`, the client's proof.
    pub fn response(&self, ha1: &Ha1) -> Result<[u8; 32], NoMd5> {
        self.value(ha1, b"AUTHENTICATE:")
    }

    /// `rspauth`, the server's.
    pub fn rspauth(&self, ha1: &Ha1) -> Result<[u8; 32], NoMd5> {
        self.value(ha1, b":")
    }

    fn value(&self, ha1: &Ha1, method: &[u8]) -> Result<[u8; 32], NoMd5> {
        let mut a1: Vec<&[u8]> = vec![&ha1.0, b":", self.nonce, b":", self.cnonce];
        if let Some(authzid) = self.authzid {
            a1.extend([&b":"[..], authzid]);
        }
        let a1 = hex(md5(&a1)?);
        let a2 = hex(md5(&[method, self.uri])?);
        let parts: [&[u8]; 9] =
            [&a1, b":", self.nonce, b":", NC.as_bytes(), b":", self.cnonce, b":auth:", &a2];
        md5(&parts).map(hex)
    }
}

fn md5(parts: &[&[u8]]) -> Result<[u8; 16], NoMd5> {
    let mut hasher = Hasher::new(MessageDigest::md5()).map_err(|_| NoMd5)?;
    for part in parts {
        hasher.update(part).map_err(|_| NoMd5)?;
    }
    hasher.finish().ok().and_then(|hash| <[u8; 16]>::try_from(&*hash).ok()).ok_or(NoMd5)
}

fn hex(bytes: [u8; 16]) -> [u8; 32] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out
}

/// Equality without a hint of where the first difference is.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && openssl::memcmp::eq(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2831, section 4 (IMAP).
    #[test]
    fn the_example_of_the_rfc_holds() {
        let ha1 = Ha1::of("chris", "elwood.innosoft.com", "secret").unwrap();
        let said = Said {
            nonce: b"OA6MG9tEQGm2hh",
            cnonce: b"OA6MHXh6VqTrRk",
            uri: b"imap/elwood.innosoft.com",
            authzid: None,
        };
        assert_eq!(&said.response(&ha1).unwrap(), b"d388dad90d4bbd760a152321f2143af7");
        assert_eq!(&said.rspauth(&ha1).unwrap(), b"ea40f60335c427b5527b84dbabcdfffd");
    }

    #[test]
    fn latin_text_is_hashed_as_latin_and_other_text_as_utf8() {
        assert_eq!(octets("é"), [0xe9]);
        assert_eq!(octets("€é"), "€é".as_bytes());
        assert_eq!(format!("{:?}", Ha1::of("a", "b", "c").unwrap()), "***");
    }

    #[test]
    fn comparison_needs_equal_length_and_content() {
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"ab", b"abc") && same(b"", b""));
    }
}
