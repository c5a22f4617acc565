//! kazoo's own upstream tests, unchanged, against servers of each kind: a standalone one, and ensembles of three whose
//! members log in to each other by Kerberos through TLS.
//!
//! Their harness starts `java` by name; a script of that name, first in the path, starts the server under
//! test with the same flags and configuration (`tests/clients/kazoo/java`). `make test` runs the whole suite on one
//! server and on ensembles what needs them; `make hadoop` and `make clients` run all of it on ensembles.
//!
//! # Invariants
//! * Both servers get the same flags and the same configuration.
//! * What passes on Java passes here; a test may be tried a second time, and the report says so.

mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use place::Place;

use crate::need;
use crate::outcomes::{Outcome, Outcomes};
use crate::support::dirs::Dir;
use crate::support::{Kind, cache, java, ox, ports, process, skip};

/// Settings of the harness that tests without logins do not need: those of its TLS port, and the sasl scheme.
const WITHOUT_LOGINS: &str = "^(secureClientPort|ssl\\.|authProvider|serverCnxnFactory)";
/// What the tests of SASL do not need.
const WITH_LOGINS: &str = "^(secureClientPort|ssl\\.|serverCnxnFactory)";

/// The whole suite, in parts that run side by side; the last two are the same tests on other event loops.
const PARTS: [&[&str]; 4] = [
    &["test_client.py", "test_connection.py", "test_cache.py", "test_counter.py", "test_interrupt.py"],
    &[
        "test_lock.py",
        "test_watchers.py",
        "test_lease.py",
        "test_queue.py",
        "test_barrier.py",
        "test_election.py",
        "test_party.py",
    ],
    &[
        "test_gevent_handler.py",
        "test_partitioner.py",
        "test_build.py",
        "test_exceptions.py",
        "test_hosts.py",
    ],
    &[
        "test_eventlet_handler.py",
        "test_threading_handler.py",
        "test_selectors_select.py",
        "test_utils.py",
        "test_paths.py",
        "test_retry.py",
        "test_security.py",
    ],
];
/// Leaves out what [`NOT_RUN`] lists; against one server these fail on Java as well, after a long wait.
const NEEDS_MORE: &str =
    "not TestSSLClient and not TestReconfig and not test_read_only and not update_host_list";

struct Suite {
    dropped: &'static str,
    python: PathBuf,
    source: PathBuf,
    classpath: String,
    place: Option<Place>,
}

impl Suite {
    fn find(dropped: &'static str) -> Result<Self, String> {
        let python = cache::kazoo_python()?;
        let source = cache::kazoo_source()?;
        Ok(Self { dropped, python, source, classpath: java::classpath(Kind::Java395)?, place: None })
    }

    /// With logins, on this many servers.
    fn in_place(servers: u16) -> Result<Self, String> {
        let place = Some(Place::new(servers)?);
        Ok(Self { place, ..Self::find(WITH_LOGINS)? })
    }

    /// Runs some tests against a server of `kind`.
    fn run(&self, kind: Kind, args: &[String], limit: Duration) -> Outcomes {
        let dir = Dir::new("kazoo");
        let results = dir.path().join("results");
        let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/kazoo");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(&self.python);
        command.arg(shim.join("runner.py")).arg(&results).args(args).current_dir(&self.source);
        command.env("PATH", format!("{}:{path}", shim.display()));
        command.env("PYTHONPATH", &self.source).env("PYTHONDONTWRITEBYTECODE", "1").env("TMPDIR", dir.path());
        command.env("OXKEEPER_JAVA", which_java(&path)).env("OXKEEPER_PEER_CP", &self.classpath);
        command.env("OXKEEPER_PEER_DROP", self.dropped);
        if kind == Kind::Oxkeeper {
            command.env("OXKEEPER_PEER", ox::binary());
        }
        command.env_remove("CI").env_remove("ZOOKEEPER_JAAS_AUTH").env("ZOOKEEPER_PATH", &self.source);
        let servers = self.place.as_ref().map_or(1, Place::servers);
        command.env("ZOOKEEPER_VERSION", "3.9.5").env("ZOOKEEPER_CLUSTER_SIZE", servers.to_string());
        command.env("ZOOKEEPER_PORT_OFFSET", ports::block(10 * servers).to_string());
        if let Some(place) = &self.place {
            place.prepare(&mut command, dir.path());
        }
        let ended = process::run(command, None, limit);
        let outcomes = Outcomes::parse(&fs::read_to_string(&results).unwrap_or_default());
        match ended {
            Ok((status, output)) if !status.success() || outcomes.0.is_empty() => {
                panic!("kazoo's tests on {kind:?} ended with {status}:\n{}", tail(&output))
            }
            Err(why) => panic!("kazoo's tests on {kind:?}: {}", tail(&why)),
            Ok(_) => outcomes,
        }
    }

