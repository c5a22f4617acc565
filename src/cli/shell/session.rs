//! Commands about the session and the ensemble.
//!
//! # Invariants
//!
//! * An identity is sent without waiting for the verdict, as zkCli.sh does: a wrong one
//!   ends the session, which the next command tells.

use super::Shell;
use super::answer::{Answer, Failure};
use super::options::Parsed;
use crate::config::properties::parse_properties;
use crate::types::version::FULL_VERSION;

/// `addauth`.
pub fn add_auth(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let scheme = p.arg(1).unwrap_or_default();
    let auth = p.arg(2).unwrap_or_default();
    let zk = sh.zk();
    sh.run("", zk.offer_auth(scheme, auth.as_bytes())).map(drop)
}

/// `close`.
pub fn close(sh: &mut Shell, _: &Parsed) -> Result<(), Failure> {
    let zk = sh.zk();
    sh.wait(zk.close());
    Ok(())
}

/// `version`.
pub fn version(sh: &mut Shell, _: &Parsed) -> Result<(), Failure> {
    sh.say(Answer::Line("version", format!("ZooKeeper CLI version: {FULL_VERSION}")));
    Ok(())
}

/// `whoami`.
pub fn who_am_i(sh: &mut Shell, _: &Parsed) -> Result<(), Failure> {
    let zk = sh.zk();
    let identities = sh.run("", zk.who_am_i())?;
    sh.say(Answer::Identities(identities));
    Ok(())
}

/// `reconfig`.
pub fn reconfig(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let whole = p.has("file") || p.has("members");
    let steps = p.has("add") || p.has("remove");
    if !whole && !steps {
        let usage = super::table::find("reconfig").map(|c| c.usage_text()).unwrap_or_default();
        return Err(Failure::usage(usage));
    }
    let version = match p.value("v") {
        Some(text) => i64::from_str_radix(text, 16)
            .map_err(|_| Failure::usage("-v must be followed by a long (configuration version)"))?,
        None => -1,
    };
    if whole && steps {
        return Err(Failure::usage(
            "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental \
             modes is not allowed)",
        ));
    }
    if p.has("file") && p.has("members") {
        return Err(Failure::usage(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let lower = |name: &str| p.value(name).map(str::to_lowercase);
    let members = match p.value("file") {
        Some(file) => Some(read_members(file)?),
        None => lower("members"),
    };
    let (joining, leaving) = (lower("add"), lower("remove"));
    let zk = sh.zk();
    let asked = zk.reconfig(joining.as_deref(), leaving.as_deref(), members.as_deref(), version);
    let (config, stat) = sh.run("", asked)?;
    let text = String::from_utf8_lossy(config.as_deref().unwrap_or_default()).into_owned();
    sh.say(Answer::Line("config", format!("Committed new configuration:\n{text}")));
    if p.has("s") {
        sh.say(Answer::Stat(stat));
    }
    Ok(())
}

/// The membership lines of a dynamic configuration file.
fn read_members(file: &str) -> Result<String, Failure> {
    let wrong = |why: String| Failure::usage(format!("Error processing {file}: {why}"));
    let bytes = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
    let entries = parse_properties(&bytes).map_err(|e| wrong(format!("{e:?}")))?;
    let mut lines = Vec::new();
    for entry in entries {
        let kind = entry.key.split('.').next().unwrap_or_default();
        match kind {
            "server" | "group" | "weight" => lines.push(format!("{}={}", entry.key, entry.value)),
            "version" => {}
            _ => return Err(wrong(format!("line {}: unrecognised parameter: {}", entry.line, entry.key))),
        }
    }
    if lines.is_empty() {
        return Err(wrong("it names no server".into()));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_from_the_server_lines_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dynamic");
        let name = file.to_str().unwrap();
        std::fs::write(&file, "server.1=a:1:2;3\nserver.2=b:1:2;3\nversion=5\n").unwrap();
        assert_eq!(read_members(name).unwrap(), "server.1=a:1:2;3\nserver.2=b:1:2;3");
        std::fs::write(&file, "dataDir=/x\n").unwrap();
        assert!(read_members(name).unwrap_err().message.contains("dataDir"));
        assert!(read_members("/does/not/exist").is_err());
    }
}
