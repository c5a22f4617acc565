//! In which order replies and events leave, and what is refused on the way.

use super::*;

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
