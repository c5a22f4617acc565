//! Commands about quotas, which live as znodes under `/zookeeper/quota`.
//!
//! # Invariants
//!
//! * A path with a quota has neither an ancestor nor a descendant with one.

use super::Shell;
use super::answer::{Answer, Failure};
use super::options::Parsed;
use super::walk;
use crate::client::ClientError;
use crate::error::Code;
use crate::types::{Acl, CreateMode};
use std::collections::BTreeMap;

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// The text of a limits or stats znode (`StatsTrack`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Track(BTreeMap<String, i64>);

impl Track {
    fn parse(data: Option<&[u8]>) -> Track {
        let text = String::from_utf8_lossy(data.unwrap_or_default()).into_owned();
        let mut map = BTreeMap::new();
        for pair in text.split([',', ';']).filter(|p| !p.is_empty()) {
            let mut parts = pair.split('=');
            if let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                map.insert(key.to_owned(), value.parse().unwrap_or(-1));
            }
        }
        Track(map)
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, key: &str, value: i64) {
        self.0.insert(key.to_owned(), value);
    }

    /// `count=4,bytes=5=;byteHardLimit=10;countHardLimit=10`
    fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let others: Vec<_> = self.0.iter().filter(|(k, _)| *k != "count" && *k != "bytes").collect();
        if !others.is_empty() {
            text.push('=');
        }
        for (key, value) in others {
            text += &format!(";{key}={value}");
        }
        text
    }
}

/// The flags and the fields they set.
const FIELDS: [(&str, &str); 4] =
    [("n", "count"), ("b", "bytes"), ("N", "countHardLimit"), ("B", "byteHardLimit")];

/// `listquota`.
pub fn list(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    sh.say(Answer::Note(format!("absolute path is {ROOT}{path}/{LIMITS}")));
    let zk = sh.zk();
    let mut lines = Vec::new();
    for (node, title) in [(LIMITS, "Output quota for"), (STATS, "Output stat for")] {
        let at = format!("{ROOT}{path}/{node}");
        match sh.run(&at, zk.get(&at, false)) {
            Ok((data, _)) => lines.push(format!("{title} {path} {}", Track::parse(data.as_deref()).text())),
            Err(f) if f.code == Some(Code::NoNode) => {
                sh.say(Answer::Note(format!("quota for {path} does not exist.")));
                return Ok(());
            }
            Err(f) => return Err(f),
        }
    }
    lines.into_iter().for_each(|line| sh.say(Answer::Line("quota", line)));
    Ok(())
}

/// `setquota`.
pub fn set(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    if path.starts_with(ROOT) {
        sh.say(Answer::Note(format!("cannot set a quota under the path: {ROOT}")));
        return Ok(());
    }
    let Some((field, value)) = wanted(sh, p) else { return Ok(()) };
    let zk = sh.zk();
    if sh.run(path, zk.exists(path, false))?.is_none() {
        return Err(Failure::usage(format!("{path} does not exist.")));
    }
    no_quota_below(sh, path)?;
    no_quota_above(sh, path)?;
    make_parents(sh, path)?;
    let (limits_at, stats_at) = (format!("{ROOT}{path}/{LIMITS}"), format!("{ROOT}{path}/{STATS}"));
    let open = [Acl::open()];
    if sh.run(&limits_at, zk.exists(&limits_at, false))?.is_none() {
        let mut limits = Track::default();
        FIELDS.iter().for_each(|(_, field)| limits.set(field, -1));
        limits.set(field, value);
        let text = limits.text();
        sh.run(&limits_at, zk.create(&limits_at, Some(text.as_bytes()), &open, CreateMode::Persistent))?;
        let none = b"count=0,bytes=0";
        sh.run(&stats_at, zk.create(&stats_at, Some(none), &open, CreateMode::Persistent))?;
        let (stats, _) = sh.run(&stats_at, zk.get(&stats_at, false))?;
        warn(sh, &limits, &Track::parse(stats.as_deref()));
    } else {
        let (data, _) = sh.run(&limits_at, zk.get(&limits_at, false))?;
        let mut limits = Track::parse(data.as_deref());
        limits.set(field, value);
        let (stats, _) = sh.run(&stats_at, zk.get(&stats_at, false))?;
        warn(sh, &limits, &Track::parse(stats.as_deref()));
        sh.run(&limits_at, zk.set(&limits_at, Some(limits.text().as_bytes()), -1))?;
    }
    Ok(())
}

/// The field and value that were asked for; `None` after saying what is wrong.
fn wanted(sh: &mut Shell, p: &Parsed) -> Option<(&'static str, i64)> {
    let (name, field) = FIELDS.into_iter().find(|(name, _)| p.has(name))?;
    let text = p.value(name).unwrap_or_default();
    let count = field.starts_with("count");
    let number = if count { text.parse::<i32>().map(i64::from) } else { text.parse::<i64>() };
    let problem = match number {
        Err(_) => "NumberFormatException happens when parsing the option value",
        Ok(n) if count && n <= 0 => "the num quota must be greater than zero",
        Ok(n) if !count && n < 0 => "the bytes quota must be greater than or equal to zero",
        Ok(n) => return Some((field, n)),
    };
    sh.say(Answer::Note(problem.to_owned()));
    None
}

