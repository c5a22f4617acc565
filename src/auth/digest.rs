//! The `digest` scheme: `user:base64(hash("user:password"))`.
//!
//! # Invariants
//!
//! * The hash is over the whole text: everything behind the first colon is password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

/// `DigestAuthenticationProvider.digestAlg`, by its JCA name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DigestAlgorithm {
    /// `SHA1`, the default.
    #[default]
    Sha1,
    /// `SHA-256`
    Sha256,
    /// `SHA-512`
    Sha512,
}

impl DigestAlgorithm {
    /// Finds the algorithm by its JCA name, as the key spells it.
    pub fn from_name(name: &str) -> Option<DigestAlgorithm> {
        Some(match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" | "SHA" => DigestAlgorithm::Sha1,
            "SHA-256" => DigestAlgorithm::Sha256,
            "SHA-512" => DigestAlgorithm::Sha512,
            _ => return None,
        })
    }
}

/// The identity of `user:password`.
pub fn generate(algorithm: DigestAlgorithm, user_password: &str) -> String {
    let user = user_password.split(':').next().unwrap_or_default();
    let bytes = user_password.as_bytes();
    let hash = match algorithm {
        DigestAlgorithm::Sha1 => STANDARD.encode(sha1::Sha1::digest(bytes)),
        DigestAlgorithm::Sha256 => STANDARD.encode(sha2::Sha256::digest(bytes)),
        DigestAlgorithm::Sha512 => STANDARD.encode(sha2::Sha512::digest(bytes)),
    };
    format!("{user}:{hash}")
}

/// Exactly two parts at colons, trailing empty parts dropped (Java's `String.split`).
pub fn valid(id: &str) -> bool {
    let mut parts: Vec<&str> = id.split(':').collect();
    while parts.len() > 1 && parts.last() == Some(&"") {
        parts.pop();
    }
    parts.len() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_javas() {
        // The example of ZooKeeper's administrator's guide.
        assert_eq!(generate(DigestAlgorithm::Sha1, "super:admin"), "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
    }

    #[test]
    fn validity_follows_javas_split() {
        for (id, ok) in [
            ("a:b", true),
            ("a:b:", true),
            ("a", false),
            ("a:", false),
            (":b", true),
            ("a:b:c", false),
            ("", false),
            (":", false),
        ] {
            assert_eq!(valid(id), ok, "{id:?}");
        }
    }
}
