//! Transcripts of a learner: what goes in, what comes out, line by line.

use super::*;
use crate::disk::{Durable, Synced};
use crate::peer::Revalidation;
use crate::peer::payload::{PROTOCOL, encode_number};
use crate::txn::{Record, Txn, TxnHeader, kind};
use crate::types::SessionId;
use crate::zab::leader::ToLearner;
use bytes::Bytes;

pub(super) const fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

pub(super) fn durable<T>(value: T) -> Durable<T> {
    Durable::new(value, &Synced::by_disk())
}

pub(super) fn entry(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 0, kind: kind::ERROR };
    let record = Record { header, txn: Txn::Error { err: -1 }, digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

pub(super) struct Rig {
    pub learner: Learner,
    pub now: Instant,
}

impl Rig {
    /// Server 2 with the log (3,1), (3,2) and accepted epoch 4.
    fn new(observer: bool) -> Rig {
        Rig::with_relay(observer, None)
    }

    fn with_relay(observer: bool, relay: Option<RelayConfig>) -> Rig {
        let config = LearnerConfig {
            me: ServerId(2),
            observer,
            config_version: 0,
            tick: Duration::from_millis(1000),
            init_limit: 10,
            sync_limit: 5,
            reconfig: false,
            relearn: false,
            relay,
        };
        let promises = Promises { last: durable(z(3, 2)), current: durable(3), accepted: durable(4) };
        let window = Window::new(500, z(3, 2), vec![entry(z(3, 1)), entry(z(3, 2))]);
        let now = Instant::from_millis(1000);
        Rig { learner: Learner::new(config, promises, window, now), now }
    }

    pub(super) fn say(&mut self, input: LearnerInput) -> Vec<String> {
        self.learner.handle(input, self.now);
        self.out()
    }

    pub(super) fn out(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.learner.poll_output()).map(show).collect()
    }

    pub(super) fn bare(&mut self, kind: PacketKind, zxid: Zxid) -> Vec<String> {
        self.say(LearnerInput::Packet(Packet::bare(kind, zxid)))
    }

    pub(super) fn with(&mut self, kind: PacketKind, zxid: Zxid, data: Bytes) -> Vec<String> {
        self.say(LearnerInput::Packet(Packet::with(kind, zxid, data)))
    }

    pub(super) fn proposal(&mut self, zxid: Zxid) -> Vec<String> {
        self.with(PacketKind::Proposal, zxid, entry(zxid).bytes)
    }

    fn leader_info(&mut self, epoch: u32) -> Vec<String> {
        self.with(PacketKind::LeaderInfo, z(epoch, 0), encode_number(PROTOCOL))
    }

    /// It has accepted epoch 5.
    fn registered(observer: bool) -> Rig {
        Rig::new(observer).accepts()
    }

    fn accepts(self) -> Rig {
        let mut rig = self;
        rig.say(LearnerInput::Linked);
        rig.leader_info(5);
        rig.say(LearnerInput::Accepted(durable(5)));
        rig
    }

    /// It serves, with nothing under way.
    fn serving(observer: bool) -> Rig {
        Rig::registered(observer).serves()
    }

    /// A follower that serves observers, with nothing under way.
    pub(super) fn relaying(relay: RelayConfig) -> Rig {
        Rig::with_relay(false, Some(relay)).accepts().serves()
    }

    fn serves(self) -> Rig {
        let mut rig = self;
        rig.bare(PacketKind::Diff, z(3, 2));
        rig.bare(PacketKind::NewLeader, z(5, 0));
        rig.say(LearnerInput::Current(durable(5)));
        rig.bare(PacketKind::UpToDate, Zxid(-1));
        assert!(rig.learner.is_serving());
        rig
    }
}

pub(super) fn show(output: LearnerOutput) -> String {
    match output {
        LearnerOutput::Send(p) => format!("> {:?} {}", p.kind, p.zxid),
        LearnerOutput::PersistAccepted(e) => format!("accepted {e}"),
        LearnerOutput::PersistCurrent(e) => format!("current {e}"),
        LearnerOutput::Append(p) => format!("append {}", p.zxid),
        LearnerOutput::Truncate(z) => format!("truncate {z}"),
        LearnerOutput::Install(z) => format!("install {z}"),
        LearnerOutput::Commit(z) => format!("commit {z}"),
        LearnerOutput::Serve { epoch } => format!("serve {epoch}"),
        LearnerOutput::Revalidated(r) => format!("revalidated {} {}", r.session, r.valid),
        LearnerOutput::Synced => "synced".into(),
        LearnerOutput::WantTouches { zxid } => format!("touches for {zxid}"),
        LearnerOutput::ConfigSeen(e) => format!("config {:x} seen", e.version),
        LearnerOutput::ConfigActive { ensemble, .. } => format!("config {:x} active", ensemble.version),
        LearnerOutput::ToObserver { link, item: ToLearner::Packet(p) } => {
            format!("{}< {:?} {}", link.0, p.kind, p.zxid)
        }
        LearnerOutput::ToObserver { link, item: ToLearner::Snapshot { zxid } } => {
            format!("{}< snapshot {zxid}", link.0)
        }
        LearnerOutput::ToObserver { link, item: ToLearner::Log { after, upto } } => {
            format!("{}< log ({after}, {upto}]", link.0)
        }
        LearnerOutput::HangUp { link, why } => format!("{} closed: {why}", link.0),
        LearnerOutput::FindInLog { link, zxid } => format!("{} find {zxid}", link.0),
        LearnerOutput::Leave(why) => format!("leave: {why}"),
    }
}

