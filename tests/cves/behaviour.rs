//! Behaviour that needs no server to be seen.

use crate::named::root;
use oxkeeper::auth::{Caller, Identities, Providers, all_of, any_of, fix_up};
use oxkeeper::jute::{Reader, Writer};
use oxkeeper::proto::{EventKind, OpCode, Request, write_multi_end, write_multi_header};
use oxkeeper::types::{Acl, ConnId, Id};
use oxkeeper::watch::{WatchKind, Watches};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl { perms, id: Id::new(scheme, id) }
}

#[test]
fn a_demand_for_all_rights_fails_when_one_is_missing() {
    let providers = Providers::default();
    let identities: Identities = Arc::from([Id::new("ip", "10.0.0.1")]);
    let caller = Caller { providers: &providers, identities: &identities };
    for first in 0..32 {
        for second in 0..32 {
            let list =
                [acl(first, "world", "anyone"), acl(second, "ip", "10.0.0.0/8"), acl(31, "ip", "10.0.0.2")];
            let whole = first | second == 31;
            assert_eq!(all_of(&list, 31, caller), whole, "{first} {second}");
            assert_eq!(any_of(&list, 31, caller), first | second != 0, "{first} {second}");
        }
    }
}

#[test]
fn a_multi_in_a_multi_is_refused() {
    for outer in [OpCode::Multi, OpCode::MultiRead] {
        for inner in [OpCode::Multi, OpCode::MultiRead, OpCode::SetAcl, OpCode::Reconfig, OpCode::GetAcl] {
            let mut record = Vec::new();
            write_multi_header(&mut record, inner.number(), -1);
            Writer::new(&mut record).string(Some("/a"));
            write_multi_end(&mut record);
            write_multi_end(&mut record);
            assert!(Request::decode(outer, &mut Reader::new(&record)).is_err(), "{inner:?} in {outer:?}");
        }
    }
}

#[test]
fn a_watch_on_a_subtree_ends_at_its_name() {
    let told = |path: &str| {
        let mut watches = Watches::new();
        watches.add(ConnId(1), "/a", WatchKind::Recursive);
        let mut hits = 0;
        watches.trigger(EventKind::Created, path, &mut |_| hits += 1);
        hits
    };
    for inside in ["/a", "/a/b", "/a/b/c", "/a/ab"] {
        assert_eq!(told(inside), 1, "{inside}");
    }
    for outside in ["/ab", "/ab/c", "/a.b", "/b/a", "/", "/A", "/a\u{30a}"] {
        assert_eq!(told(outside), 0, "{outside}");
    }
}

#[test]
fn a_mixed_list_comes_back_whole() {
    let providers = Providers { digest: Some(Default::default()), sasl: true, ..Providers::default() };
    let identities: Identities = Arc::from([]);
    let caller = Caller { providers: &providers, identities: &identities };
    let list = [
        acl(31, "world", "anyone"),
        acl(31, "digest", "bob:hash"),
        acl(1, "world", "anyone"),
        acl(0, "ip", "10.0.0.0/8"),
        acl(31, "sasl", "hdfs@R"),
    ];
    assert_eq!(fix_up(&list, caller).expect("a valid list"), list);
    let mut turned = list.to_vec();
    turned.reverse();
    assert_eq!(fix_up(&turned, caller).expect("a valid list"), turned);
}

/// Lines of production code, without those of tests, by file.
fn lines(rooms: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for room in rooms {
        walk(&root().join("src").join(room), &mut found);
    }
    assert!(found.len() > 1000, "the sources are read");
    found
}

fn walk(path: &Path, found: &mut Vec<(PathBuf, String)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            walk(&entry.path(), found);
        }
    } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
        let text = std::fs::read_to_string(path).expect("a source");
        let production = text.lines().take_while(|line| *line != "#[cfg(test)]");
        found.extend(
            production
                .filter(|l| !l.trim_start().starts_with("//"))
                .map(|l| (path.to_path_buf(), l.to_owned())),
        );
    }
}

#[test]
fn no_decision_asks_for_the_name_of_an_address() {
    let rooms = [
        "auth",
        "replica",
        "net",
        "server",
        "tls",
        "kerberos/acceptor.rs",
        "kerberos/server.rs",
        "kerberos/quorum/drive.rs",
        "kerberos/quorum/judge.rs",
        "kerberos/quorum/members.rs",
        "kerberos/quorum/server.rs",
    ];
    for (file, line) in lines(&rooms) {
        for call in ["getnameinfo", "lookup_addr", "gethostbyaddr", "canonical_host"] {
            assert!(!line.contains(call), "{}: {line}", file.display());
        }
    }
}

#[test]
fn ports_are_opened_in_one_place() {
    let all = lines(&[""]);
    let mut files: Vec<String> = all
        .iter()
        .filter(|(_, line)| line.contains("TcpListener") || line.contains("TcpSocket"))
        .map(|(file, _)| file.strip_prefix(root()).expect("below the root").display().to_string())
        .collect();
    files.dedup();
    files.sort();
    files.dedup();
    files.retain(|file| !file.contains("/tests/"));
    let (members, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.starts_with("src/net/peering/"));
    assert_eq!(members, ["src/net/peering/entrance.rs", "src/net/peering/listen.rs"]);
    let (http, clients): (Vec<_>, Vec<_>) = others.into_iter().partition(|file| file.contains("/http/"));
    assert_eq!(http, ["src/net/http/listener.rs"]);
    assert_eq!(clients, ["src/net/listener.rs", "src/server/ports.rs"]);
}
