//! `oxkeeper acl can <principal> <permission> <path>`: yes or no, and which entry decides.
//!
//! # Invariants
//!
//! * The server's own check decides ([`any_of`]); this only names the entry, or what is missing.

use super::Tree;
use super::plan::{bits, shown};
use crate::auth::names::NamePolicy;
use crate::auth::{Caller, Identities, Providers, any_of};
use crate::cli::doctor::here::Here;
use crate::cli::doctor::keytab::qualified;
use crate::cli::doctor::link::letters;
use crate::cli::fault::{Fault, plain};
use crate::replica::ReplicaConfig;
use crate::types::{Acl, Id, perms};
use clap::Args;
use std::path::PathBuf;

/// May somebody do something with a znode, and why?
///
/// The ACL is that of the znode itself: create and delete are about its children; to delete the znode, its
/// parent's ACL counts. Ends with 0 for yes, with 1 for no, with 2 when it could not look.
#[derive(Debug, Clone, Args)]
pub struct CanArgs {
    /// Who: a principal, which the rules of --rules map, or scheme:id; anyone for nobody in particular
    #[arg(value_name = "PRINCIPAL")]
    who: String,
    /// read, write, create, delete, admin, or letters of cdrwa
    permission: String,
    /// The znode
    path: String,
    /// zoo.cfg whose name rules and ACL switches count
    #[arg(long, value_name = "ZOO_CFG")]
    rules: Option<PathBuf>,
    /// Which tree.
    #[command(flatten)]
    tree: Tree,
}

/// Looks; true if it is allowed.
pub fn run(args: &CanArgs, property: &[String]) -> Result<bool, Fault> {
    let wanted = permission(&args.permission)?;
    let rules = args.rules.clone().or_else(|| args.tree.data.config.clone());
    let here = Here::new(rules, property, None);
    let held = identity(&args.who, &here)?;
    let Some(acl) = args.tree.acl_of(property, &args.path)? else {
        return Err(Fault::Refused(format!("{} does not exist", plain(&args.path))));
    };
    let mut providers = ReplicaConfig::standalone(&here.settings, 0).providers;
    (providers.sasl, providers.x509) = (true, true);
    providers.default_realm = here.krb5.default_realm().map(str::to_owned);
    let look = Look { held: &held, providers: &providers, acl: &acl };
    let mut all = true;
    for (bit, name, what) in BITS {
        if wanted & bit != 0 {
            let (yes, why) = look.bit(bit);
            all &= yes;
            println!("{name}: {} ({what}): {why}", if yes { "yes" } else { "no" });
        }
    }
    println!("{} has {}", plain(&args.path), shown(&acl));
    Ok(all)
}

const BITS: [(i32, &str, &str); 5] = [
    (perms::READ, "read", "get data, list children"),
    (perms::WRITE, "write", "set data"),
    (perms::CREATE, "create", "create children"),
    (perms::DELETE, "delete", "delete children; for the znode itself ask for its parent"),
    (perms::ADMIN, "admin", "set the ACL"),
];

fn permission(text: &str) -> Result<i32, Fault> {
    match BITS.iter().find(|(_, name, _)| *name == text) {
        Some((bit, ..)) => Ok(*bit),
        None => bits(text).ok().filter(|b| *b != 0).ok_or_else(|| {
            Fault::Usage(format!("{}: read, write, create, delete, admin, or letters of cdrwa", plain(text)))
        }),
    }
}

fn identity(who: &str, here: &Here) -> Result<Id, Fault> {
    if who == "anyone" {
        return Ok(Id::new("world", "anyone"));
    }
    let schemes = ["sasl", "digest", "ip", "x509"];
    if let Some((scheme, id)) = who.split_once(':').filter(|(scheme, _)| schemes.contains(scheme)) {
        return Ok(Id::new(scheme, id));
    }
    let policy = NamePolicy::new(&here.settings.auth, here.krb5.default_realm());
    let policy = policy.map_err(|e| Fault::Usage(e.to_string()))?;
    let full = qualified(who, here);
    match policy.id_of(&full) {
        Ok(id) => {
            println!("{} is sasl:{}", plain(&full), plain(&id));
            Ok(Id::new("sasl", id))
        }
        Err(refusal) => Err(Fault::Refused(format!(
            "{} would not be let in: {}; oxkeeper doctor map {} says why",
            plain(&full),
            refusal.detail,
            plain(&full)
        ))),
    }
}

struct Look<'a> {
    held: &'a Id,
    providers: &'a Providers,
    acl: &'a [Acl],
}

impl Look<'_> {
    fn gives(&self, acl: &[Acl], bit: i32) -> bool {
        let identities: Identities = [self.held.clone()].into();
        any_of(acl, bit, Caller { providers: self.providers, identities: &identities })
    }

    /// Whether a bit is given, and why.
    fn bit(&self, bit: i32) -> (bool, String) {
        if self.providers.skip_acl {
            return (true, "skipACL=yes: no ACL is checked".to_owned());
        }
        if self.acl.is_empty() {
            return (true, "the list is empty, which allows everybody everything".to_owned());
        }
        if let Some(entry) = self.acl.iter().find(|e| self.gives(std::slice::from_ref(e), bit)) {
            return (true, format!("by {}", shown(std::slice::from_ref(entry))));
        }
        (false, self.why_not(bit))
    }

    fn why_not(&self, bit: i32) -> String {
        let mine =
            |e: &&Acl| self.gives(std::slice::from_ref(&Acl { perms: perms::ALL, id: e.id.clone() }), bit);
        if let Some(entry) = self.acl.iter().find(mine) {
            let lacks = letters(bit);
            return format!("{} matches, and has no {lacks}", shown(std::slice::from_ref(entry)));
        }
        let first = |id: &str| id.split(['/', '@', ':']).next().unwrap_or_default().to_owned();
        let near = |e: &&Acl| {
            e.id.scheme == self.held.scheme && e.perms & bit != 0 && first(&e.id.id) == first(&self.held.id)
        };
        if let Some(entry) = self.acl.iter().find(near) {
            let entry = shown(std::slice::from_ref(entry));
            return format!(
                "{entry} is the same name in another form: ids are compared whole (acl.compare.shortName, \
                 kerberos.removeHostFromPrincipal and kerberos.removeRealmFromPrincipal change that)"
            );
        }
        let others: Vec<Acl> = self.acl.iter().filter(|e| e.perms & bit != 0).cloned().collect();
        match others.is_empty() {
            true => "nobody has it".to_owned(),
            false => format!("only {} has it", shown(&others)),
        }
    }
}
