//! The digest of a znode, version 2 (`DigestCalculator`, `AdHash`).
//!
//! A node's digest is the CRC-32 of its path, its data and the sixty bytes of its
//! stat. The tree's digest is the wrapping sum of those of its nodes, so one change
//! costs two node digests, whatever the size of the tree.
//!
//! # Invariants
//!
//! * The root's path is the empty text here, under both of its names.
//! * Nodes below `/zookeeper/` count nothing: their usage texts are made by each
//!   server for itself.

use crate::types::StatPersisted;
use crc32fast::Hasher;

/// CRC-32 over path and data: the part of a node's digest that a change of its
/// children does not touch. `/` counts as the empty path.
pub fn prefix(path: &str, data: Option<&[u8]>) -> u32 {
    let path = if path == "/" { "" } else { path };
    let mut crc = Hasher::new();
    crc.update(path.as_bytes());
    if let Some(data) = data {
        crc.update(data);
    }
    crc.finalize()
}

/// Completes a [`prefix`] with the node's stat: the node's digest, 0..2^32.
pub fn finish(prefix: u32, stat: &StatPersisted) -> i64 {
    let mut crc = Hasher::new_with_initial(prefix);
    crc.update(&block(stat));
    i64::from(crc.finalize())
}

/// The stat's fields in the digest's own order: pzxid stands third, not last as on disk.
fn block(s: &StatPersisted) -> [u8; 60] {
    let mut b = [0u8; 60];
    b[0..8].copy_from_slice(&s.czxid.to_be_bytes());
    b[8..16].copy_from_slice(&s.mzxid.to_be_bytes());
    b[16..24].copy_from_slice(&s.pzxid.to_be_bytes());
    b[24..32].copy_from_slice(&s.ctime.to_be_bytes());
    b[32..40].copy_from_slice(&s.mtime.to_be_bytes());
    b[40..44].copy_from_slice(&s.version.to_be_bytes());
    b[44..48].copy_from_slice(&s.cversion.to_be_bytes());
    b[48..52].copy_from_slice(&s.aversion.to_be_bytes());
    b[52..60].copy_from_slice(&s.ephemeral_owner.to_be_bytes());
    b
}

/// Is the node outside of the digest?
pub fn excluded(path: &str) -> bool {
    path.starts_with("/zookeeper/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_of_java_has_this_digest() {
        let zero = StatPersisted::default();
        let sum = finish(prefix("/", Some(b"")), &zero) + finish(prefix("/zookeeper", Some(b"")), &zero);
        assert_eq!(sum, 0x51c6_d660);
    }

    #[test]
    fn a_prefix_can_be_completed_later() {
        let stat =
            StatPersisted { czxid: 1, pzxid: 2, version: 3, ephemeral_owner: -4, ..Default::default() };
        let mut whole = b"/a/bdata".to_vec();
        whole.extend_from_slice(&block(&stat));
        assert_eq!(finish(prefix("/a/b", Some(b"data")), &stat), i64::from(crc32fast::hash(&whole)));
        assert_eq!(prefix("/a", None), prefix("/a", Some(b"")));
    }

    #[test]
    fn only_what_is_below_zookeeper_is_excluded() {
        assert!(excluded("/zookeeper/config"));
        assert!(!excluded("/zookeeper"));
        assert!(!excluded("/zookeeperx/a"));
    }
}
