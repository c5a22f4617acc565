//! What a leader does for its learners: their clients' requests, sessions and syncs.
//!
//! # Invariants
//!
//! * A forwarded request always ends in one proposal, a sync in one answer: learners wait for them
//!   in order. What cannot be decoded or is refused becomes an error transaction of its own zxid.
//! * A session has one owner: the link, or this server itself, where its client was last accepted.
//!   Writes that come another way are refused with SESSIONMOVED.
//! * Only the leader ends sessions for silence, by its own monotonic clock. What a learner forwarded for
//!   a session before it heard of its end is refused, although unknown sessions may be local ones.

use super::admit::{Admitted, Standing};
use super::node::Node;
use super::pipeline::{Confirmed, Source};
use super::role::Role;
use crate::auth::Identities;
use crate::auth::rules::{Rule, rule};
use crate::error::Code;
use crate::jute::Reader;
use crate::limits::LEADER_ENDED_SESSIONS;
use crate::peer::{Forwarded, Revalidation, Touch};
use crate::proto::OpCode;
use crate::txn::{Txn, kind};
use crate::types::{Id, LinkId, Now, SessionId, mutant};
use std::collections::{HashMap, HashSet, VecDeque};

/// Where a session's client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// At this server.
    Here,
    /// At the learner behind this link.
    Link(LinkId),
}

/// What only a leader has.
#[derive(Debug, Default)]
pub(super) struct Leading {
    owners: HashMap<SessionId, Owner>,
    /// Sessions that ended of late: they are no learner's local ones.
    ended: HashSet<SessionId>,
    /// The same, oldest first.
    ended_in_order: VecDeque<SessionId>,
    /// Links with a sync to answer, in order.
    syncs: Vec<LinkId>,
    /// The last zxid of the epoch is handed out.
    used_up: bool,
    /// What reconfigurations are checked against.
    standing: Option<Standing>,
}

impl Leading {
    /// What reconfigurations are checked against, once the leader knows it.
    pub fn standing(&mut self) -> Option<&mut Standing> {
        self.standing.as_mut()
    }

    /// Is the session `who`'s? One that nobody has yet becomes so (`SessionTrackerImpl.checkSession`).
    pub fn claims(&mut self, session: SessionId, who: Owner) -> bool {
        *self.owners.entry(session).or_insert(who) == who || mutant::on("moved-session-writes")
    }

    /// The session is `who`'s from now on.
    pub fn owns(&mut self, session: SessionId, who: Owner) {
        self.owners.insert(session, who);
    }

    /// The session is over.
    pub fn disown(&mut self, session: SessionId) {
        self.owners.remove(&session);
        if self.ended.insert(session) {
            self.ended_in_order.push_back(session);
        }
        if self.ended.len() > LEADER_ENDED_SESSIONS
            && let Some(oldest) = self.ended_in_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// Did the session end a moment ago?
    fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains(&session) && !mutant::on("ended-session-writes")
    }

    /// A sync of this link is to be answered behind everything that is proposed.
    pub fn ask_sync(&mut self, link: LinkId) {
        self.syncs.push(link);
    }

    /// No zxid is left.
    pub fn use_up(&mut self) {
        self.used_up = true;
    }

    /// Is no zxid left?
    pub fn is_used_up(&self) -> bool {
        self.used_up
    }
}

impl Node {
    /// Reconfigurations are checked against this from now on.
    pub fn stand(&mut self, standing: Standing) {
        if let Role::Leading(leading) = &mut self.role {
            leading.standing = Some(standing);
        }
    }

