//! Both sides, each in a process of its own: libkrb5 reads its configuration from the environment.
//!
//! # Invariants
//! * What the server's core would hear is on lines `event`; what an intruder was told is on a line `outcome`.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use oxkeeper::kerberos::quorum::{Learner, LearnerStep, learner_login};
use oxkeeper::net::links::{LinkEvent, Links, LinksConfig, Staging, Store};
use oxkeeper::net::mesh::{Mesh, MeshConfig, MeshEvent};
use oxkeeper::net::peering::{Conn, Gate};
use oxkeeper::peer::{
    ElectionAddress, Initial, InitialProtocol, LearnerInfo, Notification, Packet, PacketKind, PeerState,
};
use oxkeeper::tls::quorum::PeerStream;
use oxkeeper::types::{LinkId, ServerId, Zxid};
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::Known;

/// What a child has to do, words between tabs.
pub const TASK: &str = "OXKEEPER_INTRUDER_TASK";
const LIMIT: Duration = Duration::from_secs(20);

/// Does what its parent asks; without a parent it shows that there is no task.
#[tokio::test(flavor = "multi_thread")]
async fn does_its_task() {
    let task = std::env::var(TASK).unwrap_or_default();
    let words: Vec<&str> = task.split('\t').collect();
    let Some((place, rest)) = words.split_at_checked(4) else {
        return assert_eq!(task, "", "an unknown task");
    };
    let known = Known::new(place);
    match rest {
        ["victim"] => victim(&known).await,
        ["intruder", how, port, patience, certificate, principal] => {
            let patience = Duration::from_millis(patience.parse().expect("milliseconds"));
            let told = intrude(&known, (how, port), patience, certificate, principal).await;
            println!("\noutcome {}", told.unwrap_or_else(|why| format!("closed: {why}")));
        }
        other => panic!("an unknown task: {other:?}"),
    }
}

struct Nowhere;

impl Store for Nowhere {
    fn receive(&self, _: LinkId, _: Zxid) -> Box<dyn Staging> {
        Box::new(Nowhere)
    }
}

impl Staging for Nowhere {
    fn feed(&mut self, _: &mut BytesMut) -> Result<bool, String> {
        Err("a leader receives no snapshot".to_owned())
    }
}

/// The server: its mesh and its links, open to learners.
async fn victim(known: &Known) {
    tracing_subscriber::fmt().with_ansi(false).init();
    let settings = known.settings("server.pem", "zkquorum/localhost@ZK.TEST");
    let gate = Arc::new(Gate::new(&settings).expect("keys and keytab"));
    let me = ServerId(2);
    let heard = |event| match event {
        MeshEvent::Notification { from, note } => {
            println!("event notification {from} round {}", note.election_epoch)
        }
        MeshEvent::PeerLost(_) => {}
    };
    let mesh =
        Mesh::start(MeshConfig::of(&settings, me), Arc::clone(&gate), Arc::new(heard)).expect("a mesh");
    let linked = |event| match event {
        LinkEvent::Accepted { link, from } => println!("event accepted {link} {from}"),
        LinkEvent::Packets { link, packets, .. } => println!("event packets {link} {}", packets.len()),
        LinkEvent::Up { .. }
        | LinkEvent::Down { .. }
        | LinkEvent::Progress { .. }
        | LinkEvent::SnapshotReceived { .. } => {}
    };
    let links = Links::start(
        LinksConfig::of(&settings, me),
        gate,
        Arc::new(Nowhere),
        Arc::new(linked),
        Arc::default(),
    );
    let links = links.expect("links");
    let ensemble = Arc::new(settings.quorum.ensemble.clone());
    mesh.set_ensembles(&ensemble, None);
    links.set_ensembles(&ensemble, None);
    links.lead(true).expect("a port");
    println!("ready");
    // Until its parent ends it.
    tokio::time::sleep(Duration::from_secs(600)).await;
}

