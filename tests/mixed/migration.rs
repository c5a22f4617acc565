//! Live migration: a running ensemble of Java's servers is replaced server by server, and rolled back, as
//! `docs/migration.md` says, with its commands.
//!
//! # Invariants
//! * No session ends, no acknowledged write is lost; every ephemeral, watch and lock is accounted for at each step.

use std::time::Duration;

use crate::harness::group::SETTLE;
use crate::harness::history::{History, now};
use crate::harness::load::{By, Shape};
use crate::harness::{Group, Plan};
use crate::held::{Held, Locks};
use crate::need;
use crate::support::dirs::Dir;
use crate::support::{Kind, cache, java, ox, process};

/// Replaces each member, followers first, and shows after each that everything holds. `to` is what they become.
fn replace(group: &mut Group, to: Kind, held: &mut Held, moments: &mut Vec<u64>) -> Result<(), String> {
    let leader = group.leader(SETTLE)?;
    let order: Vec<u64> = group.ids().into_iter().filter(|id| *id != leader).chain([leader]).collect();
    for id in order {
        check(group, id, "before the stop")?;
        moments.push(now());
        group.member(id).stop();
        group.leader(SETTLE)?;
        group.member(id).kind = to;
        group.join(id)?;
        check(group, id, "after the start")?;
        held.show().map_err(|why| format!("server {id} as {to:?}: {why}\n{}", group.logs()))?;
    }
    Ok(())
}

/// `oxkeeper check zoo.cfg --against <running ensemble>`, as the runbook says: it must fit.
fn check(group: &mut Group, id: u64, when: &str) -> Result<(), String> {
    let config = group.member(id).config().display().to_string();
    let all = group.addresses().join(",");
    let deadline = std::time::Instant::now() + SETTLE;
    loop {
        let command = ox::command(&["check", &config, "--against", &all]);
        let (status, said) = process::run(command, None, Duration::from_secs(60))?;
        if status.success() {
            return Ok(());
        }
        // Followers may still be on their way.
        if std::time::Instant::now() > deadline {
            return Err(format!("server {id}, {when}: {said}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn migrate(java: Kind) -> Result<String, String> {
    let mut group = Group::start(&Plan::of(&[java; 3]))?;
    let shape = Shape { session: Duration::from_secs(30), ..Shape::default() };
    let mut loads = vec![group.load(By::Java, &shape)?, group.load(By::Rust, &shape)?];
    let home = Dir::new("migration");
    let mut locks = None;
    if cache::kazoo_python().is_ok() {
        loads.push(group.load(By::Kazoo, &shape)?);
        locks = Some(Locks::start(&group.addresses().join(","), home.path())?);
    }
    let mut held = Held::new(&group.addresses().join(","))?;
    let mut moments = Vec::new();
    replace(&mut group, Kind::Oxkeeper, &mut held, &mut moments)?;
    replace(&mut group, java, &mut held, &mut moments)?;
    held.end()?;
    let turns = locks.map(Locks::stop).transpose()?;
    let mut history = History::default();
    for load in loads {
        history.add(load.stop()?);
    }
    let gaps: Vec<f64> = moments.iter().filter_map(|at| history.gap_after(*at)).collect();
    let (faults, state) = group.finish(&history)?;
    if !faults.is_empty() || history.expired() > 0 {
        let (n, faults) = (history.expired(), faults.join("\n"));
        return Err(format!("{n} sessions ended\n{faults}\n{}", group.logs()));
    }
    Ok(format!(
        "{} writes acknowledged, 0 lost, 0 sessions lost, {} znodes, lock held {turns:?} times, gaps {gaps:.0?} ms",
        history.acknowledged(),
        state.nodes.len()
    ))
}

#[test]
fn a_living_ensemble_is_replaced_server_by_server_and_rolled_back() {
    let _turn = crate::turn();
    need!("mixed: live migration", java::classpath(Kind::Java395));
    if cache::kazoo_python().is_err() {
        crate::support::skip::not_run("mixed: live migration under kazoo", &cache::why_not("kazoo"));
    }
    println!("{}", migrate(Kind::Java395).unwrap_or_else(|why| panic!("{why}")));
}
