//! The node by itself: requests in, proofs in, frames out.

mod login;
mod rights;

use super::*;
use crate::disk::{Durable, Synced};
use crate::error::Code;
use crate::jute::{Reader, Writer, records};
use crate::proto::{
    AddWatchMode, ConnectRequest, ConnectResponse, CreateKind, MultiOp, OpCode, Proof, ReplyHeader, Request,
    RequestHeader, WatcherEvent, xid,
};
use crate::tree::Tree;
use crate::types::{Acl, ConnId, Id, Instant, Now, Zxid, perms};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);
impl Observe for Notes {
    fn note(&self, event: &Event<'_>) {
        match event {
            Event::DigestMismatch { .. } | Event::Dropped { .. } => self.0.lock().push(format!("{event:?}")),
            Event::Authenticated { refused: Some(refusal), .. } => {
                self.0.lock().push(refusal.reason.code().to_owned());
            }
            _ => {}
        }
    }
}

/// A node, its clock and its imaginary disk.
struct World {
    node: Node,
    shared: Arc<Shared>,
    now: Now,
    next_conn: u64,
    unsynced: Option<Zxid>,
    notes: Arc<Notes>,
    /// The last SASL token that was taken.
    token: Option<(i32, Option<Vec<u8>>)>,
}

impl World {
    fn new(adjust: impl FnOnce(&mut ReplicaConfig)) -> World {
        let mut settings = crate::config::Settings::default();
        settings.session.tick_time = 1000;
        settings.session.min_session_timeout = 2000;
        settings.session.max_session_timeout = 20_000;
        settings.tree.extended_types_enabled = true;
        let mut config = ReplicaConfig::standalone(&settings, 1);
        adjust(&mut config);
        let tree = Tree::new(config.tree);
        let now = Now { mono: Instant::from_millis(1), wall_ms: 1_700_000_000_000 };
        let notes = Arc::new(Notes::default());
        let recovered = Recovered { tree, sessions: HashMap::new() };
        let node = Node::new(config, recovered, now, notes.clone());
        let shared = node.shared();
        World { node, shared, now, next_conn: 0, unsynced: None, notes, token: None }
    }

    fn plain() -> World {
        World::new(|_| {})
    }

    fn dial(&mut self) -> Arc<Conn> {
        self.next_conn += 1;
        let peer = "127.0.0.1:4000".parse().unwrap();
        Conn::new(ConnId(self.next_conn), peer, false, self.now, Box::new(NoWake))
    }

    fn feed(&mut self, conn: &Arc<Conn>, body: &[u8]) -> bool {
        match accept(&self.shared, conn, body, self.now.mono, self.now, false) {
            Accepted::Answered => true,
            Accepted::ToCore(input) => {
                self.node.handle(input, self.now);
                true
            }
            Accepted::Sasl { xid, token } => {
                self.token = Some((xid, token));
                true
            }
            Accepted::Close(_) | Accepted::Finish => false,
        }
    }

    /// The log thread's part: everything appended becomes durable.
    fn sync(&mut self) {
        let mut appends = Vec::new();
        self.node.take_appends(&mut appends);
        if let Some(last) = appends.last() {
            self.unsynced = Some(last.zxid);
        }
        if let Some(zxid) = self.unsynced.take() {
            let proof = Durable::new(zxid, &Synced::by_disk());
            self.node.handle_durable(&proof, self.now);
        }
    }

    fn connect_as(&mut self, session_id: i64, password: Vec<u8>) -> (Arc<Conn>, Option<ConnectResponse>) {
        let conn = self.dial();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 4000,
            session_id,
            password,
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.feed(&conn, &frame[4..]);
        self.sync();
        let mut frames = self.frames(&conn);
        let response = frames.pop().map(|f| ConnectResponse::decode(&f).unwrap());
        (conn, response)
    }

    fn connect(&mut self) -> Arc<Conn> {
        let (conn, response) = self.connect_as(0, vec![0; 16]);
        assert_ne!(response.expect("an answer").session_id, 0);
        conn
    }

