//! Members of an ensemble as the configuration names them: `server.*`, `group.*`,
//! `weight.*` and `version` of zoo.cfg or of a dynamic configuration file.
//!
//! # Invariants
//!
//! * Hosts are kept by name: resolving is done at each dial, never here.
//! * At most [`CONFIG_MAX_MEMBERS`] members.
//! * What [`parse_member`] reads, `Display` writes back.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits::CONFIG_MAX_MEMBERS;

use super::finding::{Findings, Place, clip};

mod text;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Votes.
    #[default]
    Participant,
    /// Follows without a vote.
    Observer,
}

/// One address of a member: host, quorum port, election port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAddress {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port of the leader's listener.
    pub quorum_port: u16,
    /// Port of the election listener; differs from the quorum port.
    pub election_port: u16,
}

/// A host and a client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress {
    /// Name or address, IPv6 without brackets; `0.0.0.0` when only a port was given.
    pub host: String,
    /// Client port.
    pub port: u16,
}

/// One `server.N` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Quorum and election addresses, at least one.
    pub addresses: Vec<MemberAddress>,
    /// Participant or observer.
    pub role: Role,
    /// Client address behind the semicolon.
    pub client: Option<ClientAddress>,
}

/// `server.*`, `group.*`, `weight.*` and `version`: a quorum configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ensemble {
    /// Members by server id.
    pub members: BTreeMap<u64, Member>,
    /// Group id to the server ids in it; empty without hierarchical quorums.
    pub groups: BTreeMap<u64, Vec<u64>>,
    /// Server id to weight, as written (others weigh 1).
    pub weights: BTreeMap<u64, u64>,
    /// `version`, a zxid; 0 when there is none.
    pub version: u64,
}

impl Ensemble {
    /// Reads the `server`, `group`, `weight` and `version` entries among `entries`
    /// (key, value, place); every other entry is left alone. Faults go to `findings`.
    ///
    /// Matches ZooKeeper's `QuorumMaj` and `QuorumHierarchical`; `multi_address` allows
    /// several addresses a member.
    pub fn read<'a>(
        entries: impl Iterator<Item = (&'a str, &'a str, &'a Place)>,
        multi_address: bool,
        findings: &mut Findings,
    ) -> Ensemble {
        let mut ensemble = Ensemble::default();
        for (key, value, place) in entries {
            if let Err(fault) = ensemble.add(key, value, multi_address) {
                findings.error(place, key, fault.what, fault.cure);
            }
        }
        ensemble
    }

    /// Takes one entry; those that belong to no quorum configuration are left alone.
    fn add(&mut self, key: &str, value: &str, multi_address: bool) -> Result<(), Fault> {
        match kind_of(key) {
            Some(Entry::Server) => self.add_server(key, value, multi_address),
            Some(Entry::Group) => self.add_group(key, value),
            Some(Entry::Weight) => self.add_weight(key, value),
            Some(Entry::Version) => u64::from_str_radix(value, 16)
                .map(|version| self.version = version)
                .map_err(|_| Fault::number("not a hexadecimal zxid", "write it as 100000000")),
            None => Ok(()),
        }
    }

    fn add_server(&mut self, key: &str, value: &str, multi: bool) -> Result<(), Fault> {
        let id = number(key)?;
        let member = parse_member(value)?;
        if member.addresses.len() > 1 && !multi {
            return Err(Fault::new(
                "several addresses, but multiAddress.enabled is not true",
                "set multiAddress.enabled=true or keep one address",
            ));
        }
        if self.members.len() >= CONFIG_MAX_MEMBERS {
            let what = format!("more than {CONFIG_MAX_MEMBERS} members");
            return Err(Fault::new(what, "name each server once"));
        }
        self.members.insert(id, member);
        Ok(())
    }

    fn add_group(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        let id = number(key)?;
        let bad = || Fault::number("not server ids joined by colons", "write it as 1:2:3");
        let ids: Result<Vec<u64>, _> = value.split(':').map(|s| s.trim().parse()).collect();
        let ids = ids.map_err(|_| bad())?;
        let taken = |sid: &u64| self.groups.values().flatten().any(|other| other == sid);
        if self.groups.values().map(Vec::len).sum::<usize>() + ids.len() > CONFIG_MAX_MEMBERS {
            let what = format!("more than {CONFIG_MAX_MEMBERS} servers in groups");
            return Err(Fault::new(what, "name each server once"));
        }
        if let Some(sid) = ids.iter().find(|sid| taken(sid)) {
            let what = format!("server {sid} is in several groups");
            return Err(Fault::new(what, "keep it in one"));
        }
        self.groups.insert(id, ids);
        Ok(())
    }

