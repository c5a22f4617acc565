//! Both sides against each other, over a pipe in memory.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::HandshakeKind;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::Settings;
use crate::config::settings::{ClientAuth, TlsSide};

const LOOPBACK: &str = "127.0.0.1";

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

impl Authority {
    /// Certificate and key in one PEM.
    fn issue(&self, name: &str, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
        let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().pem() + &key.serialize_pem()
    }

    fn revoke(&self, serial: u64, until: i32) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A directory with an authority, and files made on demand.
struct Bench {
    dir: tempfile::TempDir,
    ca: Authority,
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench { dir: tempfile::tempdir().unwrap(), ca: authority("the authority") };
        bench.write("ca.pem", &bench.ca.pem);
        bench
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A side with this key file and our authority.
    fn side(&self, key: &str) -> TlsSide {
        let mut side = Settings::default().tls.client;
        side.key_store.location = Some(self.path(key));
        side.trust_store.location = Some(self.path("ca.pem"));
        side
    }

    fn server(&self) -> TlsSide {
        if !self.path("server.pem").exists() {
            self.write("server.pem", &self.ca.issue("server", &["localhost", LOOPBACK], |_| ()));
        }
        self.side("server.pem")
    }

    fn client(&self) -> TlsSide {
        if !self.path("client.pem").exists() {
            let with_serial = |p: &mut CertificateParams| p.serial_number = Some(SerialNumber::from(7u64));
            self.write("client.pem", &self.ca.issue("client", &[LOOPBACK], with_serial));
        }
        self.side("client.pem")
    }
}

fn from() -> IpAddr {
    LOOPBACK.parse().unwrap()
}

type Met = (Result<Option<X509Identity>, Refusal>, Result<(), Refusal>);

/// One handshake and four bytes each way; what each side made of it.
async fn meet_at(server: &ServerTls, client: &ClientTls, host: &str) -> Met {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let accept = async {
        let (mut stream, identity) = server.accept(ours, from()).await?;
        let mut four = [0; 4];
        stream.read_exact(&mut four).await.map_err(|e| refusal::of_io(&e))?;
        stream.write_all(&four).await.unwrap();
        stream.flush().await.unwrap();
        Ok(identity)
    };
    let connect = async {
        let mut stream = client.connect(theirs, host).await?;
        let talk = async {
            stream.write_all(b"ruok").await?;
            stream.flush().await?;
            stream.read_exact(&mut [0; 4]).await.map(|_| ())
        };
        talk.await.map_err(|e| refusal::of_io(&e))
    };
    tokio::join!(accept, connect)
}

async fn meet(server: &TlsSide, client: &TlsSide) -> Met {
    let server = ServerTls::new(server, Role::Client).unwrap().0;
    let client = ClientTls::new(client, &Role::Client).unwrap().0;
    meet_at(&server, &client, "localhost").await
}

fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Reason {
    result.unwrap_err().reason
}

#[tokio::test]
async fn both_sides_know_each_other() {
    let bench = Bench::new();
    let (identity, talk) = meet(&bench.server(), &bench.client()).await;
    let identity = identity.unwrap().unwrap();
    assert_eq!((identity.name.as_str(), identity.serial.as_str()), ("CN=client", "07"));
    talk.unwrap();
}

#[tokio::test]
async fn exactly_the_listed_versions_meet() {
    let bench = Bench::new();
    let (server, client) = (bench.server(), bench.client());
    let with = |side: &TlsSide, versions: &[&str]| {
        let enabled_protocols = versions.iter().map(|v| (*v).to_owned()).collect();
        TlsSide { enabled_protocols, ..side.clone() }
    };
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert!(meet(&server, &with(&client, &[version])).await.1.is_ok(), "{version}");
        assert!(meet(&with(&server, &[version]), &client).await.1.is_ok(), "{version}");
    }
    let (there, here) = meet(&with(&server, &["TLSv1.2"]), &with(&client, &["TLSv1.3"])).await;
    assert_eq!((reason(there), reason(here)), (Reason::TlsProtocol, Reason::TlsProtocol));
}

#[tokio::test]
async fn client_auth_is_needed_wanted_or_left_out() {
    let bench = Bench::new();
    let nobody = TlsSide { key_store: Default::default(), ..bench.client() };
    let auth = |client_auth| TlsSide { client_auth, ..bench.server() };
    let (there, here) = meet(&auth(ClientAuth::Need), &nobody).await;
    assert_eq!((reason(there), reason(here)), (Reason::TlsNoCertificate, Reason::TlsNoCertificate));
    assert_eq!(meet(&auth(ClientAuth::Want), &nobody).await.0.unwrap(), None);
    assert!(meet(&auth(ClientAuth::Want), &bench.client()).await.0.unwrap().is_some());
    assert_eq!(meet(&auth(ClientAuth::None), &bench.client()).await.0.unwrap(), None);
}

