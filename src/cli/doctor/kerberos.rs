//! `oxkeeper doctor kerberos`: krb5.conf, realms, KDCs, clock.
//!
//! # Invariants
//!
//! * Nothing is changed; no login is made.

use clap::Args;

use super::codes::Doc;
use super::here::Here;
use super::kdcs::{self, now};
use super::report::{Finding, Report};
use crate::kerberos::krb5_ffi;

/// krb5.conf, realms, KDCs on TCP and UDP, clock, encryption types, replay cache
#[derive(Debug, Clone, Args)]
pub struct KerberosArgs {
    /// Realm to look at [default: the default realm]
    #[arg(long)]
    pub realm: Option<String>,
    /// Ticket cache to look at [default: this user's]
    #[arg(long)]
    pub ccache: Option<String>,
}

/// Looks.
pub fn run(args: &KerberosArgs, here: &Here, report: &mut Report) {
    here.judge_krb5(report);
    replay_cache(report);
    let (permitted, set) = super::enctypes::permitted(&here.krb5);
    let whence = if set { "permitted_enctypes" } else { "libkrb5's own list" };
    report.fact("encryption types", format!("{} ({whence})", super::enctypes::listed(&permitted)));
    if let Some(realm) = args.realm.as_deref().or(here.krb5.default_realm()) {
        kdcs::examine(here, realm, report);
    }
    tickets(args.ccache.as_deref(), report);
}

/// The ticket-granting ticket of a cache: does it live, and can it be renewed?
fn tickets(cache: Option<&str>, report: &mut Report) {
    let named = cache.unwrap_or("default");
    let tgt = match krb5_ffi::look(cache) {
        Ok(tgt) => tgt,
        // Nobody has to have tickets; a cache that is named has to.
        Err(why) if cache.is_none() => return report.fact("ticket cache", format!("{named}: {why}")),
        Err(why) => return report.find(Finding::error(Doc::NoTicket, format!("{named}: {why}"))),
    };
    let (left, principal) = (tgt.end - now(), &tgt.principal);
    if left <= 0 {
        let what = format!("the ticket of {principal} ended {} s ago", -left);
        return report.find(Finding::error(Doc::NoTicket, what).cure(format!("kinit {principal}")));
    }
    let renewable = tgt.renew_till.map(|till| till - now()).filter(|renew| *renew > left);
    let renewal = match renewable {
        Some(renew) => format!("renewable for {renew} s"),
        None => "not renewable".to_owned(),
    };
    report.fact("ticket cache", format!("{named}: {principal}, lives {left} s, {renewal}"));
    if renewable.is_none() {
        let realm = principal.rsplit_once('@').map_or("", |(_, realm)| realm);
        let what = format!("the ticket of {principal} ends in {left} s and cannot be renewed beyond that");
        let cure = format!(
            "kinit -r 7d {principal}; if the KDC gives none, there: kadmin.local -q 'modprinc -maxrenewlife 7d \
             krbtgt/{realm}' and kadmin.local -q 'modprinc -maxrenewlife 7d {principal}' (FusionInsight and MRS, \
             KrbServer: kdc_renew_lifetime, kdc_max_renewable_life)"
        );
        report.find(Finding::warning(Doc::NotRenewable, what).cure(cure));
    }
}

/// Switches that turn replay caches off for good are found where people leave them.
fn replay_cache(report: &mut Report) {
    let off = |value: &str| value == "none" || value.starts_with("none:");
    for name in ["KRB5RCACHETYPE", "KRB5RCACHENAME"] {
        if let Ok(value) = std::env::var(name)
            && off(&value)
        {
            let what = format!("{name}={value} in the environment");
            report.find(Finding::warning(Doc::ReplayOff, what).cure(format!("unset {name}")));
        }
    }
    for name in ["JVMFLAGS", "SERVER_JVMFLAGS"] {
        let flags = std::env::var(name).unwrap_or_default();
        if flags.contains("-Dsun.security.krb5.rcache=none") {
            let what = format!("{name} has -Dsun.security.krb5.rcache=none");
            let cure = format!("remove -Dsun.security.krb5.rcache=none from {name}");
            report.find(Finding::warning(Doc::ReplayOff, what).cure(cure));
        }
    }
}
