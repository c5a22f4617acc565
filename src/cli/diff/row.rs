//! A znode as it is compared, and the order in which znodes are.
//!
//! # Invariants
//!
//! * The order is that of a walk: a znode comes right before what is below it. `/` sorts before every character
//!   that a name may have.

use crate::types::{Acl, Id, Owner};
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;

/// What kind a znode is; ephemeral ones with their session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Stays.
    Persistent,
    /// Goes with this session.
    Ephemeral(i64),
    /// A container or a znode with a time to live: the protocol shows both as persistent.
    Owned,
}

impl From<Owner> for Kind {
    fn from(owner: Owner) -> Kind {
        match owner {
            Owner::Persistent => Kind::Persistent,
            Owner::Session(id) => Kind::Ephemeral(id),
            Owner::Container | Owner::Ttl(_) => Kind::Owned,
        }
    }
}

/// The fields of a stat that both files and clients have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// Created by this transaction.
    pub czxid: i64,
    /// Last set by it.
    pub mzxid: i64,
    /// Children last changed by it.
    pub pzxid: i64,
    /// When it was created.
    pub ctime: i64,
    /// When it was last set.
    pub mtime: i64,
    /// Version of the data.
    pub version: i32,
    /// Version of the ACL.
    pub aversion: i32,
}

/// A znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its path.
    pub path: String,
    /// Its kind.
    pub kind: Kind,
    /// Bytes of its data; -1 for null.
    pub len: i64,
    /// The beginning of the SHA-256 of its data.
    pub data: [u8; 16],
    /// The beginning of the SHA-256 of its ACL.
    pub acl: [u8; 16],
    /// Its numbers.
    pub numbers: Numbers,
}

impl Row {
    /// Of a znode.
    pub fn new(path: String, kind: Kind, data: Option<&[u8]>, acl: &[Acl], numbers: Numbers) -> Row {
        let len = data.map_or(-1, |d| i64::try_from(d.len()).unwrap_or(i64::MAX));
        Row {
            path,
            kind,
            len,
            data: short(Sha256::digest(data.unwrap_or(&[])).as_slice()),
            acl: acl_sum(acl),
            numbers,
        }
    }

    /// Bytes that it costs in memory, about.
    pub fn cost(&self) -> usize {
        self.path.len() + size_of::<Row>() + 16
    }

    /// What differs between two znodes of one path.
    pub fn differences(&self, other: &Row, numbers: bool) -> Vec<&'static str> {
        let n = |differs: bool| differs && numbers;
        let (a, b) = (&self.numbers, &other.numbers);
        // A client does not see what owns a znode but a session.
        let ephemeral = |k: Kind| matches!(k, Kind::Ephemeral(_));
        let kind = ephemeral(self.kind) != ephemeral(other.kind)
            || n(ephemeral(self.kind) && self.kind != other.kind);
        let all = [
            (kind, "kind"),
            ((self.len, self.data) != (other.len, other.data), "data"),
            (self.acl != other.acl, "acl"),
            (n(a.version != b.version), "version"),
            (n(a.aversion != b.aversion), "aversion"),
            (n(a.czxid != b.czxid), "czxid"),
            (n(a.mzxid != b.mzxid), "mzxid"),
            (n(a.pzxid != b.pzxid), "pzxid"),
            (n(a.ctime != b.ctime), "ctime"),
            (n(a.mtime != b.mtime), "mtime"),
        ];
        all.iter().filter(|(differs, _)| *differs).map(|(_, what)| *what).collect()
    }
}

fn short(sum: &[u8]) -> [u8; 16] {
    sum.first_chunk().copied().unwrap_or_default()
}

/// The list, with its order.
fn acl_sum(acl: &[Acl]) -> [u8; 16] {
    let mut sha = Sha256::new();
    for Acl { perms, id: Id { scheme, id } } in acl {
        sha.update(perms.to_be_bytes());
        for text in [scheme, id] {
            sha.update((text.len() as u64).to_be_bytes());
            sha.update(text.as_bytes());
        }
    }
    short(sha.finalize().as_slice())
}

/// Compares paths in the order of a walk.
pub fn order(a: &str, b: &str) -> Ordering {
    // The root's path is the empty one that all others go on from.
    let of = |path: &'_ str| if path == "/" { 0 } else { path.len() };
    let key = |c: u8| if c == b'/' { 0 } else { c };
    a.bytes().take(of(a)).map(key).cmp(b.bytes().take(of(b)).map(key))
}

/// Is the znode each server's own, or its counters: never compared?
pub fn is_own(path: &str) -> bool {
    path == "/zookeeper/config"
        || (path.starts_with("/zookeeper/quota/") && path.ends_with("/zookeeper_stats"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn znodes_come_right_before_what_is_below_them() {
        let mut paths = vec!["/a-b", "/a/b", "/", "/a", "/a/b/c", "/b", "/a.x"];
        paths.sort_by(|a, b| order(a, b));
        assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/c", "/a-b", "/a.x", "/b"]);
    }

    #[test]
    fn numbers_count_only_when_they_are_asked_for() {
        let row = |version, data: &[u8]| {
            let numbers = Numbers { version, ..Numbers::default() };
            Row::new("/a".into(), Kind::Persistent, Some(data), &[Acl::open()], numbers)
        };
        assert_eq!(row(1, b"x").differences(&row(2, b"x"), false), Vec::<&str>::new());
        assert_eq!(row(1, b"x").differences(&row(2, b"y"), true), ["data", "version"]);
        let null = Row::new("/a".into(), Kind::Owned, None, &[Acl::open()], Numbers::default());
        assert_eq!(null.differences(&row(0, b""), true), ["data"]);
    }
}
