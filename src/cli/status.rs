//! `oxkeeper status [zoo.cfg]`: what `zkServer.sh status` prints.
//!
//! # Invariants
//!
//! * Lines, their streams and the exit codes (0 serving, 1 not) are the script's: monitoring
//!   scrapes them.
//! * Nothing is created or changed.

use crate::client::{HostPort, TlsConnector, four_letter_word, four_letter_word_by};
use crate::config::flags::{Flag, parse_flags};
use crate::config::properties::parse_properties;
use crate::config::settings::TlsSide;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to be connected, and to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a server listens for clients.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Target {
    address: String,
    port: u16,
    tls: bool,
}

/// Looks up the client port of a configuration and asks the server there; the exit code.
pub fn run(args: &[String]) -> i32 {
    let config = match args.first() {
        Some(word) if matches!(word.as_str(), "-h" | "--help") => {
            println!(
                "oxkeeper status [zoo.cfg]: is the server of this configuration serving? Exit code 0 or 1."
            );
            return 0;
        }
        Some(path) => PathBuf::from(path),
        None => default_config(),
    };
    match std::env::var("JMXDISABLE") {
        Ok(v) if !v.is_empty() && v != "false" => eprintln!("JMX disabled by user request"),
        _ => eprintln!("ZooKeeper JMX enabled by default"),
    }
    eprintln!("Using config: {}", config.display());
    let text = read(&config);
    let mut say = |line: &str| println!("{line}");
    let Some(target) = find(&text, &read, &mut say) else { return 1 };
    println!(
        "Client port found: {}. Client address: {}. Client SSL: {}.",
        target.port, target.address, target.tls
    );
    match mode(&target, &text) {
        Ok(mode) => {
            println!("{mode}");
            0
        }
        Err(why) => {
            println!("Error contacting service. It is probably not running.");
            eprintln!("{why}");
            1
        }
    }
}

/// `$ZOOCFGDIR/zoo.cfg` (`$ZOOCFG` names another file), the sample beside us, or Debian's.
fn default_config() -> PathBuf {
    let name = std::env::var_os("ZOOCFG").filter(|n| !n.is_empty()).unwrap_or_else(|| "zoo.cfg".into());
    if let Some(dir) = std::env::var_os("ZOOCFGDIR").filter(|d| !d.is_empty()) {
        return Path::new(&dir).join(name);
    }
    let here = Path::new("conf").join(&name);
    if here.exists() { here } else { Path::new("/etc/zookeeper/conf").join(name) }
}

/// The keys of a properties file; none, and a line on standard error, if it cannot be read.
fn read(path: &Path) -> BTreeMap<String, String> {
    let complain = |why: String| eprintln!("{}: {why}; name a readable zoo.cfg", path.display());
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) => {
            complain(e.to_string());
            return BTreeMap::new();
        }
    };
    match parse_properties(&bytes) {
        Ok(entries) => entries.into_iter().map(|e| (e.key, e.value)).collect(),
        Err(e) => {
            complain(format!("{e:?}"));
            BTreeMap::new()
        }
    }
}

/// The client port: of the configuration, of this server's line, or the secure one.
fn find(
    config: &BTreeMap<String, String>,
    read: &dyn Fn(&Path) -> BTreeMap<String, String>,
    say: &mut dyn FnMut(&str),
) -> Option<Target> {
    let text = |key: &str| config.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let port = |key: &str| text(key).and_then(|v| v.parse::<u16>().ok());
    let address = |key: &str| text(key).unwrap_or("localhost").to_owned();
    if let Some(port) = port("clientPort") {
        return Some(Target { address: address("clientPortAddress"), port, tls: false });
    }
    if let Some(target) = of_own_line(config, read, say) {
        return Some(target);
    }
    say("Client port not found. Looking for secureClientPort in the static config.");
    if let Some(port) = port("secureClientPort") {
        return Some(Target { address: address("secureClientPortAddress"), port, tls: true });
    }
    say("Unable to find either secure or unsecure client port in any configs. Terminating.");
    None
}

