//! Two realms that trust each other, two authorities, and settings of a server between them.
//!
//! # Invariants
//! * The server is `server.2`; `server.1` is on 127.0.0.1, `server.3` on localhost, and neither runs but where whole
//!   servers do.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use oxkeeper::config::Settings;
use oxkeeper::config::jaas::parse_jaas;
use oxkeeper::config::quorum::parse_member;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::child::TASK;
use crate::support::dirs::Dir;
use crate::support::kdc::Realm;
use crate::support::ports;

/// What the first, good login of the replaying intruder tells the core at a port: nothing, for it says nothing more.
pub const FIRST_LOGIN_EVENTS: usize = 0;

/// Where everything is.
pub struct Site {
    /// Certificates, logs.
    pub dir: Dir,
    /// The servers' realm.
    pub realm: Realm,
    /// The one that it trusts for users.
    pub other: Realm,
    keytabs: [PathBuf; 2],
    ports: u16,
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), pem)
}

fn issue(issuer: &Issuer<'static, KeyPair>, hosts: &[&str]) -> String {
    let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(hosts).expect("good names");
    params.signed_by(&key, issuer).expect("a certificate").pem() + &key.serialize_pem()
}

impl Site {
    /// Everything that is needed.
    ///
    /// # Errors
    /// What of Kerberos this machine lacks.
    pub fn new() -> Result<Site, String> {
        let (mut realm, mut other) = (Realm::start("ZK.TEST")?, Realm::start("OTHER.TEST")?);
        let own =
            ["zkquorum/localhost", "zkquorum/127.0.0.1", "zkquorum/elsewhere", "HTTP/localhost", "alice"];
        let keytabs = [realm.keytab(&own)?, other.keytab(&["zkquorum/localhost"])?];
        realm.trust(&mut other)?;
        let dir = Dir::new("intruders");
        let ((ca, ca_pem), (foreign, _)) = (authority("ours"), authority("theirs"));
        dir.write("ca.pem", &ca_pem);
        dir.write("server.pem", &issue(&ca, &["localhost", "127.0.0.1"]));
        dir.write("client.pem", &issue(&ca, &["app.example"]));
        dir.write("foreign.pem", &issue(&foreign, &["localhost", "127.0.0.1"]));
        Ok(Site { dir, realm, other, keytabs, ports: ports::block(6) })
    }

    /// A child of this test binary that takes part in `realm`.
    pub fn child(&self, task: &[&str], realm: &Realm) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        let place = [&self.dir.path().display().to_string(), &self.ports.to_string()].map(String::clone);
        let keytabs = self.keytabs.each_ref().map(|k| k.display().to_string());
        let words: Vec<String> =
            place.into_iter().chain(keytabs).chain(task.iter().map(|w| (*w).to_owned())).collect();
        command.args(["--exact", "child::does_its_task", "--nocapture"]);
        command.env(TASK, words.join("\t")).envs(realm.env());
        command
    }
}

