//! Certificates' names, and key stores: what an operator installs and what peers show.

use oxkeeper::config::Secret;
use oxkeeper::config::settings::StoreKind;
use oxkeeper::tls::store;

/// The password of the stores in the corpus.
const PASSWORD: &str = "changeit";

fn opens(kind: StoreKind, data: &[u8]) -> bool {
    store::parse(kind, data, &Secret::new(PASSWORD)).is_ok()
}

/// Keys come with certificates, and what is printed of a store has none of its bytes.
fn check_store(kind: StoreKind, data: &[u8]) {
    if let Ok(entries) = store::parse(kind, data, &Secret::new(PASSWORD)) {
        assert!(entries.keys.iter().all(|entry| !entry.chain.is_empty()));
        assert!(entries.keys.iter().all(|entry| format!("{entry:?}").contains("***")));
    }
    let _ = store::parse(kind, data, &Secret::default());
}

/// The contents of a name, or a whole certificate.
pub mod subject {
    use oxkeeper::tls::certificate::Certificate;
    use oxkeeper::tls::name::rfc2253;

    pub fn decode(data: &[u8]) -> bool {
        rfc2253(data).is_ok() || Certificate::read(data).is_ok_and(|c| c.name().is_ok())
    }

    pub fn check(data: &[u8]) {
        if let Ok(text) = rfc2253(data) {
            assert!(text.contains('=') && !text.contains('\0'));
            assert_eq!(rfc2253(data), Ok(text));
        }
        if let Ok(certificate) = Certificate::read(data) {
            assert_eq!(certificate.name(), rfc2253(certificate.subject));
            assert!(certificate.serial_text().len() <= 2 * certificate.serial.len());
            let both = certificate.not_before.min(certificate.not_after);
            assert!(!certificate.is_valid_at(both - 1));
        }
    }
}

/// A Java key store; what stands in front of the hash at its end is read whatever the hash is.
pub mod jks {
    use super::{PASSWORD, Secret, StoreKind, check_store, opens};
    use oxkeeper::tls::store::jks::{MAGIC, unsealed};

    pub fn decode(data: &[u8]) -> bool {
        data.starts_with(&MAGIC) && opens(StoreKind::Jks, data)
    }

    pub fn check(data: &[u8]) {
        if data.starts_with(&MAGIC) {
            check_store(StoreKind::Jks, data);
        }
        let body = data.get(..data.len().saturating_sub(20)).unwrap_or_default();
        if let Ok(entries) = unsealed(body, &Secret::new(PASSWORD)) {
            assert!(entries.keys.iter().all(|entry| !entry.chain.is_empty()));
        }
    }
}

/// What OpenSSL is given, after the look at what it would cost.
pub mod pkcs12 {
    use super::{StoreKind, check_store, opens};
    use oxkeeper::tls::store::pkcs12::look;

    pub fn decode(data: &[u8]) -> bool {
        look(data).is_ok() && opens(StoreKind::Pkcs12, data)
    }

    pub fn check(data: &[u8]) {
        let looked = look(data);
        assert_eq!(look(data), looked);
        if looked.is_ok() {
            check_store(StoreKind::Pkcs12, data);
        }
    }
}

/// PEM texts with certificates, keys and revocation lists.
pub mod pem {
    use super::{StoreKind, check_store, opens};
    use oxkeeper::tls::crl;

    pub fn decode(data: &[u8]) -> bool {
        opens(StoreKind::Pem, data)
    }

    pub fn check(data: &[u8]) {
        check_store(StoreKind::Pem, data);
        assert_eq!(crl::parse(data), crl::parse(data));
    }
}
