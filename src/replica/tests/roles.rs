//! What a node is to its ensemble: leading, looking, reading only; and what leaders refuse.

use super::ensemble::Ensemble;
use super::*;
use crate::peer::{Forwarded, Touch};
use crate::session::password;
use crate::txn::{Record, Txn, TxnDigest, TxnHeader, decode, kind};
use crate::types::{LinkId, SessionId};
use crate::zab::Proposal;
use bytes::Bytes;

const LINK: LinkId = LinkId(9);

fn forwarded(session: i64, op: i32, record: &[u8]) -> Forwarded {
    Forwarded { session: SessionId(session), cxid: 3, op, record: Bytes::copy_from_slice(record) }
}

/// The transactions that a node wants logged.
fn made(w: &mut World) -> Vec<Record> {
    let mut appends = Vec::new();
    w.node.take_appends(&mut appends);
    appends.iter().map(|a| decode(&a.bytes).unwrap()).collect()
}

fn leader(adjust: impl Fn(&mut ReplicaConfig)) -> World {
    let mut w = World::member(1, adjust);
    w.node.lead(7, w.now);
    w
}

#[test]
fn a_leader_counts_from_one_in_its_epoch_and_its_disk_alone_commits_nothing() {
    let mut w = leader(|_| {});
    let conn = w.ask_session(0, vec![], false);
    let records = made(&mut w);
    assert_eq!(records[0].header.zxid, Zxid::new(7, 1));
    w.node.handle_durable(&durable(Zxid::new(7, 1)), w.now);
    assert!(w.response(&conn).is_none());
    w.node.handle_committed(Zxid::new(7, 1), w.now);
    assert_ne!(w.response(&conn).unwrap().session_id, 0);
}

#[test]
fn a_leader_gives_every_session_a_full_time_out_and_takes_back_its_orphans_by_transactions() {
    let mut w = World::member(1, |_| {});
    let mut sessions = HashMap::new();
    sessions.insert(5, 4000);
    let mut tree = Tree::new(w.shared.config().tree);
    for (zxid, owner) in [(1, 5), (2, 6)] {
        let header = TxnHeader { client_id: owner, cxid: 1, zxid: Zxid(zxid), time: 1, kind: kind::CREATE };
        let path = format!("/e{owner}");
        let acl = vec![Acl::open()];
        let new =
            crate::txn::CreateTxn { path, data: None, acl, ephemeral: true, parent_cversion: zxid as i32 };
        tree.apply(&header, &Txn::Create(new), &mut Default::default());
    }
    w.node.replace(Recovered { tree, sessions }, w.now);
    w.now.mono = Instant::from_millis(60_000);
    w.node.lead(3, w.now);
    let records = made(&mut w);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].header.client_id, records[0].header.kind), (6, kind::CLOSE_SESSION));
    w.node.handle_committed(records[0].header.zxid, w.now);
    assert!(w.shared.store().tree.find("/e6").is_none());
    let mut ended = Vec::new();
    for tick in 61..=66 {
        w.now.mono = Instant::from_millis(tick * 1000);
        w.node.handle_timeout(w.now);
        ended.extend(made(&mut w).iter().map(|record| (tick, record.header.client_id)));
    }
    assert_eq!(ended, vec![(65, 5)], "its time began with the role");
}

#[test]
fn the_last_zxid_of_an_epoch_is_not_handed_out() {
    let mut w = World::member(1, |_| {});
    let mut tree = Tree::new(w.shared.config().tree);
    tree.set_last_zxid(Zxid::new(6, 9));
    w.node.replace(Recovered { tree, sessions: HashMap::new() }, w.now);
    w.node.lead(7, w.now);
    w.node.last_proposed = Zxid::new(7, u32::MAX - 2);
    let conn = w.ask_session(0, vec![], false);
    assert_eq!(made(&mut w)[0].header.zxid, Zxid::new(7, u32::MAX - 1));
    assert!(w.node.step_down().is_none());
    w.node.handle_committed(Zxid::new(7, u32::MAX - 1), w.now);
    assert_ne!(w.response(&conn).unwrap().session_id, 0);
    w.send(&conn, 1, OpCode::Create, &create("/a", 0));
    w.node.forwarded(LINK, forwarded(77, OpCode::CreateSession.number(), &[0, 0, 16, 0]), vec![], w.now);
    assert!(made(&mut w).is_empty());
    assert!(w.node.step_down().unwrap().contains("epoch"));
    assert_eq!(conn.in_flight(), 0);
}

