//! Logins by SASL: replies, identities, refusals. The exchange is played by the test.

use super::*;
use crate::auth::enforce::Enforcement;
use crate::auth::reason::Reason;
use crate::auth::sasl::{Login, Mechanism, Refusal, SaslStep};

fn world(schemes: Option<&[&str]>, keep_failed: bool) -> World {
    World::new(|config| {
        config.providers.sasl = true;
        config.providers.super_users = vec!["zk@R".to_owned()];
        let schemes = schemes.map(|list| list.iter().map(|s| (*s).to_owned()).collect());
        config.enforcement = Enforcement { schemes, keep_failed };
    })
}

fn token(w: &mut World, conn: &Arc<Conn>, xid: i32, token: Option<&[u8]>) {
    assert!(w.send(conn, xid, OpCode::Sasl, &Request::Sasl { token: token.map(Proof) }));
    assert_eq!(w.token.take(), Some((xid, token.map(<[u8]>::to_vec))));
    assert!(conn.is_logging_in());
}

fn done(principal: &str) -> SaslStep {
    let (principal, id) = (principal.to_owned(), principal.to_owned());
    let login = Login { mechanism: Mechanism::Gssapi, principal, id, service: None, ends: None };
    SaslStep::Done { last: None, login }
}

fn refused() -> SaslStep {
    SaslStep::Refused(Refusal::new(Reason::KrbSkew, "412 s"))
}

/// Xid, zxid, error and token of the one frame that waits.
fn answer(w: &mut World, conn: &Conn) -> (i32, i64, i32, Option<Vec<u8>>) {
    let frames = w.frames(conn);
    assert_eq!(frames.len(), 1);
    let mut r = Reader::new(&frames[0]);
    let header = ReplyHeader::decode(&mut r).unwrap();
    (header.xid, header.zxid.0, header.err, r.buffer().unwrap().map(<[u8]>::to_vec))
}

fn log_in(w: &mut World, conn: &Arc<Conn>, principal: &str) {
    token(w, conn, 1, Some(b"ap-req"));
    assert_eq!(finish_sasl(&w.shared, conn, 1, done(principal)), SaslEnd::LoggedIn);
    assert_eq!(answer(w, conn), (1, 0, 0, None));
}

#[test]
fn a_login_takes_its_steps_and_leaves_its_identity() {
    let mut w = world(None, false);
    let c = w.connect();
    token(&mut w, &c, 5, Some(b"ap-req"));
    let step = SaslStep::Challenge(b"layers".to_vec());
    assert_eq!(finish_sasl(&w.shared, &c, 5, step), SaslEnd::GoesOn);
    assert_eq!(answer(&mut w, &c), (5, 0, 0, Some(b"layers".to_vec())));
    assert!(!c.is_logging_in() && c.login().is_none());
    token(&mut w, &c, 6, Some(b""));
    assert_eq!(finish_sasl(&w.shared, &c, 6, done("hdfs/h@R")), SaslEnd::LoggedIn);
    assert_eq!(answer(&mut w, &c), (6, 0, 0, None));
    assert!(c.identities().contains(&Id::new("sasl", "hdfs/h@R")));
    assert!(!c.identities().iter().any(|id| id.scheme == "super"));
    assert_eq!(c.login().unwrap().principal, "hdfs/h@R");
}

#[test]
fn a_super_user_is_one_by_its_principal() {
    let mut w = world(None, false);
    let c = w.connect();
    log_in(&mut w, &c, "zk@R");
    assert!(c.identities().contains(&Id::new("super", "")));
}

#[test]
fn a_refusal_is_answered_with_a_null_token_and_closed() {
    for (schemes, code) in [(None, -115), (Some(["digest"].as_slice()), -115), (Some(&["sasl"]), -124)] {
        let mut w = world(schemes, false);
        let c = w.connect();
        token(&mut w, &c, 1, Some(b"x"));
        assert_eq!(finish_sasl(&w.shared, &c, 1, refused()), SaslEnd::Closes(Reason::KrbSkew));
        assert_eq!(answer(&mut w, &c), (1, 0, code, None));
        assert!(c.take_outgoing(&mut Vec::new()).close_after);
        assert_eq!(w.notes.0.lock().as_slice(), ["KRB_SKEW"]);
    }
}

#[test]
fn a_refusal_at_the_end_is_answered_at_once_and_closed_later() {
    let mut w = world(None, false);
    let c = w.connect();
    token(&mut w, &c, 1, Some(b"x"));
    finish_sasl(&w.shared, &c, 1, SaslStep::Challenge(vec![1]));
    w.frames(&c);
    token(&mut w, &c, 2, Some(b"y"));
    assert_eq!(finish_sasl(&w.shared, &c, 2, refused()), SaslEnd::ClosesLater(Reason::KrbSkew));
    assert_eq!(answer(&mut w, &c), (2, 0, -115, None));
    assert!(!c.take_outgoing(&mut Vec::new()).close_after);
    assert_eq!(c.phase(), Phase::Closed, "nothing more is taken from it");
}

