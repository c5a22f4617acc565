//! The rules of ZooKeeper's ACLs, written down a second time.
//!
//! Made from the tables of the reference's behaviour and not from `src/auth`: nothing of that room is imported but the
//! types of an ACL. Whoever changes a rule there has to be right here, too.
//!
//! # Invariants
//! * Every request has its rule in [`Model::ask`]; none is allowed for want of one.
//! * The order of the checks is the reference's: it decides which code a client sees.

use super::ask::{Ask, CHANGED, CHILDREN, CREATED, DELETED, Make, Said, Told};
use super::watching::{Kind, Watching};
use oxkeeper::types::{Acl, Id};
use std::collections::BTreeMap;
use std::net::IpAddr;

pub const READ: i32 = 1;
pub const WRITE: i32 = 2;
pub const CREATE: i32 = 4;
pub const DELETE: i32 = 8;
pub const ADMIN: i32 = 16;

const NO_NODE: i32 = -101;
const NO_AUTH: i32 = -102;
const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
const NODE_EXISTS: i32 = -110;
const NOT_EMPTY: i32 = -111;
const INVALID_ACL: i32 = -114;
const NO_WATCHER: i32 = -121;
const RECONFIG_DISABLED: i32 = -123;
const AFTER_FAILURE: i32 = -2;

/// What a server is configured to.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub sasl: bool,
    pub x509: bool,
    pub skip_acl: bool,
    /// `acl.compare.shortName`, with this default realm.
    pub short_names: Option<String>,
    /// `letAnySaslUserDoX`.
    pub any_sasl_user: Option<String>,
}

#[derive(Clone, Debug)]
struct Node {
    acl: Vec<Acl>,
    /// The session that it dies with.
    owner: Option<usize>,
}

/// A server as its rules make it: znodes with their ACLs, sessions with what they proved.
pub struct Model {
    rules: Rules,
    nodes: BTreeMap<String, Node>,
    pub held: Vec<Vec<Id>>,
    watching: Watching,
    /// Decisions about an ACL that were made.
    pub decided: u64,
    told: Vec<(usize, Told)>,
}

/// A change of the tree, to be told by the ACL that it names.
type Change = (i32, String, Vec<Acl>);

impl Model {
    /// An empty tree and `sessions` sessions that have proven nothing.
    pub fn new(rules: Rules, sessions: usize) -> Model {
        let root = Node { acl: vec![Acl::open()], owner: None };
        Model {
            rules,
            nodes: BTreeMap::from([("/".to_owned(), root)]),
            held: vec![Vec::new(); sessions],
            watching: Watching::default(),
            decided: 0,
            told: Vec::new(),
        }
    }

    /// What was told since the last call, by session.
    pub fn take_told(&mut self) -> Vec<(usize, Told)> {
        std::mem::take(&mut self.told)
    }

    /// The session ends: its watches go unheard, its ephemerals go.
    pub fn close(&mut self, who: usize) {
        self.watching.forget(who);
        self.held[who].clear();
        let mine: Vec<String> = self.ephemerals(who);
        for path in mine {
            let mut nodes = std::mem::take(&mut self.nodes);
            let changes = remove(&mut nodes, &path);
            self.nodes = nodes;
            self.tell(changes);
        }
    }

    /// Adds what a session proved; a second time changes nothing.
    pub fn prove(&mut self, who: usize, id: Id) {
        if !self.held[who].contains(&id) {
            self.held[who].push(id);
        }
    }

