//! Rules about TLS: what the engine lacks, what is missing, what weakens.
//!
//! # Invariants
//!
//! * Whatever would stop the start in `tls` is an error here already, so that `oxkeeper check` tells it.

use super::finding::{Findings, clip};
use super::given::Given;
use super::rules::at;
use super::settings::{ClientAuth, Settings, StoreKind, TlsSide};
use super::tls_names::{PROTOCOLS, SUITES, unknown, versions};

/// What the keys of the metrics listener begin with.
const METRICS: &str = "metricsProvider.ssl.";

/// Checks all sides, as far as they are used.
pub fn check(given: &Given, settings: &Settings, findings: &mut Findings) {
    let client = &settings.client;
    let clients = client.secure_client_port.is_some() || client.port_unification;
    check_side(given, "ssl.", &settings.tls.client, clients, findings);
    let quorum = &settings.quorum;
    let servers = quorum.is_distributed() && (quorum.ssl_quorum || quorum.port_unification);
    check_side(given, "ssl.quorum.", &settings.tls.quorum, servers, findings);
    let metrics = &settings.metrics;
    let scraped = metrics.prometheus && metrics.https_port.is_some();
    check_side(given, METRICS, &metrics.tls, scraped, findings);
    if clients && settings.auth.ssl_auth_provider != "x509" {
        let what = format!(
            "{}: certificates name clients by the scheme x509 alone",
            clip(&settings.auth.ssl_auth_provider)
        );
        findings.error(&at(given, "ssl.authProvider"), "ssl.authProvider", what, "drop it");
    }
}

fn check_side(given: &Given, prefix: &str, side: &TlsSide, used: bool, findings: &mut Findings) {
    let key = |name: &str| format!("{prefix}{name}");
    check_protocols(given, prefix, side, findings);
    check_suites(given, &key("ciphersuites"), side, findings);
    for (name, store) in [("keyStore", &side.key_store), ("trustStore", &side.trust_store)] {
        let by_name = store
            .location
            .as_ref()
            .is_some_and(|l| l.extension().is_some_and(|e| e.eq_ignore_ascii_case("bcfks")));
        if store.kind == Some(StoreKind::Bcfks) || (store.kind.is_none() && by_name) {
            let id = key(&format!("{name}.location"));
            let cure = "convert it: keytool -importkeystore -srcstoretype BCFKS -deststoretype PKCS12";
            findings.error(&at(given, &id), &id, "a BCFKS store, which cannot be read here", cure);
        }
    }
    let id = key("crl");
    if side.crl && side.crl_path.is_empty() {
        let what = "true, but revocation lists are read from files and none is named";
        findings.error(&at(given, &id), &id, what, format!("add {prefix}crlPath=/path/to/list.pem"));
    }
    if !used {
        return;
    }
    let id = key("keyStore.location");
    if side.key_store.location.is_none() {
        let cure = "name the file with the server's key and certificate";
        findings.error(&at(given, &id), &id, "not set, but TLS is on", cure);
    }
    let id = key("trustStore.location");
    if side.trust_store.location.is_none() && side.client_auth != ClientAuth::None {
        let off =
            if prefix == METRICS { "need.client.auth and want.client.auth=false" } else { "clientAuth=none" };
        let cure = format!("name the file with the trusted authorities, or set {prefix}{off}");
        findings.error(&at(given, &id), &id, "not set, but certificates are asked for", cure);
    }
}

fn check_protocols(given: &Given, prefix: &str, side: &TlsSide, findings: &mut Findings) {
    let enabled = format!("{prefix}enabledProtocols");
    for name in unknown(&side.enabled_protocols, &PROTOCOLS) {
        let what = format!("{} is not spoken here", clip(name));
        findings.warn(&at(given, &enabled), &enabled, what, "TLSv1.3 and TLSv1.2 are");
    }
    let versions = versions(side.protocol.as_deref(), &side.enabled_protocols);
    let id = if side.enabled_protocols.is_empty() { format!("{prefix}protocol") } else { enabled };
    if versions.is_empty() {
        findings.error(&at(given, &id), &id, "leaves no TLS version", "list TLSv1.3, TLSv1.2 or both");
    } else if versions == ["TLSv1.3"] && prefix == "ssl." {
        let what = "TLS 1.3 alone: clients before ZooKeeper 3.9 speak TLS 1.2 unless they are configured";
        findings.note(&at(given, &id), &id, what, "drop the key for both versions");
    }
}

fn check_suites(given: &Given, id: &str, side: &TlsSide, findings: &mut Findings) {
    let missing = unknown(&side.ciphersuites, &SUITES);
    if missing.is_empty() {
        return;
    }
    if missing.len() == side.ciphersuites.len() {
        let cure = "list suites with AES GCM or ChaCha20 (TLS_AES_*, TLS_ECDHE_*), or drop the key";
        findings.error(&at(given, id), id, "none of these suites is in the TLS engine", cure);
    } else {
        let what = format!("not in the TLS engine: {}", clip(&missing.join(", ")));
        findings.warn(
            &at(given, id),
            id,
            what,
            "drop them: suites without forward secrecy or with CBC are gone",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::Value;
    use super::super::{Findings, Place, Severity};
    use super::*;

    fn found(entries: &[(&str, &str)]) -> Vec<(Severity, String)> {
        let mut given = Given::default();
        for (id, text) in entries {
            let value = match text.parse::<bool>() {
                Ok(flag) => Value::Bool(flag),
                Err(_) => text.parse().map_or_else(|_| Value::Text((*text).to_owned()), Value::Int),
            };
            given.insert((*id).to_owned(), value, Place::line("zoo.cfg", 1));
        }
        let mut findings = Findings::default();
        check(&given, &Settings::read(&given), &mut findings);
        findings.0.into_iter().map(|f| (f.severity, f.key.unwrap_or_default())).collect()
    }

    #[test]
    fn what_would_stop_the_start_is_an_error() {
        let error = |key: &str| (Severity::Error, key.to_owned());
        let port = ("secureClientPort", "2281");
        assert_eq!(found(&[port]), [error("ssl.keyStore.location"), error("ssl.trustStore.location")]);
        let key = ("ssl.keyStore.location", "/k.pem");
        assert_eq!(found(&[port, key, ("ssl.clientAuth", "NONE")]), []);
        let whole = [port, key, ("ssl.trustStore.location", "/t.pem")];
        assert_eq!(found(&whole), []);
        let with = |more: (&str, &str)| found(&[whole.as_slice(), &[more]].concat());
        assert_eq!(with(("ssl.crl", "true")), [error("ssl.crl")]);
        assert_eq!(with(("ssl.enabledProtocols", "TLSv1")).last(), Some(&error("ssl.enabledProtocols")));
        assert_eq!(with(("ssl.ciphersuites", "TLS_RSA_WITH_AES_128_CBC_SHA")), [error("ssl.ciphersuites")]);
        assert_eq!(with(("ssl.authProvider", "mine")), [error("ssl.authProvider")]);
        assert_eq!(
            with(("ssl.quorum.trustStore.location", "/t.bcfks")),
            [error("ssl.quorum.trustStore.location")]
        );
    }

    #[test]
    fn what_is_only_left_out_is_a_warning() {
        let suites = "TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA";
        assert_eq!(found(&[("ssl.ciphersuites", suites)]), [(Severity::Warning, "ssl.ciphersuites".into())]);
        assert_eq!(found(&[("ssl.protocol", "TLSv1.3")]), [(Severity::Note, "ssl.protocol".into())]);
    }
}
