//! Which host a certificate is for: subject alternative names, judged by rustls-webpki.
//!
//! # Invariants
//!
//! * Names come from the configuration and addresses from the socket. No resolver is asked, neither
//!   forward nor reverse: what somebody else's DNS says decides nothing.
//! * The common name of the subject is no host name.

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, Error};

use super::error::TlsError;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;

/// What the certificate of a connecting peer must be for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Hosts {
    /// Anything.
    #[default]
    Any,
    /// One of these names and addresses or, for `own_address`, the address the peer connects from.
    Listed {
        /// Names and addresses.
        names: Vec<ServerName<'static>>,
        /// The peer's own address will do.
        own_address: bool,
    },
}

impl Hosts {
    /// A list; `key` is named where a name is none.
    ///
    /// # Errors
    ///
    /// The name that is neither a DNS name nor an address.
    pub fn listed(names: &[String], own_address: bool, key: &str) -> Result<Hosts, TlsError> {
        let name = |text: &String| {
            server_name(text).ok_or_else(|| {
                let what = format!("{key}: {} is neither a DNS name nor an address", text.escape_debug());
                TlsError::config(what, "list names and addresses with commas between")
            })
        };
        Ok(Hosts::Listed { names: names.iter().map(name).collect::<Result<_, _>>()?, own_address })
    }

    /// Is this certificate for a host that may connect from `from`?
    ///
    /// # Errors
    ///
    /// [`Reason::TlsHost`] if not.
    pub fn check(&self, certificate: &CertificateDer<'_>, from: IpAddr) -> Result<(), Refusal> {
        let Hosts::Listed { names, own_address } = self else { return Ok(()) };
        let own = own_address.then(|| ServerName::IpAddress(from.to_canonical().into()));
        if own.iter().chain(names).any(|name| verify(certificate, name).is_ok()) {
            return Ok(());
        }
        let listed = names.len();
        let what = match (own_address, listed) {
            (true, 0) => format!("no subject alternative name is the address {from} it connects from"),
            (true, _) => format!(
                "no subject alternative name is the address {from} or one of the {listed} allowed names"
            ),
            (false, _) => format!("no subject alternative name is one of the {listed} allowed names"),
        };
        Err(Refusal::new(Reason::TlsHost, what))
    }
}

/// A DNS name or an address as rustls takes it; brackets around IPv6 are taken off.
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.trim();
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).ok()
}

/// Is the certificate for this host?
pub(super) fn verify(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
    parsed.verify_is_valid_for_subject_name(name).map_err(|_| CertificateError::NotValidForName.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn names_of_the_list_and_the_own_address_are_for_this_host() {
        let from: IpAddr = "10.0.0.7".parse().unwrap();
        let listed = |names: &[&str], own| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Hosts::listed(&names, own, "ssl.allowedNames").unwrap()
        };
        let (by_name, by_address) = (certificate(&["ZK1.example"]), certificate(&["10.0.0.7"]));
        assert!(Hosts::Any.check(&certificate(&[]), from).is_ok());
        assert!(listed(&["zk1.EXAMPLE"], false).check(&by_name, from).is_ok());
        assert!(listed(&[], true).check(&by_address, from).is_ok());
        assert!(listed(&[], true).check(&by_address, "::ffff:10.0.0.7".parse().unwrap()).is_ok());
        for (hosts, shown) in [
            (listed(&["zk2.example"], true), &by_name),
            (listed(&["zk1.example"], false), &by_address),
            (listed(&[], true), &by_name),
            (listed(&["10.0.0.8"], false), &by_address),
        ] {
            assert_eq!(hosts.check(shown, from).unwrap_err().reason, Reason::TlsHost);
        }
        assert!(listed(&["10.0.0.7"], false).check(&by_address, "10.0.0.9".parse().unwrap()).is_ok());
        assert!(listed(&["[::1]"], false).check(&certificate(&["::1"]), from).is_ok());
        assert!(Hosts::listed(&["a b".to_owned()], true, "ssl.allowedNames").is_err());
    }

    #[test]
    fn a_common_name_is_no_host_name() {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "zk1.example");
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        assert!(verify(made.der(), &server_name("zk1.example").unwrap()).is_err());
    }
}
