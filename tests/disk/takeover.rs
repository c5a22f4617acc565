//! Java serves, Oxkeeper takes over, Java takes back, Oxkeeper again: one data directory.

use crate::files::{Summary, copy, recover, state_of, summary};
use crate::need;
use crate::support::dirs::Dir;
use crate::support::server::{Kind, Spec};
use crate::support::{Server, java, ox};
use oxkeeper::config::settings::Compression;
use oxkeeper::os::disk::RealDisk;
use oxkeeper::storage::{Rules, SnapshotWriter, ZxidDigest};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TTL: &str = "-Dzookeeper.extendedTypesEnabled=true";

fn spec(data: &Path) -> Spec {
    Spec::new().data_dir(data).flag(TTL).flag("-Dzookeeper.preAllocSize=64")
}

/// Runs zkCli commands against a server; the session ends with them.
fn zkcli(server: &Server, commands: &str) {
    let mut child = java::zkcli(Kind::Java395, &server.address())
        .unwrap()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{commands}\nquit\n").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(!text.contains("ConnectionLoss") && !text.contains("Unable to read"), "{text}");
}

/// Serves `data` with a server of `kind`, runs the commands, stops it; the state that it leaves.
fn turn(kind: Kind, data: &Path, commands: &str) -> Result<Summary, String> {
    let mut server = Server::start(kind, &spec(data))?;
    if !commands.is_empty() {
        zkcli(&server, commands);
    }
    let words = server.ask("mntr");
    let mismatches = words.lines().find(|l| l.starts_with("zk_digest_mismatches_count"));
    assert!(mismatches.is_some_and(|l| l.ends_with("\t0")), "{kind:?}: {mismatches:?}");
    server.stop();
    Ok(state_of(data))
}

fn newest(data: &Path, prefix: &str) -> PathBuf {
    let number = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        i64::from_str_radix(name.split('.').nth(1).unwrap_or(""), 16).unwrap_or(-1)
    };
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("version-2"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(prefix))
        .collect();
    files.sort_by_key(number);
    files.pop().unwrap()
}

/// The tree that Java itself has loaded: a standalone Java server writes it as a snapshot at start.
fn as_java_loads_it(data: &Path) -> Summary {
    let mut server = Server::start(Kind::Java395, &spec(data)).unwrap();
    server.stop();
    let snapshot = newest(data, "snapshot.");
    let name = snapshot.file_name().unwrap().to_string_lossy().into_owned();
    let disk = copy(&data.join("version-2"), |n| n == name);
    summary(&recover(&disk, &Rules::default()).recovered)
}

#[test]
fn a_directory_goes_from_java_to_us_and_back_and_again() {
    let part = "data directory between Java 3.9.5 and Oxkeeper";
    let home = Dir::new("takeover");
    let data = home.path().join("data");
    let first = "create /a one\ncreate /a/b two\ncreate -s /a/q- x\ncreate -e /a/e gone\ncreate -c /c\n\
                 create /c/child x\ncreate -t 3600000 /ttl x\nset /a three\nsetAcl /a/b world:anyone:r\n\
                 addauth digest u:p\ncreate /mine m auth::cdrwa\ndelete /a/b\nsetquota -n 100 /a";
    let by_java = need!(part, turn(Kind::Java395, &data, first));
    assert!(by_java.nodes.contains_key("/ttl") && !by_java.nodes.contains_key("/a/e"));
    assert_eq!(turn(Kind::Oxkeeper, &data, "").unwrap(), by_java, "taken over unchanged");
    let second = "create /ox here\nset /a four\ncreate -s /a/q- y\ncreate -e /ox/e gone\ncreate -c /oc\n\
                  create -t 7200000 /ottl x\nsetAcl /ox ip:127.0.0.1:cdrwa,world:anyone:r\ndelete /c/child\n\
                  create /ox/missing/x no\ncreate /uml äöü€";
    let by_us = turn(Kind::Oxkeeper, &data, second).unwrap();
    assert!(by_us.last > by_java.last && by_us.nodes.contains_key("/ottl"));
    tools_agree(&data);
    assert_eq!(as_java_loads_it(&data), by_us, "Java has the same tree");
    let by_java =
        turn(Kind::Java395, &data, "set /ox again\ndelete /ottl\ncreate /j1 x\ncreate -s /a/q- z").unwrap();
    let by_us = turn(Kind::Oxkeeper, &data, "set /j1 y\ncreate /last x").unwrap();
    assert!(by_us.last > by_java.last);
    tools_agree(&data);
    assert_eq!(as_java_loads_it(&data), by_us);
    assert_eq!(turn(Kind::Oxkeeper, &data, "").unwrap(), by_us);
}

