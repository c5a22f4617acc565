//! A standalone server beside Java's: the same families, types, labels and quantiles; the same refusals.

use std::collections::BTreeSet;

use super::{PROVIDER, ask, families, get, raw, value};
use crate::need;
use crate::support::{Kind, Server, Spec, ports};

fn start(kind: Kind, more: &[&str]) -> Result<(Server, u16), String> {
    let port = ports::free();
    let spec = Spec::new().cfg(PROVIDER).cfg(&format!("metricsProvider.httpPort={port}"));
    let spec = more.iter().fold(spec.cfg("metricsProvider.httpHost=127.0.0.1"), |spec, line| spec.cfg(line));
    Server::start(kind, &spec).map(|server| (server, port))
}

/// Series without values, but for those of our own and of the Java machine.
fn series(text: &str) -> BTreeSet<String> {
    let name = |line: &str| line.rsplit_once(' ').map_or("", |(name, _)| name).replace(",}", "}");
    let lines = text.lines().filter(|line| !line.starts_with("# HELP"));
    let all = lines.map(|line| if line.starts_with('#') { line.to_owned() } else { name(line) });
    let machine = |line: &str| line.contains("jvm_") && !line.contains("jvm_pause_time_ms");
    all.filter(|line| !line.contains("oxkeeper_") && !machine(line)).collect()
}

#[test]
fn a_java_server_exposes_the_same_series_live() {
    let java = need!("metrics beside Java's", start(Kind::Java395, &[]));
    let ours = start(Kind::Oxkeeper, &[]).expect("it starts");
    let (theirs, mine) = (get(java.1, "/metrics").expect("Java's"), get(ours.1, "/metrics").expect("ours"));
    let (theirs, mine) = (series(&theirs), series(&mine));
    // Java names keyed families before their first key, and has one key of its own by its start.
    let has_samples = |line: &String| match line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
        Some((name, _)) => theirs.iter().any(|l| !l.starts_with('#') && l.starts_with(name)),
        None => true,
    };
    let keyed = |line: &&String| line.contains("{key=\"") || line.contains("_per_namespace");
    let lacking: Vec<_> =
        theirs.iter().filter(|l| has_samples(l) && !mine.contains(*l)).filter(|l| !keyed(l)).collect();
    assert_eq!(lacking, Vec::<&String>::new(), "Java has these, this server does not");
    let more: Vec<_> = mine.iter().filter(|l| !theirs.contains(*l)).filter(|l| !keyed(l)).collect();
    assert_eq!(more, Vec::<&String>::new(), "this server has these, Java does not");
}

#[test]
fn refusals_are_those_of_javas_servlet() {
    let java = need!("refusals of Java's metrics listener", start(Kind::Java395, &[]));
    let ours = start(Kind::Oxkeeper, &[]).expect("it starts");
    for (method, target) in [
        ("GET", "/metrics"),
        ("HEAD", "/metrics"),
        ("POST", "/metrics"),
        ("OPTIONS", "/metrics"),
        ("PUT", "/metrics"),
        ("DELETE", "/metrics"),
        ("TRACE", "/metrics"),
        ("GET", "/"),
        ("GET", "/metrics/"),
        ("GET", "/commands/mntr"),
        ("GET", "/metrics?name[]=znode_count"),
    ] {
        let length = if matches!(method, "POST" | "PUT") { "Content-Length: 0\r\n" } else { "" };
        let theirs = ask(java.1, method, target, length).expect("Java answers");
        let mine = ask(ours.1, method, target, length).expect("it answers");
        assert_eq!(mine.status, theirs.status, "{method} {target}");
        let kind = |a: &super::Answer| a.headers.get("content-type").map(|t| t.replace(' ', ""));
        if theirs.status == 200 && method != "OPTIONS" {
            assert_eq!(
                kind(&mine).map(|t| t.to_ascii_lowercase()),
                kind(&theirs).map(|t| t.to_ascii_lowercase())
            );
        }
        if target.contains("name[]") {
            assert_eq!(families(&mine.body).into_keys().collect::<Vec<_>>(), ["znode_count"]);
            assert_eq!(families(&theirs.body).into_keys().collect::<Vec<_>>(), ["znode_count"]);
        }
    }
}

#[test]
fn packed_where_asked_and_bounded_always() {
    let (_server, port) =
        start(Kind::Oxkeeper, &["metricsProvider.exportJvmInfo=false", "metricsProvider.jvmAliases=true"])
            .expect("it starts");
    let packed = ask(port, "GET", "/metrics", "Accept-Encoding: deflate, gzip;q=1.0\r\n").expect("an answer");
    assert_eq!(packed.headers.get("content-encoding").map(String::as_str), Some("gzip"));
    assert!(value(&packed.body, "znode_count").is_some_and(|n| n >= 5.0), "{}", packed.body);
    assert!(value(&packed.body, "process_open_fds").is_none(), "exportJvmInfo=false");
    assert!(value(&packed.body, "jvm_memory_bytes_used{area=\"heap\"}").is_some_and(|n| n > 1e6));
    assert!(value(&packed.body, "oxkeeper_serving") == Some(1.0));
    // Nonsense gets an error or the end of its connection, and harms nobody else.
    for bad in [
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /metrics%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(200_000)),
        format!(
            "GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\nConnection: close\r\n\r\n",
            "a".repeat(500_000)
        ),
    ] {
        if let Ok(answer) = raw(port, &bad) {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
        assert!(get(port, "/metrics").is_ok());
    }
}
