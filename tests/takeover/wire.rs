//! A client of raw frames: it shows what is on the wire and hides nothing.
//!
//! # Invariants
//!
//! * Every reply belongs to the request before it; a server that answers out of turn fails the test.

use oxkeeper::jute::records::{read_acls, read_stat};
use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{
    ConnectRequest, ConnectResponse, CreateKind, MultiOp, OpCode, Proof, ReplyHeader, Request,
};
use oxkeeper::types::{Acl, Id};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Which operations the oldest server of a round knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// 3.4: creates, sets, deletes, ACLs, multis.
    Old,
    /// All of 3.9.
    Today,
}

/// A repeatable stream of numbers.
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A session over one socket.
pub struct Session {
    socket: TcpStream,
    pub id: i64,
    pub password: Vec<u8>,
    xid: i32,
}

impl Session {
    /// A new session (id 0) or the renewal of one.
    pub fn open(port: u16, id: i64, password: &[u8]) -> Session {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        socket.set_nodelay(true).expect("no delay");
        let password = if id == 0 { vec![0; 16] } else { password.to_vec() };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 600_000,
            session_id: id,
            password,
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        socket.write_all(&frame).expect("the connect request");
        let response = ConnectResponse::decode(&read_frame(&mut socket)).expect("a connect response");
        Session { socket, id: response.session_id, password: response.password.to_vec(), xid: 0 }
    }

    /// One request and its reply: error code and body.
    pub fn ask(&mut self, op: OpCode, request: &Request<'_>) -> (i32, Vec<u8>) {
        self.xid += 1;
        let xid = if op == OpCode::Auth { -4 } else { self.xid };
        let mut body = Vec::new();
        let mut w = Writer::new(&mut body);
        w.i32(xid);
        w.i32(op.number());
        request.encode_record(&mut body);
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend(body);
        self.socket.write_all(&frame).expect("a request");
        let reply = read_frame(&mut self.socket);
        let mut r = Reader::new(&reply);
        let header = ReplyHeader::decode(&mut r).expect("a header");
        assert_eq!(header.xid, xid, "a reply out of turn");
        (header.err, r.rest().to_vec())
    }

    /// Proves a digest identity, so that guarded znodes can be made and read.
    pub fn log_in(&mut self) {
        let (err, _) = self.ask(
            OpCode::Auth,
            &Request::Auth { scheme: "digest".into(), auth: Some(Proof(b"keeper:secret")) },
        );
        assert_eq!(err, 0);
    }

    /// Ephemerals that live as long as the session.
    pub fn make_ephemerals(&mut self, seed: u64) {
        for i in 0..5 {
            let path = format!("/live-{seed}-{i}");
            let (err, _) = self.ask(OpCode::Create, &create(CreateKind::Create, &path, b"e", 1, open()));
            assert_eq!(err, 0, "{path}");
        }
    }

    /// Every znode below the root: data, stat, ACL.
    pub fn view(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut todo = vec!["/".to_owned()];
        while let Some(path) = todo.pop() {
            let request = Request::GetData { path: path.as_str().into(), watch: false };
            let (err, mut node) = self.ask(OpCode::GetData, &request);
            assert_eq!(err, 0, "get {path}");
            let mut r = Reader::new(&node);
            r.buffer().expect("data");
            read_stat(&mut r).expect("a stat");
            let (err, acl) = self.ask(OpCode::GetAcl, &Request::GetAcl { path: path.as_str().into() });
            assert_eq!(err, 0, "getACL {path}");
            let list = read_acls(&mut Reader::new(&acl)).expect("an ACL");
            node.extend(format!("{list:?}").bytes());
            let request = Request::GetChildren { path: path.as_str().into(), watch: false, with_stat: false };
            let (err, children) = self.ask(OpCode::GetChildren, &request);
            assert_eq!(err, 0, "ls {path}");
            let names = Reader::new(&children).vector(|r| r.required_string("name").map(|s| s.into_owned()));
            for name in names.expect("names").unwrap_or_default() {
                todo.push(if path == "/" { format!("/{name}") } else { format!("{path}/{name}") });
            }
            found.insert(path, node);
        }
        found
    }

