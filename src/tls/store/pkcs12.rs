//! PKCS#12 stores, read by OpenSSL behind a look at what they would cost.
//!
//! Stores of `keytool` before Java 17 and of old `openssl` encrypt with RC2 and Triple DES: those need
//! OpenSSL's "legacy" provider, which is loaded when a store asks for it.
//!
//! # Invariants
//!
//! * Key stretching beyond [`TLS_KEY_ITERATIONS`] is refused before any of it is done.
//! * Elements deeper than [`TLS_DER_DEPTH`] are not looked at: OpenSSL would not either.

use std::sync::OnceLock;

use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::provider::Provider;
use zeroize::Zeroizing;

use super::super::der::{Der, Element, INTEGER, OCTET_STRING, SEQUENCE};
use super::super::fips::FIPS;
use super::{BadStore, Entries, KeyEntry, chain_from};
use crate::config::Secret;
use crate::limits::{TLS_DER_DEPTH, TLS_KEY_ITERATIONS, TLS_STORE_ENTRIES};

/// Reads a PKCS#12 file. Certificates that do not belong to its key are trusted.
///
/// # Errors
///
/// [`BadStore`]; what needs the legacy provider says so where that is missing.
pub fn parse(bytes: &[u8], password: &Secret) -> Result<Entries, BadStore> {
    look(bytes)?;
    if password.reveal().contains('\0') {
        return Err(BadStore::Password);
    }
    let store = Pkcs12::from_der(bytes).map_err(|_| BadStore::Malformed("is no PKCS#12 file"))?;
    match store.parse2(password.reveal()) {
        Ok(parsed) => entries(parsed),
        Err(e) if is_password(&e) => Err(BadStore::Password),
        Err(_) if FIPS => Err(BadStore::Unsupported(
            "is encrypted with old algorithms, which the FIPS build does not take",
            "write the store anew with keytool of Java 17 or `openssl pkcs12 -export`",
        )),
        Err(_) if !legacy() => Err(BadStore::Unsupported(
            "is encrypted with old algorithms, and OpenSSL's legacy provider is not installed here",
            "install it (the package with legacy.so), or write the store anew with keytool of Java 17 or `openssl pkcs12 -export`",
        )),
        Err(_) => match store.parse2(password.reveal()) {
            Ok(parsed) => entries(parsed),
            Err(e) if is_password(&e) => Err(BadStore::Password),
            Err(_) => Err(BadStore::Malformed("is a PKCS#12 file that OpenSSL cannot open")),
        },
    }
}

/// Does OpenSSL blame the password?
fn is_password(errors: &openssl::error::ErrorStack) -> bool {
    errors.errors().iter().any(|e| e.reason().is_some_and(|r| r.contains("mac verify failure")))
}

/// Loads the legacy provider once, for good; is it there?
fn legacy() -> bool {
    static LEGACY: OnceLock<Option<Provider>> = OnceLock::new();
    LEGACY.get_or_init(|| Provider::try_load(None, "legacy", true).ok()).is_some()
}

fn entries(parsed: ParsedPkcs12_2) -> Result<Entries, BadStore> {
    let unreadable = |_| BadStore::Malformed("has a certificate or key that cannot be read");
    let mut others = Vec::new();
    for certificate in parsed.ca.iter().flatten() {
        if others.len() == TLS_STORE_ENTRIES {
            return Err(BadStore::TooLarge);
        }
        others.push(certificate.to_der().map_err(unreadable)?);
    }
    let mut found = Entries::default();
    if let (Some(key), Some(own)) = (parsed.pkey, parsed.cert) {
        let key = Zeroizing::new(key.private_key_to_pkcs8().map_err(unreadable)?);
        let own = own.to_der().map_err(unreadable)?;
        let chain = chain_from(own, &others);
        take_off(&mut others, &chain);
        found.keys.push(KeyEntry { key, chain });
    }
    found.trusted = others;
    Ok(found)
}

/// Removes the key's own certificates once: what stands there again was put there to be trusted.
fn take_off(others: &mut Vec<Vec<u8>>, chain: &[Vec<u8>]) {
    for der in chain {
        if let Some(at) = others.iter().position(|other| other == der) {
            others.swap_remove(at);
        }
    }
}

