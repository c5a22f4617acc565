//! The connections of one listener: admission, look-up, idle limits.
//!
//! # Invariants
//!
//! * A place is taken before a connection exists and given back when it leaves or is
//!   dropped, whichever comes first: counts never drift.
//! * Idle limits cost nothing per request but one store: a connection is looked at
//!   when its deadline comes up, and moved on if it was active since.
//! * A pause of the server itself closes nobody: after one, deadlines start anew.
//! * Thousands that fell silent together are closed a few at a time: nobody else waits for their ends.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::service::{Peer, Service};
use super::waker::{Kill, TaskWaker};
use crate::limits::{CLOSED_APART_MS, CLOSED_AT_ONCE};
use crate::types::{ConnId, Instant};

/// Ids of connections; one sequence for all listeners.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One connection as others see it.
pub struct Entry<C> {
    /// Its id.
    pub id: ConnId,
    /// The far end.
    pub peer: Peer,
    /// What the service keeps for it.
    pub client: Arc<C>,
    waker: Arc<TaskWaker>,
    /// Monotonic ms of the last traffic.
    active_ms: AtomicU64,
}

impl<C> Entry<C> {
    /// The handle to wake or kill it.
    pub fn waker(&self) -> &Arc<TaskWaker> {
        &self.waker
    }

    /// When it last received something.
    pub fn active(&self) -> Instant {
        Instant::from_millis(self.active_ms.load(Ordering::Relaxed))
    }
}

/// Why a connection is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `maxClientCnxns` connections of this address exist.
    PerAddress(u32),
    /// `maxCnxns` connections exist.
    Total(u32),
}

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Full::PerAddress(max) => {
                write!(f, "too many connections from this address, maxClientCnxns is {max}")
            }
            Full::Total(max) => write!(f, "too many connections, maxCnxns is {max}"),
        }
    }
}

struct Inner<C> {
    entries: HashMap<ConnId, Arc<Entry<C>>>,
    per_address: HashMap<IpAddr, u32>,
    /// Ids by the end of their idle interval, ms. Ids of gone connections are skipped.
    deadlines: BTreeMap<u64, Vec<ConnId>>,
    max_per_address: Option<u32>,
    max_total: Option<u32>,
}

impl<C> Inner<C> {
    /// Takes one whose idle interval has ended.
    fn next_due(&mut self, now_ms: u64) -> Option<ConnId> {
        loop {
            let mut first = self.deadlines.first_entry().filter(|first| *first.key() <= now_ms)?;
            match first.get_mut().pop() {
                Some(id) => return Some(id),
                None => first.remove(),
            };
        }
    }
}

/// The connections of one listener.
pub struct Registry<C> {
    inner: Mutex<Inner<C>>,
    /// Idle limit without a session; deadlines are rounded up to a multiple of it.
    sessionless_ms: u64,
}

