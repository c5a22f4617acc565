//! An ensemble: its members together.
//!
//! # Invariants
//! * Every wait is bounded, and its error shows the logs of all members.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::check::{Faults, check};
use super::history::History;
use super::load::{By, Load, Shape};
use super::member::{Member, Mode};
use super::network::Network;
use super::site::{Security, Site};
use super::state::{self, State};
use crate::support::Kind;
use crate::support::dirs::Dir;

/// How long an ensemble may take until it has a leader that serves: Java's on a busy machine take their time.
pub const SETTLE: Duration = Duration::from_secs(90);

/// What an ensemble is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Server kinds of the voters, members 1, 2, ...
    pub voters: Vec<Kind>,
    /// Server kinds of the observers, numbered behind the voters.
    pub observers: Vec<Kind>,
    /// What protects it.
    pub security: Security,
    /// Each member in a network namespace of its own.
    pub apart: bool,
    /// Each member at a loopback address of its own: a port may be the same at all of them.
    pub own_addresses: bool,
    /// Lines added to every zoo.cfg.
    pub lines: Vec<String>,
}

impl Plan {
    /// These voters, without observers and protection, on loopback.
    pub fn of(voters: &[Kind]) -> Plan {
        let (voters, security) = (voters.to_vec(), Security::PLAIN);
        Plan {
            voters,
            observers: Vec::new(),
            security,
            apart: false,
            own_addresses: false,
            lines: Vec::new(),
        }
    }

    /// With this protection.
    #[must_use]
    pub fn secured(self, security: Security) -> Plan {
        Plan { security, ..self }
    }
}

/// A running ensemble.
pub struct Group {
    /// Its members by number, from 1: member n is `members[n - 1]`.
    pub members: Vec<Member>,
    /// What they share.
    pub site: Site,
    /// Lines of every zoo.cfg.
    pub lines: Vec<String>,
    network: Option<Network>,
    loads: Dir,
}

impl Group {
    /// Members that are not running yet.
    ///
    /// # Errors
    /// What this machine lacks.
    pub fn new(plan: &Plan) -> Result<Group, String> {
        let count = plan.voters.len() + plan.observers.len();
        let mut network = plan.apart.then(|| Network::new(count)).transpose()?;
        let mut namespaces = network.as_mut().map(Network::take).unwrap_or_default().into_iter();
        let kinds = plan.voters.iter().map(|k| (*k, false)).chain(plan.observers.iter().map(|k| (*k, true)));
        let members: Vec<Member> = (1..)
            .zip(kinds)
            .map(|(id, (kind, observer))| {
                Member::new(id, kind, observer, namespaces.next(), plan.own_addresses)
            })
            .collect();
        let hosts: Vec<String> = members.iter().map(|m| m.host.clone()).collect();
        let site = Site::new(plan.security, &hosts)?;
        Ok(Group { members, site, lines: plan.lines.clone(), network, loads: Dir::new("loads") })
    }

    /// Starts all members and waits until they serve.
    ///
    /// # Errors
    /// What this machine lacks, or the logs of an ensemble that does not serve.
    pub fn start(plan: &Plan) -> Result<Group, String> {
        let mut group = Group::new(plan)?;
        for id in group.ids() {
            group.launch(id)?;
        }
        group.wait_all()?;
        Ok(group)
    }

    /// As [`Group::start`]; the leader is one of `kind`: it is started with one other voter of lower number first.
    ///
    /// # Errors
    /// As [`Group::start`], or that another kind leads.
    pub fn start_led_by(plan: &Plan, kind: Kind) -> Result<Group, String> {
        let mut group = Group::new(plan)?;
        let voters = group.members.iter().filter(|m| !m.observer);
        let first = voters.clone().filter(|m| m.kind == kind).map(|m| m.id).max();
        let first = first.ok_or_else(|| format!("no voter is {kind:?}"))?;
        // Equal histories: of the first two the higher number leads, and who comes later follows.
        let other = voters.map(|m| m.id).filter(|id| *id < first).max();
        let other = other.ok_or_else(|| format!("server {first} has no voter below it"))?;
        for id in [first, other] {
            group.launch(id)?;
        }
        let (site, limit) = (first, SETTLE);
        match group.member(site).wait_serving(limit)? {
            Mode::Leader => {}
            mode => return Err(format!("server {first} is {mode:?}:\n{}", group.logs())),
        }
        for id in group.ids().into_iter().filter(|id| ![first, other].contains(id)) {
            group.launch(id)?;
        }
        group.wait_all()?;
        Ok(group)
    }

    /// The numbers of all members.
    pub fn ids(&self) -> Vec<u64> {
        self.members.iter().map(|m| m.id).collect()
    }

    /// A member by its number.
    pub fn member(&mut self, id: u64) -> &mut Member {
        let at = usize::try_from(id).expect("a small number");
        &mut self.members[at - 1]
    }

