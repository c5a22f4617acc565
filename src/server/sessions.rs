//! Who is connected, for `oxkeeper doctor sessions`: asked by root over the rescue socket.
//!
//! # Invariants
//!
//! * Names and times alone: no password, no token, no data.
//! * At most [`SESSIONS_TOLD`] connections are told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::front::Front;
use crate::limits::SESSIONS_TOLD;
use crate::os::clock;
use crate::replica::Phase;

/// One connection with a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The session, as `cons` writes it.
    pub session: String,
    /// Address and port of the client.
    pub peer: String,
    /// When the connection came, ms of Unix time.
    pub since_ms: i64,
    /// How it logged in by SASL; `None` if it did not.
    pub mechanism: Option<String>,
    /// The name that it proved.
    pub principal: Option<String>,
    /// When its ticket ends, seconds of Unix time (Kerberos).
    pub ticket_ends: Option<i64>,
}

/// Everything that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The server's clock, ms of Unix time.
    pub now_ms: i64,
    /// The connections.
    pub sessions: Vec<SessionRow>,
    /// Connections beyond the bound, which are not told.
    pub more: usize,
    /// Refused logins since the start, by the code of the reason.
    pub refusals: BTreeMap<String, u64>,
}

impl Sessions {
    /// What there is now.
    pub(super) fn of(front: &Front) -> Sessions {
        let serving = front.serving();
        let all = serving.map(|s| s.shared.connections()).unwrap_or_default();
        let all: Vec<_> = all.into_iter().filter(|conn| conn.phase() == Phase::Established).collect();
        let rows = all.iter().take(SESSIONS_TOLD).map(|conn| {
            let login = conn.login();
            SessionRow {
                session: conn.session_id().to_string(),
                peer: conn.peer.to_string(),
                since_ms: conn.established_ms,
                mechanism: login.as_ref().map(|l| l.mechanism.name().to_owned()),
                principal: login.as_ref().map(|l| l.principal.clone()),
                ticket_ends: login.as_ref().and_then(|l| l.ends),
            }
        });
        let refusals = front.metrics.logins.refusals();
        Sessions {
            now_ms: clock::wall_ms(),
            sessions: rows.collect(),
            more: all.len().saturating_sub(SESSIONS_TOLD),
            refusals: refusals.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        }
    }
}
