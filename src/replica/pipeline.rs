//! What is under way between admission and reply, in the one order that counts.
//!
//! # Invariants
//!
//! * Entries leave in the order in which they came: a read behind a write of its session
//!   is answered from the state right after that write.
//! * Transactions stand in zxid order.

use super::conn::Conn;
use crate::auth::Identities;
use crate::error::Code;
use crate::proto::OpCode;
use crate::txn::{Record, TxnHeader};
use crate::types::stages::StageTimes;
use crate::types::{Instant, LinkId, Zxid};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// A request on its way through the core.
#[derive(Debug)]
pub struct Request {
    /// Where the reply goes.
    pub(super) conn: Arc<Conn>,
    pub(super) xid: i32,
    /// `None`: an op code that no client may send.
    pub(super) op: Option<OpCode>,
    /// The bytes behind the header.
    pub(super) record: Bytes,
    /// What the connection had proven when the request came.
    pub(super) identities: Identities,
    pub(super) received: Instant,
    pub(super) throttled: bool,
}

impl Request {
    /// Where the reply goes.
    pub fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    /// When its frame was complete.
    pub fn received(&self) -> Instant {
        self.received
    }

    /// It waited too long in front of the node: to be refused in its place. What keeps a
    /// session alive, or ends it, is never refused for being late: false then.
    pub fn throttle(&mut self) -> bool {
        self.throttled = !matches!(self.op, Some(OpCode::Ping | OpCode::CloseSession));
        self.throttled
    }
}

/// A client of this member that waits for a transaction.
#[derive(Debug)]
pub(super) struct Origin {
    pub conn: Arc<Conn>,
    pub xid: i32,
    pub op: OpCode,
    /// What was asked and by whom, kept for the audit alone.
    pub asked: Option<Asked>,
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Asked {
    /// The bytes behind the header.
    pub record: Bytes,
    /// What the connection had proven when it came.
    pub identities: Identities,
}

/// Who asked for a transaction.
#[derive(Debug)]
pub(super) enum Source {
    /// A client of this member.
    Client(Origin),
    /// This member itself: expiry, containers, TTLs.
    Own,
    /// Somebody at another member, or the leader itself.
    Elsewhere,
    /// A client of this member, by way of the leader: who it is stands at the head of the queue
    /// of its session when the transaction is applied.
    Queued,
    /// Nobody: its commit tells that this leader still leads, for a sync.
    Confirms(Confirmed),
}

/// Whose sync a quorum confirms.
#[derive(Debug)]
pub(super) enum Confirmed {
    /// A client's of this member.
    Here(Request),
    /// A learner's.
    Link(LinkId),
}

/// A transaction that is logged and not yet applied.
#[derive(Debug)]
pub(super) struct Pending {
    pub record: Record,
    pub source: Source,
    pub stages: StageTimes,
}

impl Pending {
    /// The client of this member that waits for it.
    pub fn origin(&self) -> Option<&Origin> {
        match &self.source {
            Source::Client(origin) => Some(origin),
            _ => None,
        }
    }
}

/// One place in the order.
#[derive(Debug)]
pub(super) enum Entry {
    /// Applied when its zxid is committed.
    Txn(Box<Pending>),
    /// Answered from the tree when everything before it is applied. The close of a local session
    /// is one, too: it has no transaction.
    Read(Request),
    /// Refused without a transaction.
    Refused(Request, Code),
}

/// The queue of what is under way.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    entries: VecDeque<Entry>,
    transactions: usize,
    /// Entries at the front among which every transaction is known to be durable here.
    logged: usize,
}

impl Pipeline {
    pub fn push(&mut self, entry: Entry) {
        if matches!(entry, Entry::Txn(_)) {
            self.transactions += 1;
        }
        self.entries.push_back(entry);
    }

    /// Takes the first entry if it may leave now.
    pub fn pop_ready(&mut self, committed: Zxid) -> Option<Entry> {
        match self.entries.front()? {
            Entry::Txn(p) if p.record.header.zxid > committed => None,
            _ => {
                let entry = self.entries.pop_front()?;
                self.logged = self.logged.saturating_sub(1);
                if matches!(entry, Entry::Txn(_)) {
                    self.transactions -= 1;
                }
                Some(entry)
            }
        }
    }

    /// Everything up to here is durable on this server: `note` is told of each transaction, once.
    pub fn logged(&mut self, upto: Zxid, now: Instant, mut note: impl FnMut(&TxnHeader)) {
        while let Some(entry) = self.entries.get_mut(self.logged) {
            if let Entry::Txn(pending) = entry {
                if pending.record.header.zxid > upto {
                    return;
                }
                if pending.stages.logged == Instant::default() {
                    pending.stages.logged = now;
                    note(&pending.record.header);
                }
            }
            self.logged += 1;
        }
    }

    /// The head of a transaction under way. Looks through the queue: for samples alone.
    pub fn header(&self, zxid: Zxid) -> Option<&TxnHeader> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Txn(pending) if pending.record.header.zxid == zxid => Some(&pending.record.header),
            _ => None,
        })
    }

    /// Nobody of this member waits any more: returns whose requests they were. Transactions stay.
    pub fn disown(&mut self) -> Vec<Arc<Conn>> {
        let mut conns = Vec::new();
        self.logged = 0; // reads go: places change
        for entry in std::mem::take(&mut self.entries) {
            match entry {
                Entry::Read(request) | Entry::Refused(request, _) => conns.push(request.conn),
                Entry::Txn(mut pending) => {
                    match std::mem::replace(&mut pending.source, Source::Elsewhere) {
                        Source::Client(origin) => conns.push(origin.conn),
                        Source::Confirms(Confirmed::Here(request)) => conns.push(request.conn),
                        _ => {}
                    }
                    self.entries.push_back(Entry::Txn(pending));
                }
            }
        }
        conns
    }

    /// Forgets what is under way.
    pub fn clear(&mut self) {
        *self = Pipeline::default();
    }

    /// Everything under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Transactions under way.
    pub fn transactions(&self) -> usize {
        self.transactions
    }
}
