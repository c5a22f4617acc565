//! Transcripts of an established leader: requests, time, hand-over, reconfiguration.

use super::*;
use crate::peer::payload::encode_designated;
use crate::peer::{Activation, Forwarded, Touch};
use crate::types::SessionId;

#[test]
fn syncs_wait_for_what_was_proposed() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.leader.sync(A);
    assert_eq!(rig.out(), ["2< Sync 0x0"]);
    rig.propose(z(5, 1));
    rig.leader.sync(A);
    assert_eq!(rig.out(), [""; 0]);
    rig.say(LeaderInput::Logged(durable(z(5, 1))));
    assert_eq!(rig.ack(A, z(5, 1)), ["2< Commit 0x500000001", "commit 0x500000001", "2< Sync 0x0"]);
}

#[test]
fn learners_ask_and_answer() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    let touch = Touch { session: SessionId(7), timeout: 4000 };
    let pong = Packet::with(PacketKind::Ping, z(5, 0), Touch::encode_list(&[touch, touch]));
    assert_eq!(rig.packet(A, pong), ["server.2 touches 2"]);
    let asked = Packet::with(PacketKind::Revalidate, Zxid(-1), touch.encode());
    assert_eq!(rig.packet(A, asked), ["2 revalidates 0x7"]);
    rig.leader.revalidated(A, Revalidation { session: SessionId(7), valid: true });
    assert_eq!(rig.out(), ["2< Revalidate 0xffffffffffffffff"]);
    let request = Forwarded { session: SessionId(7), cxid: 5, op: 1, record: Bytes::new() };
    let request = Packet::with(PacketKind::Request, Zxid(-1), request.encode());
    assert_eq!(rig.packet(A, request), ["2 asks 5"]);
    let cut = Packet::with(PacketKind::Request, Zxid(-1), Bytes::from_static(b"short"));
    assert!(rig.packet(A, cut)[0].starts_with("2 closed: "), "bad bytes cost the connection");
}

#[test]
fn the_first_word_after_newleader_is_its_acknowledgement() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.join(B, PacketKind::FollowerInfo, 3, z(3, 2));
    let early = rig.ack(B, z(5, 1));
    assert_eq!(early, ["4 closed: Ack 0x500000001 instead of the ACK of NEWLEADER"]);
}

#[test]
fn the_counter_never_carries_into_the_epoch() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.leader.proposed = z(5, u32::MAX - 1);
    let down = ["down: the zxid's counter is used up: a new epoch has to begin"];
    assert_eq!(rig.propose(z(5, u32::MAX)), down);
    assert!(!rig.leader.propose(&entry(z(5, 1)), rig.now), "it is over");
}

#[test]
fn silence_ends_connections_and_a_lost_quorum_ends_the_leader() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    assert_eq!(rig.pass(500), ["2< Ping 0x500000000"]);
    rig.packet(A, Packet::with(PacketKind::Ping, z(5, 0), Bytes::new()));
    let mut out = Vec::new();
    for _ in 0..14 {
        out.extend(rig.pass(500));
    }
    assert!(out.contains(&"2 closed: it is silent".to_owned()), "{out:?}");
    assert_eq!(out.last().unwrap(), "down: no quorum of voters was heard of within syncLimit");

    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.propose(z(5, 1));
    for _ in 0..9 {
        rig.pass(500);
        rig.packet(A, Packet::with(PacketKind::Ping, z(5, 0), Bytes::new()));
    }
    let late = rig.pass(500);
    assert!(late[0].starts_with("2 closed: 0x500000001 was not acknowledged"), "{late:?}");
}

#[test]
fn stages_end_unless_a_stream_moves() {
    let mut rig = Rig::new(&[1, 2, 3]);
    assert_eq!(rig.pass(9_999), [""; 0]);
    assert_eq!(rig.pass(1), ["down: no quorum of voters connected within initLimit"]);

    let mut rig = Rig::new(&[1, 2, 3]);
    rig.introduce(A, 2, 4);
    rig.say(LeaderInput::Accepted(durable(5)));
    rig.say(LeaderInput::Current(durable(5)));
    assert!(rig.ack_epoch(A, 0, z(1, 7)).contains(&"2 find 0x100000007".to_owned()));
    let view = LogView { floor: None, next: None, affordable: false };
    rig.say(LeaderInput::Found { link: A, view });
    for _ in 0..5 {
        assert_eq!(rig.pass(6_000), [""; 0], "the snapshot moves");
        rig.say(LeaderInput::Progress { link: A });
    }
    let out = [rig.pass(6_000), rig.pass(4_000), rig.pass(500)].concat();
    assert_eq!(out, ["down: no quorum was brought up within initLimit"]);
}

