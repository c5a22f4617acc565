//! Servers that die, stand still, or have no room.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::{Ring, plan, rounds, turn};
use crate::harness::site::available;
use crate::need;
use crate::support::dirs::Dir;

#[test]
fn ensemble_kills_of_the_leader_lose_nothing() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = Ring::start(&plan()).unwrap_or_else(|why| panic!("{why}"));
    for round in 0..rounds(5, 50) {
        let id = ring.leader();
        ring.now(format!("kill -9 of leader {id}"));
        ring.group.member(id).kill();
        ring.progress();
        if round % 3 == 2 {
            // Nobody to lose any more: with the second one gone nothing is acknowledged, with it back all is.
            let other = ring.leader();
            ring.group.member(other).kill();
            ring.join_both(id, other);
        } else {
            ring.join(id);
        }
        ring.progress();
    }
    ring.finish(0);
}

impl Ring {
    /// Starts two members at once: neither can serve without the other.
    fn join_both(&mut self, a: u64, b: u64) {
        for id in [a, b] {
            self.group.launch(id).unwrap_or_else(|why| panic!("{why}"));
        }
        self.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn ensemble_members_that_stand_still_are_done_without() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let mut ring = Ring::start(&plan()).unwrap_or_else(|why| panic!("{why}"));
    for _ in 0..rounds(1, 6) {
        let (leader, follower) = (ring.leader(), ring.follower());
        for id in [follower, leader] {
            ring.now(format!("SIGSTOP of server {id}"));
            ring.group.member(id).signal(Signal::STOP);
            ring.progress();
            ring.group.member(id).signal(Signal::CONT);
            ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
            ring.progress();
        }
    }
    ring.finish(0);
}

#[test]
fn ensemble_a_full_disk_costs_its_member_only() {
    let _turn = turn();
    need!("ensemble: Kerberos", available());
    let home = Dir::new("small");
    let disk = need!("ensemble: a full disk", Small::mount(home.path()));
    let plan = crate::harness::Plan { lines: vec!["preAllocSize=64".to_owned()], ..plan() };
    let mut group = crate::harness::Group::new(&plan).unwrap_or_else(|why| panic!("{why}"));
    // The highest number leads at first: the disk that fills is the leader's.
    group.member(3).put_data_in(&disk.path().join("data"));
    for id in group.ids() {
        group.launch(id).unwrap_or_else(|why| panic!("{why}"));
    }
    group.wait_all().unwrap_or_else(|why| panic!("{why}"));
    let load = group.load(crate::harness::load::By::Rust, &super::shape()).unwrap_or_else(|w| panic!("{w}"));
    let mut ring = Ring { group, load, moments: Vec::new() };
    for _ in 0..rounds(1, 3) {
        let leader = ring.leader();
        ring.now(format!("disk full of server 3, server {leader} leads"));
        disk.fill();
        ring.progress();
        disk.clear();
        if !ring.group.member(3).runs() {
            ring.join(3);
        }
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        ring.progress();
    }
    ring.finish(0);
}

/// A file system of a few megabytes in memory.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &std::path::Path) -> Result<Small, String> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(at);
        let output = command.output().map_err(|e| format!("mount: {e}"))?;
        let said = || format!("mount: {}", String::from_utf8_lossy(&output.stderr).trim());
        if output.status.success() { Ok(Small(at.to_path_buf())) } else { Err(said()) }
    }

    fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Writes until nothing goes in any more.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        while file.write_all(&[7; 4096]).is_ok() {}
    }

    fn clear(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A server of this test may still end.
        for _ in 0..50 {
            let done = Command::new("umount").arg(&self.0).output();
            if done.is_ok_and(|o| o.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("still mounted: {}", self.0.display());
    }
}
