//! Commands that read.
//!
//! # Invariants
//!
//! * Lists of children are sorted, as zkCli.sh sorts them.

use super::Shell;
use super::answer::{Answer, Failure, Format};
use super::options::Parsed;
use crate::client::ClientError;
use crate::error::Code;

/// `ls`: children of a znode, or all paths below it.
pub fn ls(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    if p.has("?") {
        let flags = super::table::find("ls").map(|c| super::options::help(c.flags)).unwrap_or_default();
        sh.say(Answer::Line("usage", format!("usage: ls [options] path\n{}", flags.trim_end())));
    }
    let Some(path) = p.arg(1) else {
        return Err(Failure::usage(super::table::find("ls").map(|c| c.usage_text()).unwrap_or_default()));
    };
    let watch = p.has("w");
    if p.has("R") {
        return super::walk::depth_first(sh, path, watch, |sh, path| {
            sh.say(Answer::Path(path.to_owned()));
            Ok(())
        });
    }
    let zk = sh.zk();
    let (mut names, stat) = sh.run(path, zk.children2(path, watch))?;
    sort(&mut names);
    sh.say(Answer::Children(names, p.has("s").then_some(stat)));
    Ok(())
}

/// Java's order of strings: by UTF-16 units.
pub fn sort(names: &mut [String]) {
    names.sort_unstable_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
}

/// `get`: data.
pub fn get(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    let (data, stat) = sh.run(path, zk.get(path, p.has("w")))?;
    let format = match (p.has("x"), p.has("b")) {
        (true, _) => Format::Hex,
        (_, true) => Format::Base64,
        _ => Format::Plain,
    };
    sh.say(Answer::Data(data.map(|d| d.to_vec()), format, p.has("s").then_some(stat)));
    Ok(())
}

/// `stat`: a znode's stat.
pub fn stat(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    match sh.run(path, zk.exists(path, p.has("w")))? {
        Some(stat) => {
            sh.say(Answer::Stat(stat));
            Ok(())
        }
        None => Err(ClientError::Refused { code: Code::NoNode, path: path.to_owned() }.into()),
    }
}

/// `getAcl`: a znode's ACL.
pub fn get_acl(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    let (acl, stat) = sh.run(path, zk.get_acl(path))?;
    sh.say(Answer::Acl(acl, p.has("s").then_some(stat)));
    Ok(())
}

/// `getAllChildrenNumber`: how many descendants.
pub fn all_children_number(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    let number = sh.run(path, zk.all_children_number(path))?;
    sh.say(Answer::Number("allChildrenNumber", i64::from(number)));
    Ok(())
}

/// `getEphemerals`: this session's ephemeral znodes.
pub fn ephemerals(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let prefix = p.arg(1).unwrap_or("/");
    let zk = sh.zk();
    let paths = sh.run(prefix, zk.ephemerals(prefix))?;
    sh.say(Answer::List("ephemerals", paths));
    Ok(())
}

/// `sync`: catch up with the leader.
pub fn sync(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let zk = sh.zk();
    if let Some(problem) = super::messages::bad_path(path) {
        return Err(Failure::usage(problem));
    }
    let text = match sh.wait(zk.sync(path)) {
        Ok(()) => "Sync is OK".to_owned(),
        Err(e) => format!("Sync has failed. rc={}", e.code().number()),
    };
    sh.say(Answer::Line("sync", text));
    Ok(())
}

/// `config`: the ensemble's configuration.
pub fn config(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let zk = sh.zk();
    let (data, stat) = sh.run("/zookeeper/config", zk.config(p.has("w")))?;
    let text = data.map_or_else(|| "null".to_owned(), |d| String::from_utf8_lossy(&d).into_owned());
    let shown = if p.has("c") { client_string(&text) } else { text };
    sh.say(Answer::Line("config", shown));
    if p.has("s") {
        sh.say(Answer::Stat(stat));
    }
    Ok(())
}

/// The version and the client addresses of a configuration: `100000000 a:2181,b:2181`.
fn client_string(config: &str) -> String {
    let mut version = "";
    let mut servers = Vec::new();
    for line in config.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "version" {
            version = value.trim();
        } else if let Some((id, (_, client))) =
            key.trim().strip_prefix("server.").zip(value.trim().rsplit_once(';'))
        {
            let address = if client.contains(':') { client.to_owned() } else { format!("0.0.0.0:{client}") };
            servers.push((id.parse::<i64>().unwrap_or(i64::MAX), address));
        }
    }
    servers.sort();
    let addresses: Vec<String> = servers.into_iter().map(|(_, address)| address).collect();
    format!("{version} {}", addresses.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_a_connect_string() {
        let text =
            "server.2=b:1:2:participant;10.0.0.2:2182\nserver.1=a:1:2:participant;2181\nversion=100000000";
        assert_eq!(client_string(text), "100000000 0.0.0.0:2181,10.0.0.2:2182");
        assert_eq!(client_string(""), " ");
    }

    #[test]
    fn names_are_sorted_as_java_sorts_them() {
        let mut names: Vec<String> = ["b", "a", "B", "\u{ffee}", "\u{10000}"].map(str::to_owned).to_vec();
        sort(&mut names);
        assert_eq!(names, ["B", "a", "b", "\u{10000}", "\u{ffee}"]);
    }
}
