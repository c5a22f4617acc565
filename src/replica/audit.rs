//! What was decided, for the audit: every write, and everything that was refused.
//!
//! # Invariants
//!
//! * Nothing here runs unless somebody audits ([`Shared::audited`]).
//! * A decision is told before its reply is among the bytes that may leave.
//! * A multi that was done tells each of its parts but checks; one that failed tells itself
//!   once, with its parts beside (`AuditHelper`).

use super::conn::Conn;
use super::pipeline::{Origin, Pending, Request, Source};
use super::read::{Ask, Holder};
use super::shared::Shared;
use crate::auth::Identities;
use crate::error::Code;
use crate::jute::Reader;
use crate::proto::{CreateKind, EventKind, OpCode, Request as Decoded};
use crate::tree::{AclList, Applied, Change, Tree};
use crate::txn::{SubTxn, Txn, kind};
use crate::types::decision::{Decision, Operation, Outcome, Part, Who};
use crate::types::{CreateMode, SessionId};

/// The operation that an op code asks for.
pub fn operation_of(op: OpCode) -> Operation {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => Operation::Create,
        OpCode::Delete | OpCode::DeleteContainer => Operation::Delete,
        OpCode::SetData => Operation::SetData,
        OpCode::SetAcl => Operation::SetAcl,
        OpCode::Multi => Operation::Multi,
        OpCode::Reconfig => Operation::Reconfig,
        OpCode::GetData => Operation::GetData,
        OpCode::Exists => Operation::Exists,
        OpCode::GetChildren | OpCode::GetChildren2 | OpCode::GetAllChildrenNumber | OpCode::GetEphemerals => {
            Operation::GetChildren
        }
        OpCode::GetAcl => Operation::GetAcl,
        OpCode::Check => Operation::Check,
        OpCode::MultiRead => Operation::MultiRead,
        OpCode::Sync => Operation::Sync,
        OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::AddWatch
        | OpCode::SetWatches
        | OpCode::SetWatches2 => Operation::Watch,
        OpCode::WhoAmI => Operation::WhoAmI,
        OpCode::CreateSession => Operation::Connect,
        OpCode::CloseSession => Operation::Close,
        OpCode::Auth | OpCode::Sasl => Operation::Authenticate,
        OpCode::Ping => Operation::Other,
    }
}

/// Whose request it is.
fn who<'a>(conn: &Conn, identities: &'a Identities) -> Who<'a> {
    Who { session: Some(conn.session_id()), address: Some(conn.peer.ip()), identities, ..Who::default() }
}

/// The ACL that a transaction is about to replace.
pub(super) fn acl_of(tree: &Tree, txn: &Txn) -> Option<AclList> {
    let Txn::SetAcl { path, .. } = txn else { return None };
    tree.get(path).map(|node| node.acl().clone())
}

