//! What SIGHUP (`systemctl reload`) does: keys, trust, keytab and the keys of zoo.cfg that can change in a running
//! server are read again.
//!
//! # Invariants
//!
//! * What cannot be read or used changes nothing: what was in use stays in use, and one line says so.
//! * No connection and no session ends because of a reload.
//! * A changed key that only a start takes over is named.

use tracing::{info, warn};

use super::front::Front;
use super::secure;
use crate::config::Settings;
use crate::net::peering::Gate;

/// Keys of zoo.cfg that a reload takes over; all others need a start.
pub const RELOADED: [&str; 4] =
    ["4lw.commands.whitelist", "globalOutstandingLimit", "maxClientCnxns", "maxCnxns"];

/// The configuration as it is now.
#[derive(Debug)]
pub struct Fresh {
    /// The settings; `None` where the configuration has errors, which were logged.
    pub settings: Option<Settings>,
    /// Keys that differ from when the server started, or from the last reload.
    pub changed: Vec<String>,
}

/// Takes over what can change. Reads files, so it is called where that may take its time.
pub fn apply(front: &Front, gate: Option<&Gate>, fresh: &Fresh) {
    match &fresh.settings {
        None => warn!("reload: the configuration has errors; what was in use stays in use"),
        Some(settings) => {
            front.adopt(settings);
            keys(&fresh.changed);
        }
    }
    secure::look(front);
    if let Some(gate) = gate {
        gate.look();
    }
    match front.logins().and_then(|logins| logins.look()) {
        None => {}
        Some(Ok(keys)) => info!("reload: the keytab holds {keys}"),
        Some(Err(why)) => warn!("reload: {why}"),
    }
    info!("reloaded");
}

/// Says what became of changed keys.
fn keys(changed: &[String]) {
    let (taken, later): (Vec<&str>, Vec<&str>) =
        changed.iter().map(String::as_str).partition(|key| RELOADED.contains(key));
    if !taken.is_empty() {
        info!("reload: in force now: {}", taken.join(", "));
    }
    if !later.is_empty() {
        warn!("reload: changed, but taken over at the next start only: {}", later.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn reloaded_keys_are_keys_that_work() {
        for name in RELOADED {
            let key = keys::by_name(name).expect(name);
            assert_eq!((key.id(), key.status), (name, keys::Status::Works));
        }
    }
}