    /// Runs the parts side by side, on both servers.
    fn both(&self, parts: &[Vec<String>], limit: Duration) -> (Outcomes, Outcomes) {
        let all = |kind: Kind| {
            thread::scope(|scope| {
                let runs: Vec<_> =
                    parts.iter().map(|part| scope.spawn(move || self.run(kind, part, limit))).collect();
                runs.into_iter().fold(Outcomes::default(), |mut all, run| {
                    all.absorb(run.join().expect("the part ran"));
                    all
                })
            })
        };
        thread::scope(|scope| {
            let control = scope.spawn(|| all(Kind::Java395));
            let ours = all(crate::OURS);
            (control.join().expect("the control ran"), ours)
        })
    }
}

fn which_java(path: &str) -> PathBuf {
    let found = path.split(':').map(|dir| Path::new(dir).join("java")).find(|java| java.is_file());
    found.unwrap_or_else(|| PathBuf::from("java"))
}

fn tail(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// What of the suite is not run on one server, and where it is.
const NOT_RUN: [(&str, &str); 1] = [(
    "kazoo: TestSSLClient",
    "its client certificates are of X.509 version 1, which TLS here does not take",
)];

/// Runs the parts on both servers; what passes on Java alone is tried a second time, and must pass then.
fn compare(name: &str, suite: &Suite, parts: &[Vec<String>], limit: Duration) -> Outcomes {
    let (control, mut ours) = suite.both(parts, limit);
    let lost = ours.lost_against(&control);
    if !lost.is_empty() && lost.len() <= 10 {
        eprintln!("second try of:\n{}", ours.describe(&lost));
        let names: Vec<_> = lost.iter().map(|name| format!("kazoo/tests/{name}")).collect();
        ours.absorb(suite.run(crate::OURS, &names, limit));
    }
    println!("{}", ours.report(name, &control));
    let lost = ours.lost_against(&control);
    assert!(lost.is_empty(), "pass on Java and not here:\n{}", ours.describe(&lost));
    control
}

/// A part of the suite: files, and what of them.
fn part(files: &[&str], which: &str) -> Vec<String> {
    let mut args: Vec<_> = files.iter().map(|file| format!("kazoo/tests/{file}")).collect();
    args.extend(["-k".to_owned(), which.to_owned()]);
    args
}

#[test]
fn kazoos_upstream_tests_pass_as_against_java() {
    let suite = need!("kazoo's upstream tests", Suite::find(WITHOUT_LOGINS));
    for (part, why) in NOT_RUN {
        skip::not_run(part, why);
    }
    let parts = PARTS.map(|files| part(files, NEEDS_MORE));
    let control = compare("kazoo", &suite, &parts, Duration::from_secs(400));
    assert!(control.count(Outcome::Passed) >= 470, "the control is complete");
}

/// Logins: by DIGEST-MD5 in both of kazoo's spellings, with a right and a wrong password, and by Kerberos, with a ticket
/// and with one that is not valid yet.
#[test]
fn kazoos_sasl_tests_pass_as_against_java() {
    let suite = need!("kazoo's upstream tests of SASL", Suite::in_place(1));
    let parts = [vec!["kazoo/tests/test_sasl.py".to_owned()]];
    let control = compare("kazoo SASL", &suite, &parts, Duration::from_secs(200));
    assert!(control.count(Outcome::Passed) >= 6, "the control is complete: {control:?}");
}

/// On secure ensembles: what needs three servers, and all logins; in the long run everything.
#[test]
fn kazoos_tests_on_secure_ensembles_pass_as_against_java() {
    let suite = need!("kazoo's upstream tests on secure ensembles", Suite::in_place(3));
    let limit = Duration::from_secs(400);
    let files = ["test_client.py", "test_connection.py", "test_sasl.py"];
    let parts = [part(&files, "TestReconfig or test_read_only or update_host_list or SASL")];
    let control = compare("kazoo on secure ensembles", &suite, &parts, limit);
    assert!(control.count(Outcome::Passed) >= 11, "the control is complete: {control:?}");
    if crate::full() {
        // One after the other: each part has two ensembles.
        let passed: usize = PARTS
            .map(|files| {
                let parts = [part(files, "not TestSSLClient")];
                let control = compare(&format!("kazoo on ensembles: {files:?}"), &suite, &parts, 2 * limit);
                control.count(Outcome::Passed)
            })
            .into_iter()
            .sum();
        assert!(passed >= 475, "the control is complete: {passed}");
    }
}
