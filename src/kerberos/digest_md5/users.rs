//! Who may log in to a server by DIGEST-MD5: a JAAS section with DigestLoginModule.
//!
//! # Invariants
//!
//! * Passwords are hashed when the section is read and not kept.
//! * There is a hash for every name anybody may ask for: unknown ones get one that no password has.

use super::hash::{Ha1, NoMd5};
use super::{CLIENTS, Names, QUORUM};
use crate::config::jaas::LoginModule;
use crate::config::settings::Secret;
use crate::limits::DIGEST_NAME;
use std::collections::BTreeMap;

/// The user that is ZooKeeper's super user when it logs in by DIGEST-MD5.
const SUPER: &str = "super";

/// The users of a server and the names of its exchange.
#[derive(Clone, Debug)]
pub struct DigestConfig {
    pub(super) names: Names,
    users: BTreeMap<String, Ha1>,
    nobody: Ha1,
}

impl DigestConfig {
    /// The users of a section for clients (`Server`). A `super_password`
    /// (`SASLAuthenticationProvider.superPassword`) takes the place of the password that the section gives
    /// to `super`; it makes no such user where the section has none, as in Java.
    ///
    /// # Errors
    ///
    /// A name that cannot be one, or no MD5 in this process: the text says what to do.
    pub fn of_clients(module: &LoginModule, super_password: Option<&Secret>) -> Result<DigestConfig, String> {
        DigestConfig::new(CLIENTS, module, super_password)
    }

    /// The users of a section for servers (`QuorumServer`).
    ///
    /// # Errors
    ///
    /// As [`DigestConfig::of_clients`].
    pub fn of_quorum(module: &LoginModule) -> Result<DigestConfig, String> {
        DigestConfig::new(QUORUM, module, None)
    }

    fn new(
        names: Names,
        module: &LoginModule,
        super_password: Option<&Secret>,
    ) -> Result<DigestConfig, String> {
        let no_md5 = |NoMd5| {
            "MD5 is not available (OpenSSL runs in FIPS mode): remove DigestLoginModule and use Kerberos"
                .to_owned()
        };
        let mut users = BTreeMap::new();
        for (name, password) in module.digest_users() {
            check_name(name)?;
            let password = super_password.filter(|_| name == SUPER).unwrap_or(password);
            let hash = Ha1::of(name, names.host, password.reveal()).map_err(no_md5)?;
            users.insert(name.to_owned(), hash);
        }
        // No name has a line feed in it, so this is nobody's hash; an attempt on it costs the same as any other.
        let nobody = Ha1::of("\n", names.host, "\n").map_err(no_md5)?;
        Ok(DigestConfig { names, users, nobody })
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Is there no user at all?
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Is there a user `super`, who has all rights?
    pub fn has_super(&self) -> bool {
        self.users.contains_key(SUPER)
    }

    /// The hash of a name, and whether it is a user's.
    pub(super) fn hash(&self, name: &str) -> (&Ha1, bool) {
        match self.users.get(name) {
            Some(hash) => (hash, true),
            None => (&self.nobody, false),
        }
    }
}

/// Names with an `@` look like Kerberos principals and would share their ids.
fn check_name(name: &str) -> Result<(), String> {
    let wrong = |what: &str| {
        let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
        Err(format!("DigestLoginModule: the user of user_{shown} {what}; rename it"))
    };
    match name {
        "" => wrong("has no name"),
        _ if name.len() > DIGEST_NAME => wrong("has too long a name"),
        _ if name.contains('@') => wrong("has an @ in its name, which is a Kerberos principal's"),
        _ if name.chars().any(char::is_control) => wrong("has a control character in its name"),
        _ => Ok(()),
    }
}
