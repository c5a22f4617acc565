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
pub mod commands;
mod digest;
pub mod enforce;
mod ip;
pub mod names;
pub mod reason;
pub mod rules;
pub mod sasl;
mod x509;

pub use acl::{Caller, Fixup, all_of, any_of, fix_up, masked};
pub use digest::{DigestAlgorithm, generate as generate_digest};

pub use x509::identities as x509_identities;

use crate::config::Secret;
use crate::limits::QUOTED_INPUT;
use crate::types::Id;
use reason::Reason;
use sasl::{Login, Mechanism, Refusal};
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Everything that a connection has proven to be, in the order in which it did.
pub type Identities = Arc<[Id]>;

/// Which schemes this server knows, and their settings (`ProviderRegistry`).
#[derive(Clone, Debug, Default)]
pub struct Providers {
    /// `digest`: its hash, or `None` when `DigestAuthenticationProvider.enabled=false`.
    pub digest: Option<DigestAlgorithm>,
    /// `user:base64` that gets `super`.
    pub super_digest: Option<Secret>,
    /// `x509` is registered (a secure port is configured).
    pub x509: bool,
    /// `sasl` is registered (`authProvider.N=…SASLAuthenticationProvider`).
    pub sasl: bool,
    /// `skipACL=yes`.
    pub skip_acl: bool,
    /// `superUser` and `superUser.*`.
    pub super_users: Vec<String>,
    /// `letAnySaslUserDoX`: this id in an ACL matches every SASL user.
    pub any_sasl_user: Option<String>,
    /// `acl.compare.shortName`: ids of scheme `sasl` are compared by their first component, within the
    /// default realm. Ids of other realms still match as a whole.
    pub short_names: bool,
    /// The default realm of krb5.conf, for `short_names`.
    pub default_realm: Option<String>,
    /// `ensemble` is registered; the names it takes, or `None` for any (`ensembleAuthName` is not set).
    pub ensemble: Option<Option<Vec<String>>>,
}

/// What an auth packet led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthOutcome {
    /// These identities are added; there may be none.
    Added(Vec<Id>),
    /// Refused: AUTHFAILED, then the connection closes.
    Failed(Refusal),
    /// The connection closes without an answer, so that the client tries another server.
    Closed(Refusal),
}

impl Providers {
    /// Handles an auth packet of a client at `peer` that has proven `held`.
    pub fn authenticate(&self, scheme: &str, auth: &[u8], peer: IpAddr, held: &[Id]) -> AuthOutcome {
        let failed = |reason, why: &str| AuthOutcome::Failed(Refusal::new(reason, why));
        match scheme {
            "digest" => match self.digest {
                Some(algorithm) => AuthOutcome::Added(self.digest_identities(algorithm, auth)),
                None => failed(Reason::AuthScheme, "DigestAuthenticationProvider.enabled=false"),
            },
            "ip" => AuthOutcome::Added(vec![address_identity(peer)]),
            // The certificate's name was added when the connection was accepted.
            "x509" if self.x509 && held.iter().any(|id| id.scheme == "x509") => {
                AuthOutcome::Added(Vec::new())
            }
            "x509" if self.x509 => failed(Reason::AuthRefused, "no client certificate on this connection"),
            "sasl" if self.sasl => {
                failed(Reason::AuthRefused, "sasl identities come from the SASL exchange alone")
            }
            "ensemble" => match &self.ensemble {
                Some(names) => ensemble(names.as_deref(), auth),
                None => failed(Reason::AuthScheme, "the ensemble scheme is not registered"),
            },
            _ => failed(Reason::AuthScheme, "no such scheme here"),
        }
    }

    /// Everything that a login proves: its id, and `super` for a super user.
    pub fn login_identities(&self, login: &Login) -> Vec<Id> {
        let mut ids = vec![Id::new("sasl", login.id.as_str())];
        if self.is_super_user(login) {
            ids.push(Id::new("super", ""));
        }
        ids
    }

    /// Is whoever logged in named by `superUser`? An entry with a realm is a full principal and means a
    /// Kerberos login; one without is a DIGEST-MD5 user. Mapped names play no part.
    fn is_super_user(&self, login: &Login) -> bool {
        let kerberos = login.mechanism == Mechanism::Gssapi;
        self.super_users.iter().any(|entry| *entry == login.principal && entry.contains('@') == kerberos)
    }

    fn digest_identities(&self, algorithm: DigestAlgorithm, auth: &[u8]) -> Vec<Id> {
        let id = match std::str::from_utf8(auth) {
            Ok(text) => digest::generate(algorithm, text),
            // A copy of a password is not left behind in memory.
            Err(_) => {
                digest::generate(algorithm, &Zeroizing::new(String::from_utf8_lossy(auth).into_owned()))
            }
        };
        let mut ids = Vec::with_capacity(2);
        if self.super_digest.as_ref().is_some_and(|digest| digest.is(id.as_bytes())) {
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
            "ensemble" => self.ensemble.is_some(),
            _ => false,
        }
    }

    /// Does holding an identity of this scheme count as being authenticated (the `auth` scheme's expansion)?
    pub fn authenticates(&self, scheme: &str) -> bool {
        !matches!(scheme, "ip" | "ensemble") && self.knows(scheme)
    }

    /// Is `id` well formed for the scheme, so that an ACL may name it?
    pub fn valid(&self, scheme: &str, id: &str) -> bool {
        if !self.knows(scheme) {
            return false;
        }
        match scheme {
            "digest" => digest::valid(id),
            "ip" => ip::valid(id),
            "sasl" => names::valid_acl_id(id),
            "x509" => x509::valid(id),
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
            "sasl" => self.sasl_matches(held, wanted),
            "digest" | "x509" => held == wanted,
            _ => false,
        }
    }

    fn sasl_matches(&self, held: &str, wanted: &str) -> bool {
        held == wanted
            || held == names::SUPER
            || self.any_sasl_user.as_deref() == Some(wanted)
            || self.short_names && self.same_short_name(held, wanted)
    }

    /// Have both ids the same first component, and no realm or the default one?
    fn same_short_name(&self, held: &str, wanted: &str) -> bool {
        let at_home = |realm: Option<&str>| realm.is_none() || realm == self.default_realm.as_deref();
        let (held, held_realm) = names::short_and_realm(held);
        let (wanted, wanted_realm) = names::short_and_realm(wanted);
        !held.is_empty() && held == wanted && at_home(held_realm) && at_home(wanted_realm)
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

/// The ensemble scheme checks that the client means this ensemble (`EnsembleAuthenticationProvider`). It
/// proves nothing about the client.
fn ensemble(names: Option<&[String]>, auth: &[u8]) -> AuthOutcome {
    let Some(names) = names.filter(|_| !auth.is_empty()) else { return AuthOutcome::Added(Vec::new()) };
    let said = String::from_utf8_lossy(auth);
    if names.iter().any(|name| *name == said) {
        return AuthOutcome::Added(Vec::new());
    }
    let said: String = said.chars().take(QUOTED_INPUT).collect();
    AuthOutcome::Closed(Refusal::new(
        Reason::AuthRefused,
        format!("the client looks for the ensemble {said:?}"),
    ))
}

#[cfg(test)]
mod tests;
