//! Probes of orchestrators and load balancers: is the process well, does it serve?
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | `/livez` | the process runs | it has stopped serving for good |
//! | `/readyz` | clients are served, reads and writes | not yet, not any more, or read-only |
//! | `/leaderz` | as `/readyz`, and this server leads or is alone | it does not lead |
//!
//! # Invariants
//!
//! * A probe waits for nothing, not even for a turn, and needs no identity: it tells a word.

use crate::admin::Mode;
use crate::net::http::{Reply, StatusCode};
use crate::server::front::Front;

/// The answer, if `path` is a probe's.
pub fn probe(path: &str, front: &Front) -> Option<Reply> {
    let mode = front.serving().map(|_| front.face().map_or(Mode::Standalone, |face| face.mode()));
    let (well, word) = match path {
        "/livez" if front.is_stopped() => (false, "stopped"),
        "/livez" => (true, "alive"),
        "/readyz" => match mode {
            None => (false, "not serving"),
            Some(Mode::ReadOnly) => (false, "read-only"),
            Some(mode) => (true, mode.as_str()),
        },
        "/leaderz" => match mode {
            Some(mode @ (Mode::Leader | Mode::Standalone)) => (true, mode.as_str()),
            _ => (false, "not the leader"),
        },
        _ => return None,
    };
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Some(Reply::text(status, format!("{word}\n")))
}
