//! What a user said about the login of a tool, and what it comes to.
//!
//! Three ways lead to one [`Outward`]: plain options (`--keytab`, `--ccache`, `--user` and the like), the JAAS
//! file and the `-D` properties that users of `zkCli.sh` know, and a client configuration file.
//!
//! # Invariants
//!
//! * Who asked for a login gets one or an error; without a word about one there is none.
//! * Plain options win over properties.

use super::error::ClientError;
use crate::config::Secret;
use crate::config::jaas::{parse_jaas, path};
use crate::kerberos::digest_md5::CLIENTS;
use crate::kerberos::initiator::{Credentials, Outward, ServiceRule, of_module};
use crate::limits::CONFIG_MAX_BYTES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads a whole file.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>;

/// What was said about the login.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoginOptions {
    /// `--kerberos`: log in with the tickets of the default cache.
    pub kerberos: bool,
    /// `--keytab`: log in with a key of this file; needs `principal`.
    pub keytab: Option<PathBuf>,
    /// `--ccache`: log in with the tickets of this cache.
    pub ccache: Option<String>,
    /// `--principal`: as whom.
    pub principal: Option<String>,
    /// `--server-principal`: to which service.
    pub server_principal: Option<String>,
    /// `--user`: log in by DIGEST-MD5 as this user.
    pub user: Option<String>,
    /// `--password-file`: its password stands in this file.
    pub password_file: Option<PathBuf>,
    /// System properties: `-Dname=value`, `JVMFLAGS`, a client configuration.
    pub properties: BTreeMap<String, Secret>,
}

impl LoginOptions {
    /// Flags with a value.
    pub const FLAGS: [&str; 6] =
        ["--keytab", "--ccache", "--principal", "--server-principal", "--user", "--password-file"];

    /// Takes a flag and its value into account; false if it is none of ours.
    pub fn take(&mut self, flag: &str, value: &str) -> bool {
        match flag {
            "--keytab" => self.keytab = Some(value.into()),
            "--ccache" => self.ccache = Some(value.to_owned()),
            "--principal" => self.principal = Some(value.to_owned()),
            "--server-principal" => self.server_principal = Some(value.to_owned()),
            "--user" => self.user = Some(value.to_owned()),
            "--password-file" => self.password_file = Some(value.into()),
            _ => return false,
        }
        true
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(Secret::reveal).filter(|v| !v.is_empty())
    }

    fn is(&self, name: &str, default: bool) -> bool {
        self.property(name).map_or(default, |v| v.eq_ignore_ascii_case("true"))
    }

    /// The login that was asked for; `None` if none was.
    ///
    /// # Errors
    ///
    /// What was said does not make a login: what is missing, and where.
    pub fn outward(&self, read: ReadFile<'_>) -> Result<Option<Outward>, ClientError> {
        let credentials = match self.plain(read)? {
            Some(credentials) => credentials,
            None if !self.is("zookeeper.sasl.client", true) => return Ok(None),
            None => match self.jaas(read)? {
                Some(credentials) => credentials,
                None => return Ok(None),
            },
        };
        let fips = self.property("zookeeper.fips-mode").map(|v| v.eq_ignore_ascii_case("true"));
        Ok(Some(Outward { credentials, service: self.service(), names: CLIENTS, mutual: true, fips }))
    }

    /// Which service Java's client would ask a ticket for.
    pub fn service(&self) -> ServiceRule {
        let text = |name: &str| self.property(name).map(str::to_owned);
        let default = ServiceRule::default();
        ServiceRule {
            principal: self.server_principal.clone().or_else(|| text("zookeeper.server.principal")),
            username: text("zookeeper.sasl.client.username").unwrap_or(default.username),
            canonicalize: self.is("zookeeper.sasl.client.canonicalize.hostname", default.canonicalize),
            realm: text("zookeeper.server.realm"),
        }
    }

