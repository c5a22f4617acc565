//! I12: writes are atomic and linearizable; a read is the state of its zxid, and where a quorum
//! confirms syncs, one behind a sync shows everything that was acknowledged before the sync.

use super::{Check, Seen, View};
use crate::book::id;
use crate::clients::{Ask, Sent};
use crate::history::{self, NodeState, z};
use crate::net::Who;
use oxkeeper::error::Code;
use oxkeeper::jute::Reader;
use oxkeeper::jute::records::read_stat;
use oxkeeper::proto::ReplyHeader;
use oxkeeper::txn::Txn;

pub struct Linearizable;

impl Check for Linearizable {
    fn number(&self) -> u8 {
        12
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Delivered { .. } => match view.history.known.last() {
                Some(last) if !last.twins => {
                    Err(format!("a multi is half applied at {}", last.record.header.zxid))
                }
                _ => Ok(()),
            },
            Seen::Replied { client, sent, header, body, who } if client.reads_only => {
                peeked(view, *who, &sent.ask, header, body)
            }
            Seen::Replied { client, sent, header, body, .. } => {
                let session = client.session.as_ref().map_or(0, |(id, _)| *id);
                match &sent.ask {
                    // A session that only its server knows ends without a transaction.
                    Ask::Close if !view.history.opened(session) => Ok(()),
                    Ask::Write { .. } | Ask::Close => write(view, session, sent, header),
                    ask => {
                        if reads(ask) && header.err == 0 && header.zxid.0 < client.synced {
                            let (at, synced) = (header.zxid, z(client.synced));
                            return Err(format!("{ask:?} is answered at {at} behind a sync after {synced}"));
                        }
                        read(view, ask, header, body)
                    }
                }
            }
            _ => Ok(()),
        }
    }
}

/// Errors that are answered without a transaction.
fn without_txn(err: i32) -> bool {
    [Code::SessionExpired, Code::ConnectionLoss, Code::SystemError, Code::SessionMoved, Code::ThrottledOp]
        .iter()
        .any(|c| c.number() == err)
}

/// A write's answer is that of its transaction, and that is younger than every write that was
/// acknowledged to anybody before it was asked.
fn write(view: &View<'_>, session: i64, sent: &Sent, header: &ReplyHeader) -> Result<(), String> {
    if without_txn(header.err) {
        return Ok(());
    }
    let at = header.zxid;
    let Some(known) = view.history.at(at.0) else {
        return Err(format!("{:?} is answered with {at}, which is no transaction", sent.ask));
    };
    let txn = known.record.header;
    if (txn.client_id, txn.cxid) != (session, sent.xid) {
        let (id, xid) = (txn.client_id, sent.xid);
        return Err(format!(
            "request {xid} of session {session:x} is answered with {at}, request {} of {id:x}",
            txn.cxid
        ));
    }
    let done = match known.record.txn {
        Txn::Error { err } => err,
        _ => 0,
    };
    let multi = matches!(known.record.txn, Txn::Multi(_));
    if done != header.err && !multi {
        return Err(format!(
            "{:?} is answered with {}, its transaction {at} says {done}",
            sent.ask, header.err
        ));
    }
    if at.0 <= sent.floor {
        return Err(format!("{at} was asked for after {} was acknowledged", z(sent.floor)));
    }
    Ok(())
}

fn reads(ask: &Ask) -> bool {
    matches!(ask, Ask::Get { .. } | Ask::Exists { .. } | Ask::Children { .. })
}

/// A server without a leader shows what its log makes, committed or not, and takes no write.
fn peeked(view: &View<'_>, who: Who, ask: &Ask, header: &ReplyHeader, body: &[u8]) -> Result<(), String> {
    let refused = header.err == Code::NotReadOnly.number();
    let path = match ask {
        Ask::Write { .. } if !refused => {
            return Err(format!("{} answers {ask:?} with {} and has no leader", id(who), header.err));
        }
        Ask::Get { path, .. } | Ask::Exists { path, .. } | Ask::Children { path, .. } => path,
        _ => return Ok(()),
    };
    let own = [&view.book.pages[who].log];
    let logs = own.into_iter().chain(view.book.pages.iter().map(|p| &p.log)).chain([&view.history.log]);
    // It may have been cut everywhere meanwhile.
    let Some(log) = logs.into_iter().find(|log| history::entry(log, header.zxid.0).is_some()) else {
        return Ok(());
    };
    let end = history::upto(log, header.zxid.0);
    let (tree, _) = history::replay(&log[..end], *view.history.tree.config());
    match history::state(&tree, path) {
        None if header.err == Code::NoNode.number() => Ok(()),
        Some(state) if header.err == 0 => same(ask, &state, body),
        state => Err(format!("answered with {}, there is {state:?}", header.err)),
    }
    .map_err(|what| format!("{path} at {} of {}, which only reads: {what}", header.zxid, id(who)))
}

fn read(view: &View<'_>, ask: &Ask, header: &ReplyHeader, body: &[u8]) -> Result<(), String> {
    if without_txn(header.err) {
        return Ok(());
    }
    let (path, at) = match ask {
        Ask::Get { path, .. } | Ask::Exists { path, .. } | Ask::Children { path, .. } => (path, header.zxid),
        _ => return Ok(()),
    };
    let known = view.history.node_at(path, at.0).flatten();
    let missing = header.err == Code::NoNode.number();
    let Some(state) = known else {
        let fine = missing || path == "/";
        return if fine { Ok(()) } else { Err(format!("{path} is read at {at}, where it does not exist")) };
    };
    if missing {
        return Err(format!("{path} is missing at {at}, where it exists"));
    }
    same(ask, state, body).map_err(|what| format!("{path} at {at}: {what}"))
}

/// Does the answer's body show this state?
fn same(ask: &Ask, state: &NodeState, body: &[u8]) -> Result<(), String> {
    let mut r = Reader::new(body);
    let bad = |e| format!("a body that cannot be read: {e}");
    if let Ask::Get { .. } = ask {
        let data = r.buffer().map_err(bad)?;
        if data != state.data.as_deref() {
            return Err(format!("data {data:?}, not {:?}", state.data));
        }
    }
    if let Ask::Children { .. } = ask {
        let count = r.i32().map_err(bad)?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(r.string().map_err(bad)?.unwrap_or_default().into_owned());
        }
        names.sort_unstable();
        if names != state.children {
            return Err(format!("children {names:?}, not {:?}", state.children));
        }
    }
    let stat = read_stat(&mut r).map_err(bad)?;
    if stat != state.stat {
        return Err(format!("{stat:?}, not {:?}", state.stat));
    }
    Ok(())
}
