//! Where the programs play: a secure ensemble, principals with their credentials, and the classes of the tests.
//!
//! # Invariants
//! * Both kinds of server get the same configuration; clients get the same flags.
//! * Ids are short names, as Hadoop's documentation has them: the servers take host and realm off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::actor::{Actor, LIMIT};
use crate::harness::site::REALM;
use crate::harness::{Group, Plan, Security};
use crate::support::dirs::Dir;
use crate::support::{Kind, cache, ox, ports, process};

/// Short name and principal of everybody; the last one is a stranger to all others.
const PEOPLE: [(&str, &str); 5] = [
    ("hdfs", "hdfs/nn.zk.test"),
    ("yarn", "yarn/rm.zk.test"),
    ("hbase", "hbase/rs.zk.test"),
    ("kafka", "kafka/broker.zk.test"),
    ("bob", "bob"),
];

/// Sessions of the programs: short, since the tests wait for the end of some.
pub const SESSION_MS: u32 = 10_000;

/// How programs log in and connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// By a ticket cache, else by keytab.
    pub ticket: bool,
    /// Through TLS.
    pub tls: bool,
}

/// Jars and compiled programs.
pub struct Tools {
    classes: Dir,
    jars: String,
    /// Jars of the broker.
    pub kafka: PathBuf,
}

impl Tools {
    /// Finds the jars and compiles the programs.
    ///
    /// # Errors
    /// What the cache lacks.
    pub fn prepare() -> Result<Tools, String> {
        let (hadoop, hbase) = (cache::jars("hadoop-3.4.1")?, cache::jars("hbase-2.5.11")?);
        let kafka = cache::jars("kafka-3.9.1")?;
        let tools = Tools {
            classes: Dir::new("hadoop"),
            jars: format!("{}/*:{}/*", hadoop.display(), hbase.display()),
            kafka,
        };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/hadoop");
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-proc:none", "-cp", &tools.jars, "-d"]).arg(tools.classes.path());
        javac.args(["Actor.java", "Zkfc.java", "Rm.java", "Base.java"].map(|name| sources.join(name)));
        match process::run(javac, None, LIMIT)? {
            (status, _) if status.success() => Ok(tools),
            (_, output) => panic!("the programs do not compile:\n{output}"),
        }
    }

    /// The class path of Hadoop's and HBase's programs.
    fn classpath(&self) -> String {
        format!("{}:{}:{}", self.classes.path().display(), cache::java_conf().display(), self.jars)
    }
}

/// A running ensemble and what its clients have.
pub struct Field<'a> {
    /// The ensemble.
    pub group: Group,
    /// How its clients come.
    pub way: Way,
    /// The programs.
    pub tools: &'a Tools,
    /// Configurations and logs.
    pub dir: Dir,
    kind: Kind,
    secure: Vec<u16>,
    keytabs: BTreeMap<&'static str, PathBuf>,
    caches: BTreeMap<&'static str, PathBuf>,
    notes: Vec<String>,
}

