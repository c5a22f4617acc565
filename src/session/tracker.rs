//! Who is alive: sessions in buckets of expiry time (`SessionTrackerImpl`, `ExpiryQueue`).
//!
//! # Invariants
//!
//! * Touching a session is one relaxed store: buckets are corrected when they come up.
//! * Every live session has exactly one valid bucket entry, never later than its true
//!   deadline's bucket. Entries of closed or moved sessions are dropped when they come up.
//! * Deadlines are rounded up to the next multiple of the tick, as in Java.

use crate::types::{Instant, SessionId, mutant};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// A live session, shared with the connection that holds it.
#[derive(Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    timeout_ms: AtomicU32,
    heard_ms: AtomicU64,
    /// The bucket whose entry is valid; entries elsewhere are left over.
    bucket_ms: AtomicU64,
    closing: AtomicBool,
    /// Known to this server alone.
    local: AtomicBool,
}

impl Session {
    /// A session that somebody else keeps the time of (the leader, for its learners): its
    /// connection notes here when the client was heard.
    pub fn held(id: SessionId, timeout_ms: u32, now: Instant) -> Arc<Session> {
        Arc::new(Session::new(id, timeout_ms, false, now))
    }

    fn new(id: SessionId, timeout_ms: u32, local: bool, now: Instant) -> Session {
        Session {
            id,
            timeout_ms: AtomicU32::new(timeout_ms),
            heard_ms: AtomicU64::new(now.millis()),
            bucket_ms: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            local: AtomicBool::new(local),
        }
    }

    /// Negotiated time-out, ms.
    pub fn timeout_ms(&self) -> u32 {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    /// The client was heard.
    pub fn touch(&self, now: Instant) {
        self.heard_ms.fetch_max(now.millis(), Ordering::Relaxed);
    }

    /// Is a close under way?
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// From now on every check of its own server refuses it.
    pub fn set_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Does only this server know it? Such a session has no transaction and owns no ephemerals.
    pub fn is_local(&self) -> bool {
        self.local.load(Ordering::Acquire)
    }

    /// The ensemble knows it, or is about to.
    pub fn set_global(&self) {
        self.local.store(false, Ordering::Release);
    }

    /// When its client was last heard, ms of the monotonic clock.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    fn deadline_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed).saturating_add(u64::from(self.timeout_ms()))
    }
}

/// Session ids by the time (ms of the monotonic clock) at which their bucket expires.
pub type ExpirySets = Vec<(u64, Vec<SessionId>)>;

/// All sessions of this server.
#[derive(Debug)]
pub struct Tracker {
    tick_ms: u64,
    sessions: HashMap<SessionId, Arc<Session>>,
    buckets: BTreeMap<u64, Vec<SessionId>>,
    last_look: Instant,
}

