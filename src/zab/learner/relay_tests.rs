//! Transcripts of a follower that serves observers: what goes in, what comes out, line by line.

use super::tests::{Rig, entry, z};
use super::*;
use crate::config::quorum::Ensemble;
use crate::peer::payload::{decode_designated, encode_designated, encode_number};
use crate::peer::{Activation, LearnerInfo, Revalidation};
use crate::txn::{Record, Txn, TxnHeader, kind};
use crate::types::{LinkId, SessionId};
use crate::zab::leader::ToLearner;
use crate::zab::types::LogView;
use bytes::Bytes;

const A: LinkId = LinkId(2);
const B: LinkId = LinkId(4);
const NOTHING: [&str; 0] = [];

fn config() -> RelayConfig {
    let text = "server.1=a:1:2:participant\nversion=0".into();
    RelayConfig { force_snapshot: false, from_log: true, max_snap_syncs: 1, max_diff_syncs: 2, text }
}

fn rig() -> Rig {
    Rig::relaying(config())
}

impl Rig {
    fn from(&mut self, link: LinkId, packet: Packet) -> Vec<String> {
        self.say(LearnerInput::Observer { link, packet })
    }

    fn comes(&mut self, link: LinkId, kind: PacketKind, id: i64, version: i64) -> Vec<String> {
        self.say(LearnerInput::ObserverLinked { link });
        let info = LearnerInfo::ours(ServerId(id), version).encode();
        self.from(link, Packet::with(kind, z(3, 0), info))
    }

    /// An observer with this history registers: what it is sent.
    fn registers(&mut self, link: LinkId, id: i64, last: Zxid) -> Vec<String> {
        let told = self.comes(link, PacketKind::ObserverInfo, id, 0);
        assert_eq!(told, [format!("{}< LeaderInfo 0x500000000", link.0)]);
        self.from(link, Packet::with(PacketKind::AckEpoch, last, encode_number(3)))
    }

    /// An observer that serves.
    fn observed(&mut self, link: LinkId, id: i64) {
        self.registers(link, id, z(3, 2));
        let told = self.from(link, Packet::bare(PacketKind::Ack, z(5, 0)));
        assert_eq!(told, [format!("{}< UpToDate 0xffffffffffffffff", link.0)]);
    }

    fn request(&mut self, link: LinkId, op: i32) -> Vec<String> {
        let record = Bytes::new();
        let data = Forwarded { session: SessionId(7), cxid: 1, op, record }.encode();
        self.from(link, Packet::with(PacketKind::Request, Zxid(-1), data))
    }
}

#[test]
fn an_observer_is_brought_up_and_told_of_commits() {
    let mut rig = rig();
    assert_eq!(
        rig.registers(A, 9, z(3, 1)),
        [
            "2< Diff 0x300000002",
            "2< Proposal 0x300000002",
            "2< Commit 0x300000002",
            "2< NewLeader 0x500000000"
        ]
    );
    rig.proposal(z(5, 1));
    let told = ["2< Inform 0x500000001", "commit 0x500000001"];
    assert_eq!(rig.bare(PacketKind::Commit, z(5, 1)), told, "its stream has begun");
    assert_eq!(rig.from(A, Packet::bare(PacketKind::Ack, z(5, 0))), ["2< UpToDate 0xffffffffffffffff"]);
    assert_eq!(rig.from(A, Packet::bare(PacketKind::Ack, z(5, 0))), NOTHING, "behind UPTODATE once more");
    assert_eq!((rig.learner.synced_observers(), rig.learner.observers()), (1, vec![A]));
    rig.say(LearnerInput::ObserverLost { link: A });
    rig.proposal(z(5, 2));
    assert_eq!(rig.bare(PacketKind::Commit, z(5, 2)), ["commit 0x500000002"]);
}

