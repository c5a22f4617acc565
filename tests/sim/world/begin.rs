//! Worlds that begin with a history: every disk holds the same snapshot.
//!
//! # Invariants
//!
//! * The history's first entry stands for the snapshot: it changes nothing and has its zxid.

use super::World;
use crate::history;
use bytes::Bytes;
use oxkeeper::disk::Disk;
use oxkeeper::replica::Rebuild;
use oxkeeper::storage::SnapshotWriter;
use oxkeeper::txn::{Record, Txn, TxnHeader, kind};
use oxkeeper::types::Zxid;

impl World {
    /// All members begin with an empty tree after `zxid`.
    pub(super) fn begin_at(&mut self, zxid: Zxid) {
        let header = TxnHeader { client_id: 0, cxid: 0, zxid, time: 0, kind: kind::ERROR };
        let record = Record { header, txn: Txn::Error { err: 0 }, digest: None };
        let bytes = Bytes::from(record.to_bytes());
        let mut log = history::Log::new();
        history::push(&mut log, zxid.0, bytes);
        if let Err(what) = self.history.deliver(&log[0]) {
            panic!("{what}");
        }
        for who in 0..self.machines.len() {
            self.write_snapshot(who, zxid);
            let page = &mut self.book.pages[who];
            (page.log, page.durable) = (log.clone(), zxid.0);
        }
    }

    fn write_snapshot(&mut self, who: usize, zxid: Zxid) {
        let disk = &self.machines[who].disk;
        let dir = self.dirs.snap();
        disk.create_dir_all(&dir).expect("a disk in memory");
        for folder in dir.ancestors() {
            let _durable = disk.sync_dir(folder).expect("a disk in memory");
        }
        let (head, nodes, _) = Rebuild::new(self.replica.tree).fresh();
        let writer = SnapshotWriter::begin(disk, &dir, zxid, &head, self.rules.compression);
        let mut writer = writer.expect("a disk in memory");
        writer.chunk(&nodes).expect("a disk in memory");
        let _durable = writer.finish(None, None).expect("a disk in memory");
    }
}
