//! What the settings demand of every session, and which settings exclude each other.
//!
//! Secure mode is `sessionRequireClientSASLAuth=true`, or `enforce.auth.enabled=true` with `sasl` among
//! `enforce.auth.schemes`: then nobody is served without a login, and sessions without one are capped.
//!
//! # Invariants
//!
//! * What would let somebody through in secure mode is refused at start, not warned about: here what depends
//!   on krb5.conf, by the configuration's own rules everything else.

use super::names::NamePolicy;
use crate::config::settings::Auth;

/// The demands, resolved (`AuthenticationHelper`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Enforcement {
    /// Schemes of which a connection must hold one before it may ask for anything; `None`: not enforced.
    pub schemes: Option<Vec<String>>,
    /// A failed SASL exchange leaves the connection open, without an identity (`allowSaslFailedClients`).
    pub keep_failed: bool,
}

impl Enforcement {
    /// What the settings demand.
    pub fn of(auth: &Auth) -> Enforcement {
        let schemes = if auth.session_require_client_sasl_auth {
            Some(vec!["sasl".to_owned()])
        } else {
            auth.enforce_auth_enabled.then(|| auth.enforce_auth_schemes.clone())
        };
        Enforcement { schemes, keep_failed: auth.allow_sasl_failed_clients }
    }

    /// Secure mode: is `sasl` among what is demanded?
    pub fn is_secure(&self) -> bool {
        self.schemes.as_ref().is_some_and(|schemes| schemes.iter().any(|s| s == "sasl"))
    }
}

/// Why these settings are not served with this krb5.conf, one sentence with its cure; `None` when they are.
pub fn refusal(auth: &Auth, names: &NamePolicy) -> Option<String> {
    if auth.require_kerberos_config && names.default_realm().is_none() {
        return Some(
            "requireKerberosConfig=true, but krb5.conf has no default_realm: set it there".to_owned(),
        );
    }
    let foreign = |realm: &&String| names.default_realm() != Some(realm.as_str());
    if auth.compare_short_name
        && auth.kerberos_remove_realm_from_principal
        && let Some(realm) = names.allowed_realms().iter().find(foreign)
    {
        return Some(format!(
            "acl.compare.shortName with kerberos.removeRealmFromPrincipal would take users of {realm} for \
             those of the default realm: keep the realm in ids, or allow the default realm alone"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(auth: &Auth, realm: Option<&str>) -> bool {
        refusal(auth, &NamePolicy::new(auth, realm).unwrap()).is_some()
    }

    #[test]
    fn secure_mode_is_either_switch() {
        let plain = Auth::default();
        let both = |schemes: &[&str]| Auth {
            enforce_auth_enabled: true,
            enforce_auth_schemes: schemes.iter().map(|s| (*s).to_owned()).collect(),
            ..plain.clone()
        };
        let required = Auth { session_require_client_sasl_auth: true, ..both(&["digest"]) };
        assert!(!Enforcement::of(&plain).is_secure() && Enforcement::of(&plain).schemes.is_none());
        assert!(!Enforcement::of(&both(&["digest"])).is_secure());
        assert!(Enforcement::of(&both(&["digest", "sasl"])).is_secure());
        assert_eq!(Enforcement::of(&required).schemes, Some(vec!["sasl".to_owned()]));
    }

    #[test]
    fn contradictions_are_refused() {
        let required = Auth { require_kerberos_config: true, ..Auth::default() };
        assert!(refused(&required, None) && !refused(&required, Some("R")));
        let short =
            Auth { compare_short_name: true, kerberos_remove_realm_from_principal: true, ..Auth::default() };
        assert!(!refused(&short, Some("R")) && !refused(&Auth::default(), None));
        let realms = vec!["R".to_owned(), "S".to_owned()];
        assert!(refused(&Auth { kerberos_allowed_realms: realms, ..short }, Some("R")));
    }
}