impl Tracker {
    /// `tick` is tickTime: the width of a bucket.
    pub fn new(tick: Duration, now: Instant) -> Tracker {
        let tick_ms = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX).max(1);
        Tracker { tick_ms, sessions: HashMap::new(), buckets: BTreeMap::new(), last_look: now }
    }

    /// Tracks a session with a full time-out from now; a known one is touched instead.
    pub fn track(&mut self, id: SessionId, timeout_ms: u32, now: Instant) -> Arc<Session> {
        self.begin(id, timeout_ms, false, now)
    }

    /// [`Tracker::track`] for a session that no other server shall know.
    pub fn track_local(&mut self, id: SessionId, timeout_ms: u32, now: Instant) -> Arc<Session> {
        self.begin(id, timeout_ms, true, now)
    }

    fn begin(&mut self, id: SessionId, timeout_ms: u32, local: bool, now: Instant) -> Arc<Session> {
        if let Some(known) = self.sessions.get(&id) {
            known.touch(now);
            return known.clone();
        }
        let session = Arc::new(Session::new(id, timeout_ms, local, now));
        let bucket = self.bucket(session.deadline_ms());
        self.put(&session, bucket);
        self.sessions.insert(id, session.clone());
        session
    }

    /// Changes the time-out, as a renewal with another value does, and touches. A shorter
    /// deadline needs an earlier bucket at once; a later one is corrected when its turn comes.
    pub fn retime(&mut self, id: SessionId, timeout_ms: u32, now: Instant) -> Option<Arc<Session>> {
        let session = self.sessions.get(&id).filter(|s| !s.is_closing())?.clone();
        let before = session.timeout_ms.swap(timeout_ms, Ordering::Relaxed);
        session.touch(now);
        if timeout_ms < before {
            let bucket = self.bucket(session.deadline_ms());
            self.put(&session, bucket);
        }
        Some(session)
    }

    /// The session, closing or not.
    pub fn get(&self, id: SessionId) -> Option<&Arc<Session>> {
        self.sessions.get(&id)
    }

    /// Marks the session: from now on every check refuses it.
    pub fn set_closing(&mut self, id: SessionId) {
        if let Some(s) = self.sessions.get(&id) {
            s.closing.store(true, Ordering::Release);
        }
    }

    /// The close is committed, or somebody else keeps its time from now on.
    pub fn remove(&mut self, id: SessionId) -> Option<Arc<Session>> {
        self.sessions.remove(&id)
    }

    /// Sessions that only this server knows.
    pub fn locals(&self) -> usize {
        self.sessions.values().filter(|s| s.is_local()).count()
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// When to look again: the next bucket, and at least once a tick so that a pause is noticed.
    pub fn next_look(&self) -> Instant {
        let tick = self.last_look.millis().saturating_add(self.tick_ms);
        let bucket = self.buckets.keys().next().copied().unwrap_or(u64::MAX);
        Instant::from_millis(tick.min(bucket.max(self.last_look.millis())))
    }

    /// Marks as closing and returns the sessions whose time is over. If this call comes
    /// more than a tick late, the server itself was away: everybody gets the lost time back.
    pub fn expire(&mut self, now: Instant) -> Vec<SessionId> {
        let late = now.millis().saturating_sub(self.next_look().millis());
        self.last_look = now;
        if late > self.tick_ms && !mutant::on("pause-expires") {
            self.forgive(now);
            return Vec::new();
        }
        let mut gone = Vec::new();
        while let Some(entry) = self.buckets.first_entry() {
            if *entry.key() > now.millis() {
                break;
            }
            let (at, mut ids) = entry.remove_entry();
            ids.sort_unstable(); // same inputs, same outputs: not the order of a hash table
            for id in ids {
                self.expire_one(id, at, now, &mut gone);
            }
        }
        gone
    }

    fn expire_one(&mut self, id: SessionId, entry_of: u64, now: Instant, gone: &mut Vec<SessionId>) {
        let Some(session) = self.sessions.get(&id) else { return };
        if session.bucket_ms.load(Ordering::Relaxed) != entry_of {
            return;
        }
        let bucket = self.bucket(session.deadline_ms());
        if bucket > now.millis() {
            let session = session.clone();
            self.put(&session, bucket);
        } else if !session.closing.swap(true, Ordering::AcqRel) {
            gone.push(id);
        }
    }

    fn put(&mut self, session: &Session, bucket: u64) {
        if session.bucket_ms.swap(bucket, Ordering::Relaxed) != bucket {
            self.buckets.entry(bucket).or_default().push(session.id);
        }
    }

    /// A full fresh time-out for everybody: after a pause of our own, and when leading starts.
    pub fn forgive(&mut self, now: Instant) {
        self.buckets.clear();
        for (id, s) in &self.sessions {
            s.touch(now);
            let bucket = (s.deadline_ms() / self.tick_ms + 1).saturating_mul(self.tick_ms);
            s.bucket_ms.store(bucket, Ordering::Relaxed);
            self.buckets.entry(bucket).or_default().push(*id);
        }
    }

    /// The buckets as the `dump` word shows them.
    pub fn expiry_sets(&self) -> ExpirySets {
        let mut sets: BTreeMap<u64, Vec<SessionId>> = BTreeMap::new();
        for s in self.sessions.values().filter(|s| !s.is_closing()) {
            sets.entry(self.bucket(s.deadline_ms())).or_default().push(s.id);
        }
        sets.into_iter()
            .map(|(at, mut ids)| {
                ids.sort_unstable();
                (at, ids)
            })
            .collect()
    }

    fn bucket(&self, deadline_ms: u64) -> u64 {
        (deadline_ms / self.tick_ms + 1).saturating_mul(self.tick_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK: u64 = 1000;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn tracker() -> Tracker {
        Tracker::new(Duration::from_millis(TICK), at(0))
    }

    /// Runs the clock as the core does: it looks whenever it is asked to.
    fn run_to(t: &mut Tracker, end: u64) -> Vec<(u64, SessionId)> {
        let mut out = Vec::new();
        loop {
            let look = t.next_look().millis();
            if look > end {
                return out;
            }
            out.extend(t.expire(at(look)).into_iter().map(|id| (look, id)));
        }
    }

    #[test]
    fn a_silent_session_expires_after_its_timeout_rounded_up_to_a_tick() {
        let mut t = tracker();
        t.track(SessionId(1), 4000, at(500));
        assert_eq!(run_to(&mut t, 4999), vec![]);
        assert_eq!(run_to(&mut t, 60_000), vec![(5000, SessionId(1))]);
        assert!(t.get(SessionId(1)).unwrap().is_closing());
    }

    #[test]
    fn a_touched_session_lives_on() {
        let mut t = tracker();
        let s = t.track(SessionId(1), 4000, at(0));
        run_to(&mut t, 3999);
        s.touch(at(3999));
        assert_eq!(run_to(&mut t, 7999), vec![]);
        assert_eq!(run_to(&mut t, 9000), vec![(8000, SessionId(1))]);
    }

    #[test]
    fn a_pause_of_the_server_expires_nobody() {
        let mut t = tracker();
        t.track(SessionId(1), 4000, at(0));
        run_to(&mut t, 1000);
        assert_eq!(t.expire(at(100_000)), vec![]);
        assert_eq!(run_to(&mut t, 104_000), vec![]);
        assert_eq!(run_to(&mut t, 110_000), vec![(105_000, SessionId(1))]);
    }

    #[test]
    fn a_shorter_timeout_takes_effect_at_once() {
        let mut t = tracker();
        t.track(SessionId(1), 40_000, at(0));
        assert!(t.retime(SessionId(1), 4000, at(0)).is_some());
        assert_eq!(run_to(&mut t, 60_000), vec![(5000, SessionId(1))]);
        assert!(t.retime(SessionId(1), 4000, at(60_000)).is_none(), "a closing session never revives");
    }

    proptest! {
        #[test]
        fn nobody_dies_early_nor_lives_much_longer(
            sessions in proptest::collection::vec((1u32..20_000, proptest::collection::vec(0u64..30_000, 0..6)), 1..8)
        ) {
            let mut t = tracker();
            let mut touches: Vec<(u64, usize)> = Vec::new();
            let mut last = Vec::new();
            let mut handles = Vec::new();
            for (i, (timeout, at_ms)) in sessions.iter().enumerate() {
                handles.push(t.track(SessionId(i as i64 + 1), *timeout, at(0)));
                last.push(0u64);
                touches.extend(at_ms.iter().map(|m| (*m, i)));
            }
            touches.sort_unstable();
            let mut dead = vec![None; sessions.len()];
            let mut note = |out: Vec<(u64, SessionId)>| for (when, id) in out { dead[id.0 as usize - 1] = Some(when); };
            for (when, i) in touches {
                note(run_to(&mut t, when));
                if !handles[i].is_closing() {
                    handles[i].touch(at(when));
                    last[i] = when;
                }
            }
            note(run_to(&mut t, 100_000));
            for (i, (timeout, _)) in sessions.iter().enumerate() {
                let when = dead[i].expect("silent for long: must be expired");
                let deadline = last[i] + u64::from(*timeout);
                prop_assert!(when > deadline, "session {} died at {when}, deadline {deadline}", i + 1);
                prop_assert!(when <= deadline + 2 * TICK);
            }
        }
    }
}
