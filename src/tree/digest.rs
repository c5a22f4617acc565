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

/// Bytes of a stat in the digest.
const STAT: usize = 60;
/// Messages up to this length are put together and summed in one pass.
const ROOM: usize = 256;
/// From this length on the hardware's wide multiplication is used.
const WIDE: usize = 128;
/// What the wide multiplication takes at a time: what is left over costs a step a byte.
const STEP: usize = 16;
/// A sum that begins with this has a register of zeros, which leading zeros leave alone.
const ZEROED: u32 = u32::MAX;

/// The digest of a node. `/` counts as the empty path.
pub fn of(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    let path = if path == "/" { "" } else { path };
    let (path, data, stat) = (path.as_bytes(), data.unwrap_or_default(), block(stat));
    let len = path.len() + data.len() + STAT;
    if len > ROOM {
        let mut crc = Hasher::new();
        [path, data, &stat].into_iter().for_each(|part| crc.update(part));
        return crc.finalize();
    }
    // Zeros in front make it a whole number of wide steps. They count nothing once the ones that
    // CRC-32 begins with are in the first four bytes instead of in the register.
    let padded = len.next_multiple_of(STEP).max(WIDE);
    let mut room = [0u8; ROOM];
    let (message, _) = room.split_at_mut(padded);
    let (_, message) = message.split_at_mut(padded - len);
    let (to_path, rest) = message.split_at_mut(path.len());
    let (to_data, to_stat) = rest.split_at_mut(data.len());
    to_path.copy_from_slice(path);
    to_data.copy_from_slice(data);
    to_stat.copy_from_slice(&stat);
    message.iter_mut().take(4).for_each(|byte| *byte = !*byte);
    sum_from_zero(room.get(..padded).unwrap_or(&room))
}

/// The digest of a node whose stat alone has changed: CRC-32 is linear, so path and data, which are
/// the same before and after, need not be looked at.
pub fn moved(digest: u32, before: &StatPersisted, after: &StatPersisted) -> u32 {
    let mut difference = [0u8; STAT.next_multiple_of(STEP)];
    let (_, bytes) = difference.split_at_mut(STAT.next_multiple_of(STEP) - STAT);
    for ((byte, a), b) in bytes.iter_mut().zip(block(before)).zip(block(after)) {
        *byte = a ^ b;
    }
    digest ^ !sum_from_zero(&difference)
}

fn sum_from_zero(message: &[u8]) -> u32 {
    let mut crc = Hasher::new_with_initial(ZEROED);
    crc.update(message);
    crc.finalize()
}

/// The stat's fields in the digest's own order: pzxid stands third, not last as on disk.
fn block(s: &StatPersisted) -> [u8; STAT] {
    let mut b = [0u8; STAT];
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
        let sum = i64::from(of("/", Some(b""), &zero)) + i64::from(of("/zookeeper", Some(b""), &zero));
        assert_eq!(sum, 0x51c6_d660);
    }

    fn stats() -> [StatPersisted; 3] {
        let one = StatPersisted { czxid: 1, pzxid: 2, version: 3, ephemeral_owner: -4, ..Default::default() };
        let two = StatPersisted { mzxid: i64::MIN, ctime: -1, cversion: i32::MAX, aversion: -1, ..one };
        [StatPersisted::default(), one, two]
    }

    #[test]
    fn it_is_the_crc_of_path_data_and_stat_whatever_their_length() {
        for (stat, path) in stats().iter().zip(["", "/a", "/a/long/path/to/somewhere"]) {
            for len in 0..400usize {
                let data: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
                let whole = [path.as_bytes(), &data, &block(stat)].concat();
                assert_eq!(of(path, Some(&data), stat), crc32fast::hash(&whole), "{path} and {len} bytes");
            }
            assert_eq!(of(path, None, stat), of(path, Some(b""), stat));
        }
    }

    #[test]
    fn a_changed_stat_moves_it_to_where_it_would_be() {
        for before in &stats() {
            for after in &stats() {
                let (from, to) = (of("/a/b", Some(b"data"), before), of("/a/b", Some(b"data"), after));
                assert_eq!(moved(from, before, after), to);
            }
        }
    }

    #[test]
    fn only_what_is_below_zookeeper_is_excluded() {
        assert!(excluded("/zookeeper/config"));
        assert!(!excluded("/zookeeper"));
        assert!(!excluded("/zookeeperx/a"));
    }
}
