//! Protocols and cipher suites that the TLS engine has, by their Java names.
//!
//! # Invariants
//!
//! * The table is complete: `tls` builds its engine from these names and proves in a test that it
//!   knows each of them.

/// Cipher suites by their Java (IANA) names, the best first; all of them authenticate what they encrypt.
pub const SUITES: [&str; 9] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Protocol versions.
pub const PROTOCOLS: [&str; 2] = ["TLSv1.3", "TLSv1.2"];

/// What is not in the engine, in the order in which it was asked for.
pub fn unknown<'a>(asked: &'a [String], known: &[&str]) -> Vec<&'a str> {
    asked.iter().map(|s| s.trim()).filter(|s| !s.is_empty() && !known.contains(s)).collect()
}

/// The protocol versions that a side allows: those listed, else the single one of `protocol`, else both.
/// (`TLS`, Java's name of the whole family, is both.)
pub fn versions(protocol: Option<&str>, enabled: &[String]) -> Vec<&'static str> {
    let asked: Vec<&str> = match (enabled, protocol) {
        ([], None | Some("TLS")) => PROTOCOLS.to_vec(),
        ([], Some(one)) => vec![one],
        (listed, _) => listed.iter().map(|s| s.trim()).collect(),
    };
    PROTOCOLS.into_iter().filter(|p| asked.contains(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_listed_versions_are_allowed() {
        let list =
            |text: &str| text.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(versions(None, &[]), ["TLSv1.3", "TLSv1.2"]);
        assert_eq!(versions(Some("TLS"), &[]), ["TLSv1.3", "TLSv1.2"]);
        assert_eq!(versions(Some("TLSv1.2"), &[]), ["TLSv1.2"]);
        assert_eq!(versions(Some("TLSv1.2"), &list("TLSv1.3")), ["TLSv1.3"]);
        assert_eq!(versions(None, &list("TLSv1.1, TLSv1.2")), ["TLSv1.2"]);
        assert!(versions(Some("TLSv1.1"), &[]).is_empty());
        let asked = list("TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA");
        assert_eq!(unknown(&asked, &SUITES), ["TLS_RSA_WITH_AES_128_CBC_SHA"]);
    }
}
