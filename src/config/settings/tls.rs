//! Settings of TLS, once for clients (`ssl.*`) and once between servers
//! (`ssl.quorum.*`).
//!
//! # Invariants
//!
//! * Both sides have the same fields; only their defaults differ.

use std::path::PathBuf;

use super::super::finding::Place;
use super::super::given::Given;
use super::super::keys;
use super::super::secret::Secret;
use super::super::values::{Checked, check};

/// `ssl.clientAuth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// No certificate is asked for.
    None,
    /// A certificate is asked for and verified if it comes.
    Want,
    /// Without a verified certificate there is no connection.
    #[default]
    Need,
}

/// `ssl.keyStore.type`, `ssl.trustStore.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Java key store.
    Jks,
    /// PEM text.
    Pem,
    /// PKCS#12.
    Pkcs12,
    /// Bouncy Castle FIPS key store.
    Bcfks,
}

/// One store of keys or of trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Store {
    /// `location`.
    pub location: Option<PathBuf>,
    /// `password`.
    pub password: Secret,
    /// `passwordPath`: a file whose text wins over `password`.
    pub password_path: Option<PathBuf>,
    /// `type`; `None` means by the extension of the location.
    pub kind: Option<StoreKind>,
}

/// One side of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSide {
    /// `protocol`; `None` is both TLS 1.3 and 1.2.
    pub protocol: Option<String>,
    /// `enabledProtocols`; empty means what `protocol` says.
    pub enabled_protocols: Vec<String>,
    /// `ciphersuites`; empty means the built-in list.
    pub ciphersuites: Vec<String>,
    /// `keyStore.*`.
    pub key_store: Store,
    /// `trustStore.*`.
    pub trust_store: Store,
    /// `hostnameVerification`.
    pub hostname_verification: bool,
    /// `clientHostnameVerification`.
    pub client_hostname_verification: bool,
    /// `allowReverseDnsLookup`.
    pub allow_reverse_dns_lookup: bool,
    /// `allowedNames`: what certificates of connecting peers may be for, beside their address or the
    /// `server.N` hosts.
    pub allowed_names: Vec<String>,
    /// `crl`.
    pub crl: bool,
    /// `crlPath`: files with revocation lists; one switches the check on.
    pub crl_path: Vec<PathBuf>,
    /// `ocsp`.
    pub ocsp: bool,
    /// `clientAuth`.
    pub client_auth: ClientAuth,
    /// `handshakeDetectionTimeoutMillis`, >= 1.
    pub handshake_detection_timeout_millis: u32,
}

impl TlsSide {
    /// The side that properties (`zookeeper.ssl.*`) describe; `prefix` is that of its keys (`ssl.`).
    ///
    /// # Errors
    ///
    /// The property with what is wrong with its value.
    pub fn of_properties(prefix: &str, property: &dyn Fn(&str) -> Option<String>) -> Result<TlsSide, String> {
        let mut given = Given::default();
        for key in keys::all().filter(|key| key.name.starts_with(prefix)) {
            let Some(text) = property(key.property) else { continue };
            match check(key, text.trim()) {
                Checked::Good(value) | Checked::Adjusted(value, _) => {
                    given.insert(key.id().to_owned(), value, Place::whole(key.property));
                }
                Checked::Wrong(what, cure) => return Err(format!("{}: {what}: {cure}", key.property)),
            }
        }
        Ok(TlsSide::read(&given, prefix))
    }

    /// The side of the metrics listener, which has fewer keys (`metricsProvider.ssl.`). A certificate is demanded
    /// from clients unless that is switched off.
    pub(super) fn of_metrics(given: &Given) -> Self {
        let id = |name: &str| format!("metricsProvider.ssl.{name}");
        let store = |name: &str| Store {
            location: given.path(&id(&format!("{name}.location"))),
            password: given.secret(&id(&format!("{name}.password"))).unwrap_or_default(),
            password_path: None,
            kind: kind_of(&given.word(&id(&format!("{name}.type")))),
        };
        let client_auth = match (given.flag(&id("need.client.auth")), given.flag(&id("want.client.auth"))) {
            (true, _) => ClientAuth::Need,
            (false, true) => ClientAuth::Want,
            (false, false) => ClientAuth::None,
        };
        TlsSide {
            protocol: None,
            enabled_protocols: given.list(&id("enabledProtocols")),
            ciphersuites: given.list(&id("ciphersuites")),
            key_store: store("keyStore"),
            trust_store: store("trustStore"),
            hostname_verification: false,
            client_hostname_verification: false,
            allow_reverse_dns_lookup: false,
            allowed_names: Vec::new(),
            crl: false,
            crl_path: Vec::new(),
            ocsp: false,
            client_auth,
            handshake_detection_timeout_millis: given.number("ssl.handshakeDetectionTimeoutMillis"),
        }
    }

    fn read(given: &Given, prefix: &str) -> Self {
        let id = |name: &str| format!("{prefix}{name}");
        let kind = |name: &str| kind_of(&given.word(&id(name)));
        let store = |name: &str| Store {
            location: given.path(&id(&format!("{name}.location"))),
            password: given.secret(&id(&format!("{name}.password"))).unwrap_or_default(),
            password_path: given.path(&id(&format!("{name}.passwordPath"))),
            kind: kind(&format!("{name}.type")),
        };
        TlsSide {
            protocol: given.text(&id("protocol")),
            enabled_protocols: given.list(&id("enabledProtocols")),
            ciphersuites: given.list(&id("ciphersuites")),
            key_store: store("keyStore"),
            trust_store: store("trustStore"),
            hostname_verification: given.flag(&id("hostnameVerification")),
            client_hostname_verification: given.flag(&id("clientHostnameVerification")),
            allow_reverse_dns_lookup: given.flag(&id("allowReverseDnsLookup")),
            allowed_names: given.list(&id("allowedNames")),
            crl: given.flag(&id("crl")),
            crl_path: given.list(&id("crlPath")).into_iter().map(PathBuf::from).collect(),
            ocsp: given.flag(&id("ocsp")),
            client_auth: match given.word(&id("clientAuth")).as_str() {
                "NONE" => ClientAuth::None,
                "WANT" => ClientAuth::Want,
                _ => ClientAuth::Need,
            },
            handshake_detection_timeout_millis: given.number(&id("handshakeDetectionTimeoutMillis")),
        }
    }
}

/// The format that a key names; `None`: by the extension of the file.
fn kind_of(word: &str) -> Option<StoreKind> {
    match word {
        "JKS" => Some(StoreKind::Jks),
        "PEM" => Some(StoreKind::Pem),
        "PKCS12" => Some(StoreKind::Pkcs12),
        "BCFKS" => Some(StoreKind::Bcfks),
        _ => None,
    }
}

/// TLS towards clients and between servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `ssl.*`.
    pub client: TlsSide,
    /// `ssl.quorum.*`.
    pub quorum: TlsSide,
}

impl Tls {
    pub(super) fn read(given: &Given) -> Self {
        Tls { client: TlsSide::read(given, "ssl."), quorum: TlsSide::read(given, "ssl.quorum.") }
    }
}
