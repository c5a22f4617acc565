//! Transcripts of a leader: what goes in, what comes out, line by line.

mod service;

use super::*;
use crate::config::quorum::Ensemble;
use crate::disk::Synced;
use crate::peer::LearnerInfo;
use crate::peer::payload::encode_number;
use crate::txn::{Record, Txn, TxnHeader, kind};
use crate::zab::quorum::Quorum;
use crate::zab::types::LogView;
use bytes::Bytes;
use std::sync::Arc;

const TICK: Duration = Duration::from_millis(1000);
const A: LinkId = LinkId(2);
const B: LinkId = LinkId(4);
const C: LinkId = LinkId(6);

const fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

pub(super) fn quorum(voters: &[u64], observers: &[u64], version: u64) -> Arc<Quorum> {
    let line = |id: &u64, role: &str| format!("server.{id}=h{id}:2888:3888:{role}\n");
    let voters: String = voters.iter().map(|id| line(id, "participant")).collect();
    let observers: String = observers.iter().map(|id| line(id, "observer")).collect();
    let text = format!("{voters}{observers}version={version:x}");
    Arc::new(Quorum::new(&Ensemble::parse(&text, false).unwrap()))
}

fn entry(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::ERROR };
    let record = Record { header, txn: Txn::Error { err: -1 }, digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

/// A proposal of a configuration.
fn reconfiguration(zxid: Zxid, quorum: &Quorum) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::RECONFIG };
    let data = Some(Bytes::copy_from_slice(quorum.text().as_bytes()));
    let txn = Txn::SetData { path: "/zookeeper/config".into(), data, version: -1 };
    Proposal { zxid, bytes: Record { header, txn, digest: None }.to_bytes().into() }
}

struct Rig {
    leader: Leader,
    now: Instant,
}

impl Rig {
    /// Server 1 of `voters` with the log (3,1), (3,2) and accepted epoch 4.
    fn new(voters: &[u64]) -> Rig {
        Rig::with(Quorums::from(quorum(voters, &[9], 0)), |_| {})
    }

    fn with(quorums: Quorums, adjust: impl FnOnce(&mut LeaderConfig)) -> Rig {
        let mut config = LeaderConfig {
            me: ServerId(1),
            tick: TICK,
            init_limit: 10,
            sync_limit: 5,
            force_snapshot: false,
            from_log: true,
            max_snap_syncs: 1,
            max_diff_syncs: 1,
            reconfig: false,
            disloyal_after: None,
        };
        adjust(&mut config);
        let promises = Promises { last: durable(z(3, 2)), current: durable(3), accepted: durable(4) };
        let window = Window::new(500, z(3, 2), vec![entry(z(3, 1)), entry(z(3, 2))]);
        let now = Instant::from_millis(1000);
        Rig { leader: Leader::new(config, quorums, promises, window, now), now }
    }

    fn say(&mut self, input: LeaderInput) -> Vec<String> {
        self.leader.handle(input, self.now);
        self.out()
    }

    fn packet(&mut self, link: LinkId, packet: Packet) -> Vec<String> {
        self.say(LeaderInput::Packet { link, packet })
    }

