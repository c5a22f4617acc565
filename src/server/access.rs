//! Who may log in, and how: from settings to names, demands and mechanisms.
//!
//! # Invariants
//!
//! * Rules that cannot be used, and settings that contradict the login that they require, end the start with
//!   one sentence and its cure.

use std::sync::Arc;

use super::Failure;
use crate::auth::enforce;
use crate::auth::names::NamePolicy;
use crate::config::Settings;
use crate::error::ExitCode;

/// The policy of names. `default_realm` is that of krb5.conf, if there is one.
///
/// # Errors
///
/// A rule that cannot be used, or settings that exclude each other.
pub fn names(settings: &Settings, default_realm: Option<&str>) -> Result<Arc<NamePolicy>, Failure> {
    let refused = |why: String| Failure::new(ExitCode::Invocation, format!("refused: {why}"));
    let names = NamePolicy::new(&settings.auth, default_realm).map_err(|bad| refused(bad.to_string()))?;
    match enforce::refusal(&settings.auth, &names) {
        Some(why) => Err(refused(why)),
        None => Ok(Arc::new(names)),
    }
}
