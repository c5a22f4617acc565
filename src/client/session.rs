//! The task that owns a session: connects, reconnects, and ends it.
//!
//! # Invariants
//!
//! * A request is answered exactly once: by its reply, or by the loss of its connection.
//! * Watches and identities are sent again on every connection, before any request.
//! * Once the session is over, every later request fails at once with the reason.

use super::config::{ClientConfig, Credentials};
use super::connect_string::HostPort;
use super::error::ClientError;
use super::event::{KeeperState, WatchedEvent};
use super::handshake::{self, Established};
use super::online::{self, Online};
use super::watches::{Effect, Watches};
use super::wire::Reply;
use crate::limits::{CLIENT_RECONNECT_MAX_MS, CLIENT_RECONNECT_MIN_MS};
use crate::types::SessionId;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

/// How one request ends.
pub type Answer = oneshot::Sender<Result<Reply, ClientError>>;

/// What a handle asks of the task. Not for printing: it may hold a password.
pub enum Command {
    /// Send this record under a fresh xid.
    Request {
        /// Op code number, known or not.
        op: i32,
        /// The record behind the header.
        record: Vec<u8>,
        /// What its reply does to the watch table.
        effect: Effect,
        /// Where the reply goes.
        answer: Answer,
    },
    /// Present an identity now and on every later connection.
    Auth {
        /// Scheme.
        scheme: String,
        /// Proof.
        auth: Zeroizing<Vec<u8>>,
        /// Where the outcome goes.
        answer: Answer,
    },
}

/// Orders that do not wait in the queue of requests.
#[derive(Debug)]
pub enum Control {
    /// Close the session after the requests that were made before; told when it is done.
    Close(oneshot::Sender<()>),
    /// Break the connection and make another one (tests, and moving between servers).
    Reconnect,
}

/// Where a session stands (`ZooKeeper.States`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// Looking for a server.
    Connecting,
    /// Served; `read_only`: by a server without quorum.
    Connected {
        /// The session.
        credentials: Credentials,
        /// Negotiated time-out.
        timeout: Duration,
        /// Is the server read-only?
        read_only: bool,
        /// The server.
        server: HostPort,
    },
    /// Over, and why.
    Over(ClientError),
}

/// An identity, and who still waits to hear how it was taken. Not for printing.
pub struct Identity {
    /// Scheme.
    pub scheme: String,
    /// Proof.
    pub auth: Zeroizing<Vec<u8>>,
    /// Filled until the first reply.
    pub answer: Option<Answer>,
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ending {
    /// Try the next server.
    Lost(ClientError),
    /// The session is over.
    Over(ClientError),
}

/// The task's state.
pub struct Session {
    pub(super) config: ClientConfig,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) events: mpsc::Sender<WatchedEvent>,
    pub(super) state: watch::Sender<SessionState>,
    pub(super) watches: Watches,
    pub(super) identities: Vec<Identity>,
    pub(super) last_zxid: i64,
    pub(super) xid: i32,
    /// What events about the session itself carry.
    pub(super) keeper_state: KeeperState,
    /// Told when the closing is done.
    pub(super) closing: Option<oneshot::Sender<()>>,
    credentials: Option<Credentials>,
    negotiated: Duration,
    heard: Instant,
    servers: Vec<HostPort>,
    next_server: usize,
    failures: u32,
    trouble: Trouble,
}

/// Why the last attempt to connect failed, for who waits in vain.
pub type Trouble = Arc<Mutex<Option<String>>>;

impl Session {
    /// A session that is not connected yet.
    pub fn new(
        config: ClientConfig,
        commands: mpsc::Receiver<Command>,
        control: mpsc::Receiver<Control>,
        events: mpsc::Sender<WatchedEvent>,
        state: watch::Sender<SessionState>,
        trouble: Trouble,
    ) -> Session {
        let mut servers = config.servers.servers.clone();
        if config.shuffle {
            shuffle(&mut servers);
        }
        Session {
            commands,
            control,
            events,
            state,
            watches: Watches::default(),
            identities: Vec::new(),
            last_zxid: config.last_zxid,
            xid: 0,
            keeper_state: KeeperState::Disconnected,
            closing: None,
            credentials: config.resume,
            negotiated: config.timeout,
            heard: Instant::now(),
            servers,
            next_server: 0,
            failures: 0,
            trouble,
            config,
        }
    }

    /// Runs until the session is over.
    pub async fn run(mut self) {
        let why = loop {
            let ending = match self.attempt().await {
                Ok(mut online) => {
                    self.failures = 0;
                    let mut ending = online::serve(&mut self, &mut online).await;
                    if self.closing.is_some() {
                        // However the connection ended: nobody wants another one.
                        ending = Ending::Over(ClientError::Closed);
                    }
                    self.heard = online.last_heard;
                    online.fail_pending(&lost(&ending));
                    if matches!(ending, Ending::Lost(_)) {
                        self.tell(KeeperState::Disconnected);
                    }
                    ending
                }
                Err(ending) => {
                    *self.trouble.lock() = Some(lost(&ending).to_string());
                    ending
                }
            };
            if let Ending::Over(why) = ending {
                break why;
            }
            self.state.send_replace(SessionState::Connecting);
            self.fail_queued(&lost(&ending));
            if self.expired_unheard() {
                break ClientError::SessionExpired;
            }
            if let Err(why) = self.back_off().await {
                break why;
            }
        };
        self.finish(why);
    }

