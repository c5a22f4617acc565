//! From the name that somebody proved to the id that ACLs know.
//!
//! # Invariants
//!
//! * Fails closed: a name of another shape, a realm that is not allowed, or a name that no rule maps is
//!   refused. Nothing that the client asked to be called is ever looked at.
//! * The id is what ZooKeeper's `SaslServerCallbackHandler` makes of the same name with the same rules:
//!   short name, `/host` and `@REALM` unless they are removed. ACLs store it.
//! * No principal gets the id `super`, whatever its rules and removals yield: that id belongs to the
//!   DIGEST-MD5 user of this name alone, which ZooKeeper lets match every entry of scheme `sasl`.
//! * [`NamePolicy::id_of`] and [`NamePolicy::explain`] are one computation.

mod pattern;
mod principal;
mod rules;
#[cfg(test)]
mod tests;

pub use principal::{BadShape, Principal};
pub(super) use principal::{short_and_realm, valid_acl_id};
pub use rules::{BadRules, Tried};

use super::reason::Reason;
use super::sasl::{Mechanism, Refusal};
use crate::config::settings::Auth;
use crate::limits::PRINCIPAL_MAX;
use rules::Rules;
use std::fmt;

/// The DIGEST-MD5 user whose id matches every entry of scheme `sasl` (`SASLAuthenticationProvider`).
pub const SUPER: &str = "super";

/// Rules, allowed realms, and what is removed from ids.
#[derive(Clone, Debug)]
pub struct NamePolicy {
    rules: Rules,
    default_realm: Option<String>,
    realms: Vec<String>,
    remove_host: bool,
    remove_realm: bool,
}

/// What became of a name, step by step: `oxkeeper doctor map` prints it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The name as given.
    pub principal: String,
    /// The realm is one of these, or the name is refused.
    pub allowed_realms: Vec<String>,
    /// Each rule that was tried, as it was written, and what it made of the name.
    pub tried: Vec<(String, Tried)>,
    /// The id, or why there is none.
    pub outcome: Result<String, Refusal>,
}

impl NamePolicy {
    /// Resolves the settings. `default_realm` is that of krb5.conf.
    ///
    /// Allowed realms are `kerberos.allowedRealms`, exactly; without it the default realm and those that
    /// the patterns of rules write out (`.*@OTHER\.REALM`).
    ///
    /// # Errors
    ///
    /// The first rule of `security.auth_to_local` that cannot be used.
    pub fn new(settings: &Auth, default_realm: Option<&str>) -> Result<NamePolicy, BadRules> {
        let rules = Rules::parse(&settings.auth_to_local)?;
        let realms = if settings.kerberos_allowed_realms.is_empty() {
            let mut realms: Vec<String> = default_realm.map(str::to_owned).into_iter().collect();
            realms.extend(rules.realms().map(str::to_owned));
            realms.dedup();
            realms
        } else {
            settings.kerberos_allowed_realms.clone()
        };
        Ok(NamePolicy {
            rules,
            default_realm: default_realm.map(str::to_owned),
            realms,
            remove_host: settings.kerberos_remove_host_from_principal,
            remove_realm: settings.kerberos_remove_realm_from_principal,
        })
    }

    /// The id of whoever proved `name` by `mechanism`.
    ///
    /// # Errors
    ///
    /// A refusal with the name in it.
    pub fn id(&self, mechanism: Mechanism, name: &str) -> Result<String, Refusal> {
        match mechanism {
            Mechanism::Gssapi => self.id_of(name),
            Mechanism::DigestMd5 => self.id_of_user(name),
        }
    }

    /// The id of a full Kerberos principal.
    ///
    /// # Errors
    ///
    /// NAME_SHAPE, NAME_REALM or NAME_NO_RULE.
    pub fn id_of(&self, principal: &str) -> Result<String, Refusal> {
        self.walk(principal, |_, _| ()).map_err(|refusal| refusal.of(principal))
    }

    /// The id of a DIGEST-MD5 user of the server's login section: the name as it is. A user whose name is
    /// written like a principal is mapped like one, as in ZooKeeper.
    ///
    /// # Errors
    ///
    /// NAME_SHAPE; for names with a realm also NAME_REALM and NAME_NO_RULE.
    pub fn id_of_user(&self, user: &str) -> Result<String, Refusal> {
        if user.contains('@') {
            return self.id_of(user);
        }
        if user.is_empty() || user.len() > PRINCIPAL_MAX || user.chars().any(principal::is_control) {
            return Err(Refusal::new(Reason::NameShape, "this cannot be a user's name").of(user));
        }
        Ok(user.to_owned())
    }

    /// The default realm, if there is one.
    pub fn default_realm(&self) -> Option<&str> {
        self.default_realm.as_deref()
    }

    /// Realms whose names are taken.
    pub fn allowed_realms(&self) -> &[String] {
        &self.realms
    }

    /// The same as [`NamePolicy::id_of`], with every rule that was tried.
    pub fn explain(&self, principal: &str) -> Explanation {
        let mut tried = Vec::new();
        let outcome = self.walk(principal, |rule, became| tried.push((rule.to_owned(), became.clone())));
        Explanation {
            principal: principal.to_owned(),
            allowed_realms: self.realms.clone(),
            tried,
            outcome: outcome.map_err(|refusal| refusal.of(principal)),
        }
    }

    fn walk(&self, text: &str, mut note: impl FnMut(&str, &Tried)) -> Result<String, Refusal> {
        let name = Principal::parse(text).map_err(|bad| Refusal::new(Reason::NameShape, bad.to_string()))?;
        if !self.realms.contains(&name.realm) {
            let allowed = match self.realms.as_slice() {
                [] => "no realm is allowed: there is no default realm".to_owned(),
                realms => format!("allowed: {}", realms.join(", ")),
            };
            return Err(Refusal::new(Reason::NameRealm, allowed));
        }
        for rule in self.rules.iter() {
            let became = rule.apply(&name, self.default_realm.as_deref());
            note(&rule.text, &became);
            match became {
                Tried::Short(short) => return self.id_text(short, &name),
                Tried::NotShort(text) => {
                    let detail = format!("rule {} yields {text:?}, which is no short name", rule.text);
                    return Err(Refusal::new(Reason::NameNoRule, detail));
                }
                Tried::OtherShape | Tried::OtherRealm | Tried::NoMatch(_) => {}
            }
        }
        let detail = format!("{} rules were tried", self.rules.iter().len());
        Err(Refusal::new(Reason::NameNoRule, detail))
    }

    fn id_text(&self, short: String, name: &Principal) -> Result<String, Refusal> {
        let mut id = short;
        if let Some(instance) = name.instance.as_deref().filter(|_| !self.remove_host) {
            id.push('/');
            id.push_str(instance);
        }
        if !self.remove_realm {
            id.push('@');
            id.push_str(&name.realm);
        }
        if id == SUPER {
            let detail =
                format!("its id would be {SUPER:?}, which is the DIGEST-MD5 user's of that name alone");
            return Err(Refusal::new(Reason::NameNoRule, detail));
        }
        Ok(id)
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tried::OtherShape => f.write_str("is for names of another number of components"),
            Tried::OtherRealm => f.write_str("the realm is not the default realm"),
            Tried::NoMatch(base) => write!(f, "does not match {base:?}"),
            Tried::Short(short) => write!(f, "maps to {short:?}"),
            Tried::NotShort(text) => write!(f, "yields {text:?}, which is no short name"),
        }
    }
}
