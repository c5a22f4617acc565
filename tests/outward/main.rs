//! Logins outward against a real KDC and Java's own classes: servers that log in to each other, tickets that are
//! renewed.
#[path = "../support/mod.rs"]
mod support;

mod caches;
mod child;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::dirs::Dir;
use support::kdc::Realm;
use support::process::Process;
use support::{Kind, java, process};

const LIMIT: Duration = Duration::from_secs(60);
const OWN: &str = "zkquorum/localhost@ZK.TEST";

/// A realm of servers and of others, Java's helper, and its sections.
struct Ensemble {
    realm: Realm,
    keytab: PathBuf,
    home: Dir,
    classpath: String,
}

/// Who logs in: the section of Java's learner, the words of ours, and whether a server lets it in.
struct Case {
    section: &'static str,
    login: Vec<String>,
    good: bool,
}

impl Ensemble {
    fn new() -> Result<Ensemble, String> {
        let classpath = java::classpath(Kind::Java395)?;
        let realm = Realm::start("ZK.TEST")?;
        let keytab =
            realm.keytab(&["zkquorum/localhost", "zkquorum/elsewhere", "HTTP/localhost", "zkquorum"])?;
        let home = Dir::new("quorum-login");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outward/QuorumLogin.java");
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-cp", &classpath, "-d"]).arg(home.path()).arg(source);
        match process::run(javac, None, LIMIT)? {
            (status, _) if status.success() => {}
            (_, output) => panic!("QuorumLogin.java does not compile:\n{output}"),
        }
        let classpath = format!("{}:{classpath}", home.path().display());
        let ensemble = Ensemble { realm, keytab, home, classpath };
        ensemble.write_jaas();
        Ok(ensemble)
    }

    fn write_jaas(&self) {
        let krb = |name: &str, principal: &str| {
            format!(
                "{name} {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                 useTicketCache=false keyTab=\"{}\" principal=\"{principal}@ZK.TEST\"; }};\n",
                self.keytab.display()
            )
        };
        let digest = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        let text = [
            krb("Member", "zkquorum/localhost"),
            krb("Elsewhere", "zkquorum/elsewhere"),
            krb("Hostless", "zkquorum"),
            krb("Http", "HTTP/localhost"),
            format!("Users {{ {digest} user_learner=\"pw\"; }};\n"),
            format!("Right {{ {digest} username=\"learner\" password=\"pw\"; }};\n"),
            format!("Wrong {{ {digest} username=\"learner\" password=\"no\"; }};\n"),
        ];
        self.home.write("jaas.conf", &text.concat());
    }

    fn cases(&self) -> Vec<Case> {
        let keytab = self.keytab.display().to_string();
        let krb = |section, principal: &str, good| Case {
            section,
            login: vec!["keytab".into(), keytab.clone(), format!("{principal}@ZK.TEST")],
            good,
        };
        let digest = |section, password: &str, good| Case {
            section,
            login: vec!["learner".into(), password.into()],
            good,
        };
        vec![
            krb("Member", "zkquorum/localhost", true),
            krb("Elsewhere", "zkquorum/elsewhere", false),
            krb("Hostless", "zkquorum", false),
            digest("Right", "pw", true),
            digest("Wrong", "no", false),
        ]
    }

    fn java(&self, args: &[&str]) -> Command {
        let mut command = java::java(Kind::Java395).expect("it was there a moment ago");
        command.args(self.realm.java_flags());
        command.args(["-Doxkeeper.log=OFF", "-Dzookeeper.fips-mode=false", "-cp", &self.classpath]);
        command.arg(format!(
            "-Djava.security.auth.login.config={}",
            self.home.path().join("jaas.conf").display()
        ));
        command.arg("QuorumLogin").args(args);
        command
    }

    fn ours(&self, task: &[&str]) -> Command {
        let mut command = child::command(task);
        command.envs(self.realm.env());
        command
    }

