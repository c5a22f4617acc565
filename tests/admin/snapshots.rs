//! Snapshot and restore over HTTP: Java's headers, and a standalone server that takes its data back.

use oxkeeper::client::{Blocking, ClientConfig};
use oxkeeper::types::{Acl, CreateMode};
use serde_json::Value;

use crate::http::{Answer, get, request, start, with_admin};
use crate::need;
use crate::support::{Kind, Server, Spec};

/// The digest of `super:secret`.
pub const SUPER: &str = "DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4=";
const AS_SUPER: (&str, &str) = ("authorization", "digest super:secret");

fn spec() -> Spec {
    Spec::new().cfg(SUPER).cfg("admin.rateLimiterIntervalInMS=0")
}

fn session(server: &Server) -> Blocking {
    Blocking::connect(ClientConfig::new(&server.address()).expect("an address")).expect("a session").0
}

fn put(session: &Blocking, path: &str) {
    let client = session.client();
    session
        .wait(client.create(path, Some(b"data"), &[Acl::open()], CreateMode::Persistent))
        .expect("created");
}

fn has(session: &Blocking, path: &str) -> bool {
    session.wait(session.client().exists(path, false)).expect("answered").is_some()
}

fn snapshot(port: u16) -> Answer {
    request(port, "GET", "/commands/snapshot", &[AS_SUPER], &[])
}

fn restore(port: u16, body: &[u8]) -> Answer {
    request(port, "POST", "/commands/restore", &[AS_SUPER], body)
}

/// `user:base64(sha1(user:password))`, as the key holds it.
#[test]
fn the_super_digest_is_that_of_the_password() {
    use oxkeeper::auth::{DigestAlgorithm, generate_digest};
    assert_eq!(
        SUPER.split_once('=').expect("a key").1,
        generate_digest(DigestAlgorithm::Sha1, "super:secret")
    );
}

#[test]
fn a_snapshot_has_javas_headers_and_restores_on_either_kind() {
    let (java, java_port) = need!("admin: Java's snapshot", start(Kind::Java395, spec()));
    let (mut ox, ox_port) = start(Kind::Oxkeeper, spec()).expect("Oxkeeper");
    for server in [&java, &ox] {
        let session = session(server);
        put(&session, "/before");
    }
    let (of_java, of_ox) = (snapshot(java_port), snapshot(ox_port));
    for (kind, answer) in [("Java", &of_java), ("Oxkeeper", &of_ox)] {
        assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"), "{kind}");
        assert_eq!(answer.header("snapshot_size"), Some(&*answer.body.len().to_string()), "{kind}");
        assert!(
            answer.header("last_zxid").is_some_and(|zxid| zxid.starts_with("0x")),
            "{kind}: {}",
            answer.head
        );
        assert!(answer.body.starts_with(b"ZKSN"), "{kind}");
    }
    let quiet = request(ox_port, "GET", "/commands/snap?streaming=false", &[AS_SUPER], &[]);
    assert_eq!(quiet.fields(), ["command", "error"]);
    assert!(quiet.header("last_zxid").is_some());

    // Each takes the other's.
    let late = session(&ox);
    put(&late, "/after");
    let answer = restore(java_port, &of_ox.body);
    assert_eq!(
        (answer.status, answer.fields()),
        (200, vec!["last_zxid".into(), "command".into(), "error".into()])
    );
    let answer = restore(ox_port, &of_java.body);
    assert_eq!(
        (answer.status, answer.fields()),
        (200, vec!["last_zxid".into(), "command".into(), "error".into()])
    );
    let after = session(&ox);
    assert!(has(&after, "/before") && !has(&after, "/after"), "the state is that of the snapshot");
    put(&after, "/later");
    let told = answer.json()["last_zxid"].as_i64().expect("a number");
    let now = get(ox_port, "/commands/srvr").json()["server_stats"]["last_processed_zxid"]
        .as_i64()
        .expect("a number");
    assert!(now > told, "transactions go on behind it: {now:x} {told:x}");

    // What was restored is what a restart finds, with what came behind it.
    drop((late, after));
    ox.stop();
    let again =
        Server::start(Kind::Oxkeeper, &with_admin(spec(), ox_port).data_dir(ox.data_dir())).expect("again");
    let session = session(&again);
    assert!(has(&session, "/before") && has(&session, "/later") && !has(&session, "/after"));
}

#[test]
fn altered_and_cut_snapshots_change_nothing() {
    let (server, port) = start(Kind::Oxkeeper, spec()).expect("Oxkeeper");
    let session = session(&server);
    put(&session, "/kept");
    let good = snapshot(port).body;
    put(&session, "/later");
    let mut flipped = good.clone();
    let at = good.windows(5).position(|w| w == b"/kept").expect("the path") + 1;
    flipped[at] ^= 1;
    let bodies: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("no snapshot", b"<html>not a snapshot</html>".to_vec()),
        ("cut", good[..good.len() / 2].to_vec()),
        ("cut by a byte", good[..good.len() - 1].to_vec()),
        ("flipped", flipped),
        ("longer", [good.as_slice(), b"x"].concat()),
    ];
    for (what, body) in bodies {
        let answer = restore(port, &body);
        assert_eq!(answer.status, 500, "{what}: {}", answer.text());
        assert!(
            answer.json()["error"].as_str().is_some_and(|e| e.contains("snapshot")),
            "{what}: {}",
            answer.text()
        );
        assert!(has(&session, "/later"), "{what}");
    }
    let left: Vec<_> =
        std::fs::read_dir(server.data_dir().join("version-2")).expect("the folder").flatten().collect();
    assert!(left.iter().all(|e| !e.file_name().to_string_lossy().starts_with("tmp.")), "{left:?}");
}

#[test]
fn both_are_refused_without_rights_and_limited_and_switched_off() {
    let silent = Spec::new().cfg(SUPER).cfg("serializeLastProcessedZxid.enabled=false");
    let (_server, port) = start(Kind::Oxkeeper, silent).expect("Oxkeeper");
    assert_eq!(get(port, "/commands/snapshot").status, 401);
    let open = request(port, "GET", "/commands/snapshot", &[("authorization", "digest made:up")], &[]);
    assert_eq!(open.status, 403, "an ACL that is open to everybody names nobody: {}", open.text());
    assert_eq!(snapshot(port).status, 500, "its zxid would be missing: {}", snapshot(port).text());
    let limited = Spec::new().cfg(SUPER);
    let (_server, port) = start(Kind::Oxkeeper, limited).expect("Oxkeeper");
    assert_eq!((snapshot(port).status, snapshot(port).status), (200, 429));
    let off = spec().cfg("admin.snapshot.enabled=false").cfg("admin.restore.enabled=false");
    let (_server, port) = start(Kind::Oxkeeper, off).expect("Oxkeeper");
    assert_eq!((snapshot(port).status, restore(port, b"x").status), (503, 503));
    assert_ne!(restore(port, b"x").json()["error"], Value::Null);
}
