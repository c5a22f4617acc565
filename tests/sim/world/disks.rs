//! Disks: the log thread and the snapshot thread of production, at virtual times.
//!
//! # Invariants
//!
//! * Handing over, carrying out and telling are three moments: a crash may come between any two.
//! * The page of a member follows its disk at the moment at which something was carried out.

use super::{Event, TICK, World};
use crate::book::id;
use crate::check::Seen;
use crate::heap::MS;
use crate::history::{self, upto};
use crate::net::{Who, exponential};
use oxkeeper::driver::SnapshotJob;
use oxkeeper::replica::member::MemberInput;
use oxkeeper::replica::{DiskDone, DiskOp};
use oxkeeper::types::Zxid;
use std::hash::Hash;

/// Bytes of a snapshot that are written at a time.
const CHUNK: usize = 8 << 10;

impl World {
    /// A wish for the disk goes to the log thread.
    pub(super) fn hand_over(&mut self, who: Who, op: DiskOp) {
        let page = &mut self.book.pages[who];
        match &op {
            DiskOp::Append(p) => {
                let before = history::last(&page.log);
                let zxid = p.zxid.0;
                history::push(&mut page.log, zxid, p.bytes.clone());
                (who, zxid, &p.bytes[..]).hash(&mut self.hash);
                self.see(&Seen::Appended { who, before, zxid });
            }
            DiskOp::Truncate(to) => {
                let end = upto(&page.log, to.0);
                let log = page.log.clone();
                page.before.get_or_insert(log);
                page.log.truncate(end);
                self.say(|| format!("{} cuts its log behind {to}", id(who)));
            }
            DiskOp::Install { link } => {
                let log = page.log.clone();
                page.before.get_or_insert(log);
                let pipe =
                    self.machines[who].process.as_ref().and_then(|p| p.links.get(&link.0)).map(|l| l.pipe);
                let sent = pipe.and_then(|p| self.net.pipes.get(&p)).and_then(|p| p.snapshot.clone());
                self.book.pages[who].log = sent.unwrap_or_default();
                self.say(|| {
                    format!(
                        "{} installs a snapshot up to {}",
                        id(who),
                        history::z(history::last(&self.book.pages[who].log))
                    )
                });
            }
            _ => {}
        }
        let Some(p) = &mut self.machines[who].process else { return };
        p.queue.push(op);
        if !p.busy {
            p.busy = true;
            self.ask_for_work(who);
        }
    }

    fn ask_for_work(&mut self, who: Who) {
        let mean = self.plan.shape.sync;
        let machine = &mut self.machines[who];
        let wait = MS / 20 + exponential(&mut machine.rng, mean) + machine.stall;
        let life = machine.life;
        self.heap.after(wait, Event::Work { who, life });
    }

    /// The log thread carries out what was handed over.
    pub(super) fn work(&mut self, who: Who) {
        let Some(p) = &mut self.machines[who].process else { return };
        let mut ops = std::mem::take(&mut p.queue);
        let done = p.worker.handle(&mut ops);
        self.carried_out(who, done);
    }

    /// The log thread looks after the disk, when it has nothing else to do.
    pub(super) fn look(&mut self, who: Who) {
        let life = self.machines[who].life;
        self.heap.after(TICK, Event::Look { who, life });
        let Some(p) = &mut self.machines[who].process else { return };
        if p.busy {
            return;
        }
        let done = p.worker.check();
        if !done.is_empty() {
            if let Some(p) = &mut self.machines[who].process {
                p.busy = true;
            }
            self.carried_out(who, done);
        }
    }

    fn carried_out(&mut self, who: Who, done: Vec<DiskDone>) {
        if self.dies_with_its_disk(who) {
            return;
        }
        let machine = &self.machines[who];
        if machine.fails_at.is_some_and(|at| machine.disk.ops() >= at) {
            self.book.pages[who].failed.get_or_insert(self.heap.now());
        }
        for d in &done {
            self.book_disk(who, d);
        }
        let life = self.machines[who].life;
        if let Some(p) = &mut self.machines[who].process {
            p.done.extend(done);
        }
        self.heap.after(MS / 20, Event::Done { who, life });
    }

