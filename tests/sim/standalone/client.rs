//! A simulated client: what it asked, what it was told, what it may rely on.
//!
//! # Invariants
//!
//! * It believes only frames; a lost connection leaves its requests without an answer.

use oxkeeper::driver::Spread;
use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{CreateKind, MultiOp, OpCode, ReplyHeader, Request};
use oxkeeper::replica::Conn;
use oxkeeper::types::Acl;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a client has under way.
#[derive(Clone, Debug)]
pub enum Sent {
    Get { path: String, watch: bool },
    Write { op: OpCode },
    Children { path: String },
    Other,
    Close,
}

#[derive(Default)]
pub struct Client {
    pub conn: Option<Arc<Conn>>,
    /// Connect request sent, no answer yet.
    pub connecting: bool,
    /// Session and password, once it has one.
    pub session: Option<(i64, Vec<u8>)>,
    pub last_zxid: i64,
    pub next_xid: i32,
    pub sent: VecDeque<(i32, Sent)>,
    /// One-shot data watches: path, and mzxid when it was set.
    pub watches: HashMap<String, i64>,
}

const PATHS: [&str; 7] = ["/a", "/b", "/a/x", "/a/y", "/b/z", "/a/x/1", "/c"];

impl Client {
    /// Everything that belonged to the connection is gone.
    pub fn lose_connection(&mut self) {
        self.conn = None;
        self.connecting = false;
        self.sent.clear();
        self.watches.clear();
    }

    /// Draws a request; its frame body.
    pub fn ask(&mut self, rng: &mut Spread) -> Vec<u8> {
        let path = PATHS[rng.below(PATHS.len() as u64) as usize].to_owned();
        let (op, request, sent) = match rng.below(100) {
            0..=24 => {
                let watch = rng.below(3) == 0;
                (
                    OpCode::GetData,
                    Request::GetData { path: path.clone().into(), watch },
                    Sent::Get { path, watch },
                )
            }
            25..=44 => write(OpCode::Create, create(&path, [0, 0, 1, 2, 3][rng.below(5) as usize], rng)),
            45..=64 => {
                let version = if rng.below(4) == 0 { rng.below(4) as i32 } else { -1 };
                let value: &'static [u8] =
                    [&b"one"[..], b"two", b"", b"a longer value"][rng.below(4) as usize];
                write(OpCode::SetData, Request::SetData { path: path.into(), data: Some(value), version })
            }
            65..=76 => write(OpCode::Delete, Request::Delete { path: path.into(), version: -1 }),
            77..=84 => multi(&path, rng),
            85..=90 => {
                let sent = Sent::Children { path: path.clone() };
                (
                    OpCode::GetChildren,
                    Request::GetChildren { path: path.into(), watch: false, with_stat: false },
                    sent,
                )
            }
            91..=93 => (OpCode::Sync, Request::Sync { path: path.into() }, Sent::Other),
            94..=95 => {
                let request = Request::SetAcl {
                    path: path.into(),
                    acl: vec![Acl::open(), Acl::read_only()],
                    version: -1,
                };
                write(OpCode::SetAcl, request)
            }
            96..=98 => (OpCode::Ping, Request::Ping, Sent::Other),
            _ => (OpCode::CloseSession, Request::CloseSession, Sent::Close),
        };
        self.frame(op, &request, sent)
    }

    /// A ping, which keeps the session alive.
    pub fn ping(&mut self) -> Vec<u8> {
        self.frame(OpCode::Ping, &Request::Ping, Sent::Other)
    }

    fn frame(&mut self, op: OpCode, request: &Request<'_>, sent: Sent) -> Vec<u8> {
        self.next_xid += 1;
        let xid = if op == OpCode::Ping { -2 } else { self.next_xid };
        self.sent.push_back((xid, sent));
        let mut body = Vec::new();
        let mut w = Writer::new(&mut body);
        w.i32(xid);
        w.i32(op.number());
        request.encode_record(&mut body);
        body
    }

    /// Takes the frames that wait for it.
    pub fn frames(&mut self) -> (Vec<Vec<u8>>, bool) {
        let Some(conn) = &self.conn else { return (Vec::new(), false) };
        let mut bytes = Vec::new();
        let out = conn.take_outgoing(&mut bytes);
        let mut r = Reader::new(&bytes);
        let mut frames = Vec::new();
        while !r.is_empty() {
            frames.push(r.buffer().expect("a whole frame").expect("a frame").to_vec());
        }
        (frames, out.close_after)
    }

    /// The next answer belongs to the oldest request (I11).
    pub fn answered(&mut self, header: &ReplyHeader) -> Sent {
        let (xid, sent) = self.sent.pop_front().expect("I11: an answer nobody asked for");
        assert_eq!(xid, header.xid, "I11: answers out of order");
        assert!(header.zxid.0 >= self.last_zxid, "I11: zxid went back");
        self.last_zxid = header.zxid.0;
        sent
    }
}

fn write(op: OpCode, request: Request<'static>) -> (OpCode, Request<'static>, Sent) {
    (op, request, Sent::Write { op })
}

fn create(path: &str, flags: i32, rng: &mut Spread) -> Request<'static> {
    let acl = vec![Acl::open()];
    let data: &'static [u8] = if rng.below(2) == 0 { b"made" } else { b"" };
    Request::Create { kind: CreateKind::Create, path: path.to_owned().into(), data: Some(data), acl, flags }
}

/// Two nodes that exist together or not at all (I12).
fn multi(path: &str, rng: &mut Spread) -> (OpCode, Request<'static>, Sent) {
    let mut ops = Vec::new();
    let twins = ["/left", "/right"];
    for twin in twins {
        let part = match rng.below(2) {
            _ if path == "/a" => Request::Delete { path: twin.into(), version: -1 },
            _ => create(twin, 0, rng),
        };
        let op = if matches!(part, Request::Delete { .. }) { OpCode::Delete } else { OpCode::Create };
        ops.push(MultiOp { op, request: part });
    }
    if rng.below(3) == 0 {
        let request = Request::SetData { path: path.to_owned().into(), data: Some(b"multi"), version: -1 };
        ops.push(MultiOp { op: OpCode::SetData, request });
    }
    write(OpCode::Multi, Request::Multi(ops))
}
