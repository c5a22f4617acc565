//! The load of our own client, in a process of its own: libkrb5 reads its configuration from the environment, and a
//! load that is killed or stalls must not be the test.
//!
//! # Invariants
//! * A write whose answer did not come is recorded as of unknown outcome, never left out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oxkeeper::client::{
    Client, ClientConfig, ClientError, EventType, Events, KeeperState, LoginOptions, OutwardSasl,
    SessionState,
};
use oxkeeper::error::Code;
use oxkeeper::types::{Acl, CreateMode};

use super::history::{Act, Op, now};
use super::load::{KEYS, ROOT, stop_file};
use super::site::{REALM, Site, USER};

const TASK: &str = "OXKEEPER_LOAD";
const KEYTAB: &str = "OXKEEPER_LOAD_KEYTAB";

/// This test binary as a load.
pub fn command(args: &[String]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    let name = concat!(module_path!(), "::does_its_load");
    // Paths of tests begin behind the name of the crate.
    let test = name.split_once("::").map_or(name, |(_, test)| test);
    command.args(["--exact", test, "--nocapture"]).env(TASK, args.join("\t"));
    command
}

/// Where the load finds its login.
pub fn login_env(site: &Site) -> Vec<(String, String)> {
    site.client_keytab().map(|path| (KEYTAB.to_owned(), path.display().to_string())).into_iter().collect()
}

/// Makes the load that its parent asks for; without a parent there is nothing to do.
#[test]
fn does_its_load() {
    let task = std::env::var(TASK).unwrap_or_default();
    let words: Vec<&str> = task.split('\t').collect();
    let [name, servers, clients, pause, session, file] = words.as_slice() else {
        return assert_eq!(task, "", "an unknown task");
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let plan = Plan {
        name: (*name).to_owned(),
        servers: servers.split(',').map(str::to_owned).collect(),
        pause: Duration::from_millis(number(pause)),
        session: Duration::from_millis(number(session)),
        stop: stop_file(Path::new(file)),
        out: Arc::new(Mutex::new(BufWriter::new(File::create(file).expect("the history's file")))),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        Hand { plan: plan.clone(), n: 0, seed: 0, done: 0 }.prepare().await;
        let clients: Vec<_> = (0..number(clients) as usize)
            .map(|n| tokio::spawn(Hand { plan: plan.clone(), n, seed: n as u64 + 1, done: 0 }.run()))
            .collect();
        for client in clients {
            client.await.expect("a client");
        }
    });
}

#[derive(Clone)]
struct Plan {
    name: String,
    servers: Vec<String>,
    pause: Duration,
    session: Duration,
    stop: PathBuf,
    out: Arc<Mutex<BufWriter<File>>>,
}

impl Plan {
    fn record(&self, op: &Op) {
        let mut line = serde_json::to_string(op).expect("JSON");
        line.push('\n');
        let mut out = self.out.lock().expect("the writer");
        // Flushed at once: the parent reads along.
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the history's file");
    }
}

/// One client.
struct Hand {
    plan: Plan,
    n: usize,
    seed: u64,
    done: u64,
}

impl Hand {
    async fn run(mut self) {
        while !self.plan.stop.exists() {
            let (client, events) = Client::start(self.config());
            let follow = tokio::spawn(follow(self.plan.clone(), self.name(), client.clone(), events));
            let expired = self.session(&client).await;
            if !expired {
                client.close().await;
            }
            follow.abort();
        }
    }

