//! Everything that one side of TLS is made of, read from its files.
//!
//! # Invariants
//!
//! * What was loaded fits together: the key belongs to its certificate, trust is there where peers
//!   are to be verified. Half of it is never put to use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::crl;
use super::engine::Engine;
use super::error::TlsError;
use super::store::{self, KeyEntry};
use crate::config::settings::{Store, TlsSide};

/// Keys, trust and revocation lists of one side.
pub struct Material {
    /// Algorithms and versions.
    pub engine: Engine,
    /// The own key with its certificates, if a key store is configured.
    pub own: Option<Arc<CertifiedKey>>,
    /// Trusted authorities.
    pub roots: Arc<RootCertStore>,
    /// DER of all trusted certificates.
    pub trusted: Arc<Vec<Vec<u8>>>,
    /// Revocation lists.
    pub crls: Vec<CertificateRevocationListDer<'static>>,
    /// Last second of the own certificate's validity, Unix time.
    pub own_not_after: Option<i64>,
    /// What an operator should know, one line each.
    pub notices: Vec<String>,
}

impl Material {
    /// Reads what the keys of a side name; `prefix` is theirs (`ssl.`).
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn load(side: &TlsSide, prefix: &str) -> Result<Material, TlsError> {
        refuse(side, prefix)?;
        let mut notices = Vec::new();
        let engine = Engine::of(side, prefix)?;
        let (mut own, mut own_not_after) = (None, None);
        if let Some(file) = &side.key_store.location {
            let entries = store::load(&side.key_store, file)?;
            if entries.keys.len() > 1 {
                let count = entries.keys.len();
                notices.push(format!("{}: {count} keys, the first of them is used", file.display()));
            }
            let no_key = || TlsError::file(file, "has no private key", "name a key store, not a trust store");
            let entry = entries.keys.into_iter().next().ok_or_else(no_key)?;
            own_not_after = entry.chain.first().and_then(|der| Some(Certificate::read(der).ok()?.not_after));
            own = Some(certified(&entry, file)?);
        }
        let (roots, trusted) = trust(&side.trust_store, &mut notices)?;
        let crls = crl::load(&side.crl_path)?;
        Ok(Material {
            engine,
            own,
            roots: Arc::new(roots),
            trusted: Arc::new(trusted),
            crls,
            own_not_after,
            notices,
        })
    }

    /// Are certificates checked against revocation lists?
    pub fn checks_revocation(&self) -> bool {
        !self.crls.is_empty()
    }
}

/// What cannot be done is said instead of being left out.
fn refuse(side: &TlsSide, prefix: &str) -> Result<(), TlsError> {
    if side.ocsp {
        let what = format!("{prefix}ocsp=true: certificate status is not asked over the network here");
        let cure = format!("drop it and name revocation lists with {prefix}crlPath");
        return Err(TlsError::config(what, cure));
    }
    if side.crl && side.crl_path.is_empty() {
        let what = format!("{prefix}crl=true, but revocation lists are read from files and none is named");
        return Err(TlsError::config(what, format!("name them with {prefix}crlPath, or drop {prefix}crl")));
    }
    Ok(())
}

fn certified(entry: &KeyEntry, file: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let bad = |what: String| {
        TlsError::file(file, what, "use an RSA key of 2048 bits or more, an EC key (P-256, P-384) or Ed25519")
    };
    let der = PrivateKeyDer::try_from(entry.key.as_slice())
        .map_err(|e| bad(format!("has an unknown kind of key: {e}")))?;
    let key = any_supported_type(&der).map_err(|e| bad(format!("has a key that cannot be used: {e}")))?;
    let own = entry.chain.first().and_then(|der| Certificate::read(der).ok());
    if let Some(old) = own.filter(|own| own.version < 3) {
        let what =
            format!("has a certificate of X.509 version {}, and TLS here takes version 3 alone", old.version);
        return Err(TlsError::file(
            file,
            what,
            "issue it again (openssl x509 -req makes version 3 with -extfile)",
        ));
    }
    let chain = entry.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(_) => Err(TlsError::file(
            file,
            "has a certificate that does not belong to its key",
            "put the certificate of this key first",
        )),
    }
}

fn trust(store: &Store, notices: &mut Vec<String>) -> Result<(RootCertStore, Vec<Vec<u8>>), TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = &store.location else { return Ok((roots, Vec::new())) };
    let trusted = store::load(store, file)?.trusted;
    for der in &trusted {
        if let Err(e) = roots.add(CertificateDer::from(der.clone())) {
            notices.push(format!(
                "{}: a certificate is left out, it cannot be an authority: {e}",
                file.display()
            ));
        }
    }
    if roots.is_empty() {
        let cure = "put the certificates of the authorities in it (keytool -importcert, or PEM)";
        return Err(TlsError::file(file, "has no trusted certificate", cure));
    }
    Ok((roots, trusted))
}

/// The files that a side is read from.
pub fn files(side: &TlsSide) -> Vec<PathBuf> {
    let of_store = |s: &Store| [s.location.clone(), s.password_path.clone()];
    let stores = of_store(&side.key_store).into_iter().chain(of_store(&side.trust_store)).flatten();
    stores.chain(side.crl_path.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn a_certificate_of_version_1_is_refused_with_its_cure() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let mut der = made.der().to_vec();
        let mut entry = KeyEntry { key: Zeroizing::new(key.serialize_der()), chain: vec![der.clone()] };
        assert!(certified(&entry, Path::new("server.pem")).is_ok());
        let at = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap();
        der[at + 4] = 0;
        entry.chain = vec![der];
        let why = certified(&entry, Path::new("server.pem")).unwrap_err().to_string();
        assert!(why.contains("server.pem") && why.contains("version 1") && why.contains("-extfile"), "{why}");
    }
}
