//! Java key stores (`JKS`): our own reader of the format of `sun.security.provider.JavaKeyStore`.
//!
//! The file: magic, version, number of entries; each entry with its kind, alias, date and
//! certificates, a key also with its bytes, which are the key XORed with a chain of SHA-1 hashes
//! of the password; at the end a SHA-1 hash over password and file.
//!
//! # Invariants
//!
//! * Nothing is looked at before the hash at the end is right for the password.
//! * Counts are bounded by [`TLS_STORE_ENTRIES`] and lengths by the file before memory is taken.

use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::super::der::{Der, OCTET_STRING, SEQUENCE};
use super::{BadStore, Entries, KeyEntry, chain_from};
use crate::config::Secret;
use crate::limits::TLS_STORE_ENTRIES;

/// What the file starts with.
pub const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// What a JCEKS file starts with.
pub const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// Words that Java mixes into the hash.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// Length of a SHA-1 hash.
const HASH: usize = 20;

const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;

/// Reads a JKS file.
///
/// # Errors
///
/// [`BadStore::Password`] when the hash is not right for the password, which is also how a damaged
/// file looks.
pub fn parse(bytes: &[u8], password: &Secret) -> Result<Entries, BadStore> {
    let (body, hash) =
        bytes.split_last_chunk::<HASH>().ok_or(BadStore::Malformed("is too short for a JKS file"))?;
    let password = in_utf16(password);
    let mut hasher = Sha1::new();
    hasher.update(&*password);
    hasher.update(WHITENER);
    hasher.update(body);
    if hasher.finalize().as_slice() != hash {
        return Err(BadStore::Password);
    }
    entries(body, &password)
}

/// Reads what stands in front of the hash at the end (for the fuzzers: no input of theirs has the right hash).
///
/// # Errors
///
/// As [`parse`], but for the hash.
pub fn unsealed(body: &[u8], password: &Secret) -> Result<Entries, BadStore> {
    entries(body, &in_utf16(password))
}

/// Entries of a file whose hash was checked.
fn entries(body: &[u8], password: &[u8]) -> Result<Entries, BadStore> {
    let mut reader = Reader(body);
    if reader.take(4)? != MAGIC {
        return Err(BadStore::Malformed("is no JKS file"));
    }
    let version = reader.u32()?;
    if !(1..=2).contains(&version) {
        return Err(BadStore::Malformed("is a JKS file of an unknown version"));
    }
    let mut budget = TLS_STORE_ENTRIES;
    let count = bounded(reader.u32()?, &mut budget)?;
    let mut found = Entries::default();
    for _ in 0..count {
        let kind = reader.u32()?;
        reader.text()?; // the alias
        reader.take(8)?; // the date
        match kind {
            KEY_ENTRY => {
                let key = unlock(reader.block()?, password)?;
                let length = bounded(reader.u32()?, &mut budget)?;
                let mut certificates = Vec::new();
                for _ in 0..length {
                    certificates.push(reader.certificate(version)?.to_vec());
                }
                let (own, others) = certificates
                    .split_first()
                    .ok_or(BadStore::Malformed("has a key without certificates"))?;
                found.keys.push(KeyEntry { key, chain: chain_from(own.clone(), others) });
            }
            TRUSTED_ENTRY => found.trusted.push(reader.certificate(version)?.to_vec()),
            _ => return Err(BadStore::Malformed("is a JKS file with an entry of an unknown kind")),
        }
    }
    if reader.0.is_empty() {
        Ok(found)
    } else {
        Err(BadStore::Malformed("is a JKS file with bytes left over"))
    }
}

/// Takes `n` entries off the budget.
fn bounded(n: u32, budget: &mut usize) -> Result<usize, BadStore> {
    let n = usize::try_from(n).map_err(|_| BadStore::TooLarge)?;
    *budget = budget.checked_sub(n).ok_or(BadStore::TooLarge)?;
    Ok(n)
}

/// The password as Java hashes it.
fn in_utf16(password: &Secret) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(password.reveal().len() * 2));
    bytes.extend(password.reveal().encode_utf16().flat_map(u16::to_be_bytes));
    bytes
}

