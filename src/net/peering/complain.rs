//! Log lines about connections that are refused: a few a second, each with cause and cure.
//!
//! # Invariants
//!
//! * What a stranger sends is escaped, and cannot fill the log.

use std::net::SocketAddr;

use parking_lot::Mutex;
use tracing::{debug, warn};

use crate::auth::sasl::Refusal;
use crate::limits::REFUSALS_LOGGED_PER_SECOND;
use crate::os::clock;
use crate::peer::BadPacket;

/// Says why connections of one port are refused.
#[derive(Debug)]
pub struct Complaints {
    port: &'static str,
    logged: Mutex<(u64, u32)>,
}

impl Complaints {
    /// About the port of this name.
    pub fn new(port: &'static str) -> Complaints {
        Complaints { port, logged: Mutex::default() }
    }

    fn may(&self) -> bool {
        let second = clock::mono().millis() / 1000;
        let mut logged = self.logged.lock();
        if logged.0 != second {
            *logged = (second, 0);
        }
        logged.1 = logged.1.saturating_add(1);
        logged.1 <= REFUSALS_LOGGED_PER_SECOND
    }

    /// TLS or SASL refused it.
    pub fn refused(&self, from: SocketAddr, refusal: &Refusal) {
        if !self.may() {
            return;
        }
        let Refusal { reason, who, detail } = refusal;
        let who = who.as_deref().unwrap_or("unknown").escape_debug().to_string();
        let (cause, cure, detail) = (reason.cause(), reason.cure(), detail.escape_debug().to_string());
        warn!(port = self.port, %from, %reason, who, detail, "refused a connection as a server: {cause}; {cure}");
    }

    /// Its bytes are no member's.
    pub fn garbage(&self, from: SocketAddr, bad: &BadPacket) {
        let cure = "no server of an ensemble sends this: find out who connects to this port";
        self.closed(from, &format!("{bad}; {cure}"));
    }

    /// It was closed for this reason, which quotes nothing that came unescaped.
    pub fn closed(&self, from: SocketAddr, why: &str) {
        if self.may() {
            warn!(port = self.port, %from, "closed a connection, and nothing else: {why}");
        }
    }

    /// It went away by itself before it had said who it is: port scanners and health checks do that.
    pub fn left(&self, from: SocketAddr, why: &str) {
        debug!(port = self.port, %from, "a connection ended in its handshake: {why}");
    }
}
