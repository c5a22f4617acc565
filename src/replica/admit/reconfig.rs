//! Reconfiguration: from the client's request to the next configuration
//! (`PrepRequestProcessor`, `reconfig`).
//!
//! # Invariants
//!
//! * One reconfiguration at a time: the next is refused until this one is committed.
//! * The version of a configuration is the zxid of the transaction that makes it.
//! * A configuration whose quorum does not follow this leader in step is refused.

use super::{Admission, Refusal};
use crate::config::quorum::{Ensemble, Member, parse_member};
use crate::error::Code;
use crate::limits::CONFIG_MAX_MEMBERS;
use crate::proto::OpCode;
use crate::tree::{CONFIG_PATH, digest};
use crate::txn::{SubTxn, Txn, kind};
use crate::types::{ServerId, Zxid};
use crate::zab::Quorum;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What a leader's reconfigurations are checked against.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// The leader.
    pub me: ServerId,
    /// Version of the committed configuration.
    pub active: i64,
    /// The last proposed configuration; another version than `active` while one is under way.
    pub last_seen: Arc<Quorum>,
    /// Learners that follow in step.
    pub synced: BTreeSet<ServerId>,
    /// `standaloneEnabled`: then an ensemble keeps at least two voters.
    pub standalone_enabled: bool,
    /// `multiAddress.enabled`.
    pub multi_address: bool,
}

/// What a client asks for.
pub(super) struct Wish<'a> {
    pub joining: Option<&'a str>,
    pub leaving: Option<&'a str>,
    pub members: Option<&'a str>,
    /// The version that the client saw; -1 is any.
    pub config_id: i64,
}

impl Admission<'_> {
    /// Admits a reconfiguration. On a standalone server it is refused as ZooKeeper does.
    pub(super) fn reconfig(&mut self, wish: &Wish<'_>) -> Result<SubTxn, Refusal> {
        if !self.config.reconfig_enabled {
            return Err(Code::ReconfigDisabled.into());
        }
        self.check_session()?;
        let standing = self.standing.as_deref().ok_or(Code::Unimplemented)?;
        let next = Arc::new(Quorum::new(&next(standing, wish, self.zxid)?));
        let node = self.outstanding.get(&self.store.tree, CONFIG_PATH)?;
        self.require(&node.acl, OpCode::Reconfig)?;
        self.may_grow()?;
        let data = Bytes::copy_from_slice(next.text().as_bytes());
        let mut after = node.clone();
        after.stat.version = -1;
        after.stat.mtime = self.wall_ms;
        after.stat.mzxid = self.zxid.0;
        after.digest = digest::of(CONFIG_PATH, Some(&data), &after.stat);
        after.data_len = data.len() as i64;
        self.outstanding.put(self.zxid, CONFIG_PATH, Some(&node), Some(after), None);
        if let Some(standing) = self.standing.as_deref_mut() {
            standing.last_seen = next;
        }
        let txn = Txn::SetData { path: CONFIG_PATH.to_owned(), data: Some(data), version: -1 };
        Ok(SubTxn { kind: kind::RECONFIG, txn })
    }
}

/// The next configuration, or why there is none; in ZooKeeper's order of checks.
fn next(standing: &Standing, wish: &Wish<'_>, zxid: Zxid) -> Result<Ensemble, Code> {
    let last = standing.last_seen.version();
    if last != standing.active {
        return Err(Code::ReconfigInProgress);
    }
    if wish.config_id != -1 && wish.config_id != last {
        return Err(Code::BadVersion);
    }
    let mut next = match wish.members {
        Some(members) => whole(standing, members)?,
        None => step_by_step(standing, wish)?,
    };
    next.version = u64::try_from(zxid.0).map_err(|_| Code::SystemError)?;
    let least = if standing.standalone_enabled { 2 } else { 1 };
    if next.voters() < least {
        return Err(Code::BadArguments);
    }
    let quorum = Quorum::new(&next);
    let mut here = standing.synced.clone();
    here.insert(standing.me);
    if quorum.holds(&here) { Ok(next) } else { Err(Code::NewConfigNoQuorum) }
}

/// The configuration as the client writes it out; commas stand for line feeds.
fn whole(standing: &Standing, members: &str) -> Result<Ensemble, Code> {
    let text = members.replace(',', "\n");
    let nothing = text.trim().is_empty() && standing.standalone_enabled;
    let next = Ensemble::parse(&text, standing.multi_address).map_err(|fault| match fault.number {
        true if !nothing => Code::MarshallingError,
        _ => Code::BadArguments,
    })?;
    // Java throws here before it counts the voters.
    match standing.standalone_enabled && next.voters() == 1 && next.members.len() > 1 {
        true => Err(Code::MarshallingError),
        false => Ok(next),
    }
}

/// The last configuration without those who leave and with those who join.
fn step_by_step(standing: &Standing, wish: &Wish<'_>) -> Result<Ensemble, Code> {
    let mut next = standing.last_seen.ensemble().clone();
    if next.is_hierarchical() {
        return Err(Code::BadArguments);
    }
    for leaving in words(wish.leaving, ',') {
        next.members.remove(&server_number(leaving)?);
    }
    for joiner in words(wish.joining, ',') {
        let parts: Vec<&str> = words(Some(joiner), '=').collect();
        let [name, value] = parts[..] else { return Err(Code::BadArguments) };
        let id = server_number(name.rsplit_once('.').map_or(name, |(_, number)| number))?;
        let member = parse_member(value).map_err(|_| Code::BadArguments)?;
        let several = member.addresses.len() > 1 && !standing.multi_address;
        if several || member.client.is_none() {
            return Err(Code::BadArguments);
        }
        let mut others = next.members.iter().filter(|(other, _)| **other != id);
        if others.any(|(_, other)| share_an_address(&member, other)) {
            return Err(Code::BadArguments);
        }
        next.members.insert(id, member);
        if next.members.len() > CONFIG_MAX_MEMBERS {
            return Err(Code::BadArguments);
        }
    }
    Ok(next)
}

/// Trimmed words that are not empty.
fn words(text: Option<&str>, separator: char) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(separator).map(str::trim).filter(|word| !word.is_empty())
}

fn server_number(text: &str) -> Result<u64, Code> {
    let number = text.parse().ok().filter(|&id: &u64| i64::try_from(id).is_ok());
    number.ok_or(Code::MarshallingError)
}

/// Do two members want the same port of the same host? Names are compared as they are written;
/// wildcard and loopback addresses may be shared.
fn share_an_address(a: &Member, b: &Member) -> bool {
    let a = places(a);
    !a.is_disjoint(&places(b))
}

fn places(member: &Member) -> BTreeSet<(String, u16)> {
    let quorum = member.addresses.iter().flat_map(|a| [(&a.host, a.quorum_port), (&a.host, a.election_port)]);
    let client = member.client.iter().map(|c| (&c.host, c.port));
    quorum.chain(client).filter(|(host, _)| !is_shared(host)).map(|(h, p)| (h.to_lowercase(), p)).collect()
}

fn is_shared(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified() || ip.is_loopback())
}

#[cfg(test)]
mod tests;
