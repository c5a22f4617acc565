//! `oxkeeper acl apply`: sets the ACLs of a plan, with a file that takes them back.
//!
//! # Invariants
//!
//! * The undo file holds a znode's old ACL, durably, before the new one is sent.
//! * An ACL is set only at the version that was looked at, and only if the plan's `was` (if it has one) still holds.
//! * A plan that would leave a znode without anybody who may change its ACL is refused as a whole.

use super::plan::{self, Wish, is_masked, shown, somebody_rules};
use crate::cli::doctor::link::LinkArgs;
use crate::cli::fault::{Fault, plain};
use crate::client::{Blocking, ClientError};
use crate::error::Code;
use crate::limits::WALK_AHEAD;
use crate::types::Acl;
use clap::Args;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Set the ACLs of a plan; --undo keeps what was there, as a plan of its own
///
/// A plan has one JSON object a line: {"path":"/a","acl":[{"scheme":"sasl","id":"hbase","perms":"cdrwa"}]}, and
/// optionally "was" with the ACL that is expected there. oxkeeper acl audit --plan writes one.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// The plan
    pub plan: PathBuf,
    /// Only say what would be set
    #[arg(long)]
    dry_run: bool,
    /// Where the old ACLs are kept; must not exist
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    undo: Option<PathBuf>,
    /// Take a plan after which nobody may change some ACL any more, but super
    #[arg(long)]
    no_admin: bool,
    /// The ensemble, and as whom.
    #[command(flatten)]
    link: LinkArgs,
}

/// Applies; true if every line was, or was so already.
pub fn run(args: &ApplyArgs, property: &[String]) -> Result<bool, Fault> {
    let wishes = plan::read(&args.plan)?;
    if let Some(wish) = wishes.iter().find(|w| !somebody_rules(&w.acl)).filter(|_| !args.no_admin) {
        return Err(Fault::Refused(format!(
            "nobody could change the ACL of {} any more: give somebody a, or say --no-admin; nothing was changed",
            plain(&wish.path)
        )));
    }
    let mut undo = match args.undo.as_deref().filter(|_| !args.dry_run) {
        Some(path) => Some(Undo::create(path)?),
        None => None,
    };
    let (session, server) = super::session(&args.link, property)?;
    let mut done = Done::default();
    let mut result = Ok(());
    for some in wishes.chunks(WALK_AHEAD) {
        result = batch(&session, some, undo.as_mut(), &mut done);
        if result.is_err() {
            break;
        }
    }
    session.close();
    let would = if args.dry_run { "would be " } else { "" };
    let Done { set, same, left } = done;
    println!("ACLs on {server}: {would}set {set}, already so {same}, left as they are {left}");
    if let Some(undo) = args.undo.as_ref().filter(|_| set > 0 && !args.dry_run) {
        println!("to take it back: oxkeeper acl apply {} --undo <another file>", undo.display());
    }
    result.map(|()| left == 0)
}

#[derive(Default)]
struct Done {
    set: u64,
    same: u64,
    left: u64,
}

/// Looks at a few znodes, keeps what they have, sets what they shall have.
fn batch(session: &Blocking, wishes: &[Wish], undo: Option<&mut Undo>, done: &mut Done) -> Result<(), Fault> {
    let mut todo: Vec<(&Wish, Vec<Acl>, i32)> = Vec::with_capacity(wishes.len());
    for wish in wishes {
        match session.wait(session.client().get_acl(&wish.path)) {
            Ok((now, _)) if now == wish.acl => done.same += 1,
            Ok((now, stat)) => match why_not(wish, &now) {
                None => todo.push((wish, now, stat.aversion)),
                Some(why) => leave(wish, why, done),
            },
            Err(ClientError::Refused { code: Code::NoNode, .. }) => leave(wish, "it does not exist", done),
            Err(ClientError::Refused { code: Code::NoAuth, .. }) => {
                leave(wish, "its ACL may not be read", done)
            }
            Err(e) => return Err(e.into()),
        }
    }
    for (wish, now, _) in &todo {
        println!("{}: {} -> {}", wish.path.escape_debug(), shown(now), shown(&wish.acl));
    }
    let Some(undo) = undo else {
        done.set += todo.len() as u64;
        return Ok(());
    };
    undo.keep(&todo)?;
    for (wish, _, version) in todo {
        match session.wait(session.client().set_acl(&wish.path, &wish.acl, version)) {
            Ok(_) => done.set += 1,
            Err(ClientError::Refused { code, .. }) => leave(wish, &format!("the server says {code:?}"), done),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn why_not(wish: &Wish, now: &[Acl]) -> Option<&'static str> {
    if now.iter().any(|a| is_masked(&a.id.scheme, &a.id.id)) {
        return Some("its digests are masked: log in as somebody with ADMIN");
    }
    let expected = wish.was.as_ref().is_none_or(|was| was[..] == *now);
    if expected { None } else { Some("it has another ACL than the plan expects") }
}

fn leave(wish: &Wish, why: &str, done: &mut Done) {
    done.left += 1;
    println!("{}: left as it is: {why}", wish.path.escape_debug());
}

/// The file that takes everything back.
struct Undo {
    file: File,
    path: PathBuf,
}

impl Undo {
    fn create(path: &Path) -> Result<Undo, Fault> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|e| Fault::io("cannot make the undo file", path, &e))?;
        Ok(Undo { file, path: path.to_owned() })
    }

    fn keep(&mut self, todo: &[(&Wish, Vec<Acl>, i32)]) -> Result<(), Fault> {
        let back = |(wish, now, _): &(&Wish, Vec<Acl>, i32)| {
            let back = Wish { path: wish.path.clone(), acl: now.clone(), was: Some(wish.acl.clone()) };
            back.to_line() + "\n"
        };
        let text: String = todo.iter().map(back).collect();
        let kept = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        kept.map_err(|e| Fault::io("cannot write the undo file", &self.path, &e))
    }
}
