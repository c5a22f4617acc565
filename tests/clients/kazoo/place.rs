//! Where kazoo's suite runs: a realm for its logins, and what protects an ensemble's members from strangers.
//!
//! # Invariants
//! * Names are those that the suite's own tests expect; both kinds of server get the same files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::pki::Pki;
use crate::support::dirs::Dir;
use crate::support::kdc::Realm;

/// The realm that kazoo's tests of GSSAPI name.
const REALM: &str = "KAZOOTEST.ORG";

/// A realm, and the servers' keys.
pub struct Place {
    realm: Realm,
    dir: Dir,
    pki: Pki,
    servers: u16,
}

impl Place {
    /// A place for this many servers.
    ///
    /// # Errors
    /// What of Kerberos this machine lacks.
    pub fn new(servers: u16) -> Result<Place, String> {
        let place =
            Place { realm: Realm::start(REALM)?, dir: Dir::new("kazoo-place"), pki: Pki::new(), servers };
        for (file, principal) in [
            ("server.keytab", "zookeeper/127.0.0.1"),
            ("client.keytab", "client"),
            ("quorum.keytab", "zkquorum/localhost"),
        ] {
            let keytab = place.realm.keytab(&[principal])?;
            std::fs::copy(keytab, place.path(file)).map_err(|e| format!("{file}: {e}"))?;
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Servers of the harness.
    pub fn servers(&self) -> u16 {
        self.servers
    }

    /// Sets the environment of a run whose own files are in `own`.
    pub fn prepare(&self, command: &mut Command, own: &Path) {
        command.envs(self.realm.env()).env("KRB5_TEST_ENV", self.dir.path());
        command.env("KRB5CCNAME", format!("FILE:{}", own.join("tickets").display()));
        command.env("OXKEEPER_PEER_FLAGS", self.realm.java_flags().join(" "));
        if self.servers > 1 {
            command.env("OXKEEPER_PEER_CFG", self.dir.write("quorum.cfg", &self.lines()));
            command.env("OXKEEPER_PEER_JAAS", self.dir.write("quorum.jaas", &self.jaas()));
        }
    }

    /// Members log in to each other by Kerberos, through TLS.
    fn lines(&self) -> String {
        let path = |name: &str| self.pki.path(name).display().to_string();
        format!(
            "sslQuorum=true\nssl.quorum.keyStore.location={}\nssl.quorum.trustStore.location={}\n\
             quorum.auth.enableSasl=true\nquorum.auth.learnerRequireSasl=true\nquorum.auth.serverRequireSasl=true\n\
             quorum.auth.learner.saslLoginContext=QuorumLearner\nquorum.auth.server.saslLoginContext=QuorumServer\n\
             quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST\n",
            path("server.pem"),
            path("ca.pem")
        )
    }

    fn jaas(&self) -> String {
        let section = |name: &str| {
            format!(
                "\n{name} {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                 useTicketCache=false keyTab=\"{}\" principal=\"zkquorum/localhost@{REALM}\"; }};\n",
                self.path("quorum.keytab").display()
            )
        };
        section("QuorumServer") + &section("QuorumLearner")
    }
}
