//! I12: writes are atomic and linearizable; a read is the state of its zxid.

use super::{Check, Seen, View};
use crate::clients::{Ask, Sent};
use crate::history::{NodeState, z};
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
            Seen::Replied { client, sent, header, body, .. } => {
                let session = client.session.as_ref().map_or(0, |(id, _)| *id);
                match &sent.ask {
                    Ask::Write { .. } | Ask::Close => write(view, session, sent, header),
                    ask => read(view, ask, header, body),
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
