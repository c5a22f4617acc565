//! Data directories between Java ZooKeeper and Oxkeeper, both ways.
//!
//! One directory is served by Java, then by Oxkeeper, by Java again, by Oxkeeper again. Each
//! server changes it and is killed in the middle of work; the next one must show exactly what
//! the clients of the last one saw: paths, data, stats, ACLs, sessions and their ephemerals.
//! Between two servers the files are replayed with the production recovery and every digest
//! that either server wrote is compared.
//!
//! # Invariants
//!
//! * What a kind cannot have on this machine is listed as not run.

#[path = "../support/mod.rs"]
mod support;
mod wire;

use oxkeeper::driver;
use oxkeeper::os::disk::RealDisk;
use oxkeeper::storage::{Dirs, Rules};
use oxkeeper::tree::TreeConfig;
use std::collections::BTreeMap;
use std::path::Path;
use support::server::{Kind, Server, Spec};
use wire::{Rng, Session, Stage};

/// A znode as clients see it: data, stat and ACL, encoded as on the wire.
type View = BTreeMap<String, Vec<u8>>;

fn spec(dir: &Path) -> Spec {
    Spec::new()
        .data_dir(dir)
        .cfg("extendedTypesEnabled=true")
        .cfg("maxSessionTimeout=600000")
        .cfg("snapCount=400")
        .cfg("preAllocSize=64")
        .flag("-Dzookeeper.extendedTypesEnabled=true")
        .flag("-Dzookeeper.snapCount=400")
        .flag("-Dzookeeper.preAllocSize=64")
}

/// Replays the directory as it lies and returns the digest; every recorded digest must fit.
fn replay(dir: &Path) -> (i64, usize) {
    let copy = tempfile::tempdir().expect("a directory");
    copy_dir(dir, copy.path());
    let tree = TreeConfig { extended_types: true, ..TreeConfig::default() };
    let dirs = Dirs::new(copy.path(), copy.path());
    let found = driver::start(&RealDisk::new(), &dirs, &Rules::default(), tree).expect("recovery");
    assert!(found.differences.is_empty(), "digests differ: {:?}", found.differences);
    (found.recovered.tree.digest(), found.recovered.sessions.len())
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir_all(&target).expect("a directory");
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// What survives from one server to the next.
struct Carried {
    view: View,
    holder: (i64, Vec<u8>),
}

/// One server's turn: shows what was carried over, is changed, and is killed.
fn turn(
    kind: Kind,
    dir: &Path,
    carried: Option<Carried>,
    seed: u64,
    stage: Stage,
) -> Result<Carried, String> {
    let mut server = Server::start(kind, &spec(dir))?;
    let mut session = Session::open(server.port(), 0, &[]);
    session.log_in();
    let mut held = match carried {
        None => Session::open(server.port(), 0, &[]),
        Some(mut before) => {
            let mut view = session.view();
            if !before.view.contains_key("/zookeeper/config") {
                // 3.4 has no such node; every later server adds it when it starts.
                for path in ["/zookeeper", "/zookeeper/config"] {
                    view.remove(path);
                    before.view.remove(path);
                }
            }
            assert_eq!(
                view.keys().collect::<Vec<_>>(),
                before.view.keys().collect::<Vec<_>>(),
                "{kind:?}: paths"
            );
            for (path, node) in &before.view {
                assert_eq!(&view[path], node, "{kind:?}: {path}");
            }
            let renewed = Session::open(server.port(), before.holder.0, &before.holder.1);
            assert_eq!(renewed.id, before.holder.0, "{kind:?}: the session did not survive");
            renewed
        }
    };
    held.log_in();
    held.make_ephemerals(seed);
    session.churn(&mut Rng(seed), 900, stage);
    let carried = Carried { view: session.view(), holder: (held.id, held.password.clone()) };
    // In the middle of work: more is under way when the server dies.
    server.kill();
    Ok(carried)
}

fn rounds(first: Kind, kinds: &[Kind], stage: Stage) {
    let dir = support::dirs::Dir::new("takeover");
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).expect("a directory");
    let mut carried = match turn(first, &data, None, 1, stage) {
        Ok(c) => Some(c),
        Err(why) => return support::skip::not_run(&format!("takeover from {first:?}"), &why),
    };
    for (i, kind) in kinds.iter().enumerate() {
        let (digest, sessions) = replay(&data);
        println!(
            "{i}: to {kind:?}: digest {digest:#x}, {sessions} sessions, {} znodes",
            carried.as_ref().map_or(0, |c| c.view.len())
        );
        carried = match turn(*kind, &data, carried.take(), 2 + i as u64, stage) {
            Ok(c) => Some(c),
            Err(why) => return support::skip::not_run(&format!("takeover by {kind:?}"), &why),
        };
    }
    replay(&data);
}

/// The control first: Java takes over from Java.
#[test]
fn java_takes_over_from_java() {
    rounds(Kind::Java395, &[Kind::Java395], Stage::Today);
}

#[test]
fn java_395_and_oxkeeper_take_turns() {
    rounds(Kind::Java395, &[Kind::Oxkeeper, Kind::Java395, Kind::Oxkeeper, Kind::Java395], Stage::Today);
}

#[test]
fn java_38_and_oxkeeper_take_turns() {
    rounds(Kind::Java386, &[Kind::Oxkeeper, Kind::Java386, Kind::Oxkeeper], Stage::Today);
}

#[test]
fn a_fresh_directory_of_oxkeeper_is_taken_by_java() {
    rounds(Kind::Oxkeeper, &[Kind::Java395, Kind::Oxkeeper], Stage::Today);
}

#[test]
fn a_directory_of_java_34_is_taken_over_and_given_on() {
    rounds(Kind::Java3414, &[Kind::Oxkeeper, Kind::Oxkeeper, Kind::Java395, Kind::Oxkeeper], Stage::Old);
}
