//! `oxkeeper diff A B`: two data directories, backups or running ensembles, znode by znode.
//!
//! # Invariants
//!
//! * Nothing is changed. Memory does not grow with the trees.
//! * Ends with 0 when they are the same, with 1 when they differ, with 2 when they could not be compared.

mod files;
mod row;
mod sort;

use super::doctor::link::{self, LinkArgs};
use super::fault::Fault;
use super::progress::Progress;
use super::walking::{Ask, Walk};
use crate::client::Blocking;
use clap::Args;
use row::{Kind, Numbers, Row, is_own, order};
use serde_json::json;
use sort::Sorted;
use std::cmp::Ordering;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Exit code of a comparison that was not possible.
const FAILED: i32 = 2;

/// Compare two data directories, backups or running ensembles, znode by znode
///
/// A line for each znode: < only in the first, > only in the second, ! in both with what differs. Compared are
/// data, ACL and whether it is ephemeral; with --numbers also zxids, times and versions, which two members of one
/// ensemble share. Ends with 0 when all is the same, with 1 when not.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// A dataDir, a backup (directory or tar file), or an ensemble as host:port[,host:port...][/chroot]
    pub a: String,
    /// What it is compared with, the same
    pub b: String,
    /// Compare zxids, times and versions, too
    #[arg(long)]
    numbers: bool,
    /// Leave ephemeral znodes out
    #[arg(long)]
    no_ephemerals: bool,
    /// dataLogDir of the first, where it is another directory
    #[arg(long, value_name = "DIR")]
    log_dir_a: Option<PathBuf>,
    /// dataLogDir of the second
    #[arg(long, value_name = "DIR")]
    log_dir_b: Option<PathBuf>,
    /// Directory for temporary files [default: that of the system]
    #[arg(long, value_name = "DIR")]
    tmp: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// A system property, as of Java's command line (TLS, JAAS)
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    property: Vec<String>,
    /// As whom to look into ensembles.
    #[command(flatten)]
    link: LinkArgs,
}

/// Runs `oxkeeper diff`; returns the exit code.
pub fn run(args: &DiffArgs) -> i32 {
    match diff(args, &mut BufWriter::new(io::stdout().lock())) {
        Ok(same) => i32::from(!same),
        Err(fault) => fault.report("diff", FAILED),
    }
}

/// One side of a comparison.
enum Side<'s> {
    Files(Sorted),
    Live(Box<Walk<'s>>),
}

impl Side<'_> {
    fn next(&mut self) -> Result<Option<Row>, Fault> {
        match self {
            Side::Files(sorted) => sorted.next(),
            Side::Live(walk) => Ok(walk.step()?.map(|z| {
                let kind = match z.stat.ephemeral_owner {
                    0 => Kind::Persistent,
                    id => Kind::Ephemeral(id),
                };
                let s = &z.stat;
                let (czxid, mzxid, pzxid) = (s.czxid, s.mzxid, s.pzxid);
                let (ctime, mtime, version, aversion) = (s.ctime, s.mtime, s.version, s.aversion);
                let numbers = Numbers { czxid, mzxid, pzxid, ctime, mtime, version, aversion };
                Row::new(z.path, kind, z.data.as_deref(), &z.acl, numbers)
            })),
        }
    }

    fn forbidden(&self) -> u64 {
        match self {
            Side::Files(_) => 0,
            Side::Live(walk) => walk.forbidden,
        }
    }
}

/// A path if something is there, or if it can be nothing else.
fn is_file(name: &str) -> bool {
    Path::new(name).exists() || name.starts_with('/') || name.starts_with('.') || !name.contains(':')
}