    /// What a server has to say.
    pub fn ask(&mut self, who: usize, ask: &Ask) -> Said {
        match ask {
            Ask::Create { .. } | Ask::Delete(_) | Ask::SetData(_) | Ask::SetAcl(..) | Ask::Check(_) => {
                self.write(who, std::slice::from_ref(ask), false)
            }
            Ask::Multi(parts) => self.write(who, parts, true),
            Ask::MultiRead(parts) => {
                let parts = parts.iter().map(|part| self.ask(who, part).err).collect();
                Said { parts, ..Said::code(0) }
            }
            Ask::Exists(path, watch) => {
                let code = self.readable(who, path);
                if *watch && code != NO_AUTH {
                    self.watching.add(who, Kind::Data, path);
                }
                Said::code(code)
            }
            Ask::GetData(path, watch) => self.read(who, path, watch.then_some(Kind::Data)),
            Ask::GetChildren { path, watch, .. } => self.read(who, path, watch.then_some(Kind::Child)),
            Ask::Descendants(path) => self.read(who, path, None),
            Ask::GetAcl(path) => self.get_acl(who, path),
            Ask::Ephemerals => Said { paths: self.ephemerals(who), ..Said::code(0) },
            Ask::AddWatch { path, recursive } => {
                self.watching.add(who, if *recursive { Kind::Recursive } else { Kind::Persistent }, path);
                Said::code(0)
            }
            Ask::CheckWatches(path, kind) => Said::code(no_watcher(self.watching.has(who, *kind, path))),
            Ask::RemoveWatches(path, kind) => Said::code(no_watcher(self.watching.remove(who, *kind, path))),
            Ask::SetWatches(path) => {
                match self.nodes.contains_key(path) {
                    true => self.watching.add(who, Kind::Data, path),
                    false => self.told.push((who, (DELETED, path.clone()))),
                }
                Said::code(0)
            }
            Ask::SetWatches2(path) => {
                self.watching.add(who, Kind::Persistent, path);
                Said::code(0)
            }
            Ask::Reconfig => Said::code(RECONFIG_DISABLED),
            Ask::Sync(_) | Ask::WhoAmI | Ask::Ping => Said::code(0),
        }
    }

    fn ephemerals(&self, who: usize) -> Vec<String> {
        self.nodes.iter().filter(|(_, n)| n.owner == Some(who)).map(|(path, _)| path.clone()).collect()
    }

    /// 0, or why the znode may not be read.
    fn readable(&mut self, who: usize, path: &str) -> i32 {
        match self.nodes.get(path).map(|n| n.acl.clone()) {
            None => NO_NODE,
            Some(acl) if self.may(who, &acl, READ) => 0,
            Some(_) => NO_AUTH,
        }
    }

    fn read(&mut self, who: usize, path: &str, watch: Option<Kind>) -> Said {
        let code = self.readable(who, path);
        if let (0, Some(kind)) = (code, watch) {
            self.watching.add(who, kind, path);
        }
        Said::code(code)
    }

    fn get_acl(&mut self, who: usize, path: &str) -> Said {
        let Some(acl) = self.nodes.get(path).map(|n| n.acl.clone()) else { return Said::code(NO_NODE) };
        let whole = self.may(who, &acl, ADMIN);
        if !whole && !self.may(who, &acl, READ) {
            return Said::code(NO_AUTH);
        }
        let mut shown: Vec<(i32, String, String)> = acl
            .into_iter()
            .map(|entry| match (whole, entry.id.id.find(':')) {
                (false, Some(colon)) if entry.id.scheme == "digest" => {
                    (entry.perms, entry.id.scheme, format!("{}:x", &entry.id.id[..colon]))
                }
                _ => (entry.perms, entry.id.scheme, entry.id.id),
            })
            .collect();
        shown.sort();
        Said { acl: shown, ..Said::code(0) }
    }

    /// Writes, all or none.
    fn write(&mut self, who: usize, parts: &[Ask], multi: bool) -> Said {
        let mut nodes = self.nodes.clone();
        let mut changes: Vec<Change> = Vec::new();
        let mut failed = None;
        for (at, part) in parts.iter().enumerate() {
            match self.step(&mut nodes, who, part, multi) {
                Ok(more) => changes.extend(more),
                Err(code) => {
                    failed = Some((at, code));
                    break;
                }
            }
        }
        if failed.is_none() {
            self.nodes = nodes;
            self.tell(changes);
        }
        match (multi, failed) {
            (false, failed) => Said::code(failed.map_or(0, |(_, code)| code)),
            (true, None) => Said { parts: vec![0; parts.len()], ..Said::code(0) },
            (true, Some((at, code))) => {
                let of = |i: usize| match i.cmp(&at) {
                    std::cmp::Ordering::Less => 0,
                    std::cmp::Ordering::Equal => code,
                    std::cmp::Ordering::Greater => AFTER_FAILURE,
                };
                Said { parts: (0..parts.len()).map(of).collect(), ..Said::code(0) }
            }
        }
    }

