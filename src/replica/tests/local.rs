//! Sessions that only their server knows.

use super::ensemble::Ensemble;
use super::*;
use crate::session::password;
use std::time::Duration;

fn ensemble(upgrade: bool) -> Ensemble {
    Ensemble::new(2, |c| {
        c.local_sessions = true;
        c.local_sessions_upgrade = upgrade;
    })
}

#[test]
fn a_local_session_writes_without_a_transaction_of_its_own() {
    for home in [0, 1] {
        let mut e = ensemble(true);
        let c = e.connect(home);
        assert!(e.history.is_empty());
        assert_eq!(e.ask(home, &c, OpCode::Create, &create("/a", 0)), 0);
        assert_eq!(e.history.len(), 1);
        let id = c.session_id();
        let (_, elsewhere) = e.connect_as(1 - home, id.0, password(id).to_vec());
        assert_eq!(elsewhere.unwrap().session_id, 0, "no other server knows it");
        e.send(home, &c, 8, OpCode::SetData, &set("/a", b"x"));
        e.send(home, &c, 9, OpCode::CloseSession, &Request::CloseSession);
        assert_eq!(e.headers(home, &c), vec![], "the close waits in its place");
        e.settle();
        assert_eq!((e.headers(home, &c), c.phase()), (vec![(8, 0), (9, 0)], Phase::Closed));
        assert_eq!(e.history.len(), 2);
        e.assert_equal();
    }
}

#[test]
fn the_first_ephemeral_makes_it_the_ensembles() {
    for (home, op) in [(0, OpCode::Create), (1, OpCode::Create), (0, OpCode::Multi), (1, OpCode::Multi)] {
        let mut e = ensemble(true);
        let c = e.connect(home);
        let request = match op {
            OpCode::Multi => {
                let parts = [create("/a", 0), create("/e", 1)];
                Request::Multi(parts.map(|request| MultiOp { op: OpCode::Create, request }).into())
            }
            _ => create("/e", 1),
        };
        assert_eq!(e.ask(home, &c, op, &request), 0);
        assert_eq!(e.history.len(), 2, "the session's transaction and the create's");
        let id = c.session_id();
        for member in &e.members {
            assert!(member.shared.store().sessions.contains_key(&id.0));
            assert_eq!(member.shared.store().tree.ephemerals(id.0).count(), 1);
        }
        let (moved, taken) = e.connect_as(1 - home, id.0, password(id).to_vec());
        assert_eq!(taken.unwrap().session_id, id.0, "now it can move");
        assert_eq!(e.ask(1 - home, &moved, OpCode::CloseSession, &Request::CloseSession), 0);
        assert!(e.leader().shared.store().tree.ephemerals(id.0).next().is_none());
        e.assert_equal();
    }
}

#[test]
fn where_it_may_not_become_so_an_ephemeral_is_refused() {
    for home in [0, 1] {
        let mut e = ensemble(false);
        let c = e.connect(home);
        let refused = Code::EphemeralOnLocalSession.number();
        assert_eq!(e.ask(home, &c, OpCode::Create, &create("/e", 1)), refused);
        assert_eq!(e.ask(home, &c, OpCode::Create, &create("/a", 0)), 0);
        assert_eq!(e.history.len(), 1);
    }
}

#[test]
fn its_server_alone_keeps_its_time() {
    for home in [0, 1] {
        let mut e = ensemble(true);
        let c = e.connect(home);
        for _ in 0..12 {
            for member in &mut e.members {
                member.now.mono = member.now.mono + Duration::from_millis(700);
                member.node.handle_timeout(member.now);
            }
            e.settle();
        }
        assert_eq!(c.phase(), Phase::Closed);
        assert!(e.history.is_empty());
        let id = c.session_id();
        let (_, refused) = e.connect_as(home, id.0, password(id).to_vec());
        assert_eq!(refused.unwrap().session_id, 0);
    }
}
