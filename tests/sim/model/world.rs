//! Three members, the links between them, and every step that may come next.
//!
//! # Invariants
//!
//! * A link keeps the order of what was sent; what was sent before a crash may still arrive.
//! * Of notifications between two members only the newest is on its way, as a connection keeps it.

use super::NEVER;
use super::member::{Frame, Member, Part, Wish};
use oxkeeper::peer::Notification;
use oxkeeper::txn::{Record, Txn, TxnHeader, kind};
use oxkeeper::types::{LinkId, ServerId, Zxid};
use oxkeeper::zab::Proposal;
use oxkeeper::zab::leader::LeaderInput;
use oxkeeper::zab::learner::LearnerInput;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a check begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Three empty members begin to look.
    Cold,
    /// Member 3 leads epoch 1, both others follow and serve.
    Serving,
}

/// The ensemble that is checked.
#[derive(Clone, Debug)]
pub struct Ensemble {
    pub start: Start,
    pub crashes: u32,
    /// A defect that is switched on in every thread of the checker.
    pub mutant: Option<&'static str>,
}

impl Ensemble {
    pub fn new(start: Start, crashes: u32) -> Ensemble {
        Ensemble { start, crashes, mutant: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A notification arrives.
    Notify(ServerId, ServerId),
    /// The next frame of a link arrives at its leader, or at its learner.
    ToLeader(LinkId),
    ToLearner(LinkId),
    /// A disk does the next thing.
    Disk(ServerId),
    /// Nothing better came: an election ends.
    Conclude(ServerId),
    /// A follower reaches its leader.
    Dial(ServerId),
    /// A member whose others cannot come gives its role up.
    GiveUp(ServerId),
    Propose(ServerId),
    Crash(ServerId),
    Restart(ServerId),
}

#[derive(Clone, Debug)]
struct Link {
    learner: ServerId,
    leader: ServerId,
    to_leader: VecDeque<Frame>,
    to_learner: VecDeque<Frame>,
}

#[derive(Clone, Debug)]
pub struct World {
    members: BTreeMap<ServerId, Member>,
    notes: BTreeMap<(ServerId, ServerId), Notification>,
    links: BTreeMap<LinkId, Link>,
    dialled: u64,
    proposed: bool,
    crashes: u32,
    /// Who established which epoch, and what was committed.
    led: BTreeMap<u32, ServerId>,
    committed: BTreeMap<Zxid, Proposal>,
    pub broken: Option<&'static str>,
    mark: u64,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mark.hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &World) -> bool {
        self.mark == other.mark
    }
}

/// Feeds text to a hash as it is written.
struct Hashed(DefaultHasher);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn transaction(zxid: Zxid) -> Proposal {
    let header = TxnHeader { client_id: 7, cxid: 1, zxid, time: 0, kind: kind::ERROR };
    let record = Record { header, txn: Txn::Error { err: 0 }, digest: None };
    Proposal { zxid, bytes: record.to_bytes().into() }
}

impl World {
    pub fn new(ensemble: &Ensemble) -> World {
        let members = (1..=3).map(|id| (ServerId(id), Member::new(id))).collect();
        let mut world = World {
            members,
            notes: BTreeMap::new(),
            links: BTreeMap::new(),
            dialled: 0,
            proposed: false,
            crashes: ensemble.crashes,
            led: BTreeMap::new(),
            committed: BTreeMap::new(),
            broken: None,
            mark: 0,
        };
        for id in (1..=3).map(ServerId) {
            world.with(id, Member::start);
        }
        if ensemble.start == Start::Serving {
            world.serve();
        }
        world.remember();
        world
    }

    /// The one story of a start without trouble.
    fn serve(&mut self) {
        let quiet = Ensemble::new(Start::Cold, 0);
        let mut steps = Vec::new();
        loop {
            steps.clear();
            self.steps(&quiet, &mut steps);
            steps.retain(|step| !matches!(step, Step::Propose(_) | Step::Crash(_) | Step::GiveUp(_)));
            // Notifications first: nobody concludes before everybody was heard.
            let Some(step) = steps.iter().copied().min_by_key(|step| matches!(step, Step::Conclude(_)))
            else {
                break;
            };
            self.take(step);
        }
        assert_eq!(self.led.get(&1), Some(&ServerId(3)), "{self:?}");
    }

    pub fn is_committed(&self) -> bool {
        !self.committed.is_empty()
    }

    /// Every step that may come next.
    pub fn steps(&self, _: &Ensemble, steps: &mut Vec<Step>) {
        if self.broken.is_some() {
            return;
        }
        steps.extend(self.notes.keys().map(|&(from, to)| Step::Notify(from, to)));
        for (&id, link) in &self.links {
            steps.extend((!link.to_leader.is_empty()).then_some(Step::ToLeader(id)));
            steps.extend((!link.to_learner.is_empty()).then_some(Step::ToLearner(id)));
        }
        for (&id, member) in &self.members {
            steps.extend((!member.ops.is_empty()).then_some(Step::Disk(id)));
            steps.extend(member.may_conclude().then_some(Step::Conclude(id)));
            steps.extend(self.may_dial(member).then_some(Step::Dial(id)));
            steps.extend(self.may_give_up(member).then_some(Step::GiveUp(id)));
            if let Part::Leading(leader) = &member.part
                && leader.is_serving()
                && !self.proposed
            {
                steps.push(Step::Propose(id));
            }
            match member.is_up() {
                true if self.crashes > 0 => steps.push(Step::Crash(id)),
                true => {}
                false => steps.push(Step::Restart(id)),
            }
        }
    }

    fn may_dial(&self, member: &Member) -> bool {
        let Part::Following { leader, link: None, .. } = &member.part else { return false };
        self.members.get(leader).is_some_and(|m| matches!(m.part, Part::Leading(_)))
    }

