//! Logins of every client at every kind of server: what Java's server answers, ours answers, or something stricter
//! that `security/differences.md` names.
//!
//! Clients: Java 3.8.6 and 3.9.5, the C client (with Cyrus SASL), kazoo, and `oxkeeper shell`, whose client is the Rust
//! one.
//!
//! # Invariants
//! * Each client meets Java's server and ours with the same credentials, in the same words.
//! * An outcome on Java's server that proves nothing (no login where one must succeed) fails the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::support::dirs::Dir;
use crate::support::kdc::Realm;
use crate::support::{Kind, Server, Spec, cache, java, ox, process, skip};
use crate::{OURS, need};

const LIMIT: Duration = Duration::from_secs(240);
/// The cases; each is asked at the servers of its mechanism, `none` at all.
const CASES: [&str; 7] =
    ["keytab", "ticket", "wrong principal", "expired ticket", "none", "digest", "digest wrong password"];
/// Servers: mechanism and whether a login is required.
const MODES: [&str; 4] = ["krb optional", "krb required", "digest optional", "digest required"];

/// Client, case and server on which ours may refuse what Java's lets in. Empty: all outcomes are Java's.
const STRICTER: &[(&str, &str, &str)] = &[];

/// How a login ended, by case and server.
type Outcomes = BTreeMap<(String, String), String>;

/// Credentials of the clients.
struct Given {
    realm: Realm,
    keytab: PathBuf,
    cache: PathBuf,
    expired: PathBuf,
    home: Dir,
}

const PASSWORD: &str = "correct horse";
/// A service that the KDC knows and the servers' keytab does not.
const OTHER: &str = "zookeeper/elsewhere";

impl Given {
    fn new() -> Result<(Given, PathBuf), String> {
        let realm = Realm::start("ZK.TEST")?;
        let server = realm.keytab(&["zookeeper/localhost", "zookeeper/127.0.0.1"])?;
        let keytab = realm.keytab(&["alice"])?;
        realm.principals(&[OTHER, "elsewhere/localhost", "elsewhere/127.0.0.1"])?;
        realm.user("bob", "a password")?;
        let cache = realm.kinit_password("bob", "a password", &[])?;
        let expired = realm.kinit_keytab("alice", &keytab, &["-l", "1s"])?;
        let given = Given { realm, keytab, cache, expired, home: Dir::new("sasl") };
        given.wait_for_the_end()?;
        Ok((given, server))
    }

    /// Until klist says that the short ticket has ended.
    fn wait_for_the_end(&self) -> Result<(), String> {
        let name = format!("FILE:{}", self.expired.display());
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.realm.run("klist", &["-s", "-c", &name], None).is_ok() {
            if Instant::now() > deadline {
                return Err("a ticket of a second does not end".to_owned());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// One section a case, for Java and for the shell.
    fn jaas(&self) -> PathBuf {
        let krb = "com.sun.security.auth.module.Krb5LoginModule required";
        let digest = "org.apache.zookeeper.server.auth.DigestLoginModule required username=\"bob\"";
        let keytab =
            format!("useKeyTab=true keyTab=\"{}\" principal=\"alice@ZK.TEST\"", self.keytab.display());
        let cache =
            |path: &Path| format!("useTicketCache=true doNotPrompt=true ticketCache=\"{}\"", path.display());
        self.home.write(
            "jaas.conf",
            &format!(
                "keytab {{ {krb} {keytab}; }};\nticket {{ {krb} {}; }};\nexpired {{ {krb} {}; }};\n\
                 digest {{ {digest} password=\"{PASSWORD}\"; }};\nwrong {{ {digest} password=\"x\"; }};\n",
                cache(&self.cache),
                cache(&self.expired)
            ),
        )
    }
}

/// The section of a case, and the service that is asked for.
fn section(case: &str) -> (&'static str, &'static str) {
    const OURS: &str = "zookeeper/localhost@ZK.TEST";
    match case {
        "keytab" => ("keytab", OURS),
        "ticket" => ("ticket", OURS),
        "wrong principal" => ("keytab", "zookeeper/elsewhere@ZK.TEST"),
        "expired ticket" => ("expired", OURS),
        "digest" => ("digest", OURS),
        "digest wrong password" => ("wrong", OURS),
        _ => ("-", OURS),
    }
}

/// The four servers of a kind.
fn servers(kind: Kind, given: &Given, keytab: &Path) -> Result<BTreeMap<&'static str, Server>, String> {
    let start = |mode: &'static str| {
        let module = if mode.starts_with("krb") {
            format!(
                "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                 useTicketCache=false keyTab=\"{}\" principal=\"zookeeper/localhost@ZK.TEST\"",
                keytab.display()
            )
        } else {
            format!("org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"{PASSWORD}\"")
        };
        let jaas = given.home.write(&format!("{kind:?} {mode}.jaas"), &format!("Server {{ {module}; }};\n"));
        let mut spec = Spec::new()
            .cfg("authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
            .cfg(&format!("sessionRequireClientSASLAuth={}", mode.ends_with("required")))
            .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()))
            .flag("-Dzookeeper.fips-mode=false");
        spec.flags.extend(given.realm.java_flags());
        Server::start(kind, &spec).map(|server| (mode, server))
    };
    // Side by side: a Java server takes seconds to come up.
    scope(|s| {
        let started: Vec<_> = MODES.iter().map(|mode| s.spawn(move || start(mode))).collect();
        started.into_iter().map(|t| t.join().expect("a server was started")).collect()
    })
}