#[test]
fn a_forwarded_request_always_ends_in_a_transaction_of_its_own() {
    let mut w = leader(|_| {});
    w.node.forwarded(LINK, forwarded(77, OpCode::CreateSession.number(), &[0, 0, 16, 0]), vec![], w.now);
    let mut record = Vec::new();
    create("/a", 0).encode_record(&mut record);
    let bad = [
        (77, OpCode::Create.number(), &record[..5], Code::MarshallingError),
        (77, OpCode::Multi.number(), &record[..5], Code::MarshallingError),
        (77, OpCode::CreateSession.number(), &record[..2], Code::MarshallingError),
        (77, 4711, &record[..], Code::Unimplemented),
        (77, OpCode::GetData.number(), &record[..], Code::Unimplemented),
        (77, OpCode::DeleteContainer.number(), &record[..], Code::Unimplemented),
        (77, OpCode::Check.number(), &record[..], Code::Unimplemented),
        (78, OpCode::Create.number(), &record[..], Code::SessionExpired),
    ];
    for (session, op, record, _) in &bad {
        w.node.forwarded(LINK, forwarded(*session, *op, record), vec![], w.now);
    }
    w.node.forwarded(LINK, forwarded(77, OpCode::Create.number(), &record), vec![], w.now);
    w.node.forwarded(LinkId(8), forwarded(77, OpCode::Create.number(), &record), vec![], w.now);
    let records = made(&mut w);
    assert_eq!(records.len(), bad.len() + 3);
    for (i, record) in records.iter().enumerate() {
        assert_eq!((record.header.zxid, record.header.cxid), (Zxid::new(7, i as u32 + 1), 3));
    }
    for (record, (session, _, _, code)) in records[1..].iter().zip(bad) {
        assert_eq!(record.header.client_id, session);
        assert_eq!(record.txn, Txn::Error { err: code.number() });
    }
    assert!(matches!(records[bad.len() + 1].txn, Txn::Create(_)));
    assert_eq!(records[bad.len() + 2].txn, Txn::Error { err: Code::SessionMoved.number() });
}

#[test]
fn a_forwarded_write_has_the_rights_of_its_client() {
    let mut w = leader(|c| c.providers.digest = Some(crate::auth::DigestAlgorithm::Sha1));
    w.node.forwarded(LINK, forwarded(77, OpCode::CreateSession.number(), &[0, 0, 16, 0]), vec![], w.now);
    let mut record = Vec::new();
    let acl = vec![Acl { perms: perms::ALL, id: Id::new("digest", "me:hash") }];
    let request = Request::Create { kind: CreateKind::Create, path: "/s".into(), data: None, acl, flags: 0 };
    request.encode_record(&mut record);
    w.node.forwarded(LINK, forwarded(77, OpCode::Create.number(), &record), vec![], w.now);
    let mut record = Vec::new();
    create("/s/child", 0).encode_record(&mut record);
    for auth in [vec![], vec![Id::new("digest", "me:hash")]] {
        w.node.forwarded(LINK, forwarded(77, OpCode::Create.number(), &record), auth, w.now);
    }
    let records = made(&mut w);
    assert_eq!(records[2].txn, Txn::Error { err: Code::NoAuth.number() });
    assert!(matches!(records[3].txn, Txn::Create(_)));
}

#[test]
fn looking_ends_every_connection_and_the_tree_becomes_the_durable_log() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(0);
    let last = e.leader().node.last_proposed();
    for path in ["/a", "/b", "/c"] {
        e.send(0, &c, 1, OpCode::Create, &create(path, 0));
    }
    e.send(0, &c, 2, OpCode::GetData, &get("/a", false));
    let w = e.leader();
    w.node.look(w.now);
    assert_eq!((c.phase(), c.in_flight(), w.shared.outstanding()), (Phase::Closed, 0, 0));
    w.node.handle_committed(Zxid(last.0 + 3), w.now);
    assert!(w.shared.store().tree.find("/a").is_none(), "nothing is committed without a role");
    w.node.fast_forward(&durable(Zxid(last.0 + 2)));
    let found = |w: &World, path: &str| w.shared.store().tree.find(path).is_some();
    assert!(found(w, "/a") && found(w, "/b") && !found(w, "/c"));
    assert_eq!((w.node.last_proposed(), w.node.in_process()), (Zxid(last.0 + 2), 0));
    assert!(w.frames(&c).is_empty(), "and nobody was answered");
    let stranger = w.ask_session(0, vec![], false);
    assert_eq!(stranger.phase(), Phase::Closed);
    w.node.lead(2, w.now);
    let again = w.ask_session(0, vec![], false);
    assert_eq!(made(w)[0].header.zxid, Zxid::new(2, 1));
    assert_eq!(again.phase(), Phase::Connecting);
}

