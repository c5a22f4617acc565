//! What clients hold while servers are replaced: ephemeral znodes, watches, locks.
//!
//! # Invariants
//! * Every ephemeral keeps its owner, every change fires each watch on it once, and a lock has one holder at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use oxkeeper::client::{Blocking, ClientConfig, ClientError, EventType, Events};
use oxkeeper::proto::AddWatchMode;
use oxkeeper::types::{Acl, CreateMode};
use serde::Deserialize;

use crate::harness::load::stop_file;
use crate::support::cache;
use crate::support::process::Process;

const EPHEMERALS: usize = 10;
const WATCHED: usize = 5;
const LIMIT: Duration = Duration::from_secs(60);

/// A session with ephemerals, one with watches, and one that changes what is watched.
pub struct Held {
    owner: Blocking,
    watcher: Blocking,
    events: Events,
    changer: Blocking,
    /// Session that owns the ephemerals.
    session: i64,
    changes: u32,
}

impl Held {
    /// Makes everything on these servers.
    ///
    /// # Errors
    /// A request that was not answered with success.
    pub fn new(servers: &str) -> Result<Held, String> {
        let connect = || {
            let config = ClientConfig::new(servers)?.timeout(Duration::from_secs(30));
            Blocking::connect(config)
        };
        let (owner, _) = connect().map_err(|e| e.to_string())?;
        let (watcher, events) = connect().map_err(|e| e.to_string())?;
        let (changer, _) = connect().map_err(|e| e.to_string())?;
        let mut held = Held { owner, watcher, events, changer, session: 0, changes: 0 };
        held.make().map_err(|e| e.to_string())?;
        Ok(held)
    }

    fn make(&mut self) -> Result<(), ClientError> {
        let open = [Acl::open()];
        let (owner, changer) = (self.owner.client(), self.changer.client());
        self.owner.wait(async {
            owner.create("/held", None, &open, CreateMode::Persistent).await?;
            for n in 0..EPHEMERALS {
                owner.create(&format!("/held/e{n}"), Some(b"mine"), &open, CreateMode::Ephemeral).await?;
            }
            owner.create("/held/queue-", None, &open, CreateMode::EphemeralSequential).await
        })?;
        self.changer.wait(async {
            for n in 0..WATCHED {
                changer.create(&format!("/held/w{n}"), None, &open, CreateMode::Persistent).await?;
            }
            Ok::<_, ClientError>(())
        })?;
        self.watcher.wait(self.watcher.client().add_watch("/held", AddWatchMode::Persistent))?;
        let stat = self.again(|held| held.owner.wait(held.owner.client().exists("/held/e0", false)))?;
        self.session = stat.map_or(0, |s| s.ephemeral_owner);
        self.arm()
    }

    /// Sets the one-shot watches.
    fn arm(&self) -> Result<(), ClientError> {
        (0..WATCHED).try_for_each(|n| {
            let path = format!("/held/w{n}");
            self.again(|held| held.watcher.wait(held.watcher.client().get(&path, true))).map(drop)
        })
    }

