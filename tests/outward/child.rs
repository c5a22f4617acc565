//! Our side of each test, in a process of its own: libkrb5 reads its configuration from the environment, which a
//! process of many tests must not change.
//!
//! # Invariants
//! * What a child says is on lines of their own: `port`, `outcome`, `ends`.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxkeeper::config::Secret;
use oxkeeper::config::jaas::parse_jaas;
use oxkeeper::kerberos::GssapiConfig;
use oxkeeper::kerberos::digest_md5::{DigestConfig, QUORUM};
use oxkeeper::kerberos::initiator::{Credentials, Initiator, Outward, ServiceRule};
use oxkeeper::kerberos::quorum::{DriveError, Entry, Members, drive_learner, drive_server, judge, names};
use oxkeeper::kerberos::server::{Digest, NoMeters, SaslServer, SaslServerConfig};
use oxkeeper::kerberos::tickets::{Source, Tickets};

/// What the child has to do, words between tabs.
const TASK: &str = "OXKEEPER_OUTWARD_TASK";
const LIMIT: Duration = Duration::from_secs(20);

/// This test binary as a child with a task.
pub fn command(task: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "child::does_its_task", "--nocapture"]).env(TASK, task.join("\t"));
    command
}

/// Does what its parent asks; without a parent it shows that an unknown task is none.
#[test]
fn does_its_task() {
    let task = std::env::var(TASK).unwrap_or_default();
    let words: Vec<&str> = task.split('\t').collect();
    let done = match words.as_slice() {
        ["learner", port, service, login @ ..] => learner(port.parse().expect("a port"), service, login),
        ["server", keytab, principal, hosts, users] => server(keytab, principal, hosts, users),
        ["tickets", cache] => tickets(cache),
        ["keytab", keytab, principal] => keytab_for_long(keytab, principal),
        _ => return assert_eq!(task, "", "an unknown task"),
    };
    println!("\noutcome {}", done.map_or_else(|why| format!("refused {why}"), |name| format!("in {name}")));
}

fn refused(e: DriveError) -> String {
    match e {
        DriveError::Io(e) => e.to_string(),
        DriveError::Refused(refusal) => format!("{}: {}", refusal.reason, refusal.detail),
    }
}

fn learner(port: u16, service: &str, login: &[&str]) -> Result<String, String> {
    let credentials = match login {
        ["keytab", path, principal] => {
            Credentials::Keytab { path: PathBuf::from(path), principal: (*principal).to_owned() }
        }
        [user, password] => {
            Credentials::Password { user: (*user).to_owned(), password: Secret::new(*password) }
        }
        other => panic!("no login: {other:?}"),
    };
    let service = ServiceRule::between_servers(service, "localhost", None);
    let outward = Outward { credentials, service, names: QUORUM, mutual: true, fips: None };
    let speak = Initiator::new(outward).begin("localhost").map_err(|r| r.detail)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
    drive_learner(&mut stream, speak).map(|()| String::new()).map_err(refused)
}

fn server(keytab: &str, principal: &str, hosts: &str, users: &str) -> Result<String, String> {
    let members = Members::of_servers(principal, hosts.split(','))?;
    let text = format!("S {{ org.apache.zookeeper.server.auth.DigestLoginModule required {users}; }};");
    let jaas = parse_jaas(&text, &|_| None).map_err(|e| e.what)?;
    let digest = DigestConfig::of_quorum(&jaas.sections[0].modules[0])?;
    let config = SaslServerConfig {
        gssapi: Some(GssapiConfig {
            keytab: keytab.into(),
            principal: principal.to_owned(),
            replay_cache: Some(format!("{keytab}.rcache").into()),
        }),
        digest: Some(Digest::Users(Arc::new(digest))),
        names: names(members),
        meters: Arc::new(NoMeters),
    };
    let server = SaslServer::new(config).map_err(|e| e.to_string())?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    println!("\nport {}", listener.local_addr().map_err(|e| e.to_string())?.port());
    let (mut stream, _) = listener.accept().map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
    match drive_server(&mut stream, judge(&server), true) {
        Ok((Entry::Proven(name), _)) => Ok(name),
        Ok((Entry::Unproven, _)) => Err("let in without a login".to_owned()),
        Err(e) => Err(refused(e)),
    }
}

/// Watches a short ticket being renewed; its first and its second end.
fn tickets(cache: &str) -> Result<String, String> {
    let tickets = Tickets::new(Source::Cache { name: Some(cache.to_owned()), principal: None });
    let first = tickets.ready().map_err(|r| r.detail)?;
    let deadline = Instant::now() + 2 * LIMIT;
    loop {
        let now = tickets.ready().map_err(|r| r.detail)?;
        if now.ends > first.ends {
            // The renewed one serves as the first did, from memory.
            let own = now.cache().unwrap_or_default().to_owned();
            return Ok(format!("{} {} {own}", now.principal, now.ends - first.ends));
        }
        if Instant::now() > deadline {
            return Err("never renewed".to_owned());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Watches a keytab's tickets until they live longer than a renewal of the first can; there is a live one at every
/// look.
fn keytab_for_long(keytab: &str, principal: &str) -> Result<String, String> {
    let source = Source::Keytab { path: keytab.into(), principal: principal.to_owned() };
    let tickets = Tickets::new(source);
    let first = tickets.ready().map_err(|r| r.detail)?;
    // Renewals of a login end 20 s behind it, which is 10 s behind the end of its first ticket.
    let beyond = first.ends + 10 + 2;
    let mut seen = vec![first.ends];
    let deadline = Instant::now() + 6 * LIMIT;
    while seen.last().is_none_or(|ends| *ends <= beyond) {
        let now = tickets.ready().map_err(|r| r.detail)?;
        if !seen.contains(&now.ends) {
            seen.push(now.ends);
        }
        if Instant::now() > deadline {
            return Err(format!("no new login: {seen:?}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(format!("{principal}, {} tickets", seen.len()))
}
