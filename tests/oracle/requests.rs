//! Requests that leave their connection open.
//!
//! # Invariants
//! * Quota znodes get quota texts only, and TTL creates fitting flags: what a server does with others
//!   is not the subject here.

use super::make::Maker;
use super::record::Record;
use super::script::{Frame, Piece};
use super::values;

/// Kinds of requests that leave the connection open.
#[derive(Clone, Copy)]
enum Kind {
    Create,
    Delete,
    Exists,
    GetData,
    SetData,
    GetAcl,
    SetAcl,
    Children,
    Sync,
    Ping,
    Multi,
    MultiRead,
    CheckWatches,
    RemoveWatches,
    AddWatch,
    SetWatches,
    Ephemerals,
    AllChildren,
    WhoAmI,
    Reconfig,
    Broken,
}

impl Maker {
    /// Any request.
    pub(super) fn request(&mut self) -> Frame {
        use Kind::*;
        let kind = self.rng.weighted(&[
            (220, Create),
            (80, Delete),
            (60, Exists),
            (70, GetData),
            (80, SetData),
            (30, GetAcl),
            (40, SetAcl),
            (80, Children),
            (15, Sync),
            (10, Ping),
            (90, Multi),
            (25, MultiRead),
            (25, CheckWatches),
            (30, RemoveWatches),
            (50, AddWatch),
            (35, SetWatches),
            (20, Ephemerals),
            (15, AllChildren),
            (8, WhoAmI),
            (6, Reconfig),
            (40, Broken),
        ]);
        let xid = self.next_xid();
        self.of_kind(kind, xid)
    }

    fn of_kind(&mut self, kind: Kind, xid: i32) -> Frame {
        let watch = u8::from(self.rng.chance(40));
        let path = match kind {
            Kind::CheckWatches | Kind::RemoveWatches => self.world.watched_path(&mut self.rng),
            _ => self.world.path(&mut self.rng),
        };
        match kind {
            Kind::AddWatch => self.world.watch(&path),
            Kind::Exists | Kind::GetData | Kind::Children if watch == 1 => self.world.watch(&path),
            Kind::Delete if self.rng.chance(50) => self.world.forget(&path),
            _ => {}
        }
        // A null path is for the finale, but for getEphemerals, whose prefix may be missing.
        let null = matches!(kind, Kind::Ephemerals) && self.rng.chance(10);
        let at = Record::default().string(if null { None } else { Some(&path) });
        let watcher = self.rng.weighted(&[(20, 1), (20, 2), (25, 3), (15, 4), (15, 5), (3, 0), (2, 6)]);
        let version = values::version(&mut self.rng);
        match kind {
            Kind::Create => {
                let (op, record) = self.create(false);
                record.frame(xid, op, &format!("create{op}"))
            }
            Kind::Delete => at.int(version).frame(xid, 2, "delete"),
            Kind::Exists => at.flag(watch).frame(xid, 3, "exists"),
            Kind::GetData => at.flag(watch).frame(xid, 4, "getData"),
            Kind::SetData => self.set_data(&path, version).frame(xid, 5, "setData"),
            Kind::GetAcl => at.frame(xid, 6, "getACL"),
            Kind::SetAcl => at.with(values::acl(&mut self.rng, false)).int(version).frame(xid, 7, "setACL"),
            Kind::Children if self.rng.chance(50) => at.flag(watch).frame(xid, 8, "getChildren"),
            Kind::Children => at.flag(watch).frame(xid, 12, "getChildren2"),
            Kind::Sync => at.frame(xid, 9, "sync"),
            Kind::Ping => Record::default().frame(xid, 11, "ping"),
            Kind::Multi => self.multi().frame(xid, 14, "multi"),
            Kind::MultiRead => self.multi_read().frame(xid, 22, "multiRead"),
            Kind::CheckWatches => at.int(watcher).frame(xid, 17, "checkWatches"),
            Kind::RemoveWatches => at.int(watcher).frame(xid, 18, "removeWatches"),
            Kind::AddWatch => {
                let mode = self.rng.weighted(&[(47, 0), (47, 1), (3, 2), (3, -1)]);
                at.int(mode).frame(xid, 106, "addWatch")
            }
            Kind::SetWatches => self.set_watches(),
            Kind::Ephemerals => at.frame(xid, 103, "getEphemerals"),
            Kind::AllChildren => at.frame(xid, 104, "getAllChildrenNumber"),
            Kind::WhoAmI => Record::default().frame(xid, 107, "whoAmI"),
            Kind::Reconfig => {
                let members: &[u8] = b"server.1=127.0.0.1:2888:3888;2181";
                let leaving: Option<&[u8]> = if self.rng.chance(50) { Some(b"1") } else { None };
                Record::default()
                    .string(None)
                    .string(leaving)
                    .string(Some(members))
                    .long(-1)
                    .frame(xid, 16, "reconfig")
            }
            Kind::Broken => self.broken(xid),
        }
    }

