//! TLS: key stores, acceptors, connectors, identities, revocation, hot reload.
//!
//! | module | |
//! |---|---|
//! | [`store`] | key and trust stores: PEM, PKCS#12, JKS |
//! | [`material`] | everything one side is made of |
//! | [`engine`] | protocols and cipher suites by their Java names |
//! | [`peers`], [`hosts`] | whom we trust, and for which hosts |
//! | [`server`], [`client`] | accepting and connecting |
//! | [`quorum`] | both between servers |
//! | [`unify`] | ports that take TLS and plain connections |
//! | [`certificate`], [`name`], [`der`] | what stands in certificates; names as Java prints them |
//! | [`crl`], [`watch`] | revocation lists; files that changed |
//! | [`fips`] | what the FIPS build refuses |
//! | [`refusal`], [`error`] | why a peer is refused; why TLS cannot be set up |
//!
//! # Invariants
//!
//! * A connection has an identity before its first byte reaches anybody, or it is not there.
//! * Every file is bounded before it is read, every handshake in time and number.
//! * A new file that is unusable never takes away what works.
//! * No decision depends on a resolver.

pub mod certificate;
pub mod client;
pub mod crl;
pub mod der;
pub mod engine;
pub mod error;
pub mod fips;
pub mod hosts;
pub mod material;
pub mod name;
pub mod peers;
pub mod quorum;
pub mod refusal;
pub mod server;
pub mod store;
#[cfg(test)]
mod tests;
pub mod unify;
pub mod watch;

pub use client::ClientTls;
pub use error::TlsError;
pub use server::{Polled, Role, ServerTls, X509Identity};
