//! Tells systemd how the service is (`sd_notify`), where it asked for that.
//!
//! # Invariants
//!
//! * Without `NOTIFY_SOCKET` nothing happens; a socket that does not answer is not waited for.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service serves.
pub fn ready(status: &str) {
    let _ = send(std::env::var_os("NOTIFY_SOCKET").as_deref(), &format!("READY=1\nSTATUS={status}"));
}

/// The service ends.
pub fn stopping() {
    let _ = send(std::env::var_os("NOTIFY_SOCKET").as_deref(), "STOPPING=1");
}

/// Sends `state` to a path, or to an abstract name that begins with `@`.
fn send(socket: Option<&OsStr>, state: &str) -> io::Result<()> {
    let Some(name) = socket.map(OsStr::as_bytes).filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let address = match name.split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
    };
    let datagram = UnixDatagram::unbound()?;
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_arrives_and_without_a_socket_nothing_happens() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        send(Some(path.as_os_str()), "READY=1").expect("sent");
        let mut state = [0; 32];
        let n = systemd.recv(&mut state).expect("received");
        assert_eq!(state.get(..n), Some(&b"READY=1"[..]));
        assert!(send(None, "READY=1").is_ok() && send(Some(OsStr::new("")), "").is_ok());
        assert!(send(Some(OsStr::new("/nowhere/at/all")), "READY=1").is_err());
    }
}
