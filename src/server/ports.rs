//! The client ports: what each speaks, bound first and opened when there is somebody to answer.
//!
//! # Invariants
//!
//! * All ports are bound before one is opened: a start that fails has answered nobody.
//! * A client port that a reconfiguration moves is open at its new address before the old one is closed, unless both
//!   are one port; where it cannot be, it stays. Connections that stand are not touched.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, info};

use super::Failure;
use super::front::Front;
use super::secure::SecureClients;
use crate::config::Settings;
use crate::config::quorum::ClientAddress;
use crate::error::ExitCode;
use crate::net::{self, ConnectionLimits, ListenAddress, Wire, accept_loop, sweep_loop};
use crate::types::version::FULL_VERSION;

/// A port to be bound.
pub struct Port {
    at: ListenAddress,
    wire: Wire,
    secure: bool,
}

impl Port {
    /// `clientPort`, if there is one.
    pub fn plain(settings: &Settings, tls: &SecureClients) -> Option<Port> {
        let client = &settings.client;
        let at = ListenAddress {
            host: client.client_port_address.clone(),
            port: client.client_port?,
            backlog: client.client_port_listen_backlog,
        };
        Some(Port { at, wire: tls.plain_wire(client.port_unification), secure: false })
    }

    /// `secureClientPort`, if there is one.
    pub fn secure(settings: &Settings, tls: &SecureClients) -> Option<Port> {
        let client = &settings.client;
        let at = ListenAddress {
            host: client.secure_client_port_address.clone(),
            port: client.secure_client_port?,
            backlog: client.client_port_listen_backlog,
        };
        Some(Port { at, wire: tls.secure_wire()?, secure: true })
    }

    /// Binds it.
    ///
    /// # Errors
    ///
    /// The address with the cause and the cure.
    pub fn bind(self) -> Result<Bound, Failure> {
        let listener = net::bind(&self.at).map_err(|e| self.cannot_listen(&e))?;
        let port = listener.local_addr().map(|a| a.port()).unwrap_or(self.at.port);
        Ok(Bound { asked: self, listener, port })
    }

    fn key(&self) -> &'static str {
        if self.secure { "secureClientPort" } else { "clientPort" }
    }

    fn cannot_listen(&self, e: &io::Error) -> Failure {
        let (key, host) = (self.key(), self.at.host.as_deref().unwrap_or("*"));
        let cure = match e.kind() {
            io::ErrorKind::AddrInUse => format!("another process listens there: end it, or change {key}"),
            io::ErrorKind::PermissionDenied => format!("ports below 1024 need a privilege: change {key}"),
            _ => format!("{key}Address must be an address of this machine"),
        };
        let text = format!("config: cannot listen on {host}:{}: {e}: {cure}", self.at.port);
        Failure::new(ExitCode::Unexpected, text)
    }
}

/// A port that is bound: clients that connect wait.
pub struct Bound {
    asked: Port,
    listener: TcpListener,
    /// The port, also where 0 was asked for.
    pub port: u16,
}

impl Bound {
    /// Opens it: connections, one sweep of idle ones, four-letter words.
    ///
    /// # Errors
    ///
    /// The runtime does not take the socket.
    pub fn open(self, settings: &Settings, front: &Arc<Front>) -> Result<Vec<JoinHandle<()>>, Failure> {
        let Bound { asked, listener, port } = self;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|e| asked.cannot_listen(&e))?;
        let address = asked.at.host.as_deref().unwrap_or("*");
        let speaks = match asked.wire {
            Wire::Plain | Wire::PlainBesideTls => "plain",
            Wire::Tls { .. } => "tls",
            Wire::Either(_) => "plain and tls",
        };
        info!(version = FULL_VERSION, address, port, speaks, "listening");
        let max_frame = settings.limits.jute_maxbuffer;
        let shared = Arc::new(net::Front {
            service: Arc::clone(front),
            registry: Arc::clone(if asked.secure { &front.secure } else { &front.plain }),
            limits: Arc::new(ConnectionLimits { max_frame, large: front.large().cloned() }),
            secure: asked.secure,
            wire: asked.wire,
            keep_alive: settings.client.client_tcp_keep_alive,
        });
        let moves = (!asked.secure).then(|| front.moves());
        let accepting = tokio::spawn(stay_open(asked.at, listener, Arc::clone(&shared), moves));
        Ok(vec![accepting, tokio::spawn(sweep_loop(shared))])
    }
}

/// Accepts where the port is, and follows it when it moves.
async fn stay_open(
    mut here: ListenAddress,
    listener: tokio::net::TcpListener,
    shared: Arc<net::Front<Front>>,
    moves: Option<watch::Receiver<Option<ClientAddress>>>,
) {
    let mut accepting = JoinSet::new();
    accepting.spawn(accept_loop(listener, Arc::clone(&shared)));
    let Some(mut moves) = moves else {
        accepting.join_next().await;
        return;
    };
    while moves.changed().await.is_ok() {
        let wanted = moves.borrow_and_update().clone();
        let Some(to) = wanted.map(|to| moved(&here, to)).filter(|to| *to != here) else { continue };
        if to.port == here.port {
            // One port on two addresses: the old one is in the way.
            accepting.shutdown().await;
        }
        match listen(&to).await {
            Ok(listener) => {
                accepting.shutdown().await;
                accepting.spawn(accept_loop(listener, Arc::clone(&shared)));
                shared.service.facts.moved(to.port);
                info!(from = %shown(&here), to = %shown(&to), "clients are served where the configuration says now");
                here = to;
            }
            Err(e) => {
                error!(
                    "config: cannot listen on {} as the new configuration says: {e}; clients are served where they \
                     were: free that address, or reconfigure this server once more",
                    shown(&to)
                );
                if accepting.is_empty()
                    && let Ok(listener) = listen(&here).await
                {
                    accepting.spawn(accept_loop(listener, Arc::clone(&shared)));
                }
            }
        }
    }
}

/// The address of a server line; every address is written as 0.0.0.0 there.
fn moved(here: &ListenAddress, to: ClientAddress) -> ListenAddress {
    let everywhere = to.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let host = Some(to.host).filter(|_| !everywhere);
    ListenAddress { host, port: to.port, backlog: here.backlog }
}

fn shown(at: &ListenAddress) -> String {
    format!("{}:{}", at.host.as_deref().unwrap_or("*"), at.port)
}

/// Binds; names may have to be looked up.
async fn listen(at: &ListenAddress) -> io::Result<tokio::net::TcpListener> {
    let at = at.clone();
    let bound = tokio::task::spawn_blocking(move || net::bind(&at)).await;
    tokio::net::TcpListener::from_std(bound.map_err(io::Error::other)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_server_lines_are_compared_with_what_is_bound() {
        let at = |host: Option<&str>, port| ListenAddress {
            host: host.map(str::to_owned),
            port,
            backlog: Some(5),
        };
        let line = |host: &str, port| ClientAddress { host: host.to_owned(), port };
        let everywhere = at(None, 2181);
        assert_eq!(moved(&everywhere, line("0.0.0.0", 2181)), everywhere);
        assert_eq!(moved(&everywhere, line("::", 2182)), at(None, 2182));
        assert_eq!(moved(&everywhere, line("10.0.0.1", 2181)), at(Some("10.0.0.1"), 2181));
        let one = at(Some("h"), 2181);
        assert_eq!(moved(&one, line("h", 2181)), one);
        assert_eq!(shown(&moved(&one, line("0.0.0.0", 2181))), "*:2181");
    }
}
