//! Election and quorum connections against living Java servers, both roles: our mesh is elected by a Java server that
//! then follows our links, and our links follow a Java leader.
//!
//! What is said is hand-made here; elections and replication themselves are tested elsewhere.

use crate::need;
use crate::support::dirs::Dir;
use crate::support::{Kind, Server, Spec, fourlw, ports};
use bytes::{Bytes, BytesMut};
use oxkeeper::config::Settings;
use oxkeeper::config::quorum::Ensemble;
use oxkeeper::net::links::{LinkEvent, LinkOut, Links, LinksConfig, Port, Staging, Store};
use oxkeeper::net::mesh::{Mesh, MeshConfig, MeshEvent};
use oxkeeper::net::peering::Gate;
use oxkeeper::peer::payload::{decode_number, encode_number};
use oxkeeper::peer::{LearnerInfo, Notification, Packet, PacketKind, PeerState, Touch};
use oxkeeper::types::{LinkId, ServerId, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// Finds the end of a snapshot's body by its signature.
struct Signature;

impl Store for Signature {
    fn receive(&self, _: LinkId, _: Zxid) -> Box<dyn Staging> {
        Box::new(Signature)
    }
}

impl Staging for Signature {
    fn feed(&mut self, from: &mut BytesMut) -> Result<bool, String> {
        let Some(at) = from.windows(10).position(|w| w == b"BenWasHere") else { return Ok(false) };
        let _ = from.split_to(at + 10);
        Ok(true)
    }
}

/// Server 2 of three, the others Java or nobody.
struct Ours {
    mesh: Mesh,
    links: Links,
    notes: UnboundedReceiver<MeshEvent>,
    events: UnboundedReceiver<LinkEvent>,
    packets: VecDeque<Packet>,
    text: String,
    lines: Vec<String>,
    _home: Dir,
}

impl Ours {
    fn start() -> Ours {
        let first = ports::block(6);
        let line =
            |n: u16| format!("server.{n}=127.0.0.1:{}:{}:participant", first + 2 * n - 2, first + 2 * n - 1);
        let lines: Vec<String> = (1..4).map(line).collect();
        let text = format!("{}\nversion=0", lines.join("\n"));
        let mut settings = Settings::default();
        settings.quorum.ensemble = Ensemble::parse(&text, false).expect("three members");
        (settings.quorum.init_limit, settings.quorum.sync_limit) = (20, 20);
        (settings.quorum.cnx_timeout, settings.quorum.quorum_cnxn_timeout_ms) = (5000, 20_000);
        let (note, notes) = unbounded_channel();
        let (event, events) = unbounded_channel();
        let me = ServerId(2);
        let gate = Arc::new(Gate::default());
        let heard = move |e| drop(note.send(e));
        let mesh =
            Mesh::start(MeshConfig::of(&settings, me), Arc::clone(&gate), Arc::new(heard)).expect("a mesh");
        let linked = move |e| drop(event.send(e));
        let config = LinksConfig::of(&settings, me);
        let links =
            Links::start(config, gate, Arc::new(Signature), Arc::new(linked), Arc::default()).expect("links");
        let ensemble = Arc::new(settings.quorum.ensemble);
        mesh.set_ensembles(&ensemble, None);
        links.set_ensembles(&ensemble, None);
        Ours { mesh, links, notes, events, packets: VecDeque::new(), text, lines, _home: Dir::new("members") }
    }

    /// Starts a Java member.
    fn java(&self, id: u16) -> Result<Server, String> {
        let dir = self._home.path().join(id.to_string());
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join("myid"), format!("{id}\n")).expect("a file");
        let mut spec = Spec::new().data_dir(&dir).cfg("initLimit=20").cfg("syncLimit=20");
        for line in &self.lines {
            spec = spec.cfg(line);
        }
        Server::launch(Kind::Java395, &spec)
    }

    /// Waits for a notification of a member that is as wanted.
    async fn heard(&mut self, from: i64, wanted: impl Fn(&Notification) -> bool) -> Notification {
        loop {
            let event =
                timeout(LIMIT, self.notes.recv()).await.expect("a notification in time").expect("a mesh");
            match event {
                MeshEvent::Notification { from: sid, note } if sid.0 == from && wanted(&note) => return note,
                MeshEvent::Notification { .. } | MeshEvent::PeerLost(_) => {}
            }
        }
    }

    fn says(&self, to: i64, state: PeerState, round: i64) {
        let (leader, zxid, config) = (ServerId(2), Zxid(0), Some(self.text.clone()));
        let note = Notification { state, leader, zxid, election_epoch: round, peer_epoch: 0, config };
        self.mesh.send(ServerId(to), &note);
    }

    /// The next event that is no packet.
    async fn event(&mut self) -> LinkEvent {
        loop {
            match timeout(LIMIT, self.events.recv()).await.expect("an event in time").expect("links") {
                LinkEvent::Packets { packets, .. } => self.packets.extend(packets),
                LinkEvent::Progress { .. } => {}
                other => return other,
            }
        }
    }

    /// The next packet of this kind; pings before it are left out.
    async fn packet(&mut self, kind: PacketKind) -> Packet {
        loop {
            while let Some(packet) = self.packets.pop_front() {
                match packet.kind {
                    found if found == kind => return packet,
                    PacketKind::Ping => {}
                    other => panic!("{other:?} instead of {kind:?}"),
                }
            }
            match timeout(LIMIT, self.events.recv()).await.expect("a packet in time").expect("links") {
                LinkEvent::Packets { packets, .. } => self.packets.extend(packets),
                LinkEvent::Down { why, .. } => panic!("{kind:?}: the link ended: {why}"),
                _ => {}
            }
        }
    }

    fn send(&self, link: LinkId, packet: &Packet) {
        self.links.send(link, LinkOut::Bytes(packet.to_bytes()));
    }
}

