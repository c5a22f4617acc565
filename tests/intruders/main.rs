//! Ten intruders at the quorum and election ports of a server that asks for TLS and Kerberos: each is refused with its
//! reason, nothing of what it says is acted upon, and real members come in beside it.
//!
//! # Invariants
//! * Every profile tries both ports, and goes on with what a member would say next, whether it was let in or not.
//! * What the server makes of it is judged by what reaches its core, and by the reason in its log; with whole servers
//!   (see [`whole`]) by what becomes of their ensemble.
#[path = "../support/mod.rs"]
mod support;

mod child;
mod site;
mod whole;

use std::thread::sleep;
use std::time::{Duration, Instant};

use site::Site;
use support::process::{self, Process};

const LIMIT: Duration = Duration::from_secs(60);
/// How long an intruder waits until it is thrown out, ms: it always is, and long before.
const PATIENT: &str = "30000";
/// How long a member looks whether it is thrown out, ms. What it said has to reach the core in any case.
const BRIEF: &str = "300";

/// An intruder: what it is called, how it comes (see `child::intrude`), and the reason that is logged.
const PROFILES: [(&str, &str, &[&str], &str); 10] = [
    ("no TLS at all", "plain", &["server.pem", "none"], "TLS_PLAINTEXT"),
    ("TLS without a certificate", "nameless", &["server.pem", "none"], "TLS_NO_CERTIFICATE"),
    ("a certificate of a foreign authority", "tls", &["foreign.pem", "none"], "TLS_UNKNOWN_CA"),
    ("a valid certificate of a client", "tls", &["client.pem", "none"], "TLS_HOST"),
    ("a server's certificate and no credentials", "tls", &["server.pem", "none"], "AUTH_REQUIRED"),
    (
        "the principal of the host's web server",
        "tls",
        &["server.pem", "HTTP/localhost@ZK.TEST"],
        "AUTH_REFUSED",
    ),
    (
        "the servers' name in a foreign realm",
        "tls",
        &["server.pem", "zkquorum/localhost@OTHER.TEST"],
        "AUTH_REFUSED",
    ),
    ("a user of the realm", "tls", &["server.pem", "alice@ZK.TEST"], "AUTH_REFUSED"),
    (
        "a server of a host outside of the ensemble",
        "tls",
        &["server.pem", "zkquorum/elsewhere@ZK.TEST"],
        "AUTH_REFUSED",
    ),
    ("the recorded login of a member", "replay", &["server.pem", "zkquorum/localhost@ZK.TEST"], "KRB_REPLAY"),
];

/// The server under test, in a process of its own, its log in a file.
struct Victim {
    process: Process,
}

impl Victim {
    fn start(site: &Site) -> Victim {
        let log = site.dir.path().join("victim.log");
        let mut process = Process::start(site.child(&["victim"], &site.realm), &log).expect("a server");
        let deadline = Instant::now() + LIMIT;
        while !process.log().contains("ready") {
            assert!(process.ended().is_none() && Instant::now() < deadline, "no server:\n{}", process.log());
            sleep(Duration::from_millis(20));
        }
        Victim { process }
    }

    /// What has reached the core so far.
    fn events(&self) -> Vec<String> {
        let log = self.process.log();
        log.lines().filter_map(|line| line.strip_prefix("event ")).map(str::to_owned).collect()
    }

    /// As [`says_in`].
    fn says(&self, behind: usize, words: &[&str]) -> String {
        says_in(&self.process, behind, words)
    }
}

/// Waits until the log, behind what it was, has a line with all of these words.
fn says_in(process: &Process, behind: usize, words: &[&str]) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let log = process.log();
        let fresh = log.get(behind..).unwrap_or_default();
        if let Some(line) = fresh.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "the log does not say {words:?}:\n{fresh}");
        sleep(Duration::from_millis(20));
    }
}

/// Runs an intruder to its end, which is when it is thrown out; a member (`patience` in ms) may stay.
fn comes(site: &Site, how: &str, port: &str, patience: &str, what: &[&str]) -> String {
    let realm = if what.iter().any(|w| w.ends_with("@OTHER.TEST")) { &site.other } else { &site.realm };
    let command = site.child(&[&["intruder", how, port, patience], what].concat(), realm);
    let (_, output) = process::run(command, None, LIMIT).expect("it ends");
    let outcome = output.lines().find_map(|line| line.strip_prefix("outcome "));
    outcome.unwrap_or_else(|| panic!("no outcome:\n{output}")).to_owned()
}

#[test]
fn ten_intruders_are_refused_at_both_ports_and_members_come_in_beside_them() {
    let site = need!("intruders at the quorum ports", Site::new());
    let victim = Victim::start(&site);
    let member = ["server.pem", "zkquorum/localhost@ZK.TEST"];
    for (name, how, what, reason) in PROFILES {
        for port in ["election", "quorum"] {
            let (before, log) = (victim.events(), victim.process.log().len());
            let outcome = comes(&site, how, port, PATIENT, what);
            assert!(outcome.starts_with("closed"), "{name} at the {port} port: {outcome}");
            println!("{port}: {name}: told {outcome}");
            let line = victim.says(log, &[reason, &format!("port=\"{port}\"")]);
            assert!(line.contains("refused a connection as a server"), "{line}");
            let after = victim.events();
            let expected =
                if how == "replay" { before.len() + site::FIRST_LOGIN_EVENTS } else { before.len() };
            assert_eq!(after.len(), expected, "{name} at the {port} port reached the core: {after:?}");
            println!("{port}: {name}: refused, {reason}");
        }
        for (port, event) in [("election", "event notification server.3"), ("quorum", "event accepted")] {
            let log = victim.process.log().len();
            let outcome = comes(&site, "tls", port, BRIEF, &member);
            assert!(outcome.starts_with("stays"), "a member at the {port} port behind {name}: {outcome}");
            victim.says(log, &[event]);
        }
    }
}

/// Whoever is a member of one host speaks for the members on that host alone; and a member that is let in and sends
/// garbage harms its own connection.
#[test]
fn members_speak_for_themselves_and_garbage_harms_its_own_connection() {
    let site = need!("members that claim to be others", Site::new());
    let victim = Victim::start(&site);
    let other = ["server.pem", "zkquorum/127.0.0.1@ZK.TEST"];
    for port in ["election", "quorum"] {
        let log = victim.process.log().len();
        // It is server.1, which is on 127.0.0.1, and says that it is server.3, which is on localhost.
        let outcome = comes(&site, "tls", port, PATIENT, &other);
        assert!(outcome.starts_with("closed"), "{outcome}");
        victim.says(log, &["AUTH_REFUSED", "not one of server.3", &format!("port=\"{port}\"")]);
        for how in ["garbage", "length", "version", "own-id", "foreign-id"] {
            let log = victim.process.log().len();
            let outcome = comes(&site, how, port, PATIENT, &["server.pem", "zkquorum/localhost@ZK.TEST"]);
            assert!(outcome.starts_with("closed"), "{how} at the {port} port: {outcome}");
            victim.says(log, &["and nothing else", &format!("port=\"{port}\"")]);
        }
        let outcome = comes(&site, "tls", port, BRIEF, &["server.pem", "zkquorum/localhost@ZK.TEST"]);
        assert!(outcome.starts_with("stays"), "{outcome}");
    }
    assert!(victim.events().iter().all(|e| !e.contains("server.2 ")), "nobody came in as the server itself");
}
