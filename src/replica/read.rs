//! Answers that need the tree and change nothing but the caller's watches.
//!
//! # Invariants
//!
//! * The store is held from the first look to the queued reply: a later transaction's
//!   event cannot overtake it.
//! * Where a read fails nothing is watched (but `exists` on a missing znode, which is no failure).

use super::audit;
use super::conn::Conn;
use super::observe::Event;
use super::shared::{Shared, Store};
use crate::auth::rules::{PartOf, SEES_HASHES, part_of, rule};
use crate::auth::{Caller, Identities, any_of, masked};
use crate::error::Code;
use crate::jute::records::{write_acls, write_stat};
use crate::jute::{Reader, Writer};
use crate::proto::{
    AddWatchMode, EventKind, FrameBuilder, MultiOp, OpCode, ReplyHeader, Request, SetWatches, error_reply,
    event_frame, write_multi_end, write_multi_header, xid,
};
use crate::tree::NodeView;
use crate::types::stages::StageTimes;
use crate::types::{Acl, Instant, Zxid, mutant};
use crate::watch::WatchKind;
use std::sync::atomic::Ordering;

/// Whose identities count: those of now, or those that the request came with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder<'a> {
    /// The connection's.
    Live,
    /// These.
    Held(&'a Identities),
}

/// A request that only reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub conn: &'a Conn,
    pub xid: i32,
    pub op: OpCode,
    pub record: &'a [u8],
    pub holder: Holder<'a>,
    pub received: Instant,
}

/// Answers into the connection's queue.
pub(super) fn answer(shared: &Shared, store: &Store, ask: &Ask<'_>, now: Instant) {
    let ahead = i64::from(ask.op == OpCode::Ping && mutant::on("ping-ahead"));
    let zxid = Zxid(store.tree.last_zxid().0 + ahead);
    let mut r = Reader::new(ask.record);
    let decoded = Request::decode(ask.op, &mut r).map_err(|_| Code::MarshallingError);
    let reply_xid = if ask.op == OpCode::Ping { xid::PING } else { ask.xid };
    let pushed = ask.conn.push(|out| {
        let start = out.len();
        let result = match &decoded {
            // A held read was checked in its place in the order: closing came behind it.
            _ if matches!(ask.holder, Holder::Live) && is_closing(ask.conn) => Err(Code::SessionExpired),
            Err(code) => Err(*code),
            Ok(Request::SetWatches(lists)) => {
                set_watches(shared, store, ask.conn, lists, out);
                Ok(())
            }
            Ok(_) => Ok(()),
        };
        let frame = FrameBuilder::reply(out, ReplyHeader { xid: reply_xid, zxid, err: 0 });
        let result = result.and_then(|()| match &decoded {
            Ok(request) => body(shared, store, ask, request, out),
            Err(code) => Err(*code),
        });
        match result {
            Ok(()) => {
                frame.finish(out);
                (Code::Ok, out.len() - start)
            }
            Err(code) => {
                if shared.audited()
                    && let Ok(request) = &decoded
                {
                    audit::refused_read(shared, ask, path_of(request), code);
                }
                frame.abandon(out);
                error_reply(out, reply_xid, zxid, code);
                (code, out.len() - start)
            }
        }
    });
    let Some((code, bytes)) = pushed else { return };
    book(shared, ask, decoded.as_ref().map_or("", |d| path_of(d)), zxid, code, bytes, now);
}

/// Is the session of the connection on its way out, or gone?
pub(super) fn is_closing(conn: &Conn) -> bool {
    conn.session().is_none_or(|s| s.is_closing())
}

fn book(shared: &Shared, ask: &Ask<'_>, path: &str, zxid: Zxid, code: Code, bytes: usize, now: Instant) {
    ask.conn.book_reply(ask.op, ask.xid, zxid, ask.received, now);
    if code == Code::NoAuth {
        shared.note(&Event::Denied { conn: ask.conn, op: ask.op, path, code });
    }
    // One that was held passed through the core.
    let admitted = if matches!(ask.holder, Holder::Held(_)) { now } else { Instant::default() };
    let stages = StageTimes { received: ask.received, admitted, replied: now, ..Default::default() };
    shared.note(&Event::Answered { conn: ask.conn, op: ask.op, path, code, stages, bytes });
}

fn path_of<'r>(request: &'r Request<'_>) -> &'r str {
    match request {
        Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetAcl { path }
        | Request::GetAllChildrenNumber { path }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::AddWatch { path, .. }
        | Request::Sync { path } => path,
        _ => "",
    }
}

