//! Reads one snapshot, a record at a time.
//!
//! # Invariants
//!
//! * Memory is bounded by the largest record that is really there, never by a length that the
//!   file merely claims.
//! * Every seal that is present is verified; bytes behind the last one are damage.

use super::unpack::Unpacker;
use super::{MAGIC, SEAL, VERSION, ZxidDigest};
use crate::disk::{Disk, DiskFile};
use crate::jute::Reader;
use crate::limits::{SNAPSHOT_RECORD_BYTES, STORAGE_READ_BUFFER};
use crate::storage::error::{Result, StorageError};
use crate::storage::names::SnapshotFile;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode, decode_acl, decode_node, decode_session};
use crate::types::{Zxid, mutant};
use simd_adler32::Adler32;
use std::io::Read;
use std::path::PathBuf;

/// Is handed the records of a snapshot. An error text is blamed on the file.
pub trait SnapshotVisitor {
    /// Sessions and ACL table.
    fn head(&mut self, head: SnapshotHead) -> std::result::Result<(), String>;
    /// One node; parents come before their children.
    fn node(&mut self, node: &SnapshotNode<'_>) -> std::result::Result<(), String>;
}

/// What stands around the nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotInfo {
    /// The zxid in the name: replay goes on behind it.
    pub zxid: Zxid,
    /// First trailer.
    pub digest: Option<ZxidDigest>,
    /// Second trailer.
    pub last_zxid: Option<Zxid>,
    /// Nodes that were read.
    pub nodes: u64,
    /// Uncompressed bytes, seals included.
    pub bytes: u64,
}

/// Reads the snapshot and verifies it.
pub fn read_snapshot<D: Disk, V: SnapshotVisitor>(
    disk: &D,
    snapshot: &SnapshotFile,
    visitor: &mut V,
) -> Result<SnapshotInfo> {
    let path = &snapshot.path;
    let io = |e: std::io::Error| StorageError::io("cannot read", path, &e);
    let file = disk.open_read(path).map_err(io)?;
    // A file that is shorter than the buffer needs none of its size.
    let step =
        usize::try_from(file.len().map_err(io)?).unwrap_or(usize::MAX).clamp(4096, STORAGE_READ_BUFFER);
    let source = Unpacker::new(file, snapshot.compression).map_err(io)?;
    let mut w = Window {
        source,
        path: path.clone(),
        step,
        buf: Vec::new(),
        at: 0,
        summed: 0,
        sum: Adler32::new(),
        before: 0,
        ended: false,
    };
    header(&mut w)?;
    let sessions = sessions(&mut w)?;
    let acls = acls(&mut w)?;
    let told = |w: &Window<_>, e: String| w.damage(e);
    visitor.head(SnapshotHead { sessions, acls }).map_err(|e| told(&w, e))?;
    let mut nodes = 0;
    while let Some(len) = w.node_len()? {
        let mut r = Reader::new(w.bytes(len));
        let node = decode_node(&mut r).map_err(|e| w.damage(e.to_string()))?;
        let node = node.ok_or_else(|| w.damage("an end mark inside a node"))?;
        visitor.node(&node).map_err(|e| told(&w, e))?;
        w.advance(len);
        nodes += 1;
    }
    w.advance(SEAL.len());
    w.seal()?;
    let (digest, last_zxid) = trailers(&mut w)?;
    Ok(SnapshotInfo { zxid: snapshot.zxid, digest, last_zxid, nodes, bytes: w.before + w.at as u64 })
}

fn header<R: Read>(w: &mut Window<R>) -> Result<()> {
    let head = *w.array::<16>()?;
    if !head.starts_with(&MAGIC) {
        return Err(w.damage("the file is no snapshot: wrong magic"));
    }
    let [.., v0, v1, v2, v3, _, _, _, _, _, _, _, _] = head;
    let version = i32::from_be_bytes([v0, v1, v2, v3]);
    if version > VERSION {
        let what = format!("the snapshot has format {version}, this server reads up to {VERSION}");
        return Err(w.damage(what).cured_by("start the newer server that wrote it, or remove that file"));
    }
    w.advance(head.len());
    Ok(())
}

fn sessions<R: Read>(w: &mut Window<R>) -> Result<Vec<(i64, i32)>> {
    let mut all = Vec::new();
    for _ in 0..w.count()? {
        let bytes = *w.array::<12>()?;
        all.push(decode_session(&mut Reader::new(&bytes)).map_err(|e| w.damage(e.to_string()))?);
        w.advance(bytes.len());
    }
    Ok(all)
}

type Acls = Vec<(i64, Vec<crate::types::Acl>)>;

fn acls<R: Read>(w: &mut Window<R>) -> Result<Acls> {
    let mut all = Vec::new();
    for _ in 0..w.count()? {
        let len = w.acl_len()?;
        all.push(decode_acl(&mut Reader::new(w.bytes(len))).map_err(|e| w.damage(e.to_string()))?);
        w.advance(len);
    }
    Ok(all)
}

/// Which trailers there are follows from how many bytes are left: each may be missing.
fn trailers<R: Read>(w: &mut Window<R>) -> Result<(Option<ZxidDigest>, Option<Zxid>)> {
    const DIGEST: usize = 20 + 8 + SEAL.len();
    const ZXID: usize = 8 + 8 + SEAL.len();
    w.ensure(DIGEST + ZXID + 1)?;
    let left = w.left();
    if ![0, DIGEST, ZXID, DIGEST + ZXID].contains(&left) {
        return Err(w.damage(format!("{left} unexpected bytes behind the nodes")));
    }
    let digest = if left >= DIGEST { Some(digest(w)?) } else { None };
    let zxid = if w.left() == ZXID {
        let zxid = Zxid(i64::from_be_bytes(*w.array()?));
        w.advance(8);
        w.seal()?;
        Some(zxid)
    } else {
        None
    };
    Ok((digest, zxid))
}

