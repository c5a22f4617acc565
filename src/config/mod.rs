//! One table of keys; zoo.cfg, properties, JAAS text in; typed settings and findings out.
//!
//! # Invariants
//!
//! * Pure: whatever has to be read is read by the caller.
//! * No secret is printed by any type of this room.

mod credentials;
pub mod describe;
pub mod dynamic;
pub mod finding;
pub mod flags;
pub mod given;
pub mod jaas;
pub mod keys;
pub mod load;
pub mod nearest;
pub mod properties;
pub mod quorum;
pub mod report;
mod rules;
pub mod secret;
mod secret_files;
pub mod settings;
pub mod shell;
pub mod sources;
pub mod tls_names;
mod tls_rules;
pub mod values;

pub use finding::{EXIT_BAD_CONFIG, Finding, Findings, Place, Severity};
pub use load::{Loaded, load};
pub use secret::Secret;
pub use settings::Settings;
pub use sources::{Files, Invocation, Request};
