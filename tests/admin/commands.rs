//! Every command's fields, their order and their types, against Java's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oxkeeper::admin::Command;
use oxkeeper::client::{Blocking, ClientConfig};
use oxkeeper::types::{Acl, CreateMode};
use serde_json::Value;

use crate::http::{Answer, get, request, start};
use crate::need;
use crate::support::{Kind, Spec};

/// Something for every command to show: a session with an ephemeral znode and a watch, and a logged digest.
pub fn liven_up(servers: &str) -> Blocking {
    let config = ClientConfig::new(servers).expect("an address").timeout(Duration::from_secs(30));
    let (session, _) = Blocking::connect(config).expect("a session");
    let client = session.client();
    session.wait(async {
        client.create("/e", Some(b"x"), &[Acl::open()], CreateMode::Ephemeral).await.expect("created");
        client.exists("/watched", true).await.expect("answered");
        for _ in 0..140 {
            client.set("/e", Some(b"y"), -1).await.expect("set");
        }
        client.get("/e", true).await.expect("answered");
    });
    session
}

/// Objects whose keys are sessions, paths or times: the first entry stands for all.
const KEYED: [&str; 5] = [
    "expiry_time_to_session_ids",
    "session_id_to_ephemeral_paths",
    "session_id_to_watched_paths",
    "path_to_session_ids",
    "current_config",
];

/// What a value is made of.
pub fn shape(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(n) if n.is_f64() => "double".to_owned(),
        Value::Number(_) => "int".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(all) => format!("[{}]", all.first().map(|one| shape(name, one)).unwrap_or_default()),
        Value::Object(fields) if KEYED.contains(&name) => {
            let full = fields.iter().find(|(_, value)| value.as_array().is_none_or(|all| !all.is_empty()));
            let one = full.map(|(key, value)| {
                let key = if key.parse::<i64>().is_ok() { "number" } else { "text" };
                format!("{key}: {}", shape("", value))
            });
            format!("{{{}}}", one.unwrap_or_default())
        }
        Value::Object(fields) => {
            // The order within a bean is that of Java's reflection, which changes.
            let each: BTreeMap<_, _> =
                fields.iter().map(|(name, value)| (name, shape(name, value))).collect();
            format!("{each:?}")
        }
    }
}

/// Fields that only a Java machine has, and those that are there for each key of a load (the metrics' own tests
/// have them).
fn is_javas_own(name: &str) -> bool {
    let keyed = ["_per_namespace", "_learner_handler_qp_", "_ack_latency"];
    name.contains("jvm_") || name.starts_with("java.") || keyed.iter().any(|part| name.contains(part))
}

/// How an answer differs from Java's.
pub fn differences(command: Command, java: &Answer, ox: &Answer) -> Vec<String> {
    let name = command.name();
    let mut found = Vec::new();
    if java.status != ox.status || java.header("content-type") != ox.header("content-type") {
        found.push(format!("{name}: {:?} and {:?}", java.head, ox.head));
    }
    let (of_java, of_ox) = (java.fields(), ox.fields());
    let free = matches!(command, Command::Monitor | Command::Environment | Command::SystemProperties);
    if free {
        let have: BTreeSet<&String> = of_ox.iter().collect();
        let keyed = |field: &str| command == Command::SystemProperties && !field.starts_with("zookeeper.");
        let missing =
            of_java.iter().filter(|field| !have.contains(field) && !is_javas_own(field) && !keyed(field));
        found.extend(missing.map(|field| format!("{name}: {field} is missing")));
        if of_ox.last().map(String::as_str) != Some("error") {
            found.push(format!("{name}: the last field is {:?}", of_ox.last()));
        }
        return found;
    }
    if of_java != of_ox {
        found.push(format!("{name}: fields {of_java:?} and {of_ox:?}"));
    }
    let (of_java, of_ox) = (shape("", &java.json()), shape("", &ox.json()));
    if of_java != of_ox {
        found.push(format!("{name}: shapes\n  {of_java}\n  {of_ox}"));
    }
    found
}

/// Commands whose answers are compared: those that are asked by GET without identity.
pub fn compared() -> impl Iterator<Item = Command> {
    Command::ALL.iter().copied().filter(|c| !c.is_post() && *c != Command::Snapshot)
}

