//! Reads one segment from its first record to its end.
//!
//! # Invariants
//!
//! * The buffer grows only for a record whose bytes the file has.
//! * The running checksum covers exactly the bytes from the start of the file to the end of
//!   the last record handed out: what a durable mark is compared with.

use super::format::{self, Flaw, HEADER, Parsed, entry_zxid};
use crate::disk::{Disk, DiskFile};
use crate::limits::STORAGE_READ_BUFFER;
use crate::storage::error::{Result, StorageError};
use crate::types::Zxid;
use simd_adler32::Adler32;
use std::path::{Path, PathBuf};

/// A whole record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Its zxid.
    pub zxid: Zxid,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its Adler-32.
    pub checksum: u32,
    /// Header, body and digest of the transaction.
    pub bytes: &'a [u8],
}

/// How the header of a segment looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderState {
    /// As it must be.
    Good,
    /// The file has no bytes.
    Empty,
    /// The file is shorter than a header, or some of its magic reads as zeros.
    Torn,
    /// It belongs to something else.
    Foreign,
}

/// Where and why reading stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Behind the last whole record.
    pub offset: u64,
    /// `None` at a regular end.
    pub flaw: Option<Flaw>,
}

/// A reader of one segment.
pub struct SegmentReader<F: DiskFile> {
    file: F,
    path: PathBuf,
    len: u64,
    buf: Vec<u8>,
    /// Position in the file of the first byte of `buf`.
    buf_at: u64,
    /// Position in the file of the next record.
    pos: u64,
    sum: Adler32,
    first: Option<u32>,
    header: HeaderState,
    end: Option<End>,
}

impl<F: DiskFile> SegmentReader<F> {
    /// Opens a segment and looks at its header.
    pub fn open<D: Disk<File = F>>(disk: &D, path: &Path) -> Result<SegmentReader<F>> {
        let file = disk.open_read(path).map_err(|e| StorageError::io("cannot open", path, &e))?;
        let len = file.len().map_err(|e| StorageError::io("cannot read", path, &e))?;
        let mut reader = SegmentReader {
            file,
            path: path.to_owned(),
            len,
            buf: Vec::new(),
            buf_at: 0,
            pos: HEADER as u64,
            sum: Adler32::new(),
            first: None,
            header: HeaderState::Good,
            end: None,
        };
        reader.fill(0, HEADER)?;
        reader.header = reader.judge_header();
        if let Some(head) = reader.buf.get(..HEADER) {
            reader.sum.write(head);
        }
        Ok(reader)
    }

    fn judge_header(&self) -> HeaderState {
        match self.buf.get(..HEADER) {
            None if self.buf.is_empty() => HeaderState::Empty,
            None => HeaderState::Torn,
            Some(h) if h.starts_with(&format::MAGIC) => HeaderState::Good,
            // Some bytes of it arrived, the others read as zeros.
            Some(h) if h.iter().zip(&format::MAGIC).all(|(b, m)| *b == 0 || b == m) => HeaderState::Torn,
            Some(_) => HeaderState::Foreign,
        }
    }

    /// The state of the header; records are read only behind a good one.
    pub fn header(&self) -> HeaderState {
        self.header
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file, preallocation included.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Has the file no bytes?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Behind the last record that was handed out.
    pub fn position(&self) -> u64 {
        self.pos
    }

    /// Adler-32 of the file up to [`SegmentReader::position`].
    pub fn sum(&self) -> u32 {
        self.sum.finish()
    }

    /// Checksum of the first record, once it was handed out.
    pub fn first_checksum(&self) -> Option<u32> {
        self.first
    }

    /// How it ended, once [`SegmentReader::next_entry`] has returned `None`.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Makes `buf` hold the bytes of the file from `at`, at least `want` of them if there are.
    fn fill(&mut self, at: u64, want: usize) -> Result<()> {
        let skip = usize::try_from(at.saturating_sub(self.buf_at)).unwrap_or(usize::MAX);
        self.buf.drain(..skip.min(self.buf.len()));
        self.buf_at = at;
        let have = self.buf.len();
        let target = want.max(STORAGE_READ_BUFFER);
        let left = self.len.saturating_sub(at);
        let target = usize::try_from(left).map_or(target, |l| target.min(l));
        if target <= have {
            return Ok(());
        }
        self.buf.resize(target, 0);
        let rest = self.buf.get_mut(have..).unwrap_or(&mut []);
        let n = self.file.read_at(rest, at + have as u64);
        let n = n.map_err(|e| StorageError::io("cannot read", &self.path, &e).at(at))?;
        self.buf.truncate(have + n);
        Ok(())
    }

    /// The next whole record, `None` at the end. After an error or the end nothing follows.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>> {
        if self.end.is_some() || self.header != HeaderState::Good {
            return Ok(None);
        }
        let (len, sum) = loop {
            let start = usize::try_from(self.pos - self.buf_at).unwrap_or(usize::MAX);
            let bytes = self.buf.get(start..).unwrap_or(&[]);
            match format::parse(bytes, self.len - self.pos) {
                Parsed::Record(sum, entry) => break (entry.len(), sum),
                Parsed::More(want) => {
                    let before = bytes.len();
                    self.fill(self.pos, want)?;
                    if self.buf.len() <= before {
                        // The file shrank while it was read.
                        return self.finish(Some(Flaw::Short));
                    }
                }
                Parsed::End => return self.finish(None),
                Parsed::Flaw(flaw) => return self.finish(Some(flaw)),
            }
        };
        let start = usize::try_from(self.pos - self.buf_at).unwrap_or(usize::MAX);
        let offset = self.pos;
        let record = self.buf.get(start..start + len + format::FRAME).unwrap_or(&[]);
        self.sum.write(record);
        self.pos += record.len() as u64;
        self.first.get_or_insert(sum);
        let bytes = record.get(format::FRAME_HEAD..format::FRAME_HEAD + len).unwrap_or(&[]);
        let zxid = entry_zxid(bytes).unwrap_or_default();
        Ok(Some(Entry { zxid, offset, checksum: sum, bytes }))
    }

