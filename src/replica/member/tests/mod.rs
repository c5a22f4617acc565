//! Members that elect, serve, fail and come back, wired by hand.

mod net;
mod observers;
mod reconfig;

use super::*;
use crate::jute::Reader;
use crate::proto::{ConnectRequest, ConnectResponse, CreateKind, OpCode, ReplyHeader, Request as Asked};
use crate::replica::{Accepted, Wake, accept};
use crate::types::{Acl, ConnId};
use net::Room3;

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

/// A client of one member.
struct Client {
    server: i64,
    conn: Arc<Conn>,
    xid: i32,
}

impl Room3 {
    fn feed(&mut self, server: i64, conn: &Arc<Conn>, body: &[u8]) {
        let shared = self.servers[&server].member.shared();
        match accept(&shared, conn, body, self.now.mono, self.now, false) {
            Accepted::ToCore(input) => self.give(server, MemberInput::Client(input)),
            Accepted::Answered => {}
            other => panic!("{other:?}"),
        }
        self.settle();
    }

    fn connect(&mut self, server: i64) -> Client {
        let peer = "127.0.0.1:4000".parse().unwrap();
        let conn = Conn::new(ConnId(self.now.mono.0), peer, false, self.now, Box::new(NoWake));
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 20_000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.feed(server, &conn, &frame[4..]);
        let answer = frames(&conn).pop().expect("an answer to connect");
        assert_ne!(ConnectResponse::decode(&answer).unwrap().session_id, 0);
        self.now.mono = self.now.mono + std::time::Duration::from_millis(1);
        Client { server, conn, xid: 0 }
    }

    /// One request, and the code of its reply.
    fn ask(&mut self, client: &mut Client, op: OpCode, request: &Asked<'_>) -> Option<i32> {
        client.xid += 1;
        let mut body = Vec::new();
        let mut w = crate::jute::Writer::new(&mut body);
        w.i32(client.xid);
        w.i32(op.number());
        request.encode_record(&mut body);
        self.feed(client.server, &client.conn, &body);
        let frame = frames(&client.conn).pop()?;
        let header = ReplyHeader::decode(&mut Reader::new(&frame)).unwrap();
        assert_eq!(header.xid, client.xid);
        Some(header.err)
    }

    fn create(&mut self, client: &mut Client, path: &str) -> Option<i32> {
        let acl = vec![Acl::open()];
        let kind = CreateKind::Create;
        let request = Asked::Create { kind, path: path.into(), data: Some(b"d"), acl, flags: 0 };
        self.ask(client, OpCode::Create, &request)
    }

    fn exists(&self, server: i64, path: &str) -> bool {
        self.servers[&server].member.shared().store().tree.find(path).is_some()
    }

    /// Every member shows the same state.
    fn agree(&mut self) {
        self.pass(50);
        let shown = |s: &net::Server| {
            let shared = s.member.shared();
            let store = shared.store();
            (store.tree.last_zxid(), store.tree.digest(), store.sessions.len())
        };
        let all: Vec<_> = self.servers.values().map(shown).collect();
        assert!(all.windows(2).all(|w| w[0] == w[1]), "{all:?}");
    }
}

fn frames(conn: &Conn) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    conn.take_outgoing(&mut bytes);
    let mut out = Vec::new();
    let mut r = Reader::new(&bytes);
    while !r.is_empty() {
        out.push(r.buffer().unwrap().unwrap().to_vec());
    }
    out
}

