//! A subtree of an archive into a running ensemble, as a client.
//!
//! # Invariants
//!
//! * Nothing is ever deleted; a znode that exists with other contents is changed only with `--overwrite`, and
//!   only at the version that was compared.
//! * Parents come before children; a multi that fails did nothing. A second run goes on where the first ended.
//! * Ephemeral znodes, and everything below `/zookeeper`, are left out.

use super::RestoreArgs;
use super::point::Point;
use crate::cli::archive::Archive;
use crate::cli::archive::verify::{log_file, snapshot_file};
use crate::cli::doctor::link;
use crate::cli::fault::{Fault, plain};
use crate::cli::past::{Base, Wanted, rebuild};
use crate::cli::progress::Progress;
use crate::client::{Blocking, Client, ClientError, CreateAs, Op};
use crate::disk::Disk;
use crate::limits::{RESTORE_BATCH_BYTES, RESTORE_BATCH_OPS, WALK_AHEAD};
use crate::tree::{NodeView, Tree};
use crate::txn::snapshot::SnapshotNode;
use crate::types::{Acl, CreateMode, Owner, path};
use bytes::Bytes;
use std::sync::Arc;

/// Restores; true if nothing was left as it is.
pub fn restore<D: Disk>(
    args: &RestoreArgs,
    subtree: &str,
    archive: &Archive<D>,
    point: &Point<'_>,
    progress: &mut Progress,
) -> Result<bool, Fault> {
    let target = args.to.as_deref().unwrap_or(subtree);
    for path in [subtree, target] {
        path::validate(path)
            .map_err(|e| Fault::Usage(format!("{}: no path of a znode: {e:?}", plain(path))))?;
    }
    let base = Base {
        snapshot: snapshot_file(point.snapshot),
        logs: point.logs.iter().map(|l| log_file(l)).collect(),
        until: Some(point.zxid),
    };
    let mut below = Below { top: subtree.to_owned() };
    let (tree, _) = rebuild(&archive.disk, &base, &mut below, progress)?;
    if tree.get(subtree).is_none() {
        return Err(Fault::Refused(format!(
            "{} did not exist at {}; choose another point",
            plain(subtree),
            point.zxid
        )));
    }
    let server = args.link.server.clone().unwrap_or_else(|| "localhost:2181".to_owned());
    let session = link::connect(&args.link, &args.property, &server)?;
    let mut run =
        Run { session: &session, args, batch: Vec::new(), bytes: 0, acls: Vec::new(), done: Done::default() };
    let result = run.everything(&tree, subtree, target, progress);
    session.close();
    result?;
    let Done { created, set, acls, same, ephemerals, conflicts } = run.done;
    let would = if args.dry_run { "would be " } else { "" };
    println!(
        "{would}created {created}, set {set}, ACLs set {acls}, already the same {same}, ephemeral and left out {ephemerals}"
    );
    if conflicts > 0 {
        println!("{conflicts} exist with other data or ACL and were left as they are; --overwrite sets them");
    }
    Ok(conflicts == 0)
}

/// A subtree and its ancestors.
struct Below {
    top: String,
}

/// Is `path` the znode `top`, or below it?
pub fn is_below(path: &str, top: &str) -> bool {
    top == "/" || path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Wanted for Below {
    fn wants(&self, path: &str) -> bool {
        is_below(path, &self.top) || is_below(&self.top, path)
    }

    fn concerns(&self, path: &str) -> bool {
        self.wants(path)
    }

    fn pass(&mut self, _: &SnapshotNode<'_>, _: &[Acl]) -> Result<(), String> {
        Ok(())
    }
}

/// What was done, or would be.
#[derive(Default)]
struct Done {
    created: u64,
    set: u64,
    acls: u64,
    same: u64,
    ephemerals: u64,
    conflicts: u64,
}

/// A znode to restore: its new path and what it was.
struct Item<'t> {
    path: String,
    node: NodeView<'t>,
}

/// What the ensemble has at a path.
type There = Option<(Option<Bytes>, i32, Vec<Acl>, i32)>;

struct Run<'a> {
    session: &'a Blocking,
    args: &'a RestoreArgs,
    batch: Vec<Op>,
    bytes: usize,
    /// ACLs to set behind the batch: a multi cannot.
    acls: Vec<(String, Vec<Acl>, i32)>,
    done: Done,
}

