//! Kerberos and SASL: the one room with foreign code.
//!
//! The core sees tokens and results; everything that talks to MIT's libraries, to keytabs and to replay caches is
//! here. [`server`] takes the tokens of clients on threads of [`pool`].
//!
//! # Invariants
//!
//! * `unsafe` is in the FFI files alone, each block with its reason.
//! * The environment of the running server is never changed; keytabs and caches are named to the library directly.
//! * Nothing here lets anybody in because something went wrong.

mod acceptor;
pub mod config;
mod der;
pub mod digest_md5;
mod errors;
mod ffi;
pub mod initiator;
pub mod kdc;
pub mod keytab;
pub mod krb5_conf;
pub mod krb5_ffi;
mod leave;
mod mechanism;
mod names;
pub mod pool;
pub mod quorum;
pub mod refused;
pub mod resolver;
pub mod server;
mod skew;
pub mod spnego;
mod store;
pub mod tickets;
pub mod token;
mod unwrap;

pub use acceptor::GssapiConfig;
pub use errors::KerberosError;
pub use ffi::use_krb5_conf;
pub use krb5_ffi::default_realm;
pub use leave::leave;