#[test]
fn three_members_elect_write_through_followers_lose_the_leader_and_go_on() {
    let mut room = Room3::new(3, |_| {});
    let leader = room.elect();
    assert_eq!(leader, 3, "equal histories: the largest number");
    let (mut one, mut three) = (room.connect(1), room.connect(3));
    assert_eq!(room.create(&mut one, "/a"), Some(0), "through a follower");
    assert_eq!(room.create(&mut three, "/b"), Some(0), "at the leader");
    assert_eq!(room.create(&mut one, "/b"), Some(-110));
    assert_eq!(room.ask(&mut one, OpCode::Sync, &Asked::Sync { path: "/".into() }), Some(0));
    room.agree();
    assert!(room.exists(2, "/a") && room.exists(2, "/b"));

    room.kill(3);
    let leader = room.elect();
    assert_eq!(leader, 2);
    let mut one = room.connect(1);
    assert_eq!(room.create(&mut one, "/c"), Some(0));
    room.start(3);
    room.elect();
    room.agree();
    assert!(room.exists(3, "/a") && room.exists(3, "/c"), "it was brought up");
}

#[test]
fn a_new_leader_needs_no_timer() {
    let mut room = Room3::new(3, |_| {});
    assert_eq!(room.elect(), 3);
    let before = room.now.mono;
    room.kill(3);
    room.settle();
    assert_eq!(room.leader(), Some(2), "after kill -9, as fast as messages and syncs go");
    room.start(3);
    room.elect();
    let before_transfer = room.now.mono;
    room.give(2, MemberInput::Transfer { to: Some(ServerId(1)) });
    room.settle();
    assert_eq!(room.leader(), Some(1), "after a hand-over with everybody there");
    room.give(1, MemberInput::Stop);
    room.settle();
    room.kill(1);
    room.settle();
    assert!(room.leader().is_some(), "after a stop");
    assert_eq!(room.now.mono, before_transfer);
    assert!(before < before_transfer);
}

#[test]
fn without_a_quorum_nothing_is_acknowledged() {
    let mut room = Room3::new(3, |_| {});
    let leader = room.elect();
    let mut client = room.connect(leader);
    let others: Vec<i64> = (1..=3).filter(|id| *id != leader).collect();
    for id in &others {
        room.kill(*id);
    }
    assert_eq!(room.create(&mut client, "/lost"), None);
    room.pass(10_000);
    assert_eq!(room.servers[&leader].member.role(), Role::Looking, "it stepped down");
    for id in &others {
        room.start(*id);
    }
    let leader = room.elect();
    room.agree();
    let mut client = room.connect(leader);
    // The old leader had it durably, hence it is history now: not acknowledged is not undone.
    assert_eq!(room.create(&mut client, "/lost"), Some(-110));
}

#[test]
fn alone_it_leads() {
    let mut room = Room3::new(1, |_| {});
    assert_eq!(room.elect(), 1);
    let mut client = room.connect(1);
    assert_eq!(room.create(&mut client, "/a"), Some(0));
    room.kill(1);
    room.start(1);
    room.elect();
    assert!(room.exists(1, "/a"));
}

#[test]
fn the_leadership_is_handed_over_on_request_and_at_stop() {
    let mut room = Room3::new(3, |_| {});
    assert_eq!(room.elect(), 3);
    let mut client = room.connect(1);
    assert_eq!(room.create(&mut client, "/a"), Some(0));
    room.give(3, MemberInput::Transfer { to: Some(ServerId(1)) });
    room.settle();
    assert_eq!(room.servers[&3].transferred, [Ok(())]);
    assert_eq!(room.elect(), 1, "the one that was chosen, though its number is the smallest");
    room.give(2, MemberInput::Transfer { to: None });
    room.settle();
    assert_eq!(room.servers[&2].transferred, [Err("this member does not lead".to_owned())]);
    room.give(1, MemberInput::Stop);
    room.settle();
    assert_eq!(room.servers[&1].member.role(), Role::Out);
    room.kill(1);
    assert_ne!(room.elect(), 1);
    room.agree();
}

#[test]
fn a_leader_whose_disk_fails_leaves_and_others_go_on() {
    let mut room = Room3::new(3, |_| {});
    let leader = room.elect();
    let mut client = room.connect(leader);
    assert_eq!(room.create(&mut client, "/a"), Some(0));
    let disk = room.disks[&leader].clone();
    disk.fail_at(disk.ops() + 1, crate::disk::mem::Fault::Io, true);
    room.create(&mut client, "/b");
    room.pass(100);
    assert_eq!(room.servers[&leader].member.role(), Role::Out);
    room.kill(leader);
    room.elect();
    let other = *room.servers.keys().next().unwrap();
    let mut client = room.connect(other);
    assert_eq!(room.create(&mut client, "/c"), Some(0));
    assert!(room.exists(other, "/a"));
}