fn parse(text: &str) -> Outcomes {
    let line = |line: &str| {
        let mut fields = line.split('\t');
        let (case, server, outcome) = (fields.next()?, fields.next()?, fields.next()?);
        Some(((case.to_owned(), server.to_owned()), outcome.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn run_java(kind: Kind, given: &Given, servers: &BTreeMap<&str, Server>) -> Result<Outcomes, String> {
    let classes = given.home.path().join(format!("{kind:?}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/sasl/Drive.java");
    let classpath = java::classpath(kind)?;
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-cp", &classpath, "-d"]).arg(&classes).arg(source);
    match process::run(javac, None, LIMIT)? {
        (status, _) if status.success() => {}
        (_, output) => panic!("Drive.java does not compile:\n{output}"),
    }
    let mut command = java::java(kind)?;
    command.args(given.realm.java_flags());
    // 3.9's client refuses DIGEST-MD5 unless it is told that it may.
    command.args(["-Doxkeeper.log=OFF", "-Dzookeeper.fips-mode=false", "-cp"]);
    command.arg(format!("{}:{classpath}", classes.display()));
    command.arg(format!("-Djava.security.auth.login.config={}", given.jaas().display())).arg("Drive");
    command.args(CASES.iter().map(|case| {
        let (section, service) = section(case);
        format!("{case}={section}:{service}")
    }));
    command
        .arg("--")
        .args(servers.iter().map(|(mode, server)| format!("{mode}=localhost:{}", server.port())));
    Ok(parse(&process::run(command, None, LIMIT)?.1))
}

fn run_kazoo(given: &Given, servers: &BTreeMap<&str, Server>) -> Result<Outcomes, String> {
    let case = |env: Vec<(&str, String)>, options: Option<Vec<(&str, &str)>>| {
        let options = options.map(|list| list.into_iter().collect::<BTreeMap<_, _>>());
        serde_json::json!({ "env": env.into_iter().collect::<BTreeMap<_, _>>(), "options": options })
    };
    let nobody = || given.realm.path("no-cache");
    let file = |path: &Path| format!("FILE:{}", path.display());
    let tickets =
        |cache: &Path, keytab: &Path| vec![("KRB5CCNAME", file(cache)), ("KRB5_CLIENT_KTNAME", file(keytab))];
    let gssapi = |service: &'static str| Some(vec![("mechanism", "GSSAPI"), ("service", service)]);
    let digest = |password: &'static str| {
        Some(vec![("mechanism", "DIGEST-MD5"), ("username", "bob"), ("password", password)])
    };
    let own = given.realm.path("of-keytab");
    let cases = serde_json::json!({
        "keytab": case(tickets(&own, &given.keytab), gssapi("zookeeper")),
        "wrong principal": case(tickets(&own, &given.keytab), gssapi("elsewhere")),
        "ticket": case(tickets(&given.cache, &nobody()), gssapi("zookeeper")),
        "expired ticket": case(tickets(&given.expired, &nobody()), gssapi("zookeeper")),
        "none": case(tickets(&nobody(), &nobody()), None),
        "digest": case(vec![], digest(PASSWORD)),
        "digest wrong password": case(vec![], digest("x")),
    });
    let addresses: BTreeMap<_, _> =
        servers.iter().map(|(mode, server)| (*mode, format!("localhost:{}", server.port()))).collect();
    let mut command = Command::new(cache::kazoo_python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/sasl/drive.py"));
    command.arg(serde_json::json!({ "servers": addresses, "cases": cases }).to_string());
    command.envs(given.realm.env()).env("PYTHONDONTWRITEBYTECODE", "1");
    let (_, output) = process::run(command, None, LIMIT)?;
    if output.contains("No module named 'kerberos'") {
        return Err(
            "Python's kerberos module is not in the environment; run packaging/setup.sh test".to_owned()
        );
    }
    Ok(parse(&output))
}

/// The C client; Cyrus takes tickets and keytab from the environment, as libkrb5 does.
fn run_c(given: &Given, servers: &BTreeMap<&str, Server>) -> Result<Outcomes, String> {
    let login = cache::c_sasl()?;
    let nobody = given.realm.path("no-cache");
    let own = given.realm.path("of-c-client");
    let (right, wrong) = (given.home.write("c-right", PASSWORD), given.home.write("c-wrong", "x"));
    let mut outcomes = Outcomes::new();
    for case in CASES {
        let (mechanism, service, host) = match case {
            "none" => ("-", "", ""),
            "digest" | "digest wrong password" => ("DIGEST-MD5", "zookeeper", "zk-sasl-md5"),
            "wrong principal" => ("GSSAPI", "elsewhere", "localhost"),
            _ => ("GSSAPI", "zookeeper", "localhost"),
        };
        let (tickets, keytab) = match case {
            "keytab" | "wrong principal" => (&own, &given.keytab),
            "ticket" => (&given.cache, &nobody),
            "expired ticket" => (&given.expired, &nobody),
            _ => (&nobody, &nobody),
        };
        let password = if case == "digest" { &right } else { &wrong };
        for (mode, server) in servers {
            if case != "none" && case.starts_with("digest") != mode.starts_with("digest") {
                continue;
            }
            let mut command = Command::new(&login);
            let user = if mechanism == "DIGEST-MD5" { "bob" } else { "-" };
            command.args([&format!("localhost:{}", server.port()), mechanism, service, host, user]);
            command.arg(password).envs(given.realm.env());
            command.env("KRB5CCNAME", format!("FILE:{}", tickets.display()));
            command.env("KRB5_CLIENT_KTNAME", format!("FILE:{}", keytab.display()));
            let (_, output) = process::run(command, None, LIMIT)?;
            let outcome = output.lines().last().unwrap_or_default().to_owned();
            outcomes.insert((case.to_owned(), (*mode).to_owned()), outcome);
        }
    }
    Ok(outcomes)
}

/// The Rust client, as the shell uses it: plain options where there are some, the JAAS file otherwise.
fn run_shell(given: &Given, servers: &BTreeMap<&str, Server>) -> Result<Outcomes, String> {
    let mut outcomes = Outcomes::new();
    let password = |text: &str| given.home.write(text, &format!("{text}\n")).display().to_string();
    for case in CASES {
        for (mode, server) in servers {
            if case != "none" && case.starts_with("digest") != mode.starts_with("digest") {
                continue;
            }
            let address = format!("localhost:{}", server.port());
            let (keytab, cache) =
                (given.keytab.display().to_string(), format!("FILE:{}", given.cache.display()));
            let expired = format!("FILE:{}", given.expired.display());
            let login: Vec<&str> = match case {
                "keytab" => vec!["--keytab", &keytab, "--principal", "alice@ZK.TEST"],
                "wrong principal" => {
                    vec!["--keytab", &keytab, "--principal", "alice@ZK.TEST", "--server-principal", OTHER]
                }
                "ticket" => vec!["--ccache", &cache],
                "expired ticket" => vec!["--ccache", &expired],
                "none" => vec![],
                _ => {
                    let right = case == "digest";
                    vec!["--user", "bob", "--password-file", if right { "right" } else { "wrong" }]
                }
            };
            let files = [("right", password(PASSWORD)), ("wrong", password("x"))];
            let login = login.into_iter().map(|word| {
                files.iter().find(|(name, _)| *name == word).map_or(word, |(_, file)| file.as_str())
            });
            let mut command = ox::command(&["shell", "-server", &address, "-waitforconnection"]);
            command.args(login).arg("whoami").envs(given.realm.env());
            command.env_remove("JVMFLAGS").env_remove("CLIENT_JVMFLAGS");
            let (status, output) = process::run(command, None, Duration::from_secs(60))?;
            outcomes.insert((case.to_owned(), (*mode).to_owned()), shell_outcome(status.success(), &output));
        }
    }
    Ok(outcomes)
}

fn shell_outcome(success: bool, output: &str) -> String {
    match output.lines().find_map(|line| line.strip_prefix("sasl: ")) {
        Some(id) => format!("in as {id}"),
        None if success => "anonymous".to_owned(),
        None => {
            let why = output.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
            format!("refused ({})", why.chars().take(60).collect::<String>())
        }
    }
}

/// The outcome without its reason, which clients of different servers word differently.
fn verdict(outcome: &str) -> &str {
    if outcome.starts_with("refused") { "refused" } else { outcome }
}

/// Runs one client's column of the matrix.
type Column = fn(&Given, &BTreeMap<&str, Server>) -> Result<Outcomes, String>;

fn clients() -> [(&'static str, Column); 5] {
    [
        ("Java 3.8.6", |g, s| run_java(Kind::Java386, g, s)),
        ("Java 3.9.5", |g, s| run_java(Kind::Java395, g, s)),
        ("C client", run_c),
        ("kazoo", run_kazoo),
        ("oxkeeper shell", run_shell),
    ]
}

/// What a client met, case by case, and where ours differs from Java's.
fn compare(client: &str, theirs: &Outcomes, ours: &Outcomes, wrong: &mut Vec<String>) {
    for ((case, mode), java) in theirs {
        let missing = "no outcome".to_owned();
        let own = ours.get(&(case.clone(), mode.clone())).unwrap_or(&missing);
        println!("{client:<15} {case:<22} {mode:<16} {:<26} {:<26}", verdict(java), verdict(own));
        let stricter =
            STRICTER.contains(&(client, case.as_str(), mode.as_str())) && verdict(own) == "refused";
        if verdict(java) != verdict(own) && !stricter {
            wrong.push(format!("{client}, {case}, {mode}: Java's server: {java}; ours: {own}"));
        }
        let id = match case.as_str() {
            "keytab" => "in as alice@ZK.TEST",
            "ticket" => "in as bob@ZK.TEST",
            "digest" => "in as bob",
            _ => continue,
        };
        if java != id {
            wrong.push(format!("{client}, {case}, {mode}: the control proves nothing: {java}"));
        }
    }
    let asked = CASES.len() * 2 + 2;
    if theirs.len() != asked {
        wrong.push(format!("{client}: {} outcomes of {asked} on Java's server", theirs.len()));
    }
}

#[test]
fn every_client_meets_with_us_what_it_meets_with_java() {
    let part = "logins of all clients";
    need!(part, java::classpath(Kind::Java395));
    need!(part, java::classpath(Kind::Java386));
    let (given, keytab) = need!(part, Given::new());
    let theirs = servers(Kind::Java395, &given, &keytab).expect("Java's servers come up");
    let ours = servers(OURS, &given, &keytab).expect("our servers come up");
    println!("{:<15} {:<22} {:<16} {:<26} {:<26}", "client", "case", "server", "Java's server", "Oxkeeper");
    let mut wrong = Vec::new();
    for (client, run) in clients() {
        let control = match run(&given, &theirs) {
            Ok(outcomes) => outcomes,
            Err(why) => {
                skip::not_run(&format!("logins of {client}"), &why);
                continue;
            }
        };
        let own = run(&given, &ours).expect("it ran against Java's server");
        compare(client, &control, &own, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