    fn add_weight(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        let weight = value.trim().parse();
        let weight = weight.map_err(|_| Fault::number("not a weight", "write a number from 0"))?;
        self.weights.insert(number(key)?, weight);
        Ok(())
    }

    /// Checks groups against members, as `QuorumHierarchical` does.
    pub fn check_groups(&self, place: &Place, findings: &mut Findings) {
        if self.groups.is_empty() && self.weights.is_empty() {
            return;
        }
        for (id, member) in &self.members {
            let grouped = self.groups.values().flatten().any(|sid| sid == id);
            if member.role == Role::Participant && !grouped {
                let what = format!("server {id} is in no group");
                findings.error(place, "group", what, "add it to a group line");
            }
        }
        for sid in self.groups.values().flatten() {
            if !self.members.contains_key(sid) {
                let what = format!("server {sid} of a group has no server line");
                let cure = format!("add server.{sid} or drop it");
                // ZooKeeper stumbles over it unless the server has a weight.
                match self.weights.contains_key(sid) {
                    true => findings.warn(place, "group", what, cure),
                    false => findings.error(place, "group", what, cure),
                }
            }
        }
    }

    /// How many members vote.
    pub fn voters(&self) -> usize {
        self.members.values().filter(|m| m.role == Role::Participant).count()
    }
}

/// What a key of a quorum configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `server.N`.
    Server,
    /// `group.N`.
    Group,
    /// `weight.N`.
    Weight,
    /// `version`.
    Version,
}

/// What a key of a quorum configuration says, if it belongs to one. As in ZooKeeper
/// any key that starts with `group` or `weight` does.
pub fn kind_of(key: &str) -> Option<Entry> {
    match key {
        "version" => Some(Entry::Version),
        // Never a member: ZooKeeper takes it as a property only.
        "server.realm" => None,
        _ if key.starts_with("server.") => Some(Entry::Server),
        _ if key.starts_with("group") => Some(Entry::Group),
        _ if key.starts_with("weight") => Some(Entry::Weight),
        _ => None,
    }
}

/// What is wrong with a line, and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub cure: String,
    /// Is it a number that is none? ZooKeeper answers that with MARSHALLINGERROR where it
    /// answers other faults with BADARGUMENTS.
    pub number: bool,
}

impl Fault {
    fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Fault { what: what.into(), cure: cure.into(), number: false }
    }

    fn number(what: &str, cure: &str) -> Self {
        Fault { number: true, ..Fault::new(what, cure) }
    }
}

/// The number behind the first dot of a key.
fn number(key: &str) -> Result<u64, Fault> {
    let digits = key.split_once('.').map_or("", |(_, digits)| digits);
    let id = digits.parse().ok().filter(|&id| i64::try_from(id).is_ok());
    id.ok_or_else(|| {
        let name = key.split_once('.').map_or(key, |(name, _)| name);
        Fault::number("no server or group number behind the dot", &format!("write it as {name}.1"))
    })
}

const FORM: &str = "write it as host:2888:3888[:participant|:observer][;[host:]2181]";

/// Reads the value of a `server.N` line.
///
/// # Errors
///
/// A [`Fault`] where ZooKeeper's `QuorumServer` would throw: wrong number of parts, bad
/// port, equal quorum and election ports, unknown or differing roles.
pub fn parse_member(value: &str) -> Result<Member, Fault> {
    // Trailing separators count for nothing, as in Java's split.
    let mut parts: Vec<&str> = value.split(';').map(str::trim).collect();
    while parts.last().is_some_and(|p| p.is_empty()) {
        parts.pop();
    }
    let (servers, client) = match parts[..] {
        [servers] => (servers, None),
        [servers, client] => (servers, Some(parse_client(client)?)),
        _ => {
            return Err(Fault::new(format!("{} is not a server address", clip(value)), FORM));
        }
    };
    let mut addresses = Vec::new();
    let mut role: Option<Role> = None;
    for part in servers.split('|') {
        if addresses.len() >= CONFIG_MAX_MEMBERS {
            return Err(Fault::new("too many addresses", FORM));
        }
        let (address, own) = parse_address(part.trim())?;
        if own.is_some() && role.is_some() && own != role {
            let cure = "give all addresses of a server the same role";
            return Err(Fault::new("addresses with different roles", cure));
        }
        role = role.or(own);
        addresses.push(address);
    }
    Ok(Member { addresses, role: role.unwrap_or_default(), client })
}