fn warn(sh: &mut Shell, limits: &Track, stats: &Track) {
    for (what, soft, hard) in [("count", "count", "countHardLimit"), ("bytes", "bytes", "byteHardLimit")] {
        let used = stats.get(what);
        let below = |limit: i64| limit > -1 && limit < used;
        if below(limits.get(soft)) || below(limits.get(hard)) {
            let text =
                format!("[Warning]: the {what} quota you create is less than the existing {what}:{used}");
            sh.say(Answer::Line("warning", text));
        }
    }
}

/// Does a quota exist at this place of the quota tree?
fn has_limits(sh: &Shell, at: &str) -> Result<Option<bool>, Failure> {
    let zk = sh.zk();
    match sh.run(at, zk.children(at, false)) {
        Ok(names) => Ok(Some(names.iter().any(|n| n == LIMITS))),
        Err(f) if f.code == Some(Code::NoNode) => Ok(None),
        Err(f) => Err(f),
    }
}

fn no_quota_below(sh: &mut Shell, path: &str) -> Result<(), Failure> {
    let own = format!("{ROOT}{path}");
    let found = walk::depth_first(sh, &own, false, |sh, at| {
        if at != own && has_limits(sh, at)? == Some(true) {
            let child = at.strip_prefix(ROOT).unwrap_or(at);
            return Err(Failure::usage(format!("{path} has a child {child} which has a quota")));
        }
        Ok(())
    });
    match found {
        Err(f) if f.code == Some(Code::NoNode) => Ok(()),
        other => other,
    }
}

fn no_quota_above(sh: &Shell, path: &str) -> Result<(), Failure> {
    let mut at = ROOT.to_owned();
    let names: Vec<&str> = path.split('/').skip(1).collect();
    for name in names.iter().take(names.len().saturating_sub(1)) {
        at = walk::child(&at, name);
        match has_limits(sh, &at)? {
            None => return Ok(()),
            Some(true) => {
                let parent = at.strip_prefix(ROOT).unwrap_or(&at);
                return Err(Failure::usage(format!("{path} has a parent {parent} which has a quota")));
            }
            Some(false) => {}
        }
    }
    Ok(())
}

fn make_parents(sh: &Shell, path: &str) -> Result<(), Failure> {
    let zk = sh.zk();
    let mut at = ROOT.to_owned();
    for name in path.split('/').filter(|n| !n.is_empty()) {
        at = walk::child(&at, name);
        if sh.run(&at, zk.exists(&at, false))?.is_none() {
            match sh.run(&at, zk.create(&at, None, &[Acl::open()], CreateMode::Persistent)) {
                Ok(_) => {}
                Err(f) if f.code == Some(Code::NodeExists) => {}
                Err(f) => return Err(f),
            }
        }
    }
    Ok(())
}

/// `delquota`.
pub fn delete(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    match remove(sh, p, path) {
        Err(f) if f.code == Some(Code::NoNode) => {
            sh.say(Answer::Note(format!("quota for {path} does not exist.")));
            Ok(())
        }
        other => other,
    }
}

fn remove(sh: &mut Shell, p: &Parsed, path: &str) -> Result<(), Failure> {
    let zk = sh.zk();
    let own = format!("{ROOT}{path}");
    let limits_at = format!("{own}/{LIMITS}");
    if sh.run(&limits_at, zk.exists(&limits_at, false))?.is_none() {
        sh.say(Answer::Line("quota", format!("Quota does not exist for {path}")));
        return Ok(());
    }
    let (data, _) = sh.run(&limits_at, zk.get(&limits_at, false))?;
    if let Some((_, field)) = FIELDS.into_iter().find(|(name, _)| p.has(name)) {
        let mut limits = Track::parse(data.as_deref());
        limits.set(field, -1);
        sh.run(&limits_at, zk.set(&limits_at, Some(limits.text().as_bytes()), -1))?;
        return Ok(());
    }
    for name in sh.run(&own, zk.children(&own, false))? {
        let at = walk::child(&own, &name);
        sh.run(&at, zk.delete(&at, -1))?;
    }
    trim(sh, &own)
}

/// Removes the places of the quota tree that nothing needs any more, upwards.
fn trim(sh: &Shell, own: &str) -> Result<(), Failure> {
    let zk = sh.zk();
    let mut at = own.to_owned();
    while at != ROOT && at.starts_with(ROOT) {
        if !sh.run(&at, zk.children(&at, false))?.is_empty() {
            break;
        }
        sh.run(&at, zk.delete(&at, -1))?;
        let Some((parent, _)) = crate::types::path::split(&at) else {
            return Err(ClientError::Config(format!("{at} has no parent")).into());
        };
        at = parent.to_owned();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_texts_are_javas() {
        let mut t = Track::default();
        FIELDS.iter().for_each(|(_, f)| t.set(f, -1));
        t.set("count", 5);
        assert_eq!(t.text(), "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1");
        assert_eq!(Track::parse(Some(t.text().as_bytes())), t);
        assert_eq!(Track::parse(Some(b"count=1,bytes=0")).text(), "count=1,bytes=0");
        assert_eq!(Track::parse(None).text(), "count=-1,bytes=-1");
        assert_eq!(Track::parse(Some(b"count=x;bytes=")).get("bytes"), -1);
    }
}
