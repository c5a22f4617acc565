//! Who may log in, and how: from settings to names, demands and mechanisms.
//!
//! # Invariants
//!
//! * Rules that cannot be used, and settings that contradict the login that they require, end the start with
//!   one sentence and its cure.

use std::sync::Arc;

use tracing::{info, warn};

use super::Failure;
use super::logins::Mechanisms;
use crate::auth::enforce;
use crate::auth::names::NamePolicy;
use crate::config::Settings;
use crate::error::ExitCode;
use crate::kerberos::pool::GssThreads;
use crate::kerberos::server::{Meters, SaslServer};
use crate::kerberos::{self, KerberosError};
use crate::limits::SKEW_WARNING_MS;
use crate::metrics::Metrics;

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

/// The mechanisms by which clients can log in; `None` when no login is configured. The keytab is read, no KDC is
/// asked.
///
/// # Errors
///
/// A section or keytab that cannot be used: nobody could log in.
pub fn mechanisms(
    settings: &Settings,
    names: &Arc<NamePolicy>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Mechanisms>, Failure> {
    let refused = |why: KerberosError| Failure::new(ExitCode::Invocation, why.to_string());
    let policy = Arc::clone(names);
    let map: kerberos::server::Names = Arc::new(move |mechanism, name: &str| policy.id(mechanism, name));
    let meters = Arc::new(Clocks(Arc::clone(metrics)));
    let config = kerberos::config::of(settings, map, meters).map_err(refused)?;
    if config.is_empty() {
        return Ok(None);
    }
    let realm = names.default_realm().unwrap_or("none");
    info!(default_realm = realm, allowed_realms = %names.allowed_realms().join(","), "clients can log in by SASL");
    let server = SaslServer::new(config).map_err(refused)?;
    let threads = GssThreads::start()
        .map_err(|e| Failure::new(ExitCode::Unexpected, format!("cannot start a thread: {e}")))?;
    let looking = server.clone();
    Ok(Some(Mechanisms {
        look: Box::new(move || looking.look()),
        begin: Box::new(move || {
            let mut exchange = server.exchange();
            Box::new(move |token| exchange.step(token))
        }),
        submit: Box::new(move |lane, job| threads.submit(lane, job).is_ok()),
    }))
}

/// How far clients' clocks are off, and which keys are in use.
struct Clocks(Arc<Metrics>);

impl Meters for Clocks {
    fn skew_ms(&self, ms: i64) {
        if self.0.logins.skew(ms) && ms.abs() >= SKEW_WARNING_MS {
            let (seconds, side) = (ms.abs() / 1000, if ms > 0 { "ahead of" } else { "behind" });
            warn!(
                "a client's clock is {seconds} s {side} this server's; at 300 s its login is refused: set both by NTP"
            );
        }
    }

    fn key(&self, service: &str, kvno: u32, _enctype: i32) {
        self.0.logins.key(service, kvno);
    }
}
