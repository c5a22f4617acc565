//! What the server tells systemd, and what SIGHUP does, with this test in systemd's place.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::dirs::Dir;
use crate::support::server::{Kind, Server, Spec};
use crate::support::{fourlw, ox, ports};

/// What may take no longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// systemd's end of the notification socket.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _dir: Dir,
}

impl Manager {
    fn new() -> Manager {
        let dir = Dir::new("notify");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Manager { socket, path, _dir: dir }
    }

    /// A server of this manager, with a watchdog of so many seconds.
    fn spec(&self, watchdog: u64) -> Spec {
        let mut spec = Spec::new();
        spec.env.push(("NOTIFY_SOCKET".to_owned(), self.path.display().to_string()));
        spec.env.push(("WATCHDOG_USEC".to_owned(), (watchdog * 1_000_000).to_string()));
        spec
    }

    /// The next message within a time.
    fn next(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).expect("set");
        let mut bytes = [0; 4096];
        let n = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..n]).into_owned())
    }

    /// Waits for a message with this line; what came before it.
    fn until(&self, line: &str) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        let mut before = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next(left).unwrap_or_else(|| panic!("no {line} after {before:?}"));
            let found = message.lines().any(|l| l == line);
            before.push(message);
            if found {
                return before;
            }
        }
    }
}

fn status(messages: &[String]) -> &str {
    let lines = messages.iter().flat_map(|message| message.lines());
    lines.filter_map(|line| line.strip_prefix("STATUS=")).next_back().unwrap_or_default()
}

#[test]
fn readiness_signs_of_life_and_the_end_are_told() {
    let manager = Manager::new();
    let mut server = Server::launch(Kind::Oxkeeper, &manager.spec(3)).expect("a server");
    let ready = manager.until("READY=1");
    assert!(fourlw::serves(server.port()), "whoever is told may connect");
    assert!(status(&ready).starts_with("standalone; zxid 0x0, 0 connections"), "{ready:?}");
    for _ in 0..3 {
        manager.until("WATCHDOG=1");
    }
    // A process that stands still gives no sign, and one that goes on does again.
    server.pause();
    while manager.next(Duration::from_millis(200)).is_some() {}
    assert_eq!(manager.next(Duration::from_secs(3)), None, "nobody but the core feeds the watchdog");
    server.resume();
    manager.until("WATCHDOG=1");
    server.process().signal(Signal::TERM);
    let end = manager.until("STOPPING=1");
    assert!(status(&end).starts_with("ending"), "{end:?}");
    assert_eq!(server.process().wait(LIMIT).and_then(|status| status.code()), Some(0), "{}", server.log());
}

#[test]
fn a_member_is_ready_with_the_quorum_if_that_is_asked() {
    let (quorum, election) = (ports::free(), ports::free());
    let (quorum2, election2) = (ports::free(), ports::free());
    let (quorum3, election3) = (ports::free(), ports::free());
    let managers = [Manager::new(), Manager::new()];
    let homes = [Dir::new("member"), Dir::new("member")];
    let start = |n: usize, when: &str| {
        fs::write(homes[n].path().join("myid"), format!("{}", n + 1)).expect("myid");
        let spec = managers[n].spec(3).data_dir(homes[n].path()).cfg("initLimit=10").cfg("syncLimit=5");
        let spec = spec
            .cfg(&format!("server.1=127.0.0.1:{quorum}:{election}"))
            .cfg(&format!("server.2=127.0.0.1:{quorum2}:{election2}"))
            .cfg(&format!("server.3=127.0.0.1:{quorum3}:{election3}"))
            .cfg(&format!("systemd.readyWhen={when}"));
        Server::launch(Kind::Oxkeeper, &spec).expect("a member")
    };
    let first = start(0, "quorum");
    // It lives, and is not ready: the other two are away.
    let mut before = managers[0].until("WATCHDOG=1");
    before.extend(managers[0].until("WATCHDOG=1"));
    assert!(!before.iter().any(|message| message.contains("READY=1")), "{before:?}");
    assert!(status(&before).starts_with("server 1: not serving, looking"), "{before:?}");
    let _second = start(1, "started");
    managers[1].until("READY=1");
    let ready = managers[0].until("READY=1");
    let role = status(&ready);
    assert!(role.starts_with("server 1: follower of 2") || role.starts_with("server 1: leader"), "{role}");
    assert!(role.contains("in epoch 1; zxid 0x"), "{role}");
    assert!(fourlw::serves(first.port()));
}

#[test]
fn a_reload_takes_over_what_can_change_and_names_the_rest() {
    let manager = Manager::new();
    let dir = Dir::new("reload");
    let logging = dir.write("logging", "level=warn\n");
    let spec = manager.spec(30).cfg("4lw.commands.whitelist=ruok").flag("--logging");
    let mut server = ox::start(&spec.flag(logging.to_str().expect("a path"))).expect("a server");
    manager.until("READY=1");
    assert!(server.ask("wchs").contains("not in the whitelist") && !server.log().contains("INFO"));
    let config = server.config().to_path_buf();
    let before = fs::read_to_string(&config).expect("zoo.cfg");
    let after = before
        .replace("whitelist=ruok", "whitelist=ruok,wchs,conf")
        .replace("maxClientCnxns=0", "maxClientCnxns=7");
    fs::write(&config, after.replace("tickTime=2000", "tickTime=3000")).expect("written");
    fs::write(&logging, "level=info\n").expect("written");
    server.process().signal(Signal::HUP);
    let messages = manager.until("RELOADING=1");
    let last = messages.last().expect("a message");
    let micros = last.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(micros.is_some_and(|micros| micros.parse::<u64>().is_ok()), "{last}");
    manager.until("READY=1");
    assert!(server.ask("wchs").contains("Total watches"), "{}", server.ask("wchs"));
    assert!(server.ask("conf").contains("maxClientCnxns=7"), "{}", server.ask("conf"));
    let log = server.log();
    assert!(log.contains("in force now: 4lw.commands.whitelist, maxClientCnxns"), "{log}");
    assert!(log.contains("at the next start only: tickTime"), "{log}");
    // What cannot be used changes nothing, and the server serves on.
    fs::write(&config, "clientPort=nonsense\n").expect("written");
    fs::write(&logging, "levels=info\n").expect("written");
    server.process().signal(Signal::HUP);
    manager.until("RELOADING=1");
    manager.until("READY=1");
    assert!(server.ask("wchs").contains("Total watches"));
    let log = server.log();
    assert!(log.contains("the configuration has errors; what was in use stays in use"), "{log}");
    assert!(log.contains("levels is no key of this file"), "{log}");
    assert_eq!(server.stop().and_then(|status| status.code()), Some(0));
}