#[test]
fn epochs_are_accepted_once_and_durably() {
    let mut rig = Rig::new(false);
    assert_eq!(rig.say(LearnerInput::Linked), ["> FollowerInfo 0x400000000"]);
    assert_eq!(rig.leader_info(5), ["accepted 5"]);
    assert_eq!(rig.say(LearnerInput::Accepted(durable(5))), ["> AckEpoch 0x300000002"]);

    let mut rig = Rig::new(false);
    rig.say(LearnerInput::Linked);
    rig.learner.handle(
        LearnerInput::Packet(Packet::with(PacketKind::LeaderInfo, z(4, 0), encode_number(PROTOCOL))),
        rig.now,
    );
    let Some(LearnerOutput::Send(ack)) = rig.learner.poll_output() else { panic!("an ACKEPOCH") };
    assert_eq!(ack.data, Some(encode_number(-1)), "accepted before: not to be counted again");

    let mut rig = Rig::new(true);
    assert_eq!(rig.say(LearnerInput::Linked), ["> ObserverInfo 0x400000000"]);
    assert_eq!(rig.leader_info(3), ["leave: the leader's epoch 3 is less than 4, which was accepted"]);
}

#[test]
fn newleader_is_acknowledged_when_history_and_then_epoch_are_durable() {
    let mut rig = Rig::registered(false);
    assert_eq!(rig.bare(PacketKind::Diff, z(3, 4)), [""; 0]);
    assert_eq!(rig.proposal(z(3, 3)), ["append 0x300000003"]);
    assert_eq!(rig.bare(PacketKind::Commit, z(3, 3)), ["commit 0x300000003"]);
    assert_eq!(rig.proposal(z(3, 4)), ["append 0x300000004"], "not committed");
    assert_eq!(rig.bare(PacketKind::NewLeader, z(5, 0)), ["current 5"], "behind the appends");
    assert_eq!(rig.bare(PacketKind::Ping, z(3, 4)), [""; 0], "not ours to answer yet");
    assert_eq!(rig.say(LearnerInput::Logged(durable(z(3, 3)))), [""; 0]);
    assert_eq!(rig.say(LearnerInput::Current(durable(5))), [""; 0], "the history is not durable");
    assert_eq!(
        rig.say(LearnerInput::Logged(durable(z(3, 4)))),
        ["> Ack 0x500000000", "> Ack 0x300000004"],
        "the committed one needs none"
    );
    assert_eq!(rig.bare(PacketKind::Commit, z(3, 4)), ["commit 0x300000004"], "before UPTODATE");
    assert_eq!(rig.bare(PacketKind::UpToDate, Zxid(-1)), ["> Ack 0x500000000", "serve 5"]);
}

#[test]
fn proposals_are_acknowledged_one_by_one_when_durable() {
    let mut rig = Rig::serving(false);
    for counter in 1..=3 {
        assert_eq!(rig.proposal(z(5, counter)), [format!("append {}", z(5, counter))]);
    }
    assert_eq!(rig.bare(PacketKind::Commit, z(5, 1)), ["commit 0x500000001"], "others were faster");
    assert_eq!(rig.say(LearnerInput::Logged(durable(z(5, 2)))), ["> Ack 0x500000001", "> Ack 0x500000002"]);
    assert_eq!(rig.say(LearnerInput::Logged(durable(z(5, 3)))), ["> Ack 0x500000003"]);
}

#[test]
fn holes_and_wrong_commits_end_the_role() {
    let mut rig = Rig::serving(false);
    assert_eq!(rig.proposal(z(5, 2)), ["leave: 0x500000002 does not follow 0x300000002, the last one here"]);
    let mut rig = Rig::serving(false);
    rig.proposal(z(5, 1));
    rig.proposal(z(5, 2));
    assert_eq!(
        rig.bare(PacketKind::Commit, z(5, 2)),
        ["leave: 0x500000002 is to be committed, but 0x500000001 is next"]
    );
    let mut rig = Rig::serving(false);
    let foreign = rig.with(PacketKind::Proposal, z(5, 1), entry(z(5, 9)).bytes);
    assert_eq!(foreign, ["leave: the proposal 0x500000001 carries another zxid"]);
    let mut rig = Rig::serving(false);
    rig.proposal(z(5, 1));
    assert!(rig.proposal(z(5, 1))[0].starts_with("leave: "), "a duplicate in service");
}

