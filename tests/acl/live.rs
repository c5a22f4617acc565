//! Servers of either kind behind a socket, with real logins, held against the model: Java is the control.
//!
//! # Invariants
//! * Before an answer counts as complete every session has answered a ping: what it was told came before.

use super::answer::{Frame, frame, said};
use super::ask::{Ask, Said, Told, bytes, int, text};
use super::make::{Proof, SUPER, digest};
use super::model::Rules;
use super::run::{Plan, SESSIONS, Seen, Target, history};
use crate::need;
use crate::support::digest_md5::Answer;
use crate::support::dirs::Dir;
use crate::support::{Kind, Server, Spec, java};
use oxkeeper::proto::ConnectRequest;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Decisions that are checked against a live server.
const DECISIONS: u64 = 10_000;
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// Passwords of the users who log in by DIGEST-MD5.
const PASSWORD: &str = "a secret";

struct Live {
    port: u16,
    wires: Vec<Option<TcpStream>>,
    heard: Vec<(usize, Told)>,
}

impl Live {
    fn new(port: u16) -> Live {
        Live { port, wires: (0..SESSIONS).map(|_| None).collect(), heard: Vec::new() }
    }

    fn send(&mut self, who: usize, xid: i32, op: i32, record: &[u8]) {
        let mut out = Vec::new();
        int(&mut out, 8 + record.len() as i32);
        int(&mut out, xid);
        int(&mut out, op);
        out.extend_from_slice(record);
        self.wires[who].as_mut().expect("a session").write_all(&out).expect("the server reads");
    }

    fn read(&mut self, who: usize) -> Vec<u8> {
        let wire = self.wires[who].as_mut().expect("a session");
        let mut length = [0; 4];
        wire.read_exact(&mut length).expect("the server answers");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        wire.read_exact(&mut body).expect("a whole frame");
        body
    }

    /// The reply; events before it are kept.
    fn reply(&mut self, who: usize) -> (i32, Vec<u8>) {
        loop {
            match frame(&self.read(who)) {
                Frame::Told(told) => self.heard.push((who, told)),
                Frame::Reply(err, body) => return (err, body),
            }
        }
    }

    fn request(&mut self, who: usize, op: i32, record: &[u8]) -> (i32, Vec<u8>) {
        self.send(who, 1, op, record);
        self.reply(who)
    }

    /// Hears everybody out.
    fn fence(&mut self) {
        for who in 0..SESSIONS {
            if self.wires[who].is_some() {
                self.request(who, 11, &[]);
            }
        }
    }

    fn log_in(&mut self, who: usize, user: &str) {
        let mut record = Vec::new();
        bytes(&mut record, b"");
        let (err, challenge) = self.request(who, 102, &record);
        assert_eq!(err, 0, "a challenge");
        record.clear();
        bytes(&mut record, &Answer::to(&challenge[4..], user, PASSWORD).token());
        let (err, last) = self.request(who, 102, &record);
        assert!(err == 0 && last.len() > 4, "DIGEST-MD5 login of {user}: {err}");
    }
}

impl Target for Live {
    fn open(&mut self, who: usize, from: IpAddr) {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&fd, &SocketAddr::new(from, 0)).expect("an address of loopback");
        connect(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).expect("the server accepts");
        let mut wire = TcpStream::from(fd);
        wire.set_nodelay(true).expect("an option");
        wire.set_read_timeout(Some(PATIENCE)).expect("an option");
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 600_000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        };
        let mut out = Vec::new();
        request.encode(&mut out);
        wire.write_all(&out).expect("the server reads");
        self.wires[who] = Some(wire);
        assert!(self.read(who).len() > 20, "a session");
    }

    /// Addresses, digests, and one user of the server's login section.
    fn can(&self, proof: &Proof) -> bool {
        match proof {
            Proof::Sasl(id) => !id.contains('@'),
            Proof::X509(_) => false,
            Proof::Digest(_) | Proof::Ip => true,
        }
    }

    fn close(&mut self, who: usize) {
        self.request(who, -11, &[]);
        self.wires[who] = None;
        self.fence();
    }

    fn prove(&mut self, who: usize, proof: &Proof) {
        let (scheme, auth) = match proof {
            Proof::Digest(user) => ("digest", user.as_bytes()),
            Proof::Ip => ("ip", &[][..]),
            Proof::Sasl(user) => return self.log_in(who, user),
            Proof::X509(_) => panic!("no certificates here"),
        };
        let mut record = Vec::new();
        int(&mut record, 0);
        text(&mut record, scheme);
        bytes(&mut record, auth);
        assert_eq!(self.request(who, 100, &record).0, 0);
    }

    fn ask(&mut self, who: usize, ask: &Ask) -> (Said, Vec<(usize, Told)>) {
        let (err, body) = self.request(who, ask.op(), &ask.record());
        self.fence();
        (said(ask, err, &body), std::mem::take(&mut self.heard))
    }

    fn events(&mut self) -> Vec<(usize, Told)> {
        std::mem::take(&mut self.heard)
    }
}

fn spec(dir: &Dir) -> Spec {
    let users = ["alice", "super"].map(|user| format!(" user_{user}=\"{PASSWORD}\"")).concat();
    let jaas = format!("Server {{ org.apache.zookeeper.server.auth.DigestLoginModule required{users}; }};\n");
    let jaas = dir.write("jaas.conf", &jaas);
    Spec::new()
        .cfg("authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
        .cfg("authProvider.2=org.apache.zookeeper.server.auth.X509AuthenticationProvider")
        .cfg("extendedTypesEnabled=true")
        .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()))
        .flag("-Dzookeeper.extendedTypesEnabled=true")
        .flag("-Dznode.container.checkIntervalMs=600000000")
        .flag(&format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={}", digest(SUPER)))
}

/// Histories against fresh servers until enough is decided.
fn against(kind: Kind) {
    let dir = Dir::new("acl");
    let mut all = Seen::default();
    let mut seed = 1000;
    while all.decided < DECISIONS {
        let mut server = Server::start(kind, &spec(&dir)).unwrap_or_else(|why| panic!("{why}"));
        let rules = Rules { sasl: true, x509: true, ..Rules::default() };
        let from = &["127.0.0.1", "127.0.0.2", "127.0.0.9"];
        let plan = Plan { seed, rules, steps: 6000, from, everything: false };
        let mut live = Live::new(server.port());
        match history(&plan, &mut live) {
            Ok(seen) => all.add(seen),
            Err(why) => panic!("{kind:?}, seed {seed}: {why}"),
        }
        server.stop();
        seed += 1;
    }
    println!(
        "{kind:?}: {} decisions in {} requests ({} refused by an ACL, {} events told), every one equal",
        all.decided, all.requests, all.denied, all.told
    );
}

#[test]
fn java_decides_as_the_model_does() {
    need!("zookeeper-3.9.5", java::classpath(Kind::Java395));
    against(Kind::Java395);
}

#[test]
fn oxkeeper_behind_a_socket_decides_as_the_model_does() {
    against(Kind::Oxkeeper);
}
