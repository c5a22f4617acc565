//! Revocation lists out of files: PEM (one or several) or DER.
//!
//! # Invariants
//!
//! * Files and lists are bounded by [`TLS_CRL_BYTES`] and [`TLS_CRLS`].

use std::path::PathBuf;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;

use super::error::TlsError;
use super::store::read_bounded;
use crate::limits::{TLS_CRL_BYTES, TLS_CRLS};

/// Reads the lists of all `files`.
///
/// # Errors
///
/// A file that cannot be read, is too large, or has no list in it.
pub fn load(files: &[PathBuf]) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let mut lists = Vec::new();
    for file in files {
        let bytes = read_bounded(file, TLS_CRL_BYTES)?;
        let found = parse(&bytes);
        if found.is_empty() {
            let cure = "name files with -----BEGIN X509 CRL----- or DER";
            return Err(TlsError::file(file, "has no revocation list", cure));
        }
        lists.extend(found);
        if lists.len() > TLS_CRLS {
            return Err(TlsError::file(file, format!("is beyond {TLS_CRLS} revocation lists"), "name fewer"));
        }
    }
    Ok(lists)
}

/// The lists in some bytes; none where there is none, or a broken section.
pub fn parse(bytes: &[u8]) -> Vec<CertificateRevocationListDer<'static>> {
    if bytes.first() == Some(&super::der::SEQUENCE) {
        return vec![CertificateRevocationListDer::from(bytes.to_vec())];
    }
    let sections = CertificateRevocationListDer::pem_slice_iter(bytes).take(TLS_CRLS + 1);
    sections.collect::<Result<_, _>>().unwrap_or_default()
}