/// Looks at the structure without decrypting anything: it must be one sequence, and every salt that
/// is followed by a number of rounds must ask for a bearable number.
///
/// # Errors
///
/// [`BadStore::TooLarge`] for unbearable numbers, [`BadStore::Malformed`] for what is no PKCS#12 at all.
pub fn look(bytes: &[u8]) -> Result<(), BadStore> {
    let mut outer = Der(bytes);
    let store = outer.expect(SEQUENCE).map_err(|_| BadStore::Malformed("is no PKCS#12 file"))?;
    if !outer.is_empty() || store.inside().expect(INTEGER).is_err() {
        return Err(BadStore::Malformed("is no PKCS#12 file"));
    }
    walk(store.inside(), TLS_DER_DEPTH)
}

/// Does opening these elements take a bearable number of rounds?
///
/// # Errors
///
/// [`BadStore::TooLarge`] if not.
pub(super) fn bearable(bytes: &[u8]) -> Result<(), BadStore> {
    walk(Der(bytes), TLS_DER_DEPTH)
}

fn walk(mut elements: Der<'_>, depth: usize) -> Result<(), BadStore> {
    let mut salt = false;
    while let Ok(element) = elements.element() {
        if salt && element.tag == INTEGER && rounds(&element) > TLS_KEY_ITERATIONS {
            return Err(BadStore::TooLarge);
        }
        salt = element.tag == OCTET_STRING;
        let inside = element.is_constructed() || holds_der(&element);
        if inside && depth > 0 {
            walk(element.inside(), depth - 1)?;
        }
    }
    Ok(())
}

/// Does an octet string wrap further elements, as PKCS#12 does?
fn holds_der(element: &Element<'_>) -> bool {
    element.tag == OCTET_STRING && element.inside().expect(SEQUENCE).is_ok()
}

fn rounds(number: &Element<'_>) -> u64 {
    number.value.iter().fold(0u64, |n, b| n.saturating_mul(256).saturating_add(u64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use proptest::prelude::*;

    fn store(password: &str) -> (Vec<u8>, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let own = PKey::private_key_from_pkcs8(&key.serialize_der()).unwrap();
        let certificate = X509::from_der(made.der()).unwrap();
        let mut builder = Pkcs12::builder();
        builder.name("own").pkey(&own).cert(&certificate).key_iter(2048).mac_iter(2048);
        (builder.build2(password).unwrap().to_der().unwrap(), made.der().to_vec())
    }

    #[test]
    fn a_store_opens_with_its_password_alone() {
        let (file, der) = store("pw");
        let entries = parse(&file, &Secret::new("pw")).unwrap();
        assert_eq!((entries.keys[0].chain.clone(), entries.trusted.len()), (vec![der], 0));
        for wrong in ["", "no", "p\0w"] {
            assert_eq!(parse(&file, &Secret::new(wrong)).unwrap_err(), BadStore::Password, "{wrong:?}");
        }
        assert!(matches!(parse(b"\x30\x03\x02\x01\x03", &Secret::default()), Err(BadStore::Malformed(_))));
        assert!(matches!(parse(b"text", &Secret::default()), Err(BadStore::Malformed(_))));
    }

    #[test]
    fn long_stretching_is_refused_before_it_is_done() {
        let (mut file, _) = store("pw");
        let mac = file.len() - 2;
        assert_eq!(file[mac..], [8, 0], "the rounds of the MAC are the last number");
        assert_eq!(look(&file), Ok(()));
        // Four bytes of rounds: the lengths around them grow by two.
        file.truncate(mac - 2);
        file.extend([2, 4, 0x7f, 0xff, 0xff, 0xff]);
        let grow = |file: &mut Vec<u8>, at: usize, by: u8| file[at] += by;
        let header = if file[1] == 0x82 { 3 } else { 2 };
        grow(&mut file, header, 2);
        let mac_data = file.len() - 6 - 2 - 8 - 2;
        let sequence =
            (0..mac_data).rev().find(|i| file[*i] == 0x30 && usize::from(file[i + 1]) + i + 4 == file.len());
        grow(&mut file, sequence.unwrap() + 1, 2);
        assert_eq!(look(&file), Err(BadStore::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = look(&bytes);
        }
    }
}
