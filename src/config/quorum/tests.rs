//! Tests of the parent module.

use proptest::prelude::*;

use super::*;

fn shown(value: &str) -> String {
    match parse_member(value) {
        Ok(member) => member.to_string(),
        Err(fault) => format!("error: {}", fault.what),
    }
}

fn read(text: &str, multi: bool) -> (Ensemble, Vec<String>) {
    let place = Place::line("zoo.cfg", 1);
    let mut findings = Findings::default();
    let pairs = text.lines().filter_map(|l| l.split_once('='));
    let ensemble = Ensemble::read(pairs.map(|(k, v)| (k, v, &place)), multi, &mut findings);
    ensemble.check_groups(&place, &mut findings);
    let errors = findings.iter().map(|f| format!("{}: {}", f.key.as_deref().unwrap_or(""), f.message));
    (ensemble, errors.collect())
}

#[test]
fn server_lines_are_read_and_written_back_as_zookeeper_does() {
    assert_eq!(shown("h:2888:3888"), "h:2888:3888:participant");
    assert_eq!(shown("h:2888:3888:OBSERVER;2181"), "h:2888:3888:observer;0.0.0.0:2181");
    assert_eq!(shown("[::1]:1:2;[fe80::1]:3"), "[::1]:1:2:participant;[fe80::1]:3");
    assert_eq!(shown("b:1:2|a:3:4:observer"), "a:3:4|b:1:2:observer");
    assert_eq!(shown("h:1:2;"), "h:1:2:participant");
    assert_eq!(shown("[ h]:1:2"), "[ h]:1:2:participant");
}

#[test]
fn wrong_server_lines_are_named() {
    assert_eq!(shown("h:1"), "error: h:1 is not a server address");
    assert_eq!(shown("h:1:2:3:4"), "error: h:1:2:3:4 is not a server address");
    assert_eq!(shown("h:1:1"), "error: quorum and election port are both 1");
    assert_eq!(shown("h:1:x"), "error: x is not a port");
    assert_eq!(shown("h:1:70000"), "error: 70000 is not a port");
    assert_eq!(shown("h:1:2:voter"), "error: voter is no role");
    assert_eq!(shown("[::1:1:2"), "error: [::1:1:2 has no matching ]:");
    assert_eq!(shown("h:1:2;3;4"), "error: h:1:2;3;4 is not a server address");
    assert_eq!(shown("h:1:2:observer|g:1:2:participant"), "error: addresses with different roles");
    assert_eq!(shown(":1:2"), "error: :1:2 has no host");
    assert_eq!(shown(""), "error:  is not a server address");
}

#[test]
fn groups_and_weights_are_read_and_checked() {
    let text = "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nweight.1=3\nversion=1f";
    let (ensemble, errors) = read(text, false);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((ensemble.voters(), ensemble.version), (2, 0x1f));
    assert_eq!(ensemble.groups, BTreeMap::from([(1, vec![1, 2])]));
    assert_eq!(ensemble.weights, BTreeMap::from([(1, 3)]));
    let (_, errors) = read("server.1=a:1:2\ngroup.1=2:3\ngroup.2=2", false);
    assert_eq!(
        errors,
        [
            "group.2: server 2 is in several groups",
            "group: server 1 is in no group",
            "group: server 2 of a group has no server line",
            "group: server 3 of a group has no server line",
        ]
    );
    let (_, errors) = read("server.x=a:1:2\ngroups=1\nweight.1=-1\nserver.1=a:1:2|b:1:2", false);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(read("server.1=a:1:2|b:1:2", true).1.len(), 0);
}

#[test]
fn the_version_stands_in_the_file_name() {
    assert_eq!(version_of_file_name("zoo.cfg.dynamic.100000000"), Some(0x1_0000_0000));
    assert_eq!(version_of_file_name("/etc/zoo.cfg.dynamic"), None);
    assert_eq!(version_of_file_name("zoo"), None);
}

proptest! {
    #[test]
    fn any_line_is_read_without_panic(text in "[a-c0-9:;|\\[\\]. ]{0,40}|\\PC{0,40}") {
        let _ = parse_member(&text);
    }

    #[test]
    fn a_member_comes_back(
        hosts in proptest::collection::btree_set("[a-z][a-z0-9.-]{0,8}|[0-9a-f]{1,4}::[0-9a-f]{1,4}", 1..3),
        ports in (any::<u16>(), any::<u16>()),
        observer: bool,
        client: Option<u16>,
    ) {
        prop_assume!(ports.0 != ports.1);
        let addresses = hosts
            .into_iter()
            .map(|host| MemberAddress { host, quorum_port: ports.0, election_port: ports.1 })
            .collect();
        let role = if observer { Role::Observer } else { Role::Participant };
        let client = client.map(|port| ClientAddress { host: "h".to_owned(), port });
        let member = Member { addresses, role, client };
        prop_assert_eq!(parse_member(&member.to_string()), Ok(member));
    }
}