/// `server.<myid>=...;[address:]port`, in this file or in the dynamic one.
fn of_own_line(
    config: &BTreeMap<String, String>,
    read: &dyn Fn(&Path) -> BTreeMap<String, String>,
    say: &mut dyn FnMut(&str),
) -> Option<Target> {
    let file = config.get("dataDir").map(|d| Path::new(d).join("myid"));
    let id = file.and_then(|f| std::fs::read_to_string(f).ok()).and_then(|t| t.trim().parse::<u64>().ok());
    let Some(id) = id else {
        say("myid could not be determined, will not able to locate clientPort in the server configs.");
        return None;
    };
    let key = format!("server.{id}");
    let client = |map: &BTreeMap<String, String>| {
        map.get(&key).and_then(|v| v.rsplit_once(';')).map(|(_, client)| client.trim().to_owned())
    };
    let mut found = client(config);
    if found.is_none() {
        say("Client port not found in static config file. Looking in dynamic config file.");
        found = config.get("dynamicConfigFile").and_then(|file| client(&read(Path::new(file))));
    }
    let Some(found) = found else {
        say("Client port not found in the server configs");
        return None;
    };
    let (address, port) = match found.rsplit_once(':') {
        Some((address, port)) => (address.trim_start_matches('[').trim_end_matches(']').to_owned(), port),
        None => {
            (config.get("clientPortAddress").map_or("localhost", String::as_str).to_owned(), found.as_str())
        }
    };
    Some(Target { address, port: port.parse().ok()?, tls: false })
}

/// The Mode line of the server's `srvr`, or why there is none.
fn mode(target: &Target, config: &BTreeMap<String, String>) -> Result<String, String> {
    let answer = if target.tls {
        ask_by_tls(target, config)?
    } else {
        four_letter_word(&target.address, target.port, "srvr", LIMIT).map_err(|e| e.to_string())?
    };
    answer.lines().find(|l| l.contains("Mode")).map(str::to_owned).ok_or_else(|| {
        match answer.lines().next() {
            Some(line) => format!("srvr was answered with: {line}"),
            None => "srvr was not answered".to_owned(),
        }
    })
}

/// Asks a TLS port: with the stores that flags of the environment name as for `zkServer.sh`
/// (`-Dzookeeper.ssl.*` in CLIENT_JVMFLAGS or JVMFLAGS), else with the server's own.
fn ask_by_tls(target: &Target, config: &BTreeMap<String, String>) -> Result<String, String> {
    let mut flags = BTreeMap::new();
    for variable in ["CLIENT_JVMFLAGS", "JVMFLAGS"] {
        for flag in parse_flags(&std::env::var(variable).unwrap_or_default()) {
            if let Flag::Property { name, value } = flag {
                flags.insert(name, value);
            }
        }
    }
    let named = flags.keys().any(|name| name.starts_with("zookeeper.ssl."));
    let property = |name: &str| match name.strip_prefix("zookeeper.") {
        Some(key) if !named => config.get(key).cloned(),
        _ => flags.get(name).cloned(),
    };
    let side = TlsSide::of_properties("ssl.", &property)?;
    let (connector, _) = TlsConnector::new(&side).map_err(|e| e.to_string())?;
    let server = HostPort { host: target.address.clone(), port: target.port };
    four_letter_word_by(&connector, &server, "srvr", LIMIT).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, dynamic: &str) -> (Option<Target>, Vec<String>) {
        let map = |text: &str| {
            text.lines()
                .filter_map(|l| l.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        };
        let mut said = Vec::new();
        let target = find(&map(config), &|_| map(dynamic), &mut |line| said.push(line.to_owned()));
        (target, said)
    }

    #[test]
    fn the_client_port_is_found_where_the_script_finds_it() {
        let at = |address: &str, port, tls| Some(Target { address: address.into(), port, tls });
        assert_eq!(found("clientPort=2181", "").0, at("localhost", 2181, false));
        assert_eq!(found("clientPort=2181\nclientPortAddress=10.0.0.1", "").0, at("10.0.0.1", 2181, false));
        assert_eq!(found("secureClientPort=2281", "").0, at("localhost", 2281, true));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("myid"), "2\n").unwrap();
        let data = format!("dataDir={}", dir.path().display());
        assert_eq!(
            found(&format!("{data}\nserver.2=a:1:2;10.0.0.2:2182"), "").0,
            at("10.0.0.2", 2182, false)
        );
        let (target, said) = found(&format!("{data}\ndynamicConfigFile=x"), "server.2=a:1:2:observer;2183");
        assert_eq!(target, at("localhost", 2183, false));
        assert_eq!(said, ["Client port not found in static config file. Looking in dynamic config file."]);
    }

    #[test]
    fn without_a_port_the_script_says_where_it_looked() {
        let (target, said) = found("", "");
        assert_eq!(target, None);
        assert_eq!(said.len(), 3);
        assert!(said[2].starts_with("Unable to find either"));
    }
}
