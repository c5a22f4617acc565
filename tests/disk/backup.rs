//! Backups of running servers, Java's and ours, their disks destroyed, and what a restore makes of them.
//!
//! The oracle is the server itself: its tree as a client saw it at a zxid. A restored directory has to make every
//! server, Java's too, show the same tree again, and the digests that its log recorded.

use crate::files::state_of;
use crate::need;
use crate::support::dirs::Dir;
use crate::support::server::{Kind, Spec};
use crate::support::{Server, fourlw, ox, process};
use oxkeeper::cli::walking::{Ask, Walk};
use oxkeeper::client::{Blocking, ClientConfig, Op};
use oxkeeper::types::{Acl, CreateMode, Id, Stat};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs the binary; its exit code and what it printed.
pub fn run(args: &[&str]) -> (i32, String) {
    let (status, text) = process::run(ox::command(args), None, Duration::from_secs(120)).unwrap();
    (status.code().unwrap_or(-1), text)
}

/// Runs the binary, which must end well.
pub fn well(args: &[&str]) -> String {
    let (code, text) = run(args);
    assert_eq!(code, 0, "{args:?}: {text}");
    text
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub type Seen = BTreeMap<String, (Option<Vec<u8>>, Vec<Acl>, Stat)>;

/// Every znode of a server as a client sees it.
pub fn look(address: &str) -> Seen {
    let (zk, _events) = Blocking::connect(ClientConfig::new(address).unwrap()).unwrap();
    let mut walk = Walk::new(&zk, "/", Ask { data: true });
    let mut seen = Seen::new();
    while let Some(z) = walk.step().unwrap() {
        if !z.path.starts_with("/zookeeper") {
            seen.insert(z.path, (z.data.map(|d| d.to_vec()), z.acl, z.stat));
        }
    }
    assert_eq!(walk.forbidden, 0);
    zk.close();
    seen
}

pub fn zxid(server: &Server) -> String {
    fourlw::value(&server.ask("srvr"), "Zxid").unwrap().to_owned()
}

/// Changes of every kind, numbered.
pub fn load(zk: &Blocking, range: std::ops::Range<u32>) {
    let c = zk.client();
    for i in range {
        let path = format!("/load/n{i}");
        let data = vec![b'a' + (i % 26) as u8; (i % 300) as usize];
        zk.wait(c.create(&path, Some(&data), &[Acl::open()], CreateMode::Persistent)).unwrap();
        match i % 7 {
            0 => drop(zk.wait(c.set(&path, Some(b"set"), -1)).unwrap()),
            1 => zk.wait(c.delete(&path, -1)).unwrap(),
            2 => {
                let acl = [Acl { perms: 31, id: Id::new("ip", "127.0.0.1") }, Acl::read_only()];
                zk.wait(c.set_acl(&path, &acl, -1)).unwrap();
            }
            3 => drop(
                zk.wait(c.create(&format!("{path}/e"), None, &[Acl::open()], CreateMode::Ephemeral)).unwrap(),
            ),
            4 => {
                let create = Op::Create {
                    path: format!("{path}/m"),
                    data: Some("m".into()),
                    acl: vec![Acl::open()],
                    how: CreateMode::Persistent.into(),
                };
                let set = Op::Set(path.clone(), Some("multi".into()), -1);
                zk.wait(c.multi(&[create, set])).unwrap();
                let failing = [Op::Delete("/load/none".into(), -1), Op::Set(path, None, -1)];
                assert!(zk.wait(c.multi(&failing)).is_err());
            }
            5 => drop(
                zk.wait(c.create("/load/s-", Some(b"s"), &[Acl::open()], CreateMode::PersistentSequential))
                    .unwrap(),
            ),
            _ => drop(
                zk.wait(c.create(&format!("{path}/c"), None, &[Acl::open()], CreateMode::Container)).unwrap(),
            ),
        }
    }
}

pub fn spec(data: &Path) -> Spec {
    Spec::new().data_dir(data).flag("-Dzookeeper.snapCount=150").flag("-Dzookeeper.preAllocSize=64")
}

/// What was seen at which point.
struct Point {
    at: String,
    seen: Seen,
}

struct Story {
    home: Dir,
    points: Vec<Point>,
    tar: PathBuf,
    tar_seen: usize,
}

/// Serves, is backed up under load, and loses its disk.
fn story(kind: Kind) -> Result<Story, String> {
    let home = Dir::new("backup");
    let (data, backup) = (home.path().join("data"), home.path().join("backup"));
    let mut server = Server::start(kind, &spec(&data))?;
    let take = || well(&["backup", "--data-dir", text(&data), "--to", text(&backup)]);
    take();
    let (zk, _events) = Blocking::connect(ClientConfig::new(&server.address()).unwrap()).unwrap();
    zk.wait(zk.client().create("/load", None, &[Acl::open()], CreateMode::Persistent)).unwrap();
    let mut points = Vec::new();
    let remember = |points: &mut Vec<Point>, at: Option<String>| {
        let at = at.unwrap_or_else(|| zxid(&server));
        points.push(Point { at, seen: look(&server.address()) });
    };
    load(&zk, 0..120);
    remember(&mut points, None);
    std::thread::scope(|s| {
        let loading = s.spawn(|| load(&zk, 120..400));
        while !loading.is_finished() {
            take();
        }
    });
    remember(&mut points, None);
    std::thread::sleep(Duration::from_millis(5));
    let now = oxkeeper::os::clock::wall_ms();
    let now = oxkeeper::types::java::java_iso8601(now).replace(',', ".").replace(' ', "T") + "Z";
    std::thread::sleep(Duration::from_millis(5));
    remember(&mut points, Some(now));
    let tar = home.path().join("backup.tar");
    let out = ox::command(&["backup", "--data-dir", text(&data), "--to", "-"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    fs::write(&tar, &out.stdout).unwrap();
    let tar_seen = points.len() - 1;
    load(&zk, 400..440);
    remember(&mut points, Some("end".to_owned()));
    take();
    server.kill();
    fs::remove_dir_all(&data).unwrap();
    Ok(Story { home, points, tar, tar_seen })
}

/// Starts a server on a restored directory and compares its tree.
fn serves(kind: Kind, restored: &Path, seen: &Seen) -> Result<(), String> {
    let state = state_of(restored);
    let server = Server::start(kind, &spec(restored))?;
    assert_eq!(look(&server.address()), *seen, "{kind:?} on {}", restored.display());
    let words = server.ask("mntr");
    assert_eq!(fourlw::value(&words, "zk_digest_mismatches_count"), Some("0"), "{kind:?}");
    drop(server);
    assert!(state.digest != 0);
    Ok(())
}

/// The whole way for one kind of server.
fn comes_back(kind: Kind, part: &str) {
    let story = need!(part, story(kind));
    let backup = story.home.path().join("backup");
    let said = well(&["backup", "verify", text(&backup)]);
    assert!(said.contains("whole"), "{said}");
    well(&["backup", "verify", text(&story.tar)]);
    for (i, point) in story.points.iter().enumerate() {
        let restored = story.home.path().join(format!("restored-{i}"));
        let said =
            well(&["restore", "--from", text(&backup), "--at", &point.at, "--data-dir", text(&restored)]);
        let state = state_of(&restored);
        assert!(said.contains(&format!("its digest is 0x{:x}", state.digest as u64)), "{said}");
        if point.at.starts_with("0x") {
            assert_eq!(state.last.to_string(), point.at);
        }
        let started = if i == 1 { Kind::Java395 } else { Kind::Oxkeeper };
        need!("Java on a restored directory", serves(started, &restored, &point.seen));
    }
    let restored = story.home.path().join("from-tar");
    well(&["restore", "--from", text(&story.tar), "--data-dir", text(&restored)]);
    serves(Kind::Oxkeeper, &restored, &story.points[story.tar_seen].seen).unwrap();
    let again = run(&["restore", "--from", text(&story.tar), "--data-dir", text(&restored)]);
    assert!(again.0 == 1 && again.1.contains("holds data"), "{}", again.1);
    let first = zxid_after(&story.points[0].at);
    let early = run(&[
        "restore",
        "--from",
        text(&story.tar),
        "--at",
        &first,
        "--data-dir",
        text(&story.home.path().join("x")),
    ]);
    assert!(early.0 == 1 && early.1.contains("cannot be reached"), "the tar file begins later: {}", early.1);
    well(&["restore", "--from", text(&story.tar), "--data-dir", text(&restored), "--force"]);
    assert!(restored.join("version-2.before-restore-1").is_dir());
    serves(Kind::Oxkeeper, &restored, &story.points[story.tar_seen].seen).unwrap();
}

/// One before, so that it is certainly before the tar file's snapshot.
fn zxid_after(at: &str) -> String {
    let number = i64::from_str_radix(at.trim_start_matches("0x"), 16).unwrap();
    format!("0x{:x}", number / 2)
}

#[test]
fn our_server_backed_up_under_load_comes_back_at_any_point() {
    comes_back(Kind::Oxkeeper, "backup of Oxkeeper");
}

#[test]
fn javas_server_backed_up_under_load_comes_back_at_any_point() {
    comes_back(Kind::Java395, "backup of Java 3.9.5");
}

#[test]
fn a_subtree_comes_back_into_a_running_server_and_acls_are_planned_and_undone() {
    let home = Dir::new("subtree");
    let (data, backup) = (home.path().join("data"), home.path().join("backup"));
    let server = ox::start(&spec(&data)).unwrap();
    let (zk, _events) = Blocking::connect(ClientConfig::new(&server.address()).unwrap()).unwrap();
    zk.wait(zk.client().create("/load", None, &[Acl::open()], CreateMode::Persistent)).unwrap();
    load(&zk, 0..50);
    let before = look(&server.address());
    well(&["backup", "--data-dir", text(&data), "--to", text(&backup)]);
    let at = server.address();
    let restore = |more: &[&str]| {
        run(&[&["restore", "--from", text(&backup), "--subtree", "/load", "--server", &at], more].concat())
    };
    // Into another place: everything but what is ephemeral, with data and ACL.
    let (code, said) = restore(&["--to", "/copy", "--dry-run"]);
    assert!(code == 0 && said.contains("create /copy/n0") && !look(&at).contains_key("/copy"), "{said}");
    assert_eq!(restore(&["--to", "/copy"]).0, 0);
    let after = look(&at);
    for (path, (data, acl, stat)) in &before {
        let copy = after.get(&path.replacen("/load", "/copy", 1));
        match stat.ephemeral_owner {
            0 => assert_eq!(copy.map(|c| (&c.0, &c.1)), Some((data, acl)), "{path}"),
            _ => assert_eq!(copy, None, "{path}"),
        }
    }
    // Into its own place: what was deleted is created, what was changed is left unless told otherwise.
    zk.wait(zk.client().delete("/load/n4/m", -1)).unwrap();
    zk.wait(zk.client().set("/load/n0", Some(b"changed"), -1)).unwrap();
    zk.wait(zk.client().set_acl("/load/n2", &[Acl::open()], -1)).unwrap();
    let (code, said) = restore(&[]);
    assert!(code == 1 && said.contains("differs /load/n0") && said.contains("created 1, set 0"), "{said}");
    let (code, said) = restore(&["--overwrite"]);
    assert!(code == 0 && said.contains("set 1, ACLs set 1"), "{said}");
    let now = look(&at);
    for path in ["/load/n0", "/load/n2", "/load/n4/m"] {
        assert_eq!((&now[path].0, &now[path].1), (&before[path].0, &before[path].1), "{path}");
    }
    acls(&home, &at, &zk);
    differences(&home, &at, &zk, &backup);
}

fn acls(home: &Dir, at: &str, zk: &Blocking) {
    let (plan, undo) = (home.path().join("plan"), home.path().join("undo"));
    let audit = |more: &[&str]| run(&[&["acl", "audit", "/load", "--server", at], more].concat());
    let (code, said) = audit(&["--plan", text(&plan), "--owner", "ip:127.0.0.1"]);
    assert!(code == 1 && said.contains("world-writable"), "{said}");
    let can = |who: &str| run(&["acl", "can", who, "write", "/load/n2", "--server", at]);
    assert_eq!(can("ip:127.0.0.1").0, 0);
    let (code, said) = can("anyone");
    assert!(code == 1 && said.contains("world:anyone:r matches, and has no w"), "{said}");
    let before = look(at);
    let apply = |more: &[&str]| run(&[&["acl", "apply", "--server", at], more].concat());
    let (code, said) = apply(&[text(&plan), "--dry-run"]);
    assert!(code == 0 && said.contains("would be set") && look(at) == before, "{said}");
    assert_eq!(apply(&[text(&plan)]).0, 2, "an undo file is needed");
    let (code, said) = apply(&[text(&plan), "--undo", text(&undo)]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = audit(&["--no-ephemerals"]);
    assert_eq!(code, 0, "nothing is open any more: {said}");
    let changed = zk.wait(zk.client().get_acl("/load/n0")).unwrap().0;
    assert_eq!(changed, [Acl { perms: 31, id: Id::new("ip", "127.0.0.1") }, Acl::read_only()]);
    let (code, said) = apply(&[text(&undo), "--undo", text(&home.path().join("undo-2"))]);
    assert_eq!(code, 0, "{said}");
    let acls = |seen: &Seen| seen.iter().map(|(p, (_, acl, _))| (p.clone(), acl.clone())).collect::<Vec<_>>();
    assert_eq!(acls(&look(at)), acls(&before));
}

/// Directories, backups and ensembles are compared with one another.
fn differences(home: &Dir, at: &str, zk: &Blocking, backup: &Path) {
    let data = home.path().join("data");
    let diff = |a: &str, b: &str, more: &[&str]| run(&[&["diff", a, b], more].concat());
    let (code, said) = diff(text(&data), at, &["--numbers"]);
    assert_eq!(code, 0, "the live server and its files: {said}");
    well(&["backup", "--data-dir", text(&data), "--to", text(backup)]);
    assert_eq!(diff(text(backup), at, &["--numbers"]).0, 0);
    assert_eq!(diff(text(backup), text(&data), &["--numbers"]).0, 0);
    zk.wait(zk.client().create("/load/n0/new", None, &[Acl::open()], CreateMode::Persistent)).unwrap();
    zk.wait(zk.client().delete("/load/n4/m", -1)).unwrap();
    zk.wait(zk.client().set("/load/n2", Some(b"other"), -1)).unwrap();
    let (code, said) = diff(text(backup), at, &[]);
    let lines = ["> /load/n0/new", "< /load/n4/m", "! /load/n2  data"];
    assert!(code == 1 && lines.iter().all(|l| said.lines().any(|s| s == *l)), "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
    let (code, said) = diff(text(backup), "127.0.0.1:1", &[]);
    assert!(code == 2 && said.contains("127.0.0.1:1"), "{said}");
}
