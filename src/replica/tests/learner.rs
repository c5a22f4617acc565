//! A learner's pipeline: what it forwards, in which order it answers.

use super::ensemble::Ensemble;
use super::*;
use crate::peer::{Revalidation, Touch};
use crate::session::password;
use crate::txn::{Record, Txn, TxnHeader, kind};
use crate::types::SessionId;
use crate::zab::Proposal;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn a_write_goes_to_the_leader_once_and_is_answered_after_its_commit() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(1);
    e.send(1, &c, 5, OpCode::Create, &create("/a", 0));
    assert_eq!(e.on_the_way(1).len(), 1);
    assert_eq!((e.on_the_way(1)[0].cxid, e.on_the_way(1)[0].session), (5, c.session_id()));
    assert!(e.up(1) && !e.up(1));
    assert!(e.down(1), "the proposal");
    assert_eq!(e.headers(1, &c), vec![], "proposed is not committed");
    assert!(e.commit() && e.down(1));
    assert_eq!(e.headers(1, &c), vec![(5, 0)]);
    assert_eq!((c.in_flight(), e.members[1].node.in_process()), (0, 0));
    e.assert_equal();
}

#[test]
fn a_read_waits_for_the_writes_of_its_session_alone() {
    let mut e = Ensemble::plain(2);
    let (a, b) = (e.connect(1), e.connect(1));
    assert_eq!(e.ask(1, &a, OpCode::Create, &create("/a", 0)), 0);
    e.send(1, &a, 1, OpCode::SetData, &set("/a", b"one"));
    e.send(1, &a, 2, OpCode::GetData, &get("/a", false));
    e.send(1, &a, 3, OpCode::SetData, &set("/a", b"two"));
    e.send(1, &a, 4, OpCode::GetData, &get("/a", false));
    e.send(1, &b, 1, OpCode::GetData, &get("/a", false));
    assert_eq!(e.headers(1, &b), vec![(1, 0)], "another session does not wait");
    assert_eq!(e.headers(1, &a), vec![]);
    e.settle();
    let frames = e.members[1].frames(&a);
    assert_eq!(headers(&frames), vec![(1, 0), (2, 0), (3, 0), (4, 0)]);
    let data = |frame: &[u8]| Reader::new(&frame[16..]).buffer().unwrap().unwrap().to_vec();
    assert_eq!((data(&frames[1]), data(&frames[3])), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn what_cannot_be_decoded_is_not_forwarded() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(1);
    let mut body = Vec::new();
    let mut w = Writer::new(&mut body);
    [5, OpCode::Create.number(), 99].into_iter().for_each(|n| w.i32(n));
    assert!(e.members[1].feed(&c, &body));
    e.collect();
    assert!(e.on_the_way(1).is_empty());
    assert_eq!(e.headers(1, &c), vec![(5, Code::MarshallingError.number())]);
}

#[test]
fn syncs_are_answered_in_the_order_of_asking_behind_what_was_committed() {
    let mut e = Ensemble::plain(3);
    let (a, b, far) = (e.connect(1), e.connect(1), e.connect(2));
    e.send(2, &far, 1, OpCode::Create, &create("/far", 0));
    assert!(e.up(2));
    let sync = Request::Sync { path: "/far".into() };
    e.send(1, &a, 1, OpCode::Sync, &sync);
    e.send(1, &b, 1, OpCode::Sync, &sync);
    e.send(1, &a, 2, OpCode::GetData, &get("/far", false));
    assert!(e.up(1) && e.up(1));
    assert!(e.down(1), "the proposal");
    assert_eq!(e.headers(1, &a), vec![], "a sync waits for what was proposed before it");
    assert!(e.commit() && e.down(1), "the commit");
    assert!(e.down(1), "the first sync");
    assert_eq!(e.headers(1, &a), vec![(1, 0), (2, 0)]);
    assert_eq!(e.headers(1, &b), vec![]);
    assert!(e.down(1));
    assert_eq!(e.headers(1, &b), vec![(1, 0)]);
}

#[test]
fn a_session_moves_by_the_leaders_word_alone() {
    let mut e = Ensemble::plain(3);
    let a = e.connect(1);
    let id = a.session_id();
    let (_, refused) = e.connect_as(2, id.0, vec![9; 16]);
    assert_eq!(refused.unwrap().session_id, 0, "the password is another's");
    let stranger = SessionId(77);
    let (_, refused) = e.connect_as(2, stranger.0, password(stranger).to_vec());
    assert_eq!(refused.unwrap().session_id, 0, "the leader does not know it");
    let b = e.members[2].ask_session(id.0, password(id).to_vec(), false);
    e.collect();
    assert!(e.members[2].frames(&b).is_empty(), "nobody is answered before the leader");
    e.settle();
    assert_eq!(e.members[2].response(&b).unwrap().session_id, id.0);
    // What still comes from where the session was is refused, and its connection ends.
    e.send(1, &a, 3, OpCode::Create, &create("/late", 0));
    e.settle();
    assert_eq!(e.headers(1, &a), vec![]);
    assert_eq!(a.phase(), Phase::Closed);
    assert!(e.leader().shared.store().tree.find("/late").is_none());
    assert_eq!(e.ask(2, &b, OpCode::Create, &create("/here", 0)), 0);
    e.assert_equal();
}

#[test]
fn a_session_that_moves_to_the_leader_and_back_has_one_writer() {
    let mut e = Ensemble::plain(2);
    let a = e.connect(1);
    let id = a.session_id();
    let (b, taken) = e.connect_as(0, id.0, password(id).to_vec());
    assert_eq!(taken.unwrap().session_id, id.0);
    assert_eq!(e.ask(0, &b, OpCode::Create, &create("/a", 0)), 0);
    e.send(1, &a, 3, OpCode::Delete, &Request::Delete { path: "/a".into(), version: -1 });
    e.settle();
    assert_eq!((e.headers(1, &a), a.phase()), (vec![], Phase::Closed));
    let (c, taken) = e.connect_as(1, id.0, password(id).to_vec());
    assert_eq!(taken.unwrap().session_id, id.0);
    assert_eq!(b.phase(), Phase::Closed, "the leader lets go of its own connection");
    assert_eq!(e.ask(1, &c, OpCode::Delete, &Request::Delete { path: "/a".into(), version: -1 }), 0);
}

/// A transaction of the session that its client asked for at another member.
fn transaction(session: SessionId, cxid: i32, zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: session.0, cxid, zxid, time: 1, kind: kind::DELETE };
    let record = Record { header, txn: Txn::Delete { path: "/nothing".into() }, digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

#[test]
fn a_session_that_the_leader_will_not_have_is_refused() {
    let mut w = World::member(2, |_| {});
    w.node.learn(w.now);
    w.node.serve();
    let conn = w.ask_session(0, vec![], false);
    let zxid = Zxid::new(1, 1);
    let header = TxnHeader { client_id: conn.session_id().0, cxid: 0, zxid, time: 1, kind: kind::ERROR };
    let record = Record { header, txn: Txn::Error { err: Code::MarshallingError.number() }, digest: None };
    w.node.proposed(&Proposal { zxid, bytes: record.to_bytes().into() }, w.now).unwrap();
    w.node.handle_committed(zxid, w.now);
    assert_eq!(w.response(&conn).unwrap().session_id, 0);
    assert_eq!(conn.phase(), Phase::Closed);
}

#[test]
fn what_was_proposed_before_a_request_is_not_its_answer() {
    let mut e = Ensemble::plain(2);
    let c = e.connect(1);
    let (now, last) = (e.members[1].now, e.members[1].node.last_proposed());
    let before = transaction(c.session_id(), 1, Zxid(last.0 + 1));
    e.members[1].node.proposed(&before, now).unwrap();
    e.send(1, &c, 1, OpCode::Delete, &Request::Delete { path: "/x".into(), version: -1 });
    e.members[1].node.handle_committed(before.zxid, now);
    assert_eq!(e.headers(1, &c), vec![], "xid and kind fit, but it came first");
    // Nor is one of another kind, or of another xid.
    let other = transaction(c.session_id(), 2, Zxid(last.0 + 2));
    e.members[1].node.proposed(&other, now).unwrap();
    e.members[1].node.handle_committed(other.zxid, now);
    assert_eq!(e.headers(1, &c), vec![]);
    let own = transaction(c.session_id(), 1, Zxid(last.0 + 3));
    e.members[1].node.proposed(&own, now).unwrap();
    e.members[1].node.handle_committed(own.zxid, now);
    assert_eq!(e.headers(1, &c).len(), 1);
}

#[test]
fn proposals_out_of_order_or_unreadable_end_the_role() {
    let mut e = Ensemble::plain(2);
    let (now, last) = (e.members[1].now, e.members[1].node.last_proposed());
    let node = &mut e.members[1].node;
    let good = transaction(SessionId(1), 1, Zxid::new(1, 5));
    assert!(node.proposed(&good, now).is_ok());
    assert!(node.proposed(&good, now).unwrap_err().starts_with("peer: "));
    let lying = Proposal { zxid: Zxid::new(1, 6), ..good.clone() };
    assert!(node.proposed(&lying, now).is_err());
    let torn = Proposal { zxid: Zxid::new(1, 6), bytes: good.bytes.slice(..20) };
    assert!(node.proposed(&torn, now).is_err());
    assert!(node.last_proposed() > last);
}

#[test]
fn a_learner_tells_every_session_that_was_heard_once() {
    let mut e = Ensemble::plain(2);
    let (a, b) = (e.connect(1), e.connect(1));
    let at = |w: &mut World, ms| w.now.mono = w.now.mono + Duration::from_millis(ms);
    at(&mut e.members[1], 10);
    let now = e.members[1].now;
    let all = e.members[1].node.touches(now);
    assert_eq!(all.iter().map(|t| t.session).collect::<Vec<_>>(), vec![a.session_id(), b.session_id()]);
    at(&mut e.members[1], 10);
    e.send(1, &b, 1, OpCode::GetData, &get("/", false));
    // Its connection goes before the next ping: what was heard of it counts all the same.
    let conn = b.clone();
    let now = e.members[1].now;
    e.members[1].node.handle(Input::Gone { conn }, now);
    assert_eq!(e.members[1].node.touches(now), vec![Touch { session: b.session_id(), timeout: 4000 }]);
    at(&mut e.members[1], 10);
    let now = e.members[1].now;
    assert_eq!(e.members[1].node.touches(now), vec![]);
}

#[test]
fn touches_keep_a_session_alive_and_silence_ends_it() {
    let mut e = Ensemble::plain(2);
    let (a, b) = (e.connect(1), e.connect(1));
    assert_eq!(e.ask(1, &a, OpCode::Create, &create("/a", 1)), 0);
    assert_eq!(e.ask(1, &b, OpCode::Create, &create("/b", 1)), 0);
    for _ in 0..12 {
        let now = {
            e.leader().now.mono = e.leader().now.mono + Duration::from_millis(700);
            e.leader().now
        };
        e.leader().node.touched(&[Touch { session: a.session_id(), timeout: 4000 }], now);
        e.leader().node.handle_timeout(now);
        e.members[1].node.handle_timeout(now);
        e.settle();
    }
    assert_eq!((a.phase(), b.phase()), (Phase::Established, Phase::Closed));
    let found = |w: &World, path: &str| w.shared.store().tree.find(path).is_some();
    assert!(found(&e.members[1], "/a") && !found(&e.members[1], "/b"));
    e.assert_equal();
}

#[test]
fn a_word_about_nobodys_question_is_ignored() {
    let mut e = Ensemble::plain(2);
    let now = e.members[1].now;
    e.members[1].node.revalidated(Revalidation { session: SessionId(9), valid: true }, now);
    e.members[1].node.synced(now);
}

/// One step of a schedule.
#[derive(Clone, Copy, Debug)]
enum Step {
    Set(usize),
    Get(usize),
    Sync(usize),
    Up(usize),
    Down(usize),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0usize..5).prop_map(Step::Set),
        3 => (0usize..5).prop_map(Step::Get),
        1 => (0usize..5).prop_map(Step::Sync),
        4 => (1usize..3).prop_map(Step::Up),
        6 => (1usize..3).prop_map(Step::Down),
        3 => Just(Step::Commit),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What a client asked, and what a naive reader of the history knows of it.
struct Asked {
    xid: i32,
    op: OpCode,
    value: Vec<u8>,
    /// The last zxid that the leader had applied when a sync was asked for.
    applied: Zxid,
}

/// The register's value after each transaction.
fn value_at(e: &Ensemble, zxid: Zxid) -> Vec<u8> {
    let records = e.history.iter().map(|p| crate::txn::decode(&p.bytes).unwrap());
    let sets = records.filter(|r| r.header.zxid <= zxid).filter_map(|r| match r.txn {
        Txn::SetData { data, .. } => data.map(|d| d.to_vec()),
        _ => None,
    });
    sets.last().unwrap_or_else(|| b"d".to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// However packets and commits interleave: every session is answered in order; a write's reply
    /// carries its own transaction's zxid, a read shows the register as of the zxid that it carries,
    /// never earlier than what the session saw before, and a sync never lies behind the leader's past.
    #[test]
    fn every_answer_is_that_of_a_naive_replay(schedule in steps()) {
        let mut e = Ensemble::plain(3);
        let homes = [0usize, 1, 1, 2, 2];
        let conns: Vec<_> = homes.iter().map(|home| e.connect(*home)).collect();
        prop_assert_eq!(e.ask(0, &conns[0], OpCode::Create, &create("/r", 0)), 0);
        let mut asked: Vec<Vec<Asked>> = (0..5).map(|_| Vec::new()).collect();
        for (i, step) in schedule.iter().enumerate() {
            let (xid, value) = (i as i32 + 10, format!("v{i}").into_bytes());
            let mut ask = |e: &mut Ensemble, who: usize, op, request: Request<'_>| {
                let applied = e.members[0].shared.store().tree.last_zxid();
                asked[who].push(Asked { xid, op, value: value.clone(), applied });
                e.send(homes[who], &conns[who], xid, op, &request);
            };
            match step {
                Step::Set(who) => ask(&mut e, *who, OpCode::SetData, set("/r", &value)),
                Step::Get(who) => ask(&mut e, *who, OpCode::GetData, get("/r", false)),
                Step::Sync(who) => ask(&mut e, *who, OpCode::Sync, Request::Sync { path: "/r".into() }),
                Step::Up(i) => { e.up(*i); }
                Step::Down(i) => { e.down(*i); }
                Step::Commit => { e.commit(); }
            }
        }
        e.settle();
        e.assert_equal();
        for (who, asked) in asked.iter().enumerate() {
            let frames = e.members[homes[who]].frames(&conns[who]);
            prop_assert_eq!(frames.len(), asked.len());
            let mut seen = Zxid::ZERO;
            for (frame, asked) in frames.iter().zip(asked) {
                let mut r = Reader::new(frame);
                let header = ReplyHeader::decode(&mut r).unwrap();
                prop_assert_eq!((header.xid, header.err), (asked.xid, 0));
                prop_assert!(header.zxid >= seen, "{} went back in time", asked.op.name());
                seen = header.zxid;
                match asked.op {
                    OpCode::SetData => prop_assert_eq!(value_at(&e, header.zxid), asked.value.clone()),
                    OpCode::GetData => {
                        prop_assert_eq!(r.buffer().unwrap().unwrap_or_default(), &value_at(&e, header.zxid)[..]);
                    }
                    _ => prop_assert!(header.zxid >= asked.applied),
                }
            }
        }
    }
}