#[test]
fn every_command_answers_with_javas_fields() {
    let (java, java_port) = need!("admin: Java's commands", start(Kind::Java395, Spec::new()));
    let (ox, ox_port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let _sessions = [liven_up(&java.address()), liven_up(&ox.address())];
    let mut found = Vec::new();
    for command in compared() {
        for name in command.names() {
            let target = match command {
                Command::SetTraceMask => format!("/commands/{name}?traceMask=306"),
                _ => format!("/commands/{name}"),
            };
            found.extend(differences(command, &get(java_port, &target), &get(ox_port, &target)));
        }
    }
    for odd in ["nonsense", "stmk", "stmk?traceMask=x", "Ruok", "snapshot", "ruok/"] {
        let (java, ox) =
            (get(java_port, &format!("/commands/{odd}")), get(ox_port, &format!("/commands/{odd}")));
        if (java.status, java.text()) != (ox.status, ox.text()) {
            found.push(format!("{odd}: {} {} and {} {}", java.status, java.text(), ox.status, ox.text()));
        }
    }
    let links = |port| get(port, "/commands/").text().lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (java, ox) = (links(java_port), links(ox_port));
    found.extend(java.difference(&ox).map(|line| format!("no link {line}")));
    let beyond: Vec<&String> =
        ox.difference(&java).filter(|line| !line.contains("shed_connections")).collect();
    assert_eq!(beyond, Vec::<&String>::new());
    assert_eq!(found, Vec::<String>::new(), "{}", found.join("\n"));
}

#[test]
fn commands_show_what_is_there_and_reset_what_they_say() {
    let (server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let session = liven_up(&server.address());
    let json = |command: &str| get(port, &format!("/commands/{command}")).json();
    let id = json("cons")["connections"][0]["session_id"].as_i64().expect("a session");
    assert_eq!(json("wchp")["path_to_session_ids"]["/e"][0], id);
    assert_eq!(json("dump")["session_id_to_ephemeral_paths"][id.to_string()][0], "/e");
    assert_eq!(json("wchs")["num_connections"], 1);
    assert_eq!(json("hash")["digests"][0]["zxid"], 128);
    assert!(json("mntr")["znode_count"].as_i64().expect("a number") >= 6);
    assert!(json("srvr")["server_stats"]["packets_received"].as_i64().expect("a number") > 100);
    assert_eq!(json("srst")["error"], Value::Null);
    assert!(json("srvr")["server_stats"]["packets_received"].as_i64().expect("a number") < 50);
    assert_eq!(json("stmk?traceMask=7")["tracemask"], 7);
    assert_eq!(server.ask("gtmk"), "7", "the word shows the same mask");
    let shed = request(port, "POST", "/commands/shed", &[], b"{\"percentage\": 100}");
    assert_eq!((shed.status, &shed.json()["connections_shed"]), (200, &Value::from(1)), "{}", shed.text());
    crate::pki::eventually("the client comes back and its session lives on", || {
        session.wait(session.client().exists("/e", false)).is_ok_and(|stat| stat.is_some())
    });
    assert_eq!(request(port, "POST", "/commands/shed", &[], b"{}").status, 400);
}

#[test]
fn probes_tell_whether_the_server_serves() {
    let (server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    for (path, word) in [("/livez", "alive\n"), ("/readyz", "standalone\n"), ("/leaderz", "standalone\n")] {
        assert_eq!((get(port, path).status, get(port, path).text()), (200, word.to_owned()), "{path}");
    }
    assert_eq!(request(port, "HEAD", "/readyz", &[], &[]).status, 200);
    assert_eq!(server.ask("ruok"), "imok");
}

#[test]
fn a_port_in_use_ends_the_start_where_it_was_asked_for() {
    let (first, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let spec = crate::http::with_admin(Spec::new(), port);
    let mut second = crate::support::Server::launch(Kind::Oxkeeper, &spec).expect("launched");
    let status = second.process().wait(Duration::from_secs(60)).expect("it ends");
    assert_eq!(status.code(), Some(4), "{}", second.log());
    assert!(second.log().contains("admin.serverPort"), "{}", second.log());
    assert_eq!(first.ask("ruok"), "imok");
}