    /// Is what the member waits for not to come?
    fn may_give_up(&self, member: &Member) -> bool {
        let follows =
            |other: &Member, id| matches!(&other.part, Part::Following { leader, .. } if *leader == id);
        match &member.part {
            Part::Following { leader, link: None, .. } => {
                let leader = self.members.get(leader);
                leader.is_none_or(|m| matches!(m.part, Part::Down | Part::Following { .. }))
            }
            Part::Leading(_) => self.members.values().all(|other| !follows(other, member.id)),
            _ => false,
        }
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Notify(from, to) => {
                if let Some(note) = self.notes.remove(&(from, to)) {
                    self.with(to, |member| member.note(from, &note));
                }
            }
            Step::ToLeader(id) => self.arrive(id, true),
            Step::ToLearner(id) => self.arrive(id, false),
            Step::Disk(id) => self.with(id, Member::disk),
            Step::Conclude(id) => self.with(id, Member::conclude),
            Step::Dial(id) => self.dial(id),
            Step::GiveUp(id) => {
                self.close_all(id);
                self.with(id, Member::give_up);
            }
            Step::Propose(id) => self.propose(id),
            Step::Crash(id) => self.crash(id),
            Step::Restart(id) => self.with(id, Member::start),
        }
        self.remember();
    }

    fn with(&mut self, id: ServerId, act: impl FnOnce(&mut Member)) {
        let Some(member) = self.members.get_mut(&id).filter(|m| m.is_up() || m.ops.is_empty()) else {
            return;
        };
        act(member);
        let over = matches!(member.part, Part::Settling);
        let wishes = std::mem::take(&mut member.wishes);
        for wish in wishes {
            self.carry(id, wish);
        }
        if over {
            self.close_all(id);
        }
    }

    fn carry(&mut self, id: ServerId, wish: Wish) {
        match wish {
            Wish::Notify(to, note) => {
                if self.members.get(&to).is_some_and(Member::is_up) {
                    self.notes.insert((id, to), note);
                }
            }
            Wish::Send(link, frame) => {
                if let Some(link) = self.links.get_mut(&link) {
                    let queue = if link.leader == id { &mut link.to_learner } else { &mut link.to_leader };
                    queue.push_back(frame);
                }
            }
            Wish::Established(epoch) => self.established(id, epoch),
            Wish::Committed(new) => {
                for proposal in new {
                    let before = self.committed.insert(proposal.zxid, proposal.clone());
                    if before.is_some_and(|before| before != proposal) {
                        self.broken = self.broken.or(Some(NEVER[4]));
                    }
                }
            }
            Wish::Broken(never) => self.broken = self.broken.or(Some(never)),
        }
    }

    fn established(&mut self, id: ServerId, epoch: u32) {
        if *self.led.entry(epoch).or_insert(id) != id {
            self.broken = self.broken.or(Some(NEVER[0]));
        }
        let log = &self.members[&id].log;
        if self.committed.values().any(|proposal| !log.contains(proposal)) {
            self.broken = self.broken.or(Some(NEVER[1]));
        }
    }

    fn dial(&mut self, id: ServerId) {
        self.dialled += 1;
        let number = LinkId(self.dialled);
        let Some(member) = self.members.get_mut(&id) else { return };
        let Part::Following { leader, link, .. } = &mut member.part else { return };
        *link = Some(number);
        let leader = *leader;
        let (to_leader, to_learner) = Default::default();
        self.links.insert(number, Link { learner: id, leader, to_leader, to_learner });
        self.with(leader, |leader| leader.leader_input(LeaderInput::Linked { link: number }));
        self.with(id, |learner| learner.learner_input(LearnerInput::Linked));
    }

    fn arrive(&mut self, id: LinkId, at_leader: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (queue, to) = match at_leader {
            true => (&mut link.to_leader, link.leader),
            false => (&mut link.to_learner, link.learner),
        };
        let Some(frame) = queue.pop_front() else { return };
        if matches!(frame, Frame::Closed) {
            self.links.remove(&id);
        }
        self.with(to, |member| member.receive(id, frame));
    }

    /// The member's ends of its links are gone: the others will notice.
    fn close_all(&mut self, id: ServerId) {
        for link in self.links.values_mut() {
            let (own, other) = match (link.leader == id, link.learner == id) {
                (true, _) => (&mut link.to_leader, &mut link.to_learner),
                (_, true) => (&mut link.to_learner, &mut link.to_leader),
                _ => continue,
            };
            own.clear();
            if !matches!(other.back(), Some(Frame::Closed)) {
                other.push_back(Frame::Closed);
            }
        }
    }

    fn propose(&mut self, id: ServerId) {
        self.proposed = true;
        let epoch = match &self.members[&id].part {
            Part::Leading(leader) => leader.epoch(),
            _ => return,
        };
        let proposal = transaction(Zxid::new(epoch, 1));
        self.with(id, |member| member.propose(proposal));
    }

    fn crash(&mut self, id: ServerId) {
        self.crashes -= 1;
        self.close_all(id);
        if let Some(member) = self.members.get_mut(&id) {
            member.crash();
        }
        self.notes.retain(|(_, to), _| *to != id);
        let others: Vec<ServerId> = self.members.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            self.with(other, |member| {
                if member.is_up() {
                    member.lost(id)
                }
            });
        }
    }

    fn remember(&mut self) {
        let mut hash = Hashed(DefaultHasher::new());
        let World { members, notes, links, proposed, crashes, led, committed, broken, .. } = self;
        let _ =
            write!(hash, "{members:?}{notes:?}{links:?}{proposed}{crashes}{led:?}{committed:?}{broken:?}");
        self.mark = hash.0.finish();
    }
}
