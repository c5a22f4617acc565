//! Ports that take TLS and plain connections, told apart by the first byte.
//!
//! A TLS connection begins with a handshake record, byte 22. No plain connection does: a client's
//! begins with the length of its connect request, whose first byte is 0, or with a four-letter
//! word; a server's with a negative protocol number or, for learners, with the length of a packet.
//!
//! # Invariants
//!
//! * The byte is looked at and stays in the socket: whoever reads next sees all of the stream.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// First byte of a TLS connection.
pub const HANDSHAKE: u8 = 22;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// TLS.
    Tls,
    /// Anything else.
    Plain,
}

/// Waits for the first byte.
///
/// # Errors
///
/// The socket failed, or was closed before a byte came.
pub async fn detect(stream: &TcpStream) -> io::Result<Speaks> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if first == [HANDSHAKE] => Ok(Speaks::Tls),
        _ => Ok(Speaks::Plain),
    }
}

/// The same within `ssl.quorum.handshakeDetectionTimeoutMillis`; whoever is silent is plain, as in
/// ZooKeeper: between servers the acceptor may have to speak first.
///
/// # Errors
///
/// As [`detect`].
pub async fn detect_within(stream: &TcpStream, limit: Duration) -> io::Result<Speaks> {
    tokio::time::timeout(limit, detect(stream)).await.unwrap_or(Ok(Speaks::Plain))
}
