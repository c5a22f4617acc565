//! `oxkeeper doctor acl <path> --as <principal>`: bit by bit, what an ACL gives somebody and why.
//!
//! # Invariants
//!
//! * The server's own check decides ([`any_of`]); this only names the entry that gives a bit.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Args;

use super::Usage;
use super::codes::Doc;
use super::here::Here;
use super::link::{self, BITS, Link, LinkArgs, letters};
use super::report::{Finding, Report};
use crate::auth::names::NamePolicy;
use crate::auth::reason::Reason;
use crate::auth::{Caller, Identities, Providers, any_of};
use crate::replica::ReplicaConfig;
use crate::types::{Acl, Id, perms};

/// Ids of the tree that are listed.
const LISTED: usize = 40;

/// Bit by bit: what the ACL of a znode gives somebody, and why
#[derive(Debug, Clone, Args)]
pub struct AclArgs {
    /// The znode
    pub path: String,
    /// Who: a principal, which the rules map, or scheme:id
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub who: String,
    /// Permissions that are needed
    #[arg(long, default_value = "cdrwa")]
    pub need: String,
    /// Where the server is, and as whom to look.
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Looks.
///
/// # Errors
///
/// The name rules cannot be read.
pub fn run(args: &AclArgs, properties: &[String], here: &Here, report: &mut Report) -> Result<(), Usage> {
    ways_around(here, report);
    let Some(held) = identity(&args.who, here, report)? else { return Ok(()) };
    let Some(link) = link::open(&args.link, properties, here, report) else { return Ok(()) };
    let list = match link.acl(&args.path) {
        Ok(list) => list,
        Err(error) => {
            link::unreadable(&args.path, &error, report);
            return Ok(());
        }
    };
    let providers = providers(here);
    let look = Look { path: &args.path, held: &held, providers: &providers, list: &list };
    let lacks = look.bits(&args.need, report);
    look.reasons(lacks, report);
    look.ids(&link, report);
    Ok(())
}

/// Switches that leave ACLs unchecked.
fn ways_around(here: &Here, report: &mut Report) {
    let auth = &here.settings.auth;
    let set = [
        (auth.skip_acl, "skipACL=yes: no ACL is checked"),
        (auth.super_digest.is_some(), "DigestAuthenticationProvider.superDigest is set"),
    ];
    for (_, what) in set.iter().filter(|(set, _)| *set) {
        report.find(Finding::warning(Doc::SuperSet, *what));
    }
}

/// The identity that is meant.
fn identity(who: &str, here: &Here, report: &mut Report) -> Result<Option<Id>, Usage> {
    let schemes = ["sasl", "digest", "ip", "x509", "world"];
    if let Some((scheme, id)) = who.split_once(':').filter(|(scheme, _)| schemes.contains(scheme)) {
        return Ok(Some(Id::new(scheme, id)));
    }
    let realm = here.krb5.default_realm();
    let policy = NamePolicy::new(&here.settings.auth, realm).map_err(|e| Usage(e.to_string()))?;
    let full = super::keytab::qualified(who, here);
    match policy.id_of(&full) {
        Ok(id) => {
            report.fact(&full, format!("sasl:{id}"));
            Ok(Some(Id::new("sasl", id)))
        }
        Err(refusal) => {
            let what = format!("{full}: {}", refusal.detail);
            report.find(Finding::error(refusal.reason, what).cure(format!("oxkeeper doctor map {full}")));
            Ok(None)
        }
    }
}

/// The schemes of the server; of one whose configuration is not known, all of them.
fn providers(here: &Here) -> Providers {
    let mut providers = ReplicaConfig::standalone(&here.settings, 0).providers;
    providers.skip_acl = false;
    providers.sasl = true;
    providers.x509 = true;
    providers.default_realm = here.krb5.default_realm().map(str::to_owned);
    providers
}

struct Look<'a> {
    path: &'a str,
    held: &'a Id,
    providers: &'a Providers,
    list: &'a [Acl],
}

