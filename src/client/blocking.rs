//! The same session for callers without a runtime: tools and the shell.
//!
//! # Invariants
//!
//! * Every call waits for its answer; the session itself lives on its own thread.

use super::config::ClientConfig;
use super::error::ClientError;
use super::handle::{Client, Events};
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A session driven by a runtime of its own.
pub struct Blocking {
    runtime: Runtime,
    client: Client,
}

impl Blocking {
    /// Starts a session and returns at once, as [`Client::start`].
    pub fn start(config: ClientConfig) -> Result<(Blocking, Events), ClientError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("zk-client")
            .enable_all()
            .build()
            .map_err(|e| ClientError::Config(format!("no thread for the client: {e}")))?;
        let (client, events) = {
            let _inside = runtime.enter();
            Client::start(config)
        };
        Ok((Blocking { runtime, client }, events))
    }

    /// Starts a session and waits until it is served.
    pub fn connect(config: ClientConfig) -> Result<(Blocking, Events), ClientError> {
        let limit = config.timeout;
        let (client, events) = Blocking::start(config)?;
        client.wait_connected(limit)?;
        Ok((client, events))
    }

    /// Waits until the session is served.
    pub fn wait_connected(&self, limit: Duration) -> Result<(), ClientError> {
        self.wait(self.client.wait_connected(limit))
    }

    /// The asynchronous handle: `b.wait(b.client().get("/a", false))`.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for a future of the handle.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs a task beside the session.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Ends the session.
    pub fn close(&self) {
        self.wait(self.client.close());
    }
}
