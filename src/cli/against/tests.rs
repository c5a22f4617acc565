//! Comparing a configuration with a running ensemble: answers as servers give them.

use super::judge::{Weight, judge};
use super::*;
use crate::config::Settings;
use crate::config::quorum::parse_member;

fn settings(my_id: Option<u64>, members: &[&str]) -> Settings {
    let mut settings = Settings::default();
    settings.quorum.my_id = my_id;
    for (id, member) in (1..).zip(members) {
        settings.quorum.ensemble.members.insert(id, parse_member(member).unwrap());
    }
    (settings.quorum.init_limit, settings.quorum.sync_limit) = (10, 5);
    settings.session.tick_time = 2000;
    settings
}

fn seen(server: &str, mode: &str, zxid: &str) -> Seen {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut seen = Seen {
        server: server.to_owned(),
        srvr: map(&[("Mode", mode), ("Zxid", zxid), ("Zookeeper version", "3.9.5")]),
        conf: map(&[("tickTime", "2000"), ("initLimit", "10"), ("syncLimit", "5")]),
        ..Seen::default()
    };
    if mode == "leader" {
        seen.mntr = map(&[("zk_synced_followers", "2")]);
    }
    seen
}

const MEMBERS: [&str; 3] = ["a:2888:3888", "b:2888:3888", "c:2888:3888"];

fn three() -> Vec<Seen> {
    vec![
        seen("a:2181", "follower", "0x200000007"),
        seen("b:2181", "leader", "0x200000009"),
        seen("c:2181", "follower", "0x200000009"),
    ]
}

fn node(members: &[&str]) -> Result<Ensemble, String> {
    let lines: Vec<String> =
        (1..).zip(members).map(|(id, m)| format!("server.{id}={m}:participant;0.0.0.0:2181")).collect();
    parse(&(lines.join("\n") + "\nversion=100000000"))
}

fn said(settings: &Settings, servers: &[Seen], members: &Result<Ensemble, String>) -> (bool, String) {
    let against = Against { servers: servers.to_vec(), lines: judge(Some(settings), servers, members) };
    let mut out = Vec::new();
    against.print(&mut out).unwrap();
    (against.agrees(), String::from_utf8(out).unwrap())
}

#[test]
fn an_ensemble_that_is_well_and_the_same_configuration_fit() {
    let (fits, text) = said(&settings(Some(3), &MEMBERS), &three(), &node(&MEMBERS));
    assert!(fits, "{text}");
    for line in [
        "       b:2181                   leader    zxid 0x200000009, 3.9.5\n",
        "ok      b:2181 leads\n",
        "ok      the servers are within 2 transactions\n",
        "ok      2 of 2 voting members follow the leader in step\n",
        "ok      3 members with the same addresses and roles\n",
        "ok      this is server 3, a voter\n",
        "ok      ticks and time-outs are those of 3 server(s)\n",
        "this configuration fits the ensemble that runs\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn each_difference_is_told_and_forbids_to_go_on() {
    let good = settings(Some(3), &MEMBERS);
    let mut other = good.clone();
    other.quorum.sync_limit = 7;
    let mut lost = three();
    lost[0].trouble = Some("does not answer: refused".to_owned());
    lost[0].srvr.clear();
    let mut lagging = three();
    lagging[1].mntr.insert("zk_synced_followers".to_owned(), "1".to_owned());
    let mut two = three();
    two[0] = seen("a:2181", "leader", "0x1");
    for (settings, servers, members, what) in [
        (&good, &three(), &node(&["a:2888:3888", "b:2888:3888", "x:2888:3888"]), "server.3 is c:2888:3888"),
        (&good, &three(), &node(&MEMBERS[..2]), "server.3=c:2888:3888:participant is not a member there"),
        (&good, &three(), &node(&MEMBERS[..2]), "myid is 3, which is no member there"),
        (&settings(Some(1), &MEMBERS[..2]), &three(), &node(&MEMBERS), "is missing here"),
        (&other, &three(), &node(&MEMBERS), "syncLimit is 7 here and 5 at a:2181"),
        (&good, &lost, &node(&MEMBERS), "a:2181 does not answer"),
        (&good, &lagging, &node(&MEMBERS), "1 of 2 voting members"),
        (&good, &two, &node(&MEMBERS), "several servers lead: a:2181, b:2181"),
        (&good, &three(), &Err("no login".to_owned()), "members were not compared: no login"),
    ] {
        let (fits, text) = said(settings, servers, members);
        assert!(!fits && text.contains("DIFFERS") && text.contains(what), "{what:?} is not in\n{text}");
    }
}

#[test]
fn what_could_not_be_asked_is_a_note() {
    let mut servers = three();
    for seen in &mut servers {
        seen.conf.clear();
        seen.mntr.clear();
    }
    let lines = judge(Some(&settings(None, &MEMBERS)), &servers[..2], &node(&MEMBERS));
    let notes: Vec<&str> =
        lines.iter().filter(|l| l.weight == Weight::Note).map(|l| l.text.as_str()).collect();
    assert_eq!(notes.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|l| l.weight != Weight::Differs), "{lines:?}");
    let nothing = judge(None, &three(), &node(&MEMBERS));
    assert!(nothing.iter().any(|l| l.weight == Weight::Differs));
}

#[test]
fn texts_of_servers_are_printed_escaped_and_cut() {
    let long = format!("Mode: leader\nZxid: \u{1b}[31m{}\nno pair\n", "x".repeat(500));
    let found = pairs(&long, ": ");
    assert_eq!(found.len(), 2);
    assert!(found["Zxid"].starts_with("\\u{1b}[31mx") && found["Zxid"].len() <= 200);
    assert!(parse("server.1=nonsense").is_err());
}
