//! What a learner's clients wait for, session by session (`CommitProcessor`).
//!
//! # Invariants
//!
//! * Entries of one session leave in the order in which they came; sessions do not wait for each other.
//! * A transaction belongs to the oldest write of its session that has none yet, if xid and kind
//!   fit: links keep their order, and so does the leader. It is looked for when the proposal comes:
//!   what was proposed before the session came here cannot be taken for one of its requests here.
//! * A session without anything under way has no queue.

use super::conn::Conn;
use super::pipeline::{Origin, Request};
use crate::auth::Identities;
use crate::error::Code;
use crate::peer::{Forwarded, Touch};
use crate::proto::OpCode;
use crate::txn::{TxnHeader, kind};
use crate::types::{Instant, SessionId, mutant};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// What a learner wants its leader to know, in the order in which it must be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ToLeader {
    /// A client's write or sync, and what its connection has proven: a REQUEST packet.
    Request(Forwarded, Identities),
    /// A client comes back to its session: a REVALIDATE packet.
    Revalidate(Touch),
}

/// Something that a client of this learner waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A write that the leader has. Nobody waits for the begin of a session that was local.
    Write { op: OpCode, xid: i32, origin: Option<Origin>, received: Instant },
    /// A sync that the leader has, by its number; the request is gone once it is answered.
    Sync { number: u64, request: Request, done: bool },
    /// Something answered here, in its place.
    Read(Request),
    /// Refused here, in its place.
    Refused(Request, Code),
}

/// The queue of a session.
#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Waiting>,
    /// Entries at the front among which no write is without its transaction.
    found: usize,
}

/// What only a learner has.
#[derive(Debug)]
pub(super) struct Learning {
    serving: bool,
    queues: HashMap<SessionId, Queue>,
    waiting: usize,
    /// Syncs in the order in which they were sent: the leader answers them so, without a name.
    syncs: VecDeque<(SessionId, u64)>,
    numbered: u64,
    /// Connections that want a session which the leader is asked about, in the order of asking.
    renewals: BTreeMap<SessionId, VecDeque<(Arc<Conn>, u32)>>,
    /// Sessions whose connection is gone and that were heard since the last ping.
    parting: BTreeMap<SessionId, i32>,
    /// When the leader was told last which sessions were heard.
    told_ms: u64,
    out: Vec<ToLeader>,
    /// Emptied queues, to be used again.
    spare: Vec<VecDeque<Waiting>>,
}

/// Emptied queues that are kept.
const SPARE: usize = 64;