/// True if both sides are the same.
fn diff(args: &DiffArgs, out: &mut dyn Write) -> Result<bool, Fault> {
    let connect = |name: &String| -> Result<Option<Blocking>, Fault> {
        if is_file(name) { Ok(None) } else { Ok(Some(link::connect(&args.link, &args.property, name)?)) }
    };
    let (link_a, link_b) = (connect(&args.a)?, connect(&args.b)?);
    let mut progress = Progress::on_terminal();
    let tmp = args.tmp.clone().unwrap_or_else(std::env::temp_dir);
    let mut side = |name: &str, log: &Option<PathBuf>, link: Option<&Blocking>| match link {
        // Lives as long as both walks.
        Some(_) => Ok(None),
        None => files::znodes(Path::new(name), log.as_deref(), tmp.clone(), &mut progress).map(Some),
    };
    let a = side(&args.a, &args.log_dir_a, link_a.as_ref())?;
    let b = side(&args.b, &args.log_dir_b, link_b.as_ref())?;
    let mut a = either(a, link_a.as_ref())?;
    let mut b = either(b, link_b.as_ref())?;
    let found = merge(args, &mut a, &mut b, out, &mut progress)?;
    let forbidden = a.forbidden() + b.forbidden();
    [&link_a, &link_b].into_iter().flatten().for_each(Blocking::close);
    out.flush()?;
    if forbidden > 0 {
        return Err(Fault::Refused(format!(
            "{forbidden} znodes may not be read: log in as somebody who may (super)"
        )));
    }
    Ok(found.same())
}

fn either<'s>(files: Option<Sorted>, link: Option<&'s Blocking>) -> Result<Side<'s>, Fault> {
    match (files, link) {
        (Some(sorted), _) => Ok(Side::Files(sorted)),
        (None, Some(link)) => Ok(Side::Live(Box::new(Walk::new(link, "/", Ask { data: true })))),
        (None, None) => Err(Fault::Usage("name two sides".to_owned())),
    }
}

/// What was found.
#[derive(Default)]
struct Found {
    both: u64,
    only_a: u64,
    only_b: u64,
    differ: u64,
}

impl Found {
    fn same(&self) -> bool {
        self.only_a + self.only_b + self.differ == 0
    }
}

/// Goes through both sides at once.
fn merge(
    args: &DiffArgs,
    a: &mut Side<'_>,
    b: &mut Side<'_>,
    out: &mut dyn Write,
    progress: &mut Progress,
) -> Result<Found, Fault> {
    let next = |side: &mut Side<'_>| -> Result<Option<Row>, Fault> {
        while let Some(row) = side.next()? {
            let left_out = args.no_ephemerals && matches!(row.kind, Kind::Ephemeral(_));
            if !left_out && !is_own(&row.path) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    };
    let mut found = Found::default();
    let (mut x, mut y) = (next(a)?, next(b)?);
    loop {
        let which = match (&x, &y) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(x), Some(y)) => order(&x.path, &y.path),
        };
        match which {
            Ordering::Less => {
                found.only_a += 1;
                print(args, '<', x.as_ref(), &[], out)?;
                x = next(a)?;
            }
            Ordering::Greater => {
                found.only_b += 1;
                print(args, '>', y.as_ref(), &[], out)?;
                y = next(b)?;
            }
            Ordering::Equal => {
                let what = match (&x, &y) {
                    (Some(x), Some(y)) => x.differences(y, args.numbers),
                    _ => Vec::new(),
                };
                found.both += 1;
                if !what.is_empty() {
                    found.differ += 1;
                    print(args, '!', x.as_ref(), &what, out)?;
                }
                (x, y) = (next(a)?, next(b)?);
            }
        }
        progress.count(found.both + found.only_a + found.only_b, "znodes compared");
    }
    summary(args, &found, out)?;
    Ok(found)
}

fn print(
    args: &DiffArgs,
    mark: char,
    row: Option<&Row>,
    what: &[&str],
    out: &mut dyn Write,
) -> Result<(), Fault> {
    let Some(row) = row else { return Ok(()) };
    if args.json {
        writeln!(out, "{}", json!({ "in": mark.to_string(), "path": row.path, "differs": what }))?;
    } else {
        let what = if what.is_empty() { String::new() } else { format!("  {}", what.join(" ")) };
        writeln!(out, "{mark} {}{what}", row.path.escape_debug())?;
    }
    Ok(())
}

fn summary(args: &DiffArgs, f: &Found, out: &mut dyn Write) -> Result<(), Fault> {
    let Found { both, only_a, only_b, differ } = f;
    if args.json {
        writeln!(
            out,
            "{}",
            json!({ "both": both, "differ": differ, "onlyFirst": only_a, "onlySecond": only_b })
        )?;
    } else {
        writeln!(
            out,
            "{both} in both, {differ} of them differ; {only_a} only in the first, {only_b} only in the second"
        )?;
    }
    Ok(())
}
