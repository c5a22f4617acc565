//! Replies of applied transactions.
//!
//! # Invariants
//!
//! * The header's zxid is the last applied one: this transaction's.
//! * A failed multi is no error reply: its header says 0, its parts say what happened.
//! * After the reply to closeSession nothing follows.
//! * Whoever's session is held by another server gets no reply, and no other one after it.

use super::connect::established;
use super::observe::{Event, SessionEvent};
use super::pipeline::{Origin, Pending};
use super::shared::{Shared, Store};
use crate::error::Code;
use crate::jute::Writer;
use crate::jute::records::write_stat;
use crate::proto::{
    ConnectResponse, FrameBuilder, MULTI_END, OpCode, ReplyHeader, error_reply, write_multi_end,
    write_multi_header,
};
use crate::tree::Applied;
use crate::txn::{Txn, kind};
use crate::types::{Now, Stat, Zxid, mutant};

/// Replies to whoever asked for an applied transaction, while the store is held.
pub(super) fn reply(shared: &Shared, store: &Store, pending: &Pending, applied: &Applied, now: Now) {
    let Some(origin) = pending.origin() else { return };
    let zxid = Zxid(store.tree.last_zxid().0 - i64::from(mutant::on("answer-of-another")));
    let code = outcome(pending, applied);
    if is_moved(&pending.record.txn) {
        shared.note(&Event::Dropped { conn: &origin.conn, why: "its session is held by another server now" });
        origin.conn.close_after_flush();
        return;
    }
    if origin.op == OpCode::CloseSession {
        let (id, what) = (origin.conn.session_id(), SessionEvent::Closed);
        shared.note(&Event::Session { id, what, conn: Some(&origin.conn) });
    }
    let bytes = match origin.op {
        OpCode::CreateSession if code == Code::Ok => {
            Some(established(&origin.conn, pending.record.header.client_id, false))
        }
        // The leader would not have it: as if it were over already.
        OpCode::CreateSession => {
            let refused = ConnectResponse::refused(origin.conn.read_only_byte());
            origin.conn.push(|out| refused.encode(out));
            origin.conn.close_after_flush();
            None
        }
        _ => origin.conn.push(|out| frame(origin, &pending.record.txn, applied, code, zxid, out)),
    };
    if origin.op == OpCode::CloseSession {
        origin.conn.close_after_flush();
    }
    let Some(bytes) = bytes else { return };
    origin.conn.book_reply(origin.op, origin.xid, zxid, pending.stages.received, now.mono);
    let mut stages = pending.stages;
    stages.replied = now.mono;
    let path = path_of(&pending.record.txn);
    if code == Code::NoAuth {
        shared.note(&Event::Denied { conn: &origin.conn, op: origin.op, path, code });
    }
    shared.note(&Event::Answered { conn: &origin.conn, op: origin.op, path, code, stages, bytes });
}

/// The code of the reply's header: that of an error transaction, or what applying said.
fn outcome(pending: &Pending, applied: &Applied) -> Code {
    match &pending.record.txn {
        Txn::Error { err } => Code::from_number(*err).unwrap_or(Code::SystemError),
        Txn::Multi(_) => Code::Ok,
        _ => applied.code,
    }
}

/// Was it refused, whole or in a part, because its session is held elsewhere? The connection then
/// ends without a reply, as in ZooKeeper: its client has another one.
fn is_moved(txn: &Txn) -> bool {
    match txn {
        Txn::Error { err } => *err == Code::SessionMoved.number(),
        Txn::Multi(parts) => parts.iter().any(|part| is_moved(&part.txn)),
        _ => false,
    }
}

pub(super) fn path_of(txn: &Txn) -> &str {
    match txn {
        Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c) => &c.path,
        Txn::Delete { path }
        | Txn::SetData { path, .. }
        | Txn::SetAcl { path, .. }
        | Txn::Check { path, .. } => path,
        _ => "",
    }
}

fn frame(origin: &Origin, txn: &Txn, applied: &Applied, code: Code, zxid: Zxid, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    if code != Code::Ok {
        error_reply(out, origin.xid, zxid, code);
        return out.len() - start;
    }
    let frame = FrameBuilder::reply(out, ReplyHeader { xid: origin.xid, zxid, err: 0 });
    match (origin.op, txn) {
        (OpCode::Create, Txn::Create(c)) => Writer::new(out).string(Some(&c.path)),
        (_, Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c)) => {
            let mut w = Writer::new(out);
            w.string(Some(&c.path));
            write_stat(&mut w, &stat(applied));
        }
        (OpCode::Reconfig, Txn::SetData { data, .. }) => {
            let mut w = Writer::new(out);
            w.buffer(data.as_deref());
            write_stat(&mut w, &stat(applied));
        }
        (_, Txn::SetData { .. } | Txn::SetAcl { .. }) => write_stat(&mut Writer::new(out), &stat(applied)),
        (_, Txn::Multi(_)) => multi(txn, applied, out),
        _ => {}
    }
    frame.finish(out)
}

fn stat(applied: &Applied) -> Stat {
    applied.stat.unwrap_or_default()
}

fn multi(txn: &Txn, applied: &Applied, out: &mut Vec<u8>) {
    let Txn::Multi(parts) = txn else { return };
    for (part, (kind_now, result)) in parts.iter().zip(&applied.parts) {
        match (*kind_now, &part.txn) {
            (kind::ERROR, _) => {
                let err = match &part.txn {
                    Txn::Error { err } => *err,
                    _ => result.code.number(),
                };
                write_multi_header(out, MULTI_END, err);
                Writer::new(out).i32(err);
            }
            (kind::CREATE, Txn::Create(c)) => {
                write_multi_header(out, kind::CREATE, 0);
                Writer::new(out).string(Some(&c.path));
            }
            (_, Txn::Create(c) | Txn::CreateTtl(c, _) | Txn::CreateContainer(c)) => {
                write_multi_header(out, kind::CREATE2, 0);
                let mut w = Writer::new(out);
                w.string(Some(&c.path));
                write_stat(&mut w, &stat(result));
            }
            (_, Txn::SetData { .. }) => {
                write_multi_header(out, kind::SET_DATA, 0);
                write_stat(&mut Writer::new(out), &stat(result));
            }
            (_, Txn::Delete { .. }) => write_multi_header(out, kind::DELETE, 0),
            _ => write_multi_header(out, kind::CHECK, 0),
        }
    }
    write_multi_end(out);
}
