//! A realm with a server's keytab and a JAAS file, and servers of both kinds that use them.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::kdc::Realm;
use crate::support::server::{Kind, Server, Spec};

/// The server's own principal, without its realm.
pub const SERVICE: &str = "zookeeper/localhost";

/// Registers the sasl scheme, as Java wants it.
pub const PROVIDER: &str = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider";

/// A realm and what its members were given.
pub struct Site {
    pub realm: Realm,
    keytab: PathBuf,
}

impl Site {
    /// A realm of this name whose principals are the service and `clients`.
    ///
    /// # Errors
    /// Why this machine cannot have one.
    pub fn new(realm: &str, clients: &[&str]) -> Result<Site, String> {
        let realm = Realm::start(realm)?;
        let principals: Vec<&str> = [SERVICE].into_iter().chain(clients.iter().copied()).collect();
        let keytab = realm.keytab(&principals)?;
        Ok(Site { realm, keytab })
    }

    /// A JAAS file with the server's section and one for a client.
    pub fn jaas(&self, client: &str) -> PathBuf {
        let section = |name: &str, principal: &str| {
            format!(
                "{name} {{\n  com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true\n  \
                 useTicketCache=false keyTab=\"{}\" principal=\"{principal}@{}\";\n}};\n",
                self.keytab.display(),
                self.realm.name()
            )
        };
        let path = self.realm.path("jaas.conf");
        let text = section("Server", SERVICE) + &section("Client", client);
        std::fs::write(&path, text).expect("a JAAS file");
        path
    }

    /// What a server of either kind is started with.
    pub fn spec(&self) -> Spec {
        let jaas = self.jaas(SERVICE);
        let mut spec =
            Spec::new().cfg(PROVIDER).flag(&format!("-Djava.security.auth.login.config={}", jaas.display()));
        for flag in self.realm.java_flags() {
            spec = spec.flag(&flag);
        }
        spec.env = self.realm.env();
        spec
    }

    /// Environment of a Java client that logs in as `client`.
    pub fn java_options(&self, client: &str) -> String {
        let mut flags = self.realm.java_flags();
        flags.push(format!("-Djava.security.auth.login.config={}", self.jaas(client).display()));
        flags.push(format!("-Dzookeeper.server.principal={SERVICE}@{}", self.realm.name()));
        flags.join(" ")
    }
}

/// Starts a server of `kind`.
pub fn start(kind: Kind, spec: &Spec) -> Server {
    Server::start(kind, spec).unwrap_or_else(|why| panic!("{why}"))
}

/// The server's log once `what` is in it: lines are written behind what clients see.
pub fn logged(server: &Server, what: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = server.log();
        if log.contains(what) {
            return log;
        }
        assert!(Instant::now() < deadline, "{what} is not logged:\n{log}");
        sleep(Duration::from_millis(20));
    }
}
