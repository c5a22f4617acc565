//! Sessions without a login, where one is required: how many, from where, how long, how much.
//!
//! # Invariants
//!
//! * A session of somebody unknown takes a place before its connect request reaches the core, and keeps it
//!   until it logs in or has ended: never more sessions of strangers are replicated than there are places.
//! * A session whose connection went before it logged in keeps its place for its time-out, because it lives
//!   as long; a connection that renews it takes a place of its own. A session that ends because its login was
//!   refused gives its place back then.
//! * Counts by address are those of the places, exactly.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::settings::Auth;
use crate::limits::CLOSED_AT_ONCE;
use crate::replica::Conn;
use crate::types::{ConnId, Instant};

/// The bounds, by key.
#[derive(Debug, Clone, Copy)]
struct Caps {
    per_source: u32,
    total: u32,
    time: Duration,
    bytes: u64,
}

/// Those who have not logged in.
pub struct Strangers {
    caps: Caps,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Places of connections, and the bytes that came on them.
    places: HashMap<ConnId, Place>,
    per_source: HashMap<IpAddr, u32>,
    /// Places of sessions whose connections are gone, by the end of the session.
    left: VecDeque<(Instant, IpAddr)>,
    /// Connections in the order in which they were accepted, and until when each has to log in.
    deadlines: VecDeque<(Instant, Weak<Conn>)>,
}

struct Place {
    source: IpAddr,
    bytes: u64,
}

impl State {
    fn len(&self) -> usize {
        self.places.len() + self.left.len()
    }

