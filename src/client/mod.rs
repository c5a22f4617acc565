//! Our own ZooKeeper client: for the shell, for tools and for tests.
//!
//! A [`Client`] is the handle of one session. Its task connects, reconnects over the
//! server list, pings, sets watches and identities again, and matches replies to
//! requests; requests may be pipelined by polling several futures at once.
//! [`Blocking`] offers the same to callers without a runtime.
//!
//! ```no_run
//! # async fn tour() -> Result<(), oxkeeper::client::ClientError> {
//! use oxkeeper::client::{Client, ClientConfig};
//! use oxkeeper::types::{Acl, CreateMode};
//! let (zk, mut events) = Client::connect(ClientConfig::new("127.0.0.1:2181/app")?).await?;
//! zk.create("/a", Some(b"data"), &[Acl::open()], CreateMode::Persistent).await?;
//! let (data, stat) = zk.get("/a", true).await?;
//! zk.set("/a", Some(b"more"), stat.version).await?;
//! let event = events.recv().await;
//! # let _ = (data, event); zk.close().await; Ok(()) }
//! ```
//!
//! # Invariants
//!
//! * Every reply is bounded before it is decoded.
//! * TLS and SASL come in through [`Connector`] and [`SaslClient`]; nothing else changes.

mod blocking;
mod config;
mod connect_string;
mod error;
mod event;
mod fourlw;
mod handle;
mod handshake;
pub mod login;
mod multi;
mod online;
pub mod reply;
mod sasl;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod watches;
pub mod wire;

pub use blocking::Blocking;
pub use config::{ClientConfig, Credentials};
pub use connect_string::{ConnectString, DEFAULT_PORT, HostPort};
pub use error::ClientError;
pub use event::{EventType, KeeperState, WatchedEvent};
pub use fourlw::{four_letter_word, four_letter_word_by};
pub use handle::{Client, CreateAs, Data, Events, Verdict};
pub use handshake::LOGIN;
pub use login::LoginOptions;
pub use multi::{Op, OpResult, Read, ReadResult};
pub use sasl::OutwardSasl;
pub use session::SessionState;
pub use stream::{Boxed, ByteStream, Connector, SaslClient, SaslSession, SaslStep, Tcp};
pub use tls::{SECURE, TlsConnector};
pub use wire::Reply;
