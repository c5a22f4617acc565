//! Observers behind followers.

use super::*;

fn relays(config: &mut MemberConfig) {
    config.relays = true;
}

/// Whom the observer is connected to.
fn master(room: &Room3, observer: i64) -> i64 {
    room.servers[&observer].member.status().master.expect("it observes").0
}

fn sync(room: &mut Room3, client: &mut Client) -> Option<i32> {
    room.ask(client, OpCode::Sync, &Asked::Sync { path: "/".into() })
}

#[test]
fn an_observer_learns_from_a_follower_and_its_clients_write_through_it() {
    let mut room = Room3::observed(3, 1, relays);
    let leader = room.elect();
    let through = master(&room, 4);
    assert_ne!(through, leader, "a follower serves it");
    assert_eq!(room.servers[&through].member.status().synced_observers, 1);
    let (mut four, mut other) = (room.connect(4), room.connect(leader));
    assert_eq!(room.create(&mut four, "/a"), Some(0));
    assert_eq!(room.create(&mut other, "/b"), Some(0));
    assert_eq!(sync(&mut room, &mut four), Some(0));
    assert!(room.exists(4, "/a") && room.exists(4, "/b"));
    assert_eq!(room.create(&mut four, "/b"), Some(-110));
    room.agree();
    // The session of the observer's client lives by what the follower tells the leader.
    for round in 0..12 {
        room.pass(2_000);
        assert_eq!(sync(&mut room, &mut four), Some(0), "{round}");
    }
}

#[test]
fn when_its_follower_is_gone_an_observer_goes_to_another_one_and_at_last_to_the_leader() {
    let mut room = Room3::observed(3, 1, relays);
    let leader = room.elect();
    let first = master(&room, 4);
    room.kill(first);
    assert_eq!(room.elect(), leader);
    let second = master(&room, 4);
    assert!(second != first && second != leader);
    let mut four = room.connect(4);
    assert_eq!(room.create(&mut four, "/a"), Some(0));
    room.start(first);
    room.elect();
    room.kill(leader);
    let leader = room.elect();
    let mut four = room.connect(4);
    assert_eq!(room.create(&mut four, "/b"), Some(0));
    room.agree();
    let follower = (1..4).find(|id| room.servers.contains_key(id) && *id != leader).unwrap();
    assert!([leader, follower].contains(&master(&room, 4)));
}

#[test]
fn an_observer_that_was_away_is_brought_up_by_a_follower() {
    let mut room = Room3::observed(3, 1, |config| {
        config.relays = true;
        config.window = 3;
    });
    room.elect();
    room.kill(4);
    let mut one = room.connect(1);
    for n in 0..20 {
        assert_eq!(room.create(&mut one, &format!("/{n}")), Some(0));
    }
    room.start(4);
    let leader = room.elect();
    assert_ne!(master(&room, 4), leader);
    room.agree();
    assert!(room.exists(4, "/19"));
}

#[test]
fn without_the_port_observers_learn_from_the_leader() {
    let mut room = Room3::observed(3, 1, |_| {});
    let leader = room.elect();
    assert_eq!(master(&room, 4), leader);
}
