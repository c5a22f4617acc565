//! `oxkeeper doctor acl-audit [prefix]`: znodes that anybody may change, and the batch that closes them.
//!
//! # Invariants
//!
//! * Nothing is set: the batch is printed, the dry run first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Args;

use super::codes::Doc;
use super::here::Here;
use super::link::{self, LinkArgs, letters};
use super::report::{Finding, Report};
use crate::types::{Acl, perms};

/// Lines of a batch.
const BATCH: usize = 1000;
/// Prefixes that are listed.
const WORST: usize = 10;
/// What nobody in particular should have.
const CHANGES: i32 = perms::WRITE | perms::CREATE | perms::DELETE | perms::ADMIN;

/// Znodes that anybody may change, and a ready batch of setAcl
#[derive(Debug, Clone, Args)]
pub struct AclAuditArgs {
    /// Where to begin
    #[arg(default_value = "/")]
    pub prefix: String,
    /// Who shall own the open znodes: scheme:id [default: the id that owns most around them]
    #[arg(long)]
    pub owner: Option<String>,
    /// Where the server is, and as whom to look.
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Looks.
pub fn run(args: &AclAuditArgs, properties: &[String], here: &Here, report: &mut Report) {
    let Some(link) = link::open(&args.link, properties, here, report) else { return };
    if let Err(error) = link.acl(&args.prefix) {
        return link::unreadable(&args.prefix, &error, report);
    }
    let mut seen = Seen::default();
    let whole = link.walk(&args.prefix, |path, list| seen.znode(path, list));
    let cut = if whole { "" } else { " (of the first znodes alone, the tree is larger)" };
    let open = seen.open.len();
    report.fact("znodes", format!("{}{cut}", seen.all));
    report.fact("anybody may change", format!("{open} ({}%)", 100 * open / seen.all.max(1)));
    if open == 0 {
        return;
    }
    let mut worst: Vec<(&String, &usize)> = seen.prefixes.iter().collect();
    worst.sort_by_key(|(_, count)| Reverse(**count));
    for (prefix, count) in worst.iter().take(WORST) {
        report.fact(format!("below {prefix}"), count.to_string());
    }
    let owner = args.owner.clone().or_else(|| seen.owner()).unwrap_or_else(|| "sasl:<owner>".to_owned());
    let first: Vec<&str> = seen.open.iter().take(3).map(|(path, _)| path.as_str()).collect();
    let what = format!("{open} of {} znodes, such as {}", seen.all, first.join(" "));
    let shell = format!("oxkeeper shell -server {}", link.server);
    report.find(
        Finding::error(Doc::WorldWritable, what)
            .cure(format!("look with the dry run below, then run its setAcl lines as {owner}")),
    );
    report.paste("# dry run: what is there now");
    let batch = || seen.open.iter().take(BATCH);
    batch().for_each(|(path, _)| report.paste(format!("{shell} getAcl {}", quoted(path))));
    report.paste("# the batch: everybody may still read");
    for (path, list) in batch() {
        report.paste(format!("{shell} setAcl {} {}", quoted(path), quoted(&closed(list, &owner))));
    }
}

#[derive(Default)]
struct Seen {
    all: usize,
    open: Vec<(String, Vec<Acl>)>,
    prefixes: BTreeMap<String, usize>,
    owners: BTreeMap<String, usize>,
}

impl Seen {
    fn znode(&mut self, path: &str, list: &[Acl]) {
        self.all += 1;
        for entry in list.iter().filter(|e| e.perms == perms::ALL && e.id.scheme != "world") {
            *self.owners.entry(format!("{}:{}", entry.id.scheme, entry.id.id)).or_default() += 1;
        }
        let world = |e: &Acl| e.id.scheme == "world" && e.perms & CHANGES != 0;
        if list.is_empty() || list.iter().any(world) {
            let top = path.split('/').nth(1).unwrap_or_default();
            *self.prefixes.entry(format!("/{top}")).or_default() += 1;
            self.open.push((path.to_owned(), list.to_vec()));
        }
    }

    fn owner(&self) -> Option<String> {
        self.owners.iter().max_by_key(|(_, count)| **count).map(|(owner, _)| owner.clone())
    }
}

/// The list without the world's changes: what it reads, the others, and the owner.
fn closed(list: &[Acl], owner: &str) -> String {
    let mut entries: Vec<String> = vec![format!("{owner}:cdrwa")];
    for entry in list {
        let id = format!("{}:{}", entry.id.scheme, entry.id.id);
        let bits = if entry.id.scheme == "world" { entry.perms & perms::READ } else { entry.perms };
        if bits != 0 && id != owner {
            entries.push(format!("{id}:{}", letters(bits)));
        }
    }
    entries.join(",")
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:,@=%+".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
