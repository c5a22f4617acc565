//! Learners that come to the quorum port, and observers that come to the port for observers.
//!
//! # Invariants
//!
//! * The quorum port is open only while this member leads, the port for observers only while it follows.
//! * The first packet is FOLLOWERINFO or OBSERVERINFO of a few bytes; before it is whole and names an id that the
//!   other end may have, nobody else hears of the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::face::{Charge, LinkEvent};
use super::receive::{Ended, Receiver};
use super::{Port, Shared, send};
use crate::limits::LINK_FIRST_PACKET_BYTES;
use crate::net::peering::listen::{PeerAddress, Reserved};
use crate::net::peering::{Conn, Who, ended};
use crate::peer::{BadPacket, LearnerInfo, Packet, PacketKind};
use crate::tls::quorum::PeerStream;

/// Binds all addresses; at least one must be.
pub fn reserve(listen: &[PeerAddress]) -> Result<Vec<Reserved>, String> {
    let (mut reserved, mut failures) = (Vec::new(), Vec::new());
    for at in listen {
        match at.reserve() {
            Ok(socket) => reserved.push(socket),
            Err(why) => failures.push(why),
        }
    }
    if reserved.is_empty() {
        failures.push("config: this server cannot listen for learners".to_owned());
        return Err(failures.join("; "));
    }
    failures.iter().for_each(|why| warn!("{why}"));
    Ok(reserved)
}

/// Opens the port, or closes it.
pub fn open(shared: &Arc<Shared>, port: Port, wanted: bool) -> Result<(), String> {
    let mut door = shared.doors.of(port).lock();
    if !wanted {
        door.open.drain(..).for_each(|task| task.abort());
        return Ok(());
    }
    if !door.open.is_empty() {
        return Ok(());
    }
    let sockets = match std::mem::take(&mut door.reserved) {
        none if none.is_empty() => reserve(&door.listen)?,
        reserved => reserved,
    };
    let mut failures = Vec::new();
    for socket in sockets {
        let at = socket.at().clone();
        let me = Arc::clone(shared);
        let greet = move |stream, from| {
            let me = Arc::clone(&me);
            async move { incoming(&me, port, stream, from).await }
        };
        match shared.entrance.open(socket, greet) {
            Ok(task) => door.open.push(task),
            Err(e) => failures.push(format!("cannot listen on {at}: {e}")),
        }
    }
    if door.open.is_empty() {
        return Err(failures.join("; "));
    }
    failures.iter().for_each(|why| warn!("{why}"));
    Ok(())
}

/// The port is here from its next opening on: the role in which it is open ends when its server line changes.
pub fn move_to(shared: &Shared, port: Port, listen: Vec<PeerAddress>) {
    let mut door = shared.doors.of(port).lock();
    if door.listen == listen {
        return;
    }
    door.reserved.clear();
    door.listen = listen;
    if port == Port::Quorum {
        match reserve(&door.listen) {
            Ok(reserved) => door.reserved = reserved,
            Err(why) => error!("{why}; it is tried again when this member leads"),
        }
    }
}

async fn incoming(shared: &Arc<Shared>, port: Port, stream: TcpStream, from: SocketAddr) {
    let _ = stream.set_nodelay(shared.config.leader_nodelay);
    let greeting = async {
        let mut conn = match shared.gate.encrypt_accepted(stream, from.ip()).await {
            Ok(conn) => conn,
            Err(refusal) => return shared.entrance.complaints.refused(from, &refusal),
        };
        let who = match shared.gate.admit(&mut conn).await {
            Ok(Who::Left) => return shared.entrance.complaints.left(from, "it went away"),
            Ok(who) => who,
            Err(refusal) => return shared.entrance.complaints.refused(from, &refusal),
        };
        if let Some(first) = first(shared, port, &mut conn, &who, from).await {
            admit(shared, conn, &who, first, from);
        }
    };
    if timeout(shared.config.greeting, greeting).await.is_err() {
        let why = format!("it did not say who it is within {} ms", shared.config.greeting.as_millis());
        shared.entrance.complaints.closed(from, &why);
    }
}