    fn send(&mut self, conn: &Arc<Conn>, xid: i32, op: OpCode, request: &Request<'_>) -> bool {
        let mut body = Vec::new();
        let mut w = Writer::new(&mut body);
        w.i32(xid);
        w.i32(op.number());
        request.encode_record(&mut body);
        let mut r = Reader::new(&body);
        assert!(RequestHeader::decode(&mut r).is_ok());
        self.feed(conn, &body)
    }

    fn frames(&mut self, conn: &Conn) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        conn.take_outgoing(&mut bytes);
        let mut out = Vec::new();
        let mut r = Reader::new(&bytes);
        while !r.is_empty() {
            out.push(r.buffer().unwrap().unwrap().to_vec());
        }
        out
    }

    /// One request, synced, its reply's header and body; events that came before it are dropped.
    fn ask(&mut self, conn: &Arc<Conn>, op: OpCode, request: &Request<'_>) -> (ReplyHeader, Vec<u8>) {
        self.send(conn, 7, op, request);
        self.sync();
        let frame = self.frames(conn).pop().expect("a reply");
        let mut r = Reader::new(&frame);
        let header = ReplyHeader::decode(&mut r).unwrap();
        (header, r.rest().to_vec())
    }

    fn create(&mut self, conn: &Arc<Conn>, path: &str, flags: i32) -> i32 {
        self.ask(conn, OpCode::Create, &create(path, flags)).0.err
    }
}

fn create(path: &str, flags: i32) -> Request<'_> {
    let acl = vec![Acl::open()];
    Request::Create { kind: CreateKind::Create, path: path.into(), data: Some(b"d"), acl, flags }
}

fn get(path: &str, watch: bool) -> Request<'_> {
    Request::GetData { path: path.into(), watch }
}

fn set<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SetData { path: path.into(), data: Some(data), version: -1 }
}

fn headers(frames: &[Vec<u8>]) -> Vec<(i32, i32)> {
    frames.iter().map(|f| ReplyHeader::decode(&mut Reader::new(f)).unwrap()).map(|h| (h.xid, h.err)).collect()
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let mut w = World::plain();
    let c = w.connect();
    w.send(&c, 1, OpCode::Create, &create("/a", 0));
    w.send(&c, 2, OpCode::GetData, &get("/a", false));
    assert!(w.frames(&c).is_empty());
    assert_eq!(c.in_flight(), 2);
    w.sync();
    assert_eq!(headers(&w.frames(&c)), vec![(1, 0), (2, 0)]);
    assert_eq!(c.in_flight(), 0);
}

#[test]
fn a_read_between_two_writes_sees_the_first_and_not_the_second() {
    let mut w = World::plain();
    let c = w.connect();
    assert_eq!(w.create(&c, "/a", 0), 0);
    w.send(&c, 1, OpCode::SetData, &set("/a", b"one"));
    w.send(&c, 2, OpCode::GetData, &get("/a", false));
    w.send(&c, 3, OpCode::SetData, &set("/a", b"two"));
    w.sync();
    let frames = w.frames(&c);
    assert_eq!(headers(&frames), vec![(1, 0), (2, 0), (3, 0)]);
    let mut r = Reader::new(&frames[1][16..]);
    assert_eq!(r.buffer().unwrap(), Some(&b"one"[..]));
}

#[test]
fn an_event_leaves_before_any_reply_computed_after_its_change() {
    let mut w = World::plain();
    let (a, b) = (w.connect(), w.connect());
    w.create(&a, "/n", 0);
    w.ask(&a, OpCode::GetData, &get("/n", true));
    w.ask(&b, OpCode::SetData, &set("/n", b"x"));
    w.send(&a, 9, OpCode::GetData, &get("/n", false));
    let frames = w.frames(&a);
    assert_eq!(headers(&frames), vec![(xid::NOTIFICATION, 0), (9, 0)]);
    let mut r = Reader::new(&frames[0]);
    ReplyHeader::decode(&mut r).unwrap();
    assert_eq!(WatcherEvent::decode(&mut r).unwrap().path, "/n");
}