impl<C: Send + Sync + 'static> Registry<C> {
    /// An empty registry with its limits: `maxClientCnxns`, `maxCnxns`,
    /// `nio.sessionlessCnxnTimeout` (ms).
    pub fn new(
        max_per_address: Option<u32>,
        max_total: Option<u32>,
        sessionless_ms: u32,
    ) -> Arc<Registry<C>> {
        let inner = Inner {
            entries: HashMap::new(),
            per_address: HashMap::new(),
            deadlines: BTreeMap::new(),
            max_per_address,
            max_total,
        };
        let sessionless_ms = u64::from(sessionless_ms.max(1));
        Arc::new(Registry { inner: Mutex::new(inner), sessionless_ms })
    }

    /// Sets other limits. Connections that are there stay, however many they are.
    pub fn limit(&self, max_per_address: Option<u32>, max_total: Option<u32>) {
        let mut inner = self.inner.lock();
        (inner.max_per_address, inner.max_total) = (max_per_address, max_total);
    }

    /// Takes a place for a connection from `peer`; `open` makes what the service keeps for it.
    pub fn admit(
        self: &Arc<Self>,
        peer: Peer,
        now: Instant,
        open: impl FnOnce(ConnId, &Arc<TaskWaker>) -> Arc<C>,
    ) -> Result<Admission<C>, Full> {
        let mut inner = self.inner.lock();
        if let Some(max) = inner.max_total
            && inner.entries.len() >= max as usize
        {
            return Err(Full::Total(max));
        }
        let max_per_address = inner.max_per_address;
        let same = inner.per_address.entry(peer.ip).or_insert(0);
        if let Some(max) = max_per_address
            && *same >= max
        {
            return Err(Full::PerAddress(max));
        }
        *same += 1;
        let id = ConnId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let waker = Arc::new(TaskWaker::default());
        let client = open(id, &waker);
        let active_ms = AtomicU64::new(now.millis());
        let entry = Arc::new(Entry { id, peer, client, waker, active_ms });
        inner.entries.insert(id, Arc::clone(&entry));
        let deadline = self.bucket(now.millis() + self.sessionless_ms);
        inner.deadlines.entry(deadline).or_default().push(id);
        drop(inner);
        Ok(Admission { entry, registry: Arc::clone(self), left: AtomicBool::new(false) })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<Entry<C>>> {
        self.inner.lock().entries.values().cloned().collect()
    }

    /// Ends all of them.
    pub fn kill_all(&self, why: Kill) {
        for entry in self.all() {
            entry.waker.kill(why);
        }
    }

    /// The end of the idle interval that `ms` lies in, as ZooKeeper rounds it.
    fn bucket(&self, ms: u64) -> u64 {
        (ms / self.sessionless_ms + 1) * self.sessionless_ms
    }

    /// When an entry is closed if it stays silent, monotonic ms.
    pub fn deadline_ms<V: Service<Client = C>>(&self, service: &V, entry: &Entry<C>) -> u64 {
        let limit = service.session_timeout(&entry.client).map_or(self.sessionless_ms, millis);
        self.bucket(entry.active_ms.load(Ordering::Relaxed).saturating_add(limit))
    }

    /// Closes whoever was silent too long, a portion of them at once. Returns when to look again, monotonic ms.
    /// With `pardon` everybody starts anew instead.
    pub fn sweep<V: Service<Client = C>>(&self, service: &V, now: Instant, pardon: bool) -> u64 {
        let now_ms = now.millis();
        let mut inner = self.inner.lock();
        let (mut kill, mut stay) = (Vec::new(), Vec::new());
        while kill.len() < CLOSED_AT_ONCE
            && let Some(id) = inner.next_due(now_ms)
        {
            let Some(entry) = inner.entries.get(&id).cloned() else { continue };
            if pardon || service.is_busy(&entry.client) {
                entry.active_ms.fetch_max(now_ms, Ordering::Relaxed);
            }
            let deadline = self.deadline_ms(service, &entry);
            if deadline <= now_ms {
                kill.push(entry);
                stay.push((self.bucket(now_ms), id)); // until it is gone
            } else {
                stay.push((deadline, id));
            }
        }
        for (deadline, id) in stay {
            inner.deadlines.entry(deadline).or_default().push(id);
        }
        let next = inner.deadlines.keys().next().copied().unwrap_or(u64::MAX).min(self.bucket(now_ms));
        drop(inner);
        let more = kill.len() == CLOSED_AT_ONCE;
        for entry in kill {
            entry.waker.kill(Kill::Idle);
        }
        if more { now_ms + CLOSED_APART_MS } else { next }
    }

    fn remove(&self, entry: &Entry<C>) {
        let mut inner = self.inner.lock();
        inner.entries.remove(&entry.id);
        if let Some(same) = inner.per_address.get_mut(&entry.peer.ip) {
            *same -= 1;
            if *same == 0 {
                inner.per_address.remove(&entry.peer.ip);
            }
        }
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// A connection's place in its registry.
pub struct Admission<C: Send + Sync + 'static> {
    entry: Arc<Entry<C>>,
    registry: Arc<Registry<C>>,
    left: AtomicBool,
}

impl<C: Send + Sync + 'static> Admission<C> {
    /// What the service keeps for the connection.
    pub fn client(&self) -> &Arc<C> {
        &self.entry.client
    }

    /// The far end.
    pub fn peer(&self) -> Peer {
        self.entry.peer
    }

    /// The connection's id.
    pub fn id(&self) -> ConnId {
        self.entry.id
    }

    /// The handle by which others reach its task.
    pub fn waker(&self) -> &Arc<TaskWaker> {
        &self.entry.waker
    }

    /// There was traffic.
    pub fn touch(&self, now: Instant) {
        self.entry.active_ms.store(now.millis(), Ordering::Relaxed);
    }

    /// Gives the place back.
    pub fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            self.registry.remove(&self.entry);
        }
    }
}

impl<C: Send + Sync + 'static> Drop for Admission<C> {
    fn drop(&mut self) {
        self.leave();
        self.entry.waker.retire();
    }
}
