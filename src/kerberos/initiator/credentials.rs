//! From a login module of a JAAS section to what a login is made with.
//!
//! # Invariants
//!
//! * Pure; what is missing is named with its cure.

use super::Credentials;
use crate::config::jaas::{Kerberos, LoginModule, Module};

/// The credentials of a login module.
///
/// # Errors
///
/// What is missing in it.
pub fn of_module(module: &LoginModule) -> Result<Credentials, String> {
    match module.module() {
        Module::Digest => {
            let (user, password) =
                module.digest_login().ok_or("DigestLoginModule needs username and password")?;
            Ok(Credentials::Password { user: user.to_owned(), password: password.clone() })
        }
        Module::Kerberos | Module::IbmKerberos => {
            let kerberos = module.kerberos().ok_or("no Kerberos module")?;
            of_kerberos(kerberos)
        }
        Module::Other => Err(format!(
            "{} is no login module that is known: Krb5LoginModule or DigestLoginModule",
            module.class
        )),
    }
}

fn of_kerberos(kerberos: Kerberos) -> Result<Credentials, String> {
    if !kerberos.initiates {
        return Err("this module only accepts (isInitiator=false); a client has to initiate".to_owned());
    }
    match (kerberos.keytab, kerberos.principal, kerberos.use_ticket_cache) {
        (Some(path), Some(principal), _) => Ok(Credentials::Keytab { path, principal }),
        (None, principal, true) => {
            let name = kerberos.ticket_cache.map(|file| format!("FILE:{}", file.display()));
            Ok(Credentials::TicketCache { name, principal })
        }
        (Some(_), None, _) => Err("a keytab needs a principal: add principal=\"...\"".to_owned()),
        (None, _, false) => {
            Err("neither a keytab (useKeyTab=true keyTab=...) nor useTicketCache=true, and nobody is asked for a \
                 password"
                .to_owned())
        }
    }
}