/// Connects, goes through what it can of TLS and SASL, and says what a member would say.
async fn intrude(
    known: &Known,
    (how, port): (&str, &str),
    patience: Duration,
    certificate: &str,
    principal: &str,
) -> Result<String, String> {
    let settings = known.settings(certificate, principal);
    let stream = TcpStream::connect(("127.0.0.1", known.port(port))).await.map_err(|e| e.to_string())?;
    let mut conn = match how {
        "plain" => Conn::new(PeerStream::Plain(stream)),
        "nameless" => nameless(known, stream).await?,
        _ => encrypted(&settings, stream).await?,
    };
    let id = match how {
        "own-id" => 2,
        "foreign-id" => -7,
        // Election connections of larger ids are kept.
        _ => 3,
    };
    if port == "election" {
        let addresses = vec![ElectionAddress { host: "localhost".to_owned(), port: 1 }];
        let mut hello = Vec::new();
        Initial { protocol: InitialProtocol::One, server: ServerId(id), addresses }.encode(&mut hello);
        if how == "version" {
            hello = (-65534i64).to_be_bytes().to_vec();
        }
        conn.write(&hello).await.map_err(|e| e.to_string())?;
        if how == "version" {
            return stays(conn, patience).await;
        }
    }
    if how == "replay" {
        return replay(known, &settings, conn, port, patience).await;
    }
    if principal != "none" {
        let gate = Gate::new(&settings).map_err(|e| format!("no gate: {e}"))?;
        gate.log_in(&mut conn, "localhost").await.map_err(|r| format!("{}: {}", r.reason, r.detail))?;
    }
    let next = match (how, port) {
        ("garbage", "election") => vec![0xff; 64],
        ("length", "election") => i32::MAX.to_be_bytes().to_vec(),
        ("garbage", _) => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        ("length", _) => [&11i32.to_be_bytes()[..], &0i64.to_be_bytes(), &i32::MAX.to_be_bytes()].concat(),
        ("version", _) => Packet::bare(PacketKind::Ack, Zxid(1)).to_bytes().to_vec(),
        (_, "election") => notification(),
        _ => {
            let info = LearnerInfo::ours(ServerId(id), 0).encode();
            Packet::with(PacketKind::FollowerInfo, Zxid(0), info).to_bytes().to_vec()
        }
    };
    conn.write(&next).await.map_err(|e| e.to_string())?;
    stays(conn, patience).await
}

async fn encrypted(settings: &oxkeeper::config::Settings, stream: TcpStream) -> Result<Conn, String> {
    let mut tls_alone = settings.clone();
    tls_alone.quorum.sasl.enable = false;
    let gate = Gate::new(&tls_alone).map_err(|e| format!("no gate: {e}"))?;
    gate.encrypt_dialled(stream, "localhost").await.map_err(|r| format!("{}: {}", r.reason, r.detail))
}

/// TLS by somebody who shows no certificate.
async fn nameless(known: &Known, stream: TcpStream) -> Result<Conn, String> {
    let mut roots = rustls::RootCertStore::empty();
    let authority =
        rustls::pki_types::CertificateDer::from_pem_file(known.authority()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(|e| e.to_string())?;
    Ok(Conn::new(PeerStream::Tls(Box::new(tokio_rustls::TlsStream::Client(stream)))))
}

fn notification() -> Vec<u8> {
    let note = Notification {
        state: PeerState::Looking,
        leader: ServerId(3),
        zxid: Zxid(0),
        election_epoch: 1,
        peer_epoch: 0,
        config: Some("version=0".to_owned()),
    };
    let mut body = Vec::new();
    note.encode(&mut body);
    [&u32::try_from(body.len()).expect("a short one").to_be_bytes()[..], &body].concat()
}

/// Waits to be thrown out.
async fn stays(mut conn: Conn, patience: Duration) -> Result<String, String> {
    loop {
        match timeout(patience, conn.more()).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Ok(format!("closed: {e}")),
            Err(_) => return Ok("stays".to_owned()),
        }
    }
}

/// A member's first token, said twice: once on a connection that is then given up, once on this one.
async fn replay(
    known: &Known,
    settings: &oxkeeper::config::Settings,
    mut conn: Conn,
    port: &str,
    patience: Duration,
) -> Result<String, String> {
    let login = learner_login(settings).map_err(|e| e.to_string())?.expect("a login");
    let begun = tokio::task::spawn_blocking(move || {
        let mut learner = Learner::new(login.begin("localhost")?);
        learner.begin()
    });
    let LearnerStep::Send(token) = begun.await.expect("no panic").map_err(|r| r.detail)? else {
        panic!("a token")
    };
    let mut recorded = Vec::new();
    token.encode(&mut recorded);
    let stream = TcpStream::connect(("127.0.0.1", known.port(port))).await.map_err(|e| e.to_string())?;
    let mut first = encrypted(settings, stream).await?;
    if port == "election" {
        let mut hello = Vec::new();
        Initial { protocol: InitialProtocol::Legacy, server: ServerId(3), addresses: Vec::new() }
            .encode(&mut hello);
        first.write(&hello).await.map_err(|e| e.to_string())?;
    }
    first.write(&recorded).await.map_err(|e| e.to_string())?;
    // The answer: the token was good.
    timeout(LIMIT, first.fill(16)).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    drop(first);
    conn.write(&recorded).await.map_err(|e| e.to_string())?;
    stays(conn, patience).await
}