    fn out(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.leader.poll_output()).map(show).collect()
    }

    fn introduce(&mut self, link: LinkId, id: i64, accepted: u32) -> Vec<String> {
        self.introduce_as(link, PacketKind::FollowerInfo, id, accepted, 0)
    }

    fn introduce_as(
        &mut self,
        link: LinkId,
        kind: PacketKind,
        id: i64,
        accepted: u32,
        version: i64,
    ) -> Vec<String> {
        self.say(LeaderInput::Linked { link });
        let info = LearnerInfo::ours(ServerId(id), version).encode();
        self.packet(link, Packet::with(kind, z(accepted, 0), info))
    }

    fn ack_epoch(&mut self, link: LinkId, current: i32, last: Zxid) -> Vec<String> {
        self.packet(link, Packet::with(PacketKind::AckEpoch, last, encode_number(current)))
    }

    fn ack(&mut self, link: LinkId, zxid: Zxid) -> Vec<String> {
        self.packet(link, Packet::bare(PacketKind::Ack, zxid))
    }

    fn propose(&mut self, zxid: Zxid) -> Vec<String> {
        self.leader.propose(&entry(zxid), self.now);
        self.out()
    }

    /// Follower 2 at A joined, the leader of epoch 5 is established.
    fn serving(voters: &[u64]) -> Rig {
        let mut rig = Rig::new(voters);
        rig.establish(&[(A, 2), (B, 3)][..(voters.len() / 2)]);
        rig
    }

    fn establish(&mut self, followers: &[(LinkId, i64)]) {
        for (link, id) in followers {
            self.introduce(*link, *id, 4);
        }
        self.say(LeaderInput::Accepted(durable(5)));
        for (link, _) in followers {
            self.ack_epoch(*link, 3, z(3, 2));
        }
        self.say(LeaderInput::Current(durable(5)));
        for (link, _) in followers {
            self.ack(*link, z(5, 0));
        }
        assert!(self.leader.is_serving());
        self.out();
    }

    /// Another learner joins an established leader, up to its acknowledgement of NEWLEADER.
    fn join(&mut self, link: LinkId, kind: PacketKind, id: i64, last: Zxid) -> Vec<String> {
        self.introduce_as(link, kind, id, 5, 0);
        self.ack_epoch(link, -1, last)
    }

    fn pass(&mut self, ms: u64) -> Vec<String> {
        self.now = self.now + Duration::from_millis(ms);
        self.leader.timeout(self.now);
        self.out()
    }
}

fn show(output: LeaderOutput) -> String {
    match output {
        LeaderOutput::Send { link, item: ToLearner::Packet(p) } => {
            format!("{}< {:?} {}", link.0, p.kind, p.zxid)
        }
        LeaderOutput::Send { link, item: ToLearner::Log { after, upto } } => {
            format!("{}< log ({after}, {upto}]", link.0)
        }
        LeaderOutput::Send { link, item: ToLearner::Snapshot { zxid } } => {
            format!("{}< snapshot {zxid}", link.0)
        }
        LeaderOutput::Hangup { link, why } => format!("{} closed: {why}", link.0),
        LeaderOutput::PersistAccepted(e) => format!("accepted {e}"),
        LeaderOutput::PersistCurrent(e) => format!("current {e}"),
        LeaderOutput::FindInLog { link, zxid } => format!("{} find {zxid}", link.0),
        LeaderOutput::Established { epoch } => format!("established {epoch}"),
        LeaderOutput::Commit(z) => format!("commit {z}"),
        LeaderOutput::Request { link, request, .. } => format!("{} asks {}", link.0, request.cxid),
        LeaderOutput::Revalidate { link, touch, .. } => format!("{} revalidates {}", link.0, touch.session),
        LeaderOutput::Touched { server, touches } => format!("{server} touches {}", touches.len()),
        LeaderOutput::NewConfig { ensemble, active, .. } => {
            format!("config {:x} {}", ensemble.version, if active { "active" } else { "seen" })
        }
        LeaderOutput::HandedOver { to } => format!("handed over to {to}"),
        LeaderOutput::Kept(why) => format!("kept: {why}"),
        LeaderOutput::StepDown(why) => format!("down: {why}"),
    }
}

#[test]
fn an_epoch_is_opened_and_established() {
    let mut rig = Rig::new(&[1, 2, 3]);
    assert_eq!(rig.out(), [""; 0]);
    assert_eq!(rig.introduce(A, 2, 6), ["accepted 7"], "one more than anybody accepted");
    assert_eq!(rig.say(LeaderInput::Accepted(durable(7))), ["2< LeaderInfo 0x700000000"]);
    assert_eq!(
        rig.ack_epoch(A, 3, z(3, 1)),
        [
            "current 7",
            "2< Diff 0x300000002",
            "2< Proposal 0x300000002",
            "2< Commit 0x300000002",
            "2< NewLeader 0x700000000"
        ]
    );
    assert_eq!(rig.ack(A, z(7, 0)), [""; 0], "the leader's own epoch is not durable");
    assert_eq!(
        rig.say(LeaderInput::Current(durable(7))),
        ["established 7", "2< UpToDate 0xffffffffffffffff"]
    );
    assert_eq!(rig.ack(A, z(7, 0)), [""; 0], "the second one");
}

