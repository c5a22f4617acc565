//! Connections between members: notifications, and the streams of learners and leaders.
//!
//! # Invariants
//!
//! * What arrives are bytes; the codecs of production make packets of them.
//! * A notification that cannot leave is replaced by a newer one, as in a queue of length one.

use super::members::Link;
use super::{Event, World};
use crate::book::id;
use crate::check::Seen;
use crate::heap::{MS, SECOND};
use crate::history::upto;
use crate::net::{Port, Who};
use bytes::BytesMut;
use oxkeeper::driver::{NotReceived, SnapshotReceiver, SnapshotSender};
use oxkeeper::peer::codec::write_packet;
use oxkeeper::peer::{Notification, Packet, PacketKind};
use oxkeeper::replica::member::{LinkItem, MemberInput, OpenSnapshot};
use oxkeeper::types::{LinkId, Zxid};
use std::hash::Hash;

/// Largest payload of a packet.
const PACKET_BYTES: usize = 4 << 20;
/// Bytes of a snapshot that travel as one.
const CHUNK: usize = 16 << 10;

impl World {
    /// A notification leaves.
    pub(super) fn notify(&mut self, from: Who, to: Who, note: &Notification) {
        self.see(&Seen::Voted { who: from, note });
        let mut bytes = Vec::new();
        note.encode(&mut bytes);
        bytes.hash(&mut self.hash);
        if to >= self.machines.len() {
            return;
        }
        match self.net.reaches(from, to, Port::Election) && self.net.reaches(to, from, Port::Election) {
            true => self.carry_note(from, to, bytes),
            false => drop(self.net.waiting.insert((from, to), bytes)),
        }
    }

    fn carry_note(&mut self, from: Who, to: Who, bytes: Vec<u8>) {
        let wait = self.net.way(from, to);
        if self.machines[to].process.is_none() {
            let life = self.machines[from].life;
            self.heap.after(2 * wait, Event::PeerLost { at: from, peer: to, life });
            return;
        }
        let last = self.net.last_note.entry((from, to)).or_insert(0);
        *last = (self.heap.now() + wait).max(*last);
        let (at, life) = (*last, self.machines[to].life);
        self.heap.at(at, Event::Note { from, to, life, bytes });
    }

    /// A notification arrives.
    pub(super) fn note(&mut self, from: Who, to: Who, bytes: &[u8]) {
        match Notification::decode(bytes) {
            Ok(Some(note)) => {
                self.say(|| format!("{} hears {}: {note:?}", id(to), id(from)));
                self.tell(to, MemberInput::Notification { from: id(from), note });
            }
            other => panic!("a notification of our own does not decode: {other:?}"),
        }
    }

    pub(super) fn peer_lost(&mut self, at: Who, peer: Who) {
        self.tell(at, MemberInput::PeerLost(id(peer)));
    }

    /// A member dials a quorum port.
    pub(super) fn dial(&mut self, from: Who, link: u64, to: Who) {
        let (wait, life) = (2 * self.net.way(from, to), self.machines[from].life);
        let reach = self.net.reaches(from, to, Port::Quorum) && self.net.reaches(to, from, Port::Quorum);
        match reach {
            true => self.heap.after(wait, Event::Dialled { from, to, link, life }),
            // Nobody answers: cnxTimeout.
            false => self.heap.after(5 * SECOND, Event::Refused { who: from, link, life }),
        }
    }

    /// A connection request arrives.
    pub(super) fn dialled(&mut self, from: Who, to: Who, link: u64) {
        let life = self.machines[from].life;
        let listens = self.book.pages[to].role == oxkeeper::replica::member::Role::Leading;
        let Some(host) = self.machines[to].process.as_mut().filter(|_| listens) else {
            let wait = self.net.way(to, from);
            self.heap.after(wait, Event::Refused { who: from, link, life });
            return;
        };
        host.next_link += 2;
        let number = host.next_link;
        let lives = (life, self.machines[to].life);
        let pipe = self.net.connect((from, link), (to, number), lives);
        self.add_link(to, number, pipe, from, false);
        self.add_link(from, link, pipe, to, true);
        self.tell(from, MemberInput::LinkUp { link: LinkId(link) });
    }

    fn add_link(&mut self, who: Who, number: u64, pipe: u64, peer: Who, known: bool) {
        if let Some(p) = &mut self.machines[who].process {
            p.links.insert(number, Link { pipe, peer, inbox: BytesMut::new(), receiver: None, known });
        }
    }

    /// A member sends something over a connection.
    pub(super) fn send(&mut self, who: Who, link: u64, item: LinkItem) {
        let Some((pipe, peer)) =
            self.machines[who].process.as_ref().and_then(|p| p.links.get(&link)).map(|l| (l.pipe, l.peer))
        else {
            return;
        };
        match item {
            LinkItem::Bytes(bytes) => {
                self.show(who, peer, &bytes);
                self.put(pipe, who, Some(bytes.to_vec()));
            }
            LinkItem::Log { after, upto } => self.send_log(who, pipe, after, upto),
            LinkItem::Snapshot(snapshot) => self.send_snapshot(who, pipe, snapshot),
        }
    }