    /// Credentials by plain options.
    fn plain(&self, read: ReadFile<'_>) -> Result<Option<Credentials>, ClientError> {
        let principal = self.principal.clone();
        let tickets = self.ccache.is_some() || self.kerberos;
        match (&self.keytab, tickets, &self.user) {
            (None, false, None) => match (&self.principal, &self.password_file) {
                (None, None) => Ok(None),
                (Some(_), _) => {
                    // A principal alone: its tickets, wherever this user keeps them.
                    Ok(Some(Credentials::TicketCache { name: None, principal }))
                }
                (None, Some(_)) => Err(wrong("--password-file belongs to --user; name the user")),
            },
            (Some(path), false, None) => match principal {
                Some(principal) => Ok(Some(Credentials::Keytab { path: path.clone(), principal })),
                None => Err(wrong("--keytab needs --principal; `klist -k` lists a keytab's principals")),
            },
            (None, true, None) => Ok(Some(Credentials::TicketCache { name: self.ccache.clone(), principal })),
            (None, false, Some(user)) => {
                let file =
                    self.password_file.as_ref().ok_or_else(|| wrong("--user needs --password-file"))?;
                let bytes = read(file).map_err(|e| wrong(&format!("{}: {e}", file.display())))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| wrong(&format!("{}: the password is not UTF-8", file.display())))?;
                let password = Secret::new(text.trim_end_matches(['\r', '\n']));
                Ok(Some(Credentials::Password { user: user.clone(), password }))
            }
            _ => Err(wrong("choose one of --keytab, --ccache or --kerberos, and --user")),
        }
    }

    /// Credentials by the JAAS file, if one is named.
    fn jaas(&self, read: ReadFile<'_>) -> Result<Option<Credentials>, ClientError> {
        const FILE: &str = "java.security.auth.login.config";
        let section = self.property("zookeeper.sasl.clientconfig");
        let Some(file) = self.property(FILE) else {
            return match section {
                None => Ok(None),
                Some(section) => Err(wrong(&format!(
                    "zookeeper.sasl.clientconfig names the section {section}, but no JAAS file is named: set -D{FILE}"
                ))),
            };
        };
        let file = path(file.trim_start_matches('='));
        let at = |what: String| wrong(&format!("{}: {what}", file.display()));
        let bytes = read(&file).map_err(|e| at(e.to_string()))?;
        if bytes.len() > CONFIG_MAX_BYTES {
            return Err(at(format!("longer than {CONFIG_MAX_BYTES} bytes")));
        }
        let text = String::from_utf8_lossy(&bytes);
        let property = |name: &str| self.property(name).map(str::to_owned);
        let jaas =
            parse_jaas(&text, &property).map_err(|e| at(format!("line {}: expected {}", e.line, e.what)))?;
        let section = section.unwrap_or("Client");
        let module = jaas.section(section).and_then(|s| s.modules.first()).ok_or_else(|| {
            at(format!(
                "has no section {section} with a login module; add it, or drop -D{FILE} to go without a login"
            ))
        })?;
        of_module(module)
            .map(Some)
            .map_err(|what| at(format!("section {section}, line {}: {what}", module.line)))
    }
}