impl Learning {
    pub fn new(now: Instant) -> Learning {
        Learning {
            serving: false,
            queues: HashMap::new(),
            waiting: 0,
            syncs: VecDeque::new(),
            numbered: 0,
            renewals: BTreeMap::new(),
            parting: BTreeMap::new(),
            told_ms: now.millis(),
            out: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Are clients served?
    pub fn is_serving(&self) -> bool {
        self.serving
    }

    pub fn serve(&mut self) {
        self.serving = true;
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Requests that wait in the queue of this session, and sessions that have one.
    pub fn queued(&self, session: SessionId) -> (usize, usize) {
        (self.queues.get(&session).map_or(0, |q| q.entries.len()), self.queues.len())
    }

    /// What the leader is to be told since the last call.
    pub fn take_out(&mut self, into: &mut Vec<ToLeader>) {
        into.append(&mut self.out);
    }

    /// Sends a request on. Whoever waits for it was queued before.
    pub fn send(&mut self, request: Forwarded, identities: Identities) {
        self.out.push(ToLeader::Request(request, identities));
    }

    /// Does the session have something under way, so that what comes next has to wait?
    pub fn is_waiting(&self, session: SessionId) -> bool {
        self.queues.contains_key(&session) && !mutant::on("learner-read-overtakes")
    }

    pub fn push(&mut self, session: SessionId, entry: Waiting) {
        let spare = &mut self.spare;
        let queue = self
            .queues
            .entry(session)
            .or_insert_with(|| Queue { entries: spare.pop().unwrap_or_default(), found: 0 });
        queue.entries.push_back(entry);
        self.waiting += 1;
    }

    /// Queues a sync and remembers its place among all syncs.
    pub fn push_sync(&mut self, session: SessionId, request: Request) {
        self.numbered += 1;
        self.syncs.push_back((session, self.numbered));
        self.push(session, Waiting::Sync { number: self.numbered, request, done: false });
    }

    /// A proposal came: is it what a client here waits for?
    pub fn find(&mut self, header: &TxnHeader) -> bool {
        let Some(queue) = self.queues.get_mut(&SessionId(header.client_id)) else { return false };
        while let Some(entry) = queue.entries.get(queue.found) {
            if let Waiting::Write { op, xid, .. } = entry {
                let fits = *xid == header.cxid && fits(*op, header.kind);
                queue.found += usize::from(fits);
                return fits;
            }
            queue.found += 1;
        }
        false
    }

    /// Takes the first entry of a session, whatever it is.
    pub fn pop(&mut self, session: SessionId) -> Option<Waiting> {
        let queue = self.queues.get_mut(&session)?;
        let entry = queue.entries.pop_front()?;
        queue.found = queue.found.saturating_sub(1);
        self.waiting -= 1;
        if queue.entries.is_empty()
            && let Some(empty) = self.queues.remove(&session)
            && self.spare.len() < SPARE
        {
            self.spare.push(empty.entries);
        }
        Some(entry)
    }

    /// Takes the first entry of a session if it waits for nothing.
    pub fn pop_ready(&mut self, session: SessionId) -> Option<Waiting> {
        match self.queues.get(&session)?.entries.front()? {
            Waiting::Write { .. } | Waiting::Sync { done: false, .. } => None,
            _ => self.pop(session),
        }
    }

    /// The leader answers the oldest sync: whose was it?
    pub fn sync_answered(&mut self) -> Option<SessionId> {
        let (session, answered) = self.syncs.pop_front()?;
        for entry in &mut self.queues.get_mut(&session)?.entries {
            if let Waiting::Sync { number, done, .. } = entry
                && *number == answered
            {
                *done = true;
            }
        }
        Some(session)
    }

    /// Asks the leader about a session that `conn` wants.
    pub fn ask_about(&mut self, session: SessionId, timeout: u32, conn: Arc<Conn>) {
        self.renewals.entry(session).or_default().push_back((conn, timeout));
        let timeout = i32::try_from(timeout).unwrap_or(i32::MAX);
        self.out.push(ToLeader::Revalidate(Touch { session, timeout }));
    }

    /// Who asked first about this session, and the time-out it wants.
    pub fn asked_about(&mut self, session: SessionId) -> Option<(Arc<Conn>, u32)> {
        let queue = self.renewals.get_mut(&session)?;
        let first = queue.pop_front();
        if queue.is_empty() {
            self.renewals.remove(&session);
        }
        first
    }

    /// A connection that holds a session is gone. What was heard of it is not to be lost: its
    /// session lives its full time-out from then.
    pub fn parts(&mut self, conn: &Conn) {
        if let Some(session) = conn.session()
            && !session.is_local()
            && session.heard_ms() >= self.told_ms
        {
            self.parting.insert(session.id, i32::try_from(session.timeout_ms()).unwrap_or(i32::MAX));
        }
    }

    /// The sessions that were heard since the last call, in their order.
    pub fn touches<'a>(&mut self, held: impl Iterator<Item = &'a Arc<Conn>>, now: Instant) -> Vec<Touch> {
        let since = std::mem::replace(&mut self.told_ms, now.millis());
        let mut heard = std::mem::take(&mut self.parting);
        for session in held.filter_map(|conn| conn.session()) {
            if !session.is_local() && session.heard_ms() >= since {
                heard.insert(session.id, i32::try_from(session.timeout_ms()).unwrap_or(i32::MAX));
            }
        }
        heard.into_iter().map(|(session, timeout)| Touch { session, timeout }).collect()
    }

    /// Nobody waits any more: returns whose requests they were, session by session.
    pub fn stop(&mut self) -> Vec<Arc<Conn>> {
        self.serving = false;
        self.syncs.clear();
        self.renewals.clear();
        self.out.clear();
        self.waiting = 0;
        let mut queues: Vec<_> = std::mem::take(&mut self.queues).into_iter().collect();
        queues.sort_unstable_by_key(|(session, _)| *session);
        let entries = queues.into_iter().flat_map(|(_, queue)| queue.entries);
        entries
            .filter_map(|entry| match entry {
                Waiting::Write { origin, .. } => origin.map(|origin| origin.conn),
                Waiting::Sync { request, .. } | Waiting::Read(request) | Waiting::Refused(request, _) => {
                    Some(request.conn)
                }
            })
            .collect()
    }
}

/// May a transaction of this kind be the answer to a request of this operation?
fn fits(op: OpCode, of: i32) -> bool {
    of == op.number() || of == kind::ERROR
}