    /// Was the disk operation reached with which this process dies?
    fn dies_with_its_disk(&mut self, who: Who) -> bool {
        let machine = &self.machines[who];
        let dies = machine.dies_at.is_some_and(|at| machine.disk.ops() >= at);
        if dies {
            self.die(who, true);
        }
        dies
    }

    /// Writes down what a disk holds from now on.
    fn book_disk(&mut self, who: Who, done: &DiskDone) {
        match done {
            DiskDone::Logged { durable: Some(d), .. } => {
                let page = &mut self.book.pages[who];
                page.group = page.durable;
                page.durable = page.durable.max(d.get().0);
                (who, page.durable).hash(&mut self.hash);
            }
            DiskDone::Accepted(e) => {
                self.see(&Seen::Epoch { who, accepted: true, epoch: *e.get() });
                self.book.pages[who].accepted = *e.get();
            }
            DiskDone::Current(e) => {
                self.see(&Seen::Epoch { who, accepted: false, epoch: *e.get() });
                let page = &mut self.book.pages[who];
                (page.current, page.wiped) = (*e.get(), false);
            }
            DiskDone::Reloaded { last, recovered, .. } => {
                let page = &mut self.book.pages[who];
                page.before = None;
                page.durable = last.get().0;
                page.delivered = 0;
                let (last, least) = (last.get().0, history::last(&page.log));
                page.doubtful = None;
                let (found, doubtful) = (recovered, false);
                self.see(&Seen::Recovered { who, last, least, doubtful, found, differences: 0 });
            }
            DiskDone::Settled { last } => {
                let page = &mut self.book.pages[who];
                let end = upto(&page.log, last.get().0);
                page.log.truncate(end);
            }
            _ => {}
        }
    }

    /// The log thread tells what it did.
    pub(super) fn done(&mut self, who: Who) {
        let life = self.machines[who].life;
        let Some(p) = &mut self.machines[who].process else { return };
        for done in std::mem::take(&mut p.done) {
            let reloaded = matches!(done, DiskDone::Reloaded { .. });
            if let DiskDone::Failed(why) = &done {
                self.say(|| format!("{}: disk failed: {why}", id(who)));
                self.book.pages[who].failed.get_or_insert(self.heap.now());
                self.book.pages[who].knows = true;
            }
            let due = matches!(done, DiskDone::Logged { snapshot_due: true, .. });
            self.tell(who, MemberInput::Disk(done));
            if !self.alive(who, life) {
                return;
            }
            if let Some(p) = self.machines[who].process.as_mut().filter(|_| reloaded) {
                p.worker.branch().adopt();
            }
            if due {
                self.begin_snapshot(who);
            }
        }
        let Some(p) = &mut self.machines[who].process else { return };
        match p.queue.is_empty() {
            true => p.busy = false,
            false => self.ask_for_work(who),
        }
    }

    fn begin_snapshot(&mut self, who: Who) {
        let (dir, life) = (self.dirs.snap(), self.machines[who].life);
        let disk = self.machines[who].disk.clone();
        let Some(p) = &mut self.machines[who].process else { return };
        if p.job.is_none() {
            p.job = SnapshotJob::begin(&p.shared, &disk, &dir, &self.rules, &p.worker.branch()).ok();
            self.heap.after(MS, Event::Step { who, life });
        }
    }

    /// The snapshot thread writes a piece.
    pub(super) fn step(&mut self, who: Who) {
        let life = self.machines[who].life;
        let Some(p) = &mut self.machines[who].process else { return };
        let Some(mut job) = p.job.take() else { return };
        match job.step(CHUNK) {
            Ok(true) => {
                p.job = Some(job);
                self.heap.after(MS, Event::Step { who, life });
            }
            Ok(false) => {
                let zxid = job.zxid();
                let made = job.finish().is_ok();
                self.snapshot_made(who, zxid, made);
            }
            Err(_) => {}
        }
        self.dies_with_its_disk(who);
    }

    fn snapshot_made(&mut self, who: Who, zxid: Zxid, made: bool) {
        self.say(|| format!("{}: snapshot {zxid}, made {made}", id(who)));
        let machine = &mut self.machines[who];
        if made
            && machine.rng.below(2) == 0
            && let Some(p) = &mut machine.process
        {
            let _removed = p.worker.purge(3);
        }
    }
}
