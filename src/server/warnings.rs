//! What is dangerous in a configuration is said at every start, and stays visible in metrics.
//!
//! # Invariants
//!
//! * One warning a matter, with what to do about it; no secret is in it.

use tracing::warn;

use super::Failure;
use crate::config::Settings;
use crate::error::ExitCode;
use crate::metrics::Metrics;
use crate::os::secrecy::{exposed, forbid_core_dumps, guard_panics};

/// Keeps secrets out of core dumps and panic texts, unless the operator wants them there.
pub fn protect(settings: &Settings) {
    guard_panics(settings.safety.core_dumps);
    if settings.safety.core_dumps {
        warn!(
            "core dumps are allowed (process.coreDumps=true): they show keys, passwords and data; set it for a search only"
        );
    } else if let Err(why) = forbid_core_dumps() {
        warn!("core dumps cannot be forbidden: {why}; set LimitCORE=0 in the service's unit");
    }
}

/// Warns of rights that nobody has to prove, and of secrets that others may read.
///
/// # Errors
///
/// Others may read secrets and `secrets.strictPermissions` is set.
pub fn warn_all(settings: &Settings, metrics: &Metrics) -> Result<(), Failure> {
    if settings.auth.super_digest.is_some() {
        metrics.own.super_digest_enabled.set(1);
        warn!(
            "superDigest is set: whoever knows its password passes every ACL; take it out again, and use \
             `oxkeeper rescue` when it is needed"
        );
    }
    if settings.auth.skip_acl {
        metrics.own.skip_acl_enabled.set(1);
        warn!("skipACL=yes: no ACL is checked, everybody may do everything; take it out again");
    }
    secrets(settings, metrics)
}

fn secrets(settings: &Settings, metrics: &Metrics) -> Result<(), Failure> {
    let files = settings.secret_files.iter();
    let open: Vec<_> = files.filter_map(|file| Some((file, exposed(&file.path)?))).collect();
    metrics.own.secrets_readable_by_others.set(open.len() as u64);
    if open.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = open
        .iter()
        .map(|(file, e)| format!("{} ({}, mode {:04o})", file.path.display(), file.what, e.mode))
        .collect();
    let cures: Vec<&str> = open.iter().map(|(_, e)| e.cure.as_str()).collect();
    let (named, cures) = (named.join(", "), cures.join(" && "));
    if settings.safety.strict_permissions {
        let text =
            format!("config: others may read secrets (secrets.strictPermissions=true): {named}: run {cures}");
        return Err(Failure::new(ExitCode::Invocation, text));
    }
    warn!("others may read secrets: {named}: run {cures}");
    Ok(())
}