/// Decrypts a key: salt, the key XORed with hashes of password and salt, a hash of the key.
fn unlock(sealed: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadStore> {
    let bad = |_| BadStore::Malformed("has a key that is no EncryptedPrivateKeyInfo");
    let mut outer = Der(sealed).expect(SEQUENCE).map_err(bad)?.inside();
    outer.expect(SEQUENCE).map_err(bad)?;
    let sealed = outer.expect(OCTET_STRING).map_err(bad)?.value;
    let (salt, rest) =
        sealed.split_first_chunk::<HASH>().ok_or(BadStore::Malformed("has a key that is cut off"))?;
    let (text, check) =
        rest.split_last_chunk::<HASH>().ok_or(BadStore::Malformed("has a key that is cut off"))?;
    let mut key = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut hash = *salt;
    for block in text.chunks(HASH) {
        let mut hasher = Sha1::new();
        hasher.update(password);
        hasher.update(hash);
        hash = hasher.finalize().into();
        key.extend(block.iter().zip(hash).map(|(a, b)| a ^ b));
    }
    let mut hasher = Sha1::new();
    hasher.update(password);
    hasher.update(&*key);
    // The store's password is the key's, too: ZooKeeper knows no other.
    if hasher.finalize().as_slice() == check { Ok(key) } else { Err(BadStore::Password) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], BadStore> {
        let (taken, rest) =
            self.0.split_at_checked(n).ok_or(BadStore::Malformed("is a JKS file that is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, BadStore> {
        Ok(self.take(4)?.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    fn text(&mut self) -> Result<&'a [u8], BadStore> {
        let length = self.take(2)?.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        self.take(length)
    }

    fn block(&mut self) -> Result<&'a [u8], BadStore> {
        let length = usize::try_from(self.u32()?).map_err(|_| BadStore::TooLarge)?;
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Result<&'a [u8], BadStore> {
        if version == 2 && self.text()? != b"X.509" {
            return Err(BadStore::Malformed("has a certificate that is not X.509"));
        }
        self.block()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Seals `body` as Java does.
    fn sealed(body: &[u8], password: &str) -> Vec<u8> {
        let mut hasher = Sha1::new();
        hasher.update(&*in_utf16(&Secret::new(password)));
        hasher.update(WHITENER);
        hasher.update(body);
        [body, hasher.finalize().as_slice()].concat()
    }

    fn header(entries: u32) -> Vec<u8> {
        [&MAGIC[..], &2u32.to_be_bytes(), &entries.to_be_bytes()].concat()
    }

    fn trusted(der: &[u8]) -> Vec<u8> {
        let mut entry = TRUSTED_ENTRY.to_be_bytes().to_vec();
        entry.extend([0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
        entry.extend(b"X.509");
        entry.extend(u32::try_from(der.len()).unwrap().to_be_bytes());
        entry.extend(der);
        entry
    }

    #[test]
    fn trusted_entries_are_read_with_the_right_password() {
        let file = sealed(&[header(1), trusted(b"der")].concat(), "p\u{e4}ss");
        let entries = parse(&file, &Secret::new("p\u{e4}ss")).unwrap();
        assert_eq!((entries.trusted, entries.keys.len()), (vec![b"der".to_vec()], 0));
        assert_eq!(parse(&file, &Secret::new("pass")).unwrap_err(), BadStore::Password);
        assert!(matches!(parse(&file[..10], &Secret::new("x")), Err(BadStore::Malformed(_))));
    }

    #[test]
    fn counts_and_lengths_are_bounded() {
        let with = |body: Vec<u8>| parse(&sealed(&body, ""), &Secret::default()).unwrap_err();
        assert_eq!(with(header(u32::MAX)), BadStore::TooLarge);
        assert!(matches!(with(header(1)), BadStore::Malformed(_)));
        assert!(matches!(with([header(0), vec![0]].concat()), BadStore::Malformed(_)));
        let mut key = header(1);
        key.extend(KEY_ENTRY.to_be_bytes());
        key.extend([0; 10]);
        key.extend(u32::MAX.to_be_bytes());
        assert!(matches!(with(key), BadStore::Malformed(_)));
    }

    proptest! {
        #[test]
        fn any_body_is_judged(body in proptest::collection::vec(any::<u8>(), 0..120), n in 0u32..3) {
            let _ = parse(&sealed(&[header(n), body].concat(), ""), &Secret::default());
        }
    }
}