fn first_epoch() -> Zxid {
    Zxid::new(1, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_java_server_elects_us_and_follows_our_links() {
    let mut ours = Ours::start();
    let java = need!("members against Java", ours.java(1));
    ours.links.lead(true).expect("a port");
    // The smaller id calls, and is called back.
    let note = ours.heard(1, |n| n.state == PeerState::Looking).await;
    assert!(note.config.is_some_and(|c| c.starts_with("server.1=127.0.0.1:")));
    ours.says(1, PeerState::Looking, 1);
    ours.heard(1, |n| n.leader == ServerId(2)).await;
    ours.says(1, PeerState::Leading, 1);
    let LinkEvent::Accepted { link, .. } = ours.event().await else { panic!("nobody came") };
    let info = ours.packet(PacketKind::FollowerInfo).await;
    assert_eq!(LearnerInfo::decode(info.payload().unwrap()), Ok(LearnerInfo::ours(ServerId(1), 0)));
    ours.send(link, &Packet::with(PacketKind::LeaderInfo, first_epoch(), encode_number(0x1_0000)));
    let ack = ours.packet(PacketKind::AckEpoch).await;
    assert_eq!((ack.zxid, decode_number(ack.payload().unwrap())), (Zxid(0), Ok(0)));
    ours.send(link, &Packet::bare(PacketKind::Diff, Zxid(0)));
    let config = Bytes::from(ours.text.clone());
    ours.send(link, &Packet::with(PacketKind::NewLeader, first_epoch(), config));
    assert_eq!(ours.packet(PacketKind::Ack).await.zxid, first_epoch());
    ours.send(link, &Packet::bare(PacketKind::UpToDate, Zxid(-1)));
    assert_eq!(ours.packet(PacketKind::Ack).await.zxid, first_epoch());
    ours.send(link, &Packet::bare(PacketKind::Ping, Zxid(0)));
    assert_eq!(ours.packet(PacketKind::Ping).await.zxid, Zxid(0));
    let answer = tokio::task::spawn_blocking(move || {
        let deadline = std::time::Instant::now() + LIMIT;
        loop {
            let answer = fourlw::ask(java.port(), "srvr").unwrap_or_default();
            if answer.contains("Mode: follower") || std::time::Instant::now() > deadline {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let answer = answer.await.expect("no panic");
    assert!(answer.contains("Mode: follower"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_links_follow_a_java_leader() {
    let mut ours = Ours::start();
    let first = need!("members against Java", ours.java(1));
    let third = need!("members against Java", ours.java(3));
    ours.heard(3, |n| n.leader == ServerId(3)).await;
    // They agree without us; whoever looks is told so, over the connection that the larger id made.
    let mut tries = 0;
    loop {
        ours.says(3, PeerState::Looking, 1);
        let told = timeout(Duration::from_secs(1), ours.heard(3, |n| n.state == PeerState::Leading)).await;
        if let Ok(note) = told {
            assert_eq!(note.leader, ServerId(3));
            break;
        }
        tries += 1;
        assert!(tries < 60, "no leader:\n{}{}", first.log(), third.log());
    }
    let link = LinkId(1);
    ours.links.dial(link, ServerId(3), Port::Quorum);
    assert!(matches!(ours.event().await, LinkEvent::Up { link: up } if up == link));
    let info = LearnerInfo::ours(ServerId(2), 0).encode();
    ours.send(link, &Packet::with(PacketKind::FollowerInfo, Zxid(0), info));
    let epoch = ours.packet(PacketKind::LeaderInfo).await.zxid;
    assert_eq!((epoch.epoch(), epoch.counter()), (1, 0));
    ours.send(link, &Packet::with(PacketKind::AckEpoch, Zxid(0), encode_number(0)));
    // An empty log is up to date; Java may say so by a snapshot, too.
    let how = loop {
        match ours.packets.pop_front() {
            Some(packet) => break packet.kind,
            None => match timeout(LIMIT, ours.events.recv()).await.expect("in time").expect("links") {
                LinkEvent::Packets { packets, .. } => ours.packets.extend(packets),
                other => panic!("{other:?}"),
            },
        }
    };
    if how == PacketKind::Snap {
        assert!(matches!(ours.event().await, LinkEvent::SnapshotReceived { .. }));
    } else {
        assert_eq!(how, PacketKind::Diff);
    }
    let news = ours.packet(PacketKind::NewLeader).await;
    assert!(news.zxid == epoch && news.payload().unwrap().starts_with(b"server.1="));
    ours.send(link, &Packet::bare(PacketKind::Ack, epoch));
    ours.packet(PacketKind::UpToDate).await;
    ours.send(link, &Packet::bare(PacketKind::Ack, epoch));
    // Java's leader takes no answer without a list, be it empty.
    let ping = ours.packet(PacketKind::Ping).await;
    ours.send(link, &Packet::with(PacketKind::Ping, ping.zxid, Touch::encode_list(&[])));
    assert_eq!(ours.packet(PacketKind::Ping).await.kind, PacketKind::Ping, "the leader goes on with us");
    ours.links.hangup(link, "enough");
}
