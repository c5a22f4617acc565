//! What operators do to a living ensemble: restarts, new keys, new certificates, other members.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Ring, plan, rounds, turn};
use crate::harness::Plan;
use crate::harness::site::{REALM, USER, available};
use crate::need;
use crate::support::{ox, process};

#[test]
fn ensemble_rolling_restarts_cost_no_session() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = Ring::start(&plan()).unwrap_or_else(|why| panic!("{why}"));
    for _ in 0..rounds(1, 8) {
        let leader = ring.leader();
        // The leader last, as one does.
        let followers = ring.group.ids().into_iter().filter(|id| *id != leader);
        for id in followers.chain([leader]).collect::<Vec<_>>() {
            ring.now(format!("SIGTERM of server {id}{}", if id == leader { ", the leader" } else { "" }));
            let status = ring.group.member(id).stop();
            assert_eq!(status.and_then(|s| s.code()), Some(0), "{}", ring.group.member(id).log_end());
            ring.progress();
            ring.join(id);
            ring.progress();
        }
    }
    ring.finish(0);
}

#[test]
fn ensemble_keys_and_certificates_change_under_load() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = Ring::start(&plan()).unwrap_or_else(|why| panic!("{why}"));
    for _ in 0..rounds(1, 3) {
        ring.group.site.rotate_keytab("localhost").unwrap_or_else(|why| panic!("{why}"));
        ring.group.site.issue_certificate("localhost");
        // Every connection is made anew, to servers that were started before the change.
        for id in ring.group.ids() {
            ring.group.member(id).kill();
            ring.progress();
            ring.join(id);
        }
        ring.progress();
    }
    ring.finish(0);
}

/// Three members that an administrator may reconfigure.
fn reconfigurable() -> Ring {
    let digest = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="; // super:admin
    let lines =
        vec!["reconfigEnabled=true".to_owned(), format!("DigestAuthenticationProvider.superDigest={digest}")];
    Ring::start(&Plan { lines, ..plan() }).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn ensemble_ports_move_by_reconfiguration_and_everybody_follows() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = reconfigurable();
    for _ in 0..rounds(1, 3) {
        let id = ring.follower();
        let member = ring.group.member(id);
        let before = [member.port(), member.peer_ports()[1]];
        member.take_new_ports();
        let line = format!("{};{}", member.server_value(), member.address());
        let client = format!(":{}", member.port());
        ring.now(format!("the ports of server {id} move"));
        reconfig(&ring, &format!("reconfig -add server.{id}={line}"), &|text| text.contains(&client));
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        let deadline = Instant::now() + super::SETTLE;
        while before.iter().any(|port| ring.group.member(id).listens(*port)) {
            assert!(Instant::now() < deadline, "an old port is open:\n{}", ring.group.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
        ring.progress();
        // Whoever starts now finds it at its new ports, in the election and as the leader's follower.
        let leader = ring.leader();
        ring.now(format!("kill -9 of leader {leader}"));
        ring.group.member(leader).kill();
        ring.progress();
        ring.join(leader);
        ring.progress();
    }
    ring.finish(0);
}

#[test]
fn ensemble_members_leave_and_come_back_by_reconfiguration() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = reconfigurable();
    for _ in 0..rounds(1, 4) {
        let id = ring.follower();
        let line = {
            let member = ring.group.member(id);
            format!("{};{}", member.server_value(), member.address())
        };
        reconfig(&ring, &format!("reconfig -remove {id}"), &|text| !text.contains(&format!("server.{id}=")));
        ring.progress();
        reconfig(&ring, &format!("reconfig -add server.{id}={line}"), &|text| {
            text.contains(&format!("server.{id}="))
        });
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        ring.progress();
    }
    ring.finish(0);
}

/// Runs a command of the shell as an administrator until the configuration is as wanted.
fn reconfig(ring: &Ring, command: &str, wanted: &dyn Fn(&str) -> bool) {
    let deadline = Instant::now() + super::SETTLE;
    let mut said = String::new();
    while Instant::now() < deadline {
        said = shell(ring, &format!("addauth digest super:admin\n{command}\n"));
        let config = shell(ring, "config\n");
        if wanted(&config) && config.contains("server.") {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{command} has no effect: {said}\n{}", ring.group.logs());
}

fn shell(ring: &Ring, lines: &str) -> String {
    let site = &ring.group.site;
    let input = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(input.path(), lines).expect("written");
    let keytab = site.client_keytab().expect("clients log in");
    let (servers, user) = (ring.group.addresses().join(","), format!("{USER}@{REALM}"));
    let keytab = keytab.display().to_string();
    let words = ["shell", "-server", &servers, "--keytab", &keytab, "--principal", &user];
    let mut command = ox::command(&words);
    command.envs(site.env());
    let input: &Path = input.path();
    process::run(command, Some(input), Duration::from_secs(60)).map_or_else(|why| why, |(_, said)| said)
}
