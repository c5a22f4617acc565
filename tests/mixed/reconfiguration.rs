//! Reconfigurations of running ensembles, and what they leave in the configuration files: the same
//! story told to three Java servers, to three Oxkeepers, and to both in one ensemble.
//!
//! The story: three members start without a dynamic file, a fourth joins, a follower leaves.
//!
//! # Invariants
//! * Every member writes the same files, whoever leads: names, contents of dynamic files to the byte (but for
//!   ports), keys and values of zoo.cfg.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::need;
use crate::support::process::{Process, run};
use crate::support::{Kind, fourlw, java, ox, ports};

const LIMIT: Duration = Duration::from_secs(60);

/// Names of files, and what stands in them, by member.
type Files = BTreeMap<usize, BTreeMap<String, Vec<String>>>;

struct Member {
    kind: Kind,
    dir: PathBuf,
    process: Option<Process>,
}

struct Ensemble {
    members: BTreeMap<usize, Member>,
    ports: BTreeMap<usize, u16>,
    _root: tempfile::TempDir,
}

impl Ensemble {
    fn new(kinds: [Kind; 4]) -> Ensemble {
        let root = tempfile::tempdir().expect("a folder");
        let real = fs::canonicalize(root.path()).expect("its real path");
        let ports: BTreeMap<usize, u16> = (1..=4).map(|id| (id, ports::block(3))).collect();
        let line = |id: usize| {
            let port = ports[&id];
            format!("server.{id}=127.0.0.1:{}:{}", port + 1, port + 2)
        };
        let mut members = BTreeMap::new();
        for (id, kind) in (1..=4).zip(kinds) {
            let dir = real.join(id.to_string());
            fs::create_dir_all(dir.join("data")).expect("a folder");
            fs::write(dir.join("data/myid"), id.to_string()).expect("myid");
            let mut cfg = String::from("# written by hand\ntickTime=500\ninitLimit=20\nsyncLimit=10\n");
            cfg += &format!("dataDir={}\nclientPort={}\n", dir.join("data").display(), ports[&id]);
            cfg += "reconfigEnabled=true\nskipACL=yes\nadmin.enableServer=false\n4lw.commands.whitelist=*\n";
            for other in 1..=3 {
                cfg += &(line(other) + "\n");
            }
            if id == 4 {
                cfg += &(line(4) + "\n");
            }
            fs::write(dir.join("zoo.cfg"), cfg).expect("zoo.cfg");
            members.insert(id, Member { kind, dir, process: None });
        }
        Ensemble { members, ports, _root: root }
    }

    fn start(&mut self, id: usize) -> Result<(), String> {
        let member = self.members.get_mut(&id).ok_or("no such member")?;
        let cfg = member.dir.join("zoo.cfg");
        let command = match member.kind {
            Kind::Oxkeeper => {
                let mut command = Command::new(ox::binary());
                command.arg("serve").arg(&cfg);
                command
            }
            kind => {
                let mut command = java::java(kind)?;
                command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(&cfg);
                command
            }
        };
        let log = member.dir.join("log.txt");
        member.process = Some(Process::start(command, &log).map_err(|e| e.to_string())?);
        Ok(())
    }

    fn address(&self, id: usize) -> String {
        format!("127.0.0.1:{}", self.ports[&id])
    }

