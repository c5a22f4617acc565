//! Whom we trust: the verifiers of both sides, around those of rustls.
//!
//! # Invariants
//!
//! * Chains, dates, signatures and revocation are judged by rustls-webpki. One thing is added: a peer
//!   that shows exactly a certificate of the trust store is trusted while that is valid, as in Java
//!   (self-signed certificates marked as authorities are common there). With revocation lists it is not.
//! * With revocation on, a status that no list tells, or only an outdated one, is a refusal.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::certificate::Certificate;
use super::error::TlsError;
use super::material::Material;
use crate::limits::TLS_ISSUER_HINTS;

/// Certificates that are trusted as they are.
#[derive(Clone, Default)]
struct Pinned(Arc<Vec<Vec<u8>>>);

impl Pinned {
    /// Is it one of them? Then it is valid, or the error says why not.
    fn judge(&self, shown: &CertificateDer<'_>, now: UnixTime) -> Option<Result<(), Error>> {
        self.0.iter().find(|der| der.as_slice() == shown.as_ref())?;
        let Ok(certificate) = Certificate::read(shown) else {
            return Some(Err(CertificateError::BadEncoding.into()));
        };
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        Some(match () {
            () if seconds < certificate.not_before => Err(CertificateError::NotValidYet.into()),
            () if seconds > certificate.not_after => Err(CertificateError::Expired.into()),
            () => Ok(()),
        })
    }
}

fn pinned(material: &Material) -> Pinned {
    if material.checks_revocation() { Pinned::default() } else { Pinned(Arc::clone(&material.trusted)) }
}

fn cannot(e: &dyn fmt::Display) -> TlsError {
    TlsError::config(format!("trust cannot be set up: {e}"), "check trust store and revocation lists")
}

/// Signatures of handshakes are the inner verifier's matter, whoever is verified.
macro_rules! signatures_by_inner {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.inner.supported_verify_schemes()
        }
    };
}

/// Verifies those who connect.
pub struct Clients {
    inner: Arc<dyn ClientCertVerifier>,
    pinned: Pinned,
}

impl Clients {
    /// A verifier; with `optional`, nobody has to show a certificate.
    ///
    /// # Errors
    ///
    /// The trust store is empty or a revocation list is broken.
    pub fn new(material: &Material, optional: bool) -> Result<Arc<Clients>, TlsError> {
        let provider = Arc::clone(&material.engine.provider);
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&material.roots), provider);
        if material.checks_revocation() {
            builder = builder.with_crls(material.crls.iter().cloned()).enforce_revocation_expiration();
        }
        if optional {
            builder = builder.allow_unauthenticated();
        }
        if material.roots.len() > TLS_ISSUER_HINTS {
            builder = builder.clear_root_hint_subjects();
        }
        let inner = builder.build().map_err(|e| cannot(&e))?;
        Ok(Arc::new(Clients { inner, pinned: pinned(material) }))
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.pinned.judge(end_entity, now) {
            Some(verdict) => verdict.map(|()| ClientCertVerified::assertion()),
            None => self.inner.verify_client_cert(end_entity, intermediates, now),
        }
    }

    signatures_by_inner!();
}

/// Verifies those we connect to.
pub struct Servers {
    inner: Arc<WebPkiServerVerifier>,
    pinned: Pinned,
    names: bool,
}

impl Servers {
    /// A verifier; with `names`, the certificate must be for the host that was asked for.
    ///
    /// # Errors
    ///
    /// The trust store is empty or a revocation list is broken.
    pub fn new(material: &Material, names: bool) -> Result<Arc<Servers>, TlsError> {
        let provider = Arc::clone(&material.engine.provider);
        let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(&material.roots), provider);
        if material.checks_revocation() {
            builder = builder.with_crls(material.crls.iter().cloned()).enforce_revocation_expiration();
        }
        let inner = builder.build().map_err(|e| cannot(&e))?;
        Ok(Arc::new(Servers { inner, pinned: pinned(material), names }))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers")
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(verdict) = self.pinned.judge(end_entity, now) {
            verdict?;
            if self.names {
                super::hosts::verify(end_entity, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        let verdict =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The chain is judged before the name: what fails by its name alone is trusted otherwise.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    signatures_by_inner!();
}
