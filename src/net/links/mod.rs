//! Connections between a leader and its learners, and between followers and observers: both ends.
//!
//! | module | |
//! |---|---|
//! | [`config`] | what links have to know |
//! | [`face`] | what goes out, what comes in, and what the storage lends |
//! | `outbox` | what waits for a link |
//! | `send`, `receive` | the two directions of a link |
//! | `accept` | learners that come |
//! | `dial` | the way to a leader, or to a follower that serves observers |
//!
//! # Invariants
//!
//! * Nothing here waits for the other end of a link: [`Links::send`] returns at once. What a link does not take
//!   piles up in its own queue, and past a bound the link ends; the others do not notice.
//! * What is sent over a link arrives in that order, whole packets and streams alike.
//! * A link tells its end once, and nothing afterwards. Numbers of links are never used again.
//! * Who connects is shown to the core when it has proven what is asked for and said properly who it is: what came
//!   before harmed its own connection alone.

mod accept;
pub mod config;
mod dial;
pub mod face;
mod outbox;
mod receive;
mod send;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::peering::listen::{PeerAddress, Reserved};
use super::peering::{Entrance, Gate};
use crate::config::quorum::{Ensemble, Member};
use crate::limits::LINK_HANGUP_MS;
use crate::metrics::Metrics;
use crate::types::{LinkId, ServerId};

pub use config::LinksConfig;
pub use face::{Charge, Chunks, LinkEvent, LinkEvents, LinkOut, Staging, Store};
use outbox::{Meter, Outbox};

/// One link that stands or is being made.
struct Link {
    outbox: Arc<Outbox>,
    tasks: Vec<AbortHandle>,
}

/// Which port of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// The leader's, for all learners.
    Quorum,
    /// A follower's, for observers (`observerMasterPort`).
    Observers,
}

/// The listening side of a port: where, and whether reserved or open.
#[derive(Default)]
struct Door {
    listen: Vec<PeerAddress>,
    reserved: Vec<Reserved>,
    open: Vec<AbortHandle>,
}

/// Both ports.
struct Doors {
    quorum: Mutex<Door>,
    observers: Mutex<Door>,
}

impl Doors {
    fn of(&self, port: Port) -> &Mutex<Door> {
        match port {
            Port::Quorum => &self.quorum,
            Port::Observers => &self.observers,
        }
    }
}

/// What all tasks share.
struct Shared {
    config: LinksConfig,
    gate: Arc<Gate>,
    store: Arc<dyn Store>,
    events: LinkEvents,
    ensembles: RwLock<Vec<Arc<Ensemble>>>,
    links: Mutex<BTreeMap<LinkId, Link>>,
    doors: Doors,
    accepted: AtomicU64,
    entrance: Arc<Entrance>,
    metrics: Arc<Metrics>,
}

impl Shared {
    fn tell(&self, event: LinkEvent) {
        (self.events)(event);
    }

    /// Tells what came over a link, unless it was hung up.
    fn tell_of(&self, link: LinkId, event: LinkEvent) {
        if self.links.lock().get(&link).is_some_and(|l| !l.outbox.was_hung_up()) {
            self.tell(event);
        }
    }

    /// The next number of a link that was accepted: even ones, from 2.
    fn number(&self) -> LinkId {
        LinkId(self.accepted.fetch_add(2, Ordering::Relaxed))
    }

    /// Takes note of a new link, by which this learner came if any did.
    fn enter(&self, link: LinkId, learner: Option<ServerId>) -> Arc<Outbox> {
        let meter = learner.map(|learner| Meter::new(Arc::clone(&self.metrics), learner));
        let outbox = Arc::new(Outbox::measured(meter));
        self.links.lock().insert(link, Link { outbox: Arc::clone(&outbox), tasks: Vec::new() });
        outbox
    }

    /// A task of a link: it ends with it.
    fn belongs(&self, link: LinkId, task: AbortHandle) {
        match self.links.lock().get_mut(&link) {
            Some(found) => found.tasks.push(task),
            None => task.abort(),
        }
    }

    /// The link is over, if it was not already; told unless it was hung up.
    fn over(&self, link: LinkId, why: String) {
        let Some(ended) = self.links.lock().remove(&link) else { return };
        let told = !ended.outbox.was_hung_up();
        ended.tasks.iter().for_each(AbortHandle::abort);
        if told {
            self.tell(LinkEvent::Down { link, why });
        }
    }
}

