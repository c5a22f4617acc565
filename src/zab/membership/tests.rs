//! Tests of the parent module.

use super::*;

const V5: u64 = 0x1_0000_0005;
const V9: u64 = 0x1_0000_0009;

/// `1 2 3+ 4o@h9`: voters, `o` observes, `@` stands at another host.
fn ensemble(members: &str, version: u64) -> Ensemble {
    let line = |word: &str| {
        let (who, host) = word.split_once('@').unwrap_or((word, "h"));
        let id = who.trim_end_matches('o');
        let role = if who.ends_with('o') { "observer" } else { "participant" };
        format!("server.{id}={host}:1{id}:2{id}:{role};3{id}\n")
    };
    let text: String = members.split_whitespace().map(line).collect();
    Ensemble::parse(&format!("{text}version={version:x}"), false).expect("a configuration")
}

fn member(me: i64, members: &str) -> Membership {
    Membership::new(ServerId(me), &ensemble(members, 0), None, true, false)
}

fn next(state: PeerState, leader: i64, zxid: u64) -> Option<(PeerState, Vote)> {
    let zxid = Zxid(i64::try_from(zxid).expect("a zxid"));
    Some((state, Vote { leader: ServerId(leader), zxid, peer_epoch: -1, election_epoch: -1 }))
}

fn activate(m: &mut Membership, e: &Ensemble, led_by: i64, designated: Option<i64>) -> Activated {
    let zxid = Zxid(i64::try_from(e.version).expect("a zxid"));
    m.activate(e, Some(ServerId(led_by)), designated.map(ServerId), zxid)
}

#[test]
fn a_proposed_configuration_counts_until_it_is_active() {
    let mut m = member(1, "1 2 3");
    let new = ensemble("1 2 3 4", V5);
    assert!(m.seen(&new) && !m.seen(&new) && m.is_pending());
    assert_eq!(m.quorums().next().map(|q| q.version()), Some(0x1_0000_0005));
    let out = activate(&mut m, &new, 3, Some(3));
    assert_eq!(out, Activated { changed: true, leave: false, next: None });
    assert!(!m.is_pending() && m.quorums().next().is_none());
    assert_eq!(activate(&mut m, &new, 3, Some(3)), Activated::default());
}

#[test]
fn a_leader_that_does_not_know_the_proposed_configuration_takes_it_back() {
    let mut m = member(1, "1 2 3");
    let first = ensemble("1 2 3", V5);
    activate(&mut m, &first, 3, Some(3));
    assert!(m.seen(&ensemble("1 2 3 4", V9)));
    assert!(m.seen(&first) && !m.is_pending());
}

#[test]
fn without_reconfig_nothing_changes() {
    let mut m = Membership::new(ServerId(1), &ensemble("1 2 3", 0), None, false, false);
    let new = ensemble("1 2", V5);
    assert!(!m.seen(&new));
    assert_eq!(activate(&mut m, &new, 3, Some(3)), Activated::default());
}

#[test]
fn whoever_changes_its_part_leaves_and_takes_the_new_one_at_once() {
    let observer = ensemble("1o 2 3 4", V5);
    let mut m = member(1, "1 2 3");
    let out = activate(&mut m, &observer, 3, Some(3));
    let expected = Activated { changed: true, leave: true, next: next(PeerState::Observing, 3, V5) };
    assert_eq!(out, expected);
    assert!(m.observes());
    let out = activate(&mut m, &ensemble("1 2 3 4", V9), 3, Some(3));
    assert_eq!(out.next, next(PeerState::Following, 3, V9));
    // Whoever is dropped goes on as a follower without a vote.
    let mut m = member(1, "1 2 3");
    let out = activate(&mut m, &ensemble("2 3", V5), 3, Some(3));
    assert_eq!(out, Activated { changed: true, leave: false, next: None });
    assert!(!m.observes());
}

#[test]
fn everybody_goes_to_the_designated_leader() {
    let new = ensemble("1 2", V5);
    let expected = [(1, PeerState::Following), (2, PeerState::Leading), (3, PeerState::Following)];
    for (me, state) in expected {
        let out = activate(&mut member(me, "1 2 3"), &new, 3, Some(2));
        assert_eq!(out, Activated { changed: true, leave: true, next: next(state, 2, V5) });
    }
}

#[test]
fn without_a_designated_leader_a_leader_that_moved_is_left_for_an_election() {
    let cases = [("1 2 3 4", false), ("1 2 3@elsewhere", true), ("1 2 3o 4", true), ("1 2", true)];
    for (members, leave) in cases {
        let out = activate(&mut member(1, "1 2 3"), &ensemble(members, V5), 3, None);
        assert_eq!(out, Activated { changed: true, leave, next: None }, "{members}");
    }
}

fn choose(me: i64, old: &str, new: &str, acked: &[i64], later: &[&[i64]]) -> Option<i64> {
    let set = |ids: &[i64]| ids.iter().map(|&id| ServerId(id)).collect::<BTreeSet<_>>();
    let quorum = |text, version| Arc::new(Quorum::new(&ensemble(text, version)));
    let quorums = Quorums::new(quorum(old, 0), Some(quorum(new, V5)));
    let later: Vec<_> = later.iter().map(|ids| set(ids)).collect();
    designated(ServerId(me), &quorums, &set(acked), later.iter()).map(|id| id.0)
}

#[test]
fn the_leader_stays_where_it_votes_at_its_address() {
    assert_eq!(choose(1, "1 2 3", "1 2 3 4", &[2, 3], &[]), Some(1));
    assert_eq!(choose(1, "1 2 3", "1@other 2 3", &[1, 2, 3], &[]), Some(2));
    assert_eq!(choose(1, "1 2 3", "1o 2 3", &[1, 2, 3], &[]), Some(2));
}

#[test]
fn otherwise_the_voter_that_acknowledged_most_leads() {
    assert_eq!(choose(1, "1 2 3 4", "2 3 4", &[1, 2, 3, 4], &[&[1, 3, 4], &[1, 4]]), Some(4));
    assert_eq!(choose(1, "1 2 3 4", "2 3 4", &[1, 2, 3, 4], &[&[1, 3, 4], &[1]]), Some(3));
    assert_eq!(choose(1, "1 2 3", "2 3", &[1, 3], &[&[1, 2]]), Some(3));
    // A joiner may lead, but an old voter is preferred as soon as one acknowledged more.
    assert_eq!(choose(3, "1 2 3", "0 1 2", &[0, 1, 3], &[]), Some(0));
    assert_eq!(choose(3, "1 2 3", "0 1 2", &[0, 1, 3], &[&[0, 1, 3]]), Some(1));
    assert_eq!(choose(3, "1 2 3", "1 2", &[3], &[]), None);
}
