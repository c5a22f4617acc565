//! What lies behind the end of a segment: nothing, the rest of a torn write, or records that
//! a damaged one hides.
//!
//! # Invariants
//!
//! * Looking costs one pass over the rest of the file, whatever is in it: zeros are skipped by
//!   the page, a record is believed only with its checksum.

use super::format::{self, FRAME_HEAD, Parsed, entry_kind, entry_zxid};
use super::read::SegmentReader;
use crate::disk::DiskFile;
use crate::limits::{LOG_BATCH_BYTES, LOG_ENTRY_MIN_BYTES, STORAGE_READ_BUFFER};
use crate::storage::error::{Result, StorageError};
use crate::types::Zxid;

/// A whole record behind the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hidden {
    /// Where it begins.
    pub offset: u64,
    /// Its zxid.
    pub zxid: Zxid,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behind {
    /// The first whole record.
    pub first: Option<Hidden>,
    /// The first whole record that begins more than [`LOG_BATCH_BYTES`] behind the end: no
    /// single group commit can have left both it and the end.
    pub far: Option<Hidden>,
    /// Is there any byte that is not zero?
    pub dirty: bool,
}

/// Looks behind `from` for whole records later than `last`.
pub fn look_behind<F: DiskFile>(reader: &SegmentReader<F>, from: u64, last: Zxid) -> Result<Behind> {
    let mut found = Behind::default();
    let mut at = from;
    let rest = usize::try_from(reader.len().saturating_sub(from)).unwrap_or(usize::MAX);
    let mut window = vec![0; STORAGE_READ_BUFFER.min(rest)];
    while at < reader.len() {
        let n = read(reader, &mut window, at)?;
        let Some(bytes) = window.get(..n).filter(|b| !b.is_empty()) else { break };
        // Pieces that a processor folds at once: most of a preallocation is zeros.
        let dirty = bytes.chunks(4096).any(|c| c.iter().fold(0, |a, b| a | b) != 0);
        found.dirty |= dirty;
        if dirty {
            search(reader, bytes, at, from, last, &mut found)?;
            if found.far.is_some() {
                break;
            }
        }
        // A frame may begin in the last bytes of this window.
        at += if at + n as u64 >= reader.len() {
            n as u64
        } else {
            (n.max(FRAME_HEAD + 1) - FRAME_HEAD) as u64
        };
    }
    Ok(found)
}

fn read<F: DiskFile>(reader: &SegmentReader<F>, into: &mut [u8], at: u64) -> Result<usize> {
    let n = reader.file().read_at(into, at);
    n.map_err(|e| StorageError::io("cannot read", reader.path(), &e).at(at))
}

/// Tries every position of a window at which a frame could begin.
fn search<F: DiskFile>(
    reader: &SegmentReader<F>,
    bytes: &[u8],
    at: u64,
    from: u64,
    last: Zxid,
    found: &mut Behind,
) -> Result<()> {
    let mut record = Vec::new();
    let mut skip_to = 0;
    for (i, head) in bytes.windows(FRAME_HEAD).enumerate() {
        if i < skip_to || !plausible(head) {
            continue;
        }
        let offset = at + i as u64;
        let far = offset - from > LOG_BATCH_BYTES as u64;
        if found.first.is_some() && !far {
            continue;
        }
        let Some((zxid, len)) = whole(reader, offset, head, &mut record)? else { continue };
        if zxid <= last {
            continue;
        }
        let hidden = Hidden { offset, zxid };
        found.first.get_or_insert(hidden);
        if far {
            found.far = Some(hidden);
            return Ok(());
        }
        skip_to = i + len;
    }
    Ok(())
}

/// The upper half of the checksum is zero, the length is possible, there is a checksum.
fn plausible(head: &[u8]) -> bool {
    let &[s0, s1, s2, s3, c0, c1, c2, c3, l0, l1, l2, l3] = head else { return false };
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    (s0 | s1 | s2 | s3) == 0
        && (c0 | c1 | c2 | c3) != 0
        && usize::try_from(length).is_ok_and(|n| n >= LOG_ENTRY_MIN_BYTES)
}

/// Zxid and length of the record at `offset`, if a whole one begins there.
fn whole<F: DiskFile>(
    reader: &SegmentReader<F>,
    offset: u64,
    head: &[u8],
    record: &mut Vec<u8>,
) -> Result<Option<(Zxid, usize)>> {
    let length = head.get(8..12).and_then(|l| l.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let total = length + format::FRAME;
    let left = reader.len() - offset;
    if total as u64 > left {
        return Ok(None);
    }
    // The closing byte is looked at first: it rules nearly everything out for one read.
    let mut end = [0u8; 1];
    read(reader, &mut end, offset + total as u64 - 1)?;
    if end[0] != format::END {
        return Ok(None);
    }
    record.resize(total, 0);
    let n = read(reader, record, offset)?;
    record.truncate(n);
    match format::parse(record, left) {
        Parsed::Record(_, entry) if entry_kind(entry).is_some_and(|k| (-11..=21).contains(&k)) => {
            Ok(entry_zxid(entry).map(|z| (z, total)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{entry, segment};
    use super::*;

    #[test]
    fn a_hidden_record_is_found_and_zeros_are_not_dirty() {
        let (disk, path) = segment(&[1, 2, 3], 4000);
        disk.damage(&path, |f| f[70] ^= 1);
        let r = SegmentReader::open(&disk, &path).unwrap();
        let b = look_behind(&r, 65, Zxid(1)).unwrap();
        assert_eq!(b.first, Some(Hidden { offset: 114, zxid: Zxid(3) }));
        assert_eq!((b.far, b.dirty), (None, true));
        assert_eq!(look_behind(&r, 163, Zxid(3)).unwrap(), Behind::default());
    }

    #[test]
    fn records_beyond_one_group_commit_are_told_apart() {
        let (disk, path) = segment(&[1], 0);
        let gap = LOG_BATCH_BYTES + 500;
        disk.damage(&path, |f| {
            f.resize(f.len() + gap, 0);
            format::frame(&entry(9, 4), f);
            f.resize(f.len() + 100, 0);
        });
        let r = SegmentReader::open(&disk, &path).unwrap();
        let b = look_behind(&r, 65, Zxid(1)).unwrap();
        assert_eq!(b.first, b.far);
        assert_eq!(b.far, Some(Hidden { offset: 65 + gap as u64, zxid: Zxid(9) }));
        assert_eq!(look_behind(&r, 65, Zxid(9)).unwrap().first, None, "not later than the last");
    }

    #[test]
    fn noise_is_no_record() {
        let (disk, path) = segment(&[1], 0);
        disk.damage(&path, |f| {
            f.extend((0..100_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_be_bytes()))
        });
        let r = SegmentReader::open(&disk, &path).unwrap();
        let b = look_behind(&r, 65, Zxid(1)).unwrap();
        assert_eq!((b.first, b.dirty), (None, true));
    }
}
