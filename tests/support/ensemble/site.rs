//! What the members of an ensemble share: realm, authority, passwords, and the lines that follow from them.
//!
//! # Invariants
//! * Keys, certificates and JAAS files are made anew for each ensemble; each member has its own copies, so that
//!   one can be exchanged under a running server.
//! * The same lines go to Java's servers and to ours.

use std::path::PathBuf;

use rcgen::SanType;

use super::pki::Pki;
use crate::support::dirs::Dir;
use crate::support::kdc::Realm;

/// How servers log in to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sasl {
    /// Not at all.
    None,
    /// By DIGEST-MD5.
    Digest,
    /// By Kerberos, each by the principal of its host.
    Kerberos,
}

/// What protects an ensemble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Security {
    /// Logins between servers.
    pub sasl: Sasl,
    /// TLS between servers.
    pub tls: bool,
    /// Clients must log in by Kerberos.
    pub clients: bool,
}

impl Security {
    /// Nothing.
    pub const PLAIN: Security = Security { sasl: Sasl::None, tls: false, clients: false };
    /// Servers log in by DIGEST-MD5.
    pub const DIGEST: Security = Security { sasl: Sasl::Digest, ..Security::PLAIN };
    /// Servers log in by Kerberos.
    pub const KERBEROS: Security = Security { sasl: Sasl::Kerberos, ..Security::PLAIN };
    /// Servers speak TLS.
    pub const TLS: Security = Security { tls: true, ..Security::PLAIN };
    /// Servers log in by Kerberos through TLS, and so do clients without it.
    pub const FULL: Security = Security { sasl: Sasl::Kerberos, tls: true, clients: true };

    fn realm(self) -> bool {
        self.sasl == Sasl::Kerberos || self.clients
    }
}

/// The name of the realm.
pub const REALM: &str = "ZK.TEST";
/// The principal of the load.
pub const USER: &str = "alice";

/// Realm, authority and files of one ensemble.
pub struct Site {
    security: Security,
    realm: Option<Realm>,
    pki: Option<Pki>,
    keytab: Option<PathBuf>,
    dir: Dir,
}

impl Site {
    /// What `security` needs for members at `hosts`.
    ///
    /// # Errors
    /// What of Kerberos this machine lacks.
    pub fn new(security: Security, hosts: &[String]) -> Result<Site, String> {
        let realm = if security.realm() { Some(Realm::start(REALM)?) } else { None };
        let keytab = realm.as_ref().map(|r| r.keytab(&[USER])).transpose()?;
        let mut site = Site { security, realm, pki: None, keytab, dir: Dir::new("site") };
        site.pki = security.tls.then(Pki::new);
        let mut hosts = hosts.to_vec();
        hosts.sort();
        hosts.dedup();
        for host in hosts {
            site.issue_keytab(&host)?;
            site.issue_certificate(&host);
            if site.has_jaas() {
                site.dir.write(&format!("{host}.jaas"), &site.jaas(&host));
            }
        }
        Ok(site)
    }

    /// The security it stands for.
    pub fn security(&self) -> Security {
        self.security
    }

    /// Its realm, if it has one.
    pub fn realm(&self) -> Option<&Realm> {
        self.realm.as_ref()
    }

    /// Its authority, if it has one.
    pub fn pki(&self) -> Option<&Pki> {
        self.pki.as_ref()
    }

    /// The keytab of the servers of `host`.
    pub fn host_keytab(&self, host: &str) -> PathBuf {
        self.dir.path().join(format!("{host}.keytab"))
    }

