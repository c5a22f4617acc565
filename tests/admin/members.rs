//! The same on leader, follower and observer.

use oxkeeper::admin::Command;

use crate::commands::{compared, differences, liven_up};
use crate::console::{Browser, screenshots};
use crate::ensemble::group::{Group, Plan};
use crate::http::{get, request};
use crate::need;
use crate::support::{Kind, ports};

/// An ensemble of two voters and an observer, each with an admin port.
fn group(kind: Kind) -> Result<(Group, Vec<u16>), String> {
    let plan = Plan { observers: vec![kind], ..Plan::of(&[kind, kind]) };
    let mut group = Group::new(&plan)?;
    let mut admin = Vec::new();
    for id in group.ids() {
        let port = ports::lasting();
        group.lines = vec![
            "admin.enableServer=true".to_owned(),
            "admin.serverAddress=127.0.0.1".to_owned(),
            format!("admin.serverPort={port}"),
            crate::snapshots::SUPER.to_owned(),
        ];
        group.launch(id)?;
        admin.push(port);
    }
    group.wait_all()?;
    Ok((group, admin))
}

/// The admin ports by what their servers are.
fn by_state(ports: &[u16]) -> Vec<(String, u16)> {
    let state = |port: &u16| {
        get(*port, "/commands/mntr").json()["server_state"].as_str().unwrap_or_default().to_owned()
    };
    let mut all: Vec<(String, u16)> = ports.iter().map(|port| (state(port), *port)).collect();
    all.sort();
    all
}

#[test]
fn leader_follower_and_observer_answer_with_javas_fields() {
    let (java, java_ports) = need!("admin: Java's members", group(Kind::Java395));
    let (ox, ox_ports) = group(Kind::Oxkeeper).expect("Oxkeeper");
    let _sessions: Vec<_> = [&java, &ox]
        .iter()
        .flat_map(|group| group.addresses())
        .enumerate()
        .filter(|(n, _)| n % 3 == 0)
        .map(|(_, a)| liven_up(&a))
        .collect();
    let (of_java, of_ox) = (by_state(&java_ports), by_state(&ox_ports));
    let states = |all: &[(String, u16)]| all.iter().map(|(state, _)| state.clone()).collect::<Vec<_>>();
    assert_eq!(states(&of_java), ["follower", "leader", "observer"]);
    assert_eq!(states(&of_java), states(&of_ox));
    let mut found = Vec::new();
    for ((state, java), (_, ox)) in of_java.iter().zip(&of_ox) {
        // Sessions and watches are on one member of each; what lists show there is compared by another test.
        let lists = [
            Command::Connections,
            Command::Stats,
            Command::Dump,
            Command::Watches,
            Command::WatchesByPath,
            // Java's members say null for it; here they say it.
            Command::InitialConfiguration,
        ];
        for command in compared().filter(|c| !lists.contains(c)) {
            let target = format!("/commands/{}?traceMask=306", command.name());
            let different = differences(command, &get(*java, &target), &get(*ox, &target));
            found.extend(different.into_iter().map(|what| format!("{state}: {what}")));
        }
    }
    assert_eq!(found, Vec::<String>::new(), "{}", found.join("\n"));

    // The observer is one of the leader's, and all agree on who leads.
    let leader = of_ox[1].1;
    let observers = get(leader, "/commands/obsr").json();
    assert_eq!((&observers["synced_observers"], &observers["observers"][0]["sid"]), (&1.into(), &3.into()));
    let leads = |port: u16| get(port, "/commands/lead").json()["leader_id"].clone();
    assert!(ox_ports.iter().all(|port| leads(*port) == leads(leader)));
    let ready: Vec<u16> = of_ox.iter().map(|(_, port)| get(*port, "/leaderz").status).collect();
    assert_eq!(ready, [503, 200, 503]);

    // No member's data can be replaced behind the others' backs.
    let restore = |who: &str| request(leader, "POST", "/commands/restore", &[("authorization", who)], b"x");
    assert_eq!(restore("digest a:b").status, 403);
    let refused = restore("digest super:secret");
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("oxkeeper restore"), "the way is named: {}", refused.text());
    let snapshot =
        request(leader, "GET", "/commands/snapshot", &[("authorization", "digest super:secret")], &[]);
    assert_eq!((snapshot.status, snapshot.body.starts_with(b"ZKSN")), (200, true));

    if let (Some(dir), Ok(browser)) = (screenshots(), Browser::new()) {
        browser.screenshot(&format!("http://127.0.0.1:{leader}/"), &dir.join("console-ensemble.png"));
    }
}
