//! Snapshots on demand: taken by the snapshot thread and handed out, or taken in and put in place of everything.
//!
//! A restore replaces tree and sessions of a standalone server. In an ensemble the members would no longer
//! hold the same: it is refused there, and `oxkeeper restore` on stopped servers is the way.
//!
//! # Invariants
//!
//! * What is taken in is verified to its last byte, checksum and digest, before anything is touched.
//! * The restored state is on the disk, in place of snapshots and logs, before anybody is served it: a crash
//!   leaves the one or the other, whole.
//! * Transaction numbers never go back: a state that is older than the present one gets a number beyond it.
//! * Every connection ends with the state that it saw.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::info;

use super::core::CoreMessage;
use super::log::Log;
use super::queue::Queue;
use crate::config::settings::Compression;
use crate::driver::Branch;
use crate::limits::{RESTORE_QUIET_MS, RESTORE_ZXIDS, SNAPSHOT_STEP};
use crate::os::clock;
use crate::os::disk::RealDisk;
use crate::replica::{Node, Rebuild, Recovered, Shared};
use crate::storage::names::{SnapshotFile, UNDER_CONSTRUCTION};
use crate::storage::snapshot::read_snapshot;
use crate::storage::{Dirs, Rules, SnapshotVisitor, SnapshotWriter, Tail, ZxidDigest};
use crate::tree::Tree;
use crate::txn::DIGEST_VERSION;
use crate::txn::snapshot::{SnapshotHead, SnapshotNode};
use crate::types::{Instant, Now, Zxid};

/// A snapshot that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its file.
    pub path: PathBuf,
    /// Its last transaction.
    pub zxid: Zxid,
}

/// Who waits for the next snapshot.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Vec<Sender<Result<Written, String>>>>);

impl Waiting {
    /// Those who asked before a snapshot began.
    pub fn take(&self) -> Vec<Sender<Result<Written, String>>> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Where snapshots are asked for, and taken in.
pub trait SnapshotDesk: Send + Sync {
    /// Takes one now. Waits for it.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn take(&self) -> Result<Written, String>;

    /// Puts the snapshot that `body` brings in place of everything; the last transaction number from now on. Waits.
    ///
    /// # Errors
    ///
    /// Why nothing was changed; or, if the disk failed, why the server ends.
    fn restore(&self, body: &mut dyn Read) -> Result<Zxid, String>;

    /// Can a restore be had at all; if not, why not?
    ///
    /// # Errors
    ///
    /// The reason.
    fn restores(&self) -> Result<(), &'static str>;
}

/// The desk of a running server.
pub struct LiveDesk {
    /// The snapshot thread's inbox.
    pub snapshots: Arc<Queue<()>>,
    /// Who waits for it.
    pub waiting: Arc<Waiting>,
    /// What restores; a member of an ensemble has none.
    pub restorer: Option<Restorer>,
}

impl SnapshotDesk for LiveDesk {
    fn take(&self) -> Result<Written, String> {
        let (told, written) = channel();
        self.waiting.0.lock().push(told);
        self.snapshots.push(());
        written.recv().unwrap_or_else(|_| Err("the server ends".to_owned()))
    }

    fn restore(&self, body: &mut dyn Read) -> Result<Zxid, String> {
        self.restores()?;
        self.restorer.as_ref().map_or_else(|| Err("not here".to_owned()), |restorer| restorer.restore(body))
    }

    fn restores(&self) -> Result<(), &'static str> {
        match self.restorer {
            Some(_) => Ok(()),
            None => Err(
                "refused: the members of an ensemble hold the same data, and a restore of one would break that: \
                 stop all servers and restore each by `oxkeeper restore`",
            ),
        }
    }
}

/// Restores a standalone server.
pub struct Restorer {
    /// The state.
    pub shared: Arc<Shared>,
    /// The log, whose storage is replaced.
    pub log: Arc<Log<RealDisk>>,
    /// The way to the core.
    pub core: Arc<Queue<CoreMessage>>,
    /// Where snapshots and logs are.
    pub dirs: Dirs,
    /// How they are written.
    pub rules: Rules,
    /// Which history the files belong to.
    pub branch: Branch,
}

/// A restored state on its way to the core.
pub struct Restoring {
    recovered: Recovered,
    /// Puts its snapshot in place of everything.
    install: Box<dyn FnOnce() -> Result<(), String> + Send>,
    /// The files belong to the state that is served.
    branch: Branch,
    since: Instant,
    done: Sender<Result<Zxid, String>>,
}

impl std::fmt::Debug for Restoring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Restoring({})", self.recovered.tree.last_zxid())
    }
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Restored {
    /// The state is replaced.
    Yes,
    /// Nothing was changed.
    No,
    /// The disk failed.
    Failed,
}

impl Restoring {
    /// Has it waited too long for what is under way?
    pub fn is_late(&self) -> bool {
        clock::mono().since(self.since) > Duration::from_millis(RESTORE_QUIET_MS)
    }

    /// Nothing was changed.
    pub fn refuse(self, why: &str) -> Restored {
        // Who asked may have gone.
        let _ = self.done.send(Err(why.to_owned()));
        Restored::No
    }