    /// A learner's client asks. Ignored when this node does not lead (any more).
    pub fn forwarded(&mut self, link: LinkId, request: Forwarded, auth: Vec<Id>, now: Now) {
        let confirms = self.confirms_syncs();
        let Role::Leading(leading) = &mut self.role else { return };
        let Forwarded { session, cxid, op, record } = request;
        let op = OpCode::from_number(op);
        match op {
            Some(OpCode::Sync) if confirms => self.confirm(Confirmed::Link(link), now),
            Some(OpCode::Sync) => leading.ask_sync(link),
            Some(OpCode::CreateSession) => self.open_forwarded(link, session, cxid, &record, now),
            Some(OpCode::CloseSession) => self.close_session(session, cxid, Source::Elsewhere, None, now),
            _ => {
                // A session that is unknown here may be a local one of that learner: nobody's.
                let known = self.shared.sessions.lock().get(session).is_some();
                let moved = known && !leading.claims(session, Owner::Link(link));
                let ended = !known && leading.has_ended(session);
                let identities: Identities = auth.into();
                let made =
                    self.with_admission_as(session, cxid, moved, &identities, now, |admission| {
                        match op.filter(|op| may_be_forwarded(*op)) {
                            None => admission.failed(Code::Unimplemented),
                            Some(_) if ended => admission.failed(Code::SessionExpired),
                            Some(op) => match admission.admit(op, &record) {
                                Admitted::Txn(record) => record,
                                Admitted::Refused(code) => admission.failed(code),
                            },
                        }
                    });
                if let Some(made) = made {
                    self.propose(made, Source::Elsewhere, None, now);
                }
            }
        }
    }

    /// A learner's client wants a session; its transaction has the time-out alone.
    fn open_forwarded(&mut self, link: LinkId, session: SessionId, cxid: i32, record: &[u8], now: Now) {
        let timeout = Reader::new(record).i32().ok().filter(|timeout| *timeout > 0);
        let made = self.with_admission(session, cxid, now, |admission| match timeout {
            Some(timeout) => admission.admit_own(kind::CREATE_SESSION, Txn::CreateSession { timeout }),
            None => admission.failed(Code::MarshallingError),
        });
        if let Some(timeout) = timeout {
            self.shared.sessions.lock().track(session, timeout.unsigned_abs(), now.mono);
            if let Role::Leading(leading) = &mut self.role {
                leading.owns(session, Owner::Link(link));
            }
        }
        if let Some(made) = made {
            self.propose(made, Source::Elsewhere, None, now);
        }
    }

    /// Links whose syncs are to be answered behind everything that is proposed now, in order.
    pub fn take_syncs(&mut self, into: &mut Vec<LinkId>) {
        if let Role::Leading(leading) = &mut self.role {
            into.append(&mut leading.syncs);
        }
    }

    /// A learner has heard of these sessions.
    pub fn touched(&mut self, touches: &[Touch], now: Now) {
        if !matches!(self.role, Role::Leading(_)) || mutant::on("touches-unheard") {
            return;
        }
        let mut sessions = self.shared.sessions.lock();
        for touch in touches {
            if sessions.get(touch.session).is_some_and(|s| !s.is_local()) {
                sessions.retime(touch.session, touch.timeout.max(0).unsigned_abs(), now.mono);
            }
        }
    }

    /// A learner's client comes back to its session: does it live? Then it is that learner's, and
    /// a connection that held it here ends (`Leader.revalidateSession`).
    pub fn revalidate(&mut self, link: LinkId, touch: Touch, now: Now) -> Revalidation {
        let session = touch.session;
        let lives = matches!(self.role, Role::Leading(_)) && {
            let mut sessions = self.shared.sessions.lock();
            sessions.get(session).is_some_and(|s| !s.is_local())
                && sessions.retime(session, touch.timeout.max(0).unsigned_abs(), now.mono).is_some()
        };
        if lives && let Role::Leading(leading) = &mut self.role {
            leading.owns(session, Owner::Link(link));
            if let Some(conn) = self.holders.remove(&session) {
                self.drop_conn(&conn, "its session went on at another server");
            }
        }
        Revalidation { session, valid: lives }
    }

    /// Is a sync answered only after a quorum has confirmed that this server leads?
    pub(super) fn confirms_syncs(&self) -> bool {
        let asked = self.shared.config.linearizable_sync && !mutant::on("sync-unconfirmed");
        asked && matches!(self.role, Role::Leading(_))
    }
}

/// Is this a client's write?
fn may_be_forwarded(op: OpCode) -> bool {
    op.is_ordered() && op != OpCode::Check && rule(op) != Rule::ServerOnly
}
