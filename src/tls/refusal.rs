//! Failed handshakes as reasons that an operator understands.
//!
//! # Invariants
//!
//! * Every error of rustls has a [`Reason`]; what has none of its own is [`Reason::TlsHandshake`]
//!   with the library's text.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;

/// The refusal behind a failed handshake.
pub fn of_io(error: &io::Error) -> Refusal {
    if let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<Error>()) {
        return of_tls(tls);
    }
    match error.kind() {
        io::ErrorKind::TimedOut => Refusal::new(Reason::TlsHandshake, "the peer was silent for too long"),
        io::ErrorKind::UnexpectedEof => {
            Refusal::new(Reason::TlsHandshake, "the peer closed the connection during the handshake")
        }
        _ => Refusal::new(Reason::TlsHandshake, error.to_string()),
    }
}

/// The refusal that an error of rustls stands for.
pub fn of_tls(error: &Error) -> Refusal {
    let reason = match error {
        Error::InvalidCertificate(certificate) => of_certificate(certificate),
        Error::NoCertificatesPresented => Reason::TlsNoCertificate,
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => Reason::TlsPlaintext,
        Error::PeerIncompatible(_) | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            Reason::TlsProtocol
        }
        Error::AlertReceived(alert) => of_alert(*alert),
        _ => Reason::TlsHandshake,
    };
    Refusal::new(reason, error.to_string())
}

fn of_certificate(error: &CertificateError) -> Reason {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => {
            Reason::TlsExpired
        }
        E::Revoked
        | E::UnknownRevocationStatus
        | E::ExpiredRevocationList
        | E::ExpiredRevocationListContext { .. } => Reason::TlsRevoked,
        E::UnknownIssuer | E::BadSignature => Reason::TlsUnknownCa,
        E::NotValidForName | E::NotValidForNameContext { .. } => Reason::TlsHost,
        _ => Reason::TlsHandshake,
    }
}

/// What the other side says about us.
fn of_alert(alert: AlertDescription) -> Reason {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => Reason::TlsNoCertificate,
        AlertDescription::UnknownCA => Reason::TlsUnknownCa,
        AlertDescription::CertificateExpired => Reason::TlsExpired,
        AlertDescription::CertificateRevoked => Reason::TlsRevoked,
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => Reason::TlsProtocol,
        _ => Reason::TlsHandshake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_reasons() {
        let of = |e: Error| of_io(&io::Error::new(io::ErrorKind::InvalidData, e)).reason;
        assert_eq!(of(Error::NoCertificatesPresented), Reason::TlsNoCertificate);
        assert_eq!(of(CertificateError::UnknownIssuer.into()), Reason::TlsUnknownCa);
        assert_eq!(of(CertificateError::Expired.into()), Reason::TlsExpired);
        assert_eq!(of(CertificateError::Revoked.into()), Reason::TlsRevoked);
        assert_eq!(of(CertificateError::NotValidForName.into()), Reason::TlsHost);
        assert_eq!(of(InvalidMessage::InvalidContentType.into()), Reason::TlsPlaintext);
        assert_eq!(of(Error::AlertReceived(AlertDescription::UnknownCA)), Reason::TlsUnknownCa);
        assert_eq!(of(Error::DecryptError), Reason::TlsHandshake);
        assert_eq!(of_io(&io::ErrorKind::UnexpectedEof.into()).reason, Reason::TlsHandshake);
    }
}
