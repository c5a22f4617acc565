//! Whatever the order in which words arrive, one leader is elected.
//!
//! Members are the real ones, the network is a list of words on their way from which a seed
//! draws. Between two members the order is kept, and an older word may be replaced by a newer
//! one, as a connection does. Time passes only when nothing is on its way: words take less than
//! the wait for better votes, which is what that wait is for.

use super::*;
use crate::disk::{Durable, Synced};
use crate::types::Zxid;
use crate::zab::Quorum;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

struct Net {
    members: BTreeMap<ServerId, Election>,
    promises: BTreeMap<ServerId, Promises>,
    on_the_way: BTreeMap<(ServerId, ServerId), VecDeque<Notification>>,
    elected: BTreeMap<ServerId, (PeerState, Vote)>,
    asleep: BTreeSet<ServerId>,
    /// Losses that were not noticed yet: who has to notice, whose.
    losses: Vec<(ServerId, ServerId)>,
    now: Instant,
    seed: u64,
}

impl Net {
    fn new(logs: &[(u32, u32)], observers: usize, seed: u64) -> Net {
        let voters = logs.len() - observers;
        let line = |i: usize| {
            let role = if i < voters { "participant" } else { "observer" };
            format!("server.{0}=h{0}:1:2:{role}\n", i + 1)
        };
        let text: String = (0..logs.len()).map(line).collect();
        let quorum = Arc::new(Quorum::new(&Ensemble::parse(&text, false).expect("a configuration")));
        let durable = |(epoch, counter): (u32, u32)| Promises {
            last: Durable::new(Zxid::new(epoch, counter), &Synced::by_disk()),
            current: Durable::new(epoch, &Synced::by_disk()),
            accepted: Durable::new(epoch, &Synced::by_disk()),
        };
        let ids = || (1..).map(ServerId);
        let member = |id| Election::new(ElectionConfig::new(id), quorum.clone().into());
        Net {
            members: ids().take(logs.len()).map(|id| (id, member(id))).collect(),
            promises: ids().zip(logs.iter().map(|&log| durable(log))).collect(),
            on_the_way: BTreeMap::new(),
            elected: BTreeMap::new(),
            asleep: ids().take(logs.len()).collect(),
            losses: Vec::new(),
            now: Instant(0),
            seed,
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % n
    }

    fn look(&mut self, id: ServerId) {
        self.asleep.remove(&id);
        self.elected.remove(&id);
        let promises = self.promises[&id];
        if let Some(member) = self.members.get_mut(&id) {
            member.look(promises, self.now);
        }
        self.collect(id);
    }

    fn collect(&mut self, id: ServerId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        while let Some(output) = member.poll_output() {
            match output {
                ElectionOutput::Send { to, note } => {
                    self.on_the_way.entry((id, to)).or_default().push_back(note);
                }
                ElectionOutput::Elected { state, vote } => {
                    assert!(self.elected.insert(id, (state, vote)).is_none(), "elected twice");
                }
                ElectionOutput::NewerConfig(_) => panic!("no configuration is newer"),
            }
        }
        self.establish();
    }

    /// Once a quorum follows a leader its epoch takes the old one's place in all their votes.
    fn establish(&mut self) {
        for (&id, (state, vote)) in &self.elected {
            let leader = vote.leader;
            let leads = self.elected.get(&leader).is_some_and(|(state, _)| *state == PeerState::Leading);
            if leads && self.members[&id].quorums.holds(&self.followers(leader)) {
                let peer_epoch = self.elected[&leader].1.peer_epoch + 1;
                self.members.get_mut(&id).expect("a member").settle(*state, Vote { peer_epoch, ..*vote });
            }
        }
    }

    fn followers(&self, leader: ServerId) -> BTreeSet<ServerId> {
        self.elected.iter().filter(|(_, (_, vote))| vote.leader == leader).map(|(&id, _)| id).collect()
    }

    /// One step in an order that the seed chooses; false when everybody is content.
    fn step(&mut self) -> bool {
        self.on_the_way.retain(|_, words| !words.is_empty());
        let (sleepers, words, losses) = (self.asleep.len(), self.on_the_way.len(), self.losses.len());
        let events = sleepers + words + losses;
        // Members may start late, when others have waited, or have elected already.
        if words + losses == 0 && (sleepers == 0 || self.below(2) == 0) && self.pass_time() {
            return true;
        }
        if events == 0 {
            return false;
        }
        let event = self.below(events);
        if event < sleepers {
            let id = *self.asleep.iter().nth(event).expect("a sleeper");
            self.look(id);
        } else if event < sleepers + losses {
            let (who, whose) = self.losses.swap_remove(event - sleepers);
            let now = self.now;
            self.members.get_mut(&who).expect("a survivor").lost(whose, now);
            self.look(who);
        } else {
            let link = *self.on_the_way.keys().nth(event - sleepers - losses).expect("a link");
            self.deliver(link);
        }
        true
    }

    fn deliver(&mut self, link: (ServerId, ServerId)) {
        let replace = self.below(4) == 0;
        let Some(words) = self.on_the_way.get_mut(&link) else { return };
        if replace && words.len() > 1 {
            words.pop_front();
        }
        let Some(note) = words.pop_front() else { return };
        let (now, asleep) = (self.now, self.asleep.contains(&link.1));
        if let Some(member) = self.members.get_mut(&link.1).filter(|_| !asleep) {
            member.handle(link.0, &note, now);
            self.collect(link.1);
        }
    }

    fn pass_time(&mut self) -> bool {
        let due = self.members.iter().filter_map(|(&id, m)| m.poll_timeout().map(|at| (at, id))).min();
        let Some((at, id)) = due else { return false };
        self.now = at;
        self.members.get_mut(&id).expect("a member").timeout(at);
        self.collect(id);
        true
    }

    fn run(&mut self) {
        for step in 1..20_000 {
            let content = !self.step();
            if content || step % 500 == 0 {
                let astray = self.astray();
                if content && astray.is_empty() {
                    return;
                }
                astray.into_iter().for_each(|id| self.look(id));
            }
        }
        panic!("no end: {:?}", self.elected);
    }

    /// Who follows somebody that does not lead, or leads without a quorum: both end soon.
    fn astray(&self) -> Vec<ServerId> {
        let leads =
            |id: ServerId| self.elected.get(&id).is_some_and(|(state, _)| *state == PeerState::Leading);
        let content = |id: ServerId, leader: ServerId| {
            leads(leader) && (leader != id || self.members[&id].quorums.holds(&self.followers(id)))
        };
        self.elected.iter().filter(|&(&id, (_, vote))| !content(id, vote.leader)).map(|(&id, _)| id).collect()
    }

    /// The one leader of all; its own state and everybody's word agree.
    fn leader(&self) -> ServerId {
        let leaders: BTreeSet<ServerId> = self.elected.values().map(|(_, vote)| vote.leader).collect();
        assert_eq!(leaders.len(), 1, "{:?}", self.elected);
        assert_eq!(self.elected.len(), self.members.len(), "{:?}", self.elected);
        let leader = *leaders.first().expect("one");
        for (&id, (state, _)) in &self.elected {
            assert_eq!(*state == PeerState::Leading, id == leader, "{:?}", self.elected);
        }
        leader
    }

    fn crash(&mut self, id: ServerId) {
        self.members.remove(&id);
        self.elected.remove(&id);
        self.on_the_way.retain(|(from, to), _| *from != id && *to != id);
        self.losses.extend(self.members.keys().map(|&other| (other, id)));
    }

    fn best(&self) -> ServerId {
        let claim = |id: &ServerId| (*self.promises[id].last.get(), *id);
        let voters = self.members.keys().filter(|id| self.members[id].quorums.votes(**id));
        *voters.max_by_key(|id| claim(id)).expect("a voter")
    }
}

fn logs() -> impl Strategy<Value = (Vec<(u32, u32)>, usize)> {
    let log = (0u32..3, 0u32..3);
    (prop::collection::vec(log, 3..8), 0usize..3).prop_map(|(logs, observers)| {
        let observers = observers.min(logs.len() - 3);
        (logs, observers)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn members_that_start_together_elect_the_best_of_them((logs, observers) in logs(), seed: u64) {
        let mut net = Net::new(&logs, observers, seed);
        for id in net.asleep.clone() {
            net.look(id);
        }
        net.run();
        prop_assert_eq!(net.leader(), net.best());
    }

    #[test]
    fn members_that_start_at_any_moment_elect_one_leader((logs, observers) in logs(), seed: u64) {
        let mut net = Net::new(&logs, observers, seed);
        net.run();
        net.leader();
    }

    #[test]
    fn after_the_fall_of_a_leader_the_best_survivor_leads((logs, observers) in logs(), seed: u64) {
        let mut net = Net::new(&logs, observers, seed);
        net.run();
        let fallen = net.leader();
        net.crash(fallen);
        net.run();
        prop_assert_eq!(net.leader(), net.best());
    }
}