/// All links of a member. They end when it is dropped.
pub struct Links {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Links({})", self.shared.config.me)
    }
}

impl Links {
    /// Binds the quorum port, which refuses connections until [`Links::lead`]. Must be called within the runtime
    /// that the links are to run on.
    ///
    /// # Errors
    ///
    /// No address can be bound, in words with the cure.
    pub fn start(
        config: LinksConfig,
        gate: Arc<Gate>,
        store: Arc<dyn Store>,
        events: LinkEvents,
        metrics: Arc<Metrics>,
    ) -> Result<Links, String> {
        let doors = Doors {
            observers: Mutex::new(Door { listen: config.observers_at(&config.listen), ..Door::default() }),
            quorum: Mutex::new(Door {
                reserved: accept::reserve(&config.listen)?,
                listen: config.listen.clone(),
                open: Vec::new(),
            }),
        };
        let shared = Shared {
            config,
            gate,
            store,
            events,
            ensembles: RwLock::default(),
            links: Mutex::default(),
            doors,
            accepted: AtomicU64::new(2),
            entrance: Arc::new(Entrance::new("quorum")),
            metrics,
        };
        Ok(Links { shared: Arc::new(shared) })
    }

    /// Who the members are.
    pub fn set_ensembles(&self, active: &Arc<Ensemble>, next: Option<&Arc<Ensemble>>) {
        *self.shared.ensembles.write() = std::iter::once(active).chain(next).cloned().collect();
    }

    /// Opens the quorum port, or closes it to new connections. Links that stand are not touched.
    ///
    /// # Errors
    ///
    /// No address can be listened on: whoever wanted to lead cannot.
    pub fn lead(&self, leads: bool) -> Result<(), String> {
        accept::open(&self.shared, Port::Quorum, leads)
    }

    /// Opens the port for observers, or closes it to new ones; nothing happens without `observerMasterPort`.
    ///
    /// # Errors
    ///
    /// No address can be listened on: observers have to go elsewhere.
    pub fn serve_observers(&self, serves: bool) -> Result<(), String> {
        let serves = serves && self.shared.config.observers.is_some();
        accept::open(&self.shared, Port::Observers, serves)
    }

    /// The own server line is this one now: both ports are bound where it says when they are opened next.
    pub fn move_to(&self, own: &Member) {
        let config = &self.shared.config;
        let quorum = PeerAddress::of(own, config.everywhere, |a| a.quorum_port);
        accept::move_to(&self.shared, Port::Observers, config.observers_at(&quorum));
        accept::move_to(&self.shared, Port::Quorum, quorum);
    }

    /// Connects to a port of a member. [`LinkEvent::Up`] or [`LinkEvent::Down`] follows.
    pub fn dial(&self, link: LinkId, to: ServerId, port: Port) {
        dial::begin(&self.shared, link, to, port);
    }

    /// Sends something over a link; nothing happens if it is over.
    pub fn send(&self, link: LinkId, out: LinkOut) {
        let outbox = self.shared.links.lock().get(&link).map(|l| Arc::clone(&l.outbox));
        let Some(outbox) = outbox else { return };
        if let Err(why) = outbox.push(out) {
            self.shared.over(link, why);
        }
    }

    /// Ends a link once everything that was sent before has left, or cannot leave for a while. No event follows.
    pub fn hangup(&self, link: LinkId, why: &str) {
        let outbox = self.shared.links.lock().get(&link).map(|l| Arc::clone(&l.outbox));
        let Some(outbox) = outbox else { return };
        tracing::debug!(%link, "hung up: {why}");
        if !outbox.hang_up() {
            // It was not connected yet: nothing can leave.
            return self.shared.over(link, why.to_owned());
        }
        let shared = Arc::clone(&self.shared);
        self.shared.entrance.spawn(async move {
            sleep(Duration::from_millis(LINK_HANGUP_MS)).await;
            shared.over(link, "the other end does not take its last bytes".to_owned());
        });
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.shared.links.lock().len()
    }

    /// Is there no link?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.shared.entrance.end();
    }
}