    fn give_back(&mut self, source: IpAddr) {
        if let Some(count) = self.per_source.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl Strangers {
    /// Nobody, with the bounds of the settings.
    pub fn new(auth: &Auth) -> Strangers {
        let caps = Caps {
            per_source: auth.without_login_per_source,
            total: auth.without_login_max,
            time: Duration::from_millis(u64::from(auth.without_login_timeout_ms)),
            bytes: u64::from(auth.without_login_bytes),
        };
        Strangers { caps, state: Mutex::default() }
    }

    /// A connection was accepted: its time begins.
    pub fn accepted(&self, conn: &Arc<Conn>, now: Instant) {
        self.state.lock().deadlines.push_back((now + self.caps.time, Arc::downgrade(conn)));
    }

    /// A connect request takes a place.
    ///
    /// # Errors
    ///
    /// AUTH_CAP when there is none.
    pub fn enter(&self, conn: &Conn, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let source = conn.peer.ip();
        if state.len() >= self.caps.total as usize {
            let detail = format!("sessionsWithoutLogin.max is {}", self.caps.total);
            return Err(Refusal::new(Reason::AuthCap, detail));
        }
        let same = state.per_source.entry(source).or_insert(0);
        if *same >= self.caps.per_source {
            let detail = format!("sessionsWithoutLogin.maxPerSource is {}", self.caps.per_source);
            return Err(Refusal::new(Reason::AuthCap, detail));
        }
        *same += 1;
        state.places.insert(conn.id, Place { source, bytes: bytes as u64 });
        Ok(())
    }

    /// A frame came from somebody who has not logged in.
    ///
    /// # Errors
    ///
    /// AUTH_BUDGET when it was too much by now.
    pub fn received(&self, conn: &Conn, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let Some(place) = state.places.get_mut(&conn.id) else { return Ok(()) };
        place.bytes = place.bytes.saturating_add(bytes as u64);
        if place.bytes > self.caps.bytes {
            let detail = format!("sessionsWithoutLogin.maxBytes is {}", self.caps.bytes);
            return Err(Refusal::new(Reason::AuthBudget, detail));
        }
        Ok(())
    }

    /// May a frame of this length follow? Asked before its body arrives.
    pub fn has_room(&self, conn: &Conn, length: usize) -> bool {
        let taken = self.state.lock().places.get(&conn.id).map_or(0, |place| place.bytes);
        taken.saturating_add(length as u64) <= self.caps.bytes
    }

    /// The refusal of a frame for which there is no room.
    pub fn too_much(&self, length: usize) -> Refusal {
        let detail =
            format!("a frame of {length} bytes; sessionsWithoutLogin.maxBytes is {}", self.caps.bytes);
        Refusal::new(Reason::AuthBudget, detail)
    }

    /// It has logged in: its place is free.
    pub fn proven(&self, conn: &Conn) {
        let mut state = self.state.lock();
        if let Some(place) = state.places.remove(&conn.id) {
            state.give_back(place.source);
        }
    }

    /// Its connection is gone. The session, if it has one, lives on for its time-out.
    pub fn gone(&self, conn: &Conn, now: Instant) {
        let mut state = self.state.lock();
        let Some(place) = state.places.remove(&conn.id) else { return };
        match conn.session().filter(|_| !conn.is_turned_away()) {
            Some(session) => {
                let ends = now + Duration::from_millis(u64::from(session.timeout_ms()));
                let at = state.left.partition_point(|(other, _)| *other <= ends);
                state.left.insert(at, (ends, place.source));
            }
            None => state.give_back(place.source),
        }
    }

    /// Connections whose time is over, at most [`CLOSED_AT_ONCE`]; sessions that have ended give their places back.
    pub fn overdue(&self, now: Instant) -> Vec<Arc<Conn>> {
        let mut state = self.state.lock();
        let ended = state.left.partition_point(|(ends, _)| *ends <= now);
        let sources: Vec<IpAddr> = state.left.drain(..ended).map(|(_, source)| source).collect();
        sources.into_iter().for_each(|source| state.give_back(source));
        let mut due = Vec::new();
        while due.len() < CLOSED_AT_ONCE && state.deadlines.front().is_some_and(|(by, _)| *by <= now) {
            due.extend(state.deadlines.pop_front().and_then(|(_, conn)| conn.upgrade()));
        }
        due
    }

    /// Sessions without a login.
    pub fn len(&self) -> usize {
        self.state.lock().len()
    }

    /// The refusal of a connection that did not log in in time.
    pub fn too_late(&self) -> Refusal {
        let detail = format!("sessionsWithoutLogin.timeoutMs is {}", self.caps.time.as_millis());
        Refusal::new(Reason::AuthTimeout, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Wake;
    use crate::types::Now;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(&self) {}
    }

    fn conn(id: u64, host: u8) -> Arc<Conn> {
        let peer = ([10, 0, 0, host], 1000).into();
        Conn::new(ConnId(id), peer, false, Now { mono: at(0), wall_ms: 0 }, Box::new(Nobody))
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn strangers() -> Strangers {
        let auth = Auth {
            without_login_per_source: 2,
            without_login_max: 3,
            without_login_timeout_ms: 100,
            without_login_bytes: 1000,
            ..Auth::default()
        };
        Strangers::new(&auth)
    }

    #[test]
    fn places_are_bounded_by_source_and_in_all_and_come_back() {
        let strangers = strangers();
        let all: Vec<_> = (0..5).map(|i| conn(i, (i / 3) as u8)).collect();
        assert!(strangers.enter(&all[0], 44).is_ok() && strangers.enter(&all[1], 44).is_ok());
        assert_eq!(strangers.enter(&all[2], 44).unwrap_err().reason, Reason::AuthCap);
        assert!(strangers.enter(&all[3], 44).is_ok());
        assert!(strangers.enter(&all[4], 44).is_err(), "three in all");
        strangers.proven(&all[0]);
        strangers.proven(&all[0]);
        assert_eq!(strangers.len(), 2);
        assert!(strangers.enter(&all[4], 44).is_ok());
        strangers.gone(&all[1], at(0));
        strangers.gone(&all[3], at(0));
        strangers.gone(&all[4], at(0));
        assert_eq!(strangers.len(), 0);
    }

    #[test]
    fn bytes_and_time_are_bounded() {
        let strangers = strangers();
        let one = conn(1, 1);
        strangers.accepted(&one, at(50));
        assert!(strangers.has_room(&one, 1000) && !strangers.has_room(&one, 1001));
        strangers.enter(&one, 400).unwrap();
        assert!(strangers.has_room(&one, 600) && !strangers.has_room(&one, 601));
        assert!(strangers.received(&one, 600).is_ok());
        assert_eq!(strangers.received(&one, 1).unwrap_err().reason, Reason::AuthBudget);
        assert!(strangers.overdue(at(149)).is_empty());
        assert_eq!(strangers.overdue(at(150)).len(), 1);
        assert!(strangers.overdue(at(150)).is_empty());
        let crowd: Vec<_> = (0..30).map(|i| conn(10 + i, 2)).collect();
        crowd.iter().for_each(|conn| strangers.accepted(conn, at(200)));
        let kept: Vec<_> = crowd.into_iter().skip(15).collect();
        assert_eq!(
            strangers.overdue(at(300)).len(),
            CLOSED_AT_ONCE,
            "a few at a time, not counting who is gone"
        );
        assert_eq!(strangers.overdue(at(300)).len(), kept.len() - CLOSED_AT_ONCE);
    }
}