impl<'a> Field<'a> {
    /// Three servers of `kind` with Kerberos and TLS on all ports.
    ///
    /// # Errors
    /// What this machine lacks, or the logs of an ensemble that does not serve.
    pub fn start(kind: Kind, way: Way, tools: &'a Tools) -> Result<Field<'a>, String> {
        let lines = ["kerberos.removeHostFromPrincipal=true", "kerberos.removeRealmFromPrincipal=true"];
        let mut plan = Plan::of(&[kind; 3]).secured(Security::FULL);
        plan.lines = lines.map(str::to_owned).to_vec();
        let mut group = Group::new(&plan)?;
        let mut secure = Vec::new();
        for id in group.ids() {
            let port = ports::lasting();
            let lines = if way.tls { tls_lines(&group, port) } else { Vec::new() };
            group.member(id).lines = lines;
            secure.push(port);
            group.launch(id)?;
        }
        group.wait_all()?;
        let realm = group.site.realm().ok_or("no realm")?;
        let (mut keytabs, mut caches) = (BTreeMap::new(), BTreeMap::new());
        for (who, principal) in PEOPLE {
            let keytab = realm.keytab(&[principal])?;
            caches.insert(who, realm.kinit_keytab(principal, &keytab, &[])?);
            keytabs.insert(who, keytab);
        }
        let (dir, notes) = (Dir::new("field"), Vec::new());
        Ok(Field { group, way, tools, dir, kind, secure, keytabs, caches, notes })
    }

    /// Notes what must be the same with every kind of server.
    pub fn note(&mut self, what: &str, came: &str) {
        let note = format!("{what}: {came}");
        println!("{:?}: {note}", self.kind);
        self.notes.push(note);
    }

    /// All notes.
    pub fn into_notes(self) -> Vec<String> {
        self.notes
    }

    /// What the programs connect to.
    pub fn servers(&self) -> String {
        let secure = || self.secure.iter().map(|port| format!("localhost:{port}")).collect();
        let all: Vec<String> = if self.way.tls { secure() } else { self.group.addresses() };
        all.join(",")
    }

    /// A principal's keytab.
    pub fn keytab(&self, who: &str) -> &Path {
        &self.keytabs[who]
    }

    /// The full name of a principal.
    pub fn principal(who: &str) -> String {
        let found = PEOPLE.iter().find(|(short, _)| *short == who).expect("somebody of ours");
        format!("{}@{REALM}", found.1)
    }

    /// A JAAS file with the section `Client` for a principal.
    pub fn jaas(&self, who: &str) -> PathBuf {
        let login = if self.way.ticket {
            format!("useTicketCache=true doNotPrompt=true ticketCache=\"{}\"", self.caches[who].display())
        } else {
            format!(
                "useKeyTab=true storeKey=true useTicketCache=false keyTab=\"{}\"",
                self.keytabs[who].display()
            )
        };
        let module = "com.sun.security.auth.module.Krb5LoginModule required";
        let text = format!("Client {{ {module} {login} principal=\"{}\"; }};\n", Self::principal(who));
        self.dir.write(&format!("{who}.jaas"), &text)
    }

    /// `java` with the flags of a client of `who`.
    pub fn java(&self, who: &str, jaas: bool) -> Command {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]);
        java.arg(format!("-Dzookeeper.server.principal=zookeeper/localhost@{REALM}"));
        if jaas {
            java.arg(format!("-Djava.security.auth.login.config={}", self.jaas(who).display()));
        }
        if let Some(pki) = self.group.site.pki().filter(|_| self.way.tls) {
            // Who has a certificate of its own, too, would be two identities: HBase's check wants one.
            java.arg("-Dzookeeper.client.secure=true");
            java.arg("-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty");
            java.arg(format!("-Dzookeeper.ssl.trustStore.location={}", pki.path("ca.pem").display()));
        }
        let realm = self.group.site.realm().expect("a realm");
        java.args(realm.java_flags()).envs(realm.env_with(&self.caches[who]));
        java
    }

    /// Starts one of the programs.
    pub fn actor(&self, name: &str, who: &str, jaas: bool, main: &str, conf: &[(&str, String)]) -> Actor {
        let mut java = self.java(who, jaas);
        java.args(["-cp", &self.tools.classpath(), main]);
        java.args(conf.iter().map(|(key, value)| format!("{key}={value}")));
        Actor::start(name, java, self.dir.path())
    }

    /// What a principal is told for one command of the shell.
    pub fn told(&self, who: &str, words: &[&str]) -> String {
        let (servers, keytab) = (self.group.addresses().join(","), self.keytab(who).display().to_string());
        let principal = Self::principal(who);
        let login = ["--keytab", &keytab, "--principal", &principal];
        let mut command = ox::command(&["shell", "-server", &servers, "-waitforconnection"]);
        command.args(login).args(words).envs(self.group.site.env());
        command.env_remove("JVMFLAGS").env_remove("CLIENT_JVMFLAGS");
        let (_, said) = process::run(command, None, LIMIT).unwrap_or_else(|why| panic!("{words:?}: {why}"));
        let noise = ["Connecting to ", "WATCHER::", "WatchedEvent "];
        let lines =
            said.lines().filter(|line| !line.is_empty() && !noise.iter().any(|n| line.starts_with(n)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Notes what a principal is told; it must be a refusal.
    pub fn refused(&mut self, who: &str, words: &[&str]) {
        let told = self.told(who, words);
        assert!(told.starts_with("Insufficient permission"), "{:?}: {who} {words:?}: {told}", self.kind);
        self.note(&format!("{who} {}", words.join(" ")), &told);
    }

    /// The session that holds an ephemeral znode; `None` if there is no such znode.
    pub fn owner(&mut self, who: &str, path: &str) -> Option<String> {
        self.until(&format!("{who} is told of {path}"), |field| {
            let told = field.told(who, &["stat", path]);
            if told.starts_with("Node does not exist") {
                return Some(None);
            }
            // Anything else says nothing of the znode: its server may just have ended.
            let owner = told.lines().find_map(|line| line.strip_prefix("ephemeralOwner = "));
            owner.map(|owner| Some(owner.to_owned()))
        })
    }

    /// The member that serves a session, waited for.
    pub fn server_of(&mut self, session: &str) -> u64 {
        let wanted = format!("sid={session},");
        self.until(&format!("session {session} is served"), |field| {
            let ids = field.group.ids();
            ids.into_iter().find(|id| field.connections(*id).is_ok_and(|answer| answer.contains(&wanted)))
        })
    }

    /// `cons` of a member. Each port tells of its own connections alone.
    fn connections(&self, id: u64) -> Result<String, String> {
        let at = usize::try_from(id).expect("a small number") - 1;
        if !self.way.tls {
            return self.group.members[at].ask("cons");
        }
        let word = self.dir.write("cons", "cons");
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-connect", &format!("localhost:{}", self.secure[at])]);
        process::run(command, Some(&word), LIMIT).map(|(_, answer)| answer)
    }

    /// Ends the server under a session, by SIGKILL or SIGTERM, waits until another one serves it, and starts the first
    /// one again.
    pub fn end_server_under(&mut self, session: &str, kill: bool) {
        let id = self.server_of(session);
        if kill {
            self.group.member(id).kill();
        } else {
            self.group.member(id).stop();
        }
        let other = self.server_of(session);
        assert_ne!(id, other);
        self.group.join(id).unwrap_or_else(|why| panic!("{why}"));
        self.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Kills the leader, waits for another, and starts the first one again.
    pub fn kill_leader(&mut self) {
        let id = self.group.leader(LIMIT).unwrap_or_else(|why| panic!("{why}"));
        self.group.member(id).kill();
        self.group.leader(LIMIT).unwrap_or_else(|why| panic!("{why}"));
        self.group.join(id).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Waits until something is so.
    pub fn until<T>(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = so(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{:?}: never: {what}\n{}", self.kind, self.group.logs());
            sleep(Duration::from_millis(50));
        }
    }
}

/// A TLS port for clients, beside the plain one. Java's server needs its Netty factory for it.
fn tls_lines(group: &Group, port: u16) -> Vec<String> {
    let pki = group.site.pki().expect("an authority");
    let path = |name: &str| pki.path(name).display().to_string();
    vec![
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory".to_owned(),
        format!("secureClientPort={port}"),
        "secureClientPortAddress=127.0.0.1".to_owned(),
        format!("ssl.keyStore.location={}", path("server.pem")),
        format!("ssl.trustStore.location={}", path("ca.pem")),
        "ssl.clientAuth=want".to_owned(),
        // Clients of 3.8 offer 1.2 alone, servers of 3.9 take 1.3 alone unless they are told.
        "ssl.enabledProtocols=TLSv1.3,TLSv1.2".to_owned(),
    ]
}
