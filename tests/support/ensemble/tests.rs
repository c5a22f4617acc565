//! The checker is checked: histories that are right, and one of each kind that is not.

use std::collections::BTreeMap;

use super::check::{Last, check};
use super::history::{Act, History, Op};

fn op(client: &str, act: Act, value: &str, (begin, end): (u64, u64), zxid: i64, version: i32) -> Op {
    let end = (end > 0).then_some(end);
    let key = if act == Act::Create { value } else { "/r" }.to_owned();
    let (client, value) = (client.to_owned(), value.to_owned());
    Op { client, session: 1, act, key, value, begin, end, zxid, version, failure: String::new() }
}

/// a writes twice, b once with unknown outcome, c reads.
fn right() -> Vec<Op> {
    vec![
        op("a", Act::Set, "a1", (10, 20), 5, 1),
        op("b", Act::Set, "b1", (12, 0), 0, 0),
        op("a", Act::Set, "a2", (30, 40), 7, 3),
        op("c", Act::Get, "a1", (21, 22), 5, 1),
        op("c", Act::Get, "b1", (33, 34), 6, 2),
        op("c", Act::Create, "/n", (50, 60), 8, 0),
        op("c", Act::Get, "a2", (61, 62), 7, 3),
    ]
}

fn last(value: &str, mzxid: i64, version: i32) -> BTreeMap<String, Last> {
    let node = |value: &str, mzxid, czxid, version| Last { value: value.to_owned(), mzxid, czxid, version };
    BTreeMap::from([("/r".to_owned(), node(value, mzxid, 1, version)), ("/n".to_owned(), node("", 8, 8, 0))])
}

#[track_caller]
fn finds(change: impl FnOnce(&mut Vec<Op>), what: &str) {
    let mut ops = right();
    change(&mut ops);
    let faults = check(&History(ops), None);
    assert!(faults.iter().any(|f| f.contains(what)), "{what}: {faults:?}");
}

#[test]
fn a_right_history_has_no_fault() {
    assert_eq!(check(&History(right()), Some(&last("a2", 7, 3))), Vec::<String>::new());
    let mut ops = right();
    ops.push(op("b", Act::Set, "b2", (70, 0), 0, 0));
    assert_eq!(check(&History(ops), Some(&last("b2", 9, 4))), Vec::<String>::new());
}

#[test]
fn each_defect_of_a_history_is_found() {
    finds(|ops| ops[2].zxid = 5, "both acknowledged");
    finds(|ops| (ops[2].zxid, ops[6].zxid) = (4, 4), "began after");
    finds(|ops| ops[4].begin = 5, "had seen");
    finds(|ops| ops[4].version = 4, "version");
    finds(|ops| ops[1].end = Some(13), "without a transaction");
    finds(|ops| drop(ops.remove(1)), "nobody wrote");
    finds(|ops| (ops[3].begin, ops[3].end) = (2, Some(3)), "before it was written");
    finds(|ops| ops[6].zxid = 6, "is a2");
    finds(
        |ops| {
            (ops[2].version, ops[6].version) = (4, 4);
        },
        "versions nobody wrote",
    );
    finds(
        |ops| {
            ops[6] = op("c", Act::Get, "b1", (61, 62), 6, 2);
        },
        "was missed",
    );
    finds(
        |ops| {
            ops[1].end = Some(14);
            ops[1].failure = "BadVersion".to_owned();
        },
        "refused",
    );
}

#[test]
fn a_lost_write_is_found_at_the_end() {
    let lost = |last: &BTreeMap<String, Last>| check(&History(right()), Some(last)).join("\n");
    assert!(lost(&last("b1", 6, 2)).contains("LOST: a2"));
    assert!(lost(&last("x", 7, 3)).contains("is x at the end"));
    assert!(lost(&last("x", 9, 4)).contains("no write of unknown outcome"));
    let mut without = last("a2", 7, 3);
    without.remove("/n");
    assert!(lost(&without).contains("LOST: /n was created"));
    without.remove("/r");
    assert!(lost(&without).contains("LOST: /r was written"));
}
