//! Inputs of a megabyte that announce more than they hold: what a corpus of small files cannot show.
//!
//! # Invariants
//!
//! * Each breaks off, or is wrong, at its very end.

use oxkeeper::jute::Writer;
use oxkeeper::proto::OpCode;

const MEGABYTE: usize = 1_000_000;

/// Target, what it is, bytes.
pub fn inputs() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let part = |kind: i32| [&kind.to_be_bytes()[..], &[0], &(-1i32).to_be_bytes()].concat();
    let delete = [part(OpCode::Delete.number()), vec![0; 8]].concat();
    let watches = [vec![0, 0, 0, 1, 0, 0, 0, 101], vec![0; 8]].concat();
    vec![
        ("request", "a multi without an end", request(OpCode::Multi, &repeated(&delete))),
        (
            "request",
            "a multiRead without an end",
            request(OpCode::MultiRead, &repeated(&[part(4), vec![0; 5]].concat())),
        ),
        ("request", "setWatches that breaks off", [watches, vector(&[0; 4])].concat()),
        ("request", "an ACL list that breaks off", create(&vector(&[0; 12]), b"/a")),
        ("request", "a path of bad UTF-8", create(&[], &[0xff; MEGABYTE])),
        ("request", "short strings of bad UTF-8", request(OpCode::SetWatches, &bad_strings())),
        ("request", "a length of two gigabytes", request(OpCode::GetData, &i32::MAX.to_be_bytes())),
        ("results", "results without an end", repeated(&part(OpCode::Check.number()))),
        ("results", "codes without an end", repeated(&[part(-1), vec![0; 4]].concat())),
        ("reply", "names that break off", [vec![0; 16], vector(&[0; 4])].concat()),
        ("reply", "identities that break off", [vec![0; 16], vector(&[0; 8])].concat()),
        ("txn", "a close whose list breaks off", txn(oxkeeper::txn::kind::CLOSE_SESSION, &vector(&[0; 4]))),
        ("txn", "a multi whose parts break off", txn(oxkeeper::txn::kind::MULTI, &vector(&close_part()))),
        ("connect", "a password of a megabyte", [vec![0; 24], repeated(&[1])].concat()),
        ("snapshot", "sessions that break off", snapshot(&vector(&[0; 12]))),
        ("snapshot", "an ACL table that breaks off", snapshot(&[vec![0; 4], vector(&[0; 12])].concat())),
        (
            "snapshot",
            "a node of two gigabytes",
            snapshot(&[vec![0; 12], i32::MAX.to_be_bytes().to_vec()].concat()),
        ),
        ("keytab", "holes", [vec![5, 2], repeated(&[0xff, 0xff, 0xff, 0xff, 0])].concat()),
        (
            "keytab",
            "keys of nothing",
            [vec![5, 2], repeated(&[&[0, 0, 0, 17][..], &[0; 17]].concat())].concat(),
        ),
        ("log", "zeros", vec![0; MEGABYTE]),
        ("log", "a record of a megabyte with a wrong sum", log()),
    ]
}

fn repeated(part: &[u8]) -> Vec<u8> {
    part.iter().copied().cycle().take(MEGABYTE / part.len() * part.len()).collect()
}

/// A vector that announces one element more than it holds.
fn vector(element: &[u8]) -> Vec<u8> {
    let body = repeated(element);
    let mut out = Vec::with_capacity(body.len() + 4);
    Writer::new(&mut out).length(body.len() / element.len() + 1);
    [out, body].concat()
}

fn request(op: OpCode, record: &[u8]) -> Vec<u8> {
    [&1i32.to_be_bytes()[..], &op.number().to_be_bytes(), record].concat()
}

fn create(acl: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.buffer(Some(path));
    w.buffer(None);
    w.raw(acl);
    request(OpCode::Create, &out)
}

fn bad_strings() -> Vec<u8> {
    let one = [&1000i32.to_be_bytes()[..], &[0xff; 1000]].concat();
    [vec![0; 8], vector(&one)].concat()
}

fn close_part() -> Vec<u8> {
    [&oxkeeper::txn::kind::CLOSE_SESSION.to_be_bytes()[..], &[0; 4]].concat()
}

fn txn(kind: i32, body: &[u8]) -> Vec<u8> {
    [&[0; 28][..], &kind.to_be_bytes(), body].concat()
}

fn snapshot(rest: &[u8]) -> Vec<u8> {
    [&oxkeeper::storage::snapshot::header()[..], rest].concat()
}

fn log() -> Vec<u8> {
    let mut out = oxkeeper::storage::log::format::header().to_vec();
    oxkeeper::storage::log::format::frame(&vec![1; MEGABYTE], &mut out);
    out[16] ^= 1;
    out
}