#[test]
fn what_was_asked_in_an_earlier_role_is_not_asked_again() {
    let mut e = Ensemble::plain(2);
    for home in [0, 1] {
        let c = e.connect(home);
        let w = &mut e.members[home];
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body);
        [1, OpCode::Create.number()].into_iter().for_each(|n| writer.i32(n));
        create("/late", 0).encode_record(&mut body);
        let Accepted::ToCore(input) = accept(&w.shared, &c, &body, w.now.mono, w.now, false) else {
            panic!()
        };
        let last = w.node.last_proposed();
        w.node.look(w.now);
        w.node.fast_forward(&durable(last));
        match home {
            0 => w.node.lead(2, w.now),
            _ => {
                w.node.learn(w.now);
                w.node.serve();
            }
        }
        w.node.handle(input, w.now);
        let mut out = Vec::new();
        w.node.take_to_leader(&mut out);
        assert!(made(w).is_empty() && out.is_empty());
        assert_eq!((c.in_flight(), w.shared.outstanding()), (0, 0));
    }
}

#[test]
fn a_learner_that_looks_keeps_what_is_durable_of_its_proposals() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(1);
    for path in ["/a", "/b"] {
        e.send(1, &c, 1, OpCode::Create, &create(path, 0));
        e.up(1);
        e.down(1);
    }
    e.send(1, &c, 2, OpCode::Sync, &Request::Sync { path: "/a".into() });
    let last = e.members[1].node.last_proposed();
    let w = &mut e.members[1];
    w.node.look(w.now);
    w.node.fast_forward(&durable(last));
    assert_eq!((c.phase(), c.in_flight(), w.shared.outstanding()), (Phase::Closed, 0, 0));
    assert!(w.shared.store().tree.find("/b").is_some());
    let mut out = Vec::new();
    w.node.take_to_leader(&mut out);
    assert!(out.is_empty());
}

#[test]
fn nobody_is_served_before_the_leader_says_so() {
    let mut w = World::member(2, |_| {});
    w.node.learn(w.now);
    let early = w.ask_session(0, vec![], false);
    assert_eq!(early.phase(), Phase::Closed);
    w.node.serve();
    let late = w.ask_session(0, vec![], false);
    assert_eq!(late.phase(), Phase::Connecting);
}

#[test]
fn a_read_only_server_serves_reads_to_those_who_accept_it() {
    let mut w = World::member(1, |c| c.local_sessions = true);
    let committed = SessionId(5);
    let sessions = HashMap::from([(committed.0, 4000)]);
    w.node.replace(Recovered { tree: Tree::new(w.shared.config().tree), sessions }, w.now);
    w.node.read_only(w.now);
    assert_eq!(w.ask_session(0, vec![], false).phase(), Phase::Closed);
    let global = w.ask_session(committed.0, password(committed).to_vec(), true);
    assert_eq!((global.phase(), w.frames(&global).len()), (Phase::Closed, 0));
    let c = w.ask_session(0, vec![], true);
    let response = w.response(&c).unwrap();
    assert_eq!(response.read_only, Some(true));
    let sync = Request::Sync { path: "/".into() };
    assert_eq!(w.ask(&c, OpCode::GetData, &get("/", false)).0.err, 0);
    assert_eq!(w.ask(&c, OpCode::Create, &create("/a", 0)).0.err, Code::NotReadOnly.number());
    assert_eq!(w.ask(&c, OpCode::Sync, &sync).0.err, Code::NotReadOnly.number());
    let (again, taken) = {
        let conn = w.ask_session(response.session_id, response.password.to_vec(), true);
        let taken = w.response(&conn);
        (conn, taken)
    };
    assert_eq!((c.phase(), taken.unwrap().session_id), (Phase::Closed, response.session_id));
    assert_eq!(w.ask(&again, OpCode::CloseSession, &Request::CloseSession).0.err, 0);
    w.node.lead(4, w.now);
    assert!(made(&mut w).is_empty(), "nothing of it is in any log");
}

#[test]
fn a_read_only_server_without_local_sessions_has_none_to_give() {
    let mut w = World::member(1, |_| {});
    w.node.read_only(w.now);
    let c = w.ask_session(0, vec![], true);
    assert_eq!(headers(&w.frames(&c)), vec![(0, Code::NotReadOnly.number())]);
    assert_eq!(c.phase(), Phase::Closed);
}