#[test]
fn after_a_cut_nothing_is_taken_before_the_disk_has_answered() {
    let mut rig = Rig::registered(false);
    assert_eq!(rig.bare(PacketKind::Trunc, z(3, 1)), ["truncate 0x300000001"]);
    assert_eq!(rig.proposal(z(4, 1)), [""; 0]);
    assert_eq!(rig.bare(PacketKind::NewLeader, z(5, 0)), [""; 0]);
    let (last, window) = (durable(z(3, 1)), vec![entry(z(3, 1))]);
    assert_eq!(rig.say(LearnerInput::Reloaded { last, window }), ["append 0x400000001", "current 5"]);

    let mut rig = Rig::registered(false);
    rig.bare(PacketKind::Trunc, z(3, 1));
    let elsewhere = LearnerInput::Reloaded { last: durable(z(2, 9)), window: Vec::new() };
    let why = "leave: the log was to be cut behind 0x300000001 and ends with 0x200000009";
    assert_eq!(rig.say(elsewhere), [why]);

    let mut rig = Rig::registered(false);
    rig.bare(PacketKind::Trunc, z(3, 0));
    let before = LearnerInput::Reloaded { last: durable(z(2, 9)), window: Vec::new() };
    assert_eq!(rig.say(before), [""; 0], "the beginning of an epoch stands in no log");
    assert_eq!(rig.proposal(z(3, 1)), ["append 0x300000001"]);
}

#[test]
fn what_a_snapshot_brought_is_not_taken_twice() {
    let mut rig = Rig::registered(false);
    assert_eq!(rig.bare(PacketKind::Snap, z(4, 2)), [""; 0]);
    assert_eq!(rig.say(LearnerInput::SnapshotReceived(z(4, 2))), ["install 0x400000002"]);
    rig.proposal(z(4, 2));
    rig.bare(PacketKind::Commit, z(4, 2));
    rig.proposal(z(4, 3));
    let reloaded = LearnerInput::Reloaded { last: durable(z(4, 2)), window: Vec::new() };
    assert_eq!(rig.say(reloaded), ["append 0x400000003"]);
    rig.bare(PacketKind::NewLeader, z(5, 0));
    rig.say(LearnerInput::Current(durable(5)));
    assert_eq!(rig.say(LearnerInput::Logged(durable(z(4, 3)))), ["> Ack 0x500000000", "> Ack 0x400000003"]);
}

#[test]
fn observers_log_what_is_committed() {
    let mut rig = Rig::serving(true);
    assert_eq!(rig.proposal(z(5, 1)), [""; 0], "not theirs");
    assert_eq!(
        rig.with(PacketKind::Inform, z(5, 1), entry(z(5, 1)).bytes),
        ["append 0x500000001", "commit 0x500000001"]
    );
    assert_eq!(rig.say(LearnerInput::Logged(durable(z(5, 1)))), [""; 0]);
}

#[test]
fn in_service_it_answers_and_passes_on() {
    let mut rig = Rig::serving(false);
    assert_eq!(rig.bare(PacketKind::Ping, z(5, 7)), ["touches for 0x500000007"]);
    rig.learner.pong(z(5, 7), &[Touch { session: SessionId(1), timeout: 5 }]);
    assert_eq!(rig.out(), ["> Ping 0x500000007"]);
    rig.proposal(z(5, 1));
    rig.learner.handle(LearnerInput::Packet(Packet::bare(PacketKind::Commit, z(5, 1))), rig.now);
    rig.learner.handle(LearnerInput::Packet(Packet::bare(PacketKind::Sync, Zxid::ZERO)), rig.now);
    assert_eq!(rig.out(), ["commit 0x500000001", "synced"], "a sync sees what came before it");
    let word = Revalidation { session: SessionId(9), valid: false };
    assert_eq!(rig.with(PacketKind::Revalidate, Zxid(-1), word.encode()), ["revalidated 0x9 false"]);
    assert!(rig.bare(PacketKind::UpToDate, Zxid(-1))[0].starts_with("leave: "));
}

#[test]
fn a_silent_leader_is_left_and_a_moving_snapshot_is_not_silence() {
    let mut rig = Rig::serving(false);
    rig.now = rig.now + Duration::from_millis(4_999);
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), [""; 0]);
    rig.now = rig.now + Duration::from_millis(1);
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), ["leave: the leader was silent for syncLimit"]);

    let mut rig = Rig::registered(false);
    rig.bare(PacketKind::Snap, z(4, 2));
    for _ in 0..5 {
        rig.now = rig.now + Duration::from_millis(9_000);
        rig.learner.timeout(rig.now);
        assert_eq!(rig.say(LearnerInput::Progress), [""; 0]);
    }
    rig.now = rig.now + Duration::from_millis(10_000);
    rig.learner.timeout(rig.now);
    assert_eq!(rig.out(), ["leave: the leader was silent for initLimit"]);
}
