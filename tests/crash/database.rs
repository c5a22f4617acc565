//! The database of the ring: the list of its transactions, each with contents that follow from
//! its zxid, so that nothing can be invented, mixed up or half there without being seen.

use oxkeeper::disk::Disk;
use oxkeeper::storage::{
    Dirs, Fresh, Loader, LogRules, Recovered, Room, Rules, SnapshotFile, SnapshotInfo, SnapshotVisitor,
    SnapshotWriter, StorageError, ZxidDigest, recover,
};
use oxkeeper::txn::snapshot::{SnapshotHead, SnapshotNode, encode_end, encode_head, encode_node};
use oxkeeper::txn::{Record, Txn, TxnDigest, TxnHeader, kind};
use oxkeeper::types::{Acl, StatPersisted, Zxid};
use std::path::Path;

/// Zxids, oldest first.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub struct Database {
    pub zxids: Vec<i64>,
    pub fresh: bool,
}

/// The contents that a transaction carries.
pub fn contents(zxid: i64) -> Vec<u8> {
    let mut x = zxid as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let len = 20 + (zxid as usize * 37) % 400;
    (0..len)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (x >> 56) as u8
        })
        .collect()
}

fn record(zxid: i64) -> Record {
    Record {
        header: TxnHeader {
            client_id: 7,
            cxid: zxid as i32,
            zxid: Zxid(zxid),
            time: zxid * 1000,
            kind: kind::SET_DATA,
        },
        txn: Txn::SetData { path: format!("/{zxid}"), data: Some(contents(zxid).into()), version: 1 },
        digest: Some(TxnDigest { version: 2, digest: zxid }),
    }
}

/// An entry of the log.
pub fn entry(zxid: i64) -> (Zxid, Vec<u8>) {
    (Zxid(zxid), record(zxid).to_bytes())
}

pub fn head() -> Vec<u8> {
    let mut out = Vec::new();
    encode_head(&[(7, 4000)], &[(1, vec![Acl::open()])], &mut out);
    out
}

/// The nodes of a snapshot of these transactions.
pub fn nodes(zxids: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    for z in zxids {
        let stat = StatPersisted { czxid: *z, ..StatPersisted::default() };
        let (path, data) = (format!("/{z}"), contents(*z));
        encode_node(&SnapshotNode { path: &path, data: Some(&data), acl: 1, stat }, &mut out);
    }
    encode_end(&mut out);
    out
}

/// Writes a snapshot of `zxids`.
pub fn snapshot<D: Disk>(writer: SnapshotWriter<D>, zxids: &[i64]) -> Result<(), StorageError> {
    let mut writer = writer;
    let last = writer.zxid();
    for part in nodes(zxids).chunks(700) {
        writer.chunk(part)?;
    }
    writer.finish(Some(ZxidDigest { zxid: last, version: 2, digest: last.0 }), Some(last)).map(drop)
}

impl SnapshotVisitor for Database {
    fn head(&mut self, head: SnapshotHead) -> Result<(), String> {
        let right = head == SnapshotHead { sessions: vec![(7, 4000)], acls: vec![(1, vec![Acl::open()])] };
        if right { Ok(()) } else { Err(format!("head of a snapshot: {head:?}")) }
    }

    fn node(&mut self, node: &SnapshotNode<'_>) -> Result<(), String> {
        // The root is no transaction's.
        if node.path.is_empty() {
            return Ok(());
        }
        let zxid = node.stat.czxid;
        let right = node.path == format!("/{zxid}") && node.data == Some(&contents(zxid));
        self.zxids.push(if right { zxid } else { -1 });
        Ok(())
    }
}

impl Loader for Database {
    fn begin(&mut self, _: &SnapshotFile) {
        *self = Database::default();
    }

    fn loaded(&mut self, _: &SnapshotInfo) -> Result<(), String> {
        Ok(())
    }

    fn fresh(&mut self) -> Fresh {
        self.fresh = true;
        Fresh { head: head(), nodes: nodes(&[]), digest: None }
    }

    fn txn(&mut self, found: Record) -> Result<(), String> {
        let zxid = found.header.zxid.0;
        self.zxids.push(if found == record(zxid) { zxid } else { -1 });
        Ok(())
    }
}

pub fn dirs() -> Dirs {
    Dirs::new(Path::new("/data"), Path::new("/log"))
}

/// Small preallocations, so that short scripts meet them.
pub fn rules() -> Rules {
    let log = LogRules { pre_alloc_size: 8192, size_limit: None, force_sync: true };
    Rules { log, room: Room { full_below: 0, good_from: 0, reserve: 0 }, ..Rules::default() }
}

/// Recovers with the production code.
pub fn open<D: Disk>(disk: &D, rules: &Rules) -> Result<(Database, Recovered<D>), StorageError> {
    let mut database = Database::default();
    let recovered = recover(disk, &dirs(), rules, &mut database)?;
    Ok((database, recovered))
}
