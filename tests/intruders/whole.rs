//! The same intruders at whole servers: an ensemble of three, of which two run. The leader stays the leader of its
//! epoch, and the third member, which is the real one, joins at the end.
//!
//! # Invariants
//! * Nobody but members changes who leads, in which epoch, or how many follow.

use std::time::Instant;

use crate::need;
use crate::site::Site;
use crate::support::fourlw;
use crate::support::process::Process;
use crate::{LIMIT, PATIENT, PROFILES, comes, says_in};

/// A member, its log in a file.
struct Server {
    process: Process,
    port: u16,
}

impl Server {
    fn start(site: &Site, id: u64) -> Server {
        let (command, port) = site.server(id);
        let log = site.dir.path().join(format!("server{id}.log"));
        Server { process: Process::start(command, &log).expect("a server"), port }
    }

    /// A value of `mntr`, if it serves and says that.
    fn says(&self, key: &str) -> Option<String> {
        let answer = fourlw::ask(self.port, "mntr").ok()?;
        fourlw::value(&answer, key).map(str::to_owned)
    }

    /// Waits until `key` of `mntr` is `value`.
    fn becomes(&mut self, key: &str, value: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.says(key).as_deref() != Some(value) {
            let log = self.process.log();
            assert!(
                self.process.ended().is_none() && Instant::now() < deadline,
                "{key} is not {value}:\n{log}"
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Who it is to its ensemble: role, followers, and the epoch that it leads.
    fn stands(&self) -> [Option<String>; 3] {
        let zxid =
            fourlw::ask(self.port, "srvr").ok().and_then(|a| fourlw::value(&a, "Zxid").map(str::to_owned));
        let epoch = zxid.and_then(|z| z.len().checked_sub(8).and_then(|end| z.get(..end)).map(str::to_owned));
        [self.says("zk_server_state"), self.says("zk_synced_followers"), epoch]
    }
}

#[test]
fn ten_intruders_are_refused_by_an_ensemble_that_goes_on() {
    let site = need!("intruders at whole servers", Site::new());
    let mut leader = Server::start(&site, 2);
    let mut follower = Server::start(&site, 1);
    leader.becomes("zk_server_state", "leader");
    leader.becomes("zk_synced_followers", "1");
    follower.becomes("zk_server_state", "follower");
    let before = leader.stands();
    assert!(before.iter().all(Option::is_some), "{before:?}");
    for (name, how, what, reason) in PROFILES {
        for port in ["election", "quorum"] {
            let log = leader.process.log().len();
            let outcome = comes(&site, how, port, PATIENT, what);
            assert!(outcome.starts_with("closed"), "{name} at the {port} port: {outcome}");
            let line = says_in(&leader.process, log, &[reason, &format!("port=\"{port}\"")]);
            assert!(line.contains("refused a connection as a server"), "{line}");
            println!("{port}: {name}: refused by a whole server, {reason}");
        }
        assert_eq!(leader.stands(), before, "behind {name}");
    }
    let mut third = Server::start(&site, 3);
    third.becomes("zk_server_state", "follower");
    leader.becomes("zk_synced_followers", "2");
    assert_eq!(leader.stands()[2], before[2], "the epoch goes on");
    follower.becomes("zk_server_state", "follower");
}
