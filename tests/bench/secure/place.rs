//! Realm, keytab, certificate and configuration that both servers share.
//!
//! # Invariants
//!
//! * Everything lies in temporary directories and goes with the [`Place`].
//! * It is made before the generator has threads: the realm's krb5.conf is chosen for the whole process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::support::dirs::Dir;
use crate::support::kdc::Realm;
use crate::support::process;

/// How long openssl may take for a key.
const KEY_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
/// The server's name in its certificate and its principal.
pub const HOST: &str = "localhost";

/// What servers and clients prove themselves with.
pub struct Place {
    realm: Realm,
    dir: Dir,
    /// Keytab of the client `alice`.
    pub client_keytab: PathBuf,
    /// The certificate, which is its own authority, as PEM.
    pub certificate: PathBuf,
}

impl Place {
    /// A realm with its KDC, two keytabs, a certificate.
    pub fn new() -> io::Result<Self> {
        let text = |why: String| io::Error::other(why);
        let realm = Realm::start("BENCH.TEST").map_err(text)?;
        oxkeeper::kerberos::use_krb5_conf(&realm.krb5_conf()).map_err(|e| text(e.to_string()))?;
        let server_keytab = realm.keytab(&["zookeeper/localhost"]).map_err(text)?;
        let client_keytab = realm.keytab(&["alice"]).map_err(text)?;
        let dir = Dir::new("bench-secure");
        let (key, certificate) = (dir.path().join("key.pem"), dir.path().join("cert.pem"));
        make_certificate(&key, &certificate)?;
        let store = [fs::read(&key)?, fs::read(&certificate)?].concat();
        fs::write(dir.path().join("store.pem"), store)?;
        let place = Self { realm, dir, client_keytab, certificate };
        fs::write(place.jaas(), place.jaas_text(&server_keytab))?;
        Ok(place)
    }

    /// The client's principal.
    pub fn client(&self) -> String {
        format!("alice@{}", self.realm.name())
    }

    /// Keeps bytes in a file of the place.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }

    fn jaas(&self) -> PathBuf {
        self.dir.path().join("jaas.conf")
    }

    fn jaas_text(&self, keytab: &Path) -> String {
        format!(
            "Server {{\n  com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
             useTicketCache=false\n  keyTab=\"{}\" principal=\"zookeeper/{HOST}@{}\";\n}};\n",
            keytab.display(),
            self.realm.name()
        )
    }

    /// Keys of `zoo.cfg`, the same for both servers.
    pub fn zoo_cfg(&self, secure_port: u16) -> String {
        let store = self.dir.path().join("store.pem");
        format!(
            "secureClientPort={secure_port}\nsecureClientPortAddress=127.0.0.1\n\
             serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
             authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n\
             ssl.keyStore.location={}\nssl.keyStore.type=PEM\nssl.trustStore.location={}\n\
             ssl.trustStore.type=PEM\nssl.clientAuth=none\nssl.enabledProtocols=TLSv1.3,TLSv1.2\n\
             java.security.auth.login.config={}\njava.security.krb5.conf={}\n",
            store.display(),
            self.certificate.display(),
            self.jaas().display(),
            self.realm.krb5_conf().display(),
        )
    }

    /// System properties that Java takes from its command line alone.
    pub fn java_flags(&self) -> Vec<String> {
        let mut flags = self.realm.java_flags();
        flags.push(format!("-Djava.security.auth.login.config={}", self.jaas().display()));
        flags
    }
}

fn make_certificate(key: &Path, certificate: &Path) -> io::Result<()> {
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(key).arg("-out").arg(certificate);
    let (status, output) = process::run(command, None, KEY_LIMIT).map_err(io::Error::other)?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("openssl: {output}"))) }
}