/// The first packet, if it is one that a learner may begin with.
async fn first(shared: &Shared, port: Port, conn: &mut Conn, who: &Who, from: SocketAddr) -> Option<Packet> {
    let packet = loop {
        match Packet::decode(&mut conn.inbox, LINK_FIRST_PACKET_BYTES) {
            Ok(Some(packet)) => break packet,
            Ok(None) => {
                if let Err(e) = conn.more().await {
                    shared.entrance.complaints.left(from, &ended(&e));
                    return None;
                }
            }
            Err(bad) => {
                shared.entrance.complaints.garbage(from, &bad);
                return None;
            }
        }
    };
    if port == Port::Observers && packet.kind == PacketKind::FollowerInfo {
        shared.entrance.complaints.closed(from, "a follower at the port for observers: the leader serves it");
        return None;
    }
    match who_it_is(shared, &packet, who) {
        Ok(()) => Some(packet),
        Err(Objection::Garbage(bad)) => {
            shared.entrance.complaints.garbage(from, &bad);
            None
        }
        Err(Objection::Closed(why)) => {
            shared.entrance.complaints.closed(from, &why);
            None
        }
        Err(Objection::Refused(refusal)) => {
            shared.entrance.complaints.refused(from, &refusal);
            None
        }
    }
}

enum Objection {
    Garbage(BadPacket),
    Closed(String),
    Refused(crate::auth::sasl::Refusal),
}

/// Looks at the first packet of a connection.
fn who_it_is(shared: &Shared, packet: &Packet, who: &Who) -> Result<(), Objection> {
    if !matches!(packet.kind, PacketKind::FollowerInfo | PacketKind::ObserverInfo) {
        let bad = BadPacket::Form("a first packet that is neither FOLLOWERINFO nor OBSERVERINFO");
        return Err(Objection::Garbage(bad));
    }
    let Some(data) = &packet.data else { return Ok(()) };
    let info = LearnerInfo::decode(data).map_err(Objection::Garbage)?;
    let Some(server) = info.server else { return Ok(()) };
    if server.0 < 0 {
        return Err(Objection::Closed(format!("{server} is no id of a member")));
    }
    if server == shared.config.me {
        let why =
            format!("it says that it is {server}, which is this server: two servers have the same myid");
        return Err(Objection::Closed(why));
    }
    let ensembles = shared.ensembles.read().clone();
    shared.gate.speaks_for(who, server, &ensembles).map_err(Objection::Refused)?;
    let id = u64::try_from(server.0).unwrap_or_default();
    if !ensembles.iter().any(|e| e.members.contains_key(&id)) {
        info!(%server, "a learner outside of the configuration comes; it has no vote");
    }
    Ok(())
}

/// The connection becomes a link.
fn admit(shared: &Arc<Shared>, conn: Conn, who: &Who, first: Packet, from: SocketAddr) {
    let link = shared.number();
    let from_text = match who {
        Who::Proven(name) => format!("{from} as {}", name.escape_debug()),
        Who::Unasked | Who::Unproven | Who::Left => from.to_string(),
    };
    let said = first.data.as_ref().and_then(|data| LearnerInfo::decode(data).ok());
    shared.enter(link, said.and_then(|info| info.server));
    shared.tell(LinkEvent::Accepted { link, from: from_text });
    let charge = Charge::default();
    shared.tell(LinkEvent::Packets { link, packets: vec![first], charge });
    run_link(shared, link, conn, false, Some(from));
}

/// Starts both directions of a link that was entered.
pub fn run_link(
    shared: &Arc<Shared>,
    link: super::LinkId,
    conn: Conn,
    learns: bool,
    stranger: Option<SocketAddr>,
) {
    let outbox = shared.links.lock().get(&link).map(|l| Arc::clone(&l.outbox));
    // Hung up already: there was nothing to send.
    let Some(outbox) = outbox else { return };
    let (reading, writing): (super::receive::Half, send::Half) = match conn.stream {
        PeerStream::Plain(stream) => {
            let (reading, writing) = stream.into_split();
            (Box::new(reading), Box::new(writing))
        }
        PeerStream::Tls(stream) => {
            let (reading, writing) = tokio::io::split(stream);
            (Box::new(reading), Box::new(writing))
        }
    };
    outbox.connected();
    let sending = shared.entrance.spawn(send::run(Arc::clone(shared), link, outbox, writing));
    shared.belongs(link, sending);
    let me = Arc::clone(shared);
    let inbox = conn.inbox;
    let receiving = shared.entrance.spawn(async move {
        let why = match Receiver::new(reading, inbox, learns).run(&me, link).await {
            Ended::Other(why) => why,
            Ended::Bad(bad) => {
                if let Some(from) = stranger {
                    me.entrance.complaints.garbage(from, &bad);
                }
                bad.to_string()
            }
        };
        me.over(link, why);
    });
    shared.belongs(link, receiving);
}
