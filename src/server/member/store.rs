//! Between links and the disk: snapshots that come, snapshots and logs that go.
//!
//! # Invariants
//!
//! * A snapshot that came whole is handed to the disk thread before the core hears of it.
//! * Nothing here runs on a thread that serves connections: files are read and written.

use std::sync::Arc;

use bytes::BytesMut;

use super::disk::{DiskWork, MemberDisk};
use crate::disk::Disk;
use crate::driver::{LogSender, NotReceived, NotSent, SnapshotReceiver, SnapshotSender};
use crate::limits::SNAPSHOT_STEP;
use crate::net::links::{Chunks, Staging, Store};
use crate::storage::{Dirs, Rules, StorageError};
use crate::tree::TreeConfig;
use crate::types::{LinkId, Zxid};

/// Receives snapshots for a member.
pub struct MemberStore<D: Disk> {
    /// The medium.
    pub medium: D,
    /// Where on it.
    pub dirs: Dirs,
    /// How files are written.
    pub rules: Rules,
    /// How a database is rebuilt.
    pub tree: TreeConfig,
    /// Where a complete one goes.
    pub disk: Arc<MemberDisk<D>>,
}

impl<D: Disk + Sync> Store for MemberStore<D> {
    fn receive(&self, link: LinkId, zxid: Zxid) -> Box<dyn Staging> {
        let dir = self.dirs.snap();
        let receiver = SnapshotReceiver::begin(&self.medium, &dir, &self.rules, self.tree, link, zxid);
        Box::new(Receiving { receiver: Some(receiver), link, disk: Arc::clone(&self.disk) })
    }
}

struct Receiving<D: Disk> {
    /// `None` once it is staged.
    receiver: Option<Result<SnapshotReceiver<D>, StorageError>>,
    link: LinkId,
    disk: Arc<MemberDisk<D>>,
}

impl<D: Disk> Staging for Receiving<D> {
    fn feed(&mut self, from: &mut BytesMut) -> Result<bool, String> {
        let complete = match &mut self.receiver {
            Some(Ok(receiver)) => receiver.feed(from),
            Some(Err(e)) => Err(NotReceived::Disk(e.clone())),
            None => return Ok(true),
        };
        let complete = complete.map_err(|e| self.given_up(e))?;
        if !complete {
            return Ok(false);
        }
        if let Some(Ok(receiver)) = self.receiver.take() {
            let staged = receiver.finish().map_err(|e| self.given_up(e))?;
            self.disk.inbox.push(DiskWork::Stage(self.link, Box::new(staged)));
        }
        Ok(true)
    }
}

impl<D: Disk> Receiving<D> {
    /// The link ends; if the disk is why, the disk thread has to know.
    fn given_up(&self, why: NotReceived) -> String {
        let text = why.to_string();
        if let NotReceived::Disk(e) = why {
            self.disk.inbox.push(DiskWork::NotReceived(e));
        }
        text
    }
}

/// A snapshot on its way to a learner.
/// `None`: its point in time is gone.
pub struct SnapshotChunks(pub Option<SnapshotSender>);

impl Chunks for SnapshotChunks {
    fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, String> {
        let Some(sender) = &mut self.0 else { return Err(NotSent::Replaced.to_string()) };
        sender.chunk(SNAPSHOT_STEP, out).map_err(|e| e.to_string())
    }
}

/// A stretch of the log on its way to a learner. Opened where it is read.
pub struct LogChunks<D: Disk> {
    /// The medium.
    pub medium: D,
    /// Where on it.
    pub dirs: Dirs,
    /// The learner has this one.
    pub after: Zxid,
    /// The last one that it gets.
    pub upto: Zxid,
    /// Once it is open.
    pub sender: Option<LogSender<D>>,
}

impl<D: Disk> Chunks for LogChunks<D> {
    fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, String> {
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => {
                LogSender::open(&self.medium, &self.dirs, self.after, self.upto).map_err(|e| e.to_string())?
            }
        };
        let more = self.sender.insert(sender).chunk(SNAPSHOT_STEP, out);
        more.map_err(|e| e.to_string())
    }
}
