//! The checkers, by the numbers of the reliability design (I1 to I15).
//!
//! # Invariants
//!
//! * Answers are checked in the order of their zxids, against the reference at that zxid.

use super::client::{Client, Sent};
use super::history::History;
use oxkeeper::error::Code;
use oxkeeper::jute::Reader;
use oxkeeper::jute::records::read_stat;
use oxkeeper::proto::{OpCode, ReplyHeader, WatcherEvent, xid};
use oxkeeper::tree::Tree;
use oxkeeper::txn::Txn;

/// One answer to one client, to be checked.
pub struct Answer {
    pub client: usize,
    pub header: ReplyHeader,
    pub body: Vec<u8>,
}

/// Checks an answer; true when a write was acknowledged.
pub fn answer(client: &mut Client, history: &mut History, a: &Answer) -> bool {
    if a.header.xid == xid::NOTIFICATION {
        event(client, &a.body);
        return false;
    }
    let session = client.session.as_ref().map_or(0, |(id, _)| *id);
    let sent = client.answered(&a.header);
    let tree = history.tree_at(a.header.zxid.0);
    twins(tree);
    if a.header.err == Code::SessionExpired.number() && !matches!(sent, Sent::Write { .. }) {
        return false; // behind a close of its own, or expired a moment ago
    }
    match sent {
        Sent::Get { path, watch } => {
            get(client, tree, &path, watch, a);
            false
        }
        Sent::Children { path } => {
            let want = tree.get(&path).map(|n| n.child_count());
            let found = (a.header.err == 0).then(|| Reader::new(&a.body).i32().expect("a count") as usize);
            assert_eq!(found, want, "I12: children of {path} at {}", a.header.zxid);
            false
        }
        Sent::Write { op } => {
            written(history, session, op, a);
            a.header.err == 0
        }
        Sent::Other | Sent::Close => false,
    }
}

/// I12: a read is the state at its zxid. I13: a change is told before it can be read.
fn get(client: &mut Client, tree: &Tree, path: &str, watch: bool, a: &Answer) {
    let node = tree.get(path);
    if a.header.err != 0 {
        assert_eq!(a.header.err, Code::NoNode.number(), "{path}");
        assert!(node.is_none(), "I2: {path} exists at {}", a.header.zxid);
        assert!(!client.watches.contains_key(path), "I13: {path} vanished and its watcher was not told");
        return;
    }
    let mut r = Reader::new(&a.body);
    let data = r.buffer().expect("data");
    let stat = read_stat(&mut r).expect("a stat");
    let node = node.unwrap_or_else(|| panic!("I2: {path} does not exist at {}", a.header.zxid));
    assert_eq!((data, stat), (node.data(), node.stat()), "I12: {path} at {}", a.header.zxid);
    if let Some(seen) = client.watches.get(path) {
        assert_eq!(*seen, stat.mzxid, "I13: {path} changed and its watcher was not told");
    }
    if watch {
        client.watches.insert(path.to_owned(), stat.mzxid);
    }
}

/// I13: an event belongs to a watch, and uses it up.
fn event(client: &mut Client, body: &[u8]) {
    let event = WatcherEvent::decode(&mut Reader::new(body)).expect("an event");
    assert!(client.watches.remove(&event.path).is_some(), "I13: {event:?} without a watch");
}

/// I1, I12: a write's answer is that of the transaction with its zxid.
fn written(history: &History, session: i64, op: OpCode, a: &Answer) {
    if a.header.err == Code::SystemError.number() {
        return; // refused while the disk is full: no transaction
    }
    let record = history.record(a.header.zxid.0).expect("I2: an answered write that is not in the log");
    assert_eq!(record.header.client_id, session, "I1: {op:?} answered with a foreign transaction");
    assert_eq!(record.header.cxid, a.header.xid, "I1: {op:?} answered with another transaction");
    match record.txn {
        Txn::Error { err } => assert_eq!(a.header.err, err),
        _ => assert_eq!(a.header.err, 0),
    }
}

/// I12: made and deleted together.
fn twins(tree: &Tree) {
    let (left, right) = (tree.find("/left").is_some(), tree.find("/right").is_some());
    assert_eq!(left, right, "I12: a multi was applied by halves");
}