    fn step(
        &mut self,
        nodes: &mut BTreeMap<String, Node>,
        who: usize,
        part: &Ask,
        multi: bool,
    ) -> Result<Vec<Change>, i32> {
        match part {
            Ask::Create { make, path, acl } => {
                let acl = self.completed(who, acl).ok_or(INVALID_ACL)?;
                let parent = nodes.get(parent_of(path)).cloned().ok_or(NO_NODE)?;
                self.demand(who, &parent.acl, CREATE)?;
                if nodes.contains_key(path) {
                    return Err(NODE_EXISTS);
                }
                if parent.owner.is_some() {
                    return Err(NO_CHILDREN_FOR_EPHEMERALS);
                }
                let ephemeral = matches!(make, Make::Plain(true) | Make::WithStat(true));
                let node = Node { acl: acl.clone(), owner: ephemeral.then_some(who) };
                nodes.insert(path.clone(), node);
                let above = parent_of(path).to_owned();
                Ok(vec![(CREATED, path.clone(), acl), (CHILDREN, above, parent.acl)])
            }
            Ask::Delete(path) => {
                let parent = nodes.get(parent_of(path)).cloned().ok_or(NO_NODE)?;
                self.demand(who, &parent.acl, DELETE)?;
                nodes.get(path).ok_or(NO_NODE)?;
                if nodes.keys().any(|other| other != path && parent_of(other) == path) {
                    return Err(NOT_EMPTY);
                }
                Ok(remove(nodes, path))
            }
            Ask::SetData(path) => {
                let acl = nodes.get(path).ok_or(NO_NODE)?.acl.clone();
                self.demand(who, &acl, WRITE)?;
                Ok(vec![(CHANGED, path.clone(), acl)])
            }
            Ask::SetAcl(path, acl) => {
                let acl = self.completed(who, acl).ok_or(INVALID_ACL)?;
                let node = nodes.get_mut(path).ok_or(NO_NODE)?;
                let before = std::mem::replace(&mut node.acl, acl);
                self.demand(who, &before, ADMIN)?;
                Ok(Vec::new())
            }
            Ask::Check(path) if multi => {
                let acl = nodes.get(path).ok_or(NO_NODE)?.acl.clone();
                self.demand(who, &acl, READ)?;
                Ok(Vec::new())
            }
            other => unreachable!("no write: {other:?}"),
        }
    }

    fn demand(&mut self, who: usize, acl: &[Acl], bit: i32) -> Result<(), i32> {
        if self.may(who, acl, bit) { Ok(()) } else { Err(NO_AUTH) }
    }

    /// Tells whoever watches and may read; a one-shot watch is used up either way.
    fn tell(&mut self, changes: Vec<Change>) {
        for (kind, path, acl) in changes {
            for who in self.watching.fire(kind, &path) {
                if self.may(who, &acl, READ) {
                    self.told.push((who, (kind, path.clone())));
                }
            }
        }
    }

    /// Does the list give the session this bit?
    fn may(&mut self, who: usize, acl: &[Acl], bit: i32) -> bool {
        self.decided += 1;
        let held = &self.held[who];
        self.rules.skip_acl
            || acl.is_empty()
            || held.iter().any(|id| id.scheme == "super")
            || acl.iter().any(|entry| {
                let world = entry.id.scheme == "world" && entry.id.id == "anyone";
                entry.perms & bit == bit && (world || held.iter().any(|id| self.rules.is(id, &entry.id)))
            })
    }

