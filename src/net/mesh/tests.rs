//! Meshes on loopback, between each other and against hand-made callers.

use super::*;
use crate::config::quorum::{Member, MemberAddress, Role};
use crate::net::peering::listen::PeerAddress;
use crate::peer::{ElectionAddress, Initial, InitialProtocol, PeerState};
use crate::types::Zxid;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// A port that nothing listened on a moment ago, handed out once.
fn port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().insert(free) {
            return free;
        }
    }
}

fn ensemble(members: &[(u64, u16)]) -> Arc<Ensemble> {
    let mut ensemble = Ensemble::default();
    for (id, port) in members {
        let address = MemberAddress { host: "127.0.0.1".to_owned(), quorum_port: 1, election_port: *port };
        ensemble
            .members
            .insert(*id, Member { addresses: vec![address], role: Role::Participant, client: None });
    }
    Arc::new(ensemble)
}

struct Node {
    mesh: Mesh,
    events: UnboundedReceiver<MeshEvent>,
    port: u16,
}

impl Node {
    fn start(me: u64, members: &Arc<Ensemble>) -> Node {
        Node::with(me, members, |_| ())
    }

    fn with(me: u64, members: &Arc<Ensemble>, change: impl FnOnce(&mut MeshConfig)) -> Node {
        let port = members.members[&me].addresses[0].election_port;
        let host = "127.0.0.1".to_owned();
        let mut config = MeshConfig {
            me: ServerId(i64::try_from(me).unwrap()),
            own: vec![ElectionAddress { host: host.clone(), port }],
            listen: vec![PeerAddress { host: Some(host), port }],
            everywhere: false,
            bind_tries: Some(1),
            multi_address: false,
            connect: Duration::from_secs(5),
            greeting: Duration::from_secs(20),
            keep_alive: false,
        };
        change(&mut config);
        let (sender, events) = unbounded_channel();
        let tell: MeshEvents = Arc::new(move |event| drop(sender.send(event)));
        let mesh = Mesh::start(config, Arc::new(Gate::default()), tell).unwrap();
        mesh.set_ensembles(members, None);
        Node { mesh, events, port }
    }

    /// The next notification; losses in between are left out.
    async fn heard(&mut self) -> (i64, i64) {
        loop {
            match timeout(LIMIT, self.events.recv()).await.expect("in time").expect("a mesh") {
                MeshEvent::Notification { from, note } => return (from.0, note.election_epoch),
                MeshEvent::PeerLost(_) => {}
            }
        }
    }

    async fn lost(&mut self, peer: i64) {
        loop {
            let event = timeout(LIMIT, self.events.recv()).await.expect("in time").expect("a mesh");
            if event == MeshEvent::PeerLost(ServerId(peer)) {
                return;
            }
        }
    }
}

fn note(round: i64) -> Notification {
    let (state, config) = (PeerState::Looking, Some("version=0".to_owned()));
    Notification { state, leader: ServerId(1), zxid: Zxid(7), election_epoch: round, peer_epoch: 0, config }
}

/// Calls as a server of this id and port.
async fn call(node: &Node, id: i64, own: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).await.unwrap();
    let addresses = vec![ElectionAddress { host: "127.0.0.1".to_owned(), port: own }];
    let mut hello = Vec::new();
    Initial { protocol: InitialProtocol::One, server: ServerId(id), addresses }.encode(&mut hello);
    stream.write_all(&hello).await.unwrap();
    stream
}

async fn say(stream: &mut TcpStream, note: &Notification) {
    let mut body = Vec::new();
    note.encode(&mut body);
    stream.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
}

async fn hear(stream: &mut TcpStream) -> Notification {
    let length = timeout(LIMIT, stream.read_u32()).await.expect("in time").expect("a frame");
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.unwrap();
    Notification::decode(&body).unwrap().unwrap()
}

/// The other end closes without a further byte.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("in time");
    assert_eq!(rest, Vec::<u8>::new());
}

