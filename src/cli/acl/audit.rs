//! `oxkeeper acl audit`: where ACLs let in more, or fewer, than anybody can have meant.
//!
//! # Invariants
//!
//! * Every znode is looked at; what may not be read is counted and said.
//! * Memory is the counts, a few examples and the identities.

use super::Tree;
use super::plan::{Wish, shown, somebody_rules};
use crate::auth::{DigestAlgorithm, Providers};
use crate::cli::fault::{Fault, plain};
use crate::limits::{AUDIT_EXAMPLES, AUDIT_IDENTITIES};
use crate::types::{Acl, Id, perms};
use clap::Args;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// What nobody in particular should have.
const CHANGES: i32 = perms::WRITE | perms::CREATE | perms::DELETE | perms::ADMIN;

/// Find ACLs that let in more, or fewer, than meant
///
/// Looks at a running ensemble, a data directory (--config, --data-dir) or an archive. Ends with 0 when nothing was
/// found, with 1 when something was, with 2 when it could not look.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Where to begin
    #[arg(default_value = "/")]
    pub path: String,
    /// The principals that exist, one a line: an id of a name that is not among them is an orphan
    #[arg(long, value_name = "FILE")]
    principals: Option<PathBuf>,
    /// Write a plan for oxkeeper acl apply that closes what anybody may change; needs --owner
    #[arg(long, value_name = "FILE", requires = "owner")]
    plan: Option<PathBuf>,
    /// Who shall own what is closed: scheme:id, such as sasl:hbase
    #[arg(long, value_name = "SCHEME:ID")]
    owner: Option<String>,
    /// Leave ephemeral znodes out: their clients make them anew
    #[arg(long)]
    no_ephemerals: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Which tree.
    #[command(flatten)]
    tree: Tree,
}

/// What can be wrong with an ACL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wrong {
    Empty,
    WorldWritable,
    NoAdmin,
    EveryAddress,
    UnknownScheme,
    BadId,
    Orphan,
    NoPermission,
    Twice,
}

impl Wrong {
    /// Name, meaning, cure.
    fn text(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Wrong::Empty => ("empty", "the list is empty: anybody may do everything", "set an ACL"),
            Wrong::WorldWritable => (
                "world-writable",
                "anybody may set data, create or delete children, or set the ACL",
                "acl audit --plan <file> --owner <scheme:id>, then acl apply <file>",
            ),
            Wrong::NoAdmin => (
                "no-admin",
                "nobody may change the ACL any more",
                "as super, or with oxkeeper rescue: setAcl",
            ),
            Wrong::EveryAddress => (
                "every-address",
                "an ip entry covers every address: the same as anybody",
                "name a smaller network",
            ),
            Wrong::UnknownScheme => (
                "unknown-scheme",
                "the scheme of an entry is none that a server has built in: it gives nobody anything",
                "remove the entry, or register its provider",
            ),
            Wrong::BadId => (
                "bad-id",
                "the id of an entry is none of its scheme: it gives nobody anything",
                "correct the entry",
            ),
            Wrong::Orphan => {
                ("orphan", "an entry names somebody who is not in --principals", "remove or rename the entry")
            }
            Wrong::NoPermission => ("no-permission", "an entry gives no permission", "remove the entry"),
            Wrong::Twice => ("twice", "one identity stands in several entries", "join them"),
        }
    }
}

/// Looks; true if nothing was found.
pub fn run(args: &AuditArgs, property: &[String]) -> Result<bool, Fault> {
    let owner = args.owner.as_deref().map(owner).transpose()?;
    let known = args.principals.as_deref().map(principals).transpose()?;
    let plan = match &args.plan {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Some(BufWriter::new(file.map_err(|e| Fault::io("cannot make the plan", path, &e))?))
        }
        None => None,
    };
    let mut look = Look { known, owner, plan, ..Look::default() };
    let forbidden = args.tree.visit(property, &args.path, &mut |path, acl, ephemeral| {
        if ephemeral && args.no_ephemerals { Ok(()) } else { look.znode(path, acl, ephemeral) }
    })?;
    if let (Some(plan), Some(path)) = (&mut look.plan, &args.plan) {
        let synced = plan.flush().and_then(|()| plan.get_ref().sync_all());
        synced.map_err(|e| Fault::io("cannot write the plan", path, &e))?;
    }
    look.print(args, forbidden)?;
    Ok(look.found.is_empty() && forbidden == 0)
}