    /// Writes a keytab with the present keys of the servers of `host`, in the place of the one there is.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn issue_keytab(&self, host: &str) -> Result<(), String> {
        let Some(realm) = &self.realm else { return Ok(()) };
        let names = [format!("zkquorum/{host}"), format!("zookeeper/{host}")];
        let fresh = realm.keytab(&names.each_ref().map(String::as_str))?;
        // In one step: a server that reads it finds the old keys or the new ones.
        let beside = self.dir.path().join("fresh.keytab");
        std::fs::copy(fresh, &beside).map_err(|e| format!("keytab of {host}: {e}"))?;
        std::fs::rename(beside, self.host_keytab(host)).map_err(|e| format!("keytab of {host}: {e}"))
    }

    /// Gives the servers of `host` new keys in the KDC and in their keytab; old keys stay in the keytab, as a
    /// careful administrator leaves them until the last ticket has ended.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn rotate_keytab(&self, host: &str) -> Result<(), String> {
        let Some(realm) = &self.realm else { return Ok(()) };
        for service in ["zkquorum", "zookeeper"] {
            let name = format!("{service}/{host}");
            realm.kadmin(&format!("cpw -randkey -keepold {name}"))?;
            realm.export(&name, &self.host_keytab(host))?;
        }
        Ok(())
    }

    /// Certificate and key of the servers of `host`, in the place of those there are.
    pub fn issue_certificate(&self, host: &str) {
        let Some(pki) = &self.pki else { return };
        let text = pki.ca.issue(&format!("server of {host}"), u64::from(rand_serial()), |params| {
            if let Ok(name) = name_of(host)
                && !params.subject_alt_names.contains(&name)
            {
                params.subject_alt_names.push(name);
            }
        });
        pki.write(&format!("{host}.pem"), &text);
    }

    /// Lines of zoo.cfg.
    pub fn lines(&self, host: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.security.sasl != Sasl::None {
            lines.extend(
                [
                    "quorum.auth.enableSasl=true",
                    "quorum.auth.learnerRequireSasl=true",
                    "quorum.auth.serverRequireSasl=true",
                    "quorum.auth.learner.saslLoginContext=QuorumLearner",
                    "quorum.auth.server.saslLoginContext=QuorumServer",
                    "quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST",
                ]
                .map(str::to_owned),
            );
        }
        if let Some(pki) = &self.pki {
            lines.push("sslQuorum=true".to_owned());
            let key = pki.path(&format!("{host}.pem"));
            lines.push(format!("ssl.quorum.keyStore.location={}", key.display()));
            lines.push(format!("ssl.quorum.trustStore.location={}", pki.path("ca.pem").display()));
            lines.push("sslQuorumReloadCertFiles=true".to_owned());
        }
        if self.security.clients {
            lines.push(
                "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider".to_owned(),
            );
            lines.push("sessionRequireClientSASLAuth=true".to_owned());
        }
        lines
    }

    /// `-D` flags of a server.
    pub fn flags(&self, host: &str) -> Vec<String> {
        // DIGEST-MD5 is off in 3.9 unless told otherwise.
        let mut flags = vec!["-Dzookeeper.fips-mode=false".to_owned()];
        if self.has_jaas() {
            let jaas = self.dir.path().join(format!("{host}.jaas"));
            flags.push(format!("-Djava.security.auth.login.config={}", jaas.display()));
        }
        if let Some(realm) = &self.realm {
            flags.extend(realm.java_flags());
        }
        flags
    }

    /// Environment of a server or client that is no Java program.
    pub fn env(&self) -> Vec<(String, String)> {
        self.realm.as_ref().map(Realm::env).unwrap_or_default()
    }

    /// Do servers log in by a JAAS file? It is written once: members of one host share it.
    fn has_jaas(&self) -> bool {
        self.security.sasl != Sasl::None || self.security.clients
    }

    fn jaas(&self, host: &str) -> String {
        let krb = |section: &str, service: &str| {
            format!(
                "{section} {{\n  com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true \
                 storeKey=true useTicketCache=false\n  keyTab=\"{}\" principal=\"{service}/{host}@{REALM}\";\n}};\n",
                self.host_keytab(host).display()
            )
        };
        let digest = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        let mut text = match self.security.sasl {
            Sasl::None => String::new(),
            Sasl::Digest => format!(
                "QuorumServer {{ {digest} user_member=\"a shared secret\"; }};\n\
                 QuorumLearner {{ {digest} username=\"member\" password=\"a shared secret\"; }};\n"
            ),
            Sasl::Kerberos => krb("QuorumServer", "zkquorum") + &krb("QuorumLearner", "zkquorum"),
        };
        if self.security.clients {
            text += &krb("Server", "zookeeper");
        }
        text
    }

    /// The keytab of the load's clients, if they have to log in.
    pub fn client_keytab(&self) -> Option<PathBuf> {
        self.keytab.clone().filter(|_| self.security.clients)
    }

    /// JAAS file with the section `Client` for Java's clients and for kazoo's users.
    pub fn client_jaas(&self) -> Option<PathBuf> {
        let keytab = self.keytab.as_ref().filter(|_| self.security.clients)?;
        let text = format!(
            "Client {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
             useTicketCache=false keyTab=\"{}\" principal=\"{USER}@{REALM}\"; }};\n",
            keytab.display()
        );
        Some(self.dir.write("client.jaas", &text))
    }
}

fn rand_serial() -> u32 {
    getrandom::u32().unwrap_or(77)
}

/// Whether this machine can have a realm.
///
/// # Errors
/// What it lacks.
pub fn available() -> Result<(), String> {
    static KNOWN: std::sync::OnceLock<Result<(), String>> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| Realm::start(REALM).map(drop)).clone()
}

/// A host as certificates name it: an address or a name.
fn name_of(host: &str) -> Result<SanType, String> {
    match host.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => host.try_into().map(SanType::DnsName).map_err(|e| format!("{host}: {e}")),
    }
}
