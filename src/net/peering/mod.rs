//! What election and quorum connections have in common: listening, dialling, and who the other end is.
//!
//! | module | |
//! |---|---|
//! | [`gate`] | TLS and SASL between servers, both directions |
//! | [`conn`] | a connection and what was read of it beyond its handshake |
//! | [`doorway`] | bounds of connections that have not said who they are |
//! | [`entrance`] | a port: accepting, greeting, and the tasks behind |
//! | [`dial`] | names to connections: resolved at each dial, all addresses of a member at once |
//! | [`listen`] | sockets that are bound, and opened when they are wanted |
//! | [`complain`] | log lines about strangers, a few a second |
//!
//! # Invariants
//!
//! * Nothing that a connection says is acted upon before TLS and SASL, where they are asked for, are done.
//! * Whatever a connection sends harms that connection alone.

pub mod complain;
pub mod conn;
pub mod dial;
pub mod doorway;
pub mod entrance;
pub mod gate;
pub mod listen;

pub use conn::{Conn, ended};
pub use entrance::Entrance;
pub use gate::{Gate, Who};