impl Look<'_> {
    fn gives(&self, list: &[Acl], bit: i32) -> bool {
        let identities: Identities = [self.held.clone()].into();
        any_of(list, bit, Caller { providers: self.providers, identities: &identities })
    }

    /// Each bit with the entry that gives it; those that are needed and lacking.
    fn bits(&self, need: &str, report: &mut Report) -> i32 {
        for entry in self.list {
            report.fact(format!("ACL of {}", self.path), text(entry));
        }
        let mut lacks = 0;
        for (bit, letter, what) in BITS {
            let by = self.list.iter().find(|entry| self.gives(std::slice::from_ref(entry), bit));
            let why = match by {
                Some(entry) => format!("yes, by {}", text(entry)),
                None if self.gives(self.list, bit) => "yes, the list is empty".to_owned(),
                None => {
                    let others = self.list.iter().filter(|entry| entry.perms & bit != 0);
                    let others: Vec<String> =
                        others.map(|e| format!("{}:{}", e.id.scheme, e.id.id)).collect();
                    lacks |= if need.contains(letter) { bit } else { 0 };
                    match others.is_empty() {
                        true => "no, nobody has it".to_owned(),
                        false => format!("no, only {} has it", others.join(", ")),
                    }
                }
            };
            report.fact(format!("{letter} {what}"), why);
        }
        lacks
    }

    /// Why bits are lacking: the user under another form of its name, a fence, or simply not in the list.
    fn reasons(&self, lacks: i32, report: &mut Report) {
        if !self.list.is_empty() && self.list.iter().all(|entry| entry.perms & perms::ADMIN == 0) {
            let what = format!("{}: no entry has a", self.path);
            report.find(Finding::error(Doc::NoAdmin, what).cure(
                "on the server's host as root, with rescue.socket configured: oxkeeper rescue --session <0x...> \
                 --minutes 5, then in that session setAcl; without it: restart once with skipACL=yes",
            ));
        }
        if lacks == 0 {
            return;
        }
        let who = format!("{}:{}", self.held.scheme, self.held.id);
        let what = format!("{}: {who} lacks {}", self.path, letters(lacks));
        let fence = perms::CREATE | perms::DELETE;
        let fenced = |e: &&Acl| e.id.scheme == "digest" && e.perms == fence;
        if lacks & fence != 0 && self.list.iter().any(|e| fenced(&e)) {
            let what = format!("{what}; c and d belong to the digest of the active ResourceManager alone");
            return report.find(Finding::error(Doc::Fencing, what).cure(format!(
                "start the ResourceManager whose store this is; if it is gone for good, as its user with ADMIN: setAcl \
                 {} {who}:cdrwa (never deleteall without a dump: oxkeeper dump)",
                self.path
            )));
        }
        let first = |id: &str| id.split(['/', '@']).next().unwrap_or_default().to_owned();
        let other = self.list.iter().find(|e| {
            e.id.scheme == "sasl"
                && self.held.scheme == "sasl"
                && e.id != *self.held
                && first(&e.id.id) == first(&self.held.id)
        });
        match other {
            Some(entry) => {
                let what = format!("{what}; the ACL has {}", text(entry));
                report.find(Finding::error(Doc::IdShape, what).cure(self.reshape(entry)));
            }
            None => report.find(Finding::error(Reason::AclDenied, what).cure(format!(
                "as somebody with ADMIN: setAcl {} {}",
                self.path,
                self.with_held()
            ))),
        }
    }

    /// The setting that makes both forms one, and the ACL for the present form.
    fn reshape(&self, entry: &Acl) -> String {
        let has = |id: &str, c: char| id.contains(c);
        let (held, listed) = (&self.held.id, &entry.id.id);
        let mut keys = Vec::new();
        for (c, key) in
            [('/', "kerberos.removeHostFromPrincipal"), ('@', "kerberos.removeRealmFromPrincipal")]
        {
            match (has(held, c), has(listed, c)) {
                (true, false) => keys.push(format!("{key}=true")),
                (false, true) => keys.push(format!("{key}=false")),
                _ => {}
            }
        }
        if keys.is_empty() {
            keys.push("acl.compare.shortName=true (host parts differ)".to_owned());
        }
        format!("setAcl {} {}; or in zoo.cfg: {}", self.path, self.with_held(), keys.join(" and "))
    }

    fn with_held(&self) -> String {
        let own = Acl { perms: perms::ALL, id: self.held.clone() };
        let others = self.list.iter().filter(|e| e.id != *self.held);
        others.map(text).chain([text(&own)]).collect::<Vec<_>>().join(",")
    }

    /// Every form of an id in the tree, and whether it matches.
    fn ids(&self, link: &Link, report: &mut Report) {
        let mut seen: BTreeMap<Id, usize> = BTreeMap::new();
        let whole = link.walk("/", |_, list| {
            for entry in list {
                *seen.entry(entry.id.clone()).or_default() += 1;
            }
        });
        let mut ids: Vec<(Id, usize)> = seen.into_iter().collect();
        ids.sort_by_key(|(_, znodes)| Reverse(*znodes));
        for (id, znodes) in ids.into_iter().take(LISTED) {
            let entry = Acl { perms: perms::ALL, id };
            let matches = if self.gives(std::slice::from_ref(&entry), perms::READ) {
                "matches"
            } else {
                "does not match"
            };
            report.fact(
                format!("id {}:{}", entry.id.scheme, shown(&entry.id)),
                format!("{znodes} znodes, {matches}"),
            );
        }
        if !whole {
            report.fact("ids", "of the first znodes alone, the tree is larger");
        }
    }
}

/// An entry as setAcl takes it.
pub fn text(entry: &Acl) -> String {
    format!("{}:{}:{}", entry.id.scheme, entry.id.id, letters(entry.perms))
}

/// The id without the hash of a password.
fn shown(id: &Id) -> &str {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        _ => &id.id,
    }
}