    /// Shows the packets that leave to the checkers.
    fn show(&mut self, who: Who, to: Who, bytes: &[u8]) {
        let mut rest = BytesMut::from(bytes);
        while let Ok(Some(packet)) = Packet::decode(&mut rest, PACKET_BYTES) {
            if packet.kind == PacketKind::NewLeader {
                self.note_initial(who, packet.zxid);
            }
            self.say(|| format!("{} -> {}: {:?} {}", id(who), id(to), packet.kind, packet.zxid));
            let disk = self.machines[who].disk.clone();
            let seen = Seen::Sent { who, packet: &packet, disk: &disk };
            match matches!(packet.kind, PacketKind::Ack | PacketKind::AckEpoch) {
                true => self.see_promise(&seen),
                false => self.see(&seen),
            }
        }
    }

    /// The first NEWLEADER of an epoch: everything of earlier epochs is its initial history.
    fn note_initial(&mut self, who: Who, epoch: Zxid) {
        let log = &self.book.pages[who].log;
        let last = log.iter().rev().find(|e| e.zxid < epoch.0);
        let initial = last.map_or((0, 0), |e| (e.zxid, e.chain));
        self.book.initial.entry(epoch.epoch()).or_insert(initial);
    }

    fn send_log(&mut self, who: Who, pipe: u64, after: Zxid, to: Zxid) {
        let Some(p) = &self.machines[who].process else { return };
        let mut out = Vec::new();
        let records = p.worker.storage().read_after(after);
        let Ok(mut records) = records else { return self.end(pipe, who) };
        loop {
            let Ok(next) = records.next_entry() else { return self.end(pipe, who) };
            let Some((zxid, bytes)) = next.filter(|(zxid, _)| *zxid <= to) else { break };
            write_packet(PacketKind::Proposal, zxid, Some(&bytes), &mut out);
            write_packet(PacketKind::Commit, zxid, None, &mut out);
        }
        self.put(pipe, who, Some(out));
    }

    fn send_snapshot(&mut self, who: Who, pipe: u64, snapshot: OpenSnapshot) {
        let Some((shared, task)) = snapshot.into_parts() else { return self.end(pipe, who) };
        let mut sender = SnapshotSender::new(shared, task);
        let log = &self.book.pages[who].log;
        let history = log[..upto(log, sender.zxid().0)].to_vec();
        if let Some(p) = self.net.pipes.get_mut(&pipe) {
            p.snapshot = Some(history);
        }
        loop {
            let mut chunk = Vec::new();
            let Ok(more) = sender.chunk(CHUNK, &mut chunk) else { return self.end(pipe, who) };
            self.put(pipe, who, Some(chunk));
            if !more {
                return;
            }
        }
    }

    /// Puts bytes, or the end, into a direction of a connection.
    pub(super) fn put(&mut self, pipe: u64, from: Who, bytes: Option<Vec<u8>>) {
        bytes.hash(&mut self.hash);
        let Some(p) = self.net.pipes.get(&pipe) else { return };
        let end = p.end(from);
        let to = p.at(1 - end).0;
        if !self.net.reaches(from, to, Port::Quorum) {
            if let Some(p) = self.net.pipes.get_mut(&pipe) {
                p.held[end].push_back(bytes);
            }
            return;
        }
        let at = self.heap.now() + self.net.way(from, to);
        let Some(p) = self.net.pipes.get_mut(&pipe) else { return };
        p.last[end] = at.max(p.last[end]);
        let at = p.last[end];
        self.heap.at(at, Event::Bytes { pipe, end: 1 - end, bytes });
    }

    /// A cut healed: what it held back goes on.
    pub(super) fn release(&mut self, from: Who, to: Who) {
        for pipe in self.net.pipes_at(from) {
            let Some(p) = self.net.pipes.get_mut(&pipe) else { continue };
            let end = p.end(from);
            if p.at(1 - end).0 != to {
                continue;
            }
            for bytes in std::mem::take(&mut p.held[end]) {
                self.put(pipe, from, bytes);
            }
        }
        if self.net.reaches(from, to, Port::Election)
            && self.net.reaches(to, from, Port::Election)
            && let Some(bytes) = self.net.waiting.remove(&(from, to))
        {
            self.carry_note(from, to, bytes);
        }
    }

    /// Bytes arrive at an end.
    pub(super) fn arrive(&mut self, pipe: u64, end: usize, bytes: Option<Vec<u8>>) {
        let Some(p) = self.net.pipes.get(&pipe).filter(|p| p.open[end]) else { return };
        let (who, link) = p.at(end);
        if !self.alive(who, p.life(end)) {
            return;
        }
        let Some(bytes) = bytes else {
            return self.link_down(who, link, "the other end closed it");
        };
        if let Some(l) = self.link(who, link) {
            l.inbox.extend_from_slice(&bytes);
        }
        self.read(who, link);
    }

    fn link(&mut self, who: Who, link: u64) -> Option<&mut Link> {
        self.machines[who].process.as_mut()?.links.get_mut(&link)
    }

