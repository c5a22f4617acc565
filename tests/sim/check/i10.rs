//! I10: ephemerals live exactly as long as their sessions, sessions as long as they are heard of.
//!
//! The leader is told of sessions in five ways: by its own connections, by touches in answers
//! to its pings, by forwarded requests for a session, by questions whether a session lives, and by
//! becoming leader, which gives every session its full time. (Other forwarded requests say nothing
//! of it: their learner's next answer to a ping does.)

use super::{Check, Seen, View};
use crate::book::id;
use crate::heap::{MS, Time};
use crate::net::Who;
use oxkeeper::jute::Reader;
use oxkeeper::peer::{Packet, PacketKind};
use oxkeeper::proto::OpCode;
use oxkeeper::replica::member::Role;
use oxkeeper::txn::{Txn, decode};
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub struct Sessions {
    /// When a member, as leader, last heard of a session.
    heard: HashMap<(Who, i64), Time>,
    /// When a member last became leader.
    leads: HashMap<Who, Time>,
    /// Sessions that history opened.
    opened: HashSet<i64>,
    /// Up to here the history was looked at.
    place: usize,
}

impl Check for Sessions {
    fn number(&self) -> u8 {
        10
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Heard { who, session } => {
                self.heard.insert((*who, *session), view.now);
            }
            Seen::Arrived { who, packet } if view.book.pages[*who].role == Role::Leading => {
                for session in sessions(packet) {
                    self.heard.insert((*who, session), view.now);
                }
            }
            Seen::Role { who, change } if change.role == Role::Leading && change.serving => {
                self.leads.insert(*who, view.now);
            }
            Seen::Appended { who, zxid, .. } if view.book.pages[*who].role == Role::Leading => {
                return self.too_early(view, *who, *zxid);
            }
            Seen::Delivered { who, tree } => {
                self.history(view)?;
                // Looked at where it is cheap: once a transaction, on whoever is first.
                let ghost = tree.ephemeral_sessions().find(|s| view.history.closed.contains_key(s));
                let at = tree.last_zxid().0;
                if let Some(ghost) = ghost.filter(|s| view.history.closed[s] <= at) {
                    return Err(format!("{} keeps ephemerals of the closed session {ghost:x}", id(*who)));
                }
                if let Some(nobody) = tree.ephemeral_sessions().find(|s| !self.opened.contains(s)) {
                    return Err(format!("{} has ephemerals of {nobody:x}, no session ever", id(*who)));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Sessions {
    /// An expiry that the leader logs: was the session silent for its time?
    fn too_early(&self, view: &View<'_>, who: Who, zxid: i64) -> Result<(), String> {
        let Some(entry) = view.book.pages[who].log.last().filter(|e| e.zxid == zxid) else { return Ok(()) };
        let Ok(record) = decode(&entry.bytes) else { return Ok(()) };
        // A client's own close has its xid.
        if !matches!(record.txn, Txn::CloseSession { .. }) || record.header.cxid != 0 {
            return Ok(());
        }
        let session = record.header.client_id;
        let Some(timeout) = view.history.sessions.get(&session) else { return Ok(()) };
        let heard = self.heard.get(&(who, session)).copied().unwrap_or(0);
        let since = heard.max(self.leads.get(&who).copied().unwrap_or(0));
        let silent = view.now.saturating_sub(since);
        // Clocks of members drift by up to a twentieth.
        if silent + (*timeout as Time) * MS / 16 >= (*timeout as Time) * MS {
            return Ok(());
        }
        Err(format!(
            "{} ends session {session:x} after {} ms of silence, its time-out is {timeout} ms",
            id(who),
            silent / MS
        ))
    }

    /// What history says of sessions: opened once, silent once closed.
    fn history(&mut self, view: &View<'_>) -> Result<(), String> {
        while let Some(known) = view.history.known.get(self.place) {
            self.place += 1;
            let header = known.record.header;
            let session = header.client_id;
            let opens = matches!(known.record.txn, Txn::CreateSession { .. });
            if opens && !self.opened.insert(session) {
                return Err(format!("session {session:x} is opened twice, again at {}", header.zxid));
            }
            match known.record.txn {
                Txn::CreateSession { .. } | Txn::CloseSession { .. } | Txn::Error { .. } => {}
                Txn::Multi(ref parts) if parts.iter().any(|p| matches!(p.txn, Txn::Error { .. })) => {}
                _ if session != 0
                    && view.history.closed.get(&session).is_some_and(|c| *c < header.zxid.0) =>
                {
                    return Err(format!("the closed session {session:x} writes {}", header.zxid));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Sessions that a packet tells the leader of.
fn sessions(packet: &Packet) -> Vec<i64> {
    let Some(data) = &packet.data else { return Vec::new() };
    let mut r = Reader::new(data);
    match packet.kind {
        PacketKind::Revalidate => r.i64().into_iter().collect(),
        PacketKind::Request => match (r.i64(), r.i32(), r.i32()) {
            (Ok(session), Ok(_), Ok(op)) if op == OpCode::CreateSession.number() => vec![session],
            _ => Vec::new(),
        },
        PacketKind::Ping => {
            let mut out = Vec::new();
            while let (Ok(session), Ok(_)) = (r.i64(), r.i32()) {
                out.push(session);
            }
            out
        }
        _ => Vec::new(),
    }
}
