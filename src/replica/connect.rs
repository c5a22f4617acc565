//! Connect requests: new sessions, renewals, refusals (`ZooKeeperServer.processConnectRequest`).
//!
//! # Invariants
//!
//! * A client that has seen more than this server is not taken: it would go back in time. Nor is
//!   any while the server has nothing to serve from.
//! * A new session exists for its client only once its transaction is applied.
//! * A session is handed over only to whoever knows its password; nothing happens to the
//!   present holder's connection before that is proven.

use super::conn::{Conn, Phase};
use super::leading::Owner;
use super::local::refuse_new_session;
use super::node::Node;
use super::observe::{Event, SessionEvent};
use super::pipeline::{Origin, Source};
use super::role::Role;
use crate::proto::{ConnectRequest, ConnectResponse, OpCode};
use crate::session::{Session, password};
use crate::txn::{Txn, kind};
use crate::types::{Now, SessionId, mutant};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Node {
    pub(super) fn connect(&mut self, conn: Arc<Conn>, request: &ConnectRequest, now: Now) {
        self.shared.conns.lock().insert(conn.id, conn.clone());
        if let Some(why) = self.turns_away(request) {
            self.drop_conn(&conn, why);
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

    /// Why a client is not taken at all, if so: it hears nothing and tries another server.
    fn turns_away(&self, request: &ConnectRequest) -> Option<&'static str> {
        let serves = match &self.role {
            Role::Alone | Role::Leading(_) | Role::ReadOnly => !self.trust.is_lost(),
            Role::Learning(learning) => learning.is_serving(),
            Role::Looking => false,
        };
        let store = self.shared.store();
        if !serves {
            Some("this server has no leader, or is not up to date yet; it must try another one")
        } else if request.last_zxid_seen > store.tree.last_zxid().0 && !mutant::on("lagging-server-taken") {
            Some("it has seen a later zxid than this server; it must try another one")
        } else if !matches!(self.role, Role::ReadOnly) {
            None
        } else if request.read_only != Some(true) {
            Some("this server only reads while it has no leader, and the client wants to write")
        } else if store.sessions.contains_key(&request.session_id) {
            Some("this server only reads while it has no leader, and cannot renew the ensemble's sessions")
        } else {
            None
        }
    }

    fn open_session(&mut self, conn: Arc<Conn>, timeout: i32, now: Now) {
        let id = self.fresh_id();
        let timeout_ms = timeout.max(0).unsigned_abs();
        conn.login.has_new_session();
        if self.shared.config.local_sessions {
            let session = self.shared.sessions.lock().track_local(id, timeout_ms, now.mono);
            let what = SessionEvent::Opened;
            self.shared.note(&Event::Session { id, what, conn: Some(&conn) });
            return self.hold(conn, session);
        }
        let origin = Origin { conn: conn.clone(), xid: 0, op: OpCode::CreateSession, asked: None };
        match &mut self.role {
            Role::Looking => {}
            Role::ReadOnly => {
                refuse_new_session(&conn, &self.shared.store());
                self.touch(&conn);
            }
            Role::Learning(_) => {
                conn.set_session(Session::held(id, timeout_ms, now.mono));
                self.holders.insert(id, conn.clone());
                conn.begin_flight();
                self.shared.outstanding.fetch_add(1, Ordering::Relaxed);
                self.forward_open(id, timeout, Some(origin), now);
            }
            Role::Alone | Role::Leading(_) => {
                if let Role::Leading(leading) = &mut self.role {
                    leading.owns(id, Owner::Here);
                }
                conn.set_session(self.shared.sessions.lock().track(id, timeout_ms, now.mono));
                self.holders.insert(id, conn);
                let txn = Txn::CreateSession { timeout };
                self.admit_own(id, kind::CREATE_SESSION, txn, Source::Client(origin), now);
            }
        }
    }

    /// An id that no session here has, nor any that is committed.
    fn fresh_id(&mut self) -> SessionId {
        loop {
            let id = self.ids.next_id();
            let known = self.shared.sessions.lock().get(id).is_some()
                || self.shared.store().sessions.contains_key(&id.0);
            if !known {
                return id;
            }
        }
    }

    fn renew(&mut self, conn: Arc<Conn>, request: &ConnectRequest, timeout: i32, now: Now) {
        let id = SessionId(request.session_id);
        let timeout_ms = timeout.max(0).unsigned_abs();
        if !constant_time_eq(&request.password, &password(id)) {
            return self.refuse_session(&conn, id);
        }
        let session = self.shared.sessions.lock().retime(id, timeout_ms, now.mono);
        match (session, &mut self.role) {
            (Some(session), role) => {
                if let Role::Leading(leading) = role {
                    leading.owns(id, Owner::Here);
                }
                self.take_over(conn, session);
            }
            (None, Role::Learning(learning)) => learning.ask_about(id, timeout_ms, conn),
            (None, _) => self.refuse_session(&conn, id),
        }
    }

    /// Hands a session to a connection that may have it; the one that held it here ends.
    pub(super) fn take_over(&mut self, conn: Arc<Conn>, session: Arc<Session>) {
        if conn.phase() == Phase::Closed {
            return;
        }
        let id = session.id;
        if let Some(before) = self.holders.get(&id).filter(|c| c.id != conn.id).cloned() {
            self.drop_conn(&before, "its session was taken over by another connection");
        }
        self.shared.note(&Event::Session { id, what: SessionEvent::Renewed, conn: Some(&conn) });
        self.hold(conn, session);
    }

    fn hold(&mut self, conn: Arc<Conn>, session: Arc<Session>) {
        let id = session.id;
        conn.set_session(session);
        self.holders.insert(id, conn.clone());
        established(&conn, id.0, matches!(self.role, Role::ReadOnly));
        self.touch(&conn);
    }

    /// The session is unknown or over, or the password is another's.
    pub(super) fn refuse_session(&mut self, conn: &Arc<Conn>, id: SessionId) {
        let what = SessionEvent::Refused;
        self.shared.note(&Event::Session { id, what, conn: Some(conn) });
        conn.push(|out| ConnectResponse::refused(conn.read_only_byte()).encode(out));
        conn.close_after_flush();
        self.touch(conn);
    }
}

/// Tells a client that its session stands, at a server that only reads or at one that serves all.
/// Returns the frame's size.
pub(super) fn established(conn: &Conn, session: i64, read_only: bool) -> usize {
    let timeout = conn.session().map_or(0, |s| s.timeout_ms());
    let response = ConnectResponse {
        timeout: i32::try_from(timeout).unwrap_or(i32::MAX),
        session_id: session,
        password: password(SessionId(session)),
        read_only: conn.read_only_byte().map(|_| read_only),
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
