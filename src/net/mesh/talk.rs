//! Notifications over one connection, both ways.
//!
//! # Invariants
//!
//! * A length is judged before its bytes are awaited.
//! * Who floods is read slowly; who does not read is given up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::config::MeshConfig;
use super::{MeshEvent, Shared};
use crate::limits::{
    ELECTION_NOTES_BURST, ELECTION_NOTES_PER_SECOND, ELECTION_WRITE_MS, PEER_NOTIFICATION_BYTES,
};
use crate::net::peering::{Conn, ended};
use crate::peer::{BadPacket, Notification};
use crate::types::ServerId;

/// Why a connection ended.
enum Ended {
    Io(io::Error),
    Bad(BadPacket),
    Stalled,
}

impl From<io::Error> for Ended {
    fn from(e: io::Error) -> Ended {
        Ended::Io(e)
    }
}

/// Small messages leave at once; what is not acknowledged for long means that the host is gone.
pub fn socket_options(stream: &TcpStream, config: &MeshConfig) {
    let _ = stream.set_nodelay(true);
    let millis = u32::try_from(ELECTION_WRITE_MS).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    if config.keep_alive {
        let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
    }
}

/// Gives a connection its place and runs it.
pub fn begin(shared: &Arc<Shared>, peer: ServerId, conn: Conn, at: SocketAddr) {
    let place = shared.peers.connect(peer, at);
    if let Some(before) = place.instead_of
        && before.ip() != at.ip()
    {
        warn!(%peer, %before, now = %at, "election: this member calls from another address; if both are alive, two servers have the same myid");
    }
    debug!(%peer, %at, "election: connected");
    let me = Arc::clone(shared);
    let number = place.number;
    let task = shared.entrance.spawn(async move {
        let why = run(&me, peer, conn, &place.wake, number).await;
        if !me.peers.ended(peer, number) {
            return;
        }
        match why {
            Ended::Io(e) => info!(%peer, "election: no connection to this member any more: {}", ended(&e)),
            Ended::Bad(bad) => me.entrance.complaints.garbage(at, &bad),
            Ended::Stalled => warn!(%peer, "election: this member does not read; its connection is closed"),
        }
        me.tell(MeshEvent::PeerLost(peer));
    });
    shared.peers.runs(peer, number, task);
}

async fn run(
    shared: &Shared,
    peer: ServerId,
    mut conn: Conn,
    wake: &tokio::sync::Notify,
    number: u64,
) -> Ended {
    let mut pace = Pace::new();
    let mut fresh = true;
    loop {
        while let Some(frame) = shared.peers.next(peer, number, fresh) {
            fresh = false;
            match timeout(Duration::from_millis(ELECTION_WRITE_MS), conn.write(&frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return e.into(),
                Err(_) => return Ended::Stalled,
            }
        }
        fresh = false;
        loop {
            match take(&mut conn) {
                Ok(Some(note)) => {
                    if let Some(note) = note {
                        shared.tell(MeshEvent::Notification { from: peer, note });
                    }
                    pace.wait().await;
                }
                Ok(None) => break,
                Err(bad) => return Ended::Bad(bad),
            }
        }
        tokio::select! {
            () = wake.notified() => {}
            read = conn.more() => if let Err(e) = read { return e.into() },
        }
    }
}

/// Takes one notification from the buffer: `None`: there is none yet; `Some(None)`: one that is ignored.
fn take(conn: &mut Conn) -> Result<Option<Option<Notification>>, BadPacket> {
    let Some(length) = conn.inbox.first_chunk::<4>().map(|b| i32::from_be_bytes(*b)) else { return Ok(None) };
    let bound = |n: &usize| (1..=PEER_NOTIFICATION_BYTES).contains(n);
    let Some(length) = usize::try_from(length).ok().filter(bound) else {
        return Err(BadPacket::Length("a notification", i64::from(length)));
    };
    if conn.inbox.len() < 4 + length {
        return Ok(None);
    }
    conn.inbox.advance(4);
    let body = conn.inbox.split_to(length);
    Notification::decode(&body).map(Some)
}

/// How fast notifications are taken: an election needs few.
struct Pace {
    left: f64,
    at: Instant,
}

impl Pace {
    fn new() -> Pace {
        Pace { left: ELECTION_NOTES_BURST, at: Instant::now() }
    }

    /// Counts one, and waits if there were too many.
    async fn wait(&mut self) {
        let now = Instant::now();
        let back = now.duration_since(self.at).as_secs_f64() * ELECTION_NOTES_PER_SECOND;
        self.left = (self.left + back).min(ELECTION_NOTES_BURST) - 1.0;
        self.at = now;
        if self.left < 0.0 {
            sleep(Duration::from_secs_f64(-self.left / ELECTION_NOTES_PER_SECOND)).await;
        }
    }
}
