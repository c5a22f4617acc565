//! Connect requests: new sessions, renewals, refusals (`ZooKeeperServer.processConnectRequest`).
//!
//! # Invariants
//!
//! * A client that has seen more than this server is not taken: it would go back in time.
//! * A new session exists for its client only once its transaction is applied.
//! * A session is handed over only to whoever knows its password; nothing happens to the
//!   present holder's connection before that is proven.

use super::conn::{Conn, Phase};
use super::node::Node;
use super::observe::{Event, SessionEvent};
use super::pipeline::Origin;
use crate::proto::{ConnectRequest, ConnectResponse, OpCode};
use crate::session::password;
use crate::txn::{Txn, kind};
use crate::types::{Now, SessionId};
use std::sync::Arc;

impl Node {
    pub(super) fn connect(&mut self, conn: Arc<Conn>, request: &ConnectRequest, now: Now) {
        self.shared.conns.lock().insert(conn.id, conn.clone());
        let last = self.shared.store().tree.last_zxid();
        if request.last_zxid_seen > last.0 {
            self.drop_conn(&conn, "it has seen a later zxid than this server; it must try another one");
            return;
        }
        let config = &self.shared.config;
        // Not `clamp`, which panics when an operator's minimum is above the maximum.
        let timeout = request.timeout.max(config.min_session_timeout).min(config.max_session_timeout);
        conn.wants_read_only_byte(request.read_only.is_some());
        if request.session_id == 0 {
            self.open_session(conn, timeout, now);
        } else {
            self.renew(conn, request, timeout, now);
        }
    }

    fn open_session(&mut self, conn: Arc<Conn>, timeout: i32, now: Now) {
        let mut id = self.ids.next_id();
        while self.shared.sessions.lock().get(id).is_some() {
            id = self.ids.next_id();
        }
        let session = self.shared.sessions.lock().track(id, timeout.max(0) as u32, now.mono);
        conn.set_session(session);
        conn.login.has_new_session();
        self.holders.insert(id, conn.clone());
        let origin = Origin { conn, xid: 0, op: OpCode::CreateSession, asked: None };
        self.admit_own(id, kind::CREATE_SESSION, Txn::CreateSession { timeout }, Some(origin), now);
    }

    fn renew(&mut self, conn: Arc<Conn>, request: &ConnectRequest, timeout: i32, now: Now) {
        let id = SessionId(request.session_id);
        let knows = constant_time_eq(&request.password, &password(id));
        let session = if knows {
            self.shared.sessions.lock().retime(id, timeout.max(0) as u32, now.mono)
        } else {
            None
        };
        let Some(session) = session else {
            let what = SessionEvent::Refused;
            self.shared.note(&Event::Session { id, what, conn: Some(&conn) });
            conn.push(|out| ConnectResponse::refused(conn.read_only_byte()).encode(out));
            conn.close_after_flush();
            self.touch(&conn);
            return;
        };
        if let Some(before) = self.holders.insert(id, conn.clone()).filter(|c| c.id != conn.id) {
            self.drop_conn(&before, "its session was taken over by another connection");
        }
        conn.set_session(session);
        self.shared.note(&Event::Session { id, what: SessionEvent::Renewed, conn: Some(&conn) });
        established(&conn, id.0);
        self.touch(&conn);
    }
}

/// Tells a client that its session stands. Returns the frame's size.
pub(super) fn established(conn: &Conn, session: i64) -> usize {
    let timeout = conn.session().map_or(0, |s| s.timeout_ms());
    let response = ConnectResponse {
        timeout: i32::try_from(timeout).unwrap_or(i32::MAX),
        session_id: session,
        password: password(SessionId(session)),
        read_only: conn.read_only_byte(),
    };
    let pushed = conn.push(|out| {
        let before = out.len();
        response.encode(out);
        out.len() - before
    });
    if conn.phase() == Phase::Connecting {
        conn.set_phase(Phase::Established);
    }
    pushed.unwrap_or(0)
}

/// Compares without telling by its duration where the difference is.
fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_compare() {
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd"));
        assert!(!constant_time_eq(b"abc", b"ab"));
        assert!(!constant_time_eq(b"", b"a"));
    }
}
