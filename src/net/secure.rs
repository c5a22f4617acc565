//! From an admitted socket to a connection whose peer is known: TLS handshakes, and ports that take
//! TLS and plain connections.
//!
//! # Invariants
//!
//! * The service learns who the peer is before it sees a byte of it.
//! * What a handshake ends with is told to the service once: secured, refused, or closed without
//!   having spoken. The place in the registry is given back in every case.
//! * A connection that is killed during its handshake ends at once.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::connection::Connection;
use super::listener::Front;
use super::registry::Admission;
use super::service::{CloseReason, NetEvent, Service};
use super::waker::{Kill, TaskWaker};
use crate::auth::sasl::Refusal;
use crate::tls::unify::{Speaks, detect};
use crate::tls::{ServerTls, X509Identity};

/// What the connections of a port speak.
#[derive(Clone, Debug)]
pub enum Wire {
    /// No TLS, and no TLS is configured elsewhere.
    Plain,
    /// No TLS on this port, while other ports have it: such connections are counted.
    PlainBesideTls,
    /// TLS alone; with `early_drop`, connections are closed before the handshake while the server does not
    /// serve (`netty.server.earlyDropSecureConnectionHandshakes`).
    Tls {
        /// The acceptor.
        tls: Arc<ServerTls>,
        /// Close early?
        early_drop: bool,
    },
    /// Both, told apart by the first byte (`client.portUnification`).
    Either(Arc<ServerTls>),
}

/// A stream that is ready for frames.
enum Opened {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>, Option<X509Identity>),
}

/// Why there is no stream.
enum Ended {
    Refused(Refusal),
    Closed(CloseReason),
}

/// Opens a connection and runs it to its end.
pub(super) async fn greet<V: Service>(stream: TcpStream, front: Arc<Front<V>>, place: Admission<V::Client>) {
    let greeting = Greeting { front: &front, place: Some(place) };
    let Some(waker) = greeting.place.as_ref().map(|place| Arc::clone(place.waker())) else { return };
    let from = greeting.place.as_ref().map(|place| place.peer().ip);
    let outcome = tokio::select! {
        biased;
        why = killed(&waker) => Err(Ended::Closed(why.into())),
        outcome = open(stream, &front, from) => outcome,
    };
    match outcome {
        Ok(opened) => greeting.go_on(opened).await,
        Err(ended) => greeting.end(&ended),
    }
}

async fn open<V: Service>(
    stream: TcpStream,
    front: &Front<V>,
    from: Option<IpAddr>,
) -> Result<Opened, Ended> {
    let tls = match &front.wire {
        Wire::Plain | Wire::PlainBesideTls => None,
        Wire::Tls { early_drop: true, .. } if !front.service.is_serving() => {
            front.service.count(NetEvent::DroppedEarly);
            return Err(Ended::Closed(CloseReason::NotServing));
        }
        Wire::Tls { tls, .. } => Some(tls),
        Wire::Either(tls) => match detect(&stream).await {
            Ok(Speaks::Tls) => Some(tls),
            Ok(Speaks::Plain) => None,
            Err(e) => return Err(Ended::Closed(CloseReason::Io(e))),
        },
    };
    match (tls, from) {
        (Some(tls), Some(from)) => {
            let (stream, identity) = tls.accept(stream, from).await.map_err(Ended::Refused)?;
            Ok(Opened::Tls(Box::new(stream), identity))
        }
        _ => {
            front.service.count(NetEvent::Plain { local: from.is_some_and(|ip| ip.is_loopback()) });
            Ok(Opened::Plain(stream))
        }
    }
}

/// A connection on its way to its first frame.
struct Greeting<'a, V: Service> {
    front: &'a Front<V>,
    /// Gone once it is handed on or given back.
    place: Option<Admission<V::Client>>,
}

impl<V: Service> Greeting<'_, V> {
    async fn go_on(mut self, opened: Opened) {
        let Some(place) = self.place.take() else { return };
        let (service, limits) = (Arc::clone(&self.front.service), Arc::clone(&self.front.limits));
        match opened {
            Opened::Plain(stream) => Connection::plain(stream, service, place, limits).await,
            Opened::Tls(stream, identity) => {
                service.secured(place.client(), identity.as_ref());
                place.touch(service.now().mono);
                Connection::new(*stream, service, place, limits).await;
            }
        }
    }

    fn end(mut self, ended: &Ended) {
        let Some(place) = self.place.take() else { return };
        let service = &self.front.service;
        let why = match ended {
            Ended::Refused(refusal) => {
                service.tls_refused(place.peer(), refusal);
                &CloseReason::Handshake(refusal.reason)
            }
            Ended::Closed(why) => why,
        };
        debug!(peer = %place.peer(), conn = place.id().0, "connection closed before its first frame: {why}");
        match why {
            CloseReason::Io(_) => service.count(NetEvent::Dropped),
            CloseReason::Idle => service.count(NetEvent::Expired),
            _ => {}
        }
        place.leave();
        service.closed(place.client(), why);
    }
}

impl<V: Service> Drop for Greeting<'_, V> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.leave();
            self.front.service.closed(place.client(), &CloseReason::Shutdown);
        }
    }
}

/// Waits until the connection is killed.
fn killed(waker: &TaskWaker) -> impl Future<Output = Kill> {
    poll_fn(move |cx| {
        waker.register(cx.waker());
        waker.killed().map_or(Poll::Pending, Poll::Ready)
    })
}
