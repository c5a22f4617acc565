//! Sockets of servers: bound at the start, listening when they are wanted.
//!
//! A leader alone listens on its quorum port, as in ZooKeeper: whoever connects to another server is refused at
//! once and looks again. Until then the port is bound, so that a port in use is found out at the start.
//!
//! # Invariants
//!
//! * A socket that is bound and not listening refuses connections.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::fd::OwnedFd;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use crate::config::quorum::{Member, MemberAddress};
use crate::limits::DEFAULT_LISTEN_BACKLOG;

/// Where a server listens for servers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// Host of its own server line; `None`: all addresses (`quorumListenOnAllIPs`).
    pub host: Option<String>,
    /// Port.
    pub port: u16,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.as_deref().unwrap_or("*"), self.port)
    }
}

/// A socket that is bound.
#[derive(Debug)]
pub struct Reserved {
    socket: OwnedFd,
    at: PeerAddress,
}

impl PeerAddress {
    /// Where a member listens, by its own server line: on each of its hosts, or `everywhere`.
    pub fn of(own: &Member, everywhere: bool, port: impl Fn(&MemberAddress) -> u16) -> Vec<PeerAddress> {
        let mut all: Vec<PeerAddress> = Vec::new();
        for address in &own.addresses {
            let host = (!everywhere).then(|| address.host.clone());
            let at = PeerAddress { host, port: port(address) };
            if !all.contains(&at) {
                all.push(at);
            }
        }
        all
    }

    /// Binds it.
    ///
    /// # Errors
    ///
    /// The address, what is wrong with it, and the cure.
    pub fn reserve(&self) -> Result<Reserved, String> {
        let socket = self.bind().map_err(|e| {
            let cure = match e.kind() {
                io::ErrorKind::AddrInUse => {
                    "another process listens there: end it, or change the server line"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "the host of this server's own server line must be an address of this machine, or set \
                     quorumListenOnAllIPs=true"
                }
                _ => "check this server's own server line",
            };
            format!("config: cannot listen on {self}: {e}: {cure}")
        })?;
        Ok(Reserved { socket, at: self.clone() })
    }

    fn bind(&self) -> io::Result<OwnedFd> {
        let Some(host) = &self.host else {
            let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port));
            return bind_one(everywhere).or_else(|_| bind_one((Ipv4Addr::UNSPECIFIED, self.port).into()));
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        for address in (host.as_str(), self.port).to_socket_addrs()? {
            match bind_one(address) {
                Ok(socket) => return Ok(socket),
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

fn bind_one(address: SocketAddr) -> io::Result<OwnedFd> {
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
    Ok(socket)
}

impl Reserved {
    /// Where it is bound, as it was asked for.
    pub fn at(&self) -> &PeerAddress {
        &self.at
    }

    /// Listens; connections that come wait until they are accepted.
    ///
    /// # Errors
    ///
    /// Another process listens there by now.
    pub fn listen(self) -> io::Result<TcpListener> {
        rustix::net::listen(&self.socket, DEFAULT_LISTEN_BACKLOG)?;
        Ok(TcpListener::from(self.socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_reserved_port_refuses_until_it_listens() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = PeerAddress { host: Some("127.0.0.1".to_owned()), port: free };
        let reserved = at.reserve().unwrap();
        assert_eq!(reserved.at(), &at);
        assert!(TcpStream::connect(("127.0.0.1", free)).is_err());
        let listener = reserved.listen().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", free)).is_ok());
        let refused = at.reserve().unwrap_err();
        assert!(refused.contains("another process listens there"), "{refused}");
        drop(listener);
        let elsewhere = PeerAddress { host: Some("192.0.2.1".to_owned()), port: free };
        assert!(elsewhere.reserve().unwrap_err().contains("quorumListenOnAllIPs"));
    }
}
