//! `host:port,host:port/chroot`: where an ensemble is.
//!
//! # Invariants
//!
//! * A parsed string has at least one server; its chroot is empty or a valid path.

use super::error::ClientError;
use crate::types::path;
use std::fmt;

/// Port of a server that names none.
pub const DEFAULT_PORT: u16 = 2181;

/// One server of a connect string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Client port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Servers and the prefix under which all paths of the session lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectString {
    /// Servers in the order given.
    pub servers: Vec<HostPort>,
    /// Empty, or a path without a slash at its end.
    pub chroot: String,
}

impl ConnectString {
    /// Parses the text that every ZooKeeper client takes.
    pub fn parse(text: &str) -> Result<ConnectString, ClientError> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() {
            path::validate(chroot)
                .map_err(|problem| ClientError::Path { path: chroot.to_owned(), problem })?;
        }
        let servers = hosts
            .split(',')
            .map(str::trim)
            .filter(|h| !h.is_empty())
            .map(host_port)
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(bad(text, "names no server"));
        }
        Ok(ConnectString { servers, chroot: chroot.to_owned() })
    }

    /// The server's path of a caller's path.
    pub fn prepend(&self, path: &str) -> String {
        if self.chroot.is_empty() {
            return path.to_owned();
        }
        if path == "/" { self.chroot.clone() } else { format!("{}{path}", self.chroot) }
    }

    /// The caller's path of a server's path; a path outside the chroot stays as it is.
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(self.chroot.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

fn host_port(text: &str) -> Result<HostPort, ClientError> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return Err(bad(text, "has text between ']' and the port")),
        },
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(p) => {
            p.parse().map_err(|_| bad(text, "has no port number from 0 to 65535 after its last ':'"))?
        }
    };
    if host.is_empty() {
        return Err(bad(text, "has no host in front of its port"));
    }
    if host.contains(|c: char| matches!(c, '[' | ']') || c.is_whitespace()) {
        return Err(bad(text, "has blanks or brackets in a host"));
    }
    Ok(HostPort { host: host.to_owned(), port })
}

fn bad(text: &str, why: &str) -> ClientError {
    ClientError::Config(format!("connect string {text:?} {why}; it reads host:port[,host:port...][/chroot]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        ConnectString::parse(text).unwrap().servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hosts_ports_and_chroot_are_told_apart() {
        assert_eq!(servers("a"), ["a:2181"]);
        assert_eq!(servers("a:1,b, c:3"), ["a:1", "b:2181", "c:3"]);
        assert_eq!(servers("[::1]:5,[fe80::1]"), ["[::1]:5", "[fe80::1]:2181"]);
        assert_eq!(ConnectString::parse("a:1/x/y").unwrap().chroot, "/x/y");
        assert_eq!(ConnectString::parse("a:1/").unwrap().chroot, "");
        for wrong in
            ["", ",", "/x", "a:b", "a:70000", ":5", "[::1]x", "a:1/x/", "a:1/x//y", "::[a]:1", "[ h ]"]
        {
            assert!(ConnectString::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn chroot_is_put_on_and_taken_off() {
        let c = ConnectString::parse("a/app").unwrap();
        for (mine, theirs) in [("/", "/app"), ("/x", "/app/x")] {
            assert_eq!(c.prepend(mine), theirs);
            assert_eq!(c.strip(theirs), mine);
        }
        assert_eq!(c.strip("/apple"), "/apple");
        let none = ConnectString::parse("a").unwrap();
        assert_eq!((none.prepend("/x").as_str(), none.strip("/x"), none.strip("/")), ("/x", "/x", "/"));
    }
}
