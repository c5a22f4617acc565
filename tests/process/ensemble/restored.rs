//! Three members backed up under load, all their disks destroyed, and the whole ensemble restored to a point in time, by
//! the steps of the operator's guide.
//!
//! # Invariants
//! * The oracle is the tree as a client saw it at the point, stats and ACLs included.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use oxkeeper::cli::walking::{Ask, Walk};
use oxkeeper::client::{Blocking, ClientConfig, Op};
use oxkeeper::types::{Acl, CreateMode, Id, Stat};

use super::turn;
use crate::harness::state::State;
use crate::harness::{Group, Plan};
use crate::support::dirs::Dir;
use crate::support::{Kind, fourlw, ox, process};

type Seen = BTreeMap<String, (Option<Vec<u8>>, Vec<Acl>, Stat)>;

/// Runs the binary, which must end well.
fn well(args: &[&str]) -> String {
    let (status, said) = process::run(ox::command(args), None, Duration::from_secs(120)).expect("it runs");
    assert!(status.success(), "{args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn connect(address: &str) -> Blocking {
    // Sessions with ephemeral znodes must outlast the disaster.
    let config = ClientConfig::new(address).expect("an address").timeout(Duration::from_secs(110));
    Blocking::connect(config).expect("a session").0
}

/// Every znode of a member as a client sees it.
fn look(address: &str) -> Seen {
    let zk = connect(address);
    zk.wait(zk.client().sync("/")).expect("level with the leader");
    let mut walk = Walk::new(&zk, "/", Ask { data: true });
    let mut seen = Seen::new();
    while let Some(z) = walk.step().expect("a znode") {
        if !z.path.starts_with("/zookeeper") {
            seen.insert(z.path, (z.data.map(|d| d.to_vec()), z.acl, z.stat));
        }
    }
    zk.close();
    seen
}

/// Creates, sets, deletes, ACLs, multis, sequential and ephemeral znodes.
fn work(zk: &Blocking, range: std::ops::Range<u32>) {
    let c = zk.client();
    for i in range {
        let path = format!("/app/n{i}");
        zk.wait(c.create(&path, Some(&[b'a'; 40]), &[Acl::open()], CreateMode::Persistent)).expect("created");
        match i % 6 {
            0 => drop(zk.wait(c.set(&path, Some(b"set"), -1)).expect("set")),
            1 => zk.wait(c.delete(&path, -1)).expect("deleted"),
            2 => {
                let acl = [Acl { perms: 31, id: Id::new("ip", "127.0.0.1") }, Acl::read_only()];
                zk.wait(c.set_acl(&path, &acl, -1)).expect("set");
            }
            3 => {
                let (path, how) = (format!("{path}/e"), CreateMode::Ephemeral);
                drop(zk.wait(c.create(&path, None, &[Acl::open()], how)).expect("created"));
            }
            4 => {
                let set = Op::Set(path.clone(), Some("multi".into()), -1);
                drop(zk.wait(c.multi(&[set, Op::Delete("/app/last".into(), -1)])).map(drop));
                drop(zk.wait(c.create("/app/last", None, &[Acl::open()], CreateMode::Persistent)).map(drop));
            }
            _ => {
                let how = CreateMode::PersistentSequential;
                drop(zk.wait(c.create("/app/s-", Some(b"s"), &[Acl::open()], how)).expect("created"));
            }
        }
    }
}

/// The number behind `words` in what a command said.
fn number(said: &str, words: &str) -> u32 {
    let rest = said.split_once(words).map(|(_, rest)| rest).unwrap_or_else(|| panic!("{words}: {said}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{words}: {said}"))
}

/// What the story left: the archive, the point in it, the tree at that point, and one member's old directory.
struct Lost {
    point: String,
    seen: Seen,
    epoch: i64,
}

/// Loads, backs up online, goes on beyond the point, and loses every disk but a copy of the third.
fn lose(group: &mut Group, backup: &Path, kept: &Path) -> Lost {
    let source = group.follower().unwrap_or_else(|why| panic!("{why}"));
    let config = group.member(source).config();
    let take = || well(&["backup", "--config", text(&config), "--to", text(backup)]);
    let addresses = group.addresses();
    let zk = connect(&addresses[0]);
    zk.wait(zk.client().create("/app", None, &[Acl::open()], CreateMode::Persistent)).expect("created");
    work(&zk, 0..60);
    take();
    std::thread::scope(|s| {
        let loading = s.spawn(|| work(&zk, 60..200));
        while !loading.is_finished() {
            take();
        }
    });
    // Looking opens and closes a session: the point is what every member has applied while the look was taken.
    let seen = look(&addresses[1]);
    let zxid = group.wait_level().unwrap_or_else(|why| panic!("{why}"));
    work(&zk, 200..260);
    group.wait_level().unwrap_or_else(|why| panic!("{why}"));
    take();
    for id in group.ids() {
        group.member(id).kill();
    }
    std::fs::rename(group.member(3).data_dir(), kept).expect("kept");
    for id in [1, 2] {
        std::fs::remove_dir_all(group.member(id).data_dir()).expect("destroyed");
    }
    Lost { point: format!("0x{zxid:x}"), seen, epoch: zxid >> 32 }
}

/// Steps 2 to 5 of the guide.
fn restore(group: &mut Group, backup: &Path, lost: &Lost) {
    let mut epoch = None;
    for id in group.ids() {
        let (config, number_of) = (group.member(id).config(), id.to_string());
        let from = ["restore", "--from", text(backup), "--at", &lost.point, "--config", text(&config)];
        let given = epoch.map(|epoch: u32| epoch.to_string());
        let above = given.iter().flat_map(|epoch| ["--epoch", epoch.as_str()]);
        let args: Vec<&str> =
            from.into_iter().chain(["--myid", &number_of, "--force"]).chain(above).collect();
        let dry = well(&[&args[..], &["--dry-run"]].concat());
        assert!(dry.contains(&format!("the point is {}", lost.point)), "{dry}");
        assert!(!group.member(id).data_dir().join("version-2").exists(), "a dry run writes nothing");
        let said = well(&args);
        assert_eq!(epoch.unwrap_or(number(&said, "give --epoch ")), number(&said, "give --epoch "), "{said}");
        epoch = Some(number(&said, "give --epoch "));
        let data = group.member(id).data_dir().to_path_buf();
        assert_eq!(std::fs::read_to_string(data.join("myid")).expect("myid").trim(), number_of);
        well(&["fsck", text(&data)]);
        assert_eq!(format!("0x{:x}", State::read(&data).expect("readable").zxid), lost.point);
    }
}

#[test]
fn ensemble_is_restored_from_a_backup_after_all_disks_were_lost() {
    let _turn = turn();
    let lines = vec!["preAllocSize=64".to_owned(), "snapCount=100".to_owned()];
    let plan = Plan { lines, ..Plan::of(&[Kind::Oxkeeper; 3]) };
    let mut group = Group::start(&plan).unwrap_or_else(|why| panic!("{why}"));
    let home = Dir::new("restored");
    let (backup, kept) = (home.path().join("backup"), home.path().join("kept"));
    let lost = lose(&mut group, &backup, &kept);
    well(&["backup", "verify", text(&backup)]);
    restore(&mut group, &backup, &lost);

    for id in group.ids() {
        group.launch(id).unwrap_or_else(|why| panic!("{why}"));
    }
    group.wait_all().unwrap_or_else(|why| panic!("{why}"));
    for address in group.addresses() {
        assert_eq!(look(&address), lost.seen, "{address}");
    }
    // It is a new history, above every number that clients have seen, and it is written to.
    let zk = connect(&group.addresses()[0]);
    zk.wait(zk.client().create("/after", None, &[Acl::open()], CreateMode::Persistent)).expect("created");
    let level = group.wait_level().unwrap_or_else(|why| panic!("{why}"));
    assert!(level >> 32 > lost.epoch, "0x{level:x}");

    // The third comes back with the disk that was thought lost: its history is given up, not brought back.
    group.member(3).stop();
    let data = group.member(3).data_dir().to_path_buf();
    std::fs::rename(&data, home.path().join("aside")).expect("moved");
    std::fs::rename(&kept, &data).expect("moved");
    group.join(3).unwrap_or_else(|why| panic!("{why}"));
    let mut wanted = look(&group.addresses()[0]);
    assert_eq!(look(&group.addresses()[2]), wanted);
    assert!(wanted.remove("/after").is_some());
    assert_eq!(wanted.keys().collect::<Vec<_>>(), lost.seen.keys().collect::<Vec<_>>());
    // Two live members, znode by znode with all their numbers.
    let addresses = group.addresses();
    for pair in [[0, 1], [1, 2]].map(|pair| pair.map(|at: usize| addresses[at].as_str())) {
        well(&["diff", pair[0], pair[1], "--numbers"]);
    }
    for id in group.ids() {
        let words = group.member(id).ask("mntr").expect("mntr");
        assert_eq!(fourlw::value(&words, "zk_digest_mismatches_count"), Some("0"), "server {id}");
    }
}
