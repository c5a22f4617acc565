//! `oxkeeper acl`: what the ACLs of a tree allow, whom, and a plan that changes them.
//!
//! # Invariants
//!
//! * `audit` and `can` only read. `apply` changes nothing that its undo file does not hold durably.
//! * Password digests are never printed.

mod apply;
mod audit;
mod can;
mod plan;

use super::archive::{Pace, open, verify};
use super::directories::DataArgs;
use super::doctor::link::{self, LinkArgs};
use super::fault::Fault;
use super::past::{Base, Touched, Wanted, each, rebuild};
use super::progress::Progress;
use super::walking::{Ask, Walk};
use crate::client::{Blocking, ClientError};
use crate::disk::Disk;
use crate::error::Code;
use crate::os::disk::RealDisk;
use crate::txn::snapshot::SnapshotNode;
use crate::types::{Acl, Owner};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Exit code of what could not be done.
const FAILED: i32 = 2;

/// Audit the ACLs of a tree, explain one, or change many by a plan
#[derive(Debug, Clone, Args)]
pub struct AclArgs {
    #[command(subcommand)]
    what: What,
    /// A system property, as of Java's command line (TLS, JAAS, names)
    #[arg(short = 'D', value_name = "NAME=VALUE", global = true)]
    property: Vec<String>,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    Audit(audit::AuditArgs),
    Can(can::CanArgs),
    Apply(apply::ApplyArgs),
}

/// Runs `oxkeeper acl`; returns the exit code.
pub fn run(args: &AclArgs) -> i32 {
    let done = match &args.what {
        What::Audit(audit) => audit::run(audit, &args.property),
        What::Can(can) => can::run(can, &args.property),
        What::Apply(apply) => apply::run(apply, &args.property),
    };
    match done {
        Ok(well) => i32::from(!well),
        Err(fault) => fault.report("acl", FAILED),
    }
}

/// Which tree to look at.
#[derive(Debug, Clone, Args)]
struct Tree {
    /// The tree of an archive of oxkeeper backup
    #[arg(long, value_name = "ARCHIVE", conflicts_with_all = ["config", "data_dir"])]
    archive: Option<PathBuf>,
    /// The tree of a data directory.
    #[command(flatten)]
    data: DataArgs,
    /// The tree of a running ensemble, and as whom to look.
    #[command(flatten)]
    link: LinkArgs,
}

/// Is told each znode: path, ACL, whether it is ephemeral.
type Visit<'v> = dyn FnMut(&str, &[Acl], bool) -> Result<(), Fault> + 'v;

/// The ensemble that is meant where nothing is named.
const HERE: &str = "localhost:2181";

fn session(link: &LinkArgs, property: &[String]) -> Result<(Blocking, String), Fault> {
    let server = link.server.clone().unwrap_or_else(|| HERE.to_owned());
    Ok((link::connect(link, property, &server)?, server))
}

impl Tree {
    /// The ACL of one znode; `None` if it does not exist.
    fn acl_of(&self, property: &[String], path: &str) -> Result<Option<Vec<Acl>>, Fault> {
        if self.archive.is_some() || self.data.is_given() {
            let mut found = None;
            self.visit(property, path, &mut |at, acl, _| {
                if at == path || (at.is_empty() && path == "/") {
                    found = Some(acl.to_vec());
                }
                Ok(())
            })?;
            return Ok(found);
        }
        let (session, _) = session(&self.link, property)?;
        let answer = session.wait(session.client().get_acl(path));
        session.close();
        match answer {
            Ok((acl, _)) => Ok(Some(acl)),
            Err(ClientError::Refused { code: Code::NoNode, .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Visits `top` and what is below it; how many znodes could not be looked at.
    fn visit(&self, property: &[String], top: &str, visit: &mut Visit<'_>) -> Result<u64, Fault> {
        let mut progress = Progress::on_terminal();
        let disk = RealDisk::new();
        if let Some(path) = &self.archive {
            let archive = open(&disk, path)?;
            verify::verify(&archive, &mut Pace::new(None), &mut progress)?;
            let base = Base::newest(&archive.disk, &archive.dirs)?;
            return of_files(&archive.disk, &base, top, visit, &mut progress).map(|()| 0);
        }
        if self.data.is_given() {
            let base = Base::newest(&disk, &self.data.dirs()?)?;
            return of_files(&disk, &base, top, visit, &mut progress).map(|()| 0);
        }
        let (session, _) = session(&self.link, property)?;
        let mut walk = Walk::new(&session, top, Ask { data: false });
        let mut seen = 0;
        while let Some(z) = walk.step()? {
            visit(&z.path, &z.acl, z.stat.ephemeral_owner != 0)?;
            seen += 1;
            progress.count(seen, "znodes");
        }
        let forbidden = walk.forbidden;
        session.close();
        Ok(forbidden)
    }
}

fn of_files<D: Disk>(
    disk: &D,
    base: &Base,
    top: &str,
    visit: &mut Visit<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let touched = Touched::by(disk, base)?;
    let mut rest = Rest { touched, top, visit, failed: None };
    let rebuilt = rebuild(disk, base, &mut rest, progress);
    let Rest { visit, failed, .. } = rest;
    if let Some(fault) = failed {
        return Err(fault);
    }
    let (tree, _) = rebuilt?;
    each(&tree, &mut |path, node| match super::restore::is_below(&path, top) {
        true => visit(&path, node.acl(), matches!(node.owner(), Owner::Session(_))),
        false => Ok(()),
    })
}

/// Visits the znodes that the log does not touch as the snapshot passes by.
struct Rest<'v, 'w> {
    touched: Touched,
    top: &'v str,
    visit: &'v mut Visit<'w>,
    failed: Option<Fault>,
}

impl Wanted for Rest<'_, '_> {
    fn wants(&self, path: &str) -> bool {
        self.touched.has(path)
    }

    fn concerns(&self, _: &str) -> bool {
        true
    }

    fn pass(&mut self, node: &SnapshotNode<'_>, acl: &[Acl]) -> Result<(), String> {
        if !super::restore::is_below(node.path, self.top) {
            return Ok(());
        }
        let ephemeral = matches!(Owner::decode(node.stat.ephemeral_owner, true, false), Owner::Session(_));
        (self.visit)(node.path, acl, ephemeral).map_err(|fault| {
            let what = fault.to_string();
            self.failed = Some(fault);
            what
        })
    }
}
