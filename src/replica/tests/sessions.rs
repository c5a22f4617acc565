//! Sessions: moving, ending, expiring.

use super::*;

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
