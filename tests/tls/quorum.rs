//! TLS between servers, against ZooKeeper's own sockets in both directions and against ourselves.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use oxkeeper::auth::reason::Reason;
use oxkeeper::config::Settings;
use oxkeeper::config::quorum::{Member, MemberAddress, Role};
use oxkeeper::tls::quorum::{PeerStream, QuorumTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::need;
use crate::pki::{Pki, eventually};
use crate::support::process::{self, Process};
use crate::support::{Kind, java, ports};

const LIMIT: Duration = Duration::from_secs(60);

/// Settings of a server whose ensemble has this host.
fn settings(pki: &Pki, key: &str, host: &str, change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    let address = MemberAddress { host: host.to_owned(), quorum_port: 1, election_port: 2 };
    let member = Member { addresses: vec![address], role: Role::Participant, client: None };
    settings.quorum.ensemble.members.insert(1, member);
    settings.quorum.ssl_quorum = true;
    settings.tls.quorum.key_store.location = Some(pki.path(key));
    settings.tls.quorum.trust_store.location = Some(pki.path("ca.pem"));
    change(&mut settings);
    settings
}

fn quorum(settings: &Settings) -> QuorumTls {
    QuorumTls::new(settings).expect("good stores").expect("TLS").0
}

/// ZooKeeper's own end of a connection between servers.
fn peer(pki: &Pki, args: &[&str]) -> Result<Command, String> {
    let mut command = java::java(Kind::Java395)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/QuorumPeerTls.java");
    for (key, file) in [("keyStore", "client.pem"), ("trustStore", "ca.pem")] {
        command.arg(format!("-Dzookeeper.ssl.quorum.{key}.location={}", pki.path(file).display()));
    }
    command.arg(source).args(args);
    Ok(command)
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port.to_string())
}

async fn talk(mut stream: PeerStream, say: &[u8; 4], hear: &[u8; 4]) {
    stream.write_all(say).await.expect("sent");
    stream.flush().await.expect("sent");
    let mut four = [0; 4];
    stream.read_exact(&mut four).await.expect("heard");
    assert_eq!(&four, hear);
}

#[tokio::test(flavor = "multi_thread")]
async fn javas_servers_connect_to_us() {
    let pki = Pki::new();
    let tls = quorum(&settings(&pki, "server.pem", "127.0.0.1", |_| ()));
    let (listener, port) = listener().await;
    let command = need!("TLS between servers: Java", peer(&pki, &["connect", &port]));
    let java = std::thread::spawn(move || process::run(command, None, LIMIT));
    let (stream, from) =
        tokio::time::timeout(LIMIT, listener.accept()).await.expect("in time").expect("a peer");
    let (stream, identity) = tls.accept(stream, from.ip()).await.expect("Java is one of the hosts");
    assert_eq!(identity.expect("a certificate").name, "CN=client");
    talk(stream, b"pong", b"ping").await;
    let (_, output) = java.join().expect("the thread ends").expect("Java ends");
    assert!(output.contains("pong by TLSv1.3"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn we_connect_to_javas_servers() {
    let pki = Pki::new();
    for unified in [false, true] {
        let ssl = quorum(&settings(&pki, "server.pem", "127.0.0.1", |s| s.quorum.port_unification = unified));
        let port = ports::free().to_string();
        let command =
            need!("TLS between servers: Java", peer(&pki, &["accept", &port, &unified.to_string()]));
        let mut java =
            Process::start(command, &pki.path(&format!("java-{unified}.log"))).expect("Java starts");
        eventually("Java listens", || java.log().contains("listening"));
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
        let stream = ssl.connect(stream, "127.0.0.1").await.expect("Java's certificate is for 127.0.0.1");
        assert!(stream.is_encrypted());
        talk(stream, b"ping", b"pong").await;
        java.wait(LIMIT).expect("Java ends");
        assert!(java.log().contains("ping by TLS"), "{}", java.log());
    }
}

/// One connection between two of ours; what the accepting one made of it.
async fn meet(accepting: &QuorumTls, connecting: &QuorumTls) -> Result<bool, Reason> {
    let (listener, port) = listener().await;
    let connect = async {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
        let mut stream = connecting.connect(stream, "127.0.0.1").await.map_err(|refusal| refusal.reason)?;
        let _ = stream.write_all(b"ping").await;
        let _ = stream.flush().await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        Ok::<(), Reason>(())
    };
    let accept = async {
        let (stream, from) = listener.accept().await.expect("a peer");
        let (mut stream, _) = accepting.accept(stream, from.ip()).await.map_err(|refusal| refusal.reason)?;
        stream.read_exact(&mut [0; 4]).await.map_err(|_| Reason::TlsHandshake)?;
        Ok(stream.is_encrypted())
    };
    tokio::time::timeout(LIMIT, async { tokio::join!(accept, connect).0 }).await.expect("in time")
}

#[tokio::test]
async fn each_step_of_a_rolling_change_is_understood() {
    let pki = Pki::new();
    let step = |ssl, unified| {
        quorum(&settings(&pki, "server.pem", "127.0.0.1", |s| {
            (s.quorum.ssl_quorum, s.quorum.port_unification) = (ssl, unified);
        }))
    };
    let (first, second, last) = (step(false, true), step(true, true), step(true, false));
    assert_eq!(meet(&first, &first).await, Ok(false));
    assert_eq!(meet(&first, &second).await, Ok(true));
    assert_eq!(meet(&second, &first).await, Ok(false));
    assert_eq!(meet(&second, &last).await, Ok(true));
    assert_eq!(meet(&last, &second).await, Ok(true));
    assert_eq!(meet(&last, &first).await, Err(Reason::TlsPlaintext));
    let off = settings(&pki, "server.pem", "127.0.0.1", |s| s.quorum.ssl_quorum = false);
    assert!(QuorumTls::new(&off).expect("nothing to read").is_none());
}

#[tokio::test]
async fn a_clients_certificate_makes_no_server() {
    let pki = Pki::new();
    let elsewhere = |p: &mut rcgen::CertificateParams| {
        p.subject_alt_names = vec![rcgen::SanType::DnsName("app.example".try_into().expect("a name"))];
    };
    pki.write("app.pem", &pki.ca.issue("app", 9, elsewhere));
    let server = quorum(&settings(&pki, "server.pem", "127.0.0.1", |_| ()));
    let intruder = quorum(&settings(&pki, "app.pem", "127.0.0.1", |_| ()));
    assert_eq!(meet(&server, &intruder).await, Err(Reason::TlsHost));
    let listed = settings(&pki, "server.pem", "127.0.0.1", |s| {
        s.tls.quorum.allowed_names = vec!["app.example".to_owned()];
    });
    assert_eq!(meet(&quorum(&listed), &intruder).await, Ok(true));
    let moved = quorum(&settings(&pki, "server.pem", "zk1.example", |_| ()));
    let member = quorum(&settings(&pki, "server.pem", "127.0.0.1", |_| ()));
    assert_eq!(meet(&moved, &member).await, Err(Reason::TlsHost), "no host of the list is 127.0.0.1");
}
