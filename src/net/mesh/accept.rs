//! Connections that come in at the election port.
//!
//! The caller says who it is, logs in where that is asked for, and only then is any of it acted upon.
//!
//! # Invariants
//!
//! * Handshakes are bounded in number and in time.
//! * An id that cannot be a caller's (our own, a negative one, one of another host than the one proven) ends the
//!   connection with a line that says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::Shared;
use super::book::believable;
use super::config::MeshConfig;
use super::{dial, talk};
use crate::limits::{ACCEPT_PAUSE_MS, ELECTION_BIND_PAUSE_MS};
use crate::net::peering::gate::plain;
use crate::net::peering::{Conn, Who, ended};
use crate::peer::{Initial, InitialDecoded};
use crate::types::ServerId;

/// The id of observers of before 3.5, which have none of their own.
const OBSERVER: ServerId = ServerId(i64::MAX);

/// Binds all addresses; the ones that cannot be are named. At least one must be.
pub fn bind(config: &MeshConfig) -> Result<Vec<std::net::TcpListener>, String> {
    let mut tries = 0u32;
    loop {
        let mut listeners = Vec::new();
        let mut failures = Vec::new();
        for at in &config.listen {
            match at.reserve().and_then(|reserved| reserved.listen().map_err(|e| e.to_string())) {
                Ok(listener) => listeners.push(listener),
                Err(why) => failures.push(why),
            }
        }
        tries += 1;
        let last = config.bind_tries.is_some_and(|most| tries >= most.max(1));
        match (listeners.is_empty(), failures.is_empty()) {
            (_, true) if !listeners.is_empty() => return Ok(listeners),
            (false, _) if last => {
                failures.iter().for_each(|why| warn!("{why}"));
                return Ok(listeners);
            }
            (true, true) => return Err("config: this server has no server line of its own".to_owned()),
            _ if last => return Err(failures.join("; ")),
            _ => {
                failures.iter().for_each(|why| warn!("{why}; trying again"));
                std::thread::sleep(Duration::from_millis(ELECTION_BIND_PAUSE_MS));
            }
        }
    }
}

/// Accepts until the task ends.
pub async fn run(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let from = plain(from);
                match shared.doorway.enter(from.ip()) {
                    Ok(place) => {
                        let me = Arc::clone(&shared);
                        shared.spawn(async move {
                            incoming(&me, stream, from).await;
                            drop(place);
                        });
                    }
                    Err(why) => shared.complaints.closed(from, why),
                }
            }
            Err(e) => {
                debug!("election port: cannot accept for now: {e}");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

async fn incoming(shared: &Arc<Shared>, stream: TcpStream, from: SocketAddr) {
    talk::socket_options(&stream, &shared.config);
    let conn = match shared.gate.encrypt_accepted(stream, from.ip()).await {
        Ok(conn) => conn,
        Err(refusal) => return shared.complaints.refused(from, &refusal),
    };
    match timeout(shared.config.greeting, greet(shared, conn, from)).await {
        Ok(()) => {}
        Err(_) => {
            let why = format!("it did not say who it is within {} ms", shared.config.greeting.as_millis());
            shared.complaints.closed(from, &why);
        }
    }
}

/// Reads who calls, lets it log in, and decides about the connection.
async fn greet(shared: &Arc<Shared>, mut conn: Conn, from: SocketAddr) {
    let initial = loop {
        match Initial::decode(&conn.inbox) {
            Ok(InitialDecoded::Initial(initial, used)) => {
                conn.inbox.advance(used);
                break initial;
            }
            Ok(InitialDecoded::Wants(_)) => {
                if let Err(e) = conn.more().await {
                    return shared.complaints.left(from, &ended(&e));
                }
            }
            Err(bad) => return shared.complaints.garbage(from, &bad),
        }
    };
    let who = match shared.gate.admit(&mut conn).await {
        Ok(who) => who,
        Err(refusal) => return shared.complaints.refused(from, &refusal),
    };
    let server = initial.server;
    if let Err(refusal) = shared.gate.speaks_for(&who, server, &shared.book.ensembles()) {
        return shared.complaints.refused(from, &refusal);
    }
    if server == OBSERVER {
        let why = "an observer of before 3.5 without an id of its own: give it a myid and a server line";
        return shared.complaints.closed(from, why);
    }
    if server.0 < 0 {
        return shared.complaints.closed(from, &format!("{server} is no id of a member"));
    }
    if server == shared.config.me {
        let why =
            format!("it says that it is {server}, which is this server: two servers have the same myid");
        return shared.complaints.closed(from, &why);
    }
    let said = believable(initial.addresses, from.ip()).await;
    let book = &shared.book;
    if !book.knows(server) {
        info!(%from, %server, "a server outside of the configuration calls; it may be about to join");
    }
    if !shared.peers.says(server, said, |id| book.knows(id)) {
        return shared.complaints.closed(from, "too many servers outside of the configuration");
    }
    decide(shared, conn, server, &who, from);
}

/// Who has the larger id keeps the connection.
fn decide(shared: &Arc<Shared>, conn: Conn, server: ServerId, who: &Who, from: SocketAddr) {
    if server > shared.config.me {
        if *who == Who::Left {
            return shared.complaints.left(from, "it went away");
        }
        return talk::begin(shared, server, conn, from);
    }
    // It needs a new connection: what we still believe to have is no good to it.
    shared.peers.disconnect(server);
    drop(conn);
    if shared.peers.start_dialling(server) {
        dial::begin(shared, server);
    }
}
