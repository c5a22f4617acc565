//! The three forms of a snapshot's bytes, on the way in.
//!
//! # Invariants
//!
//! * A block of snappy is bounded before it is allocated, compressed and uncompressed.

use super::SNAPPY_MAGIC;
use crate::config::settings::Compression;
use crate::disk::DiskFile;
use crate::limits::{SNAPPY_MAX_BLOCK_BYTES, STORAGE_READ_BUFFER};
use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// The uncompressed bytes of a snapshot.
pub enum Unpacker<F: DiskFile> {
    /// As they are.
    Plain(Source<F>),
    /// Through inflate; several members in a row are one stream, as in Java.
    Gzip(Box<MultiGzDecoder<Source<F>>>),
    /// From snappy blocks.
    Snappy(SnappyBlocks<F>),
}

impl<F: DiskFile> Unpacker<F> {
    /// Reads `file` from its start.
    pub fn new(file: F, compression: Compression) -> io::Result<Unpacker<F>> {
        let source = Source { file, at: 0 };
        Ok(match compression {
            Compression::None => Unpacker::Plain(source),
            Compression::Gzip => Unpacker::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Snappy => Unpacker::Snappy(SnappyBlocks::new(source)?),
        })
    }
}

impl<F: DiskFile> Read for Unpacker<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacker::Plain(s) => s.read(buf),
            Unpacker::Gzip(g) => g.read(buf),
            Unpacker::Snappy(s) => s.read(buf),
        }
    }
}

/// A cursor over a file with positions.
pub struct Source<F: DiskFile> {
    file: F,
    at: u64,
}

impl<F: DiskFile> Read for Source<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// snappy-java's stream: header, then blocks behind their compressed lengths. A second stream
/// may follow the first: its header stands where a length would.
pub struct SnappyBlocks<F: DiskFile> {
    source: io::BufReader<Source<F>>,
    packed: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("snappy stream: {what}"))
}

impl<F: DiskFile> SnappyBlocks<F> {
    fn new(source: Source<F>) -> io::Result<SnappyBlocks<F>> {
        let mut source = io::BufReader::with_capacity(STORAGE_READ_BUFFER, source);
        let mut head = [0; 16];
        source.read_exact(&mut head)?;
        if !head.starts_with(&SNAPPY_MAGIC) {
            return Err(bad("wrong magic"));
        }
        Ok(SnappyBlocks { source, packed: Vec::new(), block: Vec::new(), at: 0 })
    }

    /// Unpacks the next block; false at the end of the stream.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut length = [0; 4];
        let mut have = 0;
        while have < length.len() {
            match self.source.read(length.get_mut(have..).unwrap_or(&mut []))? {
                0 if have == 0 => return Ok(false),
                0 => return Err(bad("it ends inside a length")),
                n => have += n,
            }
        }
        if SNAPPY_MAGIC.starts_with(&length) {
            let mut rest = [0; 12];
            self.source.read_exact(&mut rest)?;
            self.block.clear();
            self.at = 0;
            return Ok(true);
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > snap::raw::max_compress_len(SNAPPY_MAX_BLOCK_BYTES) {
            return Err(bad("a block is too long"));
        }
        self.packed.clear();
        let got = (&mut self.source).take(length as u64).read_to_end(&mut self.packed)?;
        if got != length {
            return Err(bad("it ends inside a block"));
        }
        let size = snap::raw::decompress_len(&self.packed).map_err(io::Error::other)?;
        // No input of n bytes unpacks to more than 64 n: a copy of 64 bytes takes two.
        if size > SNAPPY_MAX_BLOCK_BYTES || size > 64 * length {
            return Err(bad("a block unpacks to more than it can"));
        }
        self.block.resize(size, 0);
        snap::raw::Decoder::new().decompress(&self.packed, &mut self.block).map_err(io::Error::other)?;
        self.at = 0;
        Ok(true)
    }
}

impl<F: DiskFile> Read for SnappyBlocks<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let rest = self.block.get(self.at..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}
