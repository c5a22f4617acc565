//! A snapshot that comes over a link: the records of a snapshot file without its header and seals,
//! then the string "BenWasHere" (`LearnerHandler`, `Learner.syncWithLeader`).
//!
//! # Invariants
//!
//! * Bytes go to a file of ours as they come, and into a tree; both are thrown away unless the
//!   signature is reached. Nothing of it is visible before [`super::MemberWorker`] installs it.
//! * No more than one record of the peer's is held back, and none beyond [`SNAPSHOT_RECORD_BYTES`]:
//!   a length that a peer merely claims costs nothing.
//! * What stands behind the signature is left to the caller.

use crate::disk::Disk;
use crate::limits::SNAPSHOT_RECORD_BYTES;
use crate::replica::{Rebuild, Recovered};
use crate::storage::{Rules, SnapshotWriter, StorageError, Tail, ZxidDigest};
use crate::tree::TreeConfig;
use crate::txn::DIGEST_VERSION;
use crate::txn::measure::{self, Measure};
use crate::txn::snapshot::{self, SnapshotHead};
use crate::types::{Acl, LinkId, Zxid};
use bytes::{Buf, BytesMut};
use std::fmt;
use std::path::Path;

/// Why a snapshot was not received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotReceived {
    /// The peer's bytes are no snapshot.
    Peer(String),
    /// The disk did not take it.
    Disk(StorageError),
}