#[test]
fn older_ones_get_the_log_or_a_snapshot_of_what_is_committed() {
    let mut rig = rig();
    assert_eq!(rig.registers(A, 9, z(2, 7)), ["2 find 0x200000007"]);
    let view = LogView { floor: Some(z(2, 7)), next: Some(z(3, 1)), affordable: true };
    assert_eq!(
        rig.say(LearnerInput::Found { link: A, view }),
        [
            "2< Diff 0x300000002",
            "2< log (0x200000007, 0x300000001]",
            "2< Proposal 0x300000002",
            "2< Commit 0x300000002",
            "2< NewLeader 0x500000000"
        ]
    );
    rig.learner.handle(
        LearnerInput::Packet(Packet::with(PacketKind::Proposal, z(5, 1), entry(z(5, 1)).bytes)),
        rig.now,
    );
    rig.learner.handle(LearnerInput::Packet(Packet::bare(PacketKind::Commit, z(5, 1))), rig.now);
    rig.out();
    let whole = ["4< snapshot 0x500000001", "4< NewLeader 0x500000000"];
    assert_eq!(rig.registers(B, 8, Zxid(-1)), whole);
    let more = rig.registers(LinkId(6), 7, Zxid(-1));
    assert_eq!(more, ["6 closed: 1 observers are being brought up already"]);
}

#[test]
fn whoever_is_no_observer_of_this_history_is_turned_away() {
    let mut rig = rig();
    let why = "2 closed: its first packet is FollowerInfo: observers alone are served here";
    assert_eq!(rig.comes(A, PacketKind::FollowerInfo, 3, 0), [why]);
    assert_eq!(rig.comes(A, PacketKind::ObserverInfo, 9, 1), ["2 closed: it knows a later configuration"]);
    let own = "2 closed: it calls itself server.2, as this member does";
    assert_eq!(rig.comes(A, PacketKind::ObserverInfo, 2, 0), [own]);
    // Another follower was faster: nothing that is committed is cut.
    let ahead = "2 closed: it is at 0x500000009 and ahead of this follower, which is at 0x300000002";
    assert_eq!(rig.registers(A, 9, z(5, 9)), [ahead]);
    rig.observed(A, 9);
    assert_eq!(
        rig.from(A, Packet::bare(PacketKind::Commit, z(5, 1))),
        ["2 closed: Commit is no observer's to send"]
    );
    rig.observed(A, 9);
    let again = rig.comes(B, PacketKind::ObserverInfo, 9, 0);
    assert_eq!(again, ["2 closed: server.9 connected again", "4< LeaderInfo 0x500000000"]);
}

#[test]
fn answers_go_to_whoever_asked_first() {
    let mut rig = rig();
    rig.observed(A, 9);
    assert_eq!(rig.request(A, 1), ["> Request 0xffffffffffffffff"]);
    assert_eq!(rig.request(A, 9), ["> Request 0xffffffffffffffff"]);
    let own = Forwarded { session: SessionId(1), cxid: 1, op: 9, record: Bytes::new() };
    rig.learner.request(&own, Vec::new());
    rig.request(A, 9);
    rig.out();
    let sync = |rig: &mut Rig| rig.bare(PacketKind::Sync, Zxid::ZERO);
    assert_eq!(sync(&mut rig), ["2< Sync 0x0"]);
    assert_eq!(sync(&mut rig), ["synced"]);
    rig.say(LearnerInput::ObserverLost { link: A });
    assert_eq!(sync(&mut rig), NOTHING, "it has gone");

    rig.observed(B, 8);
    let touch = |session| Touch { session: SessionId(session), timeout: 30 };
    rig.learner.revalidate(touch(5));
    let asks = |rig: &mut Rig, session| {
        rig.from(B, Packet::with(PacketKind::Revalidate, Zxid(-1), touch(session).encode()))
    };
    asks(&mut rig, 5);
    asks(&mut rig, 6);
    let word = |rig: &mut Rig, session, valid| {
        let data = Revalidation { session: SessionId(session), valid }.encode();
        rig.with(PacketKind::Revalidate, Zxid(-1), data)
    };
    assert_eq!(
        word(&mut rig, 6, true),
        ["4< Revalidate 0xffffffffffffffff"],
        "sessions do not wait for each other"
    );
    assert_eq!(word(&mut rig, 5, true), ["revalidated 0x5 true"]);
    assert_eq!(word(&mut rig, 5, false), ["4< Revalidate 0xffffffffffffffff"]);
    assert_eq!(word(&mut rig, 5, false), ["revalidated 0x5 false"]);
}

