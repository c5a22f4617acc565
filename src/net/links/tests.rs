//! Links on loopback: a leader's port and learners, ours and hand-made ones.

use super::*;
use crate::config::quorum::{Member, MemberAddress, Role};
use crate::net::peering::listen::PeerAddress;
use crate::peer::{LearnerInfo, Packet, PacketKind};
use crate::types::Zxid;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

fn port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().insert(free) {
            return free;
        }
    }
}

/// A snapshot of so many bytes ends with `!`.
struct Stages;

struct Staged(u64);

impl Store for Stages {
    fn receive(&self, _: LinkId, _: Zxid) -> Box<dyn Staging> {
        Box::new(Staged(0))
    }
}

impl Staging for Staged {
    fn feed(&mut self, from: &mut BytesMut) -> Result<bool, String> {
        let end = from.iter().position(|b| *b == b'!');
        let taken = from.split_to(end.map_or(from.len(), |at| at + 1));
        self.0 += taken.len() as u64;
        if taken.contains(&b'?') { Err("no snapshot".to_owned()) } else { Ok(end.is_some()) }
    }
}

/// Pieces of a stream.
struct Pieces(Vec<Vec<u8>>);

impl Chunks for Pieces {
    fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, String> {
        if self.0.is_empty() {
            return Err("nothing to send".to_owned());
        }
        out.extend(self.0.remove(0));
        Ok(!self.0.is_empty())
    }
}

struct Node {
    links: Links,
    events: UnboundedReceiver<LinkEvent>,
    port: u16,
    observers: u16,
}

impl Node {
    /// Member `me` is on 127.0.0.`me`: the port for observers is the same at all.
    fn start(me: i64, port: u16, observers: u16, members: &Arc<Ensemble>) -> Node {
        let host = format!("127.0.0.{me}");
        let config = LinksConfig {
            me: ServerId(me),
            listen: vec![PeerAddress { host: Some(host.clone()), port }],
            observers: Some(observers),
            everywhere: false,
            connect: Duration::from_secs(20),
            retry: Duration::from_millis(500),
            greeting: Duration::from_secs(20),
            leader_nodelay: true,
            follower_nodelay: true,
        };
        let (sender, events) = unbounded_channel();
        let tell: LinkEvents = Arc::new(move |event| drop(sender.send(event)));
        let links =
            Links::start(config, Arc::new(Gate::default()), Arc::new(Stages), tell, Arc::default()).unwrap();
        links.set_ensembles(members, None);
        Node { links, events, port, observers }
    }

    async fn event(&mut self) -> LinkEvent {
        loop {
            match timeout(LIMIT, self.events.recv()).await.expect("in time").expect("links") {
                LinkEvent::Progress { .. } => {}
                event => return event,
            }
        }
    }

    async fn accepted(&mut self) -> LinkId {
        let LinkEvent::Accepted { link, .. } = self.event().await else { panic!("nobody came") };
        let first = self.packets().await;
        assert!(matches!(first[0].kind, PacketKind::FollowerInfo | PacketKind::ObserverInfo));
        link
    }

    async fn packets(&mut self) -> Vec<Packet> {
        match self.event().await {
            LinkEvent::Packets { packets, .. } => packets,
            other => panic!("{other:?}"),
        }
    }

