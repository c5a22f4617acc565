//! What the service manager (systemd) is told while the server runs: signs of life, readiness, status.
//!
//! # Invariants
//!
//! * Signs of life come from the core thread alone, out of its loop: a core that is stuck is silent, whatever
//!   the rest of the process still does.
//! * Readiness is told once the server serves; with `systemd.readyWhen=quorum` not before clients are served.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::front::Front;
use crate::limits::{CORE_TICK_MS, READY_LOOK_MS, STATUS_LOOK_MS, STATUS_PATIENCE, WATCHDOG_FEEDS};
use crate::os::notify::Notify;
use crate::replica::member::Role;
use crate::types::Instant;

/// Feeds the manager's watchdog; without one it does nothing.
#[derive(Debug)]
pub struct Pulse {
    watchdog: OnceLock<(Arc<Notify>, u64)>,
    /// When the next sign is due, ms of the monotonic clock. Only the core writes it once it runs.
    due: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse { watchdog: OnceLock::new(), due: AtomicU64::new(u64::MAX) }
    }
}

impl Pulse {
    /// From now on the watchdog of `notify` is fed, if it has one. Whether its time is long enough for a core that
    /// has nothing to do and wakes every [`CORE_TICK_MS`].
    pub fn feed(&self, notify: &Arc<Notify>) -> bool {
        let Some(time) = notify.watchdog() else { return true };
        let every = u64::try_from((time / WATCHDOG_FEEDS).as_millis()).unwrap_or(u64::MAX);
        if self.watchdog.set((Arc::clone(notify), every)).is_ok() {
            self.due.store(0, Ordering::Relaxed);
        }
        every >= CORE_TICK_MS
    }

    /// The core is alive. Called by the core thread, every time around its loop.
    #[inline]
    pub fn beat(&self, now: Instant) {
        if now.millis() >= self.due.load(Ordering::Relaxed) {
            self.tell(now);
        }
    }

    #[cold]
    fn tell(&self, now: Instant) {
        if let Some((notify, every)) = self.watchdog.get() {
            self.due.store(now.millis().saturating_add(*every), Ordering::Relaxed);
            notify.alive();
        }
    }
}

/// What a status line is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    /// What does not change without an event: who this is and what it does.
    role: String,
    /// What changes with every write and connection.
    figures: String,
}

impl Status {
    fn of(front: &Front) -> Status {
        let role = match front.face() {
            None => "standalone".to_owned(),
            Some(face) => {
                let (me, now) = (face.me.0, face.role());
                let leader = now.leader.map(|leader| leader.0).unwrap_or(me);
                match (now.role, front.has_role()) {
                    (Role::Leading, true) => format!("server {me}: leader in epoch {}", now.epoch),
                    (Role::Following, true) => {
                        format!("server {me}: follower of {leader} in epoch {}", now.epoch)
                    }
                    (Role::Observing, true) => {
                        format!("server {me}: observer of {leader} in epoch {}", now.epoch)
                    }
                    (Role::Looking | Role::Out, true) => {
                        format!("server {me}: read-only, looking for a leader")
                    }
                    (_, false) => format!("server {me}: not serving, {}", face.peer_state()),
                }
            }
        };
        let held =
            if front.is_suspended() { ", nothing is served: the audit log cannot be written" } else { "" };
        let zxid = front.shared().map(|shared| shared.store().tree.last_zxid().to_string());
        let zxid = zxid.as_deref().unwrap_or("unknown");
        let figures = format!("zxid {zxid}, {} connections", front.connections());
        Status { role: format!("{role}{held}"), figures }
    }

    fn line(&self) -> String {
        format!("{}; {}", self.role, self.figures)
    }
}

/// The status line of now.
pub fn status(front: &Front) -> String {
    Status::of(front).line()
}

/// Tells readiness, and then the status whenever it has changed, until the task is aborted.
pub async fn tell(front: Arc<Front>, notify: Arc<Notify>, with_quorum: bool) {
    let mut told = Status::of(&front);
    if with_quorum && front.serving().is_none() {
        notify.status(&told.line());
        while front.serving().is_none() {
            tokio::time::sleep(Duration::from_millis(READY_LOOK_MS)).await;
        }
        told = Status::of(&front);
    }
    notify.ready(&told.line());
    let mut look = tokio::time::interval(Duration::from_millis(STATUS_LOOK_MS));
    let mut quiet = 0;
    loop {
        look.tick().await;
        let now = Status::of(&front);
        quiet += 1;
        if now.role != told.role || (now != told && quiet >= STATUS_PATIENCE) {
            notify.status(&now.line());
            (told, quiet) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn signs_of_life_leave_when_they_are_due_and_only_from_beats() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        systemd.set_nonblocking(true).expect("set");
        let signs = || {
            let mut state = [0; 64];
            std::iter::from_fn(|| systemd.recv(&mut state).ok()).count()
        };
        let notify = Notify::to(path.as_os_str(), Some(Duration::from_secs(9))).expect("a way");
        let pulse = Pulse::default();
        pulse.beat(Instant::from_millis(1));
        assert_eq!(signs(), 0, "nobody asked for signs");
        assert!(pulse.feed(&Arc::new(notify)), "a core that idles is in time");
        assert_eq!(signs(), 0, "nothing beats");
        for ms in [5, 6, 3004, 3005, 3006, 60_000, 60_001] {
            pulse.beat(Instant::from_millis(ms));
        }
        assert_eq!(signs(), 3, "at 5, 3005 and 60000");
    }

    #[test]
    fn a_time_that_an_idle_core_cannot_keep_is_told() {
        let pulse = Pulse::default();
        let hasty = Notify::to("/nowhere".as_ref(), Some(Duration::from_millis(2999))).expect("a way");
        assert!(!pulse.feed(&Arc::new(hasty)));
    }
}
