//! The node by itself: requests in, proofs in, frames out.

mod ensemble;
mod learner;
mod local;
mod login;
mod order;
mod rights;
mod roles;
mod sessions;
mod writes;

use super::*;
use crate::config::Settings;
use crate::disk::{Durable, Synced};
use crate::error::Code;
use crate::jute::{Reader, Writer, records};
use crate::proto::{
    AddWatchMode, ConnectRequest, ConnectResponse, CreateKind, MultiOp, OpCode, Proof, ReplyHeader, Request,
    RequestHeader, WatcherEvent, xid,
};
use crate::tree::Tree;
use crate::types::{Acl, ConnId, Id, Instant, Now, ServerId, Zxid, perms};
use parking_lot::Mutex;
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
        World::made(ReplicaConfig::standalone, Node::new, adjust)
    }

    /// A member of an ensemble that looks for a leader.
    fn member(id: i64, adjust: impl FnOnce(&mut ReplicaConfig)) -> World {
        World::made(|s, seed| ReplicaConfig::member(s, ServerId(id), seed), Node::member, adjust)
    }

    fn made(
        config: impl FnOnce(&Settings, u64) -> ReplicaConfig,
        node: impl FnOnce(ReplicaConfig, Recovered, Now, Arc<dyn Observe>) -> Node,
        adjust: impl FnOnce(&mut ReplicaConfig),
    ) -> World {
        let mut settings = Settings::default();
        settings.session.tick_time = 1000;
        settings.session.min_session_timeout = 2000;
        settings.session.max_session_timeout = 20_000;
        settings.tree.extended_types_enabled = true;
        let mut config = config(&settings, 1);
        adjust(&mut config);
        let tree = Tree::new(config.tree);
        let now = Now { mono: Instant::from_millis(1), wall_ms: 1_700_000_000_000 };
        let notes = Arc::new(Notes::default());
        let recovered = Recovered { tree, sessions: HashMap::new() };
        let node = node(config, recovered, now, notes.clone());
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
            self.node.handle_durable(&durable(zxid), self.now);
        }
    }

    /// Sends a connect request.
    fn ask_session(&mut self, session_id: i64, password: Vec<u8>, read_only: bool) -> Arc<Conn> {
        let conn = self.dial();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 4000,
            session_id,
            password,
            read_only: Some(read_only),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.feed(&conn, &frame[4..]);
        conn
    }

    fn response(&mut self, conn: &Conn) -> Option<ConnectResponse> {
        self.frames(conn).pop().map(|f| ConnectResponse::decode(&f).unwrap())
    }

    fn connect_as(&mut self, session_id: i64, password: Vec<u8>) -> (Arc<Conn>, Option<ConnectResponse>) {
        let conn = self.ask_session(session_id, password, false);
        self.sync();
        let response = self.response(&conn);
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

/// Everything up to here is on an imaginary disk.
fn durable(zxid: Zxid) -> Durable<Zxid> {
    Durable::new(zxid, &Synced::by_disk())
}
