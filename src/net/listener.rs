//! The client listener: bind, accept, admit, spawn.
//!
//! # Invariants
//!
//! * A port in use is found out before anything else of the server is touched.
//! * A connection beyond the limits is reset at once, as ZooKeeper does, and costs no task.
//! * When the process is out of descriptors or memory, accepting pauses; it never spins.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::connection::{Connection, ConnectionLimits};
use super::registry::Registry;
use super::secure::{Wire, greet};
use super::service::{NetEvent, Peer, Service};
use crate::limits::{ACCEPT_PAUSE_MS, DEFAULT_LISTEN_BACKLOG, OWN_PAUSE_MS, REFUSALS_LOGGED_PER_SECOND};
use crate::types::Instant;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Host or address; `None` is every address of the machine.
    pub host: Option<String>,
    /// Port; 0 for any free one.
    pub port: u16,
    /// `clientPortListenBacklog`.
    pub backlog: Option<u32>,
}

/// Binds and listens. The error names the address.
pub fn bind(at: &ListenAddress) -> io::Result<std::net::TcpListener> {
    let backlog = at.backlog.map_or(DEFAULT_LISTEN_BACKLOG, |n| i32::try_from(n).unwrap_or(i32::MAX));
    let Some(host) = &at.host else {
        // one socket for IPv6 and IPv4; IPv4 alone where the machine has no IPv6
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, at.port));
        return match bind_one(everywhere, backlog) {
            Err(e) if is_without_ipv6(&e) => {
                bind_one(SocketAddr::from((Ipv4Addr::UNSPECIFIED, at.port)), backlog)
            }
            bound => bound,
        };
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host.as_str(), at.port).to_socket_addrs()? {
        match bind_one(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn is_without_ipv6(e: &io::Error) -> bool {
    let code = e.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(code, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, backlog)?;
    Ok(std::net::TcpListener::from(socket))
}

/// Everything that the connections of one listener share.
pub struct Front<V: Service> {
    /// The server behind.
    pub service: Arc<V>,
    /// The connections.
    pub registry: Arc<Registry<V::Client>>,
    /// Bounds of each.
    pub limits: Arc<ConnectionLimits>,
    /// Is this the TLS listener (`secureClientPort`)?
    pub secure: bool,
    /// What its connections speak.
    pub wire: Wire,
    /// `clientTcpKeepAlive`.
    pub keep_alive: bool,
}

/// Accepts until the task is aborted.
pub async fn accept_loop<V: Service>(listener: TcpListener, front: Arc<Front<V>>) {
    let mut refusals = RateLimit::default();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => admit(stream, address, &front, &mut refusals),
            Err(e) if is_about_one_connection(&e) => debug!("a client left before it was accepted: {e}"),
            Err(e) => {
                if refusals.passes(front.service.now().mono) {
                    warn!(
                        "cannot accept client connections for now: {e}; raise the limit of open files if it is that"
                    );
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

fn is_about_one_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit<V: Service>(stream: TcpStream, address: SocketAddr, front: &Arc<Front<V>>, log: &mut RateLimit) {
    let peer = Peer { ip: canonical(address.ip()), port: address.port(), secure: front.secure };
    let now = front.service.now().mono;
    let open = |id, waker: &_| front.service.open(id, peer, waker);
    match front.registry.admit(peer, now, open) {
        Ok(place) => {
            // without these the connection works too
            let _ = stream.set_nodelay(true);
            if front.keep_alive {
                let _ = sockopt::set_socket_keepalive(&stream, true);
            }
            match &front.wire {
                Wire::Plain | Wire::PlainBesideTls => {
                    if let Wire::PlainBesideTls = front.wire {
                        front.service.count(NetEvent::Plain { local: peer.ip.is_loopback() });
                    }
                    let (service, limits) = (Arc::clone(&front.service), Arc::clone(&front.limits));
                    tokio::spawn(Connection::plain(stream, service, place, limits));
                }
                _ => drop(tokio::spawn(greet(stream, Arc::clone(front), place))),
            }
        }
        Err(full) => {
            front.service.count(NetEvent::Rejected);
            if log.passes(now) {
                warn!(%peer, suppressed = log.take_suppressed(), "connection refused: {full}");
            }
            let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO)); // dropped: reset
        }
    }
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Lets a few lines a second through and counts the rest.
#[derive(Debug, Default)]
struct RateLimit {
    second: u64,
    passed: u32,
    suppressed: u64,
}

impl RateLimit {
    fn passes(&mut self, now: Instant) -> bool {
        let second = now.millis() / 1000;
        if second != self.second {
            (self.second, self.passed) = (second, 0);
        }
        self.passed += 1;
        let passes = self.passed <= REFUSALS_LOGGED_PER_SECOND;
        self.suppressed += u64::from(!passes);
        passes
    }

    fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}

/// Closes idle connections of `front` until the task is aborted. One timer serves all.
pub async fn sweep_loop<V: Service>(front: Arc<Front<V>>) {
    let mut pardon = false;
    loop {
        let now = front.service.now().mono;
        let next = Instant::from_millis(front.registry.sweep(&*front.service, now, pardon));
        tokio::time::sleep(next.since(now)).await;
        let late = front.service.now().mono.since(next);
        pardon = late > Duration::from_millis(OWN_PAUSE_MS);
        if pardon {
            warn!(late_ms = late.as_millis() as u64, "this process was paused; idle limits start anew");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_an_error_and_any_address_takes_both_families() {
        let everywhere = ListenAddress { host: None, port: 0, backlog: Some(5) };
        let listener = bind(&everywhere).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(false).expect("blocking");
        let there = std::net::TcpStream::connect(("127.0.0.1", port)).expect("IPv4");
        let (_, from) = listener.accept().expect("a connection");
        assert_eq!(canonical(from.ip()), there.local_addr().expect("an address").ip());
        let again = ListenAddress { port, ..everywhere };
        assert_eq!(bind(&again).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        let local = ListenAddress { host: Some("127.0.0.1".to_owned()), port: 0, backlog: None };
        assert!(bind(&local).expect("a free port").local_addr().expect("an address").is_ipv4());
    }

    #[test]
    fn a_flood_of_refusals_is_logged_a_few_times_a_second() {
        let mut limit = RateLimit::default();
        let passed =
            |limit: &mut RateLimit, ms| (0..1000).filter(|_| limit.passes(Instant::from_millis(ms))).count();
        assert_eq!(passed(&mut limit, 1), REFUSALS_LOGGED_PER_SECOND as usize);
        assert_eq!(limit.take_suppressed(), 1000 - u64::from(REFUSALS_LOGGED_PER_SECOND));
        assert_eq!(passed(&mut limit, 1001), REFUSALS_LOGGED_PER_SECOND as usize);
    }
}
