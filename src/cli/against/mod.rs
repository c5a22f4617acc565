//! `oxkeeper check zoo.cfg --against host:port,...`: does this configuration fit the ensemble that runs?
//!
//! Asks each server `srvr`, `conf` and `mntr`, and one of them for the configuration node, and compares. It is the check
//! between the steps of a replacement server by server: `docs/migration.md`.
//!
//! # Invariants
//!
//! * Nothing is changed, neither here nor there: four-letter words and one read.
//! * What could not be asked is said and never counts as agreement.
//! * Texts of servers are printed escaped and cut.

mod judge;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::client::{
    Blocking, ClientConfig, ClientError, ConnectString, LoginOptions, OutwardSasl, four_letter_word,
};
use crate::config::quorum::Ensemble;
use crate::config::settings::Settings;
use crate::config::{Findings, Place};

pub use judge::{Line, Weight};

/// How long a server may take to be connected, and to answer a word.
const WORD: Duration = Duration::from_secs(5);
/// How long the session that reads the configuration node may take.
const SESSION: Duration = Duration::from_secs(10);

/// Which ensemble, and as whom.
#[derive(Debug, Clone, Default, Args)]
pub struct AgainstArgs {
    /// Compare with the ensemble that runs at these client addresses: host:port[,host:port...], best all of them
    #[arg(long, value_name = "SERVERS")]
    pub against: Option<String>,
    /// Log in with a key of this file (with --principal) for the one read
    #[arg(long, value_name = "FILE", requires = "against")]
    pub keytab: Option<std::path::PathBuf>,
    /// Log in with the tickets of this cache
    #[arg(long, value_name = "CACHE", requires = "against")]
    pub ccache: Option<String>,
    /// Log in as this principal
    #[arg(long, value_name = "NAME", requires = "against")]
    pub principal: Option<String>,
    /// The servers' principal, if it is not zookeeper/<host>
    #[arg(long, value_name = "NAME", requires = "against")]
    pub server_principal: Option<String>,
}

/// What one server said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Where it was asked.
    pub server: String,
    /// Lines of `srvr` by name; empty if it was not answered.
    pub srvr: BTreeMap<String, String>,
    /// Lines of `conf`; empty if the server does not tell.
    pub conf: BTreeMap<String, String>,
    /// Lines of `mntr`; empty if the server does not tell.
    pub mntr: BTreeMap<String, String>,
    /// Why there is no `srvr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What the ensemble said and what it means.
#[derive(Debug, Clone, Serialize)]
pub struct Against {
    /// One entry a server asked.
    pub servers: Vec<Seen>,
    /// The findings.
    pub lines: Vec<Line>,
}

impl Against {
    /// Whether everything that was compared agrees and everything needed could be asked.
    pub fn agrees(&self) -> bool {
        self.lines.iter().all(|line| line.weight != Weight::Differs)
    }

    /// Prints a server a line, then the findings.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "the ensemble that runs:")?;
        for seen in &self.servers {
            let of = |key: &str| seen.srvr.get(key).map_or("-", String::as_str);
            match &seen.trouble {
                Some(why) => writeln!(out, "       {:<24} {why}", seen.server)?,
                None => writeln!(
                    out,
                    "       {:<24} {:<9} zxid {}, {}",
                    seen.server,
                    of("Mode"),
                    of("Zxid"),
                    of("Zookeeper version")
                )?,
            }
        }
        for line in &self.lines {
            writeln!(out, "{:<7} {}", line.weight.word(), line.text)?;
        }
        let verdict =
            if self.agrees() { "this configuration fits" } else { "this configuration does NOT fit" };
        writeln!(out, "{verdict} the ensemble that runs")
    }
}

/// Asks the servers and compares. `None` without `--against`.
pub fn run(args: &AgainstArgs, settings: Option<&Settings>) -> Option<Against> {
    let against = args.against.as_deref()?;
    let list = match ConnectString::parse(against) {
        Ok(list) => list,
        Err(e) => return Some(Against { servers: Vec::new(), lines: vec![Line::differs(e.to_string())] }),
    };
    let servers: Vec<Seen> = list.servers.iter().map(|s| ask(&s.host, s.port)).collect();
    let members = members(args, against);
    let lines = judge::judge(settings, &servers, &members);
    Some(Against { servers, lines })
}

/// Asks one server its words.
fn ask(host: &str, port: u16) -> Seen {
    let mut seen = Seen { server: format!("{host}:{port}"), ..Seen::default() };
    let word = |word: &str| four_letter_word(host, port, word, WORD);
    match word("srvr") {
        Ok(answer) => seen.srvr = pairs(&answer, ": "),
        Err(e) => {
            seen.trouble = Some(format!("does not answer: {e}"));
            return seen;
        }
    }
    if !seen.srvr.contains_key("Mode") {
        seen.trouble = Some("runs and does not serve".to_owned());
    }
    // A word that is not in the whitelist is answered with a sentence: no pairs.
    seen.conf = word("conf").map(|answer| pairs(&answer, "=")).unwrap_or_default();
    seen.mntr = word("mntr").map(|answer| pairs(&answer, "\t")).unwrap_or_default();
    seen
}

/// Lines of `key<separator>value`, printable.
fn pairs(answer: &str, separator: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| line.split_once(separator).map(|(k, v)| (plain(k), plain(v)));
    answer.lines().filter_map(pair).collect()
}

/// A server's text, escaped and cut: it may be anything.
fn plain(text: &str) -> String {
    text.trim().escape_debug().take(200).collect()
}

/// The members by the configuration node, or why it could not be read.
fn members(args: &AgainstArgs, servers: &str) -> Result<Ensemble, String> {
    let read = || -> Result<Vec<u8>, ClientError> {
        let mut config = ClientConfig::new(servers)?.timeout(SESSION);
        let login = LoginOptions {
            keytab: args.keytab.clone(),
            ccache: args.ccache.clone(),
            principal: args.principal.clone(),
            server_principal: args.server_principal.clone(),
            ..LoginOptions::default()
        };
        let outward = login.outward(&|path: &Path| std::fs::read(path))?;
        config.sasl = outward.map(|outward| Arc::new(OutwardSasl::new(outward)) as _);
        let (client, _events) = Blocking::connect(config)?;
        let answer = client.wait(client.client().config(false));
        client.close();
        Ok(answer?.0.unwrap_or_default().to_vec())
    };
    let bytes = read().map_err(|e| format!("the configuration node cannot be read: {e}"))?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// Members in the text of a configuration node.
fn parse(text: &str) -> Result<Ensemble, String> {
    let place = Place::whole("the configuration node");
    let entries: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let mut findings = Findings::default();
    let ensemble = Ensemble::read(entries.iter().map(|(k, v)| (*k, *v, &place)), true, &mut findings);
    match findings.iter().next() {
        Some(finding) => Err(plain(&finding.to_string())),
        None => Ok(ensemble),
    }
}

#[cfg(test)]
mod tests;