    fn mode(&self, id: usize) -> Option<String> {
        let answer = fourlw::ask(self.ports[&id], "srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ").map(str::to_owned))
    }

    /// The leader, once all of these serve.
    fn leader(&self, ids: &[usize]) -> usize {
        self.wait("an ensemble", || {
            let modes: Vec<_> = ids.iter().map(|&id| self.mode(id)).collect();
            let at = modes.iter().position(|mode| mode.as_deref() == Some("leader"))?;
            modes.iter().all(Option::is_some).then(|| ids[at])
        })
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if let Some(found) = look() {
                return found;
            }
            sleep(Duration::from_millis(100));
        }
        let logs = self.members.values().map(|m| m.process.as_ref().map(Process::log).unwrap_or_default());
        panic!("no {what} within {LIMIT:?}:\n{}", logs.collect::<Vec<_>>().join("\n----\n"));
    }

    /// Asks member 1 until it agrees: a joiner may not be in step yet.
    fn reconfig(&self, how: [&str; 2]) {
        self.wait("new configuration", || {
            let address = self.address(1);
            let command = ox::command(&["shell", "-server", &address, "reconfig", how[0], how[1]]);
            let (_, said) = run(command, None, LIMIT).ok()?;
            said.contains("Committed new configuration").then_some(())
        });
    }

    /// Every one of these members names a dynamic file that lists exactly `listed`.
    fn settled(&self, ids: &[usize], listed: &[usize]) {
        let listed: BTreeSet<String> = listed.iter().map(|id| format!("server.{id}")).collect();
        let done = |id: &usize| {
            let cfg = fs::read_to_string(self.members[id].dir.join("zoo.cfg")).ok()?;
            let named = cfg.lines().find_map(|line| line.strip_prefix("dynamicConfigFile="))?;
            let text = fs::read_to_string(named).ok()?;
            let found = text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key.to_owned());
            let next = self.members[id].dir.join("zoo.cfg.dynamic.next");
            (found.collect::<BTreeSet<_>>() == listed && !next.exists()).then_some(())
        };
        self.wait("written configuration", || ids.iter().all(|id| done(id).is_some()).then_some(()));
    }

    /// Files without what differs between two runs: ports, folders, zxids, order within zoo.cfg.
    fn files(&self) -> Files {
        let mut versions = BTreeSet::new();
        let names = |member: &Member| -> Vec<String> {
            let entries = fs::read_dir(&member.dir).expect("a folder").flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.filter(|name| name.starts_with("zoo.cfg")).collect()
        };
        for member in self.members.values() {
            versions.extend(
                names(member)
                    .iter()
                    .filter_map(|name| u64::from_str_radix(name.strip_prefix("zoo.cfg.dynamic.")?, 16).ok()),
            );
        }
        let plain = |text: &str, dir: &PathBuf| {
            let mut text = text.replace(&dir.display().to_string(), "DIR");
            for (i, version) in versions.iter().enumerate() {
                text = text.replace(&format!("dynamic.{version:x}"), &format!("dynamic.V{i}"));
            }
            for (id, port) in &self.ports {
                for (port, name) in [(*port, "CLIENT"), (port + 1, "QUORUM"), (port + 2, "ELECTION")] {
                    text = text.replace(&port.to_string(), &format!("{name}{id}"));
                }
            }
            text
        };
        let read = |member: &Member| {
            let files = names(member).into_iter().map(|name| {
                let text = fs::read_to_string(member.dir.join(&name)).expect("a file");
                let mut lines: Vec<String> =
                    plain(&text, &member.dir).split('\n').map(str::to_owned).collect();
                if name == "zoo.cfg" {
                    lines.retain(|line| !line.is_empty() && !line.starts_with('#'));
                    lines.sort();
                }
                (plain(&name, &member.dir), lines)
            });
            files.collect::<BTreeMap<_, _>>()
        };
        self.members.iter().map(|(&id, member)| (id, read(member))).collect()
    }
}

fn story(kinds: [Kind; 4]) -> Result<Files, String> {
    let mut ensemble = Ensemble::new(kinds);
    for id in 1..=3 {
        ensemble.start(id)?;
    }
    let leader = ensemble.leader(&[1, 2, 3]);
    ensemble.settled(&[1, 2, 3], &[1, 2, 3]);
    ensemble.start(4)?;
    ensemble.leader(&[1, 2, 3, 4]);
    let port = ensemble.ports[&4];
    let joiner = format!("server.4=127.0.0.1:{}:{};127.0.0.1:{port}", port + 1, port + 2);
    ensemble.reconfig(["-add", &joiner]);
    ensemble.settled(&[1, 2, 3, 4], &[1, 2, 3, 4]);
    // Whoever leads stays; which follower leaves is nothing that the files of others tell.
    let leaves = if leader == 2 { 3 } else { 2 };
    ensemble.reconfig(["-remove", &leaves.to_string()]);
    let stay: Vec<usize> = (1..=4).filter(|id| *id != leaves).collect();
    ensemble.settled(&[1, 2, 3, 4], &stay);
    let mut files = ensemble.files();
    let gone = (format!("QUORUM{leaves}"), format!("server.{leaves}="));
    for lines in files.values_mut().flat_map(|files| files.values_mut()) {
        // The one that leaves may be another one.
        let others = if leaves == 2 { 3 } else { 2 };
        lines.retain(|line| !line.contains(&gone.0) && !line.contains(&format!("server.{others}=")));
    }
    Ok(files)
}

#[test]
fn java_and_oxkeeper_write_the_same_files() {
    let _turn = crate::turn();
    let (java, ox) = (Kind::Java395, Kind::Oxkeeper);
    need!("reconfiguration beside Java", java::classpath(java));
    let expected = story([java; 4]).expect("an ensemble");
    assert!(expected[&4].keys().any(|name| name.contains("dynamic.V")), "{expected:?}");
    let stories = [[ox, ox, java, ox], [ox; 4], [java, java, ox, java]];
    for kinds in stories.into_iter().take(if crate::full() { 3 } else { 1 }) {
        let found = story(kinds).expect("an ensemble");
        assert_eq!(found, expected, "{kinds:?}");
    }
}