#[test]
fn alone_it_needs_only_its_disk() {
    let mut rig = Rig::new(&[1]);
    assert_eq!(rig.out(), ["accepted 5"]);
    assert_eq!(rig.say(LeaderInput::Accepted(durable(5))), ["current 5"]);
    assert_eq!(rig.say(LeaderInput::Current(durable(5))), ["established 5"]);
    assert_eq!(rig.propose(z(5, 1)), [""; 0]);
    assert_eq!(rig.say(LeaderInput::Logged(durable(z(5, 1)))), ["commit 0x500000001"]);
}

#[test]
fn whoever_knows_more_is_not_led_and_is_not_counted() {
    let mut rig = Rig::new(&[1, 2, 3, 4, 5]);
    for (link, id) in [(A, 2), (B, 3), (C, 4)] {
        rig.introduce(link, id, 4);
    }
    rig.say(LeaderInput::Accepted(durable(5)));
    let newer = "knows more: 0x300000003 of epoch 3, here 0x300000002 of 3";
    assert_eq!(rig.ack_epoch(A, 3, z(3, 3)), [format!("2 closed: it {newer}")]);
    assert_eq!(rig.ack_epoch(B, -1, z(3, 2)), [""; 0], "accepted before: not counted");
    assert_eq!(rig.ack_epoch(C, 0, Zxid(-1)), [""; 0], "a database that is not to be trusted");
    rig.introduce(A, 2, 4);
    assert_eq!(rig.ack_epoch(A, 2, z(3, 2)), [""; 0], "two of five");
    let out = {
        let d = LinkId(8);
        rig.introduce(d, 5, 4);
        rig.ack_epoch(d, 3, z(2, 9))
    };
    assert_eq!(out[0], "current 5");
    assert!(out.contains(&"6< snapshot 0x300000002".to_owned()), "{out:?}");
}

#[test]
fn who_may_not_be_a_learner() {
    let mut rig = Rig::new(&[1, 2, 3]);
    let later = rig.introduce_as(A, PacketKind::FollowerInfo, 2, 4, 0x300000009);
    assert_eq!(later, ["2 closed: it knows a later configuration"]);
    assert_eq!(rig.introduce(A, 1, 4), ["2 closed: it calls itself server.1, as this member does"]);
    rig.say(LeaderInput::Linked { link: B });
    assert_eq!(
        rig.packet(B, Packet::bare(PacketKind::Request, Zxid(-1))),
        ["4 closed: its first packet is Request"]
    );
    assert_eq!(rig.introduce(A, 2, 4), ["accepted 5"]);
    assert_eq!(rig.introduce(B, 2, 4), ["2 closed: server.2 connected again"]);
}

#[test]
fn a_proposal_goes_to_every_learner_whose_stream_has_begun() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.propose(z(5, 1));
    assert_eq!(
        rig.join(B, PacketKind::FollowerInfo, 3, z(3, 2)),
        ["4< Diff 0x300000002", "4< Proposal 0x500000001", "4< NewLeader 0x500000000"],
        "what is under way belongs to the stream"
    );
    assert_eq!(
        rig.propose(z(5, 2)),
        ["2< Proposal 0x500000002", "4< Proposal 0x500000002"],
        "before it acknowledged NEWLEADER"
    );
    rig.say(LeaderInput::Logged(durable(z(5, 2))));
    assert_eq!(rig.ack(A, z(5, 1)), ["2< Commit 0x500000001", "4< Commit 0x500000001", "commit 0x500000001"]);
    assert_eq!(rig.ack(B, z(5, 0)), ["4< UpToDate 0xffffffffffffffff"]);
    let both = ["2< Commit 0x500000002", "4< Commit 0x500000002", "commit 0x500000002"];
    assert_eq!(rig.ack(B, z(5, 2)), both);
}

