//! Faults of the schedule, as they begin and as they end.
//!
//! # Invariants
//!
//! * A fault that cannot happen now (its member is down already) does not happen.
//! * What a fault changed its end changes back; [`World::heal`] ends them all.

use super::{Event, World};
use crate::book::{id, voters};
use crate::clients::Phase;
use crate::faults::What;
use crate::heap::{MS, Time};
use crate::net::{Port, Who};
use oxkeeper::config::quorum::Role as Part;
use oxkeeper::disk::Disk;
use oxkeeper::disk::mem::{Fault as DiskFault, MemDisk};
use oxkeeper::replica::member::MemberInput;

impl World {
    /// A fault begins.
    pub(super) fn fault(&mut self, n: usize) {
        self.summary.faults += 1;
        let lasts = self.schedule[n].lasts;
        self.say(|| format!("fault {n}: {}", self.schedule[n]));
        self.heap.after(lasts, Event::Over(n));
        match self.what(n) {
            What::Crash { who, op: None } => {
                let power = self.rng.below(2) == 0;
                self.crash(who, power, lasts);
            }
            What::Crash { who, op: Some(op) } => {
                let machine = &mut self.machines[who];
                if machine.process.is_some() && machine.fails_at.is_none() {
                    let at = machine.disk.ops() + op;
                    machine.dies_at = Some(at);
                    machine.disk.fail_at(at, DiskFault::Io, true);
                }
            }
            What::CrashLeader => {
                if let Some(who) = self.book.leader() {
                    let power = self.rng.below(2) == 0;
                    self.crash(who, power, lasts);
                }
            }
            What::PowerCut => (0..self.machines.len()).for_each(|who| self.crash(who, true, lasts)),
            What::Pause { who } => self.pause(who, lasts),
            What::PauseLeader => {
                if let Some(who) = self.book.leader() {
                    self.pause(who, lasts);
                }
            }
            What::Cut { directions, port } => {
                for (from, to) in directions {
                    ports(port).for_each(|p| self.net.cut(from, to, p));
                }
            }
            What::Reset { who } => self.reset(who),
            What::Slow { from, to, extra } => self.net.slow(from, to, extra),
            What::Wall { who, ms } => self.machines[who].wall += ms,
            What::Full { who } => {
                let disk = &self.machines[who].disk;
                disk.set_capacity(Some(disk.used() + 2048));
            }
            What::DiskFails { who, op } => {
                let machine = &mut self.machines[who];
                if machine.dies_at.is_none() {
                    let at = machine.disk.ops() + op;
                    machine.fails_at = Some(at);
                    machine.disk.fail_at(at, DiskFault::Io, true);
                }
            }
            What::Stall { who, extra } => self.machines[who].stall = extra,
            What::Wipe { who } => self.wipe(who, lasts),
            What::Flip { who, log, dies } => self.flip(who, log, dies),
            What::Disconnect => {
                for number in 0..self.clients.len() {
                    if self.clients[number].phase != Phase::Away {
                        self.leave(number);
                    }
                }
            }
            What::Transfer { to } => {
                if let Some(who) = self.book.leader() {
                    self.tell(who, MemberInput::Transfer { to: to.map(id) });
                }
            }
            What::Reconfigure { joins, leaves, observer } => self.reconfigure(joins, leaves, observer),
        }
    }

    /// A fault ends.
    pub(super) fn over(&mut self, n: usize) {
        match self.what(n) {
            What::Crash { who, op: Some(_) } => {
                // Its turn never came, or it died and was not started again.
                if self.machines[who].dies_at.is_some() {
                    self.machines[who].heal_disk();
                }
                self.start(who);
            }
            What::Cut { directions, port } => {
                for (from, to) in &directions {
                    ports(port).for_each(|p| self.net.heal(*from, *to, p));
                }
                for (from, to) in directions {
                    self.release(from, to);
                    self.release(to, from);
                }
            }
            What::Slow { from, to, .. } => self.net.slow(from, to, 0),
            What::Full { who } => self.machines[who].disk.set_capacity(None),
            What::DiskFails { who, .. } => self.replace_disk(who),
            What::Flip { who, .. } => {
                if self.book.pages[who].damaged {
                    self.die(who, false);
                }
                self.start(who);
            }
            What::Stall { who, .. } => self.machines[who].stall = 0,
            _ => {}
        }
    }

    fn crash(&mut self, who: Who, power: bool, lasts: Time) {
        if self.machines[who].process.is_some() {
            self.die(who, power);
            self.heap.after(lasts + MS, Event::Start { who });
        }
    }

