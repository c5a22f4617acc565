//! Members in one room: bytes between them, a disk in memory below each, one clock.
//!
//! # Invariants
//!
//! * Everything happens in one order, which only the inputs decide.

use super::super::*;
use crate::config::quorum::Ensemble;
use crate::disk::Disk;
use crate::disk::mem::MemDisk;
use crate::driver::{
    MemberRules, MemberWorker, SnapshotPolicy, SnapshotReceiver, SnapshotSender, start_member,
};
use crate::peer::{Notification, Packet, PacketKind};
use crate::replica::member::{LinkItem, MemberInput, MemberOutput};
use crate::replica::{DiskDone, DiskOp, ReplicaConfig, Silent};
use crate::storage::log::iter::LogIter;
use crate::storage::{Dirs, Room, Rules};
use crate::types::LinkId;
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn dirs() -> Dirs {
    Dirs::new(Path::new("/data"), Path::new("/log"))
}

fn rules() -> Rules {
    let mut rules = Rules { room: Room { full_below: 0, good_from: 0, reserve: 0 }, ..Rules::default() };
    rules.log.pre_alloc_size = 4096;
    rules
}

/// One end of a connection.
#[derive(Default)]
struct End {
    other: (i64, LinkId),
    bytes: BytesMut,
    receiver: Option<(SnapshotReceiver<MemDisk>, Zxid)>,
}

pub struct Server {
    pub member: Member,
    pub worker: MemberWorker<MemDisk>,
    ops: Vec<DiskOp>,
    ends: BTreeMap<LinkId, End>,
    pub roles: Vec<RoleChange>,
    pub transferred: Vec<Result<(), String>>,
    tree: crate::tree::TreeConfig,
    /// Its disk answers nothing for now.
    pub stalled: bool,
}

pub struct Room3 {
    pub servers: BTreeMap<i64, Server>,
    pub disks: BTreeMap<i64, MemDisk>,
    pub now: Now,
    /// The configuration of a member that starts for the first time.
    pub ensemble: Ensemble,
    /// What the configuration files of each member say: active and proposed.
    pub files: BTreeMap<i64, (Ensemble, Option<Ensemble>)>,
    next_accepted: u64,
    adjust: fn(&mut MemberConfig),
}

impl Room3 {
    pub fn new(voters: i64, adjust: fn(&mut MemberConfig)) -> Room3 {
        Room3::observed(voters, 0, adjust)
    }

    /// Voters, and observers with the numbers behind theirs.
    pub fn observed(voters: i64, observers: i64, adjust: fn(&mut MemberConfig)) -> Room3 {
        let role = |i| if i > voters { "observer" } else { "participant" };
        let all = 1..=voters + observers;
        let lines: Vec<String> =
            all.clone().map(|i| format!("server.{i}=h{i}:2888:3888:{}", role(i))).collect();
        let ensemble = Ensemble::parse(&format!("{}\nversion=0", lines.join("\n")), false).unwrap();
        let now = Now { mono: Instant::from_millis(1), wall_ms: 1_700_000_000_000 };
        let (servers, disks) = (BTreeMap::new(), BTreeMap::new());
        let files = BTreeMap::new();
        let mut room = Room3 { servers, disks, now, ensemble, files, next_accepted: 0, adjust };
        for id in all {
            room.start(id);
        }
        room
    }

    pub fn start(&mut self, id: i64) {
        let disk = self.disks.entry(id).or_default().clone();
        for dir in ["/data", "/log"] {
            disk.create_dir_all(Path::new(dir)).unwrap();
        }
        let mut settings = crate::config::Settings::default();
        settings.session.tick_time = 1000;
        settings.session.min_session_timeout = 2000;
        settings.session.max_session_timeout = 20_000;
        let replica = ReplicaConfig::member(&settings, ServerId(id), 1);
        let tree = replica.tree;
        let (ensemble, last_seen) = self.files.entry(id).or_insert((self.ensemble.clone(), None)).clone();
        let mut config = MemberConfig::new(ServerId(id), ensemble, replica, id as u64);
        config.last_seen = last_seen;
        (self.adjust)(&mut config);
        let found = start_member(&disk, &dirs(), &rules(), tree, config.window).unwrap();
        let policy = SnapshotPolicy::new(&Default::default(), 1);
        let member_rules = MemberRules { tree, window: config.window, snapshot_size_factor: Some(0.33) };
        let last = found.promises.last;
        let worker = MemberWorker::new(found.start.storage, found.epochs, last, policy, member_rules);
        let start = MemberStart {
            recovered: found.start.recovered,
            doubtful: found.start.doubtful,
            promises: found.promises,
            window: found.window,
        };
        let member = Member::new(config, start, self.now, Arc::new(Silent));
        let server = Server {
            member,
            worker,
            ops: Vec::new(),
            ends: BTreeMap::new(),
            roles: Vec::new(),
            transferred: Vec::new(),
            tree,
            stalled: false,
        };
        self.servers.insert(id, server);
    }

