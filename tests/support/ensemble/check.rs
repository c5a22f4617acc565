//! What must hold of a history: linearizable writes, sequentially consistent reads, nothing acknowledged lost.
//!
//! The transaction number that each answer carries is the proof of the order: a history is correct if and only if
//! this order explains every answer. That is checked in one pass, without a search.
//!
//! # Invariants
//! * Writes: no two acknowledged writes share a transaction; a write that began after another one's answer has
//!   the higher number; a znode's versions grow with the numbers, and only writes of unknown outcome may account for
//!   versions that nobody saw.
//! * Reads: a value was written before the read ended; what a session reads of a znode is never older than what
//!   that session has seen of any znode.
//! * End: the last state holds every acknowledged write, or a later one of the same znode.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Act, History, Op};

/// The last state: value, mzxid and version of each znode of the load, and czxid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// Data.
    pub value: String,
    /// Transaction of the last change of data.
    pub mzxid: i64,
    /// Transaction of the creation.
    pub czxid: i64,
    /// Version of the data.
    pub version: i32,
}

/// What was found wrong: one line each. Empty is right.
pub type Faults = Vec<String>;

/// Faults listed at most; a broken history has thousands.
const LISTED: usize = 20;

/// A known state of one znode: the write behind it, if a client of ours made it.
struct Known<'a> {
    version: i32,
    value: &'a str,
}

/// Writes of one znode in the order of their transactions.
type Chain<'a> = BTreeMap<i64, Known<'a>>;

/// Checks `history`; `last` is what the ensemble held at the end, by path, if that is known.
pub fn check(history: &History, last: Option<&BTreeMap<String, Last>>) -> Faults {
    let mut faults = Faults::new();
    unique(history, &mut faults);
    let chains = chains(history, &mut faults);
    real_time(history, &chains, &mut faults);
    versions(history, &chains, &mut faults);
    values(history, &mut faults);
    sessions(history, &chains, &mut faults);
    if let Some(last) = last {
        end(history, &chains, last, &mut faults);
    }
    let more = faults.len().saturating_sub(LISTED);
    faults.truncate(LISTED);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    faults
}

fn written(op: &Op) -> bool {
    op.done() && (op.writes() || op.act == Act::Create)
}

/// No two acknowledged writes are one transaction, no value is written twice.
fn unique(history: &History, faults: &mut Faults) {
    let (mut zxids, mut texts) = (BTreeMap::new(), BTreeSet::new());
    for op in history.0.iter().filter(|op| op.writes() || op.act == Act::Create) {
        if op.done() && op.zxid <= 0 {
            faults.push(format!("{} was acknowledged without a transaction", op.value));
        } else if op.done()
            && let Some(other) = zxids.insert(op.zxid, &op.value)
        {
            faults.push(format!("{} and {other} were both acknowledged as 0x{:x}", op.value, op.zxid));
        }
        if !texts.insert((&op.key, &op.value)) {
            faults.push(format!("the load is wrong: {} was written twice", op.value));
        }
    }
}

/// Per znode what is known of each transaction, from writers and readers; they must agree.
fn chains<'a>(history: &'a History, faults: &mut Faults) -> BTreeMap<&'a str, Chain<'a>> {
    let mut chains: BTreeMap<&str, Chain<'_>> = BTreeMap::new();
    for op in history.0.iter().filter(|op| op.done() && (op.writes() || op.act == Act::Get)) {
        let chain = chains.entry(&op.key).or_default();
        let known = Known { version: op.version, value: &op.value };
        match chain.get(&op.zxid) {
            Some(other) if (other.version, other.value) != (known.version, known.value) => {
                faults.push(format!(
                    "{} at 0x{:x} is {} (version {}) to {} and was {} (version {}) to another",
                    op.key, op.zxid, op.value, op.version, op.client, other.value, other.version
                ))
            }
            Some(_) => {}
            None => drop(chain.insert(op.zxid, known)),
        }
    }
    chains
}

/// A write that began after another's answer has the higher number.
fn real_time(history: &History, chains: &BTreeMap<&str, Chain<'_>>, faults: &mut Faults) {
    let seen: BTreeMap<&str, i64> =
        chains.values().flat_map(|chain| chain.iter().map(|(zxid, known)| (known.value, *zxid))).collect();
    // Writes of unknown outcome that somebody read have a number too.
    let zxid = |op: &Op| if written(op) { Some(op.zxid) } else { seen.get(op.value.as_str()).copied() };
    let writes = history.0.iter().filter(|op| op.writes() || op.act == Act::Create);
    let writes: Vec<(&Op, i64)> = writes.filter_map(|op| Some((op, zxid(op)?))).collect();
    let mut by_begin: Vec<_> = writes.clone();
    by_begin.sort_by_key(|(op, _)| op.begin);
    let mut by_end: Vec<_> = writes.into_iter().filter(|(op, _)| written(op)).collect();
    by_end.sort_by_key(|(op, _)| op.end);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<(&Op, i64)> = None;
    for (op, zxid) in by_begin {
        while let Some(before) = ended.next_if(|(before, _)| before.end < Some(op.begin)) {
            if highest.is_none_or(|(_, highest)| before.1 > highest) {
                highest = Some(before);
            }
        }
        if let Some((before, earlier)) = highest.filter(|(_, highest)| *highest >= zxid) {
            faults.push(format!(
                "{} (0x{zxid:x}) began after {} (0x{earlier:x}) was acknowledged",
                op.value, before.value
            ));
        }
    }
}