#[test]
fn events_are_withheld_from_who_may_not_read() {
    let mut w = World::plain();
    let (a, b) = (w.connect(), w.connect());
    let mode = AddWatchMode::PersistentRecursive;
    w.ask(&a, OpCode::AddWatch, &Request::AddWatch { path: "/".into(), mode });
    w.ask(&b, OpCode::Auth, &Request::Auth { scheme: "digest".into(), auth: Some(Proof(b"u:p")) });
    let acl = vec![Acl { perms: perms::ALL, id: Id::new("auth", "") }];
    let request = Request::Create { kind: CreateKind::Create, path: "/s".into(), data: None, acl, flags: 0 };
    assert_eq!(w.ask(&b, OpCode::Create, &request).0.err, 0);
    assert!(w.frames(&a).is_empty());
    assert_eq!(w.ask(&a, OpCode::GetData, &get("/s", false)).0.err, Code::NoAuth.number());
    w.create(&b, "/open", 0);
    assert_eq!(w.frames(&a).len(), 1);
}

#[test]
fn a_failed_write_takes_a_zxid_and_an_undecodable_one_does_not() {
    let mut w = World::plain();
    let c = w.connect();
    let before = w.node.last_proposed();
    assert_eq!(w.create(&c, "/no/parent", 0), Code::NoNode.number());
    assert_eq!(w.node.last_proposed().0, before.0 + 1);
    let mut body = Vec::new();
    let mut wr = Writer::new(&mut body);
    wr.i32(5);
    wr.i32(OpCode::Create.number());
    wr.i32(99);
    assert!(w.feed(&c, &body));
    assert_eq!(headers(&w.frames(&c)), vec![(5, Code::MarshallingError.number())]);
    assert_eq!(w.node.last_proposed().0, before.0 + 1);
}

#[test]
fn unknown_and_internal_operations_close_after_unimplemented() {
    for op in [0, 10, 13, 20, 99, -10] {
        let mut w = World::plain();
        let c = w.connect();
        let mut body = Vec::new();
        let mut wr = Writer::new(&mut body);
        wr.i32(5);
        wr.i32(op);
        wr.string(Some("/a"));
        w.feed(&c, &body);
        let frames = w.frames(&c);
        assert_eq!(headers(&frames), vec![(5, Code::Unimplemented.number())], "op {op}");
        assert_eq!(c.phase(), Phase::Closed);
    }
}

#[test]
fn a_session_moves_with_its_password_alone() {
    let mut w = World::plain();
    let a = w.connect();
    let id = a.session_id();
    let (_, refused) = w.connect_as(id.0, vec![9; 16]);
    assert_eq!(refused.unwrap().session_id, 0);
    assert_eq!(a.phase(), Phase::Established, "a stranger must not disturb the holder");
    let (b, taken) = w.connect_as(id.0, crate::session::password(id).to_vec());
    assert_eq!(taken.unwrap().session_id, id.0);
    assert_eq!((a.phase(), b.phase()), (Phase::Closed, Phase::Established));
    let (_, unknown) = w.connect_as(12345, crate::session::password(crate::types::SessionId(12345)).to_vec());
    assert_eq!(unknown.unwrap().session_id, 0);
}

#[test]
fn a_client_from_the_future_is_sent_away_without_a_word() {
    let mut w = World::plain();
    let conn = w.dial();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 1000,
        timeout: 4000,
        session_id: 0,
        password: vec![],
        read_only: None,
    };
    let mut frame = Vec::new();
    request.encode(&mut frame);
    w.feed(&conn, &frame[4..]);
    w.sync();
    assert!(w.frames(&conn).is_empty());
    assert_eq!(conn.phase(), Phase::Closed);
}

#[test]
fn closing_takes_the_ephemerals_those_under_way_included() {
    let mut w = World::plain();
    let (a, b) = (w.connect(), w.connect());
    w.create(&a, "/e1", 1);
    w.send(&a, 1, OpCode::Create, &create("/e2", 1));
    w.send(&a, 2, OpCode::CloseSession, &Request::CloseSession);
    w.send(&a, 3, OpCode::Create, &create("/e3", 1));
    w.sync();
    assert_eq!(headers(&w.frames(&a)), vec![(1, 0), (2, 0)]);
    assert_eq!(a.phase(), Phase::Closed);
    for path in ["/e1", "/e2", "/e3"] {
        assert_eq!(w.ask(&b, OpCode::GetData, &get(path, false)).0.err, Code::NoNode.number(), "{path}");
    }
}

