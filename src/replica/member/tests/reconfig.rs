//! Members whose ensemble changes.

use super::*;
use crate::config::quorum::Ensemble;
use crate::tree::CONFIG_PATH;

fn room(voters: i64) -> Room3 {
    Room3::new(voters, |config| {
        config.replica.reconfig_enabled = true;
        config.replica.providers.skip_acl = true;
    })
}

/// What a reconfiguration is answered: the code, and the new configuration.
fn reconfig(room: &mut Room3, client: &mut Client, joining: &str, leaving: &str) -> Option<(i32, String)> {
    let given = |text: &'static str| Some(text).filter(|t| !t.is_empty()).map(Into::into);
    let (joining, leaving) = (joining.to_owned().leak(), leaving.to_owned().leak());
    let request =
        Asked::Reconfig { joining: given(joining), leaving: given(leaving), members: None, config_id: -1 };
    client.xid += 1;
    let mut body = Vec::new();
    let mut w = crate::jute::Writer::new(&mut body);
    w.i32(client.xid);
    w.i32(OpCode::Reconfig.number());
    request.encode_record(&mut body);
    room.feed(client.server, &client.conn, &body);
    let frame = frames(&client.conn).pop()?;
    let mut r = Reader::new(&frame);
    let header = ReplyHeader::decode(&mut r).unwrap();
    assert_eq!(header.xid, client.xid);
    let data = if header.err == 0 { r.buffer().unwrap().unwrap_or_default().to_vec() } else { Vec::new() };
    Some((header.err, String::from_utf8(data).unwrap()))
}

impl Room3 {
    /// What the configuration node of a member says.
    fn config(&self, id: i64) -> String {
        let shared = self.servers[&id].member.shared();
        let store = shared.store();
        let node = store.tree.get(CONFIG_PATH).unwrap();
        String::from_utf8(node.data().unwrap_or_default().to_vec()).unwrap()
    }

    /// Every member has this configuration: in its files, in its node, in force, and none behind it.
    fn configured(&self, members: &[u64]) -> u64 {
        let mut version = None;
        for (id, server) in &self.servers {
            let (active, next) = &self.files[id];
            assert_eq!(active.members.keys().copied().collect::<Vec<_>>(), members, "server.{id}");
            assert_eq!((next, server.member.membership().is_pending()), (&None, false), "server.{id}");
            assert_eq!(active, server.member.membership().active().ensemble());
            assert_eq!(self.config(*id), active.to_string(), "server.{id}");
            assert_eq!(*version.get_or_insert(active.version), active.version);
        }
        version.unwrap()
    }

    /// Starts a member that knows the ensemble and itself.
    fn join(&mut self, id: i64) {
        let text = format!("{}\nserver.{id}=h{id}:2888:3888:participant\n", self.ensemble);
        let text: String =
            text.lines().filter(|l| !l.starts_with("version")).map(|l| format!("{l}\n")).collect();
        self.files.insert(id, (Ensemble::parse(&text, false).unwrap(), None));
        self.start(id);
    }
}

const FOUR: &str = "server.4=h4:2888:3888:participant;2181";

#[test]
fn the_first_leader_gives_the_first_configuration_its_version() {
    let mut room = room(3);
    let leader = room.elect();
    room.pass(50);
    let version = room.configured(&[1, 2, 3]);
    assert_eq!(version, 1 << 32, "server.{leader}: the zxid of NEWLEADER");
    room.kill(leader);
    room.elect();
    room.start(leader);
    room.elect();
    assert_eq!(room.configured(&[1, 2, 3]), version, "later leaders leave it");
}

#[test]
fn without_reconfig_the_configuration_stays_as_it_is() {
    let mut room = Room3::new(3, |_| {});
    let leader = room.elect();
    assert_eq!(room.configured(&[1, 2, 3]), 0);
    let mut client = room.connect(leader);
    let refused = reconfig(&mut room, &mut client, "", "1");
    assert_eq!(refused, Some((-123, String::new())));
}

