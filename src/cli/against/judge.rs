//! What the answers of an ensemble mean for a configuration. Pure.
//!
//! # Invariants
//!
//! * Each finding is one sentence with the figures it rests on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Seen;
use crate::config::quorum::{Ensemble, Member, Role};
use crate::config::settings::Settings;

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It agrees.
    Agrees,
    /// It could not be asked, or is worth knowing.
    Note,
    /// It does not agree: do not go on.
    Differs,
}

impl Weight {
    /// The word in front of its line.
    pub fn word(self) -> &'static str {
        match self {
            Weight::Agrees => "ok",
            Weight::Note => "note",
            Weight::Differs => "DIFFERS",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it means.
    pub weight: Weight,
    /// The sentence.
    pub text: String,
}

impl Line {
    fn agrees(text: String) -> Line {
        Line { weight: Weight::Agrees, text }
    }

    fn note(text: String) -> Line {
        Line { weight: Weight::Note, text }
    }

    /// Something that forbids to go on.
    pub fn differs(text: String) -> Line {
        Line { weight: Weight::Differs, text }
    }
}

/// All findings. `settings` is what this configuration says, if it says anything sound.
pub fn judge(settings: Option<&Settings>, servers: &[Seen], members: &Result<Ensemble, String>) -> Vec<Line> {
    let mut lines = Vec::new();
    serving(servers, members.as_ref().ok(), &mut lines);
    epochs(servers, &mut lines);
    synced(servers, members.as_ref().ok(), &mut lines);
    let Some(settings) = settings else {
        lines.push(Line::differs("this configuration is not sound: nothing can be compared".to_owned()));
        return lines;
    };
    match members {
        Ok(members) => membership(&settings.quorum.ensemble, members, &mut lines),
        Err(why) => lines.push(Line::differs(format!("members were not compared: {why}"))),
    }
    identity(settings, members.as_ref().ok(), &mut lines);
    limits(settings, servers, &mut lines);
    lines
}

fn mode(seen: &Seen) -> &str {
    seen.srvr.get("Mode").map_or("", String::as_str)
}

/// One leader, and all that were asked serve.
fn serving(servers: &[Seen], members: Option<&Ensemble>, lines: &mut Vec<Line>) {
    let silent: Vec<&Seen> = servers.iter().filter(|s| s.trouble.is_some()).collect();
    for seen in &silent {
        let why = seen.trouble.as_deref().unwrap_or_default();
        lines.push(Line::differs(format!("{} {why}", seen.server)));
    }
    let leaders: Vec<&str> =
        servers.iter().filter(|s| mode(s) == "leader").map(|s| s.server.as_str()).collect();
    match leaders.as_slice() {
        [leader] => lines.push(Line::agrees(format!("{leader} leads"))),
        [] if servers.iter().any(|s| mode(s) == "standalone") => {
            lines.push(Line::note("a standalone server runs there, no ensemble".to_owned()));
        }
        [] => lines.push(Line::differs("none of the servers asked leads".to_owned())),
        several => lines.push(Line::differs(format!("several servers lead: {}", several.join(", ")))),
    }
    if let Some(members) = members.filter(|m| m.members.len() > servers.len()) {
        let (asked, all) = (servers.len(), members.members.len());
        lines.push(Line::note(format!("{asked} of {all} members were asked: name all of them in --against")));
    }
}

/// All serve the same epoch; how far they are apart.
fn epochs(servers: &[Seen], lines: &mut Vec<Line>) {
    let zxid = |seen: &Seen| {
        let text = seen.srvr.get("Zxid")?.strip_prefix("0x")?;
        u64::from_str_radix(text, 16).ok()
    };
    let zxids: Vec<u64> = servers.iter().filter(|s| s.trouble.is_none()).filter_map(zxid).collect();
    let epochs: BTreeSet<u64> = zxids.iter().map(|zxid| zxid >> 32).collect();
    let (Some(low), Some(high)) = (zxids.iter().min(), zxids.iter().max()) else { return };
    if epochs.len() > 1 {
        // A leader shows its new epoch at once, a server that has seen no write since then the old one.
        lines.push(Line::note(format!(
            "epochs differ ({low:#x} to {high:#x}): ask again after the next write"
        )));
    } else {
        lines.push(Line::agrees(format!("the servers are within {} transactions", high - low)));
    }
}

/// As many learners follow the leader as there are other members.
fn synced(servers: &[Seen], members: Option<&Ensemble>, lines: &mut Vec<Line>) {
    let Some(leader) = servers.iter().find(|s| mode(s) == "leader") else { return };
    let figure = |key: &str| leader.mntr.get(key).and_then(|v| v.parse::<f64>().ok());
    let Some(followers) = figure("zk_synced_followers") else {
        let why = format!("{} does not tell how many follow it: mntr is not in its whitelist", leader.server);
        return lines.push(Line::note(why));
    };
    let Some(members) = members else { return };
    let others = members.voters().saturating_sub(1) as f64;
    let text = format!("{followers} of {others} voting members follow the leader in step");
    lines.push(if followers >= others { Line::agrees(text) } else { Line::differs(text) });
}

/// The same members with the same addresses and roles.
fn membership(ours: &Ensemble, theirs: &Ensemble, lines: &mut Vec<Line>) {
    let ids: BTreeSet<u64> = ours.members.keys().chain(theirs.members.keys()).copied().collect();
    let before = lines.len();
    for id in ids {
        match (ours.members.get(&id), theirs.members.get(&id)) {
            (Some(a), Some(b)) if same(a, b) => {}
            (Some(a), Some(b)) => {
                lines.push(Line::differs(format!("server.{id} is {a} here and {b} there")));
            }
            (Some(a), None) => lines.push(Line::differs(format!("server.{id}={a} is not a member there"))),
            (None, Some(b)) => lines.push(Line::differs(format!("server.{id}={b} is missing here"))),
            (None, None) => {}
        }
    }
    let rest = (&ours.groups, &ours.weights) == (&theirs.groups, &theirs.weights);
    if !rest {
        lines.push(Line::differs("groups or weights differ".to_owned()));
    }
    if lines.len() == before {
        lines.push(Line::agrees(format!("{} members with the same addresses and roles", ours.members.len())));
    }
}

/// Addresses and roles; the client's part of a line need not stand in zoo.cfg.
fn same(a: &Member, b: &Member) -> bool {
    let addresses = |m: &Member| {
        let mut list: Vec<_> =
            m.addresses.iter().map(|a| (a.host.clone(), a.quorum_port, a.election_port)).collect();
        list.sort();
        list
    };
    a.role == b.role && addresses(a) == addresses(b)
}

/// This server is one of the members.
fn identity(settings: &Settings, members: Option<&Ensemble>, lines: &mut Vec<Line>) {
    let Some(id) = settings.quorum.my_id else {
        let text = "there is no myid in the data directory yet: write it before the start";
        return lines.push(Line::note(text.to_owned()));
    };
    let member = members.map(|m| m.members.get(&id));
    match member {
        Some(Some(member)) => {
            let role = if member.role == Role::Observer { "an observer" } else { "a voter" };
            lines.push(Line::agrees(format!("this is server {id}, {role}")));
        }
        Some(None) => lines.push(Line::differs(format!("myid is {id}, which is no member there"))),
        None => lines.push(Line::note(format!("this is server {id}"))),
    }
}

/// Times that every member has to agree on.
fn limits(settings: &Settings, servers: &[Seen], lines: &mut Vec<Line>) {
    let ours = BTreeMap::from([
        ("tickTime", i64::from(settings.session.tick_time)),
        ("initLimit", i64::from(settings.quorum.init_limit)),
        ("syncLimit", i64::from(settings.quorum.sync_limit)),
        ("minSessionTimeout", i64::from(settings.session.min_session_timeout)),
        ("maxSessionTimeout", i64::from(settings.session.max_session_timeout)),
    ]);
    let (mut compared, mut differ) = (0, false);
    for seen in servers.iter().filter(|s| !s.conf.is_empty()) {
        compared += 1;
        for (key, here) in &ours {
            let Some(there) = seen.conf.get(*key).and_then(|v| v.parse::<i64>().ok()) else { continue };
            if there != *here {
                differ = true;
                lines.push(Line::differs(format!("{key} is {here} here and {there} at {}", seen.server)));
            }
        }
    }
    match (compared, differ) {
        (0, _) => {
            lines.push(Line::note("times were not compared: conf is in no server's whitelist".to_owned()))
        }
        (n, false) => lines.push(Line::agrees(format!("ticks and time-outs are those of {n} server(s)"))),
        _ => {}
    }
}