fn owner(text: &str) -> Result<Id, Fault> {
    let (scheme, id) =
        text.split_once(':').filter(|(scheme, id)| !id.is_empty() && *scheme != "world").ok_or_else(
            || Fault::Usage(format!("--owner {}: give scheme:id, such as sasl:hbase", plain(text))),
        )?;
    Ok(Id::new(scheme, id))
}

fn principals(path: &std::path::Path) -> Result<BTreeSet<String>, Fault> {
    let text = std::fs::read_to_string(path).map_err(|e| Fault::io("cannot read", path, &e))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// What was seen so far.
#[derive(Default)]
struct Look {
    known: Option<BTreeSet<String>>,
    owner: Option<Id>,
    plan: Option<BufWriter<File>>,
    znodes: u64,
    planned: u64,
    /// How often, and the first paths with their ACLs.
    found: BTreeMap<Wrong, (u64, Vec<String>)>,
    identities: BTreeMap<String, u64>,
    other_identities: u64,
}

impl Look {
    fn znode(&mut self, path: &str, acl: &[Acl], ephemeral: bool) -> Result<(), Fault> {
        let path = if path.is_empty() { "/" } else { path };
        self.znodes += 1;
        let wrong = self.judge(acl);
        for w in &wrong {
            let (count, examples) = self.found.entry(*w).or_default();
            *count += 1;
            if examples.len() < AUDIT_EXAMPLES {
                examples.push(format!("{}  {}", path.escape_debug(), shown(acl)));
            }
        }
        for entry in acl {
            self.identity(&entry.id);
        }
        let open = wrong.contains(&Wrong::Empty) || wrong.contains(&Wrong::WorldWritable);
        if open
            && !ephemeral
            && let (Some(plan), Some(owner)) = (&mut self.plan, &self.owner)
        {
            let wish = Wish { path: path.to_owned(), acl: closed(acl, owner), was: Some(acl.to_vec()) };
            self.planned += 1;
            writeln!(plan, "{}", wish.to_line())?;
        }
        Ok(())
    }

    fn identity(&mut self, id: &Id) {
        let name = match id.scheme.as_str() {
            "digest" => id.id.split(':').next().unwrap_or_default(),
            _ => &id.id,
        };
        let name = format!("{}:{}", plain(&id.scheme), plain(name));
        if self.identities.len() < AUDIT_IDENTITIES || self.identities.contains_key(&name) {
            *self.identities.entry(name).or_default() += 1;
        } else {
            self.other_identities += 1;
        }
    }

    fn judge(&self, acl: &[Acl]) -> BTreeSet<Wrong> {
        let mut wrong = BTreeSet::new();
        if acl.is_empty() {
            wrong.insert(Wrong::Empty);
            return wrong;
        }
        if !somebody_rules(acl) {
            wrong.insert(Wrong::NoAdmin);
        }
        let mut seen = BTreeSet::new();
        for entry in acl {
            let Id { scheme, id } = &entry.id;
            if !seen.insert(&entry.id) {
                wrong.insert(Wrong::Twice);
            }
            if entry.perms & perms::ALL == 0 {
                wrong.insert(Wrong::NoPermission);
            }
            wrong.extend(self.judge_id(scheme, id, entry.perms & CHANGES != 0));
        }
        wrong
    }

    /// What is wrong with whom an entry names.
    fn judge_id(&self, scheme: &str, id: &str, changes: bool) -> Option<Wrong> {
        match scheme {
            "world" if id != "anyone" => Some(Wrong::BadId),
            "world" => changes.then_some(Wrong::WorldWritable),
            "ip" if id.ends_with("/0") && changes => Some(Wrong::EveryAddress),
            "digest" | "ip" | "sasl" | "x509" if !every_scheme().valid(scheme, id) => Some(Wrong::BadId),
            "sasl" | "x509" | "digest" if self.is_orphan(scheme, id) => Some(Wrong::Orphan),
            "digest" | "ip" | "sasl" | "x509" | "super" => None,
            _ => Some(Wrong::UnknownScheme),
        }
    }

    /// Is it somebody who is not listed? A line may be the whole id or its first component.
    fn is_orphan(&self, scheme: &str, id: &str) -> bool {
        let Some(known) = &self.known else { return false };
        let first = match scheme {
            "sasl" => id.split(['/', '@']).next(),
            "digest" => id.split(':').next(),
            _ => None,
        };
        !known.contains(id) && !first.is_some_and(|name| known.contains(name))
    }

    fn print(&self, args: &AuditArgs, forbidden: u64) -> Result<(), Fault> {
        let mut out = std::io::stdout().lock();
        if args.json {
            let found: Vec<_> = self.found.iter().map(|(w, (count, examples))| {
                let (name, meaning, cure) = w.text();
                json!({ "finding": name, "meaning": meaning, "cure": cure, "znodes": count, "examples": examples })
            }).collect();
            let all = json!({ "znodes": self.znodes, "forbidden": forbidden, "findings": found,
                "identities": self.identities, "otherIdentities": self.other_identities, "planned": self.planned });
            writeln!(out, "{all}")?;
            return Ok(());
        }
        writeln!(out, "{} znodes below {}", self.znodes, args.path.escape_debug())?;
        if forbidden > 0 {
            writeln!(out, "{forbidden} could not be looked at: log in as super to see all")?;
        }
        for (w, (count, examples)) in &self.found {
            let (name, meaning, cure) = w.text();
            writeln!(out, "{name}: {count} znodes; {meaning}. Cure: {cure}")?;
            examples.iter().try_for_each(|e| writeln!(out, "    {e}"))?;
        }
        writeln!(out, "identities by the number of their entries:")?;
        let mut all: Vec<(&String, &u64)> = self.identities.iter().collect();
        all.sort_by_key(|(name, count)| (Reverse(**count), (*name).clone()));
        for (name, count) in all {
            writeln!(out, "    {count:>9}  {name}")?;
        }
        if self.other_identities > 0 {
            writeln!(out, "    {:>9}  others", self.other_identities)?;
        }
        if let Some(plan) = &args.plan {
            let plan = plan.display();
            writeln!(
                out,
                "{plan}: {} lines; look at it, then oxkeeper acl apply {plan} --dry-run",
                self.planned
            )?;
        }
        Ok(())
    }
}

/// All schemes that a server has built in.
fn every_scheme() -> Providers {
    Providers { digest: Some(DigestAlgorithm::Sha1), sasl: true, x509: true, ..Providers::default() }
}

/// The list without what anybody may change: the owner has everything, the world what it may read.
fn closed(acl: &[Acl], owner: &Id) -> Vec<Acl> {
    let mut list = vec![Acl { perms: perms::ALL, id: owner.clone() }];
    let readable = acl.is_empty() || acl.iter().any(|a| a.id.scheme == "world" && a.perms & perms::READ != 0);
    list.extend(acl.iter().filter(|a| a.id.scheme != "world" && a.id != *owner).cloned());
    if readable {
        list.push(Acl::read_only());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(scheme: &str, id: &str, perms: i32) -> Acl {
        Acl { perms, id: Id::new(scheme, id) }
    }

    #[test]
    fn each_finding_is_made_and_a_good_list_has_none() {
        let known = ["hbase", "kafka/h@R"].map(str::to_owned).into();
        let look = Look { known: Some(known), ..Look::default() };
        let of = |list: &[Acl]| look.judge(list).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&[acl("sasl", "hbase/h@R", 31), Acl::read_only()]), []);
        assert_eq!(of(&[]), [Wrong::Empty]);
        assert_eq!(of(&[Acl::open()]), [Wrong::WorldWritable]);
        assert_eq!(of(&[acl("sasl", "kafka/h@R", 15)]), [Wrong::NoAdmin]);
        assert_eq!(of(&[acl("sasl", "gone", 31)]), [Wrong::Orphan]);
        assert_eq!(of(&[acl("ip", "0.0.0.0/0", 31)]), [Wrong::EveryAddress]);
        assert_eq!(of(&[acl("krb", "x", 31)]), [Wrong::UnknownScheme]);
        assert_eq!(of(&[acl("digest", "nocolon", 31)]), [Wrong::BadId]);
        assert_eq!(of(&[acl("sasl", "hbase", 31), acl("ip", "1.2.3.4", 0)]), [Wrong::NoPermission]);
        assert_eq!(of(&[acl("sasl", "hbase", 31), acl("sasl", "hbase", 1)]), [Wrong::Twice]);
    }

    #[test]
    fn what_is_closed_keeps_its_readers_and_gets_an_owner() {
        let owner = Id::new("sasl", "hbase");
        let was = [Acl::open(), acl("sasl", "hbase", 1), acl("digest", "a:b", 1)];
        assert_eq!(
            closed(&was, &owner),
            [acl("sasl", "hbase", 31), acl("digest", "a:b", 1), Acl::read_only()]
        );
        assert_eq!(closed(&[acl("world", "anyone", perms::WRITE)], &owner), [acl("sasl", "hbase", 31)]);
    }
}
