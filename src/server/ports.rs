//! The client ports: what each speaks, bound first and opened when there is somebody to answer.
//!
//! # Invariants
//!
//! * All ports are bound before one is opened: a start that fails has answered nobody.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::info;

use super::Failure;
use super::front::Front;
use super::secure::SecureClients;
use crate::config::Settings;
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
        let accepting = tokio::spawn(accept_loop(listener, Arc::clone(&shared)));
        Ok(vec![accepting, tokio::spawn(sweep_loop(shared))])
    }
}