    /// A create's op code and record; `part`: of a multi, without the null ACL of the finale.
    fn create(&mut self, part: bool) -> (i32, Record) {
        let op = self.rng.weighted(&[(50, 1), (25, 15), (10, 19), (15, 21)]);
        let fitting = match op {
            19 => 4,
            21 => self.rng.weighted(&[(60, 5), (40, 6)]),
            _ => self.rng.weighted(&[(45, 0), (25, 1), (18, 2), (12, 3)]),
        };
        let flags = if self.rng.chance(90) { fitting } else { self.rng.below(10) as i32 - 1 };
        let path = self.world.new_path(&mut self.rng);
        let quota = path.starts_with(b"/zookeeper/quota");
        let data = if quota { Some(b"count=3,bytes=30".to_vec()) } else { values::data(&mut self.rng) };
        let mut record = Record::default().string(Some(&path)).string(data.as_deref());
        let open = Record::default().int(1).int(31).string(Some(b"world")).string(Some(b"anyone"));
        record =
            record.with(if self.rng.chance(55) { open } else { values::acl(&mut self.rng, part) }).int(flags);
        if op == 21 && !(5..=6).contains(&flags) {
            // Without a TTL flag only a negative time passes the reference; that is for the finale.
            record = record.long(1);
        } else if op == 21 {
            record = record.long(self.rng.weighted(&[
                (80, 10_000_000),
                (4, 0),
                (4, -1),
                (4, 1 << 40),
                (4, (1 << 40) - 1),
                (4, i64::MAX),
            ]));
        }
        (op, record)
    }

    /// Quota texts go to quota znodes, so that servers are asked what operators ask.
    fn set_data(&mut self, path: &[u8], version: i32) -> Record {
        let data = if path.starts_with(b"/zookeeper/quota") {
            Some(values::limits(&mut self.rng))
        } else {
            values::data(&mut self.rng)
        };
        Record::default().string(Some(path)).string(data.as_deref()).int(version)
    }

    fn part(&mut self) -> Record {
        let path = self.world.path(&mut self.rng);
        let at = Record::default().string(Some(&path));
        let version = values::version(&mut self.rng);
        let (kind, record) = match self.rng.below(100) {
            0..=44 => self.create(true),
            45..=59 => (2, at.int(version)),
            60..=79 => (5, self.set_data(&path, version)),
            80..=94 => (13, at.int(version)),
            95 => (4, at.flag(0)),
            96 => (7, at.with(values::acl(&mut self.rng, false)).int(version)),
            97 => (20, at),
            _ => (3, at.flag(0)),
        };
        Record::default().int(kind).flag(0).int(-1).with(record)
    }

    fn multi(&mut self) -> Record {
        let count = self.rng.weighted(&[(5, 0), (25, 1), (35, 2), (25, 3), (10, 6)]);
        let mut record = Record::default();
        for _ in 0..count {
            record = record.with(self.part());
        }
        record.int(-1).flag(1).int(-1)
    }

    fn multi_read(&mut self) -> Record {
        let mut record = Record::default();
        for _ in 0..self.rng.below(4) {
            let path = self.world.path(&mut self.rng);
            let kind = self.rng.weighted(&[(48, 4), (48, 8), (2, 2), (2, 12)]);
            let body = Record::default().string(Some(&path)).flag(1);
            record = record.with(Record::default().int(kind).flag(0).int(-1).with(body));
        }
        record.int(-1).flag(1).int(-1)
    }

    fn set_watches(&mut self) -> Frame {
        let two = self.rng.chance(60);
        let relative = self.rng.below(40) as i64 - 5;
        let mut record = Record::default();
        record = if self.rng.chance(5) { record.long(0) } else { record.zxid(relative) };
        let mut empty = true;
        for _ in 0..if two { 5 } else { 3 } {
            // A null list is refused; behind others it would be refused half-way.
            let count = if empty && self.rng.chance(3) { -1 } else { self.rng.below(3) as i32 };
            empty &= count <= 0;
            record = record.int(count);
            for _ in 0..count.max(0) {
                let path = self.world.path(&mut self.rng);
                record = record.string(Some(&path));
            }
        }
        let (op, name) = if two { (105, "setWatches2") } else { (101, "setWatches") };
        record.frame(-8, op, name)
    }

    /// A request whose record is cut, or has an impossible length.
    fn broken(&mut self, xid: i32) -> Frame {
        use Kind::*;
        let kinds = [
            Create,
            Delete,
            Exists,
            GetData,
            SetData,
            GetAcl,
            SetAcl,
            Children,
            Sync,
            Multi,
            MultiRead,
            CheckWatches,
            RemoveWatches,
            AddWatch,
            SetWatches,
            Ephemerals,
            AllChildren,
            Reconfig,
        ];
        let kind = *self.rng.pick(&kinds);
        let frame = self.of_kind(kind, xid);
        let mut bytes = Vec::new();
        for piece in &frame.body {
            match piece {
                Piece::Bytes(b) => bytes.extend_from_slice(b),
                Piece::Zxid(_) => bytes.extend_from_slice(&[0; 8]),
            }
        }
        match self.rng.below(4) {
            0 => bytes.clear(),
            1 => bytes.truncate(self.rng.below(bytes.len() + 1)),
            2 => {
                let length = self.rng.weighted(&[(1, i32::MAX), (1, i32::MIN), (1, -2), (1, 1 << 24)]);
                let at = 0..4.min(bytes.len());
                let end = at.end;
                bytes[at].copy_from_slice(&length.to_be_bytes()[..end]);
            }
            _ => bytes.extend_from_slice(b"behind the record"),
        }
        let text = frame.text.split(' ').next().unwrap_or_default().to_owned();
        Record::default().raw(&bytes).frame(frame.xid, frame.op, &format!("broken {text}"))
    }
}