#[test]
fn commits_need_a_quorum_and_go_in_order() {
    let mut rig = Rig::serving(&[1, 2, 3, 4, 5]);
    for counter in 1..=3 {
        rig.propose(z(5, counter));
    }
    assert_eq!(rig.ack(A, z(5, 3)), [""; 0]);
    assert_eq!(rig.ack(B, z(5, 1)), [""; 0], "two of five");
    let first = ["2< Commit 0x500000001", "4< Commit 0x500000001", "commit 0x500000001"];
    assert_eq!(rig.say(LeaderInput::Logged(durable(z(5, 2)))), first);
    assert_eq!(rig.ack(B, z(5, 3)).last().unwrap(), "commit 0x500000002", "as far as three have it");
    let beyond = "4 closed: it acknowledges 0x500000004, which was never proposed";
    assert_eq!(rig.ack(B, z(5, 4)), [beyond]);
}

#[test]
fn observers_are_informed_and_not_counted() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    rig.join(B, PacketKind::ObserverInfo, 9, z(3, 2));
    assert_eq!(rig.ack(B, z(5, 0)), ["4< UpToDate 0xffffffffffffffff"]);
    assert_eq!(rig.propose(z(5, 1)), ["2< Proposal 0x500000001"]);
    assert_eq!(rig.ack(B, z(5, 1)), [""; 0]);
    rig.say(LeaderInput::Logged(durable(z(5, 1))));
    assert_eq!(rig.ack(A, z(5, 1)), ["2< Commit 0x500000001", "4< Inform 0x500000001", "commit 0x500000001"]);
}

#[test]
fn streams_from_disk_and_snapshots() {
    let mut rig = Rig::serving(&[1, 2, 3]);
    assert_eq!(rig.join(B, PacketKind::FollowerInfo, 3, z(2, 7)), ["4 find 0x200000007"]);
    let view = LogView { floor: Some(z(2, 7)), next: Some(z(3, 1)), affordable: true };
    assert_eq!(
        rig.say(LeaderInput::Found { link: B, view }),
        [
            "4< Diff 0x300000002",
            "4< log (0x200000007, 0x300000001]",
            "4< Proposal 0x300000002",
            "4< Commit 0x300000002",
            "4< NewLeader 0x500000000"
        ]
    );
    assert_eq!(
        rig.join(B, PacketKind::FollowerInfo, 3, z(4, 7)),
        ["4< Trunc 0x300000002", "4< NewLeader 0x500000000"]
    );
    assert_eq!(
        rig.join(B, PacketKind::FollowerInfo, 3, Zxid(-1)),
        ["4< snapshot 0x300000002", "4< NewLeader 0x500000000"]
    );
    assert_eq!(
        rig.join(C, PacketKind::ObserverInfo, 9, Zxid(-1)),
        ["6 closed: 1 learners are being brought up already"],
        "voters count, observers wait"
    );
}

#[test]
fn a_voter_that_looks_again_ends_the_wait_for_a_quorum_only_after_its_time() {
    let disloyal = |after: Option<u64>| {
        let quorums = Quorums::from(quorum(&[1, 2, 3], &[], 0));
        let mut rig = Rig::with(quorums, |c| c.disloyal_after = after.map(Duration::from_millis));
        rig.leader.supported_by([1, 2].map(ServerId).into());
        rig
    };
    let looks = |rig: &mut Rig, voter: i64, ms: u64| {
        rig.now = rig.now + Duration::from_millis(ms);
        let _gave_up = rig.leader.voter_looks(ServerId(voter), rig.now);
        rig.out()
    };
    let mut rig = disloyal(Some(500));
    assert_eq!(looks(&mut rig, 2, 500), [""; 0], "not longer than that");
    assert_eq!(looks(&mut rig, 3, 100), [""; 0], "it did not vote for this member");
    let why = "down: server.2 voted for this member and looks again (maxTimeToWaitForEpoch)";
    assert_eq!(looks(&mut rig, 2, 100), [why]);
    assert_eq!(looks(&mut disloyal(None), 2, 9_000), [""; 0], "off by default");
    let mut rig = Rig::serving(&[1, 2, 3]);
    assert_eq!(looks(&mut rig, 2, 9_000), [""; 0], "a quorum follows");
}
