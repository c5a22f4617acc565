//! The engine: rustls over AWS-LC with the protocols and cipher suites that a side allows.
//!
//! # Invariants
//!
//! * Only what is listed is offered; when nothing of it is in the engine, the start is refused.
//! * A TLS 1.3 suite does not make TLS 1.2 possible, nor the other way round: versions without any
//!   suite are left out.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::error::TlsError;
use super::fips::FIPS;
use crate::config::settings::TlsSide;
use crate::config::tls_names;

/// The provider and the versions of one side.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Algorithms.
    pub provider: Arc<CryptoProvider>,
    /// Protocol versions.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Engine {
    /// The engine of a side; `prefix` is that of its keys (`ssl.`), for messages.
    ///
    /// # Errors
    ///
    /// Nothing that is listed is in the engine.
    pub fn of(side: &TlsSide, prefix: &str) -> Result<Engine, TlsError> {
        let mut provider = aws_lc_rs::default_provider();
        let asked: Vec<&str> = side.ciphersuites.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect();
        if !asked.is_empty() {
            // In the order of the list: it is the server's preference.
            let known = std::mem::take(&mut provider.cipher_suites);
            let of_name = |name: &&str| known.iter().find(|suite| java_name(suite) == **name).copied();
            provider.cipher_suites = asked.iter().filter_map(of_name).collect();
        }
        let names = tls_names::versions(side.protocol.as_deref(), &side.enabled_protocols);
        if names.is_empty() {
            let what = format!(
                "{prefix}enabledProtocols and {prefix}protocol leave no TLS version that is spoken here"
            );
            return Err(TlsError::config(what, "list TLSv1.3, TLSv1.2 or both, or drop the keys"));
        }
        let has_suite = |v: &&SupportedProtocolVersion| {
            provider.cipher_suites.iter().any(|s| s.version().version == v.version)
        };
        let versions: Vec<_> = names.into_iter().map(version).filter(has_suite).collect();
        if versions.is_empty() {
            let what = format!("{prefix}ciphersuites has no suite that the enabled TLS versions can use");
            let cure = "list suites with AES GCM or ChaCha20 (TLS_AES_*, TLS_ECDHE_*), or drop the key";
            return Err(TlsError::config(what, cure));
        }
        if FIPS && !provider.fips() {
            let what =
                format!("{prefix}ciphersuites: not all of it is certified, and this is the FIPS build");
            return Err(TlsError::config(what, "list suites with AES GCM, or drop the key"));
        }
        Ok(Engine { provider: Arc::new(provider), versions })
    }

    /// Is everything in this engine certified by FIPS 140-3?
    pub fn is_fips(&self) -> bool {
        self.provider.fips()
    }
}

fn version(name: &str) -> &'static SupportedProtocolVersion {
    if name == "TLSv1.3" { &rustls::version::TLS13 } else { &rustls::version::TLS12 }
}

/// The name of a suite in Java, which is IANA's; rustls writes `TLS13_AES...`.
fn java_name(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn side(protocols: &str, suites: &str) -> TlsSide {
        let list = |text: &str| text.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let mut side = Settings::default().tls.client;
        (side.enabled_protocols, side.ciphersuites) = (list(protocols), list(suites));
        side
    }

    #[cfg(not(feature = "fips"))]
    #[test]
    fn every_suite_of_the_table_is_in_the_engine_and_no_other() {
        let suites = aws_lc_rs::default_provider().cipher_suites;
        let mut names: Vec<String> = suites.iter().map(java_name).collect();
        let mut table: Vec<String> = tls_names::SUITES.iter().map(|s| (*s).to_owned()).collect();
        names.sort();
        table.sort();
        assert_eq!(names, table);
    }

    #[cfg(feature = "fips")]
    #[test]
    fn the_fips_build_offers_nothing_that_is_not_certified() {
        let engine = Engine::of(&side("", ""), "ssl.").unwrap();
        assert!(engine.is_fips());
        let names: Vec<String> = engine.provider.cipher_suites.iter().map(java_name).collect();
        assert!(names.iter().all(|name| name.contains("_GCM_")), "{names:?}");
    }

    #[test]
    fn what_is_listed_is_offered_in_that_order() {
        let both = Engine::of(&side("", ""), "ssl.").unwrap();
        assert_eq!(both.versions.len(), 2);
        let listed = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        let engine = Engine::of(&side("", listed), "ssl.").unwrap();
        let names: Vec<String> = engine.provider.cipher_suites.iter().map(java_name).collect();
        assert_eq!(names, ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]);
        assert_eq!(engine.versions, [&rustls::version::TLS12], "no suite of TLS 1.3 is listed");
    }

    #[test]
    fn nothing_left_is_refused_with_the_key() {
        let why = |protocols: &str, suites: &str| {
            Engine::of(&side(protocols, suites), "ssl.").unwrap_err().to_string()
        };
        assert!(why("TLSv1.1", "").contains("ssl.enabledProtocols"));
        assert!(why("", "TLS_RSA_WITH_AES_128_CBC_SHA").contains("ssl.ciphersuites"));
        assert!(why("TLSv1.2", "TLS_AES_128_GCM_SHA256").contains("ssl.ciphersuites"));
    }
}
