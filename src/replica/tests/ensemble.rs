//! A leader and its learners without zab between them: links are queues that a test empties as it likes.

use super::*;
use crate::peer::{Forwarded, Revalidation};
use crate::types::LinkId;
use crate::zab::Proposal;
use std::collections::VecDeque;

/// What a leader sends.
pub(super) enum Down {
    Propose(Proposal),
    Commit(Zxid),
    Sync,
    Word(Revalidation),
}

/// Member 0 leads; the link of member `i` is `LinkId(i)`.
pub(super) struct Ensemble {
    pub members: Vec<World>,
    up: Vec<VecDeque<ToLeader>>,
    down: Vec<VecDeque<Down>>,
    /// Proposed and not committed.
    open: VecDeque<Zxid>,
    /// Syncs that wait for a commit.
    syncs: Vec<(Zxid, LinkId)>,
    pub history: Vec<Proposal>,
}

impl Ensemble {
    pub fn new(members: usize, adjust: impl Fn(&mut ReplicaConfig)) -> Ensemble {
        let mut ensemble = Ensemble {
            members: (0..members).map(|i| World::member(i as i64 + 1, &adjust)).collect(),
            up: (0..members).map(|_| VecDeque::new()).collect(),
            down: (0..members).map(|_| VecDeque::new()).collect(),
            open: VecDeque::new(),
            syncs: Vec::new(),
            history: Vec::new(),
        };
        let now = ensemble.members[0].now;
        ensemble.members[0].node.lead(1, now);
        for member in &mut ensemble.members[1..] {
            member.node.learn(now);
            member.node.serve();
        }
        ensemble
    }

    pub fn plain(members: usize) -> Ensemble {
        Ensemble::new(members, |_| {})
    }

    pub fn leader(&mut self) -> &mut World {
        &mut self.members[0]
    }

    /// Takes what the nodes want to send.
    pub fn collect(&mut self) {
        let (mut appends, mut syncs) = (Vec::new(), Vec::new());
        self.members[0].node.take_appends(&mut appends);
        for proposal in appends {
            self.open.push_back(proposal.zxid);
            self.history.push(proposal.clone());
            self.down[1..].iter_mut().for_each(|link| link.push_back(Down::Propose(proposal.clone())));
        }
        self.members[0].node.take_syncs(&mut syncs);
        for link in syncs {
            match self.open.back() {
                Some(zxid) => self.syncs.push((*zxid, link)),
                None => self.down[link.0 as usize].push_back(Down::Sync),
            }
        }
        for (member, up) in self.members.iter_mut().zip(&mut self.up).skip(1) {
            let mut out = Vec::new();
            member.node.take_to_leader(&mut out);
            up.extend(out);
        }
    }

    /// The leader takes one packet of a learner; false when there is none.
    pub fn up(&mut self, i: usize) -> bool {
        let link = LinkId(i as u64);
        let Some(packet) = self.up[i].pop_front() else { return false };
        let now = self.members[0].now;
        let leader = &mut self.members[0].node;
        match packet {
            ToLeader::Request(request, identities) => {
                leader.forwarded(link, request, identities.to_vec(), now)
            }
            ToLeader::Revalidate(touch) => {
                let word = leader.revalidate(link, touch, now);
                self.down[i].push_back(Down::Word(word));
            }
        }
        self.collect();
        true
    }

    /// A learner takes one packet of the leader; false when there is none.
    pub fn down(&mut self, i: usize) -> bool {
        let Some(packet) = self.down[i].pop_front() else { return false };
        let now = self.members[i].now;
        let node = &mut self.members[i].node;
        match packet {
            Down::Propose(proposal) => node.proposed(&proposal, now).expect("a good proposal"),
            Down::Commit(zxid) => node.handle_committed(zxid, now),
            Down::Sync => node.synced(now),
            Down::Word(word) => node.revalidated(word, now),
        }
        self.collect();
        true
    }

    /// A quorum has the oldest open proposal; false when there is none.
    pub fn commit(&mut self) -> bool {
        let Some(zxid) = self.open.pop_front() else { return false };
        let now = self.members[0].now;
        self.members[0].node.handle_committed(zxid, now);
        self.down[1..].iter_mut().for_each(|link| link.push_back(Down::Commit(zxid)));
        let (answered, waiting) =
            std::mem::take(&mut self.syncs).into_iter().partition(|(at, _)| *at <= zxid);
        self.syncs = waiting;
        for (_, link) in answered {
            self.down[link.0 as usize].push_back(Down::Sync);
        }
        self.collect();
        true
    }

    /// Everything under way arrives.
    pub fn settle(&mut self) {
        self.collect();
        loop {
            let mut busy = self.commit();
            for i in 1..self.members.len() {
                busy |= self.up(i) | self.down(i);
            }
            if !busy {
                return;
            }
        }
    }

    /// Requests that learner `i` has sent and the leader has not taken.
    pub fn on_the_way(&self, i: usize) -> Vec<&Forwarded> {
        let requests = self.up[i].iter();
        requests.filter_map(|p| if let ToLeader::Request(r, _) = p { Some(r) } else { None }).collect()
    }

    pub fn connect(&mut self, i: usize) -> Arc<Conn> {
        let (conn, response) = self.connect_as(i, 0, vec![0; 16]);
        assert_ne!(response.expect("an answer").session_id, 0);
        conn
    }

    pub fn connect_as(
        &mut self,
        i: usize,
        session: i64,
        password: Vec<u8>,
    ) -> (Arc<Conn>, Option<ConnectResponse>) {
        let conn = self.members[i].ask_session(session, password, false);
        self.settle();
        let response = self.members[i].response(&conn);
        (conn, response)
    }

    /// A client of member `i` asks; what comes of it is collected, not delivered.
    pub fn send(&mut self, i: usize, conn: &Arc<Conn>, xid: i32, op: OpCode, request: &Request<'_>) {
        self.members[i].send(conn, xid, op, request);
        self.collect();
    }

    /// One request, everything delivered: the code of its reply.
    pub fn ask(&mut self, i: usize, conn: &Arc<Conn>, op: OpCode, request: &Request<'_>) -> i32 {
        self.send(i, conn, 7, op, request);
        self.settle();
        headers(&self.members[i].frames(conn)).last().expect("a reply").1
    }

    pub fn headers(&mut self, i: usize, conn: &Conn) -> Vec<(i32, i32)> {
        headers(&self.members[i].frames(conn))
    }

    /// All trees are equal, digests and sessions included, and nobody complained.
    pub fn assert_equal(&self) {
        let state = |w: &World| {
            let store = w.shared.store();
            let mut sessions: Vec<_> = store.sessions.iter().map(|(id, t)| (*id, *t)).collect();
            sessions.sort_unstable();
            (store.tree.last_zxid(), store.tree.digest(), store.tree.node_count(), sessions)
        };
        for member in &self.members[1..] {
            assert_eq!(state(member), state(&self.members[0]));
            assert!(member.node.divergence().is_none());
        }
    }
}