#[test]
fn observers_are_pinged_and_what_they_heard_of_goes_to_the_leader() {
    let mut rig = rig();
    rig.observed(A, 9);
    let touches = |list: &[(i64, i32)]| -> Vec<Touch> {
        list.iter().map(|&(id, timeout)| Touch { session: SessionId(id), timeout }).collect()
    };
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), ["2< Ping 0x300000002"]);
    let data = Touch::encode_list(&touches(&[(3, 30), (4, 40)]));
    assert_eq!(rig.from(A, Packet::with(PacketKind::Ping, Zxid(0), data)), NOTHING);
    rig.learner.pong(z(5, 0), &touches(&[(4, 44), (5, 50)]));
    let Some(LearnerOutput::Send(pong)) = rig.learner.poll_output() else { panic!("a pong") };
    let told = Touch::decode_list(&pong.data.unwrap()).unwrap();
    assert_eq!(told, touches(&[(3, 30), (4, 44), (5, 50)]));
    rig.learner.pong(z(5, 0), &[]);
    let Some(LearnerOutput::Send(pong)) = rig.learner.poll_output() else { panic!("a pong") };
    assert_eq!(pong.data, Some(Bytes::new()), "once");

    rig.now = rig.now + Duration::from_millis(4_999);
    rig.bare(PacketKind::Ping, z(5, 0));
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), ["2< Ping 0x300000002"]);
    rig.now = rig.now + Duration::from_millis(501);
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), ["2 closed: it is silent"]);
    assert!(rig.learner.poll_timeout() > Some(rig.now + Duration::from_millis(1000)), "nobody to ping");
}

#[test]
fn a_reconfiguration_activates_behind_the_follower_too() {
    let mut rig = rig();
    rig.observed(A, 9);
    let ensemble = Ensemble::parse("server.1=a:1:2:participant\nversion=500000001", false).unwrap();
    let header = TxnHeader { client_id: 1, cxid: 1, zxid: z(5, 1), time: 0, kind: kind::RECONFIG };
    let data = Some(Bytes::from(ensemble.to_string()));
    let txn = Txn::SetData { path: "/zookeeper/config".into(), data, version: -1 };
    let bytes: Bytes = Record { header, txn, digest: None }.to_bytes().into();
    rig.with(PacketKind::Proposal, z(5, 1), bytes.clone());
    let designated = encode_designated(ServerId(3));
    assert_eq!(decode_designated(&designated).unwrap(), ServerId(3));
    rig.learner.handle(
        LearnerInput::Packet(Packet::with(PacketKind::CommitAndActivate, z(5, 1), designated)),
        rig.now,
    );
    let Some(LearnerOutput::ToObserver { link: A, item: ToLearner::Packet(told) }) =
        rig.learner.poll_output()
    else {
        panic!("the observer is told")
    };
    assert_eq!(told.kind, PacketKind::InformAndActivate);
    let activation = Activation::decode(&told.data.unwrap()).unwrap();
    assert_eq!(activation, Activation { leader: ServerId(3), txn: bytes });
    rig.learner.set_configuration(0x5_0000_0001, ensemble.to_string().into());
    let known = rig.comes(B, PacketKind::ObserverInfo, 8, 0x5_0000_0001);
    assert_eq!(known, ["4< LeaderInfo 0x500000000"]);
}

#[test]
fn observers_come_only_while_the_follower_serves() {
    let mut rig = rig();
    rig.observed(A, 9);
    rig.bare(PacketKind::NewLeader, z(6, 0));
    assert!(!rig.learner.serves_observers());
    assert_eq!(rig.learner.observers(), [A], "their connections are closed with the role");
}
