//! HTTP ports: bind, accept, TLS.
//!
//! # Invariants
//!
//! * Connections beyond the bounds, in all and from one address, are closed at once.
//! * When the task ends, its connections end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tracing::debug;

use super::Site;
use super::connection::{Door, run};
use crate::limits::{ACCEPT_PAUSE_MS, HTTP_CONNECTIONS, HTTP_CONNECTIONS_PER_ADDRESS, HTTP_HEAD_MS};
use crate::net::listener::{ListenAddress, bind};
use crate::tls::ServerTls;
use crate::tls::unify::{Speaks, detect_within};

/// What the connections of a port speak.
#[derive(Debug, Clone)]
pub enum HttpWire {
    /// HTTP.
    Plain,
    /// HTTPS.
    Tls(Arc<ServerTls>),
    /// Both, told apart by the first byte.
    Either(Arc<ServerTls>),
}

/// A port that is bound.
#[derive(Debug)]
pub struct HttpListener {
    listener: std::net::TcpListener,
    wire: HttpWire,
    idle: Duration,
}

impl HttpListener {
    /// Binds a port; `idle` is how long a connection may rest between two requests.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn bind(at: &ListenAddress, wire: HttpWire, idle: Duration) -> io::Result<HttpListener> {
        Ok(HttpListener { listener: bind(at)?, wire, idle })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Answers the requests of a port by `site` until the task is aborted. Called within a runtime.
///
/// # Errors
///
/// The runtime does not take the socket.
pub fn serve(listener: HttpListener, site: Arc<dyn Site>) -> io::Result<JoinHandle<()>> {
    let HttpListener { listener, wire, idle } = listener;
    let listener = TcpListener::from_std(listener)?;
    Ok(tokio::spawn(accept(listener, wire, Arc::new(Door::new(site, idle)))))
}

async fn accept(listener: TcpListener, wire: HttpWire, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Places::default());
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Places::take(&places, peer.ip().to_canonical()) {
                    Some(place) => {
                        connections.spawn(greet(stream, peer, wire.clone(), Arc::clone(&door), place));
                    }
                    None => debug!(%peer, "an HTTP connection is refused: there are too many"),
                },
                Err(e) => {
                    debug!("cannot accept HTTP connections for now: {e}");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            },
        }
    }
}

/// Handshake where there is one, then requests.
async fn greet(stream: TcpStream, peer: SocketAddr, wire: HttpWire, door: Arc<Door>, _place: Place) {
    // Without it the connection works too.
    let _ = stream.set_nodelay(true);
    let tls = match wire {
        HttpWire::Plain => None,
        HttpWire::Tls(tls) => Some(tls),
        HttpWire::Either(tls) => match detect_within(&stream, Duration::from_millis(HTTP_HEAD_MS)).await {
            Ok(Speaks::Tls) => Some(tls),
            Ok(Speaks::Plain) => {
                door.site.came_plain();
                None
            }
            Err(_) => return,
        },
    };
    let Some(tls) = tls else { return run(stream, peer, None, door).await };
    match tls.accept(stream, peer.ip().to_canonical()).await {
        Ok((stream, certificate)) => run(stream, peer, Some(certificate), door).await,
        Err(refusal) => {
            debug!(%peer, reason = %refusal.reason, "an HTTPS handshake is refused");
            door.site.tls_refused(peer, &refusal);
        }
    }
}

/// Who is connected from where.
#[derive(Debug, Default)]
struct Places(Mutex<(usize, HashMap<IpAddr, usize>)>);

/// A connection's place, given back when it ends.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    from: IpAddr,
}

impl Places {
    fn take(places: &Arc<Places>, from: IpAddr) -> Option<Place> {
        let mut inner = places.0.lock();
        let of_address = inner.1.get(&from).copied().unwrap_or(0);
        if inner.0 >= HTTP_CONNECTIONS || of_address >= HTTP_CONNECTIONS_PER_ADDRESS {
            return None;
        }
        inner.0 += 1;
        inner.1.insert(from, of_address + 1);
        drop(inner);
        Some(Place { places: Arc::clone(places), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.places.0.lock();
        inner.0 -= 1;
        match inner.1.get_mut(&self.from) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(inner.1.remove(&self.from)),
        }
    }
}