/// A transaction is in the tree.
pub(super) fn applied(
    shared: &Shared,
    pending: &Pending,
    applied: &Applied,
    changes: &[Change<'_>],
    acl_before: Option<&[crate::types::Acl]>,
) {
    if let Txn::CloseSession { paths } = &pending.record.txn {
        return ephemerals(shared, pending, paths.as_deref().unwrap_or_default(), changes);
    }
    let origin = match &pending.source {
        Source::Client(origin) => origin,
        Source::Own => return own_delete(shared, pending, applied),
        // Told where its client is.
        Source::Elsewhere | Source::Queued | Source::Confirms(_) => return,
    };
    let Some(asked) = &origin.asked else { return };
    let zxid = Some(pending.record.header.zxid);
    let base = Decision {
        zxid,
        ..Decision::new(who(&origin.conn, &asked.identities), operation_of(origin.op), Code::Ok, 0)
    };
    let request = Decoded::decode(origin.op, &mut Reader::new(&asked.record)).ok();
    match (&pending.record.txn, &request) {
        (Txn::Multi(parts), Some(Decoded::Multi(ops))) => {
            let ops: Vec<_> = ops.iter().map(|op| &op.request).collect();
            multi(shared, origin, base, parts, &ops, applied);
        }
        (Txn::Error { err }, request) => {
            let code = Code::from_number(*err).unwrap_or(Code::SystemError);
            failed(shared, &origin.conn, base, request.as_ref(), code);
        }
        (txn, request) => {
            done(shared, origin, base, txn, request.as_ref(), applied.code, acl_before);
        }
    }
}

/// One write that became a transaction, alone or as a part.
fn done(
    shared: &Shared,
    origin: &Origin,
    base: Decision<'_>,
    txn: &Txn,
    request: Option<&Decoded<'_>>,
    code: Code,
    acl_before: Option<&[crate::types::Acl]>,
) {
    let told = Decision { code, outcome: Outcome::of(code), ..base };
    let tell = |decision: &Decision<'_>| shared.decided(Some(&origin.conn), decision);
    match txn {
        Txn::Create(new) | Txn::CreateTtl(new, _) | Txn::CreateContainer(new) => {
            let acl_after = (code == Code::Ok).then_some(new.acl.as_slice());
            let mode = request.and_then(mode_of);
            tell(&Decision { mode, acl_after, ..told.at(&new.path) });
        }
        Txn::SetAcl { path, acl, .. } => {
            let asked = match request {
                Some(Decoded::SetAcl { acl, .. }) => acl,
                _ => acl,
            };
            let acl_after = (code == Code::Ok).then_some(acl.as_slice());
            tell(&Decision { acl: Some(asked), acl_before, acl_after, ..told.at(path) });
        }
        Txn::Delete { path } | Txn::SetData { path, .. } => tell(&told.at(path)),
        _ => {}
    }
}

/// A multi: its parts, or the one failure.
fn multi(
    shared: &Shared,
    origin: &Origin,
    base: Decision<'_>,
    parts: &[SubTxn],
    ops: &[&Decoded<'_>],
    applied: &Applied,
) {
    if parts.iter().all(|part| part.kind != kind::ERROR) {
        for ((part, request), (_, result)) in parts.iter().zip(ops).zip(&applied.parts) {
            let operation = part_operation(request);
            let mode_in_java = tells_mode(&part.txn, request);
            let base = Decision { operation, mode_in_java, ..base };
            if operation != Operation::Check {
                done(shared, origin, base, &part.txn, Some(request), result.code, None);
            }
        }
        return;
    }
    let codes = applied.parts.iter().map(|(_, result)| result.code);
    let told: Vec<Part<'_>> = ops
        .iter()
        .zip(codes)
        .map(|(request, code)| Part {
            operation: part_operation(request),
            path: path_of(request).unwrap_or(""),
            code,
        })
        .collect();
    let failed =
        told.iter().map(|part| part.code).find(|c| !matches!(c, Code::Ok | Code::RuntimeInconsistency));
    let code = failed.unwrap_or(Code::RuntimeInconsistency);
    let decision = Decision { code, outcome: Outcome::of(code), parts: &told, ..base };
    shared.decided(Some(&origin.conn), &decision);
}

fn part_operation(request: &Decoded<'_>) -> Operation {
    match request {
        Decoded::Create { .. } => Operation::Create,
        Decoded::Delete { .. } => Operation::Delete,
        Decoded::SetData { .. } => Operation::SetData,
        _ => Operation::Check,
    }
}

/// ZooKeeper finds the mode of a part by its final path, and has none of TTL parts.
fn tells_mode(txn: &Txn, request: &Decoded<'_>) -> bool {
    match (txn, request) {
        (_, Decoded::Create { kind: CreateKind::Ttl(_), .. }) => false,
        (Txn::Create(new) | Txn::CreateContainer(new), Decoded::Create { path, .. }) => new.path == **path,
        _ => true,
    }
}

/// A write that did not become a transaction of its own: what it asked is all there is.
fn failed(shared: &Shared, conn: &Conn, base: Decision<'_>, request: Option<&Decoded<'_>>, code: Code) {
    let mut decision = Decision { code, outcome: Outcome::of(code), ..base };
    if let Some(request) = request {
        decision.path = path_of(request);
        decision.mode = mode_of(request);
        if let Decoded::SetAcl { acl, .. } = request {
            decision.acl = Some(acl);
        }
    }
    shared.decided(Some(conn), &decision);
}

/// A request is refused before it became a transaction, or is none.
pub(super) fn refused(shared: &Shared, request: &Request, code: Code) {
    let Some(op) = request.op else { return };
    let base = Decision::new(who(&request.conn, &request.identities), operation_of(op), code, 0);
    if !op.is_ordered() && !base.is_audited() {
        return;
    }
    let decoded = Decoded::decode(op, &mut Reader::new(&request.record)).ok();
    failed(shared, &request.conn, base, decoded.as_ref(), code);
}

/// A read got no answer. Only what was refused is told.
pub(super) fn refused_read(shared: &Shared, ask: &Ask<'_>, path: &str, code: Code) {
    let live;
    let identities = match ask.holder {
        Holder::Held(identities) => identities,
        Holder::Live => {
            live = ask.conn.identities();
            &live
        }
    };
    let decision = Decision::new(who(ask.conn, identities), operation_of(ask.op), code, 0);
    if decision.is_audited() {
        shared.decided(Some(ask.conn), &if path.is_empty() { decision } else { decision.at(path) });
    }
}

/// Ephemerals that went with their session, in the order in which they went; those that a
/// transaction names and that were gone before are told as failed (`DataTree.deleteNodes`).
fn ephemerals(shared: &Shared, pending: &Pending, listed: &[String], changes: &[Change<'_>]) {
    let session = Some(SessionId(pending.record.header.client_id));
    let (operation, zxid) = (Operation::EphemeralDelete, Some(pending.record.header.zxid));
    let tell = |path: &str, code| {
        let who = Who { session, ..Who::default() };
        shared.decided(None, &Decision { zxid, ..Decision::new(who, operation, code, 0).at(path) });
    };
    let mut gone =
        changes.iter().filter(|change| change.kind == EventKind::Deleted).map(|c| &*c.path).peekable();
    for path in listed {
        let done = gone.next_if(|gone| gone == path).is_some();
        tell(path, if done { Code::Ok } else { Code::NoNode });
    }
    gone.for_each(|path| tell(path, Code::Ok));
}

/// A container or a znode past its time: deleted by the server itself.
fn own_delete(shared: &Shared, pending: &Pending, applied: &Applied) {
    if let Txn::Delete { path } = &pending.record.txn {
        let zxid = Some(pending.record.header.zxid);
        let decision = Decision::new(Who::default(), Operation::Delete, applied.code, 0).at(path);
        shared.decided(None, &Decision { zxid, ..decision });
    }
}

fn mode_of(request: &Decoded<'_>) -> Option<CreateMode> {
    match request {
        Decoded::Create { flags, .. } => CreateMode::from_flags(*flags),
        _ => None,
    }
}

fn path_of<'r>(request: &'r Decoded<'_>) -> Option<&'r str> {
    match request {
        Decoded::Create { path, .. }
        | Decoded::Delete { path, .. }
        | Decoded::DeleteContainer { path }
        | Decoded::SetData { path, .. }
        | Decoded::SetAcl { path, .. }
        | Decoded::Check { path, .. }
        | Decoded::GetData { path, .. }
        | Decoded::GetChildren { path, .. } => Some(path),
        _ => None,
    }
}