#[test]
fn sessions_and_ephemerals_survive_a_change_of_server() {
    let part = "sessions between Java 3.9.5 and Oxkeeper";
    let home = Dir::new("sessions");
    let data = home.path().join("data");
    let mut server = need!(part, Server::start(Kind::Java395, &spec(&data)));
    let mut child = java::zkcli(Kind::Java395, &server.address())
        .unwrap()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"create /live x\ncreate -e /live/e y\n").unwrap();
    for _ in 0..200 {
        if server.ask("dump").contains("/live/e") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    server.kill();
    child.kill().unwrap();
    child.wait().unwrap();
    let left = state_of(&data);
    assert_eq!((left.sessions.len(), left.nodes.contains_key("/live/e")), (1, true));
    assert_eq!(turn(Kind::Oxkeeper, &data, "").unwrap(), left, "we keep the session and its node");
    assert_eq!(as_java_loads_it(&data), left, "and so does Java, from our files");
}

#[test]
fn a_directory_of_3_4_is_taken_over() {
    let part = "data directory of Java 3.4.14";
    let home = Dir::new("old");
    let data = home.path().join("data");
    let old = Server::start(Kind::Java3414, &Spec::new().data_dir(&data).flag("-Dzookeeper.snapCount=4"));
    let mut server = need!(part, old);
    zkcli(
        &server,
        "create /a one\ncreate /a/b two\ncreate -s /a/q- x\nset /a three\ndelete /a/b\ncreate /z z\nset /z y",
    );
    server.stop();
    let by_java = state_of(&data);
    assert!(by_java.nodes.contains_key("/z"));
    assert_eq!(turn(Kind::Oxkeeper, &data, "").unwrap(), by_java);
    let by_us = turn(Kind::Oxkeeper, &data, "create /new x").unwrap();
    assert_eq!(as_java_loads_it(&data), by_us);
}

#[test]
fn java_reads_our_packed_snapshots() {
    let part = "packed snapshots of Oxkeeper in Java 3.9.5";
    let golden = crate::files::recorded().into_iter().find(|d| d.ends_with("java-3.9.5")).unwrap();
    for form in [Compression::Gzip, Compression::Snappy] {
        let home = Dir::new("packed");
        let data = home.path().join("data");
        fs::create_dir_all(data.join("version-2")).unwrap();
        let start = recover(&copy(&golden, |n| !n.ends_with(".txt")), &Rules::default());
        let left = summary(&start.recovered);
        let mut tree = start.recovered.tree;
        let mut sessions: Vec<(i64, i32)> = start.recovered.sessions.into_iter().collect();
        sessions.sort_unstable();
        let mut cursor = tree.begin_snapshot();
        let (mut head, mut nodes) = (Vec::new(), Vec::new());
        cursor.encode_head(&sessions, &mut head);
        while tree.snapshot_chunk(&mut cursor, 1000, &mut nodes) {}
        let snap = data.join("version-2");
        let mut writer = SnapshotWriter::begin(&RealDisk::new(), &snap, left.last, &head, form).unwrap();
        writer.chunk(&nodes).unwrap();
        let digest = ZxidDigest { zxid: left.last, version: 2, digest: left.digest };
        writer.finish(Some(digest), Some(left.last)).unwrap();
        let mut server = need!(part, Server::start(Kind::Java395, &spec(&data)));
        server.stop();
        let plain = format!("snapshot.{:x}", left.last.0);
        let disk = copy(&snap, |n| n == plain);
        assert_eq!(summary(&recover(&disk, &Rules::default()).recovered), left, "{form:?}");
    }
}

/// Java's tools print our newest files as our own tools do.
fn tools_agree(data: &Path) {
    let log = newest(data, "log.");
    let ours = output(&mut ox::command(&["dump", "log", log.to_str().unwrap()]));
    let theirs =
        tool("org.apache.zookeeper.server.persistence.TxnLogToolkit", &["-d", log.to_str().unwrap()]);
    assert_eq!(ours.lines().collect::<Vec<_>>(), theirs.lines().collect::<Vec<_>>());
    let snapshot = newest(data, "snapshot.");
    let ours = output(&mut ox::command(&["dump", "snapshot", "-d", snapshot.to_str().unwrap()]));
    let theirs = tool("org.apache.zookeeper.server.SnapshotFormatter", &["-d", snapshot.to_str().unwrap()]);
    let blocks = |t: &str| {
        let mut b: Vec<String> = t.split("----\n").map(|b| b.trim().to_owned()).collect();
        b.sort();
        b
    };
    assert_eq!(blocks(&ours), blocks(&theirs));
    let fsck = ox::command(&["fsck", data.to_str().unwrap()]).output().unwrap();
    assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stdout));
}

fn tool(class: &str, args: &[&str]) -> String {
    let mut command = java::java(Kind::Java395).unwrap();
    command.args([
        "-Doxkeeper.log=ERROR",
        "-Duser.timezone=UTC",
        "-Duser.language=en",
        "-Duser.country=US",
        TTL,
    ]);
    output(command.arg(class).args(args))
}

fn output(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}