    /// Takes whole packets, and snapshots, out of what has arrived.
    fn read(&mut self, who: Who, link: u64) {
        let life = self.machines[who].life;
        loop {
            let Some(l) = self.link(who, link) else { return };
            if l.receiver.is_some() {
                match self.receive(who, link) {
                    true => continue,
                    false => return,
                }
            }
            let packet = match Packet::decode(&mut l.inbox, PACKET_BYTES) {
                Ok(Some(packet)) => packet,
                Ok(None) => return,
                Err(e) => panic!("a packet of our own does not decode: {e:?}"),
            };
            if !std::mem::replace(&mut l.known, true) {
                let from = format!("{}", id(l.peer));
                self.tell(who, MemberInput::LinkAccepted { link: LinkId(link), from });
            }
            if packet.kind == PacketKind::Snap {
                self.begin_receiving(who, link, packet.zxid);
            }
            if packet.kind == PacketKind::LeaderInfo {
                self.book.pages[who].promised = packet.zxid.epoch();
            }
            self.see(&Seen::Arrived { who, packet: &packet });
            self.tell(who, MemberInput::Packet { link: LinkId(link), packet });
            if !self.alive(who, life) {
                return;
            }
        }
    }

    fn begin_receiving(&mut self, who: Who, link: u64, zxid: Zxid) {
        let (dir, disk, tree) = (self.dirs.snap(), self.machines[who].disk.clone(), self.replica.tree);
        let receiver = SnapshotReceiver::begin(&disk, &dir, &self.rules, tree, LinkId(link), zxid);
        match (receiver, self.link(who, link)) {
            (Ok(receiver), Some(l)) => l.receiver = Some(receiver),
            (Err(e), _) => self.not_received(who, link, NotReceived::Disk(e)),
            (Ok(_), None) => {}
        }
    }

    /// Feeds a snapshot; true when it is complete and packets follow.
    fn receive(&mut self, who: Who, link: u64) -> bool {
        let Some(l) = self.link(who, link) else { return false };
        let Some(mut receiver) = l.receiver.take() else { return true };
        match receiver.feed(&mut l.inbox) {
            Ok(false) => {
                l.receiver = Some(receiver);
                self.tell(who, MemberInput::Progress { link: LinkId(link) });
                false
            }
            Ok(true) => {
                let zxid = receiver.zxid();
                let Ok(staged) = receiver.finish() else { panic!("a snapshot of our own is refused") };
                if let Some(p) = &mut self.machines[who].process {
                    p.worker.stage(LinkId(link), staged);
                }
                self.tell(who, MemberInput::SnapshotReceived { link: LinkId(link), zxid });
                true
            }
            Err(e) => {
                self.not_received(who, link, e);
                false
            }
        }
    }

    /// As the server does: the disk thread is told what the disk did not take.
    fn not_received(&mut self, who: Who, link: u64, e: NotReceived) {
        let why = e.to_string();
        if let (NotReceived::Disk(e), Some(p)) = (e, &mut self.machines[who].process) {
            p.worker.not_received(e);
        }
        self.break_link(who, link, &why);
    }

    /// This end gives up: the member is told, the other end sees the stream end.
    fn break_link(&mut self, who: Who, link: u64, why: &str) {
        self.hang_up(who, link);
        self.tell(who, MemberInput::LinkDown { link: LinkId(link), why: why.to_owned() });
    }

    /// The member closes an end, behind what it sent.
    pub(super) fn hang_up(&mut self, who: Who, link: u64) {
        let removed = self.machines[who].process.as_mut().and_then(|p| p.links.remove(&link));
        if let Some(l) = removed {
            self.end(l.pipe, who);
        }
    }

    /// Closes an end of a connection.
    fn end(&mut self, pipe: u64, who: Who) {
        let Some(p) = self.net.pipes.get_mut(&pipe) else { return };
        let end = p.end(who);
        p.open[end] = false;
        self.put(pipe, who, None);
    }

    /// An end sees that the connection is gone.
    pub(super) fn link_down(&mut self, who: Who, link: u64, why: &str) {
        self.hang_up(who, link);
        self.say(|| format!("{}: {} is down: {why}", id(who), LinkId(link)));
        self.tell(who, MemberInput::LinkDown { link: LinkId(link), why: why.to_owned() });
    }

    /// A process died: its connections end, for the other side after what was under way.
    pub(super) fn break_pipes(&mut self, who: Who) {
        for pipe in self.net.pipes_at(who) {
            self.end(pipe, who);
        }
    }

    /// The connections of a member are reset: both ends see it, a prefix was delivered.
    pub(super) fn reset(&mut self, who: Who) {
        for pipe in self.net.pipes_at(who) {
            let Some(p) = self.net.pipes.get(&pipe) else { continue };
            for end in 0..2 {
                let ((at, link), life) = (p.at(end), p.life(end));
                if p.open[end] && self.alive(at, life) {
                    let wait = self.rng.below(2 * MS);
                    self.heap.after(wait, Event::Refused { who: at, link, life });
                }
            }
        }
        self.say(|| format!("connections of {} are reset", id(who)));
    }
}
