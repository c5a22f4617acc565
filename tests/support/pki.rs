//! An authority, certificates, and the stores that keytool and openssl make of them.
//!
//! # Invariants
//! * All passwords are [`PASSWORD`]; every certificate of a host is for localhost and 127.0.0.1.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use oxkeeper::client::{Blocking, ClientConfig, ClientError, SECURE, TlsConnector};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::support::dirs::Dir;
use crate::support::{Spec, ports, process};

/// The password of every store.
pub const PASSWORD: &str = "changeit";

/// Longest run of a tool.
const LIMIT: Duration = Duration::from_secs(60);

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key of `name` in one text.
    pub fn issue(&self, name: &str, serial: u64, change: impl FnOnce(&mut CertificateParams)) -> String {
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(hosts).expect("good names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        params.signed_by(&key, &self.issuer).expect("a certificate").pem() + &key.serialize_pem()
    }

    /// A list that revokes one certificate.
    pub fn revoke(&self, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }
}

/// A directory with an authority, a server's and a client's certificate.
pub struct Pki {
    dir: Dir,
    /// The authority.
    pub ca: Authority,
}

impl Pki {
    /// `ca.pem`, `server.pem`, `client.pem` (serial 7).
    pub fn new() -> Self {
        let pki = Self { dir: Dir::new("tls"), ca: Authority::new("the authority") };
        pki.write("ca.pem", &pki.ca.pem);
        pki.write("server.pem", &pki.ca.issue("server", 1, |_| ()));
        pki.write("client.pem", &pki.ca.issue("client", 7, |_| ()));
        pki
    }

    /// A file's path.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in one step, so that a reader sees the old or the new one.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, fresh) = (self.path(name), self.path("fresh"));
        std::fs::write(&fresh, text).expect("written");
        std::fs::rename(fresh, &path).expect("renamed");
        path
    }

    /// `<name>.p12` and `<name>.jks` of `<name>.pem` by openssl and keytool.
    ///
    /// # Errors
    /// What the tool said.
    pub fn key_stores(&self, name: &str) -> Result<(), String> {
        let (pem, p12, jks) = (format!("{name}.pem"), format!("{name}.p12"), format!("{name}.jks"));
        let first = self.path("first.p12");
        let first = first.display().to_string();
        let export = ["pkcs12", "-export", "-in", &pem, "-inkey", &pem, "-name", name];
        self.tool("openssl", &[&export[..], &["-out", &first, "-passout", "pass:changeit"]].concat())?;
        for (file, kind) in [(&p12, "PKCS12"), (&jks, "JKS")] {
            let import = ["-importkeystore", "-noprompt", "-srckeystore", &first, "-srcstorepass", PASSWORD];
            let into = ["-destkeystore", file, "-deststoretype", kind, "-deststorepass", PASSWORD];
            self.tool("keytool", &[&import[..], &into].concat())?;
        }
        std::fs::remove_file(first).map_err(|e| e.to_string())
    }

    /// `ca.p12` and `ca.jks` by keytool.
    ///
    /// # Errors
    /// What the tool said.
    pub fn trust_stores(&self) -> Result<(), String> {
        for (file, kind) in [("ca.p12", "PKCS12"), ("ca.jks", "JKS")] {
            let import = ["-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", file];
            self.tool("keytool", &[&import[..], &["-storetype", kind, "-storepass", PASSWORD]].concat())?;
        }
        Ok(())
    }

    /// Runs a tool in this directory.
    ///
    /// # Errors
    /// What it said.
    pub fn tool(&self, tool: &str, args: &[&str]) -> Result<(), String> {
        let mut command = Command::new(tool);
        command.args(args).current_dir(self.dir.path());
        let (status, output) = process::run(command, None, LIMIT)?;
        if status.success() { Ok(()) } else { Err(format!("{tool} {args:?}: {output}")) }
    }

    /// The `ssl.*` lines for a key store and a trust store.
    fn keys(&self, key: &str, trust: &str) -> Vec<(String, String)> {
        let path = |name: &str| self.path(name).display().to_string();
        let mut keys = vec![
            ("ssl.keyStore.location".to_owned(), path(key)),
            ("ssl.trustStore.location".to_owned(), path(trust)),
        ];
        for (side, file) in [("keyStore", key), ("trustStore", trust)] {
            if !file.ends_with(".pem") {
                keys.push((format!("ssl.{side}.password"), PASSWORD.to_owned()));
            }
        }
        keys
    }

    /// A server with a TLS port, and that port. The Java server needs its Netty factory for it.
    pub fn spec(&self, key: &str, trust: &str) -> (Spec, u16) {
        let port = ports::free();
        let mut spec = Spec::new()
            .flag("-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
            .cfg(&format!("secureClientPort={port}"))
            .cfg("secureClientPortAddress=127.0.0.1");
        for (key, value) in self.keys(key, trust) {
            spec = spec.cfg(&format!("{key}={value}"));
        }
        (spec, port)
    }

    /// `-D` flags of a client.
    pub fn flags(&self, key: &str, trust: &str) -> Vec<String> {
        let mut flags = vec![
            format!("-D{SECURE}=true"),
            "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty".to_owned(),
        ];
        flags.extend(
            self.keys(key, trust).into_iter().map(|(key, value)| format!("-Dzookeeper.{key}={value}")),
        );
        flags
    }

    /// Our own client with PEM stores.
    pub fn config(&self, key: &str, port: u16) -> ClientConfig {
        let path = |name: &str| Some(self.path(name).display().to_string());
        let property = |name: &str| match name {
            SECURE => Some("true".to_owned()),
            "zookeeper.ssl.keyStore.location" => path(key),
            "zookeeper.ssl.trustStore.location" => path("ca.pem"),
            _ => None,
        };
        let mut config = ClientConfig::new(&format!("localhost:{port}")).expect("an address");
        config.connector = TlsConnector::by_properties(&property).expect("good stores").expect("TLS");
        config.timeout(Duration::from_secs(10))
    }

    /// A session of our own client.
    ///
    /// # Errors
    /// It was not served.
    pub fn connect(&self, key: &str, port: u16) -> Result<Blocking, ClientError> {
        Blocking::connect(self.config(key, port)).map(|(client, _)| client)
    }
}

/// Waits until `there`, a minute at most; `what` is named when it is not.
pub fn eventually(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !there() {
        assert!(std::time::Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Is the tool there?
///
/// # Errors
/// That it is not.
pub fn has(tool: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir: PathBuf| Path::new(&dir).join(tool).is_file());
    if found { Ok(()) } else { Err(format!("{tool} is not installed")) }
}
