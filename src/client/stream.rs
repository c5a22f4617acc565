//! How a client reaches a server: the seam for TLS and SASL.
//!
//! # Invariants
//!
//! * The session's machinery sees a stream of bytes and a SASL conversation, never
//!   a library.

use super::connect_string::HostPort;
use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// Opens connections: plain TCP here, TLS in its own room.
pub trait Connector: Send + Sync {
    /// Connects to one server. The caller bounds the time.
    fn connect<'a>(&'a self, server: &'a HostPort) -> Boxed<'a, io::Result<Box<dyn ByteStream>>>;
}

/// Plain TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    fn connect<'a>(&'a self, server: &'a HostPort) -> Boxed<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

/// One step of a SASL conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaslStep {
    /// Send this token and wait for the server's.
    Send(Vec<u8>),
    /// The server has proved and accepted enough; nothing more is sent.
    Done,
}

/// One conversation with one server.
pub trait SaslSession: Send {
    /// The next step; `challenge` is `None` at the start. An error ends the session as AuthFailed.
    fn step<'a>(&'a mut self, challenge: Option<&'a [u8]>) -> Boxed<'a, Result<SaslStep, String>>;
}

/// Begins conversations: Kerberos or DIGEST-MD5 in their own rooms.
pub trait SaslClient: Send + Sync {
    /// A conversation with `server`, whose host name is part of a Kerberos principal.
    fn begin(&self, server: &HostPort) -> Result<Box<dyn SaslSession>, String>;
}