#[test]
fn a_member_joins_and_leaves_by_request_through_any_member() {
    let mut room = room(3);
    let leader = room.elect();
    room.join(4);
    room.pass(1000);
    let mut one = room.connect(1);
    let answer = reconfig(&mut room, &mut one, FOUR, "").expect("a reply through a follower");
    assert_eq!(answer.0, 0);
    room.pass(50);
    let version = room.configured(&[1, 2, 3, 4]);
    assert_eq!(answer.1, room.config(1));
    assert_eq!(answer.1.lines().last(), Some(format!("version={version:x}").as_str()));
    let mut at_leader = room.connect(leader);
    assert_eq!(reconfig(&mut room, &mut at_leader, "", "1").map(|a| a.0), Some(0));
    room.pass(50);
    assert!(room.configured(&[2, 3, 4]) > version);
    room.agree();
    // Three voters now: two of them go on without the third.
    room.kill(1);
    room.kill(2);
    room.elect();
    let mut four = room.connect(4);
    assert_eq!(room.create(&mut four, "/after"), Some(0));
}

#[test]
fn a_leader_that_leaves_gives_the_leadership_to_a_voter_without_an_election() {
    let mut room = room(3);
    assert_eq!(room.elect(), 3);
    let mut one = room.connect(1);
    assert_eq!(reconfig(&mut room, &mut one, "", "3").map(|a| a.0), Some(0));
    room.pass(3000);
    let leader = room.elect();
    assert_ne!(leader, 3);
    room.configured(&[1, 2]);
    for (id, server) in &room.servers {
        assert_eq!(server.member.vote.election_epoch, -1, "server.{id} took part in no round for it");
    }
    let mut two = room.connect(2);
    assert_eq!(room.create(&mut two, "/after"), Some(0));
    room.agree();
}

#[test]
fn a_voter_becomes_an_observer_and_a_voter_again() {
    let mut room = room(4);
    room.elect();
    let mut two = room.connect(2);
    let observer = "server.1=h1:2888:3888:observer;2181";
    assert_eq!(reconfig(&mut room, &mut two, observer, "").map(|a| a.0), Some(0));
    room.pass(3000);
    room.elect();
    assert_eq!(room.servers[&1].member.role(), Role::Observing);
    let voter = "server.1=h1:2888:3888:participant;2181";
    assert_eq!(reconfig(&mut room, &mut two, voter, "").map(|a| a.0), Some(0));
    room.pass(3000);
    room.elect();
    assert_eq!(room.servers[&1].member.role(), Role::Following);
    room.configured(&[1, 2, 3, 4]);
    room.agree();
}

#[test]
fn a_configuration_without_a_quorum_in_step_is_refused() {
    let mut room = room(3);
    room.elect();
    room.kill(2);
    room.elect();
    let mut one = room.connect(1);
    let refused = reconfig(&mut room, &mut one, FOUR, "1");
    assert_eq!(refused.map(|a| a.0), Some(-13));
    room.start(2);
    room.elect();
    let mut one = room.connect(1);
    assert_eq!(reconfig(&mut room, &mut one, FOUR, "").map(|a| a.0), Some(0));
    room.pass(50);
    room.configured(&[1, 2, 3, 4]);
}

#[test]
fn a_proposed_configuration_is_completed_by_the_next_leader() {
    let mut room = room(3);
    assert_eq!(room.elect(), 3);
    let mut three = room.connect(3);
    // Both followers log it, and the leader falls before it hears of that.
    for id in [1, 2] {
        room.servers.get_mut(&id).unwrap().stalled = true;
    }
    assert_eq!(reconfig(&mut room, &mut three, FOUR, ""), None);
    assert!(room.files.values().all(|(_, next)| next.is_some()));
    room.kill(3);
    for id in [1, 2] {
        room.servers.get_mut(&id).unwrap().stalled = false;
    }
    room.start(3);
    room.elect();
    room.pass(3000);
    assert!(room.configured(&[1, 2, 3, 4]) > 1 << 32);
    room.agree();
}
