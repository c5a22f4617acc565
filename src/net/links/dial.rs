//! The way of a learner to its leader, or of an observer to a follower that serves observers.
//!
//! A leader opens its port when it knows that it leads, perhaps a moment after a learner does: the first tries follow
//! each other quickly, then with the pause of `leaderConnectDelayDuringRetryMs`, five of them as in ZooKeeper.
//!
//! # Invariants
//!
//! * All tries together take no longer than `connectToLearnerMasterLimit`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::accept::run_link;
use super::face::LinkEvent;
use super::{Port, Shared};
use crate::limits::{LINK_DIAL_FIRST_MS, LINK_DIALS};
use crate::net::peering::Conn;
use crate::net::peering::dial::connect;
use crate::peer::ElectionAddress;
use crate::types::{LinkId, ServerId};

/// Connects, and tells how it went.
pub fn begin(shared: &Arc<Shared>, link: LinkId, to: ServerId, port: Port) {
    shared.enter(link, None);
    let me = Arc::clone(shared);
    let task = shared.entrance.spawn(async move {
        let limit = me.config.connect;
        let outcome = timeout(limit, tries(&me, to, port)).await;
        let late = || Err(format!("no connection to {to} within {} ms", limit.as_millis()));
        match outcome.unwrap_or_else(|_| late()) {
            Ok(conn) => {
                me.tell(LinkEvent::Up { link });
                run_link(&me, link, conn, true, None);
            }
            Err(why) => {
                warn!(%to, ?port, "cannot connect to be brought up: {why}");
                me.over(link, why);
            }
        }
    });
    shared.belongs(link, task);
}

/// The pauses behind failed tries: short ones first, then as configured.
fn pauses(configured: Duration) -> impl Iterator<Item = Duration> {
    let quick = (0..)
        .map(|n| Duration::from_millis(LINK_DIAL_FIRST_MS << n))
        .take_while(move |pause| *pause < configured);
    quick.chain(std::iter::repeat_n(configured, LINK_DIALS.saturating_sub(1)))
}

async fn tries(shared: &Shared, to: ServerId, port: Port) -> Result<Conn, String> {
    let mut pauses = pauses(shared.config.retry);
    let begun = Instant::now();
    loop {
        let why = match once(shared, to, port).await {
            Ok(conn) => return Ok(conn),
            Err(Failure::Final(why)) => return Err(why),
            Err(Failure::Again(why)) => why,
        };
        let Some(pause) = pauses.next() else { return Err(why) };
        debug!(%to, ?port, after_ms = begun.elapsed().as_millis(), "cannot connect to be brought up yet: {why}");
        sleep(pause).await;
    }
}

enum Failure {
    /// The next try may succeed.
    Again(String),
    /// It will not.
    Final(String),
}

async fn once(shared: &Shared, to: ServerId, port: Port) -> Result<Conn, Failure> {
    let addresses = addresses(shared, to, port);
    if addresses.is_empty() {
        return Err(Failure::Final(format!("no configuration has {to}")));
    }
    let dialled = connect(&addresses, shared.config.connect).await.map_err(Failure::Again)?;
    let _ = dialled.stream.set_nodelay(shared.config.follower_nodelay);
    let at = dialled.to;
    let refused = move |refusal: crate::auth::sasl::Refusal| {
        let detail = refusal.detail.escape_debug();
        format!("{at}: {}: {detail}; {}", refusal.reason, refusal.reason.cure())
    };
    let conn = shared.gate.encrypt_dialled(dialled.stream, &dialled.host).await;
    let mut conn = conn.map_err(|refusal| Failure::Again(refused(refusal)))?;
    let login = shared.gate.log_in(&mut conn, &dialled.host).await;
    login.map_err(|refusal| Failure::Final(refused(refusal)))?;
    Ok(conn)
}

/// Addresses of a port of a member, by all configurations.
fn addresses(shared: &Shared, of: ServerId, port: Port) -> Vec<ElectionAddress> {
    let Ok(id) = u64::try_from(of.0) else { return Vec::new() };
    let ensembles = shared.ensembles.read();
    let mut found: Vec<ElectionAddress> = Vec::new();
    for address in ensembles.iter().filter_map(|e| e.members.get(&id)).flat_map(|m| &m.addresses) {
        let port = match port {
            Port::Quorum => Some(address.quorum_port),
            Port::Observers => shared.config.observers,
        };
        let Some(port) = port else { continue };
        let address = ElectionAddress { host: address.host.clone(), port };
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tries_follow_quickly() {
        let millis = |ms| pauses(Duration::from_millis(ms)).map(|p| p.as_millis()).collect::<Vec<_>>();
        assert_eq!(millis(100), [5, 10, 20, 40, 80, 100, 100, 100, 100]);
        assert_eq!(millis(0), [0; 4]);
    }
}