    /// Runs a server and a learner against each other; the outcome of each.
    fn meet(&self, server: Command, learner: impl FnOnce(&str) -> Command) -> (String, String) {
        let log = tempfile::NamedTempFile::new_in(self.home.path()).expect("a file");
        let mut server = Process::start(server, log.path()).expect("a server");
        let deadline = Instant::now() + LIMIT;
        let port = loop {
            if let Some(port) = said(&server.log(), "port ") {
                break port;
            }
            assert!(Instant::now() < deadline && server.ended().is_none(), "no port:\n{}", server.log());
            sleep(Duration::from_millis(20));
        };
        let (_, learnt) = process::run(learner(&port), None, LIMIT).expect("the learner ends");
        assert!(server.wait(LIMIT).is_some(), "the server does not end:\n{}", server.log());
        let outcome = |log: &str| said(log, "outcome ").unwrap_or_else(|| panic!("no outcome:\n{log}"));
        (outcome(&server.log()), outcome(&learnt))
    }
}

fn said(log: &str, what: &str) -> Option<String> {
    log.lines().find_map(|line| line.strip_prefix(what)).map(str::to_owned)
}

/// Java's learner at our server, our learner at Java's server, each also at its own kind as a control.
#[test]
fn servers_log_in_to_each_other_as_javas_do() {
    let ensemble = need!("logins between servers", Ensemble::new());
    let keytab = ensemble.keytab.display().to_string();
    let our_server = || ensemble.ours(&["server", &keytab, OWN, "localhost", "user_learner=\"pw\""]);
    for case in ensemble.cases() {
        let java_section = if case.login[0] == "keytab" { "Member" } else { "Users" };
        let java_server = || ensemble.java(&["server", java_section, "localhost"]);
        let java_learner = |port: &str| ensemble.java(&["learner", case.section, "zkquorum/_HOST", port]);
        let our_learner = |port: &str| {
            let mut task = vec!["learner", port, "zkquorum/_HOST"];
            task.extend(case.login.iter().map(String::as_str));
            ensemble.ours(&task)
        };
        let control = ensemble.meet(java_server(), java_learner);
        for (pair, met) in [
            ("Java's learner, our server", ensemble.meet(our_server(), java_learner)),
            ("our learner, Java's server", ensemble.meet(java_server(), our_learner)),
            ("our learner, our server", ensemble.meet(our_server(), our_learner)),
        ] {
            println!("{:<10} {pair:<28} server: {:.60}  learner: {:.60}", case.section, met.0, met.1);
            for (who, outcome, java) in [("server", &met.0, &control.0), ("learner", &met.1, &control.1)] {
                assert_eq!(java.starts_with("in"), case.good, "{}: the control: {java}", case.section);
                assert_eq!(
                    outcome.starts_with("in"),
                    case.good,
                    "{}: {pair}: {who}: {outcome}",
                    case.section
                );
            }
        }
    }
    // A host of the ensemble is not enough: another service of it is no server.
    let (met, _) =
        ensemble.meet(our_server(), |port| ensemble.java(&["learner", "Http", "zkquorum/_HOST", port]));
    assert!(met.starts_with("refused AUTH_REFUSED"), "{met}");
}

#[test]
fn a_ticket_is_renewed_in_memory_before_it_ends() {
    let realm = need!("renewal of tickets", Realm::start("ZK.TEST"));
    let keytab = realm.keytab(&["alice"]).expect("a keytab");
    let cache = realm.kinit_keytab("alice", &keytab, &["-l", "20s", "-r", "5m"]).expect("tickets");
    let before = std::fs::read(&cache).expect("the cache");
    let mut command = child::command(&["tickets", &format!("FILE:{}", cache.display())]);
    command.envs(realm.env());
    let (_, output) = process::run(command, None, LIMIT).expect("it ends");
    let outcome = said(&output, "outcome ").unwrap_or(output);
    assert!(outcome.starts_with("in alice@ZK.TEST ") && outcome.contains("MEMORY:"), "{outcome}");
    assert_eq!(std::fs::read(&cache).expect("the cache"), before, "the cache of others was written");
}