#[test]
fn a_silent_session_expires_and_its_connection_is_closed() {
    let mut w = World::plain();
    let c = w.connect();
    w.create(&c, "/e", 1);
    for _ in 0..8 {
        w.now.mono = w.node.poll_timeout();
        w.node.handle_timeout(w.now);
        w.sync();
    }
    assert_eq!(c.phase(), Phase::Closed);
    assert!(w.shared.store().tree.find("/e").is_none());
    assert!(w.shared.store().sessions.is_empty());
}

#[test]
fn a_multi_is_all_or_nothing() {
    let mut w = World::plain();
    let c = w.connect();
    let ops = vec![
        MultiOp { op: OpCode::Create, request: create("/m", 0) },
        MultiOp { op: OpCode::Create, request: create("/m/s-", 2) },
        MultiOp { op: OpCode::Delete, request: Request::Delete { path: "/nope".into(), version: -1 } },
        MultiOp { op: OpCode::Delete, request: Request::Delete { path: "/m".into(), version: -1 } },
    ];
    let (header, body) = w.ask(&c, OpCode::Multi, &Request::Multi(ops.clone()));
    assert_eq!(header.err, 0);
    let mut r = Reader::new(&body);
    for want in [0, 0, Code::NoNode.number(), Code::RuntimeInconsistency.number()] {
        let h = crate::proto::MultiHeader::decode(&mut r).unwrap();
        assert_eq!((h.kind, h.done, h.err), (-1, false, want));
        assert_eq!(r.i32().unwrap(), want);
    }
    assert!(w.shared.store().tree.find("/m").is_none());
    let (_, body) = w.ask(&c, OpCode::Multi, &Request::Multi(ops[..2].to_vec()));
    let mut r = Reader::new(&body);
    assert_eq!(crate::proto::MultiHeader::decode(&mut r).unwrap().kind, 1);
    assert_eq!(r.string().unwrap().as_deref(), Some("/m"));
    assert_eq!(crate::proto::MultiHeader::decode(&mut r).unwrap().kind, 1);
    assert_eq!(r.string().unwrap().as_deref(), Some("/m/s-0000000000"));
}

#[test]
fn a_full_disk_refuses_growth_and_lets_deletes_and_reads_through() {
    let mut w = World::plain();
    let c = w.connect();
    w.create(&c, "/a", 0);
    w.node.handle_storage(StorageState::Full);
    assert_eq!(w.create(&c, "/b", 0), Code::SystemError.number());
    assert_eq!(w.ask(&c, OpCode::SetData, &set("/a", b"x")).0.err, Code::SystemError.number());
    assert_eq!(w.ask(&c, OpCode::GetData, &get("/a", false)).0.err, 0);
    let delete = Request::Delete { path: "/a".into(), version: -1 };
    assert_eq!(w.ask(&c, OpCode::Delete, &delete).0.err, 0);
    w.node.handle_storage(StorageState::Good);
    assert_eq!(w.create(&c, "/b", 0), 0);
}

#[test]
fn container_and_ttl_nodes_are_reaped() {
    let mut w = World::plain();
    let c = w.connect();
    let acl = vec![Acl::open()];
    let kinds = [(CreateKind::Container, "/c", 4), (CreateKind::Ttl(50), "/t", 5)];
    for (kind, path, flags) in kinds {
        let request = Request::Create { kind, path: path.into(), data: None, acl: acl.clone(), flags };
        assert_eq!(w.ask(&c, kind.op(), &request).0.err, 0);
    }
    w.create(&c, "/c/child", 0);
    w.ask(&c, OpCode::Delete, &Request::Delete { path: "/c/child".into(), version: -1 });
    w.now.mono = Instant::from_millis(70_000);
    w.now.wall_ms += 70_000;
    w.node.handle_timeout(w.now);
    w.now.mono = Instant::from_millis(70_100);
    w.node.handle_timeout(w.now);
    w.sync();
    assert!(w.shared.store().tree.find("/c").is_none());
    assert!(w.shared.store().tree.find("/t").is_none());
}

