//! From the configuration to what clients may log in with.
//!
//! The server's section of the JAAS file (`sasl.serverconfig`, `Server` unless set) has the login module; where it
//! says nothing of Kerberos, the keys `kerberos.keytab` and `kerberos.principal` of zoo.cfg say it in fewer words.
//!
//! # Invariants
//!
//! * Pure: no file is read here; the JAAS file came with the settings.
//! * What is wrong is named with its file and line. A server that demands logins does not start without a way to log
//!   in.

use std::path::Path;
use std::sync::Arc;

use super::acceptor::GssapiConfig;
use super::digest_md5::{self, DigestConfig};
use super::errors::KerberosError;
use super::server::{Digest, Meters, Names, SaslServerConfig};
use crate::config::Settings;
use crate::config::jaas::{Jaas, LoginModule, Module, Section};

/// The replay cache in the data directory: it must survive a restart and belong to this server alone.
const REPLAY_CACHE: &str = "krb5.rcache2";
/// The service, unless `kerberos.principal` names another.
const SERVICE: &str = "zookeeper";

/// What clients may log in with; nothing at all if nothing is configured.
///
/// # Errors
///
/// [`KerberosError`] of the configuration: a section without login module, without keytab or principal, or none at
/// all where logins are demanded.
pub fn of(
    settings: &Settings,
    names: Names,
    meters: Arc<dyn Meters>,
) -> Result<SaslServerConfig, KerberosError> {
    let auth = &settings.auth;
    let mut config = SaslServerConfig { gssapi: None, digest: None, names, meters };
    let replay_cache = Some(settings.storage.data_dir.join(REPLAY_CACHE));
    let file = auth.login_config.as_deref().unwrap_or(Path::new("JAAS file"));
    let section = settings.jaas.as_ref().and_then(|jaas| jaas.section(&auth.sasl_serverconfig));
    match (section, &settings.jaas) {
        (Some(section), _) => {
            let place = Place { file, section };
            let module = place.module()?;
            match module.module() {
                Module::Kerberos | Module::IbmKerberos => {
                    config.gssapi = Some(place.gssapi(module, replay_cache)?);
                }
                // Further down, for it may stand behind a Kerberos module, too.
                Module::Digest => {}
                Module::Other => {
                    let what = place
                        .says(module.line, &format!("the login module {} is not built in", module.class));
                    return Err(KerberosError::config(what, "use Krb5LoginModule or DigestLoginModule"));
                }
            }
            if let Some(module) = section.modules.iter().find(|m| m.module() == Module::Digest) {
                config.digest = Some(place.digest(module, settings)?);
            }
        }
        (None, Some(jaas)) if demanded(settings) && auth.kerberos_keytab.is_none() => {
            return Err(missing(file, &auth.sasl_serverconfig, jaas));
        }
        (None, _) => {}
    }
    if let (None, Some(keytab)) = (&config.gssapi, &auth.kerberos_keytab) {
        let principal = auth.kerberos_principal.clone().unwrap_or_else(|| SERVICE.to_owned());
        let replay_cache = Some(settings.storage.data_dir.join(REPLAY_CACHE));
        config.gssapi = Some(GssapiConfig { keytab: keytab.clone(), principal, replay_cache });
    }
    Ok(config)
}

/// The principal that this server logs in as, if it has one: who acts in its audit log when it starts and stops,
/// as `Login.getUserName`.
pub fn own_principal(settings: &Settings) -> Option<String> {
    let auth = &settings.auth;
    match settings.jaas.as_ref().and_then(|jaas| jaas.section(&auth.sasl_serverconfig)) {
        Some(section) => section.modules.first()?.kerberos()?.principal.filter(|p| p != "*"),
        None => auth.kerberos_keytab.is_some().then(|| auth.kerberos_principal.clone())?,
    }
}

/// Whether sessions without a SASL login are of no use here.
fn demanded(settings: &Settings) -> bool {
    let auth = &settings.auth;
    let enforced = auth.enforce_auth_schemes.iter().any(|scheme| scheme == "sasl");
    auth.session_require_client_sasl_auth || (auth.enforce_auth_enabled && enforced)
}