    /// Connects to the next server and opens or takes up the session there.
    async fn attempt(&mut self) -> Result<Online, Ending> {
        let server = self.next();
        let share = u32::try_from(self.servers.len()).unwrap_or(1).max(1);
        let limit = (self.negotiated / share).max(Duration::from_millis(CLIENT_RECONNECT_MIN_MS));
        let request = handshake::connect_request(&self.config, self.credentials, self.last_zxid);
        let work = timeout(limit, handshake::establish(&self.config, &server, request));
        let established = tokio::select! {
            done = work => done.unwrap_or_else(|_| {
                Err(ClientError::ConnectionLost(format!("{server} did not answer within {} ms", limit.as_millis())))
            }),
            order = self.control.recv() => return Err(self.ordered_offline(order)),
        };
        match established {
            Ok(est) => Ok(self.take_up(est, server)),
            Err(e @ (ClientError::SessionExpired | ClientError::AuthFailed(_))) => Err(Ending::Over(e)),
            Err(e) => Err(Ending::Lost(e)),
        }
    }

    fn take_up(&mut self, est: Established, server: HostPort) -> Online {
        self.credentials = Some(est.credentials);
        self.negotiated = est.timeout;
        self.state.send_replace(SessionState::Connected {
            credentials: est.credentials,
            timeout: est.timeout,
            read_only: est.read_only,
            server: server.clone(),
        });
        let connected =
            if est.read_only { KeeperState::ConnectedReadOnly } else { KeeperState::SyncConnected };
        self.tell(connected);
        if est.sasl {
            self.tell(KeeperState::SaslAuthenticated);
            self.keeper_state = connected;
        }
        Online::new(self, est.stream, est.timeout, est.read_only)
    }

    /// An order that came while there was no connection.
    fn ordered_offline(&mut self, order: Option<Control>) -> Ending {
        match order {
            Some(Control::Close(done)) => {
                self.closing = Some(done);
                Ending::Over(ClientError::Closed)
            }
            Some(Control::Reconnect) => {
                Ending::Lost(ClientError::ConnectionLost("asked to reconnect".into()))
            }
            None => Ending::Over(ClientError::Closed),
        }
    }

    fn next(&mut self) -> HostPort {
        let at = self.next_server % self.servers.len().max(1);
        self.next_server = at + 1;
        self.servers.get(at).cloned().unwrap_or_else(|| HostPort {
            host: "localhost".into(),
            port: super::connect_string::DEFAULT_PORT,
        })
    }

    /// The servers but the one in use, for the search of a read/write server.
    pub(super) fn peek_next(&mut self) -> HostPort {
        self.next()
    }

    /// Makes `server` the next one to be tried.
    pub(super) fn prefer(&mut self, server: &HostPort) {
        if let Some(at) = self.servers.iter().position(|s| s == server) {
            self.next_server = at;
        }
    }

    /// Waits before the next attempt, longer after each round of failures.
    async fn back_off(&mut self) -> Result<(), ClientError> {
        let steps = self.failures.min(8);
        self.failures = self.failures.saturating_add(1);
        let ceiling = (CLIENT_RECONNECT_MIN_MS << steps).min(CLIENT_RECONNECT_MAX_MS);
        let wait = Duration::from_millis(ceiling / 2 + random(ceiling / 2 + 1));
        tokio::select! {
            () = sleep(wait) => Ok(()),
            order = self.control.recv() => match self.ordered_offline(order) {
                Ending::Over(why) => Err(why),
                Ending::Lost(_) => Ok(()),
            },
        }
    }

    /// Has nobody been heard for so long that the ensemble must have dropped the session?
    fn expired_unheard(&self) -> bool {
        self.credentials.is_some() && self.heard.elapsed() > self.negotiated * 4 / 3
    }

    /// Requests that wait for a connection fail with it; identities wait on.
    fn fail_queued(&mut self, why: &ClientError) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Request { answer, .. } => drop(answer.send(Err(why.clone()))),
                Command::Auth { scheme, auth, answer } => {
                    self.identities.push(Identity { scheme, auth, answer: Some(answer) });
                }
            }
        }
    }

    /// Tells the owner of a new state.
    pub(super) fn tell(&mut self, state: KeeperState) {
        self.keeper_state = state;
        let _ = self.event(WatchedEvent::of_state(state));
    }

    /// Hands an event to the owner; false if nobody has read for too long.
    pub(super) fn event(&mut self, event: WatchedEvent) -> bool {
        !matches!(self.events.try_send(event), Err(mpsc::error::TrySendError::Full(_)))
    }

    fn finish(mut self, why: ClientError) {
        self.state.send_replace(SessionState::Over(why.clone()));
        self.commands.close();
        self.fail_queued(&why);
        for identity in &mut self.identities {
            if let Some(answer) = identity.answer.take() {
                let _ = answer.send(Err(why.clone()));
            }
        }
        match why {
            ClientError::SessionExpired => self.tell(KeeperState::Expired),
            ClientError::AuthFailed(_) => self.tell(KeeperState::AuthFailed),
            _ => self.tell(KeeperState::Closed),
        }
        if let Some(done) = self.closing.take() {
            let _ = done.send(());
        }
    }

    /// The credentials of a session that has them.
    pub(super) fn id(&self) -> SessionId {
        self.credentials.map_or(SessionId::NONE, |c| c.id)
    }
}

/// What requests hear that were under way when a connection ended so.
fn lost(ending: &Ending) -> ClientError {
    match ending {
        Ending::Over(e) => e.clone(),
        Ending::Lost(e @ ClientError::ConnectionLost(_)) => e.clone(),
        Ending::Lost(e) => ClientError::ConnectionLost(e.to_string()),
    }
}

fn shuffle<T>(items: &mut [T]) {
    for i in (1..items.len()).rev() {
        let j = usize::try_from(random(i as u64 + 1)).unwrap_or(0);
        items.swap(i, j);
    }
}

/// A number below `bound`; spreading needs no more than this.
fn random(bound: u64) -> u64 {
    getrandom::u64().unwrap_or(0) % bound.max(1)
}
