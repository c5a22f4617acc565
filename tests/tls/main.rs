//! TLS against real peers: Java's clients and server, keytool, openssl, kazoo, and our own shell.
//!
//! # Invariants
//! * Certificates are made anew for each test; keytool and openssl write the stores.
//! * Wherever "as Java" is claimed, the same certificates go to a Java server first.
#[path = "../support/mod.rs"]
mod support;

mod clients;
mod http;
mod identities;
#[path = "../support/pki.rs"]
mod pki;
mod quorum;
mod refused;
mod rotate;