    /// Kill -9: what was not synced is lost, connections break.
    pub fn kill(&mut self, id: i64) {
        let Some(server) = self.servers.remove(&id) else { return };
        drop(server.worker);
        let disk = self.disks[&id].crash_losing_all();
        self.disks.insert(id, disk);
        for (_, end) in server.ends {
            self.break_end(end.other);
        }
        let others: Vec<i64> = self.servers.keys().copied().collect();
        for other in others {
            self.give(other, MemberInput::PeerLost(ServerId(id)));
        }
    }

    fn break_end(&mut self, (id, link): (i64, LinkId)) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.ends.remove(&link).is_some() {
            self.give(id, MemberInput::LinkDown { link, why: "reset".into() });
        }
    }

    pub fn give(&mut self, id: i64, input: MemberInput) {
        let now = self.now;
        if let Some(server) = self.servers.get_mut(&id) {
            server.member.handle(input, now);
        }
    }

    /// Carries everything until nothing moves.
    pub fn settle(&mut self) {
        let (mut moved, mut last) = (true, Vec::new());
        for step in 0.. {
            assert!(step < 20_000, "it never ends: {last:#?}");
            if !std::mem::take(&mut moved) {
                break;
            }
            let ids: Vec<i64> = self.servers.keys().copied().collect();
            for id in ids {
                while let Some(output) = self.servers.get_mut(&id).and_then(|s| s.member.poll_output()) {
                    moved = true;
                    if step > 19_980 {
                        last.push(format!("{id}: {output:?}"));
                    }
                    self.carry(id, output);
                }
                moved |= self.disk(id);
            }
        }
    }

    fn disk(&mut self, id: i64) -> bool {
        let now = self.now;
        let Some(s) = self.servers.get_mut(&id) else { return false };
        if s.ops.is_empty() || s.stalled {
            return false;
        }
        let done = s.worker.handle(&mut s.ops);
        for answer in done {
            let reloaded = matches!(answer, DiskDone::Reloaded { .. });
            s.member.handle(MemberInput::Disk(answer), now);
            if reloaded {
                s.worker.branch().adopt();
            }
        }
        true
    }

    fn carry(&mut self, id: i64, output: MemberOutput) {
        match output {
            MemberOutput::Notify { to, note } => {
                let mut bytes = Vec::new();
                note.encode(&mut bytes);
                match Notification::decode(&bytes).unwrap() {
                    Some(note) if self.servers.contains_key(&to.0) => {
                        self.give(to.0, MemberInput::Notification { from: ServerId(id), note });
                    }
                    _ => self.give(id, MemberInput::PeerLost(to)),
                }
            }
            MemberOutput::Dial { link, to, relay } => self.dial(id, link, to.0, relay),
            MemberOutput::Send { link, item } => self.send(id, link, item),
            MemberOutput::Hangup { link, .. } => {
                let end = self.servers.get_mut(&id).and_then(|s| s.ends.remove(&link));
                if let Some(end) = end {
                    self.break_end(end.other);
                }
            }
            MemberOutput::Disk(op) => {
                if let Some(s) = self.servers.get_mut(&id) {
                    s.ops.push(op);
                }
            }
            MemberOutput::Role(change) => {
                if let Some(s) = self.servers.get_mut(&id) {
                    s.roles.push(change);
                }
            }
            MemberOutput::Transferred(outcome) => {
                if let Some(s) = self.servers.get_mut(&id) {
                    s.transferred.push(outcome);
                }
            }
            MemberOutput::NewConfig { ensemble, active: false } => {
                self.files.get_mut(&id).unwrap().1 = Some(ensemble);
            }
            MemberOutput::NewConfig { ensemble, active: true } => {
                let files = self.files.get_mut(&id).unwrap();
                files.1 = files.1.take().filter(|next| next.version > ensemble.version);
                files.0 = ensemble;
            }
        }
    }

    /// `relay`: at the port for observers, which a follower that serves has open.
    fn dial(&mut self, id: i64, link: LinkId, leader: i64, relay: bool) {
        self.next_accepted += 2;
        let accepted = LinkId(self.next_accepted);
        let open = |s: &Server| {
            !relay || (s.member.role() == Role::Following && s.roles.last().is_some_and(|r| r.serving))
        };
        match self.servers.get_mut(&leader).filter(|s| open(s)) {
            Some(server) => {
                server.ends.insert(accepted, End { other: (id, link), ..End::default() });
                let end = End { other: (leader, accepted), ..End::default() };
                self.servers.get_mut(&id).unwrap().ends.insert(link, end);
                self.give(leader, MemberInput::LinkAccepted { link: accepted, from: format!("server.{id}") });
                self.give(id, MemberInput::LinkUp { link });
            }
            None => self.give(id, MemberInput::LinkDown { link, why: "refused".into() }),
        }
    }

    fn send(&mut self, id: i64, link: LinkId, item: LinkItem) {
        let Some(other) = self.servers[&id].ends.get(&link).map(|end| end.other) else { return };
        let bytes = match item {
            LinkItem::Bytes(bytes) => bytes.to_vec(),
            LinkItem::Snapshot(snapshot) => {
                let (shared, task) = snapshot.into_parts().unwrap();
                let mut sender = SnapshotSender::new(shared, task);
                let mut out = Vec::new();
                while sender.chunk(100, &mut out).unwrap() {}
                out
            }
            LinkItem::Log { after, upto } => {
                let mut out = Vec::new();
                let mut log = LogIter::after(&self.disks[&id], &dirs(), after, upto).unwrap();
                while let Some((zxid, bytes)) = log.next_entry().unwrap() {
                    Packet::with(PacketKind::Proposal, zxid, bytes.into()).encode(&mut out);
                    Packet::bare(PacketKind::Commit, zxid).encode(&mut out);
                }
                out
            }
        };
        let Some(end) = self.servers.get_mut(&other.0).and_then(|s| s.ends.get_mut(&other.1)) else { return };
        end.bytes.extend_from_slice(&bytes);
        self.receive(other.0, other.1);
    }

    fn receive(&mut self, id: i64, link: LinkId) {
        let now = self.now;
        while let Some(s) = self.servers.get_mut(&id)
            && let Some(end) = s.ends.get_mut(&link)
        {
            if let Some((receiver, _)) = &mut end.receiver {
                if !receiver.feed(&mut end.bytes).unwrap() {
                    return;
                }
                let (receiver, zxid) = end.receiver.take().unwrap();
                s.worker.stage(link, receiver.finish().unwrap());
                s.member.handle(MemberInput::SnapshotReceived { link, zxid }, now);
                continue;
            }
            let Some(packet) = Packet::decode(&mut end.bytes, 1 << 20).unwrap() else { return };
            if packet.kind == PacketKind::Snap {
                let disk = &self.disks[&id];
                let dir = dirs().snap();
                let begun = SnapshotReceiver::begin(disk, &dir, &rules(), s.tree, link, packet.zxid);
                end.receiver = Some((begun.unwrap(), packet.zxid));
            }
            s.member.handle(MemberInput::Packet { link, packet }, now);
        }
    }

    /// Lets time pass, from one deadline to the next.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.mono + Duration::from_millis(ms);
        self.settle();
        while self.now.mono < end {
            let next = self.servers.values().map(|s| s.member.poll_timeout()).min().unwrap_or(end);
            self.now.mono = next.max(self.now.mono + Duration::from_micros(100)).min(end);
            let now = self.now;
            for s in self.servers.values_mut().filter(|s| s.member.poll_timeout() <= now.mono) {
                s.member.timeout(now);
            }
            self.settle();
        }
    }

    /// The one leader that serves, with everybody else behind it.
    pub fn leader(&self) -> Option<i64> {
        let mut serving = self
            .servers
            .iter()
            .filter(|(_, s)| s.member.role() == Role::Leading && s.roles.last().is_some_and(|r| r.serving));
        let leader = serving.next().map(|(id, _)| *id);
        assert!(serving.next().is_none(), "two leaders serve");
        leader
    }

    /// Waits until a leader serves and everybody else is served by it.
    pub fn elect(&mut self) -> i64 {
        for _ in 0..600 {
            self.pass(100);
            if let Some(leader) = self.leader()
                && self.servers.values().all(|s| s.roles.last().is_some_and(|r| r.serving))
            {
                return leader;
            }
        }
        let roles: Vec<_> = self.servers.iter().map(|(id, s)| (id, s.roles.last())).collect();
        panic!("no ensemble: {roles:?}");
    }
}