    /// Tries until an answer comes: while a server is replaced a connection may be lost.
    fn again<T>(&self, ask: impl Fn(&Held) -> Result<T, ClientError>) -> Result<T, ClientError> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match ask(self) {
                Err(ClientError::ConnectionLost(_) | ClientError::Unreachable(_))
                    if Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                other => return other,
            }
        }
    }

    /// Shows that everything is still held: every ephemeral of its owner, one event for each watch and change.
    ///
    /// # Errors
    /// What is not.
    pub fn show(&mut self) -> Result<(), String> {
        for n in 0..EPHEMERALS {
            let path = format!("/held/e{n}");
            let stat = self.again(|held| held.changer.wait(held.changer.client().exists(&path, false)));
            match stat.map_err(|e| e.to_string())? {
                Some(stat) if stat.ephemeral_owner == self.session => {}
                other => return Err(format!("{path} of session 0x{:x}: {other:?}", self.session)),
            }
        }
        while self.events.try_recv().is_ok() {}
        self.changes += 1;
        let value = self.changes.to_string();
        for n in 0..WATCHED {
            let path = format!("/held/w{n}");
            let set = |held: &Held| {
                held.changer.wait(held.changer.client().set(&path, Some(value.as_bytes()), -1)).map(drop)
            };
            self.again(set).map_err(|e| e.to_string())?;
        }
        // A persistent watch of children: one event for a znode that comes.
        let path = format!("/held/child-{value}");
        let made = self.again(|held| {
            let open = [Acl::open()];
            let make = held.changer.client().create(&path, None, &open, CreateMode::Persistent);
            match held.changer.wait(make) {
                Err(ClientError::Refused { code: oxkeeper::error::Code::NodeExists, .. }) | Ok(_) => Ok(()),
                Err(e) => Err(e),
            }
        });
        made.map_err(|e| e.to_string())?;
        self.events_of_a_change()?;
        self.arm().map_err(|e| e.to_string())
    }

    /// Exactly one event for each one-shot watch, at least one of the persistent one.
    fn events_of_a_change(&mut self) -> Result<(), String> {
        let (mut seen, mut children) = (BTreeMap::<String, usize>::new(), 0);
        let deadline = Instant::now() + LIMIT;
        while seen.len() < WATCHED || children == 0 {
            match self.events.try_recv() {
                Ok(event) if event.kind == EventType::NodeDataChanged => {
                    *seen.entry(event.path.unwrap_or_default()).or_default() += 1;
                }
                Ok(event) if event.kind == EventType::NodeChildrenChanged => children += 1,
                Ok(_) => {}
                Err(_) if Instant::now() > deadline => {
                    return Err(format!(
                        "events of change {}: {seen:?}, of children {children}",
                        self.changes
                    ));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        let twice: Vec<_> = seen.iter().filter(|(_, count)| **count != 1).collect();
        if twice.is_empty() { Ok(()) } else { Err(format!("a watch fired more than once: {twice:?}")) }
    }

    /// Ends the sessions; the ephemerals must go with their owner.
    ///
    /// # Errors
    /// One that stayed.
    pub fn end(self) -> Result<(), String> {
        self.owner.close();
        for n in 0..EPHEMERALS {
            let path = format!("/held/e{n}");
            // Behind everything that was committed before.
            let look = || {
                self.changer.wait(async {
                    self.changer.client().sync("/held").await?;
                    self.changer.client().exists(&path, false).await
                })
            };
            if let Some(stat) = look().map_err(|e| e.to_string())? {
                return Err(format!("{path} outlives its session: {stat:?}"));
            }
        }
        self.watcher.close();
        self.changer.close();
        Ok(())
    }
}

/// Clients of kazoo that contend for one lock.
pub struct Locks {
    process: Process,
    file: PathBuf,
}

/// One who held the lock.
#[derive(Deserialize)]
struct Turn {
    who: String,
    begin: u64,
    end: u64,
}

impl Locks {
    /// Starts them on these servers.
    ///
    /// # Errors
    /// Why this machine has no kazoo.
    pub fn start(servers: &str, dir: &Path) -> Result<Locks, String> {
        let file = dir.join("locks");
        let mut command = Command::new(cache::kazoo_python()?);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mixed/locks.py"));
        command.arg(servers).arg(&file).arg(stop_file(&file));
        let process = Process::start(command, &dir.join("locks.log")).map_err(|e| format!("locks: {e}"))?;
        Ok(Locks { process, file })
    }

    /// Ends them; how often the lock was held, never by two at once.
    ///
    /// # Errors
    /// Two held it at once, a session was lost, or a client failed.
    pub fn stop(mut self) -> Result<usize, String> {
        std::fs::write(stop_file(&self.file), "").map_err(|e| e.to_string())?;
        match self.process.wait(LIMIT) {
            Some(status) if status.success() => {}
            other => return Err(format!("locks: {other:?}\n{}", self.process.log())),
        }
        let text = std::fs::read_to_string(&self.file).map_err(|e| e.to_string())?;
        let turns: Result<Vec<Turn>, _> = text.lines().map(serde_json::from_str).collect();
        let mut turns = turns.map_err(|e| format!("{e}:\n{text}"))?;
        turns.sort_by_key(|turn| turn.begin);
        match turns.windows(2).find(|pair| pair[0].end > pair[1].begin) {
            Some([a, b]) => {
                Err(format!("{} held the lock until {} and {} from {}", a.who, a.end, b.who, b.begin))
            }
            Some(_) => Err("a pair is two".to_owned()),
            None => Ok(turns.len()),
        }
    }
}