    /// A list as it is stored: without repetitions, `auth` replaced; `None` if it is invalid.
    fn completed(&self, who: usize, list: &[Acl]) -> Option<Vec<Acl>> {
        let mut out = Vec::new();
        for (at, entry) in list.iter().enumerate() {
            if list[..at].contains(entry) {
                continue;
            }
            match entry.id.scheme.as_str() {
                "auth" => {
                    let proven = |id: &&Id| matches!(id.scheme.as_str(), "digest" | "sasl" | "x509");
                    let of_me: Vec<&Id> = self.held[who].iter().filter(proven).collect();
                    if of_me.is_empty() {
                        return None;
                    }
                    out.extend(of_me.into_iter().map(|id| Acl { perms: entry.perms, id: id.clone() }));
                }
                _ if self.rules.nameable(&entry.id) => out.push(entry.clone()),
                _ => return None,
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

impl Rules {
    /// Is the identity `held` the one that the entry names?
    fn is(&self, held: &Id, named: &Id) -> bool {
        if held.scheme != named.scheme {
            return false;
        }
        match held.scheme.as_str() {
            "ip" => within(&held.id, &named.id),
            "digest" => held.id == named.id,
            "x509" => self.x509 && held.id == named.id,
            "sasl" => {
                self.sasl
                    && (held.id == named.id
                        || held.id == "super"
                        || self.any_sasl_user.as_ref() == Some(&named.id)
                        || self
                            .short_names
                            .as_ref()
                            .is_some_and(|home| same_short(&held.id, &named.id, home)))
            }
            _ => false,
        }
    }

    /// May a list name this identity?
    fn nameable(&self, id: &Id) -> bool {
        match id.scheme.as_str() {
            "world" => id.id == "anyone",
            "ip" => network(&id.id).is_some(),
            "digest" => id.id.trim_end_matches(':').matches(':').count() == 1,
            "sasl" => self.sasl && id.id.split('@').count() <= 2 && !three_parts(&id.id),
            "x509" => self.x509 && id.id.contains('='),
            _ => false,
        }
    }
}

/// Names with a realm have at most one slash in front of it.
fn three_parts(name: &str) -> bool {
    name.split_once('@').is_some_and(|(front, _)| front.matches('/').count() > 1)
}

fn same_short(a: &str, b: &str, home: &str) -> bool {
    let at_home = |name: &str| name.split_once('@').is_none_or(|(_, realm)| realm == home);
    let first = |name: &str| name.split(['/', '@']).next().unwrap_or_default().to_owned();
    at_home(a) && at_home(b) && first(a) == first(b)
}

/// An address as a number of so many bits.
fn number(text: &str) -> Option<(u128, u32)> {
    match text.parse().ok()? {
        IpAddr::V4(v4) => Some((u128::from(v4.to_bits()), 32)),
        IpAddr::V6(v6) => Some((v6.to_bits(), 128)),
    }
}

/// A network: its number, its width, and how many bits at its end do not count.
fn network(text: &str) -> Option<(u128, u32, u32)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let (n, width) = number(address)?;
    let bits = bits.map_or(Some(width), |b| b.parse().ok())?;
    (bits <= width).then(|| (n, width, width - bits))
}

fn within(address: &str, net: &str) -> bool {
    let (Some((n, width)), Some((of, other, loose))) = (number(address), network(net)) else { return false };
    let high = |n: u128| n.checked_shr(loose).unwrap_or(0);
    width == other && high(n) == high(of)
}

fn remove(nodes: &mut BTreeMap<String, Node>, path: &str) -> Vec<Change> {
    let Some(node) = nodes.remove(path) else { return Vec::new() };
    let above = parent_of(path).to_owned();
    let acl = nodes.get(&above).map(|n| n.acl.clone()).unwrap_or_default();
    vec![(DELETED, path.to_owned(), node.acl), (CHILDREN, above, acl)]
}

fn no_watcher(found: bool) -> i32 {
    if found { 0 } else { NO_WATCHER }
}

fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}