impl Site {
    /// `oxkeeper serve` as this member, with the client port that is returned; its directory is made anew.
    pub fn server(&self, id: u64) -> (Command, u16) {
        let host = if id == 1 { "127.0.0.1" } else { "localhost" };
        let home = self.dir.path().join(format!("server{id}"));
        std::fs::create_dir_all(home.join("data")).expect("a folder");
        std::fs::write(home.join("data/myid"), id.to_string()).expect("myid");
        let login = |section: &str| {
            format!(
                "{section} {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                 keyTab=\"{}\" principal=\"zkquorum/{host}@ZK.TEST\"; }};\n",
                self.keytabs[0].display()
            )
        };
        let jaas = home.join("jaas.conf");
        std::fs::write(&jaas, login("QuorumServer") + &login("QuorumLearner")).expect("sections");
        let members = (1..=3u16).map(|id| {
            let (host, first) = (if id == 1 { "127.0.0.1" } else { "localhost" }, self.ports + 2 * (id - 1));
            format!("server.{id}={host}:{first}:{}", first + 1)
        });
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let port = ports::lasting();
        let lines = [
            "tickTime=500".to_owned(),
            "initLimit=40".to_owned(),
            "syncLimit=20".to_owned(),
            "quorumCnxnTimeoutMs=20000".to_owned(),
            format!("dataDir={}", home.join("data").display()),
            format!("clientPort={port}"),
            "clientPortAddress=127.0.0.1".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "admin.enableServer=false".to_owned(),
            "sslQuorum=true".to_owned(),
            format!("ssl.quorum.keyStore.location={}", at("server.pem")),
            format!("ssl.quorum.trustStore.location={}", at("ca.pem")),
            "quorum.auth.enableSasl=true".to_owned(),
            "quorum.auth.learnerRequireSasl=true".to_owned(),
            "quorum.auth.serverRequireSasl=true".to_owned(),
            "quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST@ZK.TEST".to_owned(),
        ];
        let text: String = lines.into_iter().chain(members).map(|line| line + "\n").collect();
        let config = home.join("zoo.cfg");
        std::fs::write(&config, text).expect("zoo.cfg");
        let mut command = Command::new(crate::support::ox::binary());
        command.arg("serve").arg(format!("-Djava.security.auth.login.config={}", jaas.display())).arg(config);
        command.envs(self.realm.env());
        (command, port)
    }
}

/// What a child knows of the site.
pub struct Known {
    dir: PathBuf,
    ports: u16,
    keytabs: [PathBuf; 2],
}

impl Known {
    /// From the first words of its task.
    pub fn new(words: &[&str]) -> Known {
        let [dir, ports, own, other] = words else { panic!("a place: {words:?}") };
        let keytabs = [PathBuf::from(own), PathBuf::from(other)];
        Known { dir: PathBuf::from(dir), ports: ports.parse().expect("a port"), keytabs }
    }

    /// The election or the quorum port of the server.
    pub fn port(&self, which: &str) -> u16 {
        self.ports + if which == "election" { 3 } else { 2 }
    }

    /// Settings of whoever has this certificate and logs in as `principal`.
    pub fn settings(&self, certificate: &str, principal: &str) -> Settings {
        let mut settings = Settings::default();
        let quorum = &mut settings.quorum;
        for (id, host) in [(1, "127.0.0.1"), (2, "localhost"), (3, "localhost")] {
            let first = self.ports + 2 * (u16::try_from(id).expect("a small id") - 1);
            let line = format!("{host}:{first}:{}", first + 1);
            quorum.ensemble.members.insert(id, parse_member(&line).expect("a member"));
        }
        (quorum.init_limit, quorum.sync_limit, quorum.quorum_cnxn_timeout_ms) = (20, 20, 20_000);
        (quorum.cnx_timeout, quorum.ssl_quorum) = (5000, true);
        quorum.sasl.service_principal = "zkquorum/_HOST@ZK.TEST".to_owned();
        (quorum.sasl.learner_login_context, quorum.sasl.server_login_context) =
            ("L".to_owned(), "S".to_owned());
        let logs_in = principal != "none";
        (quorum.sasl.enable, quorum.sasl.server_require, quorum.sasl.learner_require) =
            (logs_in, logs_in, logs_in);
        let section = |name: &str, principal: &str| {
            let keytab = &self.keytabs[usize::from(principal.ends_with("@OTHER.TEST"))];
            format!(
                "{name} {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                 keyTab=\"{}\" principal=\"{principal}\"; }};\n",
                keytab.display()
            )
        };
        let text = section("S", "zkquorum/localhost@ZK.TEST") + &section("L", principal);
        settings.jaas = Some(Arc::new(parse_jaas(&text, &|_| None).expect("sections")));
        settings.storage.data_dir = self.dir.clone();
        settings.tls.quorum.key_store.location = Some(self.dir.join(certificate));
        settings.tls.quorum.trust_store.location = Some(self.dir.join("ca.pem"));
        settings
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }
}
