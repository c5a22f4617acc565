//! Who a connection is, and what an ACL lets it do.
//!
//! # Invariants
//!
//! * `any_of` and `all_of` are two functions: "one of these bits" and "each of these
//!   bits" are never confused.
//! * A scheme without a registered provider matches nothing and is never valid.
//! * Secrets (the super digest, passwords in auth packets) are compared and hashed,
//!   never kept in an identity nor shown.

mod acl;
mod digest;
mod ip;
pub mod reason;
pub mod rules;
pub mod sasl;

pub use acl::{Caller, Fixup, all_of, any_of, fix_up, masked};
pub use digest::{DigestAlgorithm, generate as generate_digest};

use crate::types::Id;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything that a connection has proven to be, in the order in which it did.
pub type Identities = Arc<[Id]>;

/// Which schemes this server knows, and their settings (`ProviderRegistry`).
#[derive(Clone, Default)]
pub struct Providers {
    /// `digest`: its hash, or `None` when `DigestAuthenticationProvider.enabled=false`.
    pub digest: Option<DigestAlgorithm>,
    /// `user:base64` that gets `super` (never printed).
    pub super_digest: Option<Arc<str>>,
    /// `x509` is registered (a secure port is configured).
    pub x509: bool,
    /// `sasl` is registered (`authProvider.N=…SASLAuthenticationProvider`).
    pub sasl: bool,
    /// `skipACL=yes`.
    pub skip_acl: bool,
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Providers")
            .field("digest", &self.digest)
            .field("super_digest", &self.super_digest.as_ref().map(|_| "***"))
            .field("x509", &self.x509)
            .field("sasl", &self.sasl)
            .field("skip_acl", &self.skip_acl)
            .finish()
    }
}

/// What an auth packet led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthOutcome {
    /// These identities are added.
    Added(Vec<Id>),
    /// Refused: AUTHFAILED, then the connection closes. The text says why, without the secret.
    Failed(&'static str),
}

impl Providers {
    /// Handles an auth packet of a client at `peer`.
    pub fn authenticate(&self, scheme: &str, auth: &[u8], peer: IpAddr) -> AuthOutcome {
        match scheme {
            "digest" => match self.digest {
                Some(algorithm) => AuthOutcome::Added(self.digest_identities(algorithm, auth)),
                None => AuthOutcome::Failed("the digest scheme is disabled"),
            },
            "ip" => AuthOutcome::Added(vec![address_identity(peer)]),
            "x509" if self.x509 => AuthOutcome::Failed("no client certificate on this connection"),
            "sasl" if self.sasl => AuthOutcome::Failed("sasl identities come from the SASL exchange alone"),
            _ => AuthOutcome::Failed("no such scheme here"),
        }
    }

    fn digest_identities(&self, algorithm: DigestAlgorithm, auth: &[u8]) -> Vec<Id> {
        let text = String::from_utf8_lossy(auth);
        let id = digest::generate(algorithm, &text);
        let mut ids = Vec::with_capacity(2);
        if self.super_digest.as_deref() == Some(id.as_str()) {
            ids.push(Id::new("super", ""));
        }
        ids.push(Id::new("digest", id));
        ids
    }

    /// Is there a provider for the scheme?
    pub fn knows(&self, scheme: &str) -> bool {
        match scheme {
            "ip" => true,
            "digest" => self.digest.is_some(),
            "x509" => self.x509,
            "sasl" => self.sasl,
            _ => false,
        }
    }

    /// Does holding an identity of this scheme count as being authenticated (the `auth` scheme's expansion)?
    pub fn authenticates(&self, scheme: &str) -> bool {
        scheme != "ip" && self.knows(scheme)
    }

    /// Is `id` well formed for the scheme, so that an ACL may name it?
    pub fn valid(&self, scheme: &str, id: &str) -> bool {
        if !self.knows(scheme) {
            return false;
        }
        match scheme {
            "digest" => digest::valid(id),
            "ip" => ip::valid(id),
            "sasl" => valid_sasl(id),
            "x509" => valid_x500(id),
            _ => false,
        }
    }

    /// Does the identity `held` match the ACL's text `wanted`, both of `scheme`?
    pub fn matches(&self, scheme: &str, held: &str, wanted: &str) -> bool {
        if !self.knows(scheme) {
            return false;
        }
        match scheme {
            "ip" => ip::matches(held, wanted),
            "digest" | "sasl" | "x509" => held == wanted,
            _ => false,
        }
    }

    /// The name that whoAmI shows: the user part of a digest, the whole id otherwise.
    pub fn user_name<'a>(&self, id: &'a Id) -> &'a str {
        match id.scheme.as_str() {
            "digest" => id.id.split(':').next().unwrap_or_default(),
            _ => &id.id,
        }
    }
}

/// The identity that every connection starts with (`NIOServerCnxn`): its address in Java's spelling.
pub fn address_identity(peer: IpAddr) -> Id {
    Id::new("ip", ip::java_text(peer))
}

/// A Kerberos name: primary, optionally instance and realm (`KerberosName`'s pattern).
fn valid_sasl(id: &str) -> bool {
    let (name, realm) = match id.split_once('@') {
        Some((name, realm)) => (name, Some(realm)),
        None => (id, None),
    };
    let mut parts = name.split('/');
    let primary = parts.next().unwrap_or_default();
    let instance = parts.next();
    !primary.is_empty()
        && instance != Some("")
        && parts.next().is_none()
        && realm.is_none_or(|r| !r.is_empty() && !r.contains(['@', '/']))
}

/// An X.500 name, shallowly: attribute=value pairs. The certificate work refines it.
fn valid_x500(id: &str) -> bool {
    id.is_empty() || id.split(',').all(|rdn| rdn.split_once('=').is_some_and(|(k, _)| !k.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers() -> Providers {
        let digest = Some(DigestAlgorithm::Sha1);
        Providers {
            digest,
            super_digest: Some("super:UdxDQl4f9v5oITwcAsO9bmWgHSI=".into()),
            ..Default::default()
        }
    }

    #[test]
    fn a_super_digest_adds_super_beside_the_digest() {
        let p = providers();
        let who = "127.0.0.1".parse().unwrap();
        match p.authenticate("digest", b"super:test", who) {
            AuthOutcome::Added(ids) => {
                assert!(ids.iter().any(|i| i.scheme == "digest" && i.id.starts_with("super:")));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            p.authenticate("ip", b"10.0.0.1", who),
            AuthOutcome::Added(vec![Id::new("ip", "127.0.0.1")])
        );
        for scheme in ["world", "auth", "super", "sasl", "x509", "nope", ""] {
            assert!(matches!(p.authenticate(scheme, b"x", who), AuthOutcome::Failed(_)), "{scheme}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert!(!format!("{:?}", providers()).contains("Udx"));
    }

    #[test]
    fn kerberos_names() {
        for good in ["hdfs", "hdfs/h1", "hdfs@R", "hdfs/h1@R"] {
            assert!(valid_sasl(good), "{good}");
        }
        for bad in ["", "/h", "a/", "a/b/c@R", "a@", "@R"] {
            assert!(!valid_sasl(bad), "{bad}");
        }
    }
}