    /// The namespaces, if the members are apart.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("the plan has the members apart")
    }

    /// The `server.N` lines.
    pub fn server_lines(&self) -> Vec<String> {
        self.members.iter().map(Member::server_line).collect()
    }

    /// Addresses of all members for clients.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(Member::address).collect()
    }

    /// Starts a member on a fresh configuration; does not wait.
    ///
    /// # Errors
    /// Why the machine has no such server.
    pub fn launch(&mut self, id: u64) -> Result<(), String> {
        let (servers, lines) = (self.server_lines(), self.lines.clone());
        let at = usize::try_from(id).expect("a small number") - 1;
        let (site, member) = (&self.site, &mut self.members[at]);
        let config = member.write_config(site, &servers, &lines)?;
        member.launch(site, &config)
    }

    /// Starts a member and waits until it serves.
    ///
    /// # Errors
    /// The logs of all, if it does not.
    pub fn join(&mut self, id: u64) -> Result<Mode, String> {
        self.launch(id)?;
        self.member(id).wait_serving(SETTLE).map_err(|why| format!("{why}\n{}", self.logs()))
    }

    /// Waits until every member that runs serves, with one leader among them.
    ///
    /// # Errors
    /// The logs of all.
    pub fn wait_all(&mut self) -> Result<(), String> {
        for id in self.ids() {
            if self.member(id).runs() {
                self.member(id).wait_serving(SETTLE).map_err(|why| format!("{why}\n{}", self.logs()))?;
            }
        }
        self.leader(SETTLE).map(drop)
    }

    /// The number of the one leader, waited for.
    ///
    /// # Errors
    /// The logs of all, if there is none.
    pub fn leader(&mut self, limit: Duration) -> Result<u64, String> {
        let deadline = Instant::now() + limit;
        loop {
            let leads = |m: &&Member| m.mode() == Some(Mode::Leader);
            let leaders: Vec<u64> = self.members.iter().filter(leads).map(|m| m.id).collect();
            if let [leader] = leaders.as_slice() {
                return Ok(*leader);
            }
            if Instant::now() > deadline {
                return Err(format!("leaders within {limit:?}: {leaders:?}\n{}", self.logs()));
            }
            sleep(Duration::from_millis(25));
        }
    }

    /// A voter that follows.
    ///
    /// # Errors
    /// There is none.
    pub fn follower(&mut self) -> Result<u64, String> {
        let follows = |m: &&Member| m.mode() == Some(Mode::Follower);
        let found = self.members.iter().filter(|m| !m.observer).find(follows).map(|m| m.id);
        found.ok_or_else(|| format!("nobody follows\n{}", self.logs()))
    }

    /// Starts a load on all members.
    ///
    /// # Errors
    /// As [`Load::start`], with the members' logs.
    pub fn load(&self, by: By, shape: &Shape) -> Result<Load, String> {
        Load::start(by, &self.site, &self.addresses(), shape, self.loads.path())
            .map_err(|why| format!("{why}\n{}", self.logs()))
    }

    /// Ends of the logs of all members.
    pub fn logs(&self) -> String {
        self.members
            .iter()
            .map(|m| format!("--- server {} ({:?})\n{}\n", m.id, m.kind, m.log_end()))
            .collect()
    }

    /// Waits until all running members show the same last transaction.
    ///
    /// # Errors
    /// The transactions and logs.
    pub fn wait_level(&mut self) -> Result<i64, String> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let ids: Vec<u64> = self.ids().into_iter().filter(|id| self.member(*id).runs()).collect();
            let zxids: Vec<Option<i64>> = ids.iter().map(|id| self.member(*id).zxid()).collect();
            match zxids.first() {
                Some(Some(first)) if zxids.iter().all(|z| *z == Some(*first)) => return Ok(*first),
                _ if Instant::now() > deadline => {
                    return Err(format!("not level: {zxids:x?}\n{}", self.logs()));
                }
                _ => sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Ends everything: all members come level and are stopped, their files must hold one state with sound digests,
    /// and that state and the history must agree. What was found wrong, and the state.
    ///
    /// # Errors
    /// The members do not come level, or a directory cannot be read.
    pub fn finish(&mut self, history: &History) -> Result<(Faults, State), String> {
        for id in self.ids() {
            if !self.member(id).runs() {
                self.join(id)?;
            }
        }
        self.wait_level()?;
        // Together: a follower that goes on after its leader left would begin an epoch of its own.
        for member in &mut self.members {
            member.signal(rustix::process::Signal::KILL);
        }
        for member in &mut self.members {
            member.kill();
        }
        let mut states = Vec::new();
        for member in &self.members {
            states.push((member.id, State::read(member.data_dir())?));
        }
        let mut faults = state::compare(&states);
        let (_, state) = states.pop().ok_or("an ensemble without members")?;
        faults.extend(check(history, Some(&state.last())));
        Ok((faults, state))
    }
}
