//! The shell's session, and the printer of its events.
//!
//! # Invariants
//!
//! * Events that arrived before a reply are printed before the reply's answer.

use super::answer::{Answer, Voice};
use crate::client::{
    Blocking, Client, ClientConfig, ClientError, EventType, Events, SessionState, WatchedEvent,
};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

/// Where the text of an event goes: standard output, or above the line being edited.
pub type Print = Box<dyn FnMut(String) + Send>;

/// What printing of events depends on; shared with the printer's task.
#[derive(Clone)]
pub struct Watching {
    /// `printwatches`.
    pub on: Arc<AtomicBool>,
    /// Where to.
    pub print: Arc<Mutex<Print>>,
    /// As what.
    pub voice: Voice,
    /// Print changes of the session's state, too?
    pub states: bool,
}

impl Watching {
    /// Prints on standard output.
    pub fn new(voice: Voice, states: bool) -> Watching {
        let print: Print = Box::new(|text| {
            use std::io::Write as _;
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        });
        Watching { on: Arc::new(AtomicBool::new(true)), print: Arc::new(Mutex::new(print)), voice, states }
    }

    fn show(&self, event: WatchedEvent) {
        let wanted = self.states || event.kind != EventType::None;
        if wanted && self.on.load(Ordering::Relaxed) {
            let (text, _) = self.voice.render(&Answer::Event(event));
            if let Ok(mut print) = self.print.lock() {
                print(text);
            }
        }
    }
}

/// A session with its printer.
pub struct Link {
    zk: Blocking,
    flush: mpsc::Sender<oneshot::Sender<()>>,
}

impl Link {
    /// Starts a session; returns at once.
    pub fn start(config: ClientConfig, watching: Watching) -> Result<Link, ClientError> {
        let (zk, events) = Blocking::start(config)?;
        let (flush, flushes) = mpsc::channel(1);
        zk.spawn(print_events(events, flushes, watching));
        Ok(Link { zk, flush })
    }

    /// The handle.
    pub fn client(&self) -> &Client {
        self.zk.client()
    }

    /// Waits for a future, then for the printing of the events that came before its end.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        let output = self.zk.wait(future);
        self.zk.wait(async {
            let (done, printed) = oneshot::channel();
            if self.flush.send(done).await.is_ok() {
                let _ = printed.await;
            }
        });
        output
    }

    /// The name of the state in the prompt (`ZooKeeper.States`).
    pub fn state_name(&self) -> &'static str {
        match self.client().state() {
            SessionState::Connecting => "CONNECTING",
            SessionState::Connected { read_only: false, .. } => "CONNECTED",
            SessionState::Connected { read_only: true, .. } => "CONNECTEDREADONLY",
            SessionState::Over(ClientError::AuthFailed(_)) => "AUTH_FAILED",
            SessionState::Over(_) => "CLOSED",
        }
    }

    /// May the session still be used?
    pub fn is_alive(&self) -> bool {
        !matches!(self.client().state(), SessionState::Over(_))
    }
}

async fn print_events(
    mut events: Events,
    mut flushes: mpsc::Receiver<oneshot::Sender<()>>,
    watching: Watching,
) {
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => watching.show(event),
                None => break,
            },
            done = flushes.recv() => match done {
                Some(done) => drop(done.send(())),
                None => break,
            },
        }
    }
}