    fn finish(&mut self, flaw: Option<Flaw>) -> Result<Option<Entry<'_>>> {
        self.end = Some(End { offset: self.pos, flaw });
        Ok(None)
    }

    /// The file, to look behind the end.
    pub(super) fn file(&self) -> &F {
        &self.file
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::disk::mem::MemDisk;

    /// An entry of the given zxid with `extra` bytes of body; its type is "error".
    pub(crate) fn entry(zxid: i64, extra: usize) -> Vec<u8> {
        let mut e = vec![0; 32 + extra];
        e[12..20].copy_from_slice(&zxid.to_be_bytes());
        e[28..32].copy_from_slice(&(-1i32).to_be_bytes());
        e
    }

    /// A disk with one segment of these entries and `pad` zeros behind.
    pub(crate) fn segment(zxids: &[i64], pad: usize) -> (MemDisk, PathBuf) {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        let path = PathBuf::from("/d/log.1");
        let mut bytes = format::header().to_vec();
        for z in zxids {
            format::frame(&entry(*z, 4), &mut bytes);
        }
        bytes.resize(bytes.len() + pad, 0);
        disk.create_new(&path).unwrap().write_all_at(&bytes, 0).unwrap();
        (disk, path)
    }

    fn read_all(disk: &MemDisk, path: &Path) -> (Vec<i64>, End) {
        let mut r = SegmentReader::open(disk, path).unwrap();
        let mut zxids = Vec::new();
        while let Some(e) = r.next_entry().unwrap() {
            zxids.push(e.zxid.0);
        }
        (zxids, r.end().unwrap())
    }

    #[test]
    fn padding_and_the_end_of_the_file_are_regular_ends() {
        for pad in [0, 1, 11, 12, 13, 5000] {
            let (disk, path) = segment(&[1, 2, 3], pad);
            let (zxids, end) = read_all(&disk, &path);
            assert_eq!((zxids, end), (vec![1, 2, 3], End { offset: 16 + 3 * 49, flaw: None }), "pad {pad}");
        }
    }

    #[test]
    fn a_torn_record_ends_reading_with_its_flaw() {
        let (disk, path) = segment(&[1, 2], 100);
        disk.damage(&path, |f| f[16 + 49 + 20] ^= 1);
        assert_eq!(read_all(&disk, &path), (vec![1], End { offset: 65, flaw: Some(Flaw::Checksum) }));
        let (disk, path) = segment(&[1, 2], 0);
        disk.damage(&path, |f| f.truncate(100));
        assert_eq!(read_all(&disk, &path), (vec![1], End { offset: 65, flaw: Some(Flaw::Short) }));
    }

    #[test]
    fn headers_are_told_apart() {
        let state = |bytes: &[u8]| {
            let (disk, path) = segment(&[], 0);
            disk.damage(&path, |f| *f = bytes.to_vec());
            SegmentReader::open(&disk, &path).unwrap().header()
        };
        assert_eq!(state(b""), HeaderState::Empty);
        assert_eq!(state(b"ZKLG"), HeaderState::Torn);
        assert_eq!(state(&[0; 100]), HeaderState::Torn);
        assert_eq!(state(b"\0KL\0............"), HeaderState::Torn);
        assert_eq!(state(b"ZKSN............"), HeaderState::Foreign);
        assert_eq!(state(&format::header()), HeaderState::Good);
    }

    #[test]
    fn the_running_sum_covers_what_was_handed_out() {
        let (disk, path) = segment(&[1, 2], 50);
        let mut r = SegmentReader::open(&disk, &path).unwrap();
        assert!(r.next_entry().unwrap().is_some());
        let whole = disk.read_small(&path, 1000).unwrap();
        assert_eq!(r.sum(), simd_adler32::adler32(&&whole[..65]));
    }
}
