//! Tells systemd how the service is (`sd_notify`), where it asked for that.
//!
//! # Invariants
//!
//! * Without `NOTIFY_SOCKET` there is no [`Notify`]; a socket that does not answer is not waited for.
//! * A status is one line, whatever it is made of.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::process::getpid;

use super::clock;

/// The way to the service manager.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
    watchdog: Option<Duration>,
}

impl Notify {
    /// What the environment of this process names; `None` where nobody wants to be told, or where
    /// there is no such socket.
    pub fn from_environment() -> Option<Notify> {
        let watchdog = watchdog(
            std::env::var("WATCHDOG_USEC").ok().as_deref(),
            std::env::var("WATCHDOG_PID").ok().as_deref(),
            u32::try_from(getpid().as_raw_nonzero().get()).ok(),
        );
        Notify::to(&std::env::var_os("NOTIFY_SOCKET")?, watchdog).ok()
    }

    /// The way to a path, or to an abstract name that begins with `@`.
    ///
    /// # Errors
    ///
    /// The name is none, or there is no socket to be had.
    pub fn to(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Notify> {
        let manager = match name.as_bytes().split_first() {
            Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
            Some(_) => SocketAddr::from_pathname(name)?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Notify { socket, manager, watchdog })
    }

    /// How long the manager waits for a sign of life before it ends the process.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service serves, or serves again after [`Notify::reloading`].
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// How the service is, for people.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", line(status)));
    }

    /// A reload has begun. The time lets `Type=notify-reload` of newer managers tell it from an older one.
    pub fn reloading(&self) {
        let micros = clock::mono().0 / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"));
    }

    /// A sign of life.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The service ends.
    pub fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={}", line(status)));
    }

    /// A manager that is away, or behind, is not waited for: it learns the next state.
    fn send(&self, state: &str) {
        let _ = self.socket.send_to_addr(state.as_bytes(), &self.manager);
    }
}

/// The watchdog's time, if it is meant for this process.
fn watchdog(micros: Option<&str>, pid: Option<&str>, own: Option<u32>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| own.is_some() && pid.parse().ok() == own);
    let micros = micros?.parse().ok().filter(|&micros: &u64| micros > 0 && ours)?;
    Some(Duration::from_micros(micros))
}

fn line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(systemd: &UnixDatagram) -> String {
        let mut state = [0; 256];
        let n = systemd.recv(&mut state).expect("received");
        String::from_utf8_lossy(state.get(..n).unwrap_or_default()).into_owned()
    }

    #[test]
    fn states_arrive_as_systemd_reads_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        let notify = Notify::to(path.as_os_str(), None).expect("a way");
        notify.ready("leader\nREADY=0");
        assert_eq!(received(&systemd), "READY=1\nSTATUS=leader READY=0");
        notify.alive();
        assert_eq!(received(&systemd), "WATCHDOG=1");
        notify.reloading();
        let state = received(&systemd);
        let micros = state.lines().nth(1).and_then(|l| l.strip_prefix("MONOTONIC_USEC="));
        assert!(micros.is_some_and(|m| m.parse::<u64>().is_ok_and(|m| m > 0)), "{state}");
        notify.stopping("handing over");
        assert_eq!(received(&systemd), "STOPPING=1\nSTATUS=handing over");
    }

    #[test]
    fn an_abstract_name_is_reached_and_an_empty_one_refused() {
        let name = format!("oxkeeper-notify-{}", getpid().as_raw_nonzero());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).expect("a name");
        let systemd = UnixDatagram::bind_addr(&address).expect("a socket");
        Notify::to(OsStr::new(&format!("@{name}")), None).expect("a way").alive();
        assert_eq!(received(&systemd), "WATCHDOG=1");
        assert!(Notify::to(OsStr::new(""), None).is_err());
        // Nobody there: nothing happens.
        Notify::to(OsStr::new("/nowhere/at/all"), None).expect("a way").alive();
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_ours() {
        let after = |micros, pid| watchdog(micros, pid, Some(7));
        assert_eq!(after(Some("30000000"), Some("7")), Some(Duration::from_secs(30)));
        assert_eq!(after(Some("30000000"), None), Some(Duration::from_secs(30)));
        for (micros, pid) in [
            (Some("30000000"), Some("8")),
            (Some("0"), None),
            (Some("x"), None),
            (None, None),
            (Some("5"), Some("x")),
        ] {
            assert_eq!(after(micros, pid), None, "{micros:?} {pid:?}");
        }
    }
}