#[test]
fn acl_masking_and_any_of() {
    let mut w = World::plain();
    let (a, b) = (w.connect(), w.connect());
    w.ask(&a, OpCode::Auth, &Request::Auth { scheme: "digest".into(), auth: Some(Proof(b"bob:pw")) });
    let list = vec![
        Acl { perms: perms::ALL, id: Id::new("auth", "") },
        Acl { perms: perms::READ, id: Id::new("world", "anyone") },
    ];
    let request =
        Request::Create { kind: CreateKind::Create2, path: "/x".into(), data: None, acl: list, flags: 0 };
    assert_eq!(w.ask(&a, OpCode::Create2, &request).0.err, 0);
    let (_, body) = w.ask(&b, OpCode::GetAcl, &Request::GetAcl { path: "/x".into() });
    let seen = records::read_acls(&mut Reader::new(&body)).unwrap();
    assert_eq!(seen[0].id, Id::new("digest", "bob:x"));
    let (_, body) = w.ask(&a, OpCode::GetAcl, &Request::GetAcl { path: "/x".into() });
    let seen = records::read_acls(&mut Reader::new(&body)).unwrap();
    assert!(seen[0].id.id.starts_with("bob:") && seen[0].id.id.len() > 8);
}

/// A small vocabulary of writes that collide often.
fn arbitrary_write() -> impl Strategy<Value = (OpCode, Request<'static>)> {
    let path = prop_oneof![
        Just("/a"),
        Just("/b"),
        Just("/a/x"),
        Just("/a/y"),
        Just("/a/x/z"),
        Just("/"),
        Just("/zookeeper/q"),
        Just("/a/s-")
    ];
    let single = (path, 0u8..7, 0i32..5, -1i32..3).prop_map(|(path, what, flags, version)| {
        let request = match what {
            0..=2 => create(path, flags),
            3 => Request::Delete { path: path.into(), version },
            4 => Request::SetData { path: path.into(), data: Some(b"data"), version },
            5 => Request::SetAcl { path: path.into(), acl: vec![Acl::open(), Acl::read_only()], version },
            _ => Request::Check { path: path.into(), version },
        };
        let op = match what {
            0..=2 => OpCode::Create,
            3 => OpCode::Delete,
            4 => OpCode::SetData,
            5 => OpCode::SetAcl,
            _ => OpCode::Check,
        };
        (op, request)
    });
    let multi = proptest::collection::vec(single.clone(), 0..5).prop_map(|parts| {
        let ops = parts.into_iter().filter(|(op, _)| *op != OpCode::SetAcl);
        let ops = ops.map(|(op, request)| MultiOp { op, request }).collect();
        (OpCode::Multi, Request::Multi(ops))
    });
    prop_oneof![4 => single.prop_filter("check stands in multis alone", |(op, _)| *op != OpCode::Check), 1 => multi]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is under way: what admission expects is what applying makes, digest by digest.
    #[test]
    fn admission_and_apply_agree(writes in proptest::collection::vec((arbitrary_write(), any::<bool>()), 1..60)) {
        let mut w = World::plain();
        let c = w.connect();
        for (i, ((op, request), sync)) in writes.iter().enumerate() {
            w.now.wall_ms += 1;
            w.send(&c, i as i32 + 1, *op, request);
            if *sync {
                w.sync();
            }
        }
        w.sync();
        let replies = w.frames(&c);
        prop_assert_eq!(replies.len(), writes.len());
        let xids: Vec<i32> = headers(&replies).iter().map(|(xid, _)| *xid).collect();
        prop_assert_eq!(xids, (1..=writes.len() as i32).collect::<Vec<_>>());
        let notes = w.notes.0.lock();
        prop_assert!(notes.is_empty(), "{:?}", notes);
    }
}