fn body(
    shared: &Shared,
    store: &Store,
    ask: &Ask<'_>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Code> {
    match request {
        Request::GetData { path, watch } => get_data(shared, store, ask, path, *watch, out),
        Request::Exists { path, watch } => exists(shared, store, ask, path, *watch, out),
        Request::GetChildren { path, watch, with_stat } => {
            get_children(shared, store, ask, path, *watch, *with_stat, out)
        }
        Request::GetAcl { path } => get_acl(shared, store, ask, path, out),
        Request::GetAllChildrenNumber { path } => {
            readable(shared, store, ask, ask.op, path)?;
            let n = store.tree.descendants(path).ok_or(Code::NoNode)?;
            Writer::new(out).length(n);
            Ok(())
        }
        Request::GetEphemerals { prefix } => {
            get_ephemerals(store, ask.conn, prefix, out);
            Ok(())
        }
        Request::MultiRead(ops) => multi_read(shared, store, ask, ops, out),
        Request::WhoAmI => {
            who_am_i(shared, ask, out);
            Ok(())
        }
        Request::Sync { path } => {
            Writer::new(out).string(Some(path));
            Ok(())
        }
        Request::AddWatch { path, mode } => {
            let kind = match mode {
                AddWatchMode::Persistent => WatchKind::Persistent,
                AddWatchMode::PersistentRecursive => WatchKind::Recursive,
            };
            watch(shared, ask.conn, path, kind);
            Writer::new(out).i32(0);
            Ok(())
        }
        Request::CheckWatches { path, kind } => found(shared.watches.lock().check(ask.conn.id, path, *kind)),
        Request::RemoveWatches { path, kind } => {
            found(shared.watches.lock().remove(ask.conn.id, path, *kind))
        }
        Request::Ping | Request::SetWatches(_) => Ok(()),
        _ => Err(Code::MarshallingError),
    }
}

fn found(yes: bool) -> Result<(), Code> {
    if yes { Ok(()) } else { Err(Code::NoWatcher) }
}

fn watch(shared: &Shared, conn: &Conn, path: &str, kind: WatchKind) {
    shared.watches.lock().add(conn.id, path, kind);
}

fn may(shared: &Shared, ask: &Ask<'_>, list: &[Acl], bits: i32) -> bool {
    let providers = &shared.config.providers;
    match ask.holder {
        Holder::Held(identities) => any_of(list, bits, Caller { providers, identities }),
        Holder::Live if world_allows(list, bits) => true,
        Holder::Live => any_of(list, bits, Caller { providers, identities: &ask.conn.identities() }),
    }
}

/// The common case, decided without touching the connection's identities.
fn world_allows(list: &[Acl], bits: i32) -> bool {
    matches!(list, [only] if only.perms & bits != 0 && only.id.scheme == "world" && only.id.id == "anyone")
}

/// The node, if it exists and its list allows what the rule of `op` asks for.
fn readable<'s>(
    shared: &Shared,
    store: &'s Store,
    ask: &Ask<'_>,
    op: OpCode,
    path: &str,
) -> Result<NodeView<'s>, Code> {
    let node = store.tree.get(path).ok_or(Code::NoNode)?;
    if may(shared, ask, node.acl(), rule(op).bits()) { Ok(node) } else { Err(Code::NoAuth) }
}

fn get_data(
    shared: &Shared,
    store: &Store,
    ask: &Ask<'_>,
    path: &str,
    watched: bool,
    out: &mut Vec<u8>,
) -> Result<(), Code> {
    let node = readable(shared, store, ask, ask.op, path)?;
    if watched {
        watch(shared, ask.conn, path, WatchKind::Data);
    }
    write_data(&node, out);
    Ok(())
}

fn write_data(node: &NodeView<'_>, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.buffer(node.data());
    write_stat(&mut w, &node.stat());
}

fn exists(
    shared: &Shared,
    store: &Store,
    ask: &Ask<'_>,
    path: &str,
    watched: bool,
    out: &mut Vec<u8>,
) -> Result<(), Code> {
    if path.contains('\0') {
        return Err(Code::BadArguments);
    }
    let node = match readable(shared, store, ask, ask.op, path) {
        Err(Code::NoNode) => None,
        other => Some(other?),
    };
    if watched {
        watch(shared, ask.conn, path, WatchKind::Data);
    }
    write_stat(&mut Writer::new(out), &node.ok_or(Code::NoNode)?.stat());
    Ok(())
}

fn get_children(
    shared: &Shared,
    store: &Store,
    ask: &Ask<'_>,
    path: &str,
    watched: bool,
    with_stat: bool,
    out: &mut Vec<u8>,
) -> Result<(), Code> {
    let node = readable(shared, store, ask, ask.op, path)?;
    if watched {
        watch(shared, ask.conn, path, WatchKind::Child);
    }
    write_children(&node, out);
    if with_stat {
        write_stat(&mut Writer::new(out), &node.stat());
    }
    Ok(())
}