#[test]
fn the_leadership_goes_to_the_one_that_has_one_transaction_more() {
    let mut rig = Rig::serving(&[1, 2, 3, 4, 5]);
    rig.propose(z(5, 1));
    rig.leader.hand_over(Some(ServerId(2)), 0, rig.now).unwrap();
    assert_eq!(rig.out(), [""; 0], "not everything is committed");
    rig.say(LeaderInput::Logged(durable(z(5, 1))));
    rig.ack(B, z(5, 1));
    let request = Forwarded { session: SessionId(7), cxid: 5, op: 1, record: Bytes::new() };
    let request = Packet::with(PacketKind::Request, Zxid(-1), request.encode());
    assert_eq!(rig.packet(B, request), [""; 0], "nothing is admitted");
    let committed = ["2< Commit 0x500000001", "4< Commit 0x500000001", "commit 0x500000001"];
    let mut expected = committed.to_vec();
    expected.push("2< Proposal 0x500000002");
    assert_eq!(rig.ack(A, z(5, 1)), expected, "one more, to the chosen one alone");
    assert!(!rig.leader.propose(&entry(z(5, 2)), rig.now), "its zxid is used up");
    assert_eq!(
        rig.ack(A, z(5, 2)),
        ["handed over to server.2", "down: the leadership was handed over to server.2"]
    );
}

#[test]
fn a_hand_over_that_fails_early_changes_nothing() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    let nobody = rig.leader.hand_over(Some(ServerId(7)), 0, rig.now);
    assert_eq!(nobody, Err("server.7 is no follower with a vote".to_owned()));
    rig.propose(z(5, 1));
    rig.leader.hand_over(None, 0, rig.now).unwrap();
    let request = Forwarded { session: SessionId(7), cxid: 5, op: 1, record: Bytes::new() };
    rig.packet(A, Packet::with(PacketKind::Request, Zxid(-1), request.encode()));
    let lost = rig.say(LeaderInput::LinkLost { link: A });
    assert_eq!(lost, ["2 asks 5", "kept: server.2 could not take over: its connection was lost"]);
    assert!(!rig.leader.is_handing_over());
}

#[test]
fn a_reconfiguration_needs_both_quorums() {
    let (old, new) = (quorum(&[1, 2, 3], &[], 0x100), quorum(&[1, 4, 5], &[], 0x500000001));
    let mut rig = Rig::with(Quorums::from(old), |c| c.reconfig = true);
    rig.establish(&[(A, 2)]);
    rig.join(B, PacketKind::FollowerInfo, 4, z(3, 2));
    rig.ack(B, z(5, 0));
    rig.leader.propose(&reconfiguration(z(5, 1), &new), rig.now);
    assert_eq!(rig.out(), ["config 500000001 seen", "2< Proposal 0x500000001", "4< Proposal 0x500000001"]);
    rig.propose(z(5, 2));
    rig.say(LeaderInput::Logged(durable(z(5, 2))));
    assert_eq!(rig.ack(A, z(5, 2)), [""; 0], "a quorum of the old one");
    assert_eq!(
        rig.ack(B, z(5, 1)),
        [
            "config 500000001 active",
            "2< CommitAndActivate 0x500000001",
            "4< CommitAndActivate 0x500000001",
            "commit 0x500000001"
        ]
    );
    assert_eq!(rig.ack(B, z(5, 2)).last().unwrap(), "commit 0x500000002");
}

#[test]
fn payloads_of_activations_are_javas() {
    assert_eq!(encode_designated(ServerId(3))[..], [0, 0, 0, 0, 0, 0, 0, 3]);
    let both = Activation { leader: ServerId(3), txn: Bytes::from_static(b"txn") }.encode();
    assert_eq!(both[8..], *b"txn");
}

#[test]
fn a_first_configuration_is_numbered_by_the_epoch() {
    let mut rig = Rig::with(Quorums::from(quorum(&[1], &[], 0)), |c| c.reconfig = true);
    assert_eq!(rig.out(), ["accepted 5"]);
    let numbered = rig.say(LeaderInput::Accepted(durable(5)));
    assert_eq!(numbered, ["config 500000000 seen", "current 5"]);
    let established = rig.say(LeaderInput::Current(durable(5)));
    assert_eq!(established, ["established 5", "config 500000000 active"]);
}