#[test]
fn failed_clients_are_kept_where_that_is_asked_for_and_no_login_is_required() {
    let mut w = world(None, true);
    let c = w.connect();
    token(&mut w, &c, 1, Some(b"x"));
    assert_eq!(finish_sasl(&w.shared, &c, 1, refused()), SaslEnd::Kept(Reason::KrbSkew));
    assert_eq!(answer(&mut w, &c), (1, 0, 0, None));
    assert_eq!(w.create(&c, "/a", 0), 0);
    let mut w = world(Some(&["sasl"]), true);
    let c = w.connect();
    token(&mut w, &c, 1, Some(b"x"));
    assert_eq!(finish_sasl(&w.shared, &c, 1, refused()), SaslEnd::Closes(Reason::KrbSkew));
}

#[test]
fn our_own_fault_closes_without_a_word() {
    let mut w = world(None, false);
    let c = w.connect();
    token(&mut w, &c, 1, Some(b"x"));
    let step = SaslStep::Broken(Refusal::new(Reason::KrbKeytab, "unreadable"));
    assert_eq!(finish_sasl(&w.shared, &c, 1, step), SaslEnd::Broken(Reason::KrbKeytab));
    assert!(w.frames(&c).is_empty() && c.take_outgoing(&mut Vec::new()).close_after);
}

#[test]
fn without_a_login_section_a_null_token_answers() {
    let mut w = World::plain();
    let c = w.connect();
    token(&mut w, &c, 9, Some(b""));
    without_sasl(&c, 9);
    assert_eq!(answer(&mut w, &c), (9, 0, 0, None));
    assert_eq!(w.create(&c, "/a", 0), 0);
}

#[test]
fn nothing_is_served_before_the_login_that_is_required() {
    let mut w = world(Some(&["sasl"]), false);
    for op in [OpCode::GetData, OpCode::Ping, OpCode::CloseSession, OpCode::Multi] {
        let c = w.connect();
        let request = if op == OpCode::GetData { get("/", false) } else { Request::Ping };
        assert!(!w.send(&c, 3, op, &request));
        assert_eq!(headers(&w.frames(&c)), vec![(3, -124)], "{op:?}");
        assert_eq!(w.notes.0.lock().pop().as_deref(), Some("AUTH_REQUIRED"));
    }
    let c = w.connect();
    assert!(!is_proven(&w.shared, &c));
    log_in(&mut w, &c, "hdfs@R");
    assert!(is_proven(&w.shared, &c));
    assert_eq!(w.create(&c, "/a", 0), 0);
}

#[test]
fn a_second_login_and_a_long_token_are_refused_before_an_exchange() {
    let mut w = world(None, false);
    let c = w.connect();
    let long = vec![0; crate::limits::SASL_TOKEN + 1];
    assert_eq!(sasl_token_refusal(&c, Some(&long)).unwrap().reason, Reason::SaslTooLong);
    assert_eq!(sasl_token_refusal(&c, Some(&long[1..])), None);
    log_in(&mut w, &c, "hdfs@R");
    assert_eq!(sasl_token_refusal(&c, None).unwrap().reason, Reason::SaslSequence);
}

fn end(w: &mut World, conn: &Arc<Conn>) {
    w.node.handle(Input::Gone { conn: conn.clone() }, w.now);
    w.sync();
}

#[test]
fn a_session_that_was_made_for_whoever_is_refused_ends() {
    let lives = |w: &World, c: &Conn| w.shared.sessions.lock().get(c.session_id()).is_some();
    for (required, outlives) in [(Some(["sasl"].as_slice()), false), (None, true)] {
        let mut w = world(required, false);
        let c = w.connect();
        token(&mut w, &c, 1, Some(b"x"));
        finish_sasl(&w.shared, &c, 1, refused());
        assert_eq!(c.is_turned_away(), !outlives);
        assert!(lives(&w, &c));
        end(&mut w, &c);
        assert_eq!(lives(&w, &c), outlives, "{required:?}");
    }
}

#[test]
fn a_session_that_was_renewed_outlives_the_refusal() {
    let mut w = world(Some(&["sasl"]), false);
    let before = w.connect();
    log_in(&mut w, &before, "hdfs@R");
    assert_eq!(w.create(&before, "/mine", 1), 0);
    let id = before.session_id();
    let password = crate::session::password(id).to_vec();
    let (again, response) = w.connect_as(id.0, password.clone());
    assert_eq!(response.map(|r| r.session_id), Some(id.0));
    token(&mut w, &again, 1, Some(b"x"));
    finish_sasl(&w.shared, &again, 1, refused());
    end(&mut w, &again);
    let (c, response) = w.connect_as(id.0, password);
    assert_eq!(response.map(|r| r.session_id), Some(id.0), "its session stands");
    log_in(&mut w, &c, "hdfs@R");
    assert_eq!(w.ask(&c, OpCode::GetData, &get("/mine", false)).0.err, 0);
}
