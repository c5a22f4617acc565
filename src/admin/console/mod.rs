//! The pages for people: plain HTML, made here, with hardly any script.
//!
//! | module | |
//! |---|---|
//! | [`html`] | escaped text, tables, the frame of a page |
//! | [`overview`] | server, ensemble, expiries |
//! | [`sessions`] | sessions and watches |
//! | [`tree`] | one znode: data, ACL, children |
//!
//! # Invariants
//!
//! * Every text is escaped where it enters a page; there is no other way in.
//! * Pages only look: there is no form that changes anything.
//! * Style and script come from this server alone, as the policy of every page says.

pub mod html;
pub mod overview;
pub mod sessions;
pub mod tree;

pub use html::{Cell, Frame, escape};

/// What browsers are told about every page: nothing from elsewhere, nothing inline, no framing.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// The style sheet.
pub const STYLE: &str = include_str!("style.css");

/// The script: it counts times down.
pub const SCRIPT: &str = include_str!("script.js");
