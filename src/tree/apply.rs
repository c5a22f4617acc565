//! Applying a transaction (`DataTree.processTxn`).
//!
//! # Invariants
//!
//! * A transaction that was committed never fails the server: what cannot be done is
//!   answered by a code and changes nothing more than Java changes.
//! * A multi is applied whole or, when it carries an error, not at all.
//! * The last zxid moves when the whole transaction is in.

use super::edit::NewNode;
use super::{AclList, Tree};
use crate::error::Code;
use crate::limits::PARTS_KEPT;
use crate::proto::EventKind;
use crate::txn::{CreateTxn, SubTxn, Txn, TxnHeader, kind};
use crate::types::mode::CONTAINER_OWNER;
use crate::types::{Owner, Stat, Zxid};
use std::borrow::Cow;

/// What came of a transaction (`ProcessTxnResult`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Success, or why not.
    pub code: Code,
    /// The stat that goes into the reply, for the kinds that have one.
    pub stat: Option<Stat>,
    /// For a multi: each part's kind (-1 for the parts of a failed one) and result.
    pub parts: Vec<(i32, Applied)>,
}

impl Applied {
    fn code(code: Code) -> Applied {
        Applied { code, stat: None, parts: Vec::new() }
    }

    fn stat(result: Result<Stat, Code>) -> Applied {
        match result {
            Ok(stat) => Applied { code: Code::Ok, stat: Some(stat), parts: Vec::new() },
            Err(code) => Applied::code(code),
        }
    }
}

/// One change that watches may want to know of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change<'t> {
    /// What happened. A deletion is one change: it concerns data and child watches.
    pub kind: EventKind,
    /// To which node.
    pub path: Cow<'t, str>,
    /// The ACL that decides who may hear of it.
    pub acl: AclList,
    /// The transaction's zxid.
    pub zxid: Zxid,
}

/// Changes in the order in which watches fire.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes<'t> {
    /// In this order.
    pub all: Vec<Change<'t>>,
    unheard: bool,
}

impl<'t> Changes<'t> {
    /// Nobody wants to know: none are collected.
    pub fn unheard() -> Changes<'t> {
        Changes { all: Vec::new(), unheard: true }
    }

    /// Does somebody want to know?
    pub(super) fn heard(&self) -> bool {
        !self.unheard
    }

    pub(super) fn push(&mut self, kind: EventKind, path: Cow<'t, str>, acl: AclList, zxid: Zxid) {
        if self.heard() {
            self.all.push(Change { kind, path, acl, zxid });
        }
    }
}

impl Tree {
    /// Applies a transaction and appends what changed to `changes`.
    pub fn apply<'t>(&mut self, h: &TxnHeader, txn: &'t Txn, changes: &mut Changes<'t>) -> Applied {
        self.bury_some();
        let applied = match txn {
            Txn::Multi(parts) => self.apply_multi(h, parts, changes),
            _ => self.apply_one(h, h.kind, txn, changes),
        };
        if h.zxid > self.last_zxid {
            self.last_zxid = h.zxid;
        }
        self.log_digest(h.zxid);
        applied
    }

    /// What came of a transaction is told: the memory of a multi's results serves the next one.
    pub fn take_back(&mut self, applied: Applied) {
        let mut parts = applied.parts;
        if parts.capacity() <= PARTS_KEPT && parts.capacity() > self.spare_parts.capacity() {
            parts.clear();
            self.spare_parts = parts;
        }
    }

    fn apply_one<'t>(&mut self, h: &TxnHeader, k: i32, txn: &'t Txn, changes: &mut Changes<'t>) -> Applied {
        match txn {
            Txn::Create(c) => {
                let owner = if c.ephemeral { h.client_id } else { 0 };
                let applied = self.apply_create(h, c, owner, changes);
                // The oldest create replies with the path alone.
                if k == kind::CREATE { Applied::code(applied.code) } else { applied }
            }
            Txn::CreateTtl(c, ttl) => self.apply_create(h, c, Owner::encode_ttl(*ttl), changes),
            Txn::CreateContainer(c) => self.apply_create(h, c, CONTAINER_OWNER, changes),
            Txn::Delete { path } => {
                let done = self.delete(Cow::Borrowed(path.as_str()), h.zxid, changes);
                Applied::code(done.err().unwrap_or(Code::Ok))
            }
            Txn::SetData { path, data, version } => {
                Applied::stat(self.set_data(path, data.as_deref(), *version, h.zxid, h.time, Some(changes)))
            }
            Txn::SetAcl { path, acl, version } => Applied::stat(self.set_acl(path, acl, *version)),
            Txn::CloseSession { paths } => {
                let listed = paths.as_deref().unwrap_or_default();
                self.kill_session(h.client_id, listed, h.zxid, changes);
                Applied::code(Code::Ok)
            }
            Txn::Error { err } => Applied::code(error_code(*err)),
            Txn::CreateSession { .. } | Txn::Check { .. } | Txn::Multi(_) => Applied::code(Code::Ok),
        }
    }

    fn apply_create<'t>(
        &mut self,
        h: &TxnHeader,
        c: &'t CreateTxn,
        owner: i64,
        changes: &mut Changes<'t>,
    ) -> Applied {
        let new = NewNode {
            data: c.data.as_deref(),
            acl: &c.acl,
            owner,
            parent_cversion: c.parent_cversion,
            zxid: h.zxid,
            time: h.time,
        };
        Applied::stat(self.create(&c.path, &new, changes))
    }

    fn apply_multi<'t>(&mut self, h: &TxnHeader, parts: &'t [SubTxn], changes: &mut Changes<'t>) -> Applied {
        let failed = parts.iter().any(|p| p.kind == kind::ERROR);
        let mut all = Applied { code: Code::Ok, stat: None, parts: std::mem::take(&mut self.spare_parts) };
        all.parts.reserve(parts.len());
        if changes.heard() {
            changes.all.reserve(parts.len());
        }
        let mut after_error = false;
        for part in parts {
            let (k, one) = match &part.txn {
                Txn::Error { err } => {
                    after_error = true;
                    (kind::ERROR, Applied::code(error_code(*err)))
                }
                _ if failed => {
                    let code = if after_error { Code::RuntimeInconsistency } else { Code::Ok };
                    (kind::ERROR, Applied::code(code))
                }
                txn if in_multi(part.kind) => (part.kind, self.apply_one(h, part.kind, txn, changes)),
                // No leader makes such a part; Java stops here too.
                _ => break,
            };
            if all.code == Code::Ok {
                all.code = one.code;
            }
            all.parts.push((k, one));
        }
        all
    }
}

/// May a transaction of this kind be part of a multi?
fn in_multi(k: i32) -> bool {
    matches!(
        k,
        kind::CREATE
            | kind::CREATE2
            | kind::CREATE_TTL
            | kind::CREATE_CONTAINER
            | kind::DELETE
            | kind::DELETE_CONTAINER
            | kind::SET_DATA
            | kind::CHECK
    )
}

/// The code of an error transaction; numbers that 3.9 does not know are an unspecific error.
fn error_code(number: i32) -> Code {
    Code::from_number(number).unwrap_or(Code::SystemError)
}