fn write_children(node: &NodeView<'_>, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.length(node.child_count());
    for name in node.children() {
        w.string(Some(name));
    }
}

fn get_acl(shared: &Shared, store: &Store, ask: &Ask<'_>, path: &str, out: &mut Vec<u8>) -> Result<(), Code> {
    let node = readable(shared, store, ask, ask.op, path)?;
    let list = node.acl();
    let mut w = Writer::new(out);
    if may(shared, ask, list, SEES_HASHES) || mutant::on("hash-unmasked") {
        write_acls(&mut w, list);
    } else {
        write_acls(&mut w, &masked(list));
    }
    write_stat(&mut w, &node.stat());
    Ok(())
}

fn get_ephemerals(store: &Store, conn: &Conn, prefix: &str, out: &mut Vec<u8>) {
    let all = matches!(prefix.trim_matches(|c| c <= ' '), "" | "/");
    let mine: Vec<String> =
        store.tree.ephemerals(conn.session_id().0).filter(|p| all || p.starts_with(prefix)).collect();
    Writer::new(out).vector(&mine, |w, p| w.string(Some(p)));
}

fn who_am_i(shared: &Shared, ask: &Ask<'_>, out: &mut Vec<u8>) {
    let providers = &shared.config.providers;
    let ids = match ask.holder {
        Holder::Held(ids) => ids.clone(),
        Holder::Live => ask.conn.identities(),
    };
    Writer::new(out).vector(&ids, |w, id| {
        w.string(Some(&id.scheme));
        w.string(Some(if providers.knows(&id.scheme) { providers.user_name(id) } else { "" }));
    });
}

/// Parts are independent: a refused one is an error result among the others. Watch flags are ignored.
fn multi_read(
    shared: &Shared,
    store: &Store,
    ask: &Ask<'_>,
    ops: &[MultiOp<'_>],
    out: &mut Vec<u8>,
) -> Result<(), Code> {
    if ops.iter().any(|o| part_of(o.op) != PartOf::MultiRead) {
        return Err(Code::MarshallingError);
    }
    for part in ops {
        let (path, children) = match &part.request {
            Request::GetData { path, .. } => (path, false),
            Request::GetChildren { path, .. } => (path, true),
            _ => return Err(Code::MarshallingError),
        };
        match readable(shared, store, ask, part.op, path) {
            Ok(node) => {
                write_multi_header(out, part.op.number(), 0);
                if children {
                    write_children(&node, out);
                } else {
                    write_data(&node, out);
                }
            }
            Err(code) => {
                if shared.audited() {
                    audit::refused_read(shared, &Ask { op: part.op, ..*ask }, path, code);
                }
                write_multi_header(out, crate::proto::MULTI_END, code.number());
                Writer::new(out).i32(code.number());
            }
        }
    }
    write_multi_end(out);
    Ok(())
}

/// Registers what a reconnected client watched, and tells at once what it missed. Those
/// events carry zxid -1 and are not filtered by ACLs (the client knew the path).
fn set_watches(shared: &Shared, store: &Store, conn: &Conn, lists: &SetWatches<'_>, out: &mut Vec<u8>) {
    let tree = &store.tree;
    let mut watches = shared.watches.lock();
    let tell = |out: &mut Vec<u8>, kind, path: &str| {
        if mutant::on("set-watches-silent") {
            return;
        }
        let before = out.len();
        event_frame(out, Zxid(-1), kind, path);
        conn.stats.sent.fetch_add(1, Ordering::Relaxed);
        shared.note(&Event::Fired { kind, told: 1, withheld: 0, bytes: out.len() - before });
    };
    for path in &lists.data {
        match tree.get(path).map(|n| n.stat().mzxid) {
            None => tell(out, EventKind::Deleted, path),
            Some(mzxid) if mzxid > lists.relative_zxid => tell(out, EventKind::DataChanged, path),
            Some(_) => watches.add(conn.id, path, WatchKind::Data),
        }
    }
    for path in &lists.exist {
        match tree.get(path) {
            Some(_) => tell(out, EventKind::Created, path),
            None => watches.add(conn.id, path, WatchKind::Data),
        }
    }
    for path in &lists.child {
        match tree.get(path).map(|n| n.stat().pzxid) {
            None => tell(out, EventKind::Deleted, path),
            Some(pzxid) if pzxid > lists.relative_zxid => tell(out, EventKind::ChildrenChanged, path),
            Some(_) => watches.add(conn.id, path, WatchKind::Child),
        }
    }
    for path in &lists.persistent {
        watches.add(conn.id, path, WatchKind::Persistent);
    }
    for path in &lists.recursive {
        watches.add(conn.id, path, WatchKind::Recursive);
    }
}
