//! Signals that ask the server for something: to end, to read its configuration again.
//!
//! # Invariants
//!
//! * The handlers stand before the server is reachable: a signal is never lost, and
//!   never the default death.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM: the service manager.
    Terminate,
    /// SIGINT: a terminal.
    Interrupt,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Ending::Terminate => "SIGTERM",
            Ending::Interrupt => "SIGINT",
        })
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The end.
    End(Ending),
    /// SIGHUP: what can change in a running server is read again.
    Reload,
}

/// Listens for signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes over the signals. Call it inside the runtime.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of any kind. Several of a kind that came meanwhile are one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End(Ending::Terminate),
            _ = self.interrupt.recv() => Asked::End(Ending::Interrupt),
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits for one that asks for the end; others wait for [`Signals::next`].
    pub async fn ending(&mut self) -> Ending {
        tokio::select! {
            _ = self.terminate.recv() => Ending::Terminate,
            _ = self.interrupt.recv() => Ending::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn a_signal_is_told_and_does_not_kill() {
        let mut signals = Signals::new().expect("handlers");
        kill_process(getpid(), Number::TERM).expect("sent");
        assert_eq!(signals.ending().await, Ending::Terminate);
        kill_process(getpid(), Number::INT).expect("sent");
        assert_eq!(signals.ending().await, Ending::Interrupt);
        kill_process(getpid(), Number::HUP).expect("sent");
        assert_eq!(signals.next().await, Asked::Reload);
        kill_process(getpid(), Number::TERM).expect("sent");
        assert_eq!(signals.next().await, Asked::End(Ending::Terminate));
    }
}
