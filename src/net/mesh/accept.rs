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
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::Shared;
use super::book::believable;
use super::{dial, talk};
use crate::limits::ELECTION_BIND_PAUSE_MS;
use crate::net::peering::listen::{PeerAddress, Reserved};
use crate::net::peering::{Conn, Who, ended};
use crate::peer::{Initial, InitialDecoded};
use crate::types::ServerId;

/// The id of observers of before 3.5, which have none of their own.
const OBSERVER: ServerId = ServerId(i64::MAX);

/// Binds all addresses; the ones that cannot be are named. At least one must be. Blocks between tries.
pub fn bind(listen: &[PeerAddress], most: Option<u32>) -> Result<Vec<Reserved>, String> {
    if listen.is_empty() {
        return Err("config: this server has no server line of its own".to_owned());
    }
    let mut tries = 0u32;
    loop {
        let (mut bound, mut failures) = (Vec::new(), Vec::new());
        for at in listen {
            match at.reserve() {
                Ok(socket) => bound.push(socket),
                Err(why) => failures.push(why),
            }
        }
        tries += 1;
        let last = most.is_some_and(|most| tries >= most.max(1));
        if failures.is_empty() || (last && !bound.is_empty()) {
            failures.iter().for_each(|why| warn!("{why}"));
            return Ok(bound);
        }
        if last {
            return Err(failures.join("; "));
        }
        failures.iter().for_each(|why| warn!("{why}; trying again"));
        std::thread::sleep(Duration::from_millis(ELECTION_BIND_PAUSE_MS));
    }
}

/// Listens.
pub fn open(shared: &Arc<Shared>, socket: Reserved) -> Result<(), String> {
    let at = socket.at().clone();
    let me = Arc::clone(shared);
    let greet = move |stream, from| {
        let me = Arc::clone(&me);
        async move { incoming(&me, stream, from).await }
    };
    let task = shared.entrance.open(socket, greet).map_err(|e| format!("cannot listen on {at}: {e}"))?;
    shared.open.lock().insert(at, task);
    Ok(())
}

/// Listens here and nowhere else: what is new is bound first, then what is left out is closed.
pub async fn move_to(shared: Arc<Shared>, listen: Vec<PeerAddress>) {
    let _in_turn = shared.moving.lock().await;
    let new: Vec<PeerAddress> = {
        let open = shared.open.lock();
        listen.iter().filter(|at| !open.contains_key(at)).cloned().collect()
    };
    if !new.is_empty() {
        let tries = shared.config.bind_tries;
        let bound = spawn_blocking(move || bind(&new, tries)).await;
        let opened = bound.map_err(|e| e.to_string()).and_then(|bound| {
            bound?.into_iter().try_for_each(|socket| {
                info!(at = %socket.at(), "election: listening where the configuration says now");
                open(&shared, socket)
            })
        });
        if let Err(why) = opened {
            return error!("{why}; the election port stays where it was");
        }
    }
    shared.open.lock().retain(|at, task| {
        let stays = listen.contains(at);
        if !stays {
            task.abort();
        }
        stays
    });
}

async fn incoming(shared: &Arc<Shared>, stream: TcpStream, from: SocketAddr) {
    talk::socket_options(&stream, &shared.config);
    let conn = match shared.gate.encrypt_accepted(stream, from.ip()).await {
        Ok(conn) => conn,
        Err(refusal) => return shared.entrance.complaints.refused(from, &refusal),
    };
    match timeout(shared.config.greeting, greet(shared, conn, from)).await {
        Ok(()) => {}
        Err(_) => {
            let why = format!("it did not say who it is within {} ms", shared.config.greeting.as_millis());
            shared.entrance.complaints.closed(from, &why);
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
                    return shared.entrance.complaints.left(from, &ended(&e));
                }
            }
            Err(bad) => return shared.entrance.complaints.garbage(from, &bad),
        }
    };
    let who = match shared.gate.admit(&mut conn).await {
        Ok(who) => who,
        Err(refusal) => return shared.entrance.complaints.refused(from, &refusal),
    };
    let server = initial.server;
    if let Err(refusal) = shared.gate.speaks_for(&who, server, &shared.book.ensembles()) {
        return shared.entrance.complaints.refused(from, &refusal);
    }
    if server == OBSERVER {
        let why = "an observer of before 3.5 without an id of its own: give it a myid and a server line";
        return shared.entrance.complaints.closed(from, why);
    }
    if server.0 < 0 {
        return shared.entrance.complaints.closed(from, &format!("{server} is no id of a member"));
    }
    if server == shared.config.me {
        let why =
            format!("it says that it is {server}, which is this server: two servers have the same myid");
        return shared.entrance.complaints.closed(from, &why);
    }
    let said = believable(initial.addresses, from.ip()).await;
    let book = &shared.book;
    if !book.knows(server) {
        info!(%from, %server, "a server outside of the configuration calls; it may be about to join");
    }
    if !shared.peers.says(server, said, |id| book.knows(id)) {
        return shared.entrance.complaints.closed(from, "too many servers outside of the configuration");
    }
    decide(shared, conn, server, &who, from);
}

/// Who has the larger id keeps the connection.
fn decide(shared: &Arc<Shared>, conn: Conn, server: ServerId, who: &Who, from: SocketAddr) {
    if server > shared.config.me {
        if *who == Who::Left {
            return shared.entrance.complaints.left(from, "it went away");
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