#[test]
fn a_wiped_member_learns_before_it_votes() {
    let mut room = Room3::new(3, |_| {});
    room.elect();
    let mut client = room.connect(1);
    for i in 0..20 {
        assert_eq!(room.create(&mut client, &format!("/n{i}")), Some(0));
    }
    room.kill(1);
    room.disks.insert(1, crate::disk::mem::MemDisk::new());
    room.start(1);
    room.elect();
    room.agree();
    assert!(room.exists(1, "/n19"));
    room.kill(1);
    room.start(1);
    room.elect();
    room.agree();
}

#[test]
fn members_that_lag_are_brought_up_from_the_log_and_by_snapshot() {
    let mut room = Room3::new(3, |c| c.window = 5);
    room.elect();
    let mut client = room.connect(2);
    room.create(&mut client, "/base");
    room.kill(1);
    for i in 0..30 {
        assert_eq!(room.create(&mut client, &format!("/n{i}")), Some(0));
    }
    room.start(1);
    room.elect();
    room.agree();
    assert!(room.exists(1, "/n0") && room.exists(1, "/n29"));
}

/// Changes the tree of one member behind everybody's back.
fn falsify(room: &Room3, server: i64) {
    let shared = room.servers[&server].member.shared();
    let tree = &mut shared.store_mut().tree;
    let header = crate::txn::TxnHeader { zxid: tree.last_zxid(), time: 7, ..Default::default() };
    let txn = crate::txn::Txn::SetData { path: "/a".into(), data: Some("wrong".into()), version: 9 };
    tree.apply(&header, &txn, &mut crate::tree::Changes::default());
}

#[test]
fn a_member_whose_tree_differs_learns_it_anew() {
    let mut room = Room3::new(3, |_| {});
    assert_eq!(room.elect(), 3);
    let mut client = room.connect(2);
    assert_eq!(room.create(&mut client, "/a"), Some(0));
    falsify(&room, 1);
    assert_eq!(room.create(&mut client, "/b"), Some(0));
    room.elect();
    room.agree();
    let why = room.servers[&1].roles.iter().any(|r| r.why.contains("the digest here is"));
    assert!(why, "{:?}", room.servers[&1].roles);

    assert_eq!(room.create(&mut client, "/agreed"), Some(0));
    for server in 1..=3 {
        falsify(&room, server);
    }
    room.create(&mut client, "/c");
    room.elect();
    room.agree();
    let mut client = room.connect(1);
    assert_eq!(room.create(&mut client, "/d"), Some(0), "they serve again, from their disks");
}

#[test]
fn an_uncommitted_tail_is_cut() {
    let mut room = Room3::new(3, |_| {});
    let leader = room.elect();
    let mut client = room.connect(leader);
    assert_eq!(room.create(&mut client, "/kept"), Some(0));
    for id in (1..=3).filter(|id| *id != leader) {
        room.servers.get_mut(&id).unwrap().stalled = true;
    }
    assert_eq!(room.create(&mut client, "/cut"), None, "only the leader has it durably");
    room.kill(leader);
    for s in room.servers.values_mut() {
        s.stalled = false;
    }
    // What the followers had received and not synced is lost with them.
    for id in (1..=3).filter(|id| *id != leader) {
        room.kill(id);
        room.start(id);
    }
    let new = room.elect();
    let mut client = room.connect(new);
    assert_eq!(room.create(&mut client, "/after"), Some(0));
    room.start(leader);
    room.elect();
    room.agree();
    assert!(!room.exists(leader, "/cut") && room.exists(leader, "/after"));
}
