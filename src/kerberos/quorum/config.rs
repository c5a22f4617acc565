//! From the configuration to the logins between servers, both directions.
//!
//! # Invariants
//!
//! * Pure but for the keytab, which is opened when the server's side is made; no KDC is asked.
//! * Who may join by Kerberos is never "any principal": it is a list (`quorum.auth.allowedPrincipals`), or our
//!   own name and realm with the hosts of the ensemble.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Members;
use super::judge::names_now;
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::config::jaas::{LoginModule, Module};
use crate::config::quorum::Ensemble;
use crate::kerberos::acceptor::GssapiConfig;
use crate::kerberos::default_realm;
use crate::kerberos::digest_md5::{DigestConfig, QUORUM, forbidden};
use crate::kerberos::errors::KerberosError;
use crate::kerberos::initiator::{Conversation, Credentials, Initiator, Outward, ServiceRule, of_module};
use crate::kerberos::krb5_ffi::canonical_host;
use crate::kerberos::server::{Digest, NoMeters, SaslServer, SaslServerConfig};

/// The replay cache in the data directory, beside that of clients.
const REPLAY_CACHE: &str = "krb5-quorum.rcache2";

/// Who may join now; changes with the ensemble.
pub type Allowed = Arc<ArcSwap<Members>>;

/// The hosts of all members.
fn hosts(ensemble: &Ensemble) -> impl Iterator<Item = &str> {
    ensemble.members.values().flat_map(|m| m.addresses.iter().map(|a| a.host.as_str()))
}

/// A section of the JAAS file and its first module.
fn section<'a>(settings: &'a Settings, name: &str) -> Result<(PathBuf, &'a LoginModule), KerberosError> {
    let file = settings.auth.login_config.as_deref().unwrap_or(Path::new("JAAS file")).to_owned();
    let lacks =
        |what: String| KerberosError::config(what, format!("add a section {name} with its login module"));
    let Some(jaas) = &settings.jaas else {
        let what = format!("quorum.auth.enableSasl=true, but there is no JAAS file with a section {name}");
        return Err(lacks(what));
    };
    let found =
        jaas.section(name).ok_or_else(|| lacks(format!("{} has no section {name}", file.display())))?;
    let module = found.modules.first();
    let module =
        module.ok_or_else(|| lacks(format!("{}: section {name} has no login module", file.display())))?;
    Ok((file, module))
}

/// What learners may log in with here, and who may by Kerberos; `None` without `quorum.auth.enableSasl`.
///
/// # Errors
///
/// A section, principal or keytab that cannot be used.
pub fn server_logins(settings: &Settings) -> Result<Option<(SaslServer, Allowed)>, KerberosError> {
    let sasl = &settings.quorum.sasl;
    if !sasl.enable {
        return Ok(None);
    }
    let (file, module) = section(settings, &sasl.server_login_context)?;
    let at = |what: &str| {
        format!("{}:{}: section {}: {what}", file.display(), module.line, sasl.server_login_context)
    };
    let mut config = SaslServerConfig {
        gssapi: None,
        digest: None,
        names: Arc::new(|_, name| Ok(name.to_owned())),
        meters: Arc::new(NoMeters),
    };
    let mut own = None;
    match module.module() {
        Module::Kerberos | Module::IbmKerberos => {
            let kerberos = module.kerberos().unwrap_or_default();
            let (Some(principal), Some(keytab)) = (kerberos.principal, kerberos.keytab) else {
                let cure = "add useKeyTab=true, keyTab=\"...\" and principal=\"zkquorum/host@REALM\"";
                return Err(KerberosError::config(at("no principal or no keytab"), cure));
            };
            own = Some(principal.clone());
            let replay_cache = Some(settings.storage.data_dir.join(REPLAY_CACHE));
            config.gssapi = Some(GssapiConfig { keytab, principal, replay_cache });
        }
        Module::Digest if forbidden(settings.auth.fips_mode_written) => {
            config.digest = Some(Digest::Forbidden)
        }
        Module::Digest => {
            let users = DigestConfig::of_quorum(module).map_err(|what| {
                KerberosError::config(at(&what), "correct the user_ entries of this module")
            })?;
            config.digest = Some(Digest::Users(Arc::new(users)));
        }
        Module::Other => {
            let what = at(&format!("the login module {} is not built in", module.class));
            return Err(KerberosError::config(what, "use Krb5LoginModule or DigestLoginModule"));
        }
    }
    let allowed: Allowed = Arc::new(ArcSwap::from_pointee(members(settings, own.as_deref())?));
    let now = Arc::clone(&allowed);
    config.names = names_now(move |name| now.load().allow(name));
    Ok(Some((SaslServer::new(config)?, allowed)))
}