#[tokio::test]
async fn refusals_have_their_reasons() {
    let bench = Bench::new();
    let server = bench.server();
    let issue = |file: &str, ca: &Authority, change: &dyn Fn(&mut CertificateParams)| {
        bench.write(file, &ca.issue("client", &[LOOPBACK], |p| change(p)));
        bench.side(file)
    };
    let stranger = issue("stranger.pem", &authority("another authority"), &|_| ());
    assert_eq!(reason(meet(&server, &stranger).await.0), Reason::TlsUnknownCa);
    let past = issue("past.pem", &bench.ca, &|p| p.not_after = date_time_ymd(2024, 1, 1));
    assert_eq!(reason(meet(&server, &past).await.0), Reason::TlsExpired);
    let nameless = issue("nameless.pem", &bench.ca, &|p| p.distinguished_name = Default::default());
    assert_eq!(reason(meet(&server, &nameless).await.0), Reason::TlsIdentity);
    let acceptor = ServerTls::new(&server, Role::Client).unwrap().0;
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(&[0, 0, 0, 45, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(reason(acceptor.accept(ours, from()).await.map(|_| ())), Reason::TlsPlaintext);
    let elsewhere = ClientTls::new(&bench.client(), &Role::Client).unwrap().0;
    let (_, here) = meet_at(&acceptor, &elsewhere, "zk9.example").await;
    assert_eq!(reason(here), Reason::TlsHost);
    let any =
        ClientTls::new(&TlsSide { hostname_verification: false, ..bench.client() }, &Role::Client).unwrap().0;
    assert!(meet_at(&acceptor, &any, "zk9.example").await.1.is_ok());
}

#[tokio::test]
async fn revoked_and_unlisted_certificates_are_refused() {
    let bench = Bench::new();
    let client = bench.client();
    let lists =
        |file: &str, text: String| TlsSide { crl_path: vec![bench.write(file, &text)], ..bench.server() };
    let revoked = lists("revoked.pem", bench.ca.revoke(7, 2099));
    assert_eq!(reason(meet(&revoked, &client).await.0), Reason::TlsRevoked);
    let other = lists("other.pem", bench.ca.revoke(8, 2099));
    assert!(meet(&other, &client).await.0.is_ok());
    let outdated = lists("outdated.pem", bench.ca.revoke(8, 2026));
    assert_eq!(reason(meet(&outdated, &client).await.0), Reason::TlsRevoked);
    let unknown = lists("unknown.pem", authority("another authority").revoke(8, 2099));
    assert_eq!(reason(meet(&unknown, &client).await.0), Reason::TlsRevoked);
    assert!(ServerTls::new(&TlsSide { crl: true, ..bench.server() }, Role::Client).is_err());
    assert!(ServerTls::new(&TlsSide { ocsp: true, ..bench.server() }, Role::Client).is_err());
}

#[tokio::test]
async fn the_host_of_a_client_is_checked_where_that_is_on() {
    let bench = Bench::new();
    bench.write("elsewhere.pem", &bench.ca.issue("client", &["10.9.8.7", "app.example"], |_| ()));
    let elsewhere = bench.side("elsewhere.pem");
    let on = TlsSide { client_hostname_verification: true, ..bench.server() };
    assert!(meet(&on, &bench.client()).await.0.is_ok());
    assert_eq!(reason(meet(&on, &elsewhere).await.0), Reason::TlsHost);
    let named = TlsSide { allowed_names: vec!["app.example".to_owned()], ..on.clone() };
    assert!(meet(&named, &elsewhere).await.0.is_ok());
    let off = TlsSide { hostname_verification: false, ..on };
    assert!(meet(&off, &elsewhere).await.0.is_ok());
}

#[tokio::test]
async fn servers_are_bound_to_the_hosts_of_the_ensemble() {
    let bench = Bench::new();
    bench.write("zk2.pem", &bench.ca.issue("anything", &["zk2.example"], |_| ()));
    let side = |key: &str| TlsSide { client_hostname_verification: true, ..bench.side(key) };
    bench.server();
    let role = || Role::Quorum { hosts: vec!["zk1.example".to_owned(), "zk2.example".to_owned()] };
    let acceptor = ServerTls::new(&side("server.pem"), role()).unwrap().0;
    let member = ClientTls::new(&side("zk2.pem"), &role()).unwrap().0;
    assert!(meet_at(&acceptor, &member, "localhost").await.0.is_ok());
    bench.client();
    let intruder = ClientTls::new(&side("client.pem"), &role()).unwrap().0;
    assert_eq!(reason(meet_at(&acceptor, &intruder, "localhost").await.0), Reason::TlsHost);
    let allowed = TlsSide { allowed_names: vec![LOOPBACK.to_owned()], ..side("server.pem") };
    let acceptor = ServerTls::new(&allowed, role()).unwrap().0;
    assert!(meet_at(&acceptor, &intruder, "localhost").await.0.is_ok());
}

#[tokio::test]
async fn a_self_signed_authority_in_the_trust_store_may_be_the_peer_itself() {
    let bench = Bench::new();
    let alone = |not_after: i32| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "alone");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(not_after, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (pem.clone(), pem + &key.serialize_pem())
    };
    for (until, fine) in [(2099, true), (2024, false)] {
        let (shown, with_key) = alone(until);
        bench.write("alone.pem", &with_key);
        bench.write("ca.pem", &shown);
        let side = bench.side("alone.pem");
        let (there, here) = meet(&side, &side).await;
        if fine {
            assert_eq!(there.unwrap().unwrap().name, "CN=alone");
            here.unwrap();
        } else {
            assert_eq!(reason(here), Reason::TlsExpired);
        }
    }
}

#[tokio::test]
async fn changed_files_are_taken_and_broken_ones_are_not() {
    let bench = Bench::new();
    let client = ClientTls::new(&bench.client(), &Role::Client).unwrap().0;
    let server = ServerTls::new(&bench.server(), Role::Client).unwrap().0;
    assert_eq!(server.poll(), Polled::Unchanged);
    bench.write("server.pem", "no PEM at all");
    let Polled::Kept(why) = server.poll() else { panic!("a broken file was taken") };
    assert!(why.to_string().contains("server.pem"), "{why}");
    assert_eq!(server.poll(), Polled::Unchanged);
    assert!(meet_at(&server, &client, "localhost").await.1.is_ok(), "the old key stays in use");
    bench.write("server.pem", &bench.ca.issue("server", &["new.example"], |_| ()));
    assert_eq!(server.poll(), Polled::Reloaded(Vec::new()));
    assert_eq!(reason(meet_at(&server, &client, "localhost").await.1), Reason::TlsHost);
    assert!(meet_at(&server, &client, "new.example").await.1.is_ok());
    assert!(Path::new(&bench.path("server.pem")).exists());
}

/// A client that resumes, as Java's and kazoo's do.
#[tokio::test]
async fn sessions_are_resumed_with_their_identity_until_trust_is_exchanged() {
    let bench = Bench::new();
    let server = ServerTls::new(&bench.server(), Role::Client).unwrap().0;
    let material = material::Material::load(&bench.client(), "ssl.").unwrap();
    let own = SingleCertAndKey::from(material.own.clone().unwrap());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&material.engine.provider))
        .with_protocol_versions(&material.engine.versions)
        .unwrap()
        .with_root_certificates(Arc::clone(&material.roots))
        .with_client_cert_resolver(Arc::new(own));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut kinds = Vec::new();
    for round in 0..3 {
        if round == 2 {
            server.reload().unwrap();
        }
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let accept = async {
            let (mut stream, identity) = server.accept(ours, from()).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            stream.flush().await.unwrap();
            assert_eq!(identity.unwrap().name, "CN=client");
            stream.get_ref().1.handshake_kind().unwrap()
        };
        let connect = async {
            let name = hosts::server_name("localhost").unwrap();
            let mut stream = connector.connect(name, theirs).await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap(); // the ticket comes before it
        };
        kinds.push(tokio::join!(accept, connect).0);
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Full]);
}

