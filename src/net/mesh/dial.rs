//! Connections to other members' election ports.
//!
//! # Invariants
//!
//! * A member is called by one task at a time.
//! * Every failure is told to the election at once, and tried again a few times while there is something to say;
//!   the next notification begins anew.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::{MeshEvent, Shared, talk};
use crate::limits::{ELECTION_REDIAL_MS, ELECTION_REDIALS};
use crate::net::peering::dial::connect;
use crate::peer::{Initial, InitialProtocol};
use crate::types::ServerId;

/// Calls a member whose [`super::peers::Peers`] entry says that somebody does.
pub fn begin(shared: &Arc<Shared>, to: ServerId) {
    let me = Arc::clone(shared);
    shared.entrance.spawn(async move {
        call(&me, to).await;
        me.peers.stop_dialling(to);
    });
}

async fn call(shared: &Arc<Shared>, to: ServerId) {
    for redial in 0..=ELECTION_REDIALS {
        let Err(why) = once(shared, to).await else { return };
        let failures = shared.peers.failed(to);
        // The first of a row and then ever fewer: a member that is down for a night is no news.
        if failures.is_power_of_two() {
            warn!(%to, failures, "election: cannot reach this member: {why}");
        } else {
            debug!(%to, failures, "election: cannot reach this member: {why}");
        }
        shared.tell(MeshEvent::PeerLost(to));
        tokio::time::sleep(Duration::from_millis(ELECTION_REDIAL_MS << redial.min(6))).await;
        if !shared.peers.waits(to) {
            return;
        }
    }
}

/// Calls once. Afterwards there is a connection, or the other end makes one.
async fn once(shared: &Arc<Shared>, to: ServerId) -> Result<(), String> {
    if shared.peers.is_connected(to) {
        return Ok(());
    }
    let config = &shared.config;
    let mut addresses = shared.book.configured(to);
    for said in shared.peers.said(to) {
        if !addresses.contains(&said) {
            addresses.push(said);
        }
    }
    if addresses.is_empty() {
        return Err(format!("no configuration has {to}"));
    }
    let dialled = connect(&addresses, config.connect).await?;
    talk::socket_options(&dialled.stream, config);
    let refused = |refusal: crate::auth::sasl::Refusal| {
        let detail = refusal.detail.escape_debug();
        format!("{}: {}: {detail}; {}", dialled.to, refusal.reason, refusal.reason.cure())
    };
    let mut conn = shared.gate.encrypt_dialled(dialled.stream, &dialled.host).await.map_err(refused)?;
    let protocol = if config.multi_address { InitialProtocol::Several } else { InitialProtocol::One };
    let initial = Initial { protocol, server: config.me, addresses: shared.book.own() };
    let mut hello = Vec::new();
    initial.encode(&mut hello);
    conn.write(&hello).await.map_err(|e| format!("{}: {e}", dialled.to))?;
    shared.gate.log_in(&mut conn, &dialled.host).await.map_err(refused)?;
    if to > config.me {
        // It makes a connection of its own.
        debug!(%to, "election: this member has the larger id and calls back");
        return Ok(());
    }
    talk::begin(shared, to, conn, dialled.to);
    Ok(())
}
