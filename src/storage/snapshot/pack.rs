//! The three forms of a snapshot's bytes, on the way out.
//!
//! # Invariants
//!
//! * Plain is plain; gzip is one member; snappy is snappy-java's stream: a header of 16 bytes,
//!   then blocks of at most 32 KiB, each behind its compressed length.

use super::SNAPPY_MAGIC;
use crate::config::settings::Compression;
use crate::limits::SNAPPY_BLOCK_BYTES;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Turns bytes into the bytes of the file.
pub enum Packer {
    /// As they are.
    Plain(Vec<u8>),
    /// Through deflate.
    Gzip(Box<GzEncoder<Vec<u8>>>),
    /// In snappy blocks.
    Snappy(Box<Snappy>),
}

/// Blocks of snappy.
pub struct Snappy {
    encoder: snap::raw::Encoder,
    block: Vec<u8>,
    out: Vec<u8>,
}

impl Packer {
    /// A packer of the form.
    pub fn new(compression: Compression) -> Packer {
        match compression {
            Compression::None => Packer::Plain(Vec::new()),
            // Java's default level; the header says so, too.
            Compression::Gzip => {
                Packer::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::default())))
            }
            Compression::Snappy => Packer::Snappy(Box::new(Snappy::new())),
        }
    }

    /// Takes bytes.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Packer::Plain(out) => out.extend_from_slice(bytes),
            Packer::Gzip(g) => g.write_all(bytes)?,
            Packer::Snappy(s) => s.put(bytes)?,
        }
        Ok(())
    }

    /// What is ready to be written; the caller clears it.
    pub fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Packer::Plain(out) => out,
            Packer::Gzip(g) => g.get_mut(),
            Packer::Snappy(s) => &mut s.out,
        }
    }

    /// Closes the stream; the rest is then ready.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(_) => Ok(()),
            Packer::Gzip(g) => g.try_finish(),
            Packer::Snappy(s) => s.close_block(),
        }
    }
}

impl Snappy {
    fn new() -> Snappy {
        let mut out = SNAPPY_MAGIC.to_vec();
        // Version and lowest version that reads it.
        out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        Snappy { encoder: snap::raw::Encoder::new(), block: Vec::with_capacity(SNAPPY_BLOCK_BYTES), out }
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = bytes.len().min(SNAPPY_BLOCK_BYTES - self.block.len());
            let (now, later) = bytes.split_at(n);
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == SNAPPY_BLOCK_BYTES {
                self.close_block()?;
            }
        }
        Ok(())
    }

    fn close_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = self.encoder.compress_vec(&self.block).map_err(io::Error::other)?;
        self.out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        self.out.extend_from_slice(&packed);
        self.block.clear();
        Ok(())
    }
}