/// `host:quorum:election[:role]`.
fn parse_address(text: &str) -> Result<(MemberAddress, Option<Role>), Fault> {
    let parts = host_and_ports(text)?;
    let (host, quorum, election, role) = match parts[..] {
        [host, quorum, election] => (host, quorum, election, None),
        [host, quorum, election, role] => (host, quorum, election, Some(parse_role(role)?)),
        _ => {
            return Err(Fault::new(format!("{} is not a server address", clip(text)), FORM));
        }
    };
    let address =
        MemberAddress { host: host.to_owned(), quorum_port: port(quorum)?, election_port: port(election)? };
    if address.quorum_port == address.election_port {
        let what = format!("quorum and election port are both {quorum}");
        return Err(Fault::new(what, "use two different ports"));
    }
    Ok((address, role))
}

fn parse_client(text: &str) -> Result<ClientAddress, Fault> {
    let parts = host_and_ports(text)?;
    let (host, number) = match parts[..] {
        [number] => ("0.0.0.0", number),
        [host, number] => (host, number),
        _ => {
            return Err(Fault::new(format!("{} is not a client address", clip(text)), FORM));
        }
    };
    Ok(ClientAddress { host: host.to_owned(), port: port(number)? })
}

/// Reads `participant` or `observer`, in any case.
///
/// # Errors
///
/// A [`Fault`] for any other word.
pub fn parse_role(text: &str) -> Result<Role, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "participant" => Ok(Role::Participant),
        "observer" => Ok(Role::Observer),
        _ => {
            let what = format!("{} is no role", clip(text));
            Err(Fault::new(what, "write participant or observer"))
        }
    }
}

/// Splits at colons; a host in brackets (IPv6) stays whole.
fn host_and_ports(text: &str) -> Result<Vec<&str>, Fault> {
    let parts = match text.strip_prefix('[') {
        None => text.split(':').collect(),
        Some(rest) => {
            let cure = "close the IPv6 address with ] and add the ports";
            let bad = || Fault::new(format!("{} has no matching ]:", clip(text)), cure);
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            let ports = rest.strip_prefix(':').ok_or_else(bad)?;
            std::iter::once(host).chain(ports.split(':')).collect::<Vec<_>>()
        }
    };
    if parts.first().is_none_or(|host| host.trim().is_empty()) {
        return Err(Fault::new(format!("{} has no host", clip(text)), FORM));
    }
    Ok(parts)
}

fn port(text: &str) -> Result<u16, Fault> {
    let text = text.trim();
    text.parse()
        .map_err(|_| Fault::new(format!("{} is not a port", clip(text)), "write a number from 0 to 65535"))
}

/// The version in the name of a dynamic configuration file: `zoo.cfg.dynamic.100000000`
/// has 0x100000000, `zoo.cfg.dynamic` has none.
pub fn version_of_file_name(name: &str) -> Option<u64> {
    let (_, hex) = name.rsplit_once('.')?;
    u64::from_str_radix(hex, 16).ok().filter(|&v| i64::try_from(v).is_ok())
}

struct Host<'a>(&'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever would be cut off or taken for something else, as far as brackets can hold it.
        let odd = self.0.contains(':') || self.0.starts_with('[') || self.0.trim() != self.0;
        if odd && !self.0.contains(']') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// The value of a server line, as ZooKeeper writes it into the configuration node:
/// addresses sorted by host, the role always there, the client address after `;`.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut addresses: Vec<&MemberAddress> = self.addresses.iter().collect();
        addresses.sort_by(|a, b| a.host.cmp(&b.host));
        for (i, a) in addresses.into_iter().enumerate() {
            let bar = if i == 0 { "" } else { "|" };
            write!(f, "{bar}{}:{}:{}", Host(&a.host), a.quorum_port, a.election_port)?;
        }
        write!(f, ":{}", self.role)?;
        match &self.client {
            Some(client) => write!(f, ";{}:{}", Host(&client.host), client.port),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Participant => "participant",
            Role::Observer => "observer",
        })
    }
}

#[cfg(test)]
mod tests;
