//! A connection between servers, and the bytes that were read of it but not yet used.
//!
//! # Invariants
//!
//! * No byte is lost between handshake and protocol: both read from one buffer.
//! * The buffer grows by what comes, not by what is announced.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::limits::READ_BUFFER;
use crate::tls::quorum::PeerStream;

/// What became of a connection, in words: most of the time the other end has simply gone.
pub fn ended(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "the other end closed the connection".to_owned(),
        _ => e.to_string(),
    }
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    /// The stream.
    pub stream: PeerStream,
    /// What was read and not used.
    pub inbox: BytesMut,
}

impl Conn {
    /// Nothing was read yet.
    pub fn new(stream: PeerStream) -> Conn {
        Conn { stream, inbox: BytesMut::new() }
    }

    /// Reads some more. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// The connection failed or, as [`io::ErrorKind::UnexpectedEof`], was closed.
    pub async fn more(&mut self) -> io::Result<()> {
        if self.inbox.capacity() - self.inbox.len() < READ_BUFFER / 4 {
            self.inbox.reserve(READ_BUFFER);
        }
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads until there are so many bytes.
    ///
    /// # Errors
    ///
    /// As [`Conn::more`].
    pub async fn fill(&mut self, want: usize) -> io::Result<()> {
        while self.inbox.len() < want {
            self.more().await?;
        }
        Ok(())
    }

    /// Writes all of it, at once.
    ///
    /// # Errors
    ///
    /// The connection failed.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}