    /// Makes the znodes of the load, unless another load has.
    async fn prepare(&self) {
        let (client, _) = Client::start(self.config());
        let names = (0..KEYS).map(|n| format!("{ROOT}/r{n}"));
        for path in [ROOT.to_owned(), format!("{ROOT}/c")].into_iter().chain(names) {
            while !self.plan.stop.exists() {
                match client.create(&path, Some(b""), &[Acl::open()], CreateMode::Persistent).await {
                    Ok(_) | Err(ClientError::Refused { code: Code::NodeExists, .. }) => break,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        }
        client.close().await;
    }

    fn name(&self) -> String {
        format!("{}-{}", self.plan.name, self.n)
    }

    fn config(&self) -> ClientConfig {
        let mut servers = self.plan.servers.clone();
        let count = servers.len().max(1);
        servers.rotate_left(self.n % count);
        let config = ClientConfig::new(&servers.join(",")).expect("addresses");
        let mut config = config.timeout(self.plan.session);
        config.shuffle = false;
        if let Ok(keytab) = std::env::var(KEYTAB) {
            let login = LoginOptions {
                keytab: Some(keytab.into()),
                principal: Some(format!("{USER}@{REALM}")),
                ..LoginOptions::default()
            };
            let outward = login.outward(&|path: &Path| std::fs::read(path)).expect("a login");
            config.sasl = outward.map(|outward| Arc::new(OutwardSasl::new(outward)) as _);
        }
        config
    }

    /// One session, until the load ends (false) or it expires (true).
    async fn session(&mut self, client: &Client) -> bool {
        while !self.plan.stop.exists() {
            if client.wait_connected(Duration::from_millis(500)).await.is_err() {
                match client.state() {
                    SessionState::Over(why) => return self.over(&why),
                    _ => continue,
                }
            }
            self.step(client).await;
            tokio::time::sleep(self.plan.pause).await;
        }
        false
    }

    fn over(&self, why: &ClientError) -> bool {
        let op = Op { failure: why.to_string(), end: Some(now()), ..self.op(Act::Expired, String::new(), 0) };
        self.plan.record(&op);
        true
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn op(&self, act: Act, key: String, session: i64) -> Op {
        let (client, begin) = (self.name(), now());
        let (value, failure) = (String::new(), String::new());
        Op { client, session, act, key, value, begin, end: None, zxid: 0, version: 0, failure }
    }

    async fn step(&mut self, client: &Client) {
        let session = session_of(client);
        let key = format!("{ROOT}/r{}", self.random(KEYS as u64));
        let choice = self.random(100);
        self.done += 1;
        let value = format!("{}-{}", self.name(), self.done);
        let done = match choice {
            0..45 => self.read(client, key, session).await,
            45..80 => {
                let mut op = Op { value, ..self.op(Act::Set, key, session) };
                let answer = client.set(&op.key, Some(op.value.as_bytes()), -1).await;
                took(&mut op, answer.map(|stat| (stat.mzxid, stat.version)));
                op
            }
            80..90 => self.conditional(client, key, value, session).await,
            _ => {
                let path = format!("{ROOT}/c/{value}");
                let mut op = Op { value: path.clone(), ..self.op(Act::Create, path, session) };
                let made = client.create2(&op.key, Some(b"c"), &[Acl::open()], CreateMode::Persistent).await;
                took(&mut op, made.map(|(_, stat)| (stat.czxid, 0)));
                op
            }
        };
        self.plan.record(&done);
    }

    async fn read(&self, client: &Client, key: String, session: i64) -> Op {
        let mut op = self.op(Act::Get, key, session);
        let answer = client.get(&op.key, false).await;
        if let Ok((data, _)) = &answer {
            op.value = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
        }
        took(&mut op, answer.map(|(_, stat)| (stat.mzxid, stat.version)));
        op
    }

    /// Reads the version, records that, and writes if it is still the one.
    async fn conditional(&self, client: &Client, key: String, value: String, session: i64) -> Op {
        let read = self.read(client, key.clone(), session).await;
        if !read.done() {
            return read;
        }
        self.plan.record(&read);
        let mut op = Op { value, ..self.op(Act::Cas, key, session) };
        let answer = client.set(&op.key, Some(op.value.as_bytes()), read.version).await;
        took(&mut op, answer.map(|stat| (stat.mzxid, stat.version)));
        if op.done() && op.version != read.version + 1 {
            op.failure = format!("the condition was {} and the version is {}", read.version, op.version);
        }
        op
    }
}

/// Notes what came back.
fn took(op: &mut Op, answer: Result<(i64, i32), ClientError>) {
    let at = now();
    match answer {
        Ok((zxid, version)) => (op.end, op.zxid, op.version) = (Some(at), zxid, version),
        Err(ClientError::Refused { code, .. }) if code != Code::ConnectionLoss => {
            (op.end, op.failure) = (Some(at), format!("{code:?}"));
        }
        // Nothing was sent.
        Err(ClientError::Unreachable(why)) => (op.end, op.failure) = (Some(at), why),
        Err(why) => op.failure = why.to_string(),
    }
}

fn session_of(client: &Client) -> i64 {
    match client.state() {
        SessionState::Connected { credentials, .. } => credentials.id.0,
        _ => 0,
    }
}

/// Records every connect, so that a test can tell a session that moved from one that ended.
async fn follow(plan: Plan, name: String, client: Client, mut events: Events) {
    while let Some(event) = events.recv().await {
        if event.kind == EventType::None && event.state == KeeperState::SyncConnected {
            let (begin, session) = (now(), session_of(&client));
            let (key, value, failure) = (String::new(), String::new(), String::new());
            let act = Act::Connected;
            let client = name.clone();
            let end = Some(begin);
            plan.record(&Op { client, session, act, key, value, begin, end, zxid: 0, version: 0, failure });
        }
    }
}
