//! PEM stores: certificates and one private key in one text.
//!
//! # Invariants
//!
//! * Key stretching beyond [`crate::limits::TLS_KEY_ITERATIONS`] is refused before any of it is done.
//! * An encrypted key without a password is refused, never asked for on a terminal.
//! * Text around the sections is ignored, as in ZooKeeper.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::PKey;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::pkcs12::bearable;
use super::{BadStore, Entries, KeyEntry, chain_from};
use crate::config::Secret;
use crate::limits::TLS_STORE_ENTRIES;

/// Reads a PEM text. Its certificates are the chain of its key and, without a key, trusted.
///
/// # Errors
///
/// [`BadStore`]; an encrypted key needs the password.
pub fn parse(bytes: &[u8], password: &Secret) -> Result<Entries, BadStore> {
    let certificates = certificates(bytes)?;
    if !has_key(bytes) {
        return Ok(Entries { keys: Vec::new(), trusted: certificates });
    }
    sealed(bytes).try_for_each(|der| bearable(&der))?;
    let key = key(bytes, password)?;
    let (own, others) =
        certificates.split_first().ok_or(BadStore::Malformed("has a private key but no certificate"))?;
    let chain = chain_from(own.clone(), others);
    Ok(Entries { keys: vec![KeyEntry { key, chain }], trusted: certificates })
}

/// The certificates of a PEM text, DER.
///
/// # Errors
///
/// A section is broken, or there are too many.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, BadStore> {
    let mut found = Vec::new();
    for section in CertificateDer::pem_slice_iter(bytes) {
        let der = section.map_err(|_| BadStore::Malformed("has a broken PEM section"))?;
        if found.len() == TLS_STORE_ENTRIES {
            return Err(BadStore::TooLarge);
        }
        found.push(der.as_ref().to_vec());
    }
    Ok(found)
}

fn has_key(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    bytes.windows(MARK.len()).any(|window| window == MARK)
}

/// The contents of encrypted keys, as far as they are Base64.
fn sealed(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let text = String::from_utf8_lossy(bytes).into_owned();
    let sections: Vec<Vec<u8>> = text
        .split(BEGIN)
        .skip(1)
        .filter_map(|rest| {
            let body: String = rest.split('-').next()?.split_whitespace().collect();
            STANDARD.decode(body).ok()
        })
        .collect();
    sections.into_iter()
}

/// The first private key, as PKCS#8.
fn key(bytes: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>, BadStore> {
    let mut asked = false;
    let opened = PKey::private_key_from_pem_callback(bytes, |buffer| {
        asked = true;
        let password = password.reveal().as_bytes();
        let room = buffer.get_mut(..password.len()).filter(|room| !room.is_empty());
        room.map_or(Ok(0), |room| {
            room.copy_from_slice(password);
            Ok(password.len())
        })
    });
    let key = opened.map_err(|_| {
        if asked { BadStore::Password } else { BadStore::Malformed("has a private key that cannot be read") }
    })?;
    let der = key.private_key_to_pkcs8().map_err(|_| BadStore::Malformed("has a key of an unknown kind"))?;
    Ok(Zeroizing::new(der))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::symm::Cipher;

    fn made() -> (String, PKey<openssl::pkey::Private>, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let own = PKey::private_key_from_pkcs8(&key.serialize_der()).unwrap();
        (made.pem(), own, made.der().to_vec())
    }

    #[test]
    fn plain_and_encrypted_keys_are_read() {
        let (pem, key, der) = made();
        let plain = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let sealed = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"pw").unwrap();
        let sealed = String::from_utf8(sealed).unwrap();
        for (text, password) in [(format!("x\n{plain}y\n{pem}"), ""), (format!("{pem}{sealed}"), "pw")] {
            let entries = parse(text.as_bytes(), &Secret::new(password)).unwrap();
            assert_eq!(entries.keys[0].chain, std::slice::from_ref(&der));
            assert_eq!(*entries.keys[0].key, key.private_key_to_pkcs8().unwrap());
            assert!(!format!("{entries:?}").contains("key:"));
        }
        let text = format!("{pem}{sealed}");
        for wrong in ["", "no"] {
            assert_eq!(parse(text.as_bytes(), &Secret::new(wrong)).unwrap_err(), BadStore::Password);
        }
        assert_eq!(parse(pem.as_bytes(), &Secret::default()).unwrap().trusted, [der]);
        assert!(parse(plain.as_bytes(), &Secret::default()).is_err());
        assert_eq!(parse(b"", &Secret::default()).unwrap().trusted.len(), 0);
    }

    #[test]
    fn a_broken_section_is_refused() {
        let (pem, ..) = made();
        let cut = pem.replace("-----END CERTIFICATE-----", "");
        assert!(certificates(cut.as_bytes()).is_err());
        assert!(certificates(pem.replacen("MII", "M!I", 1).as_bytes()).is_err());
    }
}