impl Run<'_> {
    fn everything(
        &mut self,
        tree: &Tree,
        from: &str,
        to: &str,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        self.parent(to)?;
        let (mut todo, mut items, mut seen) = (vec![from.to_owned()], Vec::new(), 0);
        while let Some(path) = todo.pop() {
            let Some(node) = tree.get(&path) else { continue };
            if path == "/zookeeper" && from == "/" {
                continue;
            }
            let mut children: Vec<&str> = node.children().collect();
            children.sort_unstable_by(|a, b| b.cmp(a));
            let above = if path == "/" { "" } else { path.as_str() };
            todo.extend(children.iter().map(|c| format!("{above}/{c}")));
            if matches!(node.owner(), Owner::Session(_)) {
                self.done.ephemerals += 1;
                continue;
            }
            items.push(Item { path: moved(&path, from, to), node });
            if items.len() == WALK_AHEAD {
                self.some(&items)?;
                items.clear();
            }
            seen += 1;
            progress.count(seen, "znodes");
        }
        self.some(&items)?;
        self.flush()
    }

    /// The target's parent must be there.
    fn parent(&self, to: &str) -> Result<(), Fault> {
        let Some((parent, _)) = path::split(to).filter(|(p, _)| !p.is_empty() && *p != "/") else {
            return Ok(());
        };
        match self.session.wait(self.session.client().exists(parent, false))? {
            Some(_) => Ok(()),
            None => Err(Fault::Refused(format!("{} does not exist; create it first", plain(parent)))),
        }
    }

    /// Compares a few znodes with what is there and plans what to do.
    fn some(&mut self, items: &[Item<'_>]) -> Result<(), Fault> {
        let paths: Vec<String> = items.iter().map(|i| i.path.clone()).collect();
        for (item, there) in items.iter().zip(self.session.wait(look(self.session.client(), paths))) {
            self.one(item, there?)?;
        }
        Ok(())
    }

    fn one(&mut self, item: &Item<'_>, there: There) -> Result<(), Fault> {
        let (data, acl) = (item.node.data().map(Bytes::copy_from_slice), item.node.acl());
        let Some((had, version, had_acl, aversion)) = there else {
            self.say("create", &item.path);
            self.done.created += 1;
            let op = Op::Create { path: item.path.clone(), data, acl: acl.to_vec(), how: how(&item.node) };
            return self.push(op, item.node.data_len());
        };
        let (data_differs, acl_differs) = (had != data, had_acl[..] != acl[..]);
        if !data_differs && !acl_differs {
            self.done.same += 1;
            return Ok(());
        }
        if !self.args.overwrite {
            self.done.conflicts += 1;
            self.say("differs", &item.path);
            return Ok(());
        }
        if data_differs {
            self.say("set", &item.path);
            self.done.set += 1;
            self.push(Op::Set(item.path.clone(), data, version), item.node.data_len())?;
        }
        if acl_differs {
            self.say("set ACL of", &item.path);
            self.done.acls += 1;
            self.acls.push((item.path.clone(), acl.to_vec(), aversion));
        }
        Ok(())
    }

    fn say(&self, what: &str, path: &str) {
        if self.args.dry_run || what == "differs" {
            println!("{what} {}", path.escape_debug());
        }
    }

    fn push(&mut self, op: Op, data: usize) -> Result<(), Fault> {
        let bytes = op.path().len() + data + 100;
        if self.batch.len() == RESTORE_BATCH_OPS || self.bytes + bytes > RESTORE_BATCH_BYTES {
            self.flush()?;
        }
        self.bytes += bytes;
        self.batch.push(op);
        Ok(())
    }

    /// Does what is planned.
    fn flush(&mut self) -> Result<(), Fault> {
        let (batch, acls) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.acls));
        self.bytes = 0;
        if self.args.dry_run {
            return Ok(());
        }
        let client = self.session.client();
        if !batch.is_empty() {
            self.session.wait(client.multi(&batch))?;
        }
        for (path, acl, version) in acls {
            self.session.wait(client.set_acl(&path, &acl, version))?;
        }
        Ok(())
    }
}

/// The path of a znode below its new top.
fn moved(path: &str, from: &str, to: &str) -> String {
    let rest = if from == "/" { path } else { path.get(from.len()..).unwrap_or_default() };
    let top = if to == "/" { "" } else { to };
    match format!("{top}{}", rest.trim_end_matches('/')) {
        root if root.is_empty() => "/".to_owned(),
        moved => moved,
    }
}

/// How to create a znode of the same kind.
fn how(node: &NodeView<'_>) -> CreateAs {
    match node.owner() {
        Owner::Container => CreateMode::Container.into(),
        Owner::Ttl(ttl) => CreateAs { mode: CreateMode::PersistentTtl, ttl },
        Owner::Persistent | Owner::Session(_) => CreateMode::Persistent.into(),
    }
}

/// Asks for several znodes at once; answers in their order.
async fn look(client: &Client, paths: Vec<String>) -> Vec<Result<There, ClientError>> {
    let client = Arc::new(client.clone());
    let asked: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let client = client.clone();
            tokio::spawn(async move { one(&client, &path).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.push(answer.await.unwrap_or(Err(ClientError::Closed)));
    }
    answers
}

async fn one(client: &Client, path: &str) -> Result<There, ClientError> {
    let no_node =
        |e: &ClientError| matches!(e, ClientError::Refused { code: crate::error::Code::NoNode, .. });
    match client.get(path, false).await {
        Ok((data, stat)) => match client.get_acl(path).await {
            Ok((acl, _)) => Ok(Some((data, stat.version, acl, stat.aversion))),
            Err(e) if no_node(&e) => Ok(None),
            Err(e) => Err(e),
        },
        Err(e) if no_node(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_move_with_their_top() {
        for (path, from, to, moved_to) in [
            ("/a", "/a", "/a", "/a"),
            ("/a/b", "/a", "/x/y", "/x/y/b"),
            ("/a/b", "/", "/", "/a/b"),
            ("/", "/", "/", "/"),
            ("/a/b", "/a", "/", "/b"),
            ("/a", "/", "/x", "/x/a"),
        ] {
            assert_eq!(moved(path, from, to), moved_to, "{path} {from} {to}");
        }
        assert!(is_below("/a/b", "/a") && is_below("/a", "/a") && is_below("/x", "/"));
        assert!(!is_below("/ab", "/a") && !is_below("/", "/a"));
    }
}