    /// Replaces the state of `node`, which has nothing under way.
    pub fn carry_out(self, node: &mut Node, now: Now) -> Restored {
        let zxid = self.recovered.tree.last_zxid();
        if zxid <= node.last_proposed() {
            return self.refuse("too many transactions came meanwhile: ask again");
        }
        if let Err(why) = (self.install)() {
            let _ = self.done.send(Err(why));
            return Restored::Failed;
        }
        node.restored(self.recovered, now);
        self.branch.adopt();
        info!(%zxid, "the database was restored from a snapshot");
        let _ = self.done.send(Ok(zxid));
        Restored::Yes
    }
}

struct Rebuilding(Rebuild);

impl SnapshotVisitor for Rebuilding {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        self.0.head(head);
        Ok(())
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        self.0.node(node)
    }
}

/// Removes a file when it goes.
struct Spool(PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // A start removes what is left over.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Restorer {
    fn restore(&self, body: &mut dyn Read) -> Result<Zxid, String> {
        let spool = Spool(self.dirs.snap().join(format!("{UNDER_CONSTRUCTION}restore")));
        let disk = |e: io::Error| format!("disk: {}: {e}", spool.0.display());
        receive(body, &spool.0).map_err(disk)?;
        let mut recovered = self.rebuild(&spool.0)?;
        drop(spool);
        let before = self.shared.store().tree.last_zxid();
        if recovered.tree.last_zxid() <= before {
            recovered.tree.set_last_zxid(Zxid(before.0 + RESTORE_ZXIDS));
        }
        let (writer, tail) = self.stage(&mut recovered)?;
        let (log, branch) = (Arc::clone(&self.log), self.branch.clone());
        let install = Box::new(move || log.replace(&branch, writer, tail));
        let (done, outcome) = channel();
        let restoring =
            Restoring { recovered, install, branch: self.branch.clone(), since: clock::mono(), done };
        self.core.push(CoreMessage::Restore(Box::new(restoring)));
        outcome.recv().unwrap_or_else(|_| Err("the server ends".to_owned()))
    }

    /// The state in a snapshot file, verified.
    fn rebuild(&self, path: &Path) -> Result<Recovered, String> {
        let mut rebuilding = Rebuilding(Rebuild::new(self.shared.config().tree));
        rebuilding.0.begin_snapshot();
        let file = SnapshotFile { path: path.to_owned(), zxid: Zxid::ZERO, compression: Compression::None };
        let refuse = |what: &str| format!("client: what was sent is no whole snapshot: {what}");
        let info = read_snapshot(&RealDisk::new(), &file, &mut rebuilding).map_err(|e| refuse(&e.what))?;
        let zxid = info.last_zxid.ok_or_else(|| {
            refuse(
                "it does not say its last transaction; take it with serializeLastProcessedZxid.enabled=true",
            )
        })?;
        let digest = info.digest.map(|d| (d.zxid, d.version, d.digest));
        rebuilding.0.end_snapshot(zxid, digest).map_err(|e| refuse(&e))?;
        if !rebuilding.0.differences().is_empty() {
            return Err(refuse("its digest is not that of its znodes"));
        }
        Ok(rebuilding.0.finish())
    }

    /// Writes the state beside what there is.
    fn stage(&self, recovered: &mut Recovered) -> Result<(SnapshotWriter<RealDisk>, Tail), String> {
        let text = |e: crate::storage::StorageError| e.to_string();
        let zxid = recovered.tree.last_zxid();
        let (dir, compression) = (self.dirs.snap(), self.rules.compression);
        let mut writer =
            SnapshotWriter::beside(&RealDisk::new(), &dir, zxid, "restore.", compression).map_err(text)?;
        let sessions: Vec<(i64, i32)> =
            recovered.sessions.iter().map(|(id, timeout)| (*id, *timeout)).collect();
        write(&mut recovered.tree, &sessions, |bytes| writer.chunk(bytes).map_err(text))?;
        let digest = self.shared.config().tree.digest.then(|| {
            let digest = if zxid == Zxid::ZERO { 0 } else { recovered.tree.digest() };
            ZxidDigest { zxid, version: DIGEST_VERSION, digest }
        });
        let last_zxid = self.rules.serialize_last_zxid.then_some(zxid);
        Ok((writer, Tail { digest, last_zxid }))
    }
}

/// Writes what comes into a file of ours.
fn receive(body: &mut dyn Read, path: &Path) -> io::Result<u64> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file: File = options.open(path)?;
    io::copy(body, &mut file)
}

/// Hands the encoded tree to `chunk`, piece by piece.
fn write(
    tree: &mut Tree,
    sessions: &[(i64, i32)],
    mut chunk: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut cursor = tree.begin_snapshot();
    let mut buffer = Vec::new();
    cursor.encode_head(sessions, &mut buffer);
    let mut outcome = chunk(&buffer);
    let mut more = true;
    while more && outcome.is_ok() {
        buffer.clear();
        more = tree.snapshot_chunk(&mut cursor, SNAPSHOT_STEP, &mut buffer);
        outcome = chunk(&buffer);
    }
    drop(tree.end_snapshot(cursor));
    outcome
}
