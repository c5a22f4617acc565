//! From request to transaction: validation against the tree and everything under way
//! (`PrepRequestProcessor`).
//!
//! # Invariants
//!
//! * Order of checks is ZooKeeper's: it decides which error a client sees.
//! * A failed operation still takes a zxid and leaves an error transaction; one that cannot
//!   be decoded does not (but a multi does), nor one that finds the disk full.
//! * Admission changes nothing but [`Outstanding`] and the tracker's closing marks.

mod create;
mod multi;
mod reconfig;
mod update;

pub use reconfig::Standing;

use super::changes::{Mark, Outstanding};
use super::config::ReplicaConfig;
use super::shared::Store;
use super::spare::Spare;
use crate::auth::rules::{PartOf, part_of, rule};
use crate::auth::{Caller, Identities, any_of};
use crate::error::Code;
use crate::jute::Reader;
use crate::proto::{MultiOp, OpCode, Request};
use crate::session::Tracker;
use crate::txn::{DIGEST_VERSION, Record, SubTxn, Txn, TxnDigest, TxnHeader, kind};
use crate::types::{Acl, SessionId, Zxid, mutant, path};
use bytes::Bytes;
use std::cell::OnceCell;

/// What admission looks at, and the one transaction that it makes.
pub(super) struct Admission<'a> {
    pub config: &'a ReplicaConfig,
    pub store: &'a Store,
    pub sessions: &'a mut Tracker,
    pub outstanding: &'a mut Outstanding,
    /// Memory for the transaction.
    pub spare: &'a mut Spare,
    pub session: SessionId,
    /// What [`Admission::check_session`] said: the parts of a multi ask it again.
    pub checked: OnceCell<Result<(), Refusal>>,
    pub identities: &'a Identities,
    /// Is the session held by another server than the one that asks?
    pub moved: bool,
    /// Is this the leader of an ensemble?
    pub leads: bool,
    pub xid: i32,
    pub zxid: Zxid,
    pub wall_ms: i64,
    /// May znodes and data grow? Not on a full disk.
    pub growth: bool,
    /// What reconfigurations are checked against; `None` on a standalone server.
    pub standing: Option<&'a mut Standing>,
}

/// Why an operation is refused. Names what the observer wants to know beside the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refusal(pub Code);

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal(code)
    }
}

/// The disk is full: answered without a transaction, which would itself need room.
const NO_ROOM: Refusal = Refusal(Code::SystemError);

/// The result of admission.
pub(super) enum Admitted {
    /// Log this; an error transaction carries its code in the body.
    Txn(Record),
    /// Reply this; no zxid was taken.
    Refused(Code),
}

