//! Golden frames and files: what real clients and servers wrote, read and written again by our codecs.
//!
//! The recordings were made by `record/record.py` between Java clients of 3.4, 3.8 and 3.9, the C client, kazoo and
//! hand-made frames on one side and Java servers on the other. Each frame carries a line that a dissector wrote which
//! shares no code with ours; our decoders must arrive at the same line, and our encoders at the same bytes.
#[path = "../support/mod.rs"]
mod support;

mod disk;
mod golden;
mod members;
mod peers;
mod replay;
mod replies;
mod requests;
mod show;

use golden::frames;
use std::collections::BTreeSet;

/// Names of all op codes that a client sends, as recorded requests and as recorded successes.
#[test]
fn every_op_code_was_recorded_asked_and_answered() {
    let frames = frames();
    let asked: BTreeSet<&str> = frames.iter().filter(|f| f.from_client).map(|f| f.name.as_str()).collect();
    let answered: BTreeSet<&str> =
        frames.iter().filter(|f| !f.from_client && f.err() == Some(0)).map(|f| f.name.as_str()).collect();
    for op in oxkeeper::proto::OpCode::ALL {
        use oxkeeper::proto::OpCode::{Check, CreateSession, DeleteContainer};
        let name = op.name();
        // A client's createSession is `connect`; the other two are parts of others, or the server's own.
        assert!(*op == CreateSession || asked.contains(name), "nobody asked {name}");
        let alone = !matches!(op, CreateSession | Check | DeleteContainer);
        assert!(!alone || answered.contains(name), "nobody answered {name}");
    }
}

/// The error codes that a standalone server, or an ensemble of one, can be brought to answer.
#[test]
fn every_error_code_was_recorded() {
    let seen: BTreeSet<i32> = frames().iter().filter_map(golden::Frame::err).collect();
    for code in [
        -5, -6, -8, -13, -101, -102, -103, -108, -110, -111, -114, -115, -119, -120, -121, -123, -124, -125,
        -127,
    ] {
        assert!(seen.contains(&code), "no reply with {code}");
    }
}

/// Every kind of event, and every client that is served.
#[test]
fn every_event_and_client_was_recorded() {
    let frames = frames();
    for kind in 1..=4 {
        let shown = format!("| type={kind} state=3");
        assert!(frames.iter().any(|f| f.name == "notification" && f.fields.contains(&shown)), "event {kind}");
    }
    for file in ["java-3.9-", "java-3.8-", "java-3.4-", "c-client", "kazoo", "raw-", "setting-"] {
        assert!(frames.iter().any(|f| f.place.starts_with(file)), "no recording {file}");
    }
}