    /// One that stands still already is left alone: what waits for it keeps its order.
    fn pause(&mut self, who: Who, lasts: Time) {
        let now = self.heap.now();
        if self.machines[who].paused <= now {
            self.machines[who].paused = now + lasts;
            self.say(|| format!("{} stands still", id(who)));
        }
    }

    /// The operator starts a server whose disk failed again, on the same data, with a disk that works.
    fn replace_disk(&mut self, who: Who) {
        if self.book.pages[who].failed.is_some() {
            self.die(who, true);
        }
        self.machines[who].heal_disk();
        self.start(who);
    }

    fn wipe(&mut self, who: Who, lasts: Time) {
        if self.can_spare(who) {
            self.die(who, true);
            self.empty(who);
            self.heap.after(lasts + MS, Event::Start { who });
        }
    }

    /// Does a quorum of others hold everything, and is every other disk sound?
    fn can_spare(&self, who: Who) -> bool {
        let Some(last) = self.history.log.last() else { return false };
        let mut holders = self.book.holders(last.zxid, last.chain);
        holders.remove(&who);
        let newest = self.book.ensembles.first().map(voters).unwrap_or_default();
        let enough = newest.intersection(&holders).count() * 2 > newest.len();
        enough && !self.book.pages.iter().any(|p| p.wiped || p.damaged || p.doubtful.is_some())
    }

    /// A disk is emptied.
    pub(super) fn empty(&mut self, who: Who) {
        self.machines[who].disk = MemDisk::new();
        let page = &mut self.book.pages[who];
        page.log.clear();
        (page.before, page.durable, page.delivered) = (None, 0, 0);
        (page.accepted, page.current, page.wiped, page.damaged) = (0, 0, true, false);
    }

    /// A bit of what was once written flips, unnoticed by the medium.
    fn flip(&mut self, who: Who, log: bool, dies: bool) {
        if !self.can_spare(who) {
            return;
        }
        if dies {
            self.die(who, true);
        }
        let (dir, prefix) = if log { (self.dirs.log(), "log.") } else { (self.dirs.snap(), "snapshot.") };
        let disk = &self.machines[who].disk;
        let state = disk.state();
        let mut names: Vec<String> =
            disk.list(&dir).unwrap_or_default().into_iter().map(|e| e.name).collect();
        names.retain(|n| n.starts_with(prefix));
        names.sort_unstable();
        if names.is_empty() {
            return;
        }
        let path = dir.join(&names[self.rng.below(names.len() as u64) as usize]);
        // What stands there, not the zeros of a preallocation.
        let end = state.read(&path).and_then(|b| b.iter().rposition(|b| *b != 0)).unwrap_or(0);
        let (at, bit) = (self.rng.below(end as u64 + 1) as usize, 1u8 << self.rng.below(8));
        let flipped = disk.damage(&path, |bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        });
        self.summary.flips += u64::from(flipped);
        self.book.pages[who].damaged = flipped;
        self.say(|| format!("{}: bit {bit:#x} of byte {at} of {} flips", id(who), path.display()));
    }

    fn reconfigure(&mut self, joins: Option<Who>, leaves: Option<Who>, observer: bool) {
        let there = |c: &&mut crate::clients::Client| c.phase == Phase::There;
        let now = self.heap.now();
        let role = if observer { Part::Observer } else { Part::Participant };
        let joining =
            joins.map_or_else(String::new, |w| format!("server.{}={}", w + 1, super::line(w, role)));
        let leaving = leaves.map_or_else(String::new, |w| (w + 1).to_string());
        let floor = self.floor;
        let Some(client) = self.clients.iter_mut().find(there) else { return };
        let body = client.reconfigure(&joining, &leaving, floor, now);
        let number = client.number;
        self.frame_out(number, body);
    }

    /// Ends everything that goes wrong, and starts whoever is down.
    pub(super) fn heal(&mut self) {
        self.net.heal_all();
        for from in 0..self.machines.len() {
            for to in 0..self.machines.len() {
                self.release(from, to);
            }
        }
        for who in 0..self.machines.len() {
            let machine = &mut self.machines[who];
            (machine.paused, machine.stall) = (0, 0);
            self.replace_disk(who);
        }
        self.clients.iter_mut().for_each(|c| c.peeks = false);
        self.say(|| "all is healed".to_owned());
    }
}

fn ports(port: Option<Port>) -> impl Iterator<Item = Port> {
    [Port::Election, Port::Quorum].into_iter().filter(move |p| port.is_none_or(|only| only == *p))
}