    async fn down(&mut self) -> String {
        match self.event().await {
            LinkEvent::Down { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }
}

/// Leader 1 and learner 2.
fn pair() -> (Node, Node) {
    let (leader, learner, observers) = (port(), port(), port());
    let mut ensemble = Ensemble::default();
    for (id, port) in [(1, leader), (2, learner)] {
        let host = format!("127.0.0.{id}");
        let address = MemberAddress { host, quorum_port: port, election_port: 1 };
        ensemble
            .members
            .insert(id, Member { addresses: vec![address], role: Role::Participant, client: None });
    }
    let ensemble = Arc::new(ensemble);
    (Node::start(1, leader, observers, &ensemble), Node::start(2, learner, observers, &ensemble))
}

/// An observer's first packet.
fn observes(id: i64) -> LinkOut {
    let info = LearnerInfo::ours(ServerId(id), 0).encode();
    LinkOut::Bytes(Packet::with(PacketKind::ObserverInfo, Zxid(0), info).to_bytes())
}

fn hello(id: i64) -> Bytes {
    let info = LearnerInfo::ours(ServerId(id), 0).encode();
    Packet::with(PacketKind::FollowerInfo, Zxid(0), info).to_bytes()
}

fn commit(zxid: i64) -> LinkOut {
    LinkOut::Bytes(Packet::bare(PacketKind::Commit, Zxid(zxid)).to_bytes())
}

/// A link between both: its number at the leader.
async fn linked(leader: &mut Node, learner: &mut Node, link: LinkId) -> LinkId {
    leader.links.lead(true).unwrap();
    learner.links.dial(link, ServerId(1), Port::Quorum);
    assert!(matches!(learner.event().await, LinkEvent::Up { link: up } if up == link));
    learner.links.send(link, LinkOut::Bytes(hello(2)));
    leader.accepted().await
}

#[tokio::test]
async fn packets_go_both_ways_in_order() {
    let (mut leader, mut learner) = pair();
    let up = LinkId(1);
    let down = linked(&mut leader, &mut learner, up).await;
    assert_eq!(down.0 % 2, 0);
    for zxid in 0..500 {
        leader.links.send(down, commit(zxid));
        learner.links.send(up, LinkOut::Bytes(Packet::bare(PacketKind::Ack, Zxid(zxid)).to_bytes()));
    }
    for (node, kind) in [(&mut learner, PacketKind::Commit), (&mut leader, PacketKind::Ack)] {
        let mut got = Vec::new();
        while got.len() < 500 {
            got.extend(node.packets().await);
        }
        assert!(got.iter().enumerate().all(|(i, p)| p.kind == kind && p.zxid.0 == i as i64));
    }
    leader.links.hangup(down, "enough");
    assert!(learner.down().await.contains("closed"));
    assert!(learner.links.is_empty());
}

#[tokio::test]
async fn what_was_sent_before_a_hangup_arrives() {
    let (mut leader, mut learner) = pair();
    let down = linked(&mut leader, &mut learner, LinkId(7)).await;
    let big = Bytes::from(vec![b'x'; 3 << 20]);
    leader
        .links
        .send(down, LinkOut::Bytes(Packet::with(PacketKind::Proposal, Zxid(1), big.clone()).to_bytes()));
    leader.links.send(down, commit(1));
    leader.links.hangup(down, "enough");
    leader.links.send(down, commit(2));
    let mut got = learner.packets().await;
    if got.len() == 1 {
        got.extend(learner.packets().await);
    }
    assert_eq!((got.len(), got[0].data.as_ref()), (2, Some(&big)));
    assert!(learner.down().await.contains("closed"));
}

#[tokio::test]
async fn a_link_that_was_hung_up_says_nothing_and_ends_even_if_the_other_end_is_stuck() {
    let (mut leader, _) = pair();
    leader.links.lead(true).unwrap();
    let mut stuck = TcpStream::connect(("127.0.0.1", leader.port)).await.unwrap();
    stuck.write_all(&hello(2)).await.unwrap();
    let link = leader.accepted().await;
    let much = Packet::with(PacketKind::Proposal, Zxid(1), Bytes::from(vec![0; 32 << 20])).to_bytes();
    leader.links.send(link, LinkOut::Bytes(much));
    leader.links.hangup(link, "enough");
    stuck.write_all(&Packet::bare(PacketKind::Ack, Zxid(1)).to_bytes()).await.unwrap();
    timeout(LIMIT, async {
        while !leader.links.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the link ends");
    assert!(leader.events.try_recv().is_err(), "nothing follows");
}

#[tokio::test]
async fn a_snapshot_goes_to_its_staging_place_and_packets_behind_it_follow() {
    let (mut leader, mut learner) = pair();
    let up = LinkId(3);
    let down = linked(&mut leader, &mut learner, up).await;
    let snap = Packet::bare(PacketKind::Snap, Zxid(9)).to_bytes();
    leader.links.send(down, LinkOut::Bytes(snap));
    let body = vec![vec![b'n'; 300_000], vec![b'n'; 700_000], b"end!".to_vec()];
    leader.links.send(down, LinkOut::Stream(Box::new(Pieces(body))));
    leader.links.send(down, commit(10));
    assert_eq!(learner.packets().await[0].kind, PacketKind::Snap);
    assert!(
        matches!(learner.event().await, LinkEvent::SnapshotReceived { link, zxid: Zxid(9) } if link == up)
    );
    assert_eq!(learner.packets().await[0].zxid, Zxid(10));
    // One that is none ends the link, and so does a stream that has no next piece.
    leader.links.send(down, LinkOut::Bytes(Packet::bare(PacketKind::Snap, Zxid(11)).to_bytes()));
    leader.links.send(down, LinkOut::Stream(Box::new(Pieces(vec![b"what?".to_vec()]))));
    assert_eq!(learner.packets().await[0].kind, PacketKind::Snap);
    assert_eq!(learner.down().await, "no snapshot");
    assert!(leader.down().await.contains("closed"));
    let down = linked(&mut leader, &mut learner, LinkId(5)).await;
    leader.links.send(down, LinkOut::Stream(Box::new(Pieces(Vec::new()))));
    assert_eq!(leader.down().await, "nothing to send");
}

#[tokio::test]
async fn a_learner_tries_until_the_leader_opens_its_port() {
    let (mut leader, mut learner) = pair();
    assert!(TcpStream::connect(("127.0.0.1", leader.port)).await.is_err(), "nobody leads");
    learner.links.dial(LinkId(1), ServerId(1), Port::Quorum);
    learner.links.dial(LinkId(3), ServerId(9), Port::Quorum);
    assert_eq!(learner.down().await, "no configuration has server.9");
    leader.links.lead(true).unwrap();
    assert!(matches!(learner.event().await, LinkEvent::Up { link: LinkId(1) }));
    leader.links.lead(false).unwrap();
    learner.links.dial(LinkId(5), ServerId(1), Port::Quorum);
    let why = learner.down().await;
    assert!(why.contains(&leader.port.to_string()), "{why}");
    linked(&mut leader, &mut learner, LinkId(7)).await;
}

#[tokio::test]
async fn observers_come_to_a_follower_at_a_port_of_their_own() {
    let (mut observer, mut follower) = pair();
    observer.links.dial(LinkId(1), ServerId(2), Port::Observers);
    follower.links.serve_observers(true).unwrap();
    assert!(matches!(observer.event().await, LinkEvent::Up { link: LinkId(1) }));
    observer.links.send(LinkId(1), observes(1));
    let link = follower.accepted().await;
    follower.links.send(link, commit(1));
    assert_eq!(observer.packets().await[0].zxid, Zxid(1));
    // Nobody but observers; and a quorum port of a member that does not lead stays closed.
    let mut stranger = TcpStream::connect(("127.0.0.2", follower.observers)).await.unwrap();
    stranger.write_all(&hello(1)).await.unwrap();
    assert_eq!(timeout(LIMIT, stranger.read_to_end(&mut Vec::new())).await.expect("in time").unwrap_or(0), 0);
    assert!(TcpStream::connect(("127.0.0.2", follower.port)).await.is_err());
    follower.links.serve_observers(false).unwrap();
    follower.links.send(link, commit(2));
    assert_eq!(observer.packets().await[0].zxid, Zxid(2), "a link that stands stands");
    assert!(follower.events.try_recv().is_err(), "the core heard of the observer alone");
}

#[tokio::test]
async fn the_quorum_port_moves_with_the_server_line() {
    let (leader, _) = pair();
    leader.links.lead(true).unwrap();
    let moved = port();
    let address = MemberAddress { host: "127.0.0.1".to_owned(), quorum_port: moved, election_port: 1 };
    leader.links.move_to(&Member { addresses: vec![address], role: Role::Participant, client: None });
    assert!(TcpStream::connect(("127.0.0.1", leader.port)).await.is_ok(), "until it leads no more");
    leader.links.lead(false).unwrap();
    leader.links.lead(true).unwrap();
    assert!(TcpStream::connect(("127.0.0.1", moved)).await.is_ok());
    timeout(LIMIT, async {
        while TcpStream::connect(("127.0.0.1", leader.port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the port of before is closed");
}

#[tokio::test]
async fn a_stalled_learner_holds_nobody_up() {
    let (mut leader, mut learner) = pair();
    leader.links.lead(true).unwrap();
    let mut stalled = TcpStream::connect(("127.0.0.1", leader.port)).await.unwrap();
    stalled.write_all(&hello(2)).await.unwrap();
    let slow = leader.accepted().await;
    let good = linked(&mut leader, &mut learner, LinkId(1)).await;
    let megabyte = Packet::with(PacketKind::Proposal, Zxid(1), Bytes::from(vec![0; 1 << 20])).to_bytes();
    let most = crate::limits::LINK_OUTBOX_BYTES / megabyte.len() + 64;
    let (mut sent, mut ended) = (0, None);
    while ended.is_none() && sent < most {
        leader.links.send(slow, LinkOut::Bytes(megabyte.clone()));
        sent += 1;
        while let Ok(event) = leader.events.try_recv() {
            if let LinkEvent::Down { link, why } = event {
                ended = Some((link, why));
            }
        }
    }
    let (link, why) = ended.expect("the stalled link ends");
    assert!(link == slow && why.contains("does not keep up"), "{why}");
    leader.links.send(good, commit(5));
    assert_eq!(learner.packets().await[0].zxid, Zxid(5));
    drop(stalled);
}

#[tokio::test]
async fn a_core_that_is_busy_stops_the_reading() {
    let (mut leader, mut learner) = pair();
    let up = LinkId(1);
    linked(&mut leader, &mut learner, up).await;
    let packet = Packet::with(PacketKind::Request, Zxid(-1), Bytes::from(vec![0; 1 << 20])).to_bytes();
    for _ in 0..64 {
        learner.links.send(up, LinkOut::Bytes(packet.clone()));
    }
    let (mut charges, mut held) = (Vec::new(), 0);
    while held < crate::limits::LINK_INBOX_BYTES - 2 * packet.len() {
        let LinkEvent::Packets { packets, charge, .. } = leader.event().await else { panic!("packets") };
        held += packets.len() * packet.len();
        charges.push(charge);
    }
    assert!(held <= crate::limits::LINK_INBOX_BYTES + packet.len());
    drop(charges);
    let mut rest = 64 - held / packet.len();
    while rest > 0 {
        rest -= leader.packets().await.len();
    }
}

#[tokio::test]
async fn strangers_never_reach_the_core() {
    let (mut leader, mut learner) = pair();
    leader.links.lead(true).unwrap();
    let closed = |bytes: Vec<u8>| {
        let port = leader.port;
        async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            let mut rest = Vec::new();
            let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("in time");
            assert_eq!(rest, Vec::<u8>::new());
        }
    };
    closed(b"GET / HTTP/1.1\r\n\r\n".to_vec()).await;
    closed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()).await;
    // A packet that is not the first one, an oversized one, ids that cannot be.
    closed(Packet::bare(PacketKind::Ack, Zxid(1)).to_bytes().to_vec()).await;
    let huge = Packet::with(PacketKind::FollowerInfo, Zxid(0), Bytes::from(vec![0; 2000]));
    closed(huge.to_bytes().to_vec()).await;
    let cut = Packet::with(PacketKind::FollowerInfo, Zxid(0), Bytes::from(vec![0; 5]));
    closed(cut.to_bytes().to_vec()).await;
    for id in [1, -1, i64::MIN] {
        closed(hello(id).to_vec()).await;
    }
    // The first that the core hears of is a learner; what it says afterwards ends its own link.
    let up = LinkId(1);
    let down = linked(&mut leader, &mut learner, up).await;
    assert_eq!(down, LinkId(2));
    let mut other = TcpStream::connect(("127.0.0.1", leader.port)).await.unwrap();
    other.write_all(&hello(2)).await.unwrap();
    leader.accepted().await;
    other.write_all(&Packet::bare(PacketKind::Snap, Zxid(1)).to_bytes()).await.unwrap();
    assert_eq!(leader.down().await, "a snapshot from a learner");
    leader.links.send(down, commit(1));
    assert_eq!(learner.packets().await[0].zxid, Zxid(1));
}
