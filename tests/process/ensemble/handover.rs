//! The leadership goes to another member: by `oxkeeper transfer`, and by SIGTERM.

use std::time::Duration;

use super::{Ring, plan, rounds, turn};
use crate::harness::Plan;
use crate::harness::site::available;
use crate::need;
use crate::support::{ox, process};

/// `oxkeeper transfer` on the machine of a member: its exit code and what it printed.
fn transfer(ring: &mut Ring, of: u64, to: Option<u64>) -> (Option<i32>, String) {
    let socket = ring.group.member(of).home().join("rescue.sock").display().to_string();
    let to = to.map(|id| id.to_string());
    let mut words = vec!["transfer", "--socket", &socket];
    words.extend(to.iter().flat_map(|to| ["--to", to]));
    let (status, said) = process::run(ox::command(&words), None, Duration::from_secs(60)).expect("it ends");
    (status.code(), said)
}

#[test]
fn ensemble_the_leadership_goes_where_it_is_sent_and_no_session_ends() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let lines = vec!["rescue.socket={home}/rescue.sock".to_owned()];
    let mut ring = Ring::start(&Plan { lines, ..plan() }).unwrap_or_else(|why| panic!("{why}"));
    for _ in 0..rounds(1, 10) {
        let (leader, follower) = (ring.leader(), ring.follower());
        let (code, said) = transfer(&mut ring, follower, None);
        assert_eq!((code, said.contains("does not lead")), (Some(1), true), "{said}");
        let (code, said) = transfer(&mut ring, leader, Some(9));
        assert_eq!((code, said.contains("no follower with a vote")), (Some(1), true), "{said}");
        ring.progress();
        ring.now(format!("transfer from {leader} to {follower}"));
        let (code, said) = transfer(&mut ring, leader, Some(follower));
        assert_eq!(code, Some(0), "{said}\n{}", ring.group.logs());
        ring.progress();
        // The election that follows decides: on a busy machine the third member may win it.
        let leads = ring.leader();
        println!("{leader} handed over to {follower}: {leads} leads");
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        ring.progress();
    }
    // Whoever is told to end hands over by itself.
    let leader = ring.leader();
    ring.now(format!("SIGTERM of leader {leader}"));
    let before = ring.group.member(leader).log().len();
    let status = ring.group.member(leader).stop();
    let log = ring.group.member(leader).log();
    assert_eq!(status.and_then(|s| s.code()), Some(0), "{log}");
    let log = log.get(before..).unwrap_or_default();
    assert!(log.contains("the leadership was handed over to"), "{log}");
    ring.progress();
    ring.join(leader);
    ring.progress();
    ring.finish(0);
}