fn wrong(what: &str) -> ClientError {
    ClientError::Config(format!("login: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    const JAAS: &str = r#"
        Client {
          com.sun.security.auth.module.Krb5LoginModule required
          useKeyTab=true keyTab="/k" principal="a@R";
        };
        Tickets { com.sun.security.auth.module.Krb5LoginModule required useTicketCache=true ticketCache="/cc"; };
        Digest { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="pw"; };
        Nothing { com.sun.security.auth.module.Krb5LoginModule required; };
        Acceptor { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab="/k" principal="a" isInitiator=false; };
        Unknown { com.example.LoginModule required; };
    "#;

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/jaas") => Ok(JAAS.into()),
            Some("/pw") => Ok(b"pass word\r\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn options(flags: &[&str]) -> LoginOptions {
        let mut options = LoginOptions::default();
        for flag in flags {
            match flag.split_once(' ') {
                Some((name, value)) => assert!(options.take(name, value), "{flag}"),
                None if *flag == "--kerberos" => options.kerberos = true,
                None => {
                    let (name, value) = flag.trim_start_matches("-D").split_once('=').unwrap();
                    options.properties.insert(name.into(), Secret::new(value));
                }
            }
        }
        options
    }

    fn credentials(flags: &[&str]) -> Result<Option<Credentials>, ClientError> {
        options(flags).outward(&read).map(|o| o.map(|o| o.credentials))
    }

    const FILE: &str = "-Djava.security.auth.login.config=/jaas";

    #[test]
    fn nothing_said_is_no_login() {
        assert_eq!(credentials(&[]), Ok(None));
        assert_eq!(credentials(&["-Dzookeeper.server.principal=zookeeper/h"]), Ok(None));
        assert_eq!(credentials(&[FILE, "-Dzookeeper.sasl.client=false"]), Ok(None));
    }

    #[test]
    fn plain_options_make_a_login() {
        let cache = |name: Option<&str>, principal: Option<&str>| {
            Ok(Some(Credentials::TicketCache {
                name: name.map(Into::into),
                principal: principal.map(Into::into),
            }))
        };
        let keytab = Credentials::Keytab { path: "/k".into(), principal: "a@R".into() };
        assert_eq!(credentials(&["--keytab /k", "--principal a@R"]), Ok(Some(keytab)));
        assert_eq!(credentials(&["--ccache FILE:/cc"]), cache(Some("FILE:/cc"), None));
        assert_eq!(credentials(&["--kerberos", "--principal a"]), cache(None, Some("a")));
        assert_eq!(credentials(&["--principal a"]), cache(None, Some("a")));
        let password = Credentials::Password { user: "bob".into(), password: Secret::new("pass word") };
        assert_eq!(credentials(&["--user bob", "--password-file /pw"]), Ok(Some(password)));
        for wrong in [
            &["--keytab /k"][..],
            &["--keytab /k", "--principal a", "--ccache x"],
            &["--user bob"],
            &["--user bob", "--password-file /none"],
            &["--password-file /pw"],
            &["--user bob", "--password-file /pw", "--kerberos"],
        ] {
            assert!(credentials(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_jaas_file_makes_a_login_or_an_error() {
        let of = |section: &str| credentials(&[FILE, &format!("-Dzookeeper.sasl.clientconfig={section}")]);
        let keytab = Credentials::Keytab { path: "/k".into(), principal: "a@R".into() };
        assert_eq!(credentials(&[FILE]), Ok(Some(keytab)));
        let tickets = Credentials::TicketCache { name: Some("FILE:/cc".into()), principal: None };
        assert_eq!(of("Tickets"), Ok(Some(tickets)));
        let password = Credentials::Password { user: "bob".into(), password: Secret::new("pw") };
        assert_eq!(of("Digest"), Ok(Some(password)));
        for section in ["Missing", "Nothing", "Acceptor", "Unknown"] {
            let text = of(section).unwrap_err().to_string();
            assert!(text.contains("/jaas") && text.contains(section), "{text}");
        }
        assert!(credentials(&["-Djava.security.auth.login.config=/none"]).is_err());
        assert!(credentials(&["-Dzookeeper.sasl.clientconfig=Client"]).is_err());
    }

    #[test]
    fn properties_say_which_service() {
        let service = |flags: &[&str]| options(flags).service();
        assert_eq!(service(&[]), ServiceRule::default());
        let rule = service(&[
            "-Dzookeeper.sasl.client.username=zk",
            "-Dzookeeper.sasl.client.canonicalize.hostname=false",
            "-Dzookeeper.server.realm=S",
        ]);
        assert_eq!(rule.name("h", Some("x"), "R"), "zk/h@S");
        let named = service(&["-Dzookeeper.server.principal=a/b", "--server-principal c/d@X"]);
        assert_eq!(named.name("h", None, "R"), "c/d@X");
    }
}