#[test]
fn a_sync_that_a_quorum_confirms_is_answered_behind_a_commit_of_its_own() {
    let mut e = Ensemble::new(2, |c| c.linearizable_sync = true);
    let (a, b) = (e.connect(0), e.connect(1));
    let before = e.history.len();
    let sync = Request::Sync { path: "/".into() };
    e.send(0, &a, 1, OpCode::Sync, &sync);
    e.send(1, &b, 1, OpCode::Sync, &sync);
    e.up(1);
    assert_eq!(e.history.len(), before + 2);
    assert_eq!(e.headers(0, &a), vec![]);
    e.commit();
    assert_eq!(e.headers(0, &a), vec![(1, 0)]);
    assert_eq!(e.headers(1, &b), vec![]);
    e.settle();
    assert_eq!(e.headers(1, &b), vec![(1, 0)]);
    e.assert_equal();
}

/// A transaction whose digest is not what it makes of the tree.
fn lie(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 1, kind: kind::CREATE };
    let acl = vec![Acl::open()];
    let path = format!("/lie{}", zxid.counter());
    let new = crate::txn::CreateTxn { path, data: None, acl, ephemeral: false, parent_cversion: 9 };
    let digest = Some(TxnDigest { version: crate::txn::DIGEST_VERSION, digest: 4711 });
    Proposal { zxid, bytes: Record { header, txn: Txn::Create(new), digest }.to_bytes().into() }
}

#[test]
fn a_replica_that_differs_serves_nobody_until_its_state_is_replaced() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(1);
    assert_eq!(e.ask(1, &c, OpCode::Create, &create("/a", 0)), 0);
    let agreed = e.members[1].node.last_proposed();
    let w = &mut e.members[1];
    let lies = lie(Zxid(agreed.0 + 1));
    w.node.proposed(&lies, w.now).unwrap();
    w.node.handle_committed(lies.zxid, w.now);
    let found = w.node.divergence().expect("it was noticed").clone();
    assert_eq!((found.zxid, found.recorded, found.agreed), (lies.zxid, 4711, Some(agreed)));
    assert_eq!(found.transaction, lies.bytes);
    assert_eq!(found.file_name(), format!("divergence.{:x}", lies.zxid.0));
    assert!(found.report().contains("0x1267") && found.report().ends_with("1267\n"), "{}", found.report());
    assert_eq!(c.phase(), Phase::Closed);
    assert_eq!(w.ask_session(0, vec![], false).phase(), Phase::Closed);
    w.node.look(w.now);
    w.node.learn(w.now);
    let tree = Tree::new(w.shared.config().tree);
    w.node.replace(Recovered { tree, sessions: HashMap::new() }, w.now);
    w.node.serve();
    assert!(w.node.divergence().is_none());
    assert_eq!(w.ask_session(0, vec![], false).phase(), Phase::Connecting);
    // The same difference again, from the start: reported, and served as ZooKeeper does.
    let again = lie(Zxid(agreed.0 + 9));
    w.node.proposed(&again, w.now).unwrap();
    w.node.handle_committed(again.zxid, w.now);
    assert!(w.node.divergence().is_none());
    assert!(w.notes.0.lock().iter().filter(|n| n.starts_with("DigestMismatch")).count() == 2);
}

#[test]
fn a_state_streamed_under_traffic_is_not_judged_before_all_of_it_is_there() {
    let mut w = World::member(2, |_| {});
    w.node.learn(w.now);
    let tree = Tree::new(w.shared.config().tree);
    w.node.replace(Recovered { tree, sessions: HashMap::new() }, w.now);
    for (counter, judged) in [(1, false), (2, true)] {
        let lies = lie(Zxid::new(1, counter));
        w.node.proposed(&lies, w.now).unwrap();
        w.node.handle_committed(lies.zxid, w.now);
        assert_eq!(w.node.divergence().is_some(), judged);
        w.node.serve();
    }
}

#[test]
fn a_leader_keeps_the_time_that_its_learners_tell() {
    let mut w = leader(|_| {});
    w.node.forwarded(LINK, forwarded(77, OpCode::CreateSession.number(), &[0, 0, 16, 0]), vec![], w.now);
    let touch = Touch { session: SessionId(77), timeout: 9000 };
    w.node.touched(&[touch, Touch { session: SessionId(1), timeout: 5 }], w.now);
    w.shared.with_sessions(|s| {
        assert_eq!(s.get(SessionId(77)).unwrap().timeout_ms(), 9000);
        assert_eq!(s.len(), 1);
    });
    assert!(w.node.revalidate(LinkId(8), touch, w.now).valid);
    assert!(!w.node.revalidate(LINK, Touch { session: SessionId(1), timeout: 5 }, w.now).valid);
}
