//! The records of a snapshot: sessions, ACL table, nodes (`SerializeUtils.serializeSnapshot`).
//!
//! Header, checksums, seals, digest and last zxid around them are the storage's.
//!
//! # Invariants
//!
//! * Bytes are Java's in both directions.
//! * A decoder takes one record at a time: its cost is bounded by that record.

use crate::jute::records::{read_acls, read_stat_persisted, stat_persisted_bytes, write_acls};
use crate::jute::{JuteError, Reader, Sink, Writer};
use crate::types::{Acl, StatPersisted};
use std::ops::Deref;

/// The path that stands for "no more nodes".
pub const END_MARK: &str = "/";

/// One znode of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotNode<'a> {
    /// Full path; the root's is empty.
    pub path: &'a str,
    /// Data; null is kept apart from empty.
    pub data: Option<&'a [u8]>,
    /// Id in the snapshot's ACL table, -1 for the open ACL.
    pub acl: i64,
    /// Raw stat.
    pub stat: StatPersisted,
}

/// What stands before the nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotHead {
    /// Sessions: id and time-out in ms.
    pub sessions: Vec<(i64, i32)>,
    /// ACL table: id and list.
    pub acls: Vec<(i64, Vec<Acl>)>,
}

/// Appends sessions and ACL table.
pub fn encode_head<S, L>(sessions: &[(i64, i32)], acls: &[(i64, L)], out: &mut S)
where
    S: Sink + ?Sized,
    L: Deref<Target = [Acl]>,
{
    let mut w = Writer::new(out);
    w.length(sessions.len());
    for (id, timeout) in sessions {
        w.i64(*id);
        w.i32(*timeout);
    }
    w.length(acls.len());
    for (id, list) in acls {
        w.i64(*id);
        write_acls(&mut w, list);
    }
}

/// Reads sessions and ACL table.
pub fn decode_head(r: &mut Reader<'_>) -> Result<SnapshotHead, JuteError> {
    let sessions = r.vector(decode_session)?.unwrap_or_default();
    let acls = r.vector(decode_acl)?.unwrap_or_default();
    Ok(SnapshotHead { sessions, acls })
}

/// Reads one session: 12 bytes. (For readers that do not have the whole head in memory:
/// each of the two lists has its count, an `int`, in front.)
pub fn decode_session(r: &mut Reader<'_>) -> Result<(i64, i32), JuteError> {
    Ok((r.i64()?, r.i32()?))
}

/// Reads one entry of the ACL table.
pub fn decode_acl(r: &mut Reader<'_>) -> Result<(i64, Vec<Acl>), JuteError> {
    Ok((r.i64()?, read_acls(r)?))
}

/// Appends one node.
pub fn encode_node<S: Sink + ?Sized>(node: &SnapshotNode<'_>, out: &mut S) {
    let mut w = Writer::new(out);
    w.string(Some(node.path));
    w.buffer(node.data);
    w.i64(node.acl);
    w.raw(&stat_persisted_bytes(&node.stat));
}

/// Appends the mark after the last node.
pub fn encode_end<S: Sink + ?Sized>(out: &mut S) {
    Writer::new(out).string(Some(END_MARK));
}

/// Reads one node; `None` at the end mark.
pub fn decode_node<'a>(r: &mut Reader<'a>) -> Result<Option<SnapshotNode<'a>>, JuteError> {
    let path = r.buffer()?.ok_or(JuteError::Null("path of a node"))?;
    let path = std::str::from_utf8(path)
        .map_err(|e| JuteError::Value("UTF-8 of a node's path, byte", e.valid_up_to() as i64))?;
    if path == END_MARK {
        return Ok(None);
    }
    Ok(Some(SnapshotNode { path, data: r.buffer()?, acl: r.i64()?, stat: read_stat_persisted(r)? }))
}

/// What stands behind a snapshot on a link between servers.
pub const SIGNATURE: &str = "BenWasHere";

/// Appends [`SIGNATURE`].
pub fn encode_signature<S: Sink + ?Sized>(out: &mut S) {
    Writer::new(out).string(Some(SIGNATURE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn head_and_nodes_round_trip() {
        let head = SnapshotHead {
            sessions: vec![(5, 4000), (-7, 1)],
            acls: vec![(3, vec![Acl::open()]), (9, vec![])],
        };
        let mut out = Vec::new();
        encode_head(&head.sessions, &head.acls, &mut out);
        let stat = StatPersisted { czxid: 1, mzxid: 2, cversion: -1, pzxid: 9, ..Default::default() };
        let nodes = [
            SnapshotNode { path: "", data: Some(b""), acl: -1, stat },
            SnapshotNode { path: "/a", data: None, acl: 3, stat },
        ];
        for node in &nodes {
            encode_node(node, &mut out);
        }
        encode_end(&mut out);
        let mut r = Reader::new(&out);
        assert_eq!(decode_head(&mut r), Ok(head));
        assert_eq!(decode_node(&mut r), Ok(Some(nodes[0])));
        assert_eq!(decode_node(&mut r), Ok(Some(nodes[1])));
        assert_eq!(decode_node(&mut r), Ok(None));
        assert!(r.is_empty());
    }

    #[test]
    fn an_empty_snapshot_is_as_java_writes_it() {
        let mut out = Vec::new();
        encode_head::<_, Vec<Acl>>(&[], &[], &mut out);
        encode_end(&mut out);
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'/']);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode_head(&mut Reader::new(&bytes));
            let _ = decode_node(&mut Reader::new(&bytes));
        }
    }
}