fn digest<R: Read>(w: &mut Window<R>) -> Result<ZxidDigest> {
    let bytes = *w.array::<20>()?;
    let mut r = Reader::new(&bytes);
    let fields = r.i64().and_then(|zxid| Ok((zxid, r.i32()?, r.i64()?)));
    let (zxid, version, digest) = fields.map_err(|e| w.damage(e.to_string()))?;
    w.advance(bytes.len());
    w.seal()?;
    Ok(ZxidDigest { zxid: Zxid(zxid), version, digest })
}

/// A moving window over the uncompressed bytes.
struct Window<R> {
    source: R,
    path: PathBuf,
    /// Bytes of one read.
    step: usize,
    buf: Vec<u8>,
    /// First byte of `buf` that is not consumed.
    at: usize,
    /// First byte of `buf` that the checksum does not cover yet.
    summed: usize,
    sum: Adler32,
    /// Bytes that have left `buf`.
    before: u64,
    ended: bool,
}

impl<R: Read> Window<R> {
    fn damage(&self, what: impl Into<String>) -> StorageError {
        StorageError::damage(&self.path, self.before + self.at as u64, None, what)
    }

    fn left(&self) -> usize {
        self.buf.len() - self.at
    }

    fn bytes(&self, n: usize) -> &[u8] {
        self.buf.get(self.at..self.at + n).unwrap_or(&[])
    }

    fn advance(&mut self, n: usize) {
        self.at = (self.at + n).min(self.buf.len());
    }

    /// Brings the checksum up to what is consumed.
    fn update_sum(&mut self) {
        self.sum.write(self.buf.get(self.summed..self.at).unwrap_or(&[]));
        self.summed = self.at;
    }

    /// Tries to have `n` unconsumed bytes; fewer only at the end. Grows step by step, so that
    /// only bytes that exist cost memory.
    fn ensure(&mut self, n: usize) -> Result<bool> {
        while self.left() < n && !self.ended {
            self.update_sum();
            self.before += self.at as u64;
            self.buf.drain(..self.at);
            self.at = 0;
            self.summed = 0;
            let have = self.buf.len();
            self.buf.resize(have + self.step, 0);
            let got = self.source.read(self.buf.get_mut(have..).unwrap_or(&mut []));
            self.buf.truncate(have + *got.as_ref().unwrap_or(&0));
            match got {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.read_error(&e)),
            }
        }
        Ok(self.left() >= n)
    }

    /// A stream that does not unpack is damage; anything else is the medium's fault.
    fn read_error(&self, e: &std::io::Error) -> StorageError {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match e.kind() {
            InvalidData | InvalidInput | UnexpectedEof => {
                self.damage(format!("the file does not unpack: {e}"))
            }
            _ => StorageError::io("cannot read", &self.path, e),
        }
    }

    fn need(&mut self, n: usize) -> Result<()> {
        if n > SNAPSHOT_RECORD_BYTES {
            return Err(self.damage(format!("a record of {n} bytes cannot be")));
        }
        if self.ensure(n)? { Ok(()) } else { Err(self.damage("the file ends inside a record")) }
    }

    fn array<const N: usize>(&mut self) -> Result<&[u8; N]> {
        self.need(N)?;
        match self.buf.get(self.at..).and_then(|b| b.first_chunk::<N>()) {
            Some(a) => Ok(a),
            None => Err(StorageError::bug("the window is shorter than it said")),
        }
    }

    /// The length field `at` bytes from here; null counts as empty, as in Java's loops.
    fn length_at(&mut self, at: usize) -> Result<usize> {
        self.need(at + 4)?;
        let field = self.buf.get(self.at + at..).and_then(|b| b.first_chunk::<4>());
        let n = i32::from_be_bytes(*field.unwrap_or(&[0; 4]));
        if n < -1 {
            return Err(self.damage(format!("an impossible length of {n}")));
        }
        Ok(usize::try_from(n).unwrap_or(0))
    }

    fn count(&mut self) -> Result<usize> {
        let n = self.length_at(0)?;
        self.advance(4);
        Ok(n)
    }

    /// Bytes of the ACL table's entry that begins here; all of them are in the window.
    fn acl_len(&mut self) -> Result<usize> {
        let mut len = 12;
        for _ in 0..self.length_at(8)? {
            len += 4;
            len += 4 + self.length_at(len)?;
            len += 4 + self.length_at(len)?;
        }
        self.need(len)?;
        Ok(len)
    }

    /// Bytes of the node that begins here, all of them in the window; `None` at the end mark.
    fn node_len(&mut self) -> Result<Option<usize>> {
        let path = self.length_at(0)?;
        if path == 1 {
            self.need(SEAL.len())?;
            if self.bytes(SEAL.len()) == SEAL {
                return Ok(None);
            }
        }
        let data = self.length_at(4 + path)?;
        let len = 4 + path + 4 + data + 8 + 60;
        self.need(len)?;
        Ok(Some(len))
    }

    /// Compares the checksum of everything so far with the one that stands here.
    fn seal(&mut self) -> Result<()> {
        self.update_sum();
        let sum = u64::from(self.sum.finish());
        let stored = u64::from_be_bytes(*self.array()?);
        if stored != sum && !mutant::on("snapshot-sum-ignored") {
            return Err(self.damage("the checksum of the snapshot does not match"));
        }
        self.advance(8);
        if *self.array::<5>()? != SEAL {
            return Err(self.damage("a checksum of the snapshot is not sealed"));
        }
        self.advance(SEAL.len());
        Ok(())
    }
}
