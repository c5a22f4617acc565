//! The HTTP face: one small HTTP/1.1 server on hyper, for the admin server and the metrics endpoint.
//!
//! | module | |
//! |---|---|
//! | [`listener`] | ports: bind, accept, TLS |
//! | `connection` | one connection: requests to [`Asked`], replies to bytes, time |
//! | [`target`] | paths and queries, decoded and judged |
//! | [`asked`] | a request |
//! | [`reply`] | an answer |
//! | `pace` | what a connection may take its time for |
//!
//! A [`Site`] answers. It runs where waiting is allowed, a few answers at a time.
//!
//! # Invariants
//!
//! * Head, body, connections, answers and every phase's time are bounded ([`crate::limits`]).
//! * A path has no dot segments, no control characters and nothing that was encoded twice; what
//!   else came is refused before a site sees it.
//! * The peer is the socket's: headers that claim another one are never consulted.
//! * A body that is not wanted is not read.

pub mod asked;
mod connection;
pub mod listener;
mod pace;
pub mod reply;
pub mod target;
#[cfg(test)]
mod tests;

pub use asked::{Asked, Body};
pub use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};
pub use listener::{HttpListener, HttpWire, serve};
pub use reply::{Reply, ReplyBody};

use crate::auth::sasl::Refusal;
use std::net::SocketAddr;

/// How a request is taken, decided by its method and path alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taken {
    /// The body is bounded and read before the request is answered.
    #[default]
    Whole,
    /// The body is read by the answer, or the answer itself is long: both may take
    /// [`HTTP_STREAM_MS`](crate::limits::HTTP_STREAM_MS) as long as they get on.
    Streamed,
}

/// What answers the requests of a port.
pub trait Site: Send + Sync + 'static {
    /// Answers a request. Called on a thread that may wait, a few at a time.
    fn answer(&self, asked: Asked) -> Reply;

    /// How a request is taken.
    fn taken(&self, _method: &Method, _path: &str) -> Taken {
        Taken::Whole
    }

    /// The answer to a request that needs no waiting and no body, such as a probe's: it is given even when
    /// all turns are taken. Must not wait.
    fn at_once(&self, _method: &Method, _path: &str) -> Option<Reply> {
        None
    }

    /// Somebody came without TLS to a port that takes both.
    fn came_plain(&self) {}

    /// A TLS handshake was refused.
    fn tls_refused(&self, _peer: SocketAddr, _refusal: &Refusal) {}
}
