//! `oxkeeper doctor map <principal>`: from a principal to the id of ACLs, rule by rule.
//!
//! # Invariants
//!
//! * The server's own mapping decides; this only prints its steps.

use clap::Args;

use super::Usage;
use super::here::Here;
use super::report::{Finding, Report};
use crate::auth::names::NamePolicy;
use crate::auth::reason::Reason;

/// auth_to_local rule by rule: which id a principal gets in ACLs
#[derive(Debug, Clone, Args)]
pub struct MapArgs {
    /// Full principal: name@REALM or name/host@REALM
    pub principal: String,
}

/// Looks.
///
/// # Errors
///
/// The rules themselves cannot be read.
pub fn run(args: &MapArgs, here: &Here, report: &mut Report) -> Result<(), Usage> {
    let realm = here.krb5.default_realm();
    let policy = NamePolicy::new(&here.settings.auth, realm).map_err(|e| Usage(e.to_string()))?;
    let explained = policy.explain(&args.principal);
    report.fact("principal", &explained.principal);
    report.fact("default realm", realm.unwrap_or("none"));
    report.fact("allowed realms", explained.allowed_realms.join(", "));
    for (rule, became) in &explained.tried {
        report.fact(rule, became.to_string());
    }
    match &explained.outcome {
        Ok(id) => report.fact("ACL id", format!("sasl:{id}")),
        Err(refusal) => {
            let what = format!("{}: {}", args.principal, refusal.detail);
            let finding = Finding::error(refusal.reason, what);
            report.find(match cure(refusal.reason, &args.principal) {
                Some(cure) => finding.cure(cure),
                None => finding,
            });
        }
    }
    Ok(())
}

/// The line to add for this principal.
fn cure(reason: Reason, principal: &str) -> Option<String> {
    let (name, realm) = principal.rsplit_once('@')?;
    match reason {
        Reason::NameRealm => Some(format!(
            "if {realm} is to be trusted, add to zoo.cfg: kerberos.allowedRealms=<own realm>,{realm} and a rule, \
             security.auth_to_local={} DEFAULT",
            rule(name, realm)
        )),
        Reason::NameNoRule => {
            Some(format!("add to zoo.cfg: security.auth_to_local={} DEFAULT", rule(name, realm)))
        }
        _ => None,
    }
}

/// A rule that takes the first component of names of a realm.
fn rule(name: &str, realm: &str) -> String {
    let components = name.split('/').count();
    let realm = realm.replace('.', "\\.");
    format!("RULE:[{components}:$1@$0](.*@{realm})s/@.*//")
}