#[tokio::test]
async fn members_hear_each_other_whoever_begins() {
    let members = ensemble(&[(1, port()), (2, port()), (3, port())]);
    let mut nodes = [1, 2, 3].map(|id| Node::start(id, &members));
    for round in 1..4 {
        for (i, node) in nodes.iter().enumerate() {
            for to in (1..4).filter(|to| *to != i as i64 + 1) {
                node.mesh.send(ServerId(to), &note(round));
            }
        }
        for node in &mut nodes {
            let mut senders = BTreeSet::new();
            while senders.len() < 2 {
                let (from, heard) = node.heard().await;
                assert!(heard <= round);
                if heard == round {
                    senders.insert(from);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_smaller_id_says_who_it_is_and_is_called_back() {
    let own = port();
    let members = ensemble(&[(1, own), (2, port())]);
    let mut node = Node::start(2, &members);
    let listener = TcpListener::bind(("127.0.0.1", own)).await.unwrap();
    closed(call(&node, 1, own).await).await;
    let (mut back, _) = timeout(LIMIT, listener.accept()).await.expect("in time").unwrap();
    let mut hello = [0; 20];
    back.read_exact(&mut hello).await.unwrap();
    assert_eq!(hello[..16], [(-65536i64).to_be_bytes(), 2i64.to_be_bytes()].concat());
    let mut address = vec![0; usize::from(hello[19])];
    back.read_exact(&mut address).await.unwrap();
    assert_eq!(address, format!("127.0.0.1:{}", node.port).as_bytes());
    say(&mut back, &note(5)).await;
    assert_eq!(node.heard().await, (1, 5));
    node.mesh.send(ServerId(1), &note(6));
    assert_eq!(hear(&mut back).await, note(6));
}

#[tokio::test]
async fn the_larger_id_keeps_its_connection_and_a_new_one_hears_the_last_word_again() {
    let members = ensemble(&[(1, port()), (2, port())]);
    let mut node = Node::start(1, &members);
    let mut first = call(&node, 2, 1).await;
    say(&mut first, &note(1)).await;
    assert_eq!(node.heard().await, (2, 1));
    node.mesh.send(ServerId(2), &note(2));
    assert_eq!(hear(&mut first).await, note(2));
    let mut second = call(&node, 2, 1).await;
    assert_eq!(hear(&mut second).await, note(2));
    closed(first).await;
    drop(second);
    node.lost(2).await;
}

#[tokio::test]
async fn what_was_overtaken_is_never_said() {
    let later = port();
    let members = ensemble(&[(1, later), (2, port())]);
    let mut node = Node::start(2, &members);
    node.mesh.send(ServerId(1), &note(1));
    node.lost(1).await;
    node.mesh.send(ServerId(1), &note(2));
    node.mesh.send(ServerId(1), &note(3));
    let listener = TcpListener::bind(("127.0.0.1", later)).await.unwrap();
    node.mesh.send(ServerId(1), &note(4));
    let (mut back, _) = timeout(LIMIT, listener.accept()).await.expect("in time").unwrap();
    let mut hello = vec![0; 20 + format!("127.0.0.1:{}", node.port).len()];
    back.read_exact(&mut hello).await.unwrap();
    assert_eq!(hear(&mut back).await.election_epoch, 4);
}

#[tokio::test]
async fn whoever_is_no_member_harms_its_own_connection_alone() {
    let members = ensemble(&[(1, port()), (2, port()), (3, port())]);
    let mut node = Node::start(1, &members);
    let mut good = call(&node, 3, 1).await;
    say(&mut good, &note(1)).await;
    assert_eq!(node.heard().await, (3, 1));
    let raw = |bytes: Vec<u8>| {
        let port = node.port;
        async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            closed(stream).await;
        }
    };
    raw(b"GET / HTTP/1.1\r\n\r\n".to_vec()).await;
    raw((-65534i64).to_be_bytes().to_vec()).await;
    raw([&(-65536i64).to_be_bytes()[..], &2i64.to_be_bytes(), &i32::MAX.to_be_bytes()].concat()).await;
    raw([&(-65536i64).to_be_bytes()[..], &2i64.to_be_bytes(), &3i32.to_be_bytes(), b"abc"].concat()).await;
    // Our own id, the id of nobody, and an observer's that has none.
    for id in [1, -5, i64::MAX] {
        closed(call(&node, id, 1).await).await;
    }
    // A member that says something that no member says.
    for bytes in [i32::MAX.to_be_bytes(), 0i32.to_be_bytes(), (-1i32).to_be_bytes()] {
        let mut stream = call(&node, 2, 1).await;
        stream.write_all(&bytes).await.unwrap();
        closed(stream).await;
        node.lost(2).await;
    }
    let mut cut = call(&node, 2, 1).await;
    cut.write_all(&[&30i32.to_be_bytes()[..], &[0; 30]].concat()).await.unwrap();
    closed(cut).await;
    node.lost(2).await;
    // What Java ignores is ignored.
    let mut short = call(&node, 2, 1).await;
    short.write_all(&[&3i32.to_be_bytes()[..], &[0; 3]].concat()).await.unwrap();
    say(&mut short, &note(9)).await;
    assert_eq!(node.heard().await, (2, 9));
    say(&mut good, &note(2)).await;
    assert_eq!(node.heard().await, (3, 2), "the member in between was not disturbed");
}

#[tokio::test]
async fn servers_of_every_age_are_served() {
    let members = ensemble(&[(1, port()), (2, port())]);
    let mut node = Node::start(1, &members);
    let mut old = TcpStream::connect(("127.0.0.1", node.port)).await.unwrap();
    old.write_all(&2i64.to_be_bytes()).await.unwrap();
    let mut body = Vec::new();
    note(4).encode(&mut body);
    old.write_all(&[&28i32.to_be_bytes()[..], &body[..28]].concat()).await.unwrap();
    assert_eq!(node.heard().await, (2, 4));
    node.mesh.send(ServerId(2), &note(5));
    assert_eq!(hear(&mut old).await, note(5));
}

#[tokio::test]
async fn a_silent_caller_is_closed_in_time_and_others_come_in_meanwhile() {
    let members = ensemble(&[(1, port()), (2, port())]);
    let mut node = Node::with(1, &members, |c| c.greeting = Duration::from_secs(2));
    let silent = TcpStream::connect(("127.0.0.1", node.port)).await.unwrap();
    let mut good = call(&node, 2, 1).await;
    say(&mut good, &note(1)).await;
    assert_eq!(node.heard().await, (2, 1));
    closed(silent).await;
    say(&mut good, &note(2)).await;
    assert_eq!(node.heard().await, (2, 2), "whoever has said who it is may be silent");
}

#[tokio::test]
async fn all_addresses_of_a_member_are_told_and_tried() {
    let (dead, alive) = (port(), port());
    let mut members = Ensemble::clone(&ensemble(&[(1, dead), (2, port())]));
    let second = MemberAddress { host: "localhost".to_owned(), quorum_port: 1, election_port: alive };
    members.members.get_mut(&1).unwrap().addresses.push(second);
    let members = Arc::new(members);
    let elsewhere = ElectionAddress { host: "::1".to_owned(), port: 9 };
    let told = elsewhere.clone();
    let node = Node::with(2, &members, |c| {
        c.multi_address = true;
        c.own.push(told);
    });
    let listener = TcpListener::bind(("127.0.0.1", alive)).await.unwrap();
    node.mesh.send(ServerId(1), &note(1));
    let (mut back, _) = timeout(LIMIT, listener.accept()).await.expect("in time").unwrap();
    let addresses = format!("127.0.0.1:{}|{elsewhere}", node.port);
    let mut hello = vec![0; 20 + addresses.len()];
    back.read_exact(&mut hello).await.unwrap();
    assert_eq!((&hello[..8], &hello[20..]), (&(-65535i64).to_be_bytes()[..], addresses.as_bytes()));
    assert_eq!(hear(&mut back).await, note(1));
}

#[tokio::test]
async fn whoever_fills_the_doorway_is_turned_away_and_members_go_on() {
    let members = ensemble(&[(1, port()), (2, port())]);
    let mut node = Node::start(1, &members);
    let mut good = call(&node, 2, 1).await;
    say(&mut good, &note(1)).await;
    assert_eq!(node.heard().await, (2, 1));
    let mut silent = Vec::new();
    for _ in 0..crate::limits::PEER_HANDSHAKES_OF_ONE {
        silent.push(TcpStream::connect(("127.0.0.1", node.port)).await.unwrap());
    }
    closed(TcpStream::connect(("127.0.0.1", node.port)).await.unwrap()).await;
    say(&mut good, &note(2)).await;
    assert_eq!(node.heard().await, (2, 2));
}

#[tokio::test]
async fn the_election_port_moves_with_the_server_line_and_stays_where_it_cannot() {
    let members = ensemble(&[(1, port()), (2, port())]);
    let mut node = Node::start(1, &members);
    let before = node.port;
    let mut good = call(&node, 2, 1).await;
    say(&mut good, &note(1)).await;
    assert_eq!(node.heard().await, (2, 1));
    let line = |port| {
        members.members[&1].addresses.iter().map(move |a| MemberAddress { election_port: port, ..a.clone() })
    };
    let own = |port| Member { addresses: line(port).collect(), role: Role::Participant, client: None };
    node.port = port();
    node.mesh.move_to(&own(node.port));
    timeout(LIMIT, async {
        while TcpStream::connect(("127.0.0.1", before)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the port of before is closed");
    say(&mut good, &note(2)).await;
    assert_eq!(node.heard().await, (2, 2), "a connection that stood stands");
    let mut second = call(&node, 2, 1).await;
    say(&mut second, &note(3)).await;
    assert_eq!(node.heard().await, (2, 3));
    // Somebody else is there: nothing moves.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = PeerAddress { host: Some("127.0.0.1".to_owned()), port: taken.local_addr().unwrap().port() };
    accept::move_to(Arc::clone(&node.mesh.shared), vec![there]).await;
    let mut third = call(&node, 2, 1).await;
    say(&mut third, &note(4)).await;
    assert_eq!(node.heard().await, (2, 4));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let members = ensemble(&[(1, port())]);
    let node = Node::start(1, &members);
    let tell: MeshEvents = Arc::new(|_| ());
    let config = node.mesh.shared.config.clone();
    let failure = Mesh::start(config, Arc::new(Gate::default()), tell).unwrap_err();
    assert!(failure.contains(&format!("127.0.0.1:{}", node.port)), "{failure}");
}
