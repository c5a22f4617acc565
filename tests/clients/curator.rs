//! Curator's own upstream tests, unchanged, against a server of each kind.
//!
//! As the control they run as Curator runs them, with ZooKeeper 3.9.5 in the test's own process. Against
//! Oxkeeper a class of the same name stands in for Curator's server and starts the binary
//! (`tests/clients/curator/external`).
//!
//! # Invariants
//! * Tests, client and recipes are Curator's jars; only the server differs.
//! * What passes on Java passes here; a test may be tried a second time, and the report says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::need;
use crate::outcomes::{Outcome, Outcomes};
use crate::support::dirs::Dir;
use crate::support::{Kind, cache, ox, process, skip};

/// Tests that run side by side; they mostly wait.
fn parts() -> usize {
    if crate::full() { 8 } else { 4 }
}

struct Suite {
    home: Dir,
    classpath: String,
}

impl Suite {
    /// Finds the jars and compiles the runner and the stand-in.
    fn prepare() -> Result<Self, String> {
        let server = cache::jars("zookeeper-3.9.5")?;
        let curator = cache::jars("curator-5.9.0")?;
        let jars =
            [server.join("zookeeper-3.9.5.jar"), server.join("zookeeper-jute-3.9.5.jar"), curator.join("*")];
        let classpath = jars.map(|jar| jar.display().to_string()).join(":");
        let suite = Self { home: Dir::new("curator"), classpath };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/curator");
        suite.compile("runner", &sources.join("Run.java"))?;
        suite.compile("external", &sources.join("external/org/apache/curator/test/TestingServer.java"))?;
        Ok(suite)
    }

    fn compile(&self, to: &str, source: &Path) -> Result<(), String> {
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-XDignore.symbol.file", "-cp", &self.classpath, "-d"]);
        javac.arg(self.home.path().join(to)).arg(source);
        match process::run(javac, None, Duration::from_secs(120))? {
            (status, _) if status.success() => Ok(()),
            (_, output) => panic!("{} does not compile:\n{output}", source.display()),
        }
    }

    /// Runs some classes or methods against a server of `kind`.
    fn run(&self, kind: Kind, tests: &[String], limit: Duration) -> Outcomes {
        if tests.is_empty() {
            return Outcomes::default();
        }
        let dir = Dir::new("curator-run");
        let results = dir.path().join("results");
        let at = |name: &str| self.home.path().join(name).display().to_string();
        let mut classpath = vec![at("runner"), self.classpath.clone()];
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx384m"]);
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off");
        java.arg(format!("-Djava.io.tmpdir={}", dir.path().display()));
        if kind == Kind::Oxkeeper {
            classpath.insert(0, at("external"));
            java.arg(format!("-Doxkeeper.peer={}", ox::binary().display()));
        }
        java.args(["-cp", &classpath.join(":"), "Run"]).arg(&results).args(tests);
        let ended = process::run(java, None, limit);
        let outcomes = Outcomes::parse(&fs::read_to_string(&results).unwrap_or_default());
        match ended {
            Ok((status, output)) if !status.success() || outcomes.0.is_empty() => {
                panic!("Curator's tests on {kind:?} ended with {status}:\n{output}")
            }
            // Tests that did not come to their turn are absent, and so count as lost.
            Err(why) => eprintln!("Curator's tests on {kind:?}: {}", why.lines().next().unwrap_or_default()),
            Ok(_) => {}
        }
        outcomes
    }

    /// Runs all tests side by side on a server of `kind`.
    fn all(&self, kind: Kind, tests: &[String], limit: Duration) -> Outcomes {
        let part = |n: usize| tests.iter().skip(n).step_by(parts()).cloned().collect::<Vec<_>>();
        thread::scope(|scope| {
            let runs: Vec<_> =
                (0..parts()).map(|n| scope.spawn(move || self.run(kind, &part(n), limit))).collect();
            runs.into_iter().fold(Outcomes::default(), |mut all, run| {
                all.absorb(run.join().expect("the part ran"));
                all
            })
        })
    }
}

/// The tests of a list in the repository: a class or `Class#method` a line, without the common package.
fn list(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/curator").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| format!("org.apache.curator.{line}")).collect()
}

#[test]
fn curators_upstream_tests_pass_as_against_java() {
    let suite = need!("Curator's upstream tests", Suite::prepare());
    skip::not_run(
        "Curator: *Cluster, TestReconfiguration, TestReadOnly",
        "they start an ensemble in their own process",
    );
    let full = crate::full();
    let tests = list(if full { "all.txt" } else { "core.txt" });
    let limit = Duration::from_secs(if full { 1200 } else { 200 });
    let (control, mut ours) = thread::scope(|scope| {
        let control = scope.spawn(|| suite.all(Kind::Java395, &tests, limit));
        let ours = suite.all(crate::OURS, &tests, limit);
        (control.join().expect("the control ran"), ours)
    });

    let lost = ours.lost_against(&control);
    if !lost.is_empty() && lost.len() <= 12 {
        eprintln!("second try of:\n{}", ours.describe(&lost));
        let names: BTreeSet<_> =
            lost.iter().filter_map(|name| name.split(' ').next()).map(str::to_owned).collect();
        ours.absorb(suite.all(crate::OURS, &names.into_iter().collect::<Vec<_>>(), limit));
    }
    println!("{}", ours.report("Curator", &control));
    let lost = ours.lost_against(&control);
    assert!(lost.is_empty(), "pass on Java and not here:\n{}", ours.describe(&lost));
    let passed = control.count(Outcome::Passed);
    let least = if full { 450 } else { tests.len() * 9 / 10 };
    assert!(passed >= least, "the control is complete:\n{}", ours.report("Curator", &control));
}