/// Versions grow with the numbers; versions that nobody saw are writes whose outcome nobody knows.
fn versions(history: &History, chains: &BTreeMap<&str, Chain<'_>>, faults: &mut Faults) {
    let mut lost: BTreeMap<&str, i64> = BTreeMap::new();
    for op in history.0.iter().filter(|op| op.writes() && op.unknown()) {
        *lost.entry(&op.key).or_default() += 1;
    }
    for (key, chain) in chains {
        let values: BTreeSet<&str> = chain.values().map(|known| known.value).collect();
        let seen = history.0.iter().filter(|op| op.writes() && op.unknown() && op.key == *key);
        let seen = seen.filter(|op| values.contains(op.value.as_str())).count() as i64;
        let unseen = lost.get(key).copied().unwrap_or(0) - seen;
        let (mut before, mut missing) = (None::<(i64, i32)>, 0_i64);
        for (zxid, known) in chain {
            let (from, step) = match before {
                Some((from, version)) => (from, i64::from(known.version) - i64::from(version)),
                None => (0, i64::from(known.version) + i64::from(known.version == 0)),
            };
            if step < 1 {
                faults.push(format!("{key}: version {} at 0x{zxid:x} follows 0x{from:x}", known.version));
            }
            missing += step - 1;
            before = Some((*zxid, known.version));
        }
        if missing > unseen {
            faults
                .push(format!("{key}: {missing} versions nobody wrote, {unseen} writes of unknown outcome"));
        }
    }
}

/// What is read was written, and not after the read ended; a conditional write found its version.
fn values(history: &History, faults: &mut Faults) {
    let writes: BTreeMap<(&str, &str), &Op> = history
        .0
        .iter()
        .filter(|op| op.writes())
        .map(|op| ((op.key.as_str(), op.value.as_str()), op))
        .collect();
    for op in history.0.iter().filter(|op| op.act == Act::Get && op.done() && op.version > 0) {
        match writes.get(&(op.key.as_str(), op.value.as_str())) {
            None => faults.push(format!("{} read {} of {}, which nobody wrote", op.client, op.value, op.key)),
            Some(write) if op.end < Some(write.begin) => {
                faults.push(format!("{} read {} before it was written", op.client, op.value))
            }
            Some(write) if write.end.is_some() && !write.failure.is_empty() => {
                faults.push(format!("{} read {}, which was refused: {}", op.client, op.value, write.failure))
            }
            Some(_) => {}
        }
    }
}

/// No session reads a znode older than anything it has seen.
fn sessions(history: &History, chains: &BTreeMap<&str, Chain<'_>>, faults: &mut Faults) {
    let mut ops: Vec<&Op> = history.0.iter().filter(|op| op.done() && op.zxid > 0).collect();
    ops.sort_by_key(|op| op.begin);
    let mut floors: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for op in ops {
        let floor = floors.entry((&op.client, op.session)).or_default();
        if op.act == Act::Get
            && let Some(chain) = chains.get(op.key.as_str())
            && *floor > op.zxid
            && let Some((missed, _)) = chain.range(op.zxid + 1..=*floor).next()
        {
            faults.push(format!(
                "{} read {} of {} (0x{:x}) and had seen 0x{floor:x}: 0x{missed:x} was missed",
                op.client, op.value, op.key, op.zxid
            ));
        }
        *floor = (*floor).max(op.zxid);
    }
}

/// The last state holds what was acknowledged.
fn end(
    history: &History,
    chains: &BTreeMap<&str, Chain<'_>>,
    last: &BTreeMap<String, Last>,
    faults: &mut Faults,
) {
    for op in history.0.iter().filter(|op| op.act == Act::Create && op.done()) {
        match last.get(&op.key) {
            None => faults.push(format!("LOST: {} was created (0x{:x}) and is not there", op.key, op.zxid)),
            Some(node) if op.zxid != 0 && node.czxid != op.zxid => {
                faults.push(format!("{} was created by 0x{:x}, not 0x{:x}", op.key, node.czxid, op.zxid))
            }
            Some(_) => {}
        }
    }
    for (key, chain) in chains {
        let (Some((zxid, known)), Some(node)) = (chain.last_key_value(), last.get(*key)) else {
            faults.push(format!("LOST: {key} was written and is not there"));
            continue;
        };
        if node.mzxid < *zxid {
            faults.push(format!(
                "LOST: {} ({key}, 0x{zxid:x}): the last write there is 0x{:x}",
                known.value, node.mzxid
            ));
        } else if node.mzxid == *zxid && (node.value.as_str(), node.version) != (known.value, known.version) {
            faults.push(format!("{key} at 0x{zxid:x} is {} at the end and was {}", node.value, known.value));
        } else if node.mzxid > *zxid {
            let write = history.0.iter().find(|op| op.writes() && op.key == *key && op.value == node.value);
            if !write.is_some_and(Op::unknown) {
                faults.push(format!("{key} ends with {}, which is no write of unknown outcome", node.value));
            }
        }
    }
}