fn missing(file: &Path, name: &str, jaas: &Jaas) -> KerberosError {
    let had: Vec<String> = jaas.sections.iter().map(|s| format!("{} (line {})", s.name, s.line)).collect();
    let had = if had.is_empty() { "no section".to_owned() } else { had.join(", ") };
    let what = format!("{} has no section {name}, and logins are demanded; it has {had}", file.display());
    KerberosError::config(what, format!("add a section {name}, or set sasl.serverconfig to one of them"))
}

/// A section of the JAAS file, for messages about it.
struct Place<'a> {
    file: &'a Path,
    section: &'a Section,
}

impl<'a> Place<'a> {
    fn says(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: section {}: {what}", self.file.display(), self.section.name)
    }

    /// The login module that counts: the first.
    fn module(&self) -> Result<&'a LoginModule, KerberosError> {
        self.section.modules.first().ok_or_else(|| {
            let what = self.says(self.section.line, "no login module");
            KerberosError::config(what, "add Krb5LoginModule or DigestLoginModule")
        })
    }

    /// The users of a DigestLoginModule, which alone switches DIGEST-MD5 on.
    fn digest(&self, module: &LoginModule, settings: &Settings) -> Result<Digest, KerberosError> {
        if digest_md5::forbidden(settings.auth.fips_mode_written) {
            return Ok(Digest::Forbidden);
        }
        let super_password = settings.auth.sasl_super_password.as_ref();
        let users = DigestConfig::of_clients(module, super_password).map_err(|what| {
            KerberosError::config(self.says(module.line, &what), "correct the user_ entries of this module")
        })?;
        Ok(Digest::Users(Arc::new(users)))
    }

    fn gssapi(
        &self,
        module: &LoginModule,
        replay_cache: Option<std::path::PathBuf>,
    ) -> Result<GssapiConfig, KerberosError> {
        let kerberos = module.kerberos().unwrap_or_default();
        let lacks = |what: &str, cure: &str| KerberosError::config(self.says(module.line, what), cure);
        let principal = kerberos.principal.filter(|p| p != "*").ok_or_else(|| {
            lacks(
                "no principal",
                "add principal=\"zookeeper/host@REALM\"; its first part is the service's name",
            )
        })?;
        let keytab = kerberos.keytab.ok_or_else(|| {
            let cure = match module.module() {
                Module::IbmKerberos => "add useKeytab=\"file:/path/to/keytab\" and credsType=both",
                _ => "add useKeyTab=true and keyTab=\"/path/to/keytab\"; a server cannot accept with a ticket cache",
            };
            lacks("no keytab", cure)
        })?;
        Ok(GssapiConfig { keytab, principal, replay_cache })
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::NoMeters;
    use super::*;
    use crate::config::jaas::parse_jaas;
    use std::path::PathBuf;

    fn of_jaas(text: &str, demanded: bool) -> Result<SaslServerConfig, String> {
        let mut settings = Settings::default();
        settings.storage.data_dir = PathBuf::from("/data");
        settings.auth.login_config = Some(PathBuf::from("/etc/jaas.conf"));
        settings.auth.session_require_client_sasl_auth = demanded;
        settings.jaas = Some(Arc::new(parse_jaas(text, &|_| None).unwrap()));
        of(&settings, Arc::new(|_, name| Ok(name.to_owned())), Arc::new(NoMeters)).map_err(|e| e.to_string())
    }

    #[test]
    fn both_vendors_forms_say_the_same() {
        let sun = "Server {\n com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true\n \
                   keyTab=\"/etc/zk.keytab\" storeKey=true principal=\"zookeeper/zk1@R\"; };";
        let ibm = "Server { com.ibm.security.auth.module.Krb5LoginModule required\n \
                   useKeytab=\"file:///etc/zk.keytab\" credsType=both principal=\"zookeeper/zk1@R\"; };";
        let read = of_jaas(sun, true).unwrap().gssapi;
        assert_eq!(read, of_jaas(ibm, true).unwrap().gssapi);
        let replay_cache = Some(PathBuf::from("/data/krb5.rcache2"));
        let (keytab, principal) = (PathBuf::from("/etc/zk.keytab"), "zookeeper/zk1@R".to_owned());
        assert_eq!(read, Some(GssapiConfig { keytab, principal, replay_cache }));
    }

    #[test]
    fn the_servers_own_name_is_its_principal() {
        let named = |text: &str| {
            let jaas = Some(Arc::new(parse_jaas(text, &|_| None).unwrap()));
            own_principal(&Settings { jaas, ..Settings::default() })
        };
        let kerberos = "Server { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true \
                        keyTab=\"/k\" principal=\"zookeeper/zk1@R\"; };";
        assert_eq!(named(kerberos).as_deref(), Some("zookeeper/zk1@R"));
        let digest =
            "Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"b\"; };";
        assert_eq!(named(digest), None);
        let mut plain = Settings::default();
        plain.auth.kerberos_principal = Some("zookeeper/zk1@R".to_owned());
        assert_eq!(own_principal(&plain), None, "without a keytab nobody logs in");
        plain.auth.kerberos_keytab = Some(PathBuf::from("/k"));
        assert_eq!(own_principal(&plain).as_deref(), Some("zookeeper/zk1@R"));
    }

    #[test]
    fn plain_keys_are_enough() {
        let mut settings = Settings::default();
        settings.auth.kerberos_keytab = Some(PathBuf::from("/etc/zk.keytab"));
        let read = || -> Names { Arc::new(|_, name| Ok(name.to_owned())) };
        let principal = |s: &Settings| of(s, read(), Arc::new(NoMeters)).unwrap().gssapi.unwrap().principal;
        assert_eq!(principal(&settings), "zookeeper");
        settings.auth.kerberos_principal = Some("mr_zk/hadoop.hadoop.com".to_owned());
        assert_eq!(principal(&settings), "mr_zk/hadoop.hadoop.com");
    }

    #[test]
    fn digest_users_alone_or_beside_kerberos_switch_digest_md5_on() {
        let krb = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"/k\" principal=\"z/h@R\";";
        let digest =
            "org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"pw\" user_super=\"s\";";
        let users = |text: &str| match of_jaas(text, true).unwrap().digest {
            Some(Digest::Users(users)) => Some(users.len()),
            _ => None,
        };
        assert_eq!(users(&format!("Server {{ {digest} }};")), Some(2));
        assert_eq!(users(&format!("Server {{ {krb} {digest} }};")), Some(2));
        assert_eq!(users(&format!("Server {{ {krb} }};")), None);
        let wrong =
            of_jaas(&format!("Server {{\n{} }};", digest.replace("user_bob", "\"user_b@R\"")), true).err();
        assert!(
            wrong.as_ref().is_some_and(|w| w.contains("/etc/jaas.conf:2: section Server: ")),
            "{wrong:?}"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_its_line() {
        let module = "com.sun.security.auth.module.Krb5LoginModule required";
        let says = |text: &str, demanded| of_jaas(text, demanded).err().unwrap_or_default();
        let no_principal = says(&format!("Server {{\n\n {module} useKeyTab=true keyTab=\"/k\"; }};"), false);
        assert!(no_principal.contains("/etc/jaas.conf:3: section Server: no principal;"), "{no_principal}");
        let no_keytab =
            says(&format!("Server {{ {module} useTicketCache=true principal=\"zk@R\"; }};"), false);
        assert!(no_keytab.contains(":1: section Server: no keytab; add useKeyTab=true"), "{no_keytab}");
        let other = format!("\nQuorumServer {{ {module}; }};");
        assert_eq!(says(&other, false), "", "a JAAS file for the quorum alone is fine");
        let wanted =
            "has no section Server, and logins are demanded; it has QuorumServer (line 2); add a section";
        assert!(says(&other, true).contains(wanted), "{}", says(&other, true));
        assert!(says("Server { my.Module required; };", false).contains("my.Module is not built in"));
        assert!(says("Server { };", false).contains("no login module"));
    }
}
