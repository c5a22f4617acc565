//! DIGEST-MD5 (RFC 2831) as Java's ZooKeeper speaks it, for both roles.
//!
//! ```text
//! client                               server
//! (empty)                          ->
//!                                  <-  realm, nonce, charset, algorithm
//! username, cnonce, response, ...  ->
//!                                  <-  rspauth
//! ```
//!
//! The exchanges are pure: nonces come in, tokens and verdicts come out. [`mechanism`] makes rsasl
//! mechanisms of them.
//!
//! # Invariants
//!
//! * A challenge is answered once: whatever the answer, the server looks at no second one.
//! * The server holds hashes (HA1), not passwords, and compares in constant time.
//! * An unknown user and a wrong password differ neither in words nor in the work that is done.
//! * Quality of protection is `auth` alone: no security layer, encryption is TLS's task.

mod client;
mod directives;
mod hash;
pub mod mechanism;
mod server;
mod users;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientStep, Login};
pub use server::{Server, Step};
pub use users::DigestConfig;

/// Bytes of a nonce before its text form (Base64, 32 characters).
pub const NONCE_BYTES: usize = 24;

/// SASL service and host names of ZooKeeper's clients: `digest-uri` is `zookeeper/zk-sasl-md5`,
/// and the host's name is the realm, too.
pub const CLIENTS: Names = Names { service: "zookeeper", host: "zk-sasl-md5" };

/// The same between servers.
pub const QUORUM: Names = Names { service: "zookeeper-quorum", host: "zk-quorum-sasl-md5" };

/// What both sides of an exchange call the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Names {
    /// SASL protocol.
    pub service: &'static str,
    /// SASL server name, which is the only realm.
    pub host: &'static str,
}

impl Names {
    /// `digest-uri`.
    fn uri(self) -> String {
        format!("{}/{}", self.service, self.host)
    }
}

/// May DIGEST-MD5 not be used? Always so in a build for FIPS; otherwise where `fips-mode=true` was
/// written out (`written` is the value that was written, if one was). Java's default of true does
/// not count: it would end clusters that work.
pub const fn forbidden(written: Option<bool>) -> bool {
    cfg!(feature = "fips") || matches!(written, Some(true))
}
