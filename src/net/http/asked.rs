//! A request, as a site sees it.
//!
//! # Invariants
//!
//! * A streamed body is asked for by the first read: until then its sender was told nothing.

use std::io::{self, Read};
use std::net::SocketAddr;

use bytes::{Buf as _, Bytes};
use hyper::Method;
use hyper::header::{AsHeaderName, HeaderMap};
use tokio::sync::{mpsc, oneshot};

use crate::tls::X509Identity;

/// A request.
#[derive(Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, decoded; without dot segments and control characters.
    pub path: String,
    /// The query's names and values, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Who asks, by the socket.
    pub peer: SocketAddr,
    /// Did it come by TLS?
    pub secure: bool,
    /// Who the peer is by its certificate, where it showed one.
    pub certificate: Option<X509Identity>,
}

impl Asked {
    /// The first value of this name in the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A header that is there once and is plain text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next()?;
        first.to_str().ok().filter(|_| all.next().is_none())
    }
}

/// The body of a request.
#[derive(Debug, Default)]
pub struct Body {
    ready: Bytes,
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    /// Asks for the body, once.
    ask: Option<oneshot::Sender<()>>,
    parts: mpsc::Receiver<io::Result<Bytes>>,
}

impl Body {
    /// A body that is there.
    pub fn whole(bytes: Bytes) -> Body {
        Body { ready: bytes, rest: None }
    }

    /// A body that comes in parts, once it is asked for.
    pub(super) fn streamed(ask: oneshot::Sender<()>, parts: mpsc::Receiver<io::Result<Bytes>>) -> Body {
        Body { ready: Bytes::new(), rest: Some(Rest { ask: Some(ask), parts }) }
    }
}

impl Read for Body {
    /// Waits for the next part of a streamed body.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            let Some(rest) = &mut self.rest else { return Ok(0) };
            if let Some(ask) = rest.ask.take() {
                // Nobody listens when the client is gone; the parts say so.
                let _ = ask.send(());
            }
            match rest.parts.blocking_recv() {
                Some(Ok(part)) => self.ready = part,
                Some(Err(e)) => return Err(e),
                None => return Ok(0),
            }
        }
        let n = self.ready.len().min(into.len());
        let (part, _) = into.split_at_mut(n);
        self.ready.copy_to_slice(part);
        Ok(n)
    }
}