impl Admission<'_> {
    /// Admits a client's write.
    pub fn admit(&mut self, op: OpCode, record: &Bytes) -> Admitted {
        let mut r = Reader::new(record);
        match (op, Request::decode(op, &mut r)) {
            (OpCode::Multi, Ok(Request::Multi(ops))) => self.multi(&ops, record),
            (OpCode::Multi, _) => Admitted::Txn(self.failed(Code::MarshallingError)),
            (_, Err(_)) => Admitted::Refused(Code::MarshallingError),
            (_, Ok(request)) => match self.one(&request, record, None) {
                Ok(SubTxn { kind, txn }) => Admitted::Txn(self.record(kind, txn)),
                Err(NO_ROOM) => Admitted::Refused(NO_ROOM.0),
                Err(Refusal(code)) => Admitted::Txn(self.failed(code)),
            },
        }
    }

    /// Admits an operation of the server itself, or of session life.
    pub fn admit_own(&mut self, kind: i32, txn: Txn) -> Record {
        self.record(kind, txn)
    }

    fn record(&self, kind: i32, txn: Txn) -> Record {
        let digest = self.outstanding.digest().map(|digest| TxnDigest { version: DIGEST_VERSION, digest });
        Record { header: self.header(kind), txn, digest }
    }

    /// An error transaction with this code.
    pub fn failed(&self, code: Code) -> Record {
        Record { header: self.header(kind::ERROR), txn: Txn::Error { err: code.number() }, digest: None }
    }

    fn header(&self, kind: i32) -> TxnHeader {
        TxnHeader { client_id: self.session.0, cxid: self.xid, zxid: self.zxid, time: self.wall_ms, kind }
    }

    /// One operation, alone or as part of a multi (then with the multi's mark).
    fn one(
        &mut self,
        request: &Request<'_>,
        frame: &Bytes,
        mark: Option<&mut Mark>,
    ) -> Result<SubTxn, Refusal> {
        match request {
            Request::Create { kind, path, data, acl, flags } => {
                let new = create::New { kind: *kind, path, data: *data, acl, flags: *flags };
                self.create(&new, frame, mark)
            }
            Request::Delete { path, version } => self.delete(path, *version, mark),
            Request::SetData { path, data, version } => self.set_data(path, *data, *version, frame, mark),
            Request::SetAcl { path, acl, version } => self.set_acl(path, acl, *version, mark),
            Request::Check { path, version } => self.check(path, *version),
            Request::Reconfig { joining, leaving, members, config_id } => self.reconfig(&reconfig::Wish {
                joining: joining.as_deref(),
                leaving: leaving.as_deref(),
                members: members.as_deref(),
                config_id: *config_id,
            }),
            _ => Err(Code::MarshallingError.into()),
        }
    }

    /// `SessionTracker.checkSession`. A leader takes a session that it does not know for expired,
    /// unless it may be a local one of another server (`LeaderSessionTracker.checkSession`).
    fn check_session(&self) -> Result<(), Refusal> {
        *self.checked.get_or_init(|| self.look_up_session())
    }

    fn look_up_session(&self) -> Result<(), Refusal> {
        match self.sessions.get(self.session) {
            Some(s) if s.is_closing() => Err(Code::SessionExpired.into()),
            Some(_) if self.moved => Err(Code::SessionMoved.into()),
            Some(_) => Ok(()),
            None if !self.leads => Err(Code::UnknownSession.into()),
            None if self.config.local_sessions && !self.is_from_here() => Ok(()),
            None => Err(Code::SessionExpired.into()),
        }
    }

    /// What owns an ephemeral must be known to the ensemble (`checkGlobalSession`).
    fn check_owner(&self) -> Result<(), Refusal> {
        let unknown = self.leads && self.sessions.get(self.session).is_none();
        if unknown && !mutant::on("upgrade-untold") {
            return Err(Code::SessionExpired.into());
        }
        self.check_session()
    }

    /// Was the session's id made by this server?
    fn is_from_here(&self) -> bool {
        self.session.0.to_be_bytes()[0] == self.config.server_id
    }

    fn caller(&self) -> Caller<'_> {
        Caller { providers: &self.config.providers, identities: self.identities }
    }

    /// Does the list allow the caller what the rule of `op` asks for?
    fn require(&self, list: &[Acl], op: OpCode) -> Result<(), Refusal> {
        if any_of(list, rule(op).bits(), self.caller()) { Ok(()) } else { Err(Code::NoAuth.into()) }
    }

    fn quota(&self, path: &str, bytes: i64, count: i64) -> Result<(), Refusal> {
        if !self.config.enforce_quota || mutant::on("quota-ignored") {
            return Ok(());
        }
        self.store.tree.quota_check(path, bytes, count).map_err(|_| Refusal(Code::QuotaExceeded))
    }

    fn may_grow(&self) -> Result<(), Refusal> {
        if self.growth { Ok(()) } else { Err(NO_ROOM) }
    }
}

/// The last slash must exist and the path must not contain NUL; validity is checked later,
/// after the parent's existence and ACL (`validatePathForCreate`). The root's parent is "".
fn parent_of(path: &str) -> Result<&str, Refusal> {
    match path.rfind('/') {
        Some(at) if !path.contains('\0') => Ok(&path[..at]),
        _ => Err(Code::BadArguments.into()),
    }
}

fn valid(path: &str) -> Result<(), Refusal> {
    path::validate(path).map_err(|_| Refusal(Code::BadArguments))
}

/// Expected -1 is any; the next version wraps.
fn next_version(current: i32, expected: i32) -> Result<i32, Refusal> {
    if expected != -1 && expected != current {
        return Err(Code::BadVersion.into());
    }
    Ok(current.wrapping_add(1))
}

/// A client's data, sharing its frame.
fn share(frame: &Bytes, data: Option<&[u8]>) -> Option<Bytes> {
    data.map(|d| if d.is_empty() { Bytes::new() } else { frame.slice_ref(d) })
}

/// Are all parts of a multi writes?
fn only_writes(ops: &[MultiOp<'_>]) -> bool {
    ops.iter().all(|o| part_of(o.op) == PartOf::Multi)
}
