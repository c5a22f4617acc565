//! TLS between servers: what the quorum and election ports accept, and how they are connected to.
//!
//! | `sslQuorum` | `portUnification` | accepts | connects |
//! |---|---|---|---|
//! | false | false | plain | plain |
//! | true | false | TLS | TLS |
//! | false | true | both | plain |
//! | true | true | both | TLS |
//!
//! (`UnifiedServerSocket`; the two middle steps are those of a rolling change.)
//!
//! # Invariants
//!
//! * A peer that comes by TLS has a certificate for a host of the `server.N` lines or a name of
//!   `ssl.quorum.allowedNames`: a certificate of the same authority for somebody else does not make a
//!   server. `ssl.quorum.clientHostnameVerification=false` gives that up.
//! * Without `portUnification` nothing but TLS is accepted once `sslQuorum` is on.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::client::ClientTls;
use super::error::TlsError;
use super::server::{Polled, Role, ServerTls, X509Identity};
use super::unify::{Speaks, detect_within};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::config::settings::Settings;

/// TLS between servers, as configured.
#[derive(Debug)]
pub struct QuorumTls {
    acceptor: ServerTls,
    connector: Option<ClientTls>,
    plain_too: bool,
    detection: Duration,
}

impl QuorumTls {
    /// Sets it up; `None` where neither `sslQuorum` nor `portUnification` is on. With it what an operator
    /// should know.
    ///
    /// # Errors
    ///
    /// The file or key at fault with its cure.
    pub fn new(settings: &Settings) -> Result<Option<(QuorumTls, Vec<String>)>, TlsError> {
        let (quorum, side) = (&settings.quorum, &settings.tls.quorum);
        if !quorum.ssl_quorum && !quorum.port_unification {
            return Ok(None);
        }
        let members = quorum.ensemble.members.values();
        let hosts = members.flat_map(|m| m.addresses.iter().map(|a| a.host.clone())).collect();
        let role = Role::Quorum { hosts };
        let connector = quorum.ssl_quorum.then(|| ClientTls::new(side, &role)).transpose()?;
        let (acceptor, notices) = ServerTls::new(side, role)?;
        let tls = QuorumTls {
            acceptor,
            connector: connector.map(|(connector, _)| connector),
            plain_too: quorum.port_unification,
            detection: Duration::from_millis(u64::from(side.handshake_detection_timeout_millis)),
        };
        Ok(Some((tls, notices)))
    }

    /// Makes a stream of a connection that came from `from`, and tells who it is.
    ///
    /// # Errors
    ///
    /// Why the peer is refused.
    pub async fn accept(
        &self,
        stream: TcpStream,
        from: IpAddr,
    ) -> Result<(PeerStream, Option<X509Identity>), Refusal> {
        let closed = |e: std::io::Error| Refusal::new(Reason::TlsHandshake, e.to_string());
        match detect_within(&stream, self.detection).await.map_err(closed)? {
            Speaks::Tls => {
                let (stream, identity) = self.acceptor.accept(stream, from).await?;
                Ok((PeerStream::Tls(Box::new(TlsStream::Server(stream))), identity))
            }
            Speaks::Plain if self.plain_too => Ok((PeerStream::Plain(stream), None)),
            Speaks::Plain => Err(Refusal::new(Reason::TlsPlaintext, "the port takes TLS alone (sslQuorum)")),
        }
    }

    /// Makes a stream of a connection to `host`, the name or address of its `server.N` line.
    ///
    /// # Errors
    ///
    /// Why the other server is refused, or refuses us.
    pub async fn connect(&self, stream: TcpStream, host: &str) -> Result<PeerStream, Refusal> {
        match &self.connector {
            Some(connector) => {
                let stream = connector.connect(stream, host).await?;
                Ok(PeerStream::Tls(Box::new(TlsStream::Client(stream))))
            }
            None => Ok(PeerStream::Plain(stream)),
        }
    }

    /// Takes connections of servers of these hosts from now on: the ensemble has changed.
    ///
    /// # Errors
    ///
    /// A host that cannot be in a certificate; then nothing changes.
    pub fn set_hosts(&self, hosts: Vec<String>) -> Result<(), TlsError> {
        self.acceptor.set_hosts(hosts)
    }

    /// Last second of the own certificate's validity, Unix time.
    pub fn own_not_after(&self) -> Option<i64> {
        self.acceptor.own_not_after()
    }

    /// Looks at the files of both directions and reloads what has changed. Blocks.
    pub fn poll(&self) -> [Polled; 2] {
        let connector = self.connector.as_ref().map_or(Polled::Unchanged, ClientTls::poll);
        [self.acceptor.poll(), connector]
    }
}

/// A connection between servers.
#[derive(Debug)]
pub enum PeerStream {
    /// Not encrypted.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl PeerStream {
    /// Is it encrypted?
    pub fn is_encrypted(&self) -> bool {
        matches!(self, PeerStream::Tls(_))
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            PeerStream::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            PeerStream::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            PeerStream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            PeerStream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