impl fmt::Display for NotReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReceived::Peer(what) => write!(f, "peer: the leader's snapshot is none: {what}"),
            NotReceived::Disk(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for NotReceived {}

/// A snapshot of which everything is there.
pub struct Staged<D: Disk> {
    pub(super) writer: SnapshotWriter<D>,
    pub(super) tail: Tail,
    pub(super) recovered: Recovered,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    SessionCount,
    Session(usize),
    AclCount,
    Acl(usize),
    Node,
    Signature,
    Nothing,
}

/// Takes a snapshot in pieces of any size.
pub struct SnapshotReceiver<D: Disk> {
    writer: SnapshotWriter<D>,
    rebuild: Rebuild,
    tree: TreeConfig,
    last_zxid: Option<Zxid>,
    next: Next,
    sessions: Vec<(i64, i32)>,
    acls: Vec<(i64, Vec<Acl>)>,
    nodes: u64,
    bytes: u64,
}

impl<D: Disk> SnapshotReceiver<D> {
    /// Begins the file in `dir`, the `version-2` folder, of the snapshot that ends with `zxid` and
    /// comes by `link`.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn begin(
        disk: &D,
        dir: &Path,
        rules: &Rules,
        tree: TreeConfig,
        link: LinkId,
        zxid: Zxid,
    ) -> Result<SnapshotReceiver<D>, StorageError> {
        let writer = SnapshotWriter::beside(disk, dir, zxid, &format!("{}.", link.0), rules.compression)?;
        let mut rebuild = Rebuild::new(tree);
        rebuild.begin_snapshot();
        Ok(SnapshotReceiver {
            writer,
            rebuild,
            tree,
            last_zxid: rules.serialize_last_zxid.then_some(zxid),
            next: Next::SessionCount,
            sessions: Vec::new(),
            acls: Vec::new(),
            nodes: 0,
            bytes: 0,
        })
    }

    /// The last transaction of the snapshot, as the leader said it.
    pub fn zxid(&self) -> Zxid {
        self.writer.zxid()
    }

    /// Bytes taken so far: whoever bounds the time of a synchronisation watches them grow.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes whole records from the front of `from`; true when the snapshot is complete.
    ///
    /// # Errors
    ///
    /// The bytes are no snapshot, or the disk did not take them; the receiver is to be dropped.
    pub fn feed(&mut self, from: &mut BytesMut) -> Result<bool, NotReceived> {
        loop {
            let (taken, kept) = self.records(from)?;
            let body = from.get(..kept).unwrap_or(&[]);
            self.writer.chunk(body).map_err(NotReceived::Disk)?;
            from.advance(taken);
            self.bytes += taken as u64;
            if taken == 0 || self.next == Next::Nothing {
                return Ok(self.next == Next::Nothing);
            }
        }
    }

    /// Bytes of the whole records at the front, and how many of them belong into the file.
    fn records(&mut self, from: &[u8]) -> Result<(usize, usize), NotReceived> {
        let mut at = 0;
        loop {
            let rest = from.get(at..).unwrap_or(&[]);
            let measured = match self.next {
                Next::Nothing => return Ok((at, at)),
                Next::SessionCount | Next::AclCount => measure::count(rest),
                Next::Session(_) => measure::session(rest),
                Next::Acl(_) => measure::acl(rest),
                Next::Node => measure::node(rest),
                Next::Signature => measure::signature(rest),
            };
            let len = match measured {
                Measure::Whole(len) => len,
                Measure::More(need) if need > SNAPSHOT_RECORD_BYTES => {
                    return Err(NotReceived::Peer(format!("a record of {need} bytes cannot be")));
                }
                Measure::More(_) => return Ok((at, at)),
                Measure::Bad(what) => return Err(NotReceived::Peer(what)),
            };
            let record = rest.get(..len).unwrap_or(&[]);
            if self.next == Next::Signature {
                self.next = Next::Nothing;
                return Ok((at + len, at));
            }
            self.take(record).map_err(NotReceived::Peer)?;
            at += len;
        }
    }

    /// Takes one whole record.
    fn take(&mut self, record: &[u8]) -> Result<(), String> {
        let mut r = crate::jute::Reader::new(record);
        let bad = |e: crate::jute::JuteError| e.to_string();
        self.next = match self.next {
            Next::SessionCount => sessions(r.i32().map_err(bad)?),
            Next::Session(left) => {
                self.sessions.push(snapshot::decode_session(&mut r).map_err(bad)?);
                sessions(left as i32 - 1)
            }
            Next::AclCount => acls(r.i32().map_err(bad)?),
            Next::Acl(left) => {
                self.acls.push(snapshot::decode_acl(&mut r).map_err(bad)?);
                acls(left as i32 - 1)
            }
            Next::Node => match snapshot::decode_node(&mut r).map_err(bad)? {
                Some(node) => {
                    self.nodes += 1;
                    self.rebuild.node(&node)?;
                    Next::Node
                }
                None => Next::Signature,
            },
            other => other,
        };
        if self.next == Next::Node && self.nodes == 0 {
            let (sessions, acls) = (std::mem::take(&mut self.sessions), std::mem::take(&mut self.acls));
            self.rebuild.head(SnapshotHead { sessions, acls });
        }
        Ok(())
    }

    /// Everything is there: what [`super::MemberWorker::stage`] takes.
    ///
    /// # Errors
    ///
    /// The signature was not reached, or the records are no tree.
    pub fn finish(self) -> Result<Staged<D>, NotReceived> {
        let SnapshotReceiver { writer, mut rebuild, tree, last_zxid, next, .. } = self;
        if next != Next::Nothing {
            return Err(NotReceived::Peer("it ends before its signature".to_owned()));
        }
        let zxid = writer.zxid();
        rebuild.end_snapshot(zxid, None).map_err(NotReceived::Peer)?;
        let recovered = rebuild.finish();
        let digest = tree.digest.then(|| {
            // Before the first transaction the trailer says nothing, as in Java.
            let digest = if zxid == Zxid::ZERO { 0 } else { recovered.tree.digest() };
            ZxidDigest { zxid, version: DIGEST_VERSION, digest }
        });
        Ok(Staged { writer, tail: Tail { digest, last_zxid }, recovered })
    }
}

fn sessions(left: i32) -> Next {
    usize::try_from(left).ok().filter(|n| *n > 0).map_or(Next::AclCount, Next::Session)
}

fn acls(left: i32) -> Next {
    usize::try_from(left).ok().filter(|n| *n > 0).map_or(Next::Node, Next::Acl)
}
