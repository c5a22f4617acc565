//! A port for servers: who comes in, what is logged of whoever does not, and the tasks behind.
//!
//! # Invariants
//!
//! * Nobody is greeted without a place in the doorway.
//! * When the process is out of descriptors or memory, accepting pauses; it never spins.
//! * All tasks end with [`Entrance::end`]; those of one socket when its [`AbortHandle`] is used.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tracing::debug;

use super::complain::Complaints;
use super::doorway::Doorway;
use super::listen::Reserved;
use crate::limits::ACCEPT_PAUSE_MS;

/// The entrance of one port, wherever it is bound.
pub struct Entrance {
    /// Says why connections are refused.
    pub complaints: Complaints,
    port: &'static str,
    doorway: Arc<Doorway>,
    runtime: Handle,
    tasks: Mutex<JoinSet<()>>,
}

impl Entrance {
    /// Of the port of this name, with tasks on the present runtime.
    pub fn new(port: &'static str) -> Entrance {
        Entrance {
            complaints: Complaints::new(port),
            port,
            doorway: Arc::default(),
            runtime: Handle::current(),
            tasks: Mutex::default(),
        }
    }

    /// Runs a task until it or everything ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime)
    }

    /// Opens a socket: whoever connects, and finds a place until it is known, is greeted on a task of its own.
    ///
    /// # Errors
    ///
    /// Another process listens there by now.
    pub fn open<F>(
        self: &Arc<Self>,
        socket: Reserved,
        greet: impl Fn(TcpStream, SocketAddr) -> F + Send + 'static,
    ) -> io::Result<AbortHandle>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let _inside = self.runtime.enter();
        let listener = TcpListener::from_std(socket.listen()?)?;
        let me = Arc::clone(self);
        Ok(self.spawn(async move { me.accept(listener, greet).await }))
    }

    async fn accept<F>(&self, listener: TcpListener, greet: impl Fn(TcpStream, SocketAddr) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    // An address of IPv4 as such.
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    match self.doorway.enter(from.ip()) {
                        Ok(place) => {
                            let greeting = greet(stream, from);
                            self.spawn(async move {
                                greeting.await;
                                drop(place);
                            });
                        }
                        Err(why) => self.complaints.closed(from, why),
                    }
                }
                Err(e) => {
                    debug!(port = self.port, "cannot accept for now: {e}");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    /// Ends all tasks.
    pub fn end(&self) {
        self.tasks.lock().abort_all();
    }
}