#[tokio::test]
async fn silent_peers_and_too_many_of_them_are_refused() {
    let bench = Bench::new();
    let server = ServerTls::new(&bench.server(), Role::Client).unwrap().0.with_handshakes(1);
    let (ours, silent) = tokio::io::duplex(1024);
    let mut first = Box::pin(server.accept(ours, from()));
    assert!(futures_poll(&mut first).is_none());
    assert_eq!(server.handshakes(), 1);
    let (ours, _) = tokio::io::duplex(1024);
    assert_eq!(reason(server.accept(ours, from()).await.map(|_| ())), Reason::TlsBusy);
    drop(silent);
    assert_eq!(reason(first.await.map(|_| ())), Reason::TlsHandshake);
    assert_eq!(server.handshakes(), 0);
}

/// Polls once.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn what_cannot_work_is_refused_with_its_key_or_file() {
    let bench = Bench::new();
    let server = bench.server();
    let why = |side: &TlsSide| ServerTls::new(side, Role::Client).unwrap_err().to_string();
    let without_key = TlsSide { key_store: Default::default(), ..server.clone() };
    assert!(why(&without_key).contains("ssl.keyStore.location"));
    let without_trust = TlsSide { trust_store: Default::default(), ..server.clone() };
    assert!(why(&without_trust).contains("ssl.trustStore.location"));
    assert!(
        ServerTls::new(&TlsSide { client_auth: ClientAuth::None, ..without_trust }, Role::Client).is_ok()
    );
    let two = bench.ca.issue("one", &[], |_| ());
    let other = bench.ca.issue("two", &[], |_| ());
    let split = |text: &str| text.split_at(text.find("-----BEGIN PRIVATE").unwrap()).0.to_owned();
    let mixed = split(&two) + &other[other.find("-----BEGIN PRIVATE").unwrap()..];
    bench.write("mixed.pem", &mixed);
    assert!(why(&bench.side("mixed.pem")).contains("does not belong to its key"));
    bench.write("certificate.pem", &split(&two));
    assert!(why(&bench.side("certificate.pem")).contains("no private key"));
}