/// Who may join: the list, or the servers by our own learner's principal, else by the service's.
fn members(settings: &Settings, own: Option<&str>) -> Result<Members, KerberosError> {
    let sasl = &settings.quorum.sasl;
    if !sasl.allowed_principals.is_empty() {
        return Ok(Members::Listed(sasl.allowed_principals.iter().cloned().collect()));
    }
    let Some(own) = own else { return Ok(Members::Listed(BTreeSet::new())) };
    let learner = learner_principal(settings);
    let name = learner.as_deref().unwrap_or(own);
    let realmed = if name.contains('@') {
        name.to_owned()
    } else {
        let realm = default_realm()
            .map_err(|e| KerberosError::config(e.to_string(), "write principals with their realm"))?;
        format!("{name}@{realm}")
    };
    let ensemble = &settings.quorum.ensemble;
    Members::of_servers(&realmed, hosts(ensemble)).map_err(|what| {
        KerberosError::config(what, "set quorum.auth.allowedPrincipals to the principals of the servers")
    })
}

fn learner_principal(settings: &Settings) -> Option<String> {
    let section = settings.jaas.as_ref()?.section(&settings.quorum.sasl.learner_login_context)?;
    section.modules.first()?.kerberos()?.principal
}

/// Our logins at other servers.
#[derive(Debug)]
pub struct LearnerLogin {
    initiator: Initiator,
    service: String,
    realm: Option<String>,
    canonicalize: bool,
}

impl LearnerLogin {
    /// Begins a login at a server. May block on KDC and resolver.
    ///
    /// # Errors
    ///
    /// There are no usable credentials.
    pub fn begin(&self, host: &str) -> Result<Conversation, Refusal> {
        // An address is no name.
        let named = |found: &String| found.parse::<std::net::IpAddr>().is_err();
        let canonical = self.canonicalize.then(|| canonical_host(host).ok().filter(named)).flatten();
        let host = canonical.as_deref().unwrap_or(host);
        let rule = ServiceRule::between_servers(&self.service, host, self.realm.clone());
        self.initiator.begin_for(&rule, host)
    }
}

/// How we log in at other servers; `None` without `quorum.auth.learnerRequireSasl`.
///
/// # Errors
///
/// A section that cannot be used.
pub fn learner_login(settings: &Settings) -> Result<Option<LearnerLogin>, KerberosError> {
    let sasl = &settings.quorum.sasl;
    if !sasl.enable || !sasl.learner_require {
        return Ok(None);
    }
    let (file, module) = section(settings, &sasl.learner_login_context)?;
    let credentials: Credentials = of_module(module).map_err(|what| {
        let at =
            format!("{}:{}: section {}: {what}", file.display(), module.line, sasl.learner_login_context);
        KerberosError::config(at, "servers log in at each other with this section")
    })?;
    let outward = Outward {
        credentials,
        service: ServiceRule::default(),
        names: QUORUM,
        mutual: true,
        fips: settings.auth.fips_mode_written,
    };
    Ok(Some(LearnerLogin {
        initiator: Initiator::new(outward),
        service: sasl.service_principal.clone(),
        realm: sasl.server_realm.clone(),
        canonicalize: sasl.canonicalize_host_names,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::jaas::parse_jaas;
    use crate::config::quorum::parse_member;

    fn settings(jaas: &str) -> Settings {
        let mut settings = Settings::default();
        settings.quorum.sasl.enable = true;
        settings.quorum.sasl.learner_require = true;
        settings.quorum.ensemble.members.insert(1, parse_member("zk1:2888:3888").unwrap());
        settings.jaas = Some(Arc::new(parse_jaas(jaas, &|_| None).unwrap()));
        settings
    }

    const DIGEST: &str = "QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_zk=\"p\"; };
        QuorumLearner { org.apache.zookeeper.server.auth.DigestLoginModule required username=\"zk\" password=\"p\"; };";

    #[test]
    fn nothing_is_made_unless_it_is_asked_for() {
        let mut off = settings("");
        off.quorum.sasl.enable = false;
        assert!(server_logins(&off).unwrap().is_none() && learner_login(&off).unwrap().is_none());
        let mut first = settings(DIGEST);
        first.quorum.sasl.learner_require = false;
        assert!(server_logins(&first).unwrap().is_some() && learner_login(&first).unwrap().is_none());
        assert!(learner_login(&settings(DIGEST)).unwrap().is_some());
    }

    #[test]
    fn what_is_missing_is_named() {
        let says =
            |jaas: &str| server_logins(&settings(jaas)).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(says("Other { };").contains("no section QuorumServer"), "{}", says("Other { };"));
        let module = "com.sun.security.auth.module.Krb5LoginModule required";
        assert!(says(&format!("QuorumServer {{ {module}; }};")).contains("no principal or no keytab"));
        assert!(says("QuorumServer { my.Module required; };").contains("not built in"));
    }

    #[test]
    fn members_are_listed_or_follow_from_our_own_name() {
        let krb = "QuorumLearner { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"/k\" principal=\"zkq/zk9@R\"; };";
        let mut of = settings(krb);
        let made = members(&of, Some("other/zk9@R")).unwrap();
        assert!(made.allow("zkq/zk1@R") && !made.allow("other/zk1@R") && !made.allow("zkq/zk2@R"));
        assert!(members(&settings(""), Some("zks/zk9@R")).unwrap().allow("zks/zk1@R"));
        of.quorum.sasl.allowed_principals = vec!["shared@R".to_owned()];
        let listed = members(&of, Some("zks/zk9@R")).unwrap();
        assert!(listed.allow("shared@R") && !listed.allow("zkq/zk1@R"));
    }
}