    /// Changes the tree at random; refusals are part of it.
    pub fn churn(&mut self, rng: &mut Rng, n: usize, stage: Stage) {
        for _ in 0..n {
            let path = path(rng);
            let data = vec![b'd'; rng.below(300) as usize];
            let acl = [open(), guarded(), vec![Acl::read_only(), guarded().remove(0)]][rng.below(3) as usize]
                .clone();
            match rng.below(if stage == Stage::Today { 13 } else { 9 }) {
                0..=2 => self.ask(OpCode::Create, &create(CreateKind::Create, &path, &data, 0, acl)),
                3 => self
                    .ask(OpCode::Create, &create(CreateKind::Create, &format!("{path}-"), &data, 2, open())),
                4 | 5 => {
                    let request = Request::SetData { path: path.into(), data: Some(&data), version: -1 };
                    self.ask(OpCode::SetData, &request)
                }
                6 => self.ask(OpCode::Delete, &Request::Delete { path: path.into(), version: -1 }),
                7 => self.ask(OpCode::SetAcl, &Request::SetAcl { path: path.into(), acl, version: -1 }),
                8 => {
                    let parts = vec![
                        MultiOp {
                            op: OpCode::Create,
                            request: create(CreateKind::Create, &path, &data, 0, open()),
                        },
                        MultiOp {
                            op: OpCode::SetData,
                            request: Request::SetData { path: "/a".into(), data: Some(b"m"), version: -1 },
                        },
                        MultiOp {
                            op: OpCode::Check,
                            request: Request::Check { path: "/a".into(), version: rng.below(9) as i32 - 1 },
                        },
                    ];
                    self.ask(OpCode::Multi, &Request::Multi(parts))
                }
                9 => self.ask(OpCode::Create2, &create(CreateKind::Create2, &path, &data, 0, acl)),
                10 => self.ask(OpCode::CreateContainer, &create(CreateKind::Container, &path, &data, 4, acl)),
                11 => self.ask(OpCode::CreateTtl, &create(CreateKind::Ttl(3_600_000), &path, &data, 5, acl)),
                _ => self.quota(rng),
            };
        }
    }

    /// A quota on a top-level znode, as zkCli.sh sets it.
    fn quota(&mut self, rng: &mut Rng) -> (i32, Vec<u8>) {
        let top = format!("/zookeeper/quota/{}", ["a", "b", "c"][rng.below(3) as usize]);
        self.ask(OpCode::Create, &create(CreateKind::Create, &top, b"", 0, open()));
        let limits = format!("{top}/zookeeper_limits");
        let stats = format!("{top}/zookeeper_stats");
        self.ask(OpCode::Create, &create(CreateKind::Create, &limits, b"count=5000,bytes=-1", 0, open()));
        self.ask(OpCode::Create, &create(CreateKind::Create, &stats, b"count=0,bytes=0", 0, open()))
    }
}

fn read_frame(socket: &mut TcpStream) -> Vec<u8> {
    let mut len = [0; 4];
    socket.read_exact(&mut len).expect("a reply");
    let mut body = vec![0; u32::from_be_bytes(len) as usize];
    socket.read_exact(&mut body).expect("a whole reply");
    body
}

fn open() -> Vec<Acl> {
    vec![Acl::open()]
}

fn guarded() -> Vec<Acl> {
    vec![Acl { perms: 31, id: Id::new("auth", "") }]
}

fn path(rng: &mut Rng) -> String {
    let mut path = format!("/{}", ["a", "b", "c", "d"][rng.below(4) as usize]);
    for _ in 0..rng.below(3) {
        path += ["/x", "/y", "/\u{e9}\u{4e2d}", "/node"][rng.below(4) as usize];
    }
    path
}

fn create(kind: CreateKind, path: &str, data: &[u8], flags: i32, acl: Vec<Acl>) -> Request<'static> {
    let data: &'static [u8] = Box::leak(data.to_vec().into_boxed_slice());
    Request::Create { kind, path: path.to_owned().into(), data: Some(data), acl, flags }
}
