//! Client listener and connections; connections between members.
//!
//! | module | |
//! |---|---|
//! | [`listener`] | bind, accept, admit, spawn, close the idle |
//! | [`connection`] | the poll loop of one connection |
//! | [`secure`] | TLS handshakes, and ports that take both |
//! | [`service`] | what a connection needs from the server behind it |
//! | [`registry`] | the connections of a listener, their limits |
//! | [`waker`] | waking and killing a connection from any thread |
//! | [`frame`] | frames in a stream of bytes |
//! | [`throttle`] | the connection throttle |
//! | [`budget`] | the budget of large requests |
//! | [`peering`] | TLS, SASL, listening and dialling between members |
//! | [`mesh`] | election connections |
//! | [`links`] | quorum connections |
//! | [`http`] | the HTTP face of admin server and metrics |
//!
//! # Invariants
//!
//! * This room decides nothing about requests: it frames, bounds and forwards.
//! * What a client does harms its own connection only.

pub mod budget;
pub mod connection;
mod direct;
pub mod frame;
pub mod http;
pub mod links;
pub mod listener;
pub mod mesh;
pub mod peering;
pub mod registry;
mod scratch;
pub mod secure;
pub mod service;
mod stage;
pub mod throttle;
pub mod waker;

#[cfg(test)]
mod tests;

pub use budget::{LargeBudget, LargeGuard};
pub use connection::{Connection, ConnectionLimits};
pub use listener::{Front, ListenAddress, accept_loop, bind, sweep_loop};
pub use registry::{Admission, Entry, Full, Registry};
pub use secure::Wire;
pub use service::{CloseReason, FirstBytes, Flow, NetEvent, Outgoing, Peer, Service, Verdict, WordAnswer};
pub use throttle::{BlueThrottle, ConnectKind};
pub use waker::{Kill, TaskWaker};
