//! Settings of one client session.
//!
//! # Invariants
//!
//! * A session never sends a request larger than it would accept as a reply.

use super::connect_string::ConnectString;
use super::error::ClientError;
use super::stream::{Connector, SaslClient, Tcp};
use crate::limits::{DEFAULT_JUTE_MAX_BUFFER, PASSWORD_LENGTH};
use crate::types::SessionId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a session needs to be taken up again, even by another process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The session.
    pub id: SessionId,
    /// Its password; never printed.
    pub password: [u8; PASSWORD_LENGTH],
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.id)
    }
}

/// Settings of a session.
#[derive(Clone)]
pub struct ClientConfig {
    /// Servers and chroot.
    pub servers: ConnectString,
    /// Session time-out to ask for; the server may change it.
    pub timeout: Duration,
    /// May the session be served by a read-only server?
    pub read_only: bool,
    /// Largest frame taken or sent, bytes (`jute.maxbuffer`).
    pub max_buffer: usize,
    /// Try the servers in random order, so that clients spread over an ensemble.
    pub shuffle: bool,
    /// Take up this session instead of opening one.
    pub resume: Option<Credentials>,
    /// Last zxid seen by the session that is taken up.
    pub last_zxid: i64,
    /// Opens connections.
    pub connector: Arc<dyn Connector>,
    /// Authenticates each connection before anything else is sent.
    pub sasl: Option<Arc<dyn SaslClient>>,
}

impl ClientConfig {
    /// Defaults for a connect string: 30 s, plain TCP, no SASL.
    pub fn new(connect_string: &str) -> Result<ClientConfig, ClientError> {
        Ok(ClientConfig {
            servers: ConnectString::parse(connect_string)?,
            timeout: Duration::from_secs(30),
            read_only: false,
            max_buffer: DEFAULT_JUTE_MAX_BUFFER,
            shuffle: true,
            resume: None,
            last_zxid: 0,
            connector: Arc::new(Tcp),
            sasl: None,
        })
    }

    /// The same with another session time-out.
    pub fn timeout(mut self, timeout: Duration) -> ClientConfig {
        self.timeout = timeout;
        self
    }
}
